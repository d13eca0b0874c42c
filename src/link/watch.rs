// SPDX-License-Identifier: GPL-2.0

//! A modem that dies: how Linux hears of it or finds it out, what is done at once, and how it is
//! found out that the modem is back.
//!
//! A modem that is back says so by its power line and by its first frames, OPEN for each channel. One
//! that was not dead at all, but only silent, may say nothing: it is asked from time to time.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};

use super::{
    super::{
        dmux::Dmux,
        health::Fault,
        kabi::runtime_pm::Status,
        protocol::{
            handshake::{
                Loss,
                WakeStep,
                ACK_TIMEOUT_MS,
                POWER_TIMEOUT_MS, //
            },
            stall, //
        }, //
    },
    Link,
    POLL_MS, //
};

/// How long a modem that is lost gets to come back by itself before it is asked for the first time,
/// in milliseconds. Then twice as long each time, up to [`PROBE_MAX_MS`].
const PROBE_MS: u32 = 1000;

/// Longest time between two attempts to reach a modem that is lost, in milliseconds: what a user
/// whose modem comes back without a word has to wait at most.
const PROBE_MAX_MS: u32 = 30_000;

/// After how long a modem that did not answer a wake-up is asked once more, in milliseconds. By then it
/// is not left alone any more.
const AGAIN_MS: u32 = 5000;

/// How long firmware may take to come up before it is asked whether it is there, in milliseconds.
/// Reports from phones have 6.4 s between a crash and the OPENs.
const BOOT_MS: u32 = 5000;

impl Link {
    /// The firmware is stopped, or about to be. From here on BAM is not touched any more.
    ///
    /// Process context; sleeps for transitions that are under way, not for the modem.
    pub(crate) fn stopped(&self, dmux: &Arc<Dmux>) {
        self.state.lock().stopped();
        self.progress.complete_all();
        self.follow_power(dmux);
        // Also if no pipe was connected: a vote that stands is no news for new firmware.
        self.lose(dmux, Loss::Stopped);
        self.vote(dmux, false);
    }

    /// The firmware has stopped. That is news only if it never came up: of such a start nothing but
    /// its end is reported. Returns whether it is.
    ///
    /// Process context; as [`Link::stopped`].
    pub(crate) fn start_failed(&self, dmux: &Arc<Dmux>) -> bool {
        let failed = !self.state.lock().is_stopped();
        if failed {
            self.stopped(dmux);
        }
        failed
    }

    /// The firmware is started.
    pub(crate) fn starting(&self, dmux: &Arc<Dmux>) {
        self.state.lock().starting();
        *self.unanswered.lock() = None;
        self.follow_power(dmux);
    }

    /// The firmware has been started. It says so by itself, once it is up; if not, it is asked.
    pub(crate) fn started(&self, dmux: &Arc<Dmux>) {
        self.probe_ms.store(PROBE_MS, Relaxed);
        dmux.probe_later(BOOT_MS);
    }

    /// Puts the pipes aside. Under `transition`.
    pub(super) fn abandon(&self, dmux: &Arc<Dmux>) {
        let loss = {
            let mut state = self.state.lock();
            let loss = state.loss();
            if state.may_have_restarted() {
                self.suspicious.store(true, Relaxed);
            }
            state.abandoned();
            // Closed under `state`, so that no open_if_up() comes between.
            dmux.tx.close();
            loss
        };
        dmux.abandon();
        if let Some(loss) = loss {
            // One that is stopped is dealt with by `stopped()`.
            if loss != Loss::Stopped {
                self.lose(dmux, loss);
            }
            self.vote(dmux, false);
        }
    }

    fn lose(&self, dmux: &Arc<Dmux>, loss: Loss) {
        self.lost.store(true, Relaxed);
        self.probe_ms.store(PROBE_MS, Relaxed);
        dmux.modem_lost(loss);
        if loss != Loss::Stopped {
            dmux.probe_later(PROBE_MS);
        }
    }

    /// Looks whether the modem does what it owes. To be called while it owes something; returns after
    /// how many milliseconds the next look is due, if any.
    ///
    /// Process context; sleeps, at most [`ACK_TIMEOUT_MS`] and [`POWER_TIMEOUT_MS`].
    pub(crate) fn watch(&self, dmux: &Arc<Dmux>) -> Option<u32> {
        if !self.live.load(Relaxed) {
            return None;
        }
        self.expect_ack(dmux);
        let (busy, stalled) = self.look_for_stall(dmux);
        if stalled {
            self.begin_anew(dmux);
        }
        let mute = self.is_mute(dmux);
        if self
            .silence
            .lock()
            .look(self.now(), mute, dmux.rx.received())
        {
            self.silent(dmux);
        }
        (busy || mute || self.state.lock().awaits_ack()).then_some(stall::LOOK_MS)
    }

