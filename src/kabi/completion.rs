// SPDX-License-Identifier: GPL-2.0

//! Completions with a bounded wait.
//!
//! `kernel::sync::Completion` waits without a limit and cannot be used twice. A driver whose peer
//! is another processor needs both: the peer may never answer, and there is one answer for each
//! question.
//!
//! C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)

use super::bindings;

use kernel::{
    prelude::*,
    time::msecs_to_jiffies,
    types::Opaque, //
};

/// An event that tasks can wait for, with an upper limit of the time.
///
/// Starts in the state "not done". [`complete_all()`](Self::complete_all) ends all present and
/// future waits until [`reinit()`](Self::reinit) goes back to "not done".
///
/// # Invariants
///
/// `inner` is an initialized `struct completion`.
#[pin_data]
pub struct Completion {
    #[pin]
    inner: Opaque<bindings::completion>,
}

// SAFETY: A `struct completion` is not tied to the task that initialized it.
unsafe impl Send for Completion {}

// SAFETY: The C functions called on it take the lock inside of `struct completion`, or, as
// `reinit_completion()`, make one plain store that the C API allows next to them.
unsafe impl Sync for Completion {}

impl Completion {
    /// Creates a completion that is not done.
    pub fn new() -> impl PinInit<Self> {
        // INVARIANT: `init_completion()` initializes `inner`.
        pin_init!(Self {
            inner <- Opaque::ffi_init(|slot: *mut bindings::completion| {
                // SAFETY: `slot` is valid for writes.
                unsafe { bindings::init_completion(slot) };
            }),
        })
    }

    /// Marks the event as done and wakes all waiters.
    ///
    /// Any context, also with spinlocks held and interrupts off.
    pub fn complete_all(&self) {
        // SAFETY: By the type invariant, the completion is initialized.
        unsafe { bindings::complete_all(self.inner.get()) };
    }

    /// Goes back to "not done".
    ///
    /// Any context. Who resets and who completes must agree on the order (a lock or a state next to
    /// the completion): a reset that comes after the event of the *next* round takes that event away.
    pub fn reinit(&self) {
        // SAFETY: By the type invariant, the completion is initialized.
        unsafe { bindings::bam_dmux_helper_reinit_completion(self.inner.get()) };
    }

    /// Waits until the event is done, at most `ms` milliseconds (rounded up to ticks).
    ///
    /// Returns `true` if it is done, `false` if the time ran out. A signal does not end the wait.
    ///
    /// Process context, sleeps.
    pub fn wait_timeout(&self, ms: u32) -> bool {
        // SAFETY: By the type invariant, the completion is initialized.
        let left = unsafe {
            bindings::wait_for_completion_timeout(self.inner.get(), msecs_to_jiffies(ms))
        };
        left != 0
    }

    /// Returns whether the event is done. Any context.
    pub fn is_done(&self) -> bool {
        // SAFETY: By the type invariant, the completion is initialized.
        unsafe { bindings::completion_done(self.inner.get()) }
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_completion)]
mod tests {
    use super::*;
    use kernel::{
        sync::Arc,
        time::{
            Instant,
            Monotonic, //
        },
        workqueue, //
    };

    /// Nobody completes: the wait ends by itself, not before its time.
    #[test]
    fn wait_without_event_times_out() -> Result {
        let c = KBox::pin_init(Completion::new(), GFP_KERNEL)?;
        let start = Instant::<Monotonic>::now();
        assert!(!c.wait_timeout(30));
        assert!(start.elapsed().as_millis() >= 20);
        assert!(!c.is_done());
        Ok(())
    }

    /// A done event stays done for every wait, until it is reset.
    #[test]
    fn done_lasts_until_reinit() -> Result {
        let c = KBox::pin_init(Completion::new(), GFP_KERNEL)?;
        c.complete_all();
        assert!(c.is_done());
        assert!(c.wait_timeout(0));
        assert!(c.wait_timeout(1000));
        c.reinit();
        assert!(!c.is_done());
        assert!(!c.wait_timeout(1));
        Ok(())
    }

    /// An event of another task ends a wait long before its limit.
    #[test]
    fn event_of_another_task_ends_the_wait() -> Result {
        let c = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let other = c.clone();
        let start = Instant::<Monotonic>::now();
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || other.complete_all())?;
        assert!(c.wait_timeout(60_000));
        assert!(start.elapsed().as_millis() < 30_000);
        Ok(())
    }
}
