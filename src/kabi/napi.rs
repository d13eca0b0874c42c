// SPDX-License-Identifier: GPL-2.0

//! NAPI for a DMA ring that several network devices share.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)
//!
//! A [`Napi`] hangs on a dummy network device of its own, since it belongs to no interface in
//! particular. Its [`Poller`] runs in a softirq, at most once at a time.
//!
//! # Examples
//!
//! ```ignore
//! #[pin_data]
//! struct Ring {
//!     #[pin]
//!     napi: Napi<Handler>,
//! }
//!
//! struct Handler { /* ... */ }
//!
//! impl Poller for Handler {
//!     fn poll(&self, poll: &Poll<'_>, budget: usize) -> usize {
//!         let mut done = 0;
//!         while done < budget {
//!             let Some(skb) = self.next() else { break };
//!             self.interface.receive(poll, skb);
//!             done += 1;
//!         }
//!         done
//!     }
//! }
//!
//! let ring = KBox::pin_init(try_pin_init!(Ring { napi <- Napi::new() }), GFP_KERNEL)?;
//! ring.napi.start(Arc::new(Handler {}, GFP_KERNEL)?);
//! ring.napi.schedule();
//! ring.napi.stop();
//! ```

use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    container_of,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        Mutex, //
    },
    types::Opaque, //
};

use super::bindings;

/// The work of a [`Napi`].
pub trait Poller: Send + Sync + 'static {
    /// Processes up to `budget` received packets, and whatever else is due; returns the number of
    /// packets.
    ///
    /// If that is less than `budget`, the work is taken to be done, and the next call comes after a
    /// [`schedule`](Napi::schedule). One that comes while this runs is not lost: it leads to another
    /// call. With `budget` itself as the result, the next call comes soon.
    ///
    /// Context: softirq; must not sleep, nor [`stop`](Napi::stop) its own [`Napi`].
    fn poll(&self, poll: &Poll<'_>, budget: usize) -> usize;
}

/// Proof of running inside of a NAPI poll: in a softirq, which is also an RCU reader.
///
/// # Invariants
///
/// `napi` is the valid instance whose poll function is running on this CPU with `budget`.
pub struct Poll<'a> {
    napi: NonNull<bindings::napi_struct>,
    budget: c_int,
    _running: PhantomData<&'a ()>,
}

impl Poll<'_> {
    /// The C object.
    pub(super) fn as_raw(&self) -> *mut bindings::napi_struct {
        self.napi.as_ptr()
    }

    /// The budget as the core gave it. 0 outside of softirqs (netpoll).
    pub(super) fn budget(&self) -> c_int {
        self.budget
    }
}

/// A NAPI instance on a dummy network device.
///
/// Drop stops it, and sleeps: the last reference must not be dropped in a softirq.
///
/// # Invariants
///
/// - `napi` was added to `dummy`, which this object owns.
/// - `napi` is enabled exactly if `owner` holds a poller; `poller` points to it then.
#[pin_data(PinnedDrop)]
pub struct Napi<P: Poller> {
    dummy: NonNull<bindings::net_device>,
    poller: Atomic<*const P>,
    #[pin]
    owner: Mutex<Option<Arc<P>>>,
    #[pin]
    napi: Opaque<bindings::napi_struct>,
}

// SAFETY: All C functions called on `napi` and `dummy` may be called from any thread.
unsafe impl<P: Poller> Send for Napi<P> {}

// SAFETY: As above; `start` and `stop` serialise by `owner`.
unsafe impl<P: Poller> Sync for Napi<P> {}