    /// Milliseconds of a clock that does not go back.
    pub(super) fn now(&self) -> u64 {
        // CAST: The clock does not go back.
        self.epoch.elapsed().as_millis() as u64
    }

    /// Whether frames are in the modem's hands, and whether they have been there for too long: that is
    /// said, and counted. Process context.
    pub(crate) fn look_for_stall(&self, dmux: &Arc<Dmux>) -> (bool, bool) {
        let (busy, done) = dmux.tx.progress();
        let stalled = self.stall.lock().look(self.now(), busy, done);
        if stalled {
            self.stalled(dmux);
        }
        (busy, stalled)
    }

    /// Waits for the ack of an un-vote, and gives it up in the end.
    fn expect_ack(&self, dmux: &Arc<Dmux>) {
        let Some(_no_waker) = self.wake.try_lock() else {
            // A waker waits for it too.
            return;
        };
        if self.await_unvote(dmux) || !self.goes_on() {
            // Who stops the link waits for the ack himself.
            return;
        }
        self.state.lock().ack_lost();
        self.follow_power(dmux);
    }

    /// Returns whether no ack of an un-vote is outstanding (any more). Sleeps up to
    /// [`ACK_TIMEOUT_MS`]. Under `wake`.
    fn await_unvote(&self, dmux: &Arc<Dmux>) -> bool {
        self.wait(dmux, ACK_TIMEOUT_MS, Self::is_unvote_settled)
    }

    /// Whether nothing is to be waited for after an un-vote.
    pub(super) fn is_unvote_settled(&self) -> bool {
        let state = self.state.lock();
        // Also if the power rose again: the modem has begun anew without it.
        !state.awaits_ack() || matches!(state.wake_step(), WakeStep::Vote | WakeStep::Gone)
    }

    /// Waits until something is so, at most `ms`; follows the lines meanwhile.
    fn wait(&self, dmux: &Arc<Dmux>, ms: u32, is_so: impl Fn(&Self) -> bool) -> bool {
        self.wait_while(dmux, ms, Self::goes_on, is_so)
    }

    /// Whether who waits for the modem may go on doing so: neither driver nor system is to stop.
    pub(super) fn goes_on(&self) -> bool {
        self.live.load(Relaxed) && !self.is_resting()
    }

    /// As [`Link::wait`], as long as it `goes_on`.
    pub(super) fn wait_while(
        &self,
        dmux: &Arc<Dmux>,
        ms: u32,
        goes_on: impl Fn(&Self) -> bool,
        is_so: impl Fn(&Self) -> bool,
    ) -> bool {
        let since = Instant::<Monotonic>::now();
        loop {
            self.progress.reinit();
            self.follow_power(dmux);
            if is_so(self) {
                return true;
            }
            let left = i64::from(ms) - since.elapsed().as_millis();
            if left <= 0 || !goes_on(self) {
                return false;
            }
            // CAST: `left` is at most `ms`.
            self.progress.wait_timeout(POLL_MS.min(left as u32));
        }
    }

    /// Whether the modem has power and no channel open: then it has something to say.
    fn is_mute(&self, dmux: &Arc<Dmux>) -> bool {
        let powered = {
            let state = self.state.lock();
            state.is_connected() && state.is_powered()
        };
        powered && dmux.ports.none_open()
    }

    /// Has a modem that has power, and no channel open, watched: if its power was gone for a moment and
    /// nobody saw it, the BAM has forgotten both pipes, and its OPENs never come. (With a channel open
    /// that is found out by frames that do not get done.) Process
    /// context.
    pub(crate) fn listen(&self, dmux: &Arc<Dmux>) {
        if self.is_mute(dmux) {
            dmux.watch_later();
        }
    }

    /// The modem keeps the power, has no channel open, and nothing comes.
    fn silent(&self, dmux: &Arc<Dmux>) {
        // Counted and not logged: firmware that is just idle under power may do this for hours.
        dmux.counters.rx_silences.inc();
        self.begin_anew(dmux);
    }

    /// Frames do not get done. The modem is to be asked for a sign of life.
    fn stalled(&self, dmux: &Arc<Dmux>) {
        dmux.counters.tx_stalls.inc();
        dmux.health.fault(Fault::TxStall, c"no frame was taken");
        if dmux.may_log() {
            dev_warn!(
                dmux.dev(),
                "modem took no frame for {} s, asking it for a sign of life\n",
                stall::STALL_MS / 1000
            );
        }
    }

