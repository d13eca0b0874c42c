// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of `src/kabi/napi.rs`.

use kernel::prelude::*;

#[kunit_tests(bam_dmux_napi)]
mod cases {
    use kernel::{
        sync::atomic::Full,
        time::{
            delay::fsleep,
            Delta, //
        }, //
    };

    use super::super::*;

    #[pin_data]
    struct Ring {
        #[pin]
        napi: Napi<Worker>,
        /// Packets that wait.
        waiting: Atomic<i32>,
        /// Calls of the poller.
        polls: Atomic<i32>,
        /// Set if a poll was not in a softirq.
        wrong_context: Atomic<bool>,
        /// Set when the poller is dropped.
        dropped: Atomic<bool>,
        /// What the first poll adds to `waiting` behind its own back, before it ends.
        late: Atomic<i32>,
    }

    struct Worker(Arc<Ring>);

    impl Poller for Worker {
        fn poll(&self, poll: &Poll<'_>, budget: usize) -> usize {
            let ring = &self.0;
            // SAFETY: FFI call without requirements.
            if !unsafe { bindings::bam_dmux_kunit_in_softirq() } || poll.budget() <= 0 {
                ring.wrong_context.store(true, Relaxed);
            }
            ring.polls.fetch_add(1, Full);
            let mut done = 0;
            while done < budget && ring.waiting.load(Relaxed) > 0 {
                ring.waiting.fetch_sub(1, Full);
                done += 1;
            }
            let late = ring.late.xchg(0, Full);
            if late > 0 {
                ring.waiting.store(late, Relaxed);
                ring.napi.schedule();
            }
            done
        }
    }

    impl Drop for Worker {
        fn drop(&mut self) {
            self.0.dropped.store(true, Relaxed);
        }
    }

    fn ring(waiting: i32, late: i32) -> Result<Arc<Ring>> {
        Arc::pin_init(
            try_pin_init!(Ring {
                napi <- Napi::new(),
                waiting: Atomic::new(waiting),
                polls: Atomic::new(0),
                wrong_context: Atomic::new(false),
                dropped: Atomic::new(false),
                late: Atomic::new(late),
            }),
            GFP_KERNEL,
        )
    }

    fn start(ring: &Arc<Ring>) -> Result {
        ring.napi.start(Arc::new(Worker(ring.clone()), GFP_KERNEL)?);
        Ok(())
    }

    /// Waits at most a second for `done`.
    fn wait_until(done: impl Fn() -> bool) -> bool {
        for _ in 0..1000 {
            if done() {
                return true;
            }
            fsleep(Delta::from_millis(1));
        }
        done()
    }

    /// A poll comes for a schedule from a task, in a softirq, and only then.
    #[test]
    fn schedule_leads_to_one_poll() -> Result {
        let ring = ring(3, 0)?;

        start(&ring)?;
        assert!(ring.polls.load(Relaxed) == 0);
        ring.napi.schedule();
        assert!(wait_until(|| ring.polls.load(Relaxed) == 1));
        ring.napi.stop();
        assert!(ring.waiting.load(Relaxed) == 0);
        assert!(ring.polls.load(Relaxed) == 1);
        assert!(!ring.wrong_context.load(Relaxed));
        Ok(())
    }

    /// Work beyond one budget is done without another schedule.
    #[test]
    fn used_up_budget_leads_to_another_poll() -> Result {
        let ring = ring(150, 0)?;

        start(&ring)?;
        ring.napi.schedule();
        assert!(wait_until(|| ring.waiting.load(Relaxed) == 0));
        ring.napi.stop();
        assert!(ring.polls.load(Relaxed) == 3);
        Ok(())
    }

    /// A schedule during a poll that is about to end is not lost.
    #[test]
    fn schedule_during_a_poll_is_not_lost() -> Result {
        let ring = ring(1, 5)?;

        start(&ring)?;
        ring.napi.schedule();
        assert!(wait_until(|| ring.polls.load(Relaxed) == 2));
        ring.napi.stop();
        assert!(ring.waiting.load(Relaxed) == 0);
        Ok(())
    }

    /// Outside of start and stop, a schedule does nothing.
    #[test]
    fn no_poll_before_start_and_after_stop() -> Result {
        let ring = ring(1, 0)?;

        ring.napi.schedule();
        fsleep(Delta::from_millis(20));
        assert!(ring.polls.load(Relaxed) == 0);

        start(&ring)?;
        ring.napi.stop();
        let polls = ring.polls.load(Relaxed);
        ring.napi.schedule();
        fsleep(Delta::from_millis(20));
        assert!(ring.polls.load(Relaxed) == polls);
        Ok(())
    }

    /// Stopping lets go of the poller, may be repeated, and a new start works.
    #[test]
    fn stop_drops_the_poller() -> Result {
        let ring = ring(1, 0)?;

        ring.napi.stop();
        start(&ring)?;
        assert!(!ring.dropped.load(Relaxed));
        ring.napi.stop();
        assert!(ring.dropped.load(Relaxed));
        ring.napi.stop();

        start(&ring)?;
        ring.napi.schedule();
        assert!(wait_until(|| ring.polls.load(Relaxed) == 1));
        ring.napi.stop();
        Ok(())
    }
}