impl<P: Poller> Napi<P> {
    /// Creates an instance that does not run yet.
    ///
    /// Context: task; sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            dummy: {
                // SAFETY: FFI call without requirements.
                let dummy = unsafe { bindings::alloc_netdev_dummy(0) };
                NonNull::new(dummy).ok_or(ENOMEM)?
            },
            poller: Atomic::new(ptr::null()),
            owner <- new_mutex!(None, "Napi::owner"),
            // What is added must be zeroed.
            napi: Opaque::zeroed(),
            _: {
                // SAFETY: `this` is the place of the object; only the address of its field is taken.
                let napi = unsafe { &raw const (*this.as_ptr()).napi };
                // SAFETY: The object is pinned, so that the instance stays there until `drop` deletes
                // it. `dummy` is a valid device. The callback is for this type. It is not called before
                // the instance is enabled.
                unsafe {
                    bindings::bam_dmux_helper_netif_napi_add(
                        dummy.as_ptr(),
                        Opaque::cast_into(napi),
                        Some(poll_callback::<P>),
                    )
                };
            },
        })
    }

    /// Lets [`schedule`](Self::schedule) call `poller` from now on. If it runs already, it goes on
    /// with the poller it has.
    ///
    /// Context: task; sleeps.
    pub fn start(&self, poller: Arc<P>) {
        let mut owner = self.owner.lock();
        if owner.is_some() {
            return;
        }
        // Pairs with the load in `poll_callback`.
        self.poller.store(Arc::as_ptr(&poller), Release);
        *owner = Some(poller);
        // SAFETY: By the type invariants the instance is valid, and disabled as there was no poller.
        unsafe { bindings::napi_enable(self.napi.get()) };
        // INVARIANT: Enabled, with `poller` pointing to what `owner` holds.
    }

    /// Waits until the poller does not run, and lets go of it. Calling it again does no harm.
    ///
    /// Context: task; sleeps. The wait takes as long as the poller uses up its budget each time: stop
    /// the source of the packets before.
    pub fn stop(&self) {
        let mut owner = self.owner.lock();
        let Some(poller) = owner.take() else {
            return;
        };
        // SAFETY: By the type invariants the instance is valid, and enabled as there was a poller.
        unsafe { bindings::napi_disable(self.napi.get()) };
        // INVARIANT: The callback does not run any more, so nobody looks at the pointer.
        self.poller.store(ptr::null(), Relaxed);

        // It may own anything. Do not let it go under the lock.
        drop(owner);
        drop(poller);
    }

    /// Has the poller called soon. No effect unless [started](Self::start).
    ///
    /// Context: any.
    pub fn schedule(&self) {
        // SAFETY: By the type invariants the instance is valid. An instance that is not enabled cannot
        // be scheduled, which the function checks.
        unsafe { bindings::bam_dmux_helper_napi_schedule(self.napi.get()) };
    }
}

#[pinned_drop]
impl<P: Poller> PinnedDrop for Napi<P> {
    fn drop(self: Pin<&mut Self>) {
        self.stop();
        // SAFETY: By the type invariants the instance was added, and it is disabled now.
        unsafe { bindings::bam_dmux_helper_netif_napi_del(self.napi.get()) };
        // SAFETY: By the type invariants we own the device, and nothing uses it any more.
        unsafe { bindings::free_netdev(self.dummy.as_ptr()) };
    }
}

/// # Safety
///
/// Only as the callback of the instance in a [`Napi<P>`]; the core calls it while that is enabled.
unsafe extern "C" fn poll_callback<P: Poller>(
    napi: *mut bindings::napi_struct,
    budget: c_int,
) -> c_int {
    // SAFETY: By this function's requirements `napi` is the field of a `Napi<P>`.
    let this = unsafe { container_of!(Opaque::cast_from(napi).cast_mut(), Napi<P>, napi) };
    // SAFETY: It lives longer than it is enabled. Only shared references to it exist.
    let poller = unsafe { &(*this).poller };
    // Pairs with the store in `start`.
    let poller = poller.load(Acquire);
    // SAFETY: By the type invariants it points to a live poller while the instance is enabled.
    let poller = unsafe { &*poller };

    // INVARIANT: This is the poll function.
    let poll = Poll {
        // SAFETY: The core does not pass null.
        napi: unsafe { NonNull::new_unchecked(napi) },
        budget,
        _running: PhantomData,
    };
    let limit = usize::try_from(budget).unwrap_or(0);
    let done = poller.poll(&poll, limit).min(limit);

    // GRO may hold packets back for the next poll, and they point to their device without a
    // reference to it. The device cannot go away during this softirq, but could before the next, since
    // it is not the one that this instance is bound to.
    //
    // SAFETY: `napi` is valid, and this is its poll function.
    unsafe { bindings::bam_dmux_helper_napi_gro_flush(napi) };

    if done < limit {
        // SAFETY: `napi` is valid, and this is its poll function. `done` is below `budget`.
        unsafe { bindings::napi_complete_done(napi, done as c_int) };
    }
    done as c_int
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[path = "../../tests/kunit/napi.rs"]
mod tests;
