// SPDX-License-Identifier: GPL-2.0

//! Work items that can be delayed and cancelled.
//!
//! As in `kernel::workqueue`, a [`Work`] is a field of the object that it works on, an [`Arc`] of
//! the object is held as long as the item is queued, and a struct can have several, told apart by
//! `ID`. `kernel::workqueue` cannot cancel; here every item can be, which makes the end of a driver
//! possible: what is cancelled does not run any more, and its `Arc` is gone.
//!
//! ```ignore
//! #[pin_data]
//! struct Ring {
//!     #[pin]
//!     refill: Work<Ring, REFILL>,
//! }
//!
//! impl_has_work! {
//!     impl HasWork<Self, REFILL> for Ring { self.refill }
//! }
//!
//! impl WorkItem<REFILL> for Ring {
//!     fn run(this: Arc<Self>) { /* may sleep, may queue itself again */ }
//! }
//!
//! let ring = Arc::pin_init(pin_init!(Ring { refill <- Work::new() }), GFP_KERNEL)?;
//! Work::<Ring, REFILL>::enqueue_delayed(&ring, 100);
//! ring.refill.cancel_sync();
//! ```
//!
//! The items run in the kernel's unbound queue, which is for work that may take its time. Each kind
//! has lock classes of its own, so that lockdep sees who waits for whom.
//!
//! # Who owns the `Arc`
//!
//! The C code sets a "pending" bit when an item is queued and clears it exactly once: before the
//! function runs, or when it is taken back. Whoever sets the bit puts one reference into the queue,
//! whoever clears it takes one out. So each successful enqueue is matched by one run or one
//! cancellation, also when enqueue, run and cancel happen at the same time on three CPUs.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::bindings;

use core::marker::PhantomData;

use kernel::{
    prelude::*,
    sync::{
        Arc,
        LockClassKey, //
    },
    time::msecs_to_jiffies,
    types::Opaque, //
};

/// What a work item does.
pub trait WorkItem<const ID: u64 = 0>: HasWork<ID> {
    /// Process context, may sleep. Never runs twice at a time for one object and `ID`.
    ///
    /// The object is dropped in here if this is its last reference. Its destructor must then not
    /// cancel this item: that would wait for itself.
    fn run(this: Arc<Self>);
}

/// A type with a field [`Work<Self, ID>`]. Implemented by [`impl_has_work!`].
///
/// # Safety
///
/// The two functions must be inverse to each other for pointers to, and into, valid objects.
pub unsafe trait HasWork<const ID: u64>: Sized + Send + Sync + 'static {
    /// What lockdep calls the items.
    const NAME: &'static CStr;

    /// The lock classes of the items and of their timers.
    fn lock_classes() -> [Pin<&'static LockClassKey>; 2];

    /// Returns a pointer to the field.
    ///
    /// # Safety
    ///
    /// `this` must point to a valid object.
    unsafe fn raw_get_work(this: *const Self) -> *const Work<Self, ID>;

    /// Returns the object of a field.
    ///
    /// # Safety
    ///
    /// `work` must point to this field of a valid object.
    unsafe fn work_container_of(work: *const Work<Self, ID>) -> *const Self;
}

/// Implements [`HasWork`]: says which field is the work item `ID` of a struct.
macro_rules! impl_has_work {
    ($(impl HasWork<Self, $id:tt> for $self:ty { self.$field:ident })*) => {$(
        #[allow(unsafe_code)]
        // SAFETY: Both functions go by the offset of the same field, and compile only if it has the
        // right type.
        unsafe impl $crate::kabi::work::HasWork<$id> for $self {
            const NAME: &'static ::kernel::str::CStr =
                ::kernel::c_str!(concat!(stringify!($self), "::", stringify!($field)));

            fn lock_classes(
            ) -> [::core::pin::Pin<&'static ::kernel::sync::LockClassKey>; 2] {
                [::kernel::static_lock_class!(), ::kernel::static_lock_class!()]
            }

            unsafe fn raw_get_work(
                this: *const Self,
            ) -> *const $crate::kabi::work::Work<Self, $id> {
                // SAFETY: By this function's requirements, `this` is valid.
                unsafe { &raw const (*this).$field }
            }

            unsafe fn work_container_of(
                work: *const $crate::kabi::work::Work<Self, $id>,
            ) -> *const Self {
                // SAFETY: By this function's requirements, `work` is this field of an object.
                unsafe { ::kernel::container_of!(work, Self, $field) }
            }
        }
    )*};
}
pub(crate) use impl_has_work;

