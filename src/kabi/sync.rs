// SPDX-License-Identifier: GPL-2.0

//! Locks and waiting that the `kernel` crate lacks.
//!
//! C headers: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h),
//! [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)
//!
//! # Examples
//!
//! ```ignore
//! #[pin_data]
//! struct Ring {
//!     #[pin]
//!     slots: SpinLockBh<Slots>,
//! }
//!
//! let ring = KBox::pin_init(
//!     pin_init!(Ring { slots <- new_spinlock_bh!(Slots::new(), "Ring::slots") }),
//!     GFP_KERNEL,
//! )?;
//! ring.slots.lock().push(slot);
//! ```

use kernel::{
    prelude::*,
    sync::lock::{
        Backend,
        Lock, //
    }, //
};

use super::bindings;

/// Creates a [`SpinLockBh`] initialiser with its own lock class, named as given or by source line.
macro_rules! new_spinlock_bh {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::kabi::sync::SpinLockBh::new(
            $inner,
            ::kernel::optional_name!($($name)?),
            ::kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_spinlock_bh;

/// A spin lock that keeps softirqs off the CPU while it is held.
///
/// For data shared between tasks and softirqs (NAPI, tasklets, timers, `ndo_start_xmit`). A plain
/// [`SpinLock`](kernel::sync::SpinLock) taken in a task could be interrupted by a softirq on the
/// same CPU that waits for it forever.
///
/// May be locked in tasks and in softirqs, not in hard interrupts nor with interrupts disabled. The
/// holder must not sleep.
pub type SpinLockBh<T> = Lock<T, SpinLockBhBackend>;

/// The `spin_lock_bh()` backend of [`Lock`].
pub struct SpinLockBhBackend;

// SAFETY: `spinlock_t` gives mutual exclusion. `relock` is the default, which calls `lock`.
unsafe impl Backend for SpinLockBhBackend {
    type State = bindings::spinlock_t;
    type GuardState = ();

    #[inline]
    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key) {
        // SAFETY: By this function's requirements `ptr` is valid for writes, `name` and `key` live
        // forever.
        unsafe { bindings::__spin_lock_init(ptr, name, key) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: By this function's requirements `ptr` points to an initialised lock.
        unsafe { bindings::bam_dmux_helper_spin_lock_bh(ptr) }
    }

    #[inline]
    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &Self::GuardState) {
        // SAFETY: By this function's requirements the caller owns the lock, and took it with
        // `lock` or `try_lock` above.
        unsafe { bindings::bam_dmux_helper_spin_unlock_bh(ptr) }
    }

    #[inline]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: By this function's requirements `ptr` points to an initialised lock.
        let taken = unsafe { bindings::bam_dmux_helper_spin_trylock_bh(ptr) };

        (taken != 0).then_some(())
    }

    #[inline]
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: By this function's requirements `ptr` points to an initialised lock.
        unsafe { bindings::spin_assert_is_held(ptr) }
    }
}

/// Read-copy update.
pub mod rcu {
    use super::bindings;

    /// Waits until every RCU reader that runs now has ended. Softirqs count as readers.
    ///
    /// Takes tens of microseconds, where `synchronize_rcu()` takes tens of milliseconds, at the
    /// price of interrupting all CPUs: for rare events such as taking a device down.
    ///
    /// Context: task; sleeps.
    pub fn synchronize_expedited() {
        // SAFETY: FFI call without requirements on memory.
        unsafe { bindings::synchronize_rcu_expedited() }
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kunit_tests(bam_dmux_sync)]
mod tests {
    use super::*;

    #[pin_data]
    struct Counter {
        #[pin]
        value: SpinLockBh<u32>,
    }

    fn counter() -> Result<Pin<KBox<Counter>>> {
        KBox::pin_init(
            pin_init!(Counter { value <- new_spinlock_bh!(7, "Counter::value") }),
            GFP_KERNEL,
        )
    }

    /// Softirqs are off exactly as long as the guard lives.
    #[test]
    fn lock_excludes_softirqs() -> Result {
        let counter = counter()?;
        // SAFETY: FFI call without requirements.
        let softirqs_off = || unsafe { bindings::bam_dmux_kunit_in_softirq() };

        assert!(!softirqs_off());
        let mut guard = counter.value.lock();
        assert!(softirqs_off());
        *guard += 1;
        drop(guard);
        assert!(!softirqs_off());
        assert!(*counter.value.lock() == 8);
        Ok(())
    }

    /// A lock that is held cannot be taken again, one that is free can.
    #[test]
    fn try_lock_tells_whether_it_is_held() -> Result {
        let counter = counter()?;

        let guard = counter.value.try_lock();
        assert!(guard.is_some());
        assert!(counter.value.try_lock().is_none());
        drop(guard);
        assert!(counter.value.try_lock().is_some());
        Ok(())
    }
}