    /// Finds out whether the modem lives, and begins anew with it if it does.
    fn begin_anew(&self, dmux: &Arc<Dmux>) {
        let _no_waker = self.wake.lock();
        {
            // Under `state`, so that no open_if_up() comes between.
            let mut state = self.state.lock();
            dmux.tx.close();
            self.write_vote(dmux, &mut state, false);
        }
        if !self.await_unvote(dmux) {
            if !self.goes_on() {
                // Who stops the link waits for the ack himself.
                return;
            }
            self.state.lock().ack_lost();
            self.follow_power(dmux);
            return;
        }
        // It lives, and lets go when it has nothing to send itself: then all is connected anew.
        let received = dmux.rx.received();
        let fell = self.wait(dmux, POWER_TIMEOUT_MS, |this| {
            !this.state.lock().is_connected()
        });
        if !fell {
            // If it has something to send, and none of that comes, then the BAM has forgotten both
            // pipes: the power was gone, and nobody saw it.
            self.renew(dmux, dmux.rx.received() == received);
        }
        // What is waiting has the modem woken again, and so does who wants it awake.
        dmux.tx.announce(dmux);
        if dmux.pm.status() == Status::Active {
            dmux.wake_modem();
        }
    }

    /// Connects the transmit pipe anew under power, and the other one, too, if `both`: the modem does
    /// not use that. Only when both are given up does the DMA engine set up the BAM as such.
    fn renew(&self, dmux: &Arc<Dmux>, both: bool) {
        let _one_at_a_time = self.transition.lock();
        let state = self.state.lock();
        let connected = state.is_connected() && state.is_powered();
        drop(state);
        if !connected {
            return;
        }
        let result = if both {
            dmux.disconnect();
            dmux.connect()
        } else {
            dmux.tx.disconnect(dmux);
            dmux.tx.connect(dmux)
        };
        if let Err(e) = result {
            // As if the modem had powered up just now.
            dmux.disconnect();
            let ack = self.state.lock().disconnected();
            self.acknowledge(dmux, ack);
            dmux.connect_failed(e);
        }
    }

    /// The modem that was lost has had its time to say which channels are open. If it has not had power
    /// all the time it is asked again. Process context.
    pub(crate) fn found(&self, dmux: &Arc<Dmux>) {
        // It must not be lost once more, nor come back once more, in the middle of this.
        let _one_at_a_time = self.transition.lock();
        let found = self.is_connected();
        if found {
            self.lost.store(false, Relaxed);
        } else {
            dmux.probe_later(PROBE_MS);
        }
        dmux.grace_over(found);
    }

    /// The system is awake again: takes up what was to be found out before.
    pub(crate) fn go_on(&self, dmux: &Arc<Dmux>) {
        let lost = self.lost.load(Relaxed);
        if lost {
            dmux.grace_again(self.is_connected());
        }
        if lost && !self.is_connected() || self.ask_again.load(Relaxed) {
            dmux.probe_later(PROBE_MS);
        }
    }

    /// Has a modem that did not answer a wake-up asked once more, though nothing is to be sent. One that
    /// is lost is asked anyway. Any context.
    pub(crate) fn ask_again(&self, dmux: &Arc<Dmux>) {
        if !self.lost.load(Relaxed) {
            self.ask_again.store(true, Relaxed);
            dmux.probe_later(AGAIN_MS);
        }
    }

    /// Asks a modem that is lost, or did not answer, whether it is there. Arranges for the next time if
    /// it is lost and does not answer either.
    ///
    /// Process context, sleeps as [`Link::wake`] does.
    pub(crate) fn probe(&self, dmux: &Arc<Dmux>) {
        let lost = self.lost.load(Relaxed);
        let again = self.ask_again.xchg(false, Relaxed);
        if !(lost || again) || !self.live.load(Relaxed) {
            return;
        }
        // Taken for as long as it takes; the vote is taken back when nobody uses the link.
        let result = dmux.pm.get().and_then(|_usage| self.wake(dmux));
        if lost && result.is_err() && !self.state.lock().is_stopped() {
            let ms = self
                .probe_ms
                .load(Relaxed)
                .saturating_mul(2)
                .min(PROBE_MAX_MS);
            self.probe_ms.store(ms, Relaxed);
            dmux.probe_later(ms);
        }
    }
}