/// A work item of a `T`.
///
/// # Invariants
///
/// - `inner` is an initialized `struct delayed_work` with [`Self::callback()`] as its function.
/// - As long as it is pending, it is a field of a `T` in an [`Arc`], and one reference to that
///   belongs to the queue.
#[pin_data]
pub struct Work<T, const ID: u64 = 0> {
    #[pin]
    inner: Opaque<bindings::delayed_work>,
    _owner: PhantomData<fn(Arc<T>)>,
}

// SAFETY: Work items may be used by any task. The `T` that goes to another task is `Send` and `Sync`
// (see `HasWork`).
unsafe impl<T, const ID: u64> Send for Work<T, ID> {}

// SAFETY: As above.
unsafe impl<T, const ID: u64> Sync for Work<T, ID> {}

impl<T: WorkItem<ID>, const ID: u64> Work<T, ID> {
    /// Creates an item that is not queued.
    pub fn new() -> impl PinInit<Self> {
        let [work_class, timer_class] = T::lock_classes();
        // INVARIANT: Both halves of `inner` are initialized below; a new item is not pending.
        pin_init!(Self {
            inner <- Opaque::ffi_init(move |slot: *mut bindings::delayed_work| {
                // SAFETY: `slot` is valid for writes; only the address of its field is taken.
                let work = unsafe { &raw mut (*slot).work };
                // SAFETY: As above.
                let timer = unsafe { &raw mut (*slot).timer };
                // SAFETY: `work` is valid for writes, name and lock class are static.
                unsafe {
                    bindings::init_work_with_key(
                        work,
                        Some(Self::callback),
                        false,
                        T::NAME.as_char_ptr(),
                        work_class.as_ptr(),
                    )
                };
                // SAFETY: `timer` is valid for writes, name and lock class are static. This is the
                // timer of a `struct delayed_work`, as the function requires.
                unsafe {
                    bindings::timer_init_key(
                        timer,
                        Some(bindings::delayed_work_timer_fn),
                        bindings::TIMER_IRQSAFE,
                        T::NAME.as_char_ptr(),
                        timer_class.as_ptr(),
                    )
                };
            }),
            _owner: PhantomData,
        })
    }

    /// Queues the item of `arc` to run as soon as possible.
    ///
    /// Returns `false` if it is queued already, also with a delay that has not passed: it keeps its
    /// place. An item that is running is not queued any more, so this makes it run once more.
    /// While it is being cancelled, and after [`disable_sync()`](Self::disable_sync), it is not queued
    /// and `false` is returned.
    ///
    /// Any context.
    pub fn enqueue(arc: &Arc<T>) -> bool {
        Self::enqueue_delayed(arc, 0)
    }

