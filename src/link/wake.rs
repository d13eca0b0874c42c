// SPDX-License-Identifier: GPL-2.0

//! Waking the modem: votes, and waits with a bound for each step.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
    time::Instant, //
};

use super::{
    super::{
        dmux::Dmux,
        health::Fault,
        protocol::handshake::{
            Attempt,
            Patience,
            WakeStep, //
        }, //
    },
    report,
    Link,
    POLL_MS, //
};

/// How long a modem that did not answer is left alone, in milliseconds, unless one of its lines
/// moves before. Frames that come in that time are dropped at once instead of waiting for seconds
/// each, and who has to wait for a wake-up under way (unbinding does) waits for one, not for many.
const LEAVE_ALONE_MS: i64 = 1000;

/// How long a vote may go without an ack until it is suspected that nobody is there, in milliseconds.
/// Healthy modems take a few.
const SLOW_MS: u64 = 250;

/// For how long a modem that did not answer counts as silent, in milliseconds. It is not asked again
/// without a reason, and may be well by then.
const SILENT_MS: i64 = 10_000;

impl Link {
    /// Wakes the modem: votes and waits until frames may be sent, then opens the transmit ring.
    ///
    /// Sleeps, at most [`Attempt::MAX_MS`]. Never called with
    /// RTNL held.
    ///
    /// # Errors
    ///
    /// - `ETIMEDOUT` when the modem did not react, at once if it did not a moment ago either
    ///   ([`LEAVE_ALONE_MS`]). The vote is taken back, so that the next call starts anew.
    /// - `ENODEV` when the firmware is stopped, or the device is being unbound.
    /// - `EAGAIN` when the system is about to sleep: not now.
    pub(crate) fn wake(&self, dmux: &Arc<Dmux>) -> Result {
        let _one_at_a_time = self.wake.lock();
        if self.is_resting() {
            return Err(EAGAIN);
        }
        if self.live.load(Relaxed) && self.open_if_up(dmux) {
            return Ok(());
        }
        let since = *self.unanswered.lock();
        if since.is_some_and(|s| s.elapsed().as_millis() < LEAVE_ALONE_MS) {
            return Err(ETIMEDOUT);
        }
        dmux.counters.wakes.inc();

        let result = self.wait_until_up(dmux);
        if result.is_err() && self.is_resting() {
            // The vote is about to be taken back.
            return Err(EAGAIN);
        }
        result.or_else(|e| self.not_answered(dmux, e))?;
        dmux.health.works();
        Ok(())
    }

    /// Whether the modem did not answer when it was last to be woken, not long ago, and has not moved a
    /// line since.
    pub(crate) fn is_unresponsive(&self) -> bool {
        let since = *self.unanswered.lock();
        since.is_some_and(|s| s.elapsed().as_millis() < SILENT_MS)
    }

    /// Takes the vote back after a wake-up that failed, and leaves the modem alone for a while.
    fn not_answered(&self, dmux: &Arc<Dmux>, error: Error) -> Result {
        // Under `state`, so that no open_if_up() comes between the last look and the end of the vote.
        let mut state = self.state.lock();
        if self.goes_on() && state.wake_step() == WakeStep::Up {
            // At the very last moment; whoever saw it has opened the ring.
            dmux.tx.open(dmux);
            return Ok(());
        }
        let missing = report::missing(state.wake_step());
        // Before the vote is taken back: the ack of that is an answer.
        *self.unanswered.lock() = Some(Instant::now());
        dmux.tx.close();
        self.write_vote(dmux, &mut state, false);
        drop(state);
        dmux.counters.wakes_failed.inc();
        if error == ETIMEDOUT {
            dmux.health.fault(Fault::WakeTimeout, missing);
        }
        self.suspicious.store(true, Relaxed);
        Err(error)
    }

    fn wait_until_up(&self, dmux: &Arc<Dmux>) -> Result {
        let mut attempt = Attempt::new(self.now());

        while self.goes_on() {
            // Re-armed before the look: a change after the look completes it.
            self.progress.reinit();
            self.follow_power(dmux);

            let step = self.state.lock().wake_step();
            match step {
                WakeStep::Up if self.open_if_up(dmux) => return Ok(()),
                WakeStep::Vote => self.vote(dmux, true),
                WakeStep::Gone => return Err(ENODEV),
                _ => (),
            }
            let now = self.now();
            match attempt.look(now, step) {
                Patience::Wait(ms) => {
                    if step == WakeStep::AwaitAck && attempt.waited_ms(now) > SLOW_MS {
                        self.suspicious.store(true, Relaxed);
                    }
                    self.progress.wait_timeout(POLL_MS.min(ms));
                }
                Patience::AckLost => self.state.lock().ack_lost(),
                Patience::Over => return Err(no_answer(dmux, step)),
            }
        }
        Err(ENODEV)
    }
}

/// Says what is missing for a wake-up. Returns the error that this is.
fn no_answer(dmux: &Dmux, step: WakeStep) -> Error {
    if dmux.may_log() {
        dev_warn!(
            dmux.dev(),
            "modem did not answer the wake-up ({step:?}); is its firmware running?\n"
        );
    }
    ETIMEDOUT
}