    /// As [`enqueue()`](Self::enqueue), but to run after `ms` milliseconds (rounded up to ticks).
    pub fn enqueue_delayed(arc: &Arc<T>, ms: u32) -> bool {
        let owner = Arc::into_raw(arc.clone());
        // SAFETY: `owner` is a valid object.
        let work = unsafe { T::raw_get_work(owner) };
        // SAFETY: `work` is a valid item.
        let raw = Opaque::cast_into(unsafe { &raw const (*work).inner });
        // SAFETY: The unbound queue exists from boot on and never goes away.
        let queue = unsafe { bindings::system_dfl_wq };
        // INVARIANT: If this makes the item pending, the reference `owner` belongs to the queue.
        //
        // SAFETY: By the type invariant, the item is initialized. If it becomes pending, the
        // reference keeps it valid until it is not any more.
        let queued = unsafe {
            bindings::queue_delayed_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                queue,
                raw,
                msecs_to_jiffies(ms),
            )
        };
        if !queued {
            // SAFETY: `owner` comes from `Arc::into_raw()` and the queue has not taken it.
            drop(unsafe { Arc::from_raw(owner) });
        }
        queued
    }

    /// Queues the item of `arc` to run after `ms` milliseconds from now, also if it is queued already
    /// for another time.
    ///
    /// If somebody else queues it at the same moment, the one or the other time is kept. Returns as
    /// [`enqueue()`](Self::enqueue).
    ///
    /// Any context.
    pub fn mod_delayed(arc: &Arc<T>, ms: u32) -> bool {
        // Not `mod_delayed_work()`: its result does not tell whether an item that is being disabled
        // was queued, and then nobody knew whose the reference is.
        //
        // SAFETY: `arc` is a valid object.
        let work = unsafe { T::raw_get_work(Arc::as_ptr(arc)) };
        // SAFETY: That is its item, which there are only shared references to.
        let work = unsafe { &*work };
        // SAFETY: By the type invariant, the item is initialized.
        let taken = unsafe { bindings::cancel_delayed_work(work.inner.get()) };
        work.drop_reference(taken);
        Self::enqueue_delayed(arc, ms)
    }

    /// Takes the item out of the queue, and waits for it if it is running. When this returns, the item
    /// neither runs nor is queued, even if it queues itself again, unless somebody else queues it
    /// after that.
    ///
    /// Returns whether it was queued. Never to be called by the item itself, nor with a lock held
    /// that it takes.
    ///
    /// Process context, sleeps.
    pub fn cancel_sync(&self) -> bool {
        // SAFETY: By the type invariant, the item is initialized.
        let taken = unsafe { bindings::cancel_delayed_work_sync(self.inner.get()) };
        self.drop_reference(taken);
        taken
    }

    /// As [`cancel_sync()`](Self::cancel_sync), and nobody can queue the item any more, until
    /// [`enable()`](Self::enable) was called as often as this.
    pub fn disable_sync(&self) -> bool {
        // SAFETY: By the type invariant, the item is initialized.
        let taken = unsafe { bindings::disable_delayed_work_sync(self.inner.get()) };
        self.drop_reference(taken);
        taken
    }

    /// Undoes one [`disable_sync()`](Self::disable_sync). What was queued before, or asked for since,
    /// stays forgotten.
    ///
    /// Any context.
    pub fn enable(&self) {
        // SAFETY: By the type invariant, the item is initialized.
        unsafe { bindings::enable_delayed_work(self.inner.get()) };
    }

    /// Drops the reference that belonged to the queue, if the item was `taken` out of it.
    ///
    /// That is not the last one: the caller has `self` borrowed from somewhere.
    fn drop_reference(&self, taken: bool) {
        if taken {
            // SAFETY: By the type invariant, an item that was pending is the field of a `T` in an
            // `Arc`.
            let owner = unsafe { T::work_container_of(self) };
            // SAFETY: By the type invariant, one reference belonged to the queue. The C function that
            // said `taken` has cleared "pending", so that it is ours now, and ours alone.
            drop(unsafe { Arc::from_raw(owner) });
        }
    }

    /// # Safety
    ///
    /// Only for the workqueue, as the function of an item of this type.
    unsafe extern "C" fn callback(work: *mut bindings::work_struct) {
        // SAFETY: By this function's requirements, `work` is the field of a `struct delayed_work`.
        let raw = unsafe { kernel::container_of!(work, bindings::delayed_work, work) };
        // SAFETY: That is the `inner` field of a `Self`; `Opaque` is transparent.
        let this = unsafe { kernel::container_of!(raw.cast::<Opaque<_>>(), Self, inner) };
        // SAFETY: By the type invariant, this is the field of a `T` in an `Arc`.
        let owner = unsafe { T::work_container_of(this) };
        // SAFETY: By the type invariant, one reference belonged to the queue. "Pending" was cleared
        // for this call, so that it is ours now.
        let owner = unsafe { Arc::from_raw(owner) };

        T::run(owner);
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
mod tests;
