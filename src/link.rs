// SPDX-License-Identifier: GPL-2.0

//! The link to the modem: when may the BAM be touched, and who asked for it.
//!
//! This module carries out what [`Handshake`] decides. Two directions meet here:
//!
//! - The *modem* raises its power line when the BAM has power and lowers it before it takes the
//!   power away. [`Link::follow_power`] brings the rings in step with the line and acknowledges.
//! - *Linux* votes for the data path. [`Link::wake`] votes and waits, [`Link::release`] takes the
//!   vote back.
//!
//! All decisions are made on levels read from shared memory at the time of the decision. The
//! interrupts only say "look again", and every wait looks again by itself every
//! [`POLL_MS`]: an edge that got lost costs at most that long.
//!
//! Locks: `wake` (one waker at a time, slept under) → `transition` (one connect or disconnect at
//! a time, slept under) → `state` (short) → the rings' spin locks.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    new_mutex,
    platform,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};

use super::{
    dmux::Dmux,
    health::Fault,
    kabi::{
        completion::Completion,
        smem_state::StateBit,
        smsm::Line, //
    },
    protocol::handshake::{
        AckSeen,
        Handshake,
        Lines,
        OwnBits,
        Transition,
        WakeStep,
        ACK_TIMEOUT_MS,
        POWER_TIMEOUT_MS, //
    },
};

mod report;

/// Power changes followed at a time: a modem that does nothing else must not keep a waker waiting.
const MAX_CHANGES: usize = 2;

/// Longest time that a lost edge goes unnoticed while somebody waits.
const POLL_MS: u32 = 100;

/// How long a modem that did not answer is left alone, in milliseconds, unless one of its lines
/// moves before. Frames that come in that time are dropped at once instead of waiting for seconds
/// each, and who has to wait for a wake-up under way (unbinding does) waits for one, not for many.
const LEAVE_ALONE_MS: i64 = 1000;

/// How long unbinding waits for the modem to take the power away in order.
///
/// A modem does that within milliseconds of the last vote when it is idle; one that is busy with
/// something else keeps it, and then the pipes are taken down under power.
const SHUTDOWN_MS: u32 = 1000;

/// The lines, the bits and the state of the handshake.
#[pin_data]
pub(crate) struct Link {
    /// The modem's power line ("pc") and the line on which it acknowledges votes ("pc-ack").
    pub(crate) power_line: Line,
    pub(crate) ack_line: Line,
    /// Our vote ("pc") and the bit on which we acknowledge transitions ("pc-ack").
    vote_bit: StateBit,
    ack_bit: StateBit,
    #[pin]
    state: Mutex<Handshake>,
    #[pin]
    transition: Mutex<()>,
    #[pin]
    wake: Mutex<()>,
    #[pin]
    progress: Completion,
    /// When the modem last did not answer, if neither of its lines moved since.
    #[pin]
    unanswered: Mutex<Option<Instant<Monotonic>>>,
    /// Between [`Link::start`] and [`Link::shutdown`]. Otherwise nothing connects, and no wait goes on.
    live: Atomic<bool>,
}

impl Link {
    /// Looks up lines and bits and reads where the handshake stands.
    ///
    /// Process context. Nothing is written, and no interrupt is live yet.
    ///
    /// # Errors
    ///
    /// - `EPROBE_DEFER` while the SMSM device is not there yet.
    /// - Other errors when the device tree node lacks one of the lines or bits.
    pub(crate) fn new(pdev: &platform::Device<Bound>) -> Result<impl PinInit<Self, Error>> {
        let dev: &Device = pdev.as_ref();
        let missing = |what| move |e| cannot_get(dev, what, e);
        let power_line =
            Line::get(pdev, c"pc").map_err(missing("interrupt \"pc\" (modem SMSM bit 1)"))?;
        let ack_line = Line::get(pdev, c"pc-ack")
            .map_err(missing("interrupt \"pc-ack\" (modem SMSM bit 11)"))?;
        let vote_bit =
            StateBit::get(dev, c"pc").map_err(missing("state \"pc\" (apps SMSM bit 1)"))?;
        let ack_bit = StateBit::get(dev, c"pc-ack")
            .map_err(missing("state \"pc-ack\" (apps SMSM bit 11)"))?;

        let lines = Lines {
            power: power_line.level()?,
            ack: ack_line.level()?,
        };
        let own = OwnBits {
            vote: vote_bit.read()?,
            ack: ack_bit.read()?,
        };
        let handshake = Handshake::new(lines, own);

        Ok(try_pin_init!(Self {
            power_line,
            ack_line,
            vote_bit,
            ack_bit,
            state <- new_mutex!(handshake),
            transition <- new_mutex!(()),
            wake <- new_mutex!(()),
            progress <- Completion::new(),
            unanswered <- new_mutex!(None),
            live: Atomic::new(false),
        }? Error))
    }

    /// Brings the rings in step with the modem's power line.
    ///
    /// Called for every edge, at start, and by everybody who waits. Sleeps (DMA channels are
    /// allocated). Returns whether the data path is connected now.
    pub(crate) fn follow_power(&self, dmux: &Arc<Dmux>) -> bool {
        let _one_at_a_time = self.transition.lock();

        let mut changes = 0;
        while let Some(transition) = self.next_transition(dmux) {
            if changes == MAX_CHANGES {
                dmux.follow_power_later();
                break;
            }
            changes += 1;
            *self.unanswered.lock() = None;
            let ack = match transition {
                Transition::Connect => {
                    if !self.live.load(Relaxed) {
                        self.state.lock().connect_failed();
                        break;
                    }
                    if let Err(e) = dmux.connect() {
                        self.state.lock().connect_failed();
                        dmux.connect_failed(e);
                        break;
                    }
                    dmux.health.works();
                    self.state.lock().connected()
                }
                Transition::Disconnect => {
                    dmux.disconnect();
                    self.state.lock().disconnected()
                }
            };
            if let Err(e) = self.ack_bit.write(ack) {
                dev_err!(dmux.dev(), "can't acknowledge a power change: {e:?}\n");
            }
        }

        // Frames may go out as soon as the modem is known to have seen the vote; that may be the
        // case here, when the line rose again under a vote that still stands.
        if !self.open_if_up(dmux) && changes > 0 {
            // A command may be due since a wake-up that failed: the modem is there again.
            dmux.tx.announce(dmux);
        }
        self.progress.complete_all();
        self.state.lock().is_connected()
    }

    /// The modem's ack line may have changed.
    pub(crate) fn follow_ack(&self, dmux: &Arc<Dmux>) {
        self.look_at_ack(dmux);
        self.progress.complete_all();
    }

    /// Wakes the modem: votes and waits until frames may be sent, then opens the transmit ring.
    ///
    /// Sleeps, at most [`ACK_TIMEOUT_MS`] twice and [`POWER_TIMEOUT_MS`] once.
    ///
    /// # Errors
    ///
    /// - `ETIMEDOUT` when the modem did not react, at once if it did not a moment ago either
    ///   ([`LEAVE_ALONE_MS`]). The vote is taken back, so that the next call starts anew.
    /// - `ENODEV` when the device is being unbound.
    pub(crate) fn wake(&self, dmux: &Arc<Dmux>) -> Result {
        let _one_at_a_time = self.wake.lock();
        let since = *self.unanswered.lock();
        if since.is_some_and(|s| s.elapsed().as_millis() < LEAVE_ALONE_MS) {
            return Err(ETIMEDOUT);
        }
        dmux.counters.wakes.inc();

        self.wait_until_up(dmux)
            .or_else(|e| self.not_answered(dmux, e))?;
        dmux.health.works();
        Ok(())
    }

    /// Takes the vote back after a wake-up that failed, and leaves the modem alone for a while.
    fn not_answered(&self, dmux: &Arc<Dmux>, error: Error) -> Result {
        // Under `state`, so that no open_if_up() comes between the last look and the end of the vote.
        let mut state = self.state.lock();
        if self.live.load(Relaxed) && state.wake_step() == WakeStep::Up {
            // At the very last moment; whoever saw it has opened the ring.
            dmux.tx.open(dmux);
            return Ok(());
        }
        let missing = report::missing(state.wake_step());
        dmux.tx.close();
        self.write_vote(dmux, &mut state, false);
        drop(state);
        dmux.counters.wakes_failed.inc();
        if error == ETIMEDOUT {
            dmux.health.fault(Fault::WakeTimeout, missing);
        }
        *self.unanswered.lock() = Some(Instant::now());
        Err(error)
    }

    fn wait_until_up(&self, dmux: &Arc<Dmux>) -> Result {
        let mut step = WakeStep::Vote;
        let mut since = Instant::<Monotonic>::now();

        while self.live.load(Relaxed) {
            // Re-armed before the look: a change after the look completes it.
            self.progress.reinit();
            self.look_at_ack(dmux);
            self.follow_power(dmux);

            let now = self.state.lock().wake_step();
            if now == WakeStep::Up && self.open_if_up(dmux) {
                return Ok(());
            }
            if now == WakeStep::Vote {
                self.vote(dmux, true);
            }
            if now != step {
                step = now;
                since = Instant::now();
            }

            let waited = since.elapsed().as_millis();
            let Some(left) = i64::from(step_timeout(step))
                .checked_sub(waited)
                .filter(|l| *l > 0)
            else {
                self.give_up(dmux, step)?;
                continue;
            };
            // CAST: `left` is at most the time-out of a step.
            self.progress.wait_timeout(POLL_MS.min(left as u32));
        }
        Err(ENODEV)
    }

    /// Decides what a step that took too long means.
    ///
    /// An ack that is lost is not worth a failure when the level of the power line says that the
    /// data path is there: it costs its time-out once.
    fn give_up(&self, dmux: &Arc<Dmux>, step: WakeStep) -> Result {
        let mut state = self.state.lock();
        let harmless = step == WakeStep::AwaitPreviousAck
            || (step == WakeStep::AwaitAck && state.is_connected());
        if !harmless {
            drop(state);
            if dmux.may_log() {
                dev_warn!(
                    dmux.dev(),
                    "modem did not answer the wake-up ({step:?}); is its firmware running?\n"
                );
            }
            return Err(ETIMEDOUT);
        }
        state.ack_lost();
        Ok(())
    }

    /// Takes the vote back. The modem acknowledges later and may then lower its power line.
    ///
    /// # Errors
    ///
    /// `EBUSY` when frames are waiting to be sent or on their way.
    pub(crate) fn release(&self, dmux: &Arc<Dmux>) -> Result {
        // Under `state`, so that no open_if_up() comes between.
        let mut state = self.state.lock();
        if !dmux.tx.close_if_idle() {
            return Err(EBUSY);
        }
        self.write_vote(dmux, &mut state, false);
        Ok(())
    }

    /// Begins to follow the modem. Clears what an earlier driver may have left behind: a vote that
    /// nobody holds.
    pub(crate) fn start(&self, dmux: &Arc<Dmux>) {
        self.live.store(true, Relaxed);
        self.vote(dmux, false);
        self.follow_power(dmux);
    }

    /// Leaves the link in order, as far as the modem takes part: vote gone, power line low and
    /// acknowledged. Nothing connects or wakes any more. Sleeps up to [`SHUTDOWN_MS`].
    pub(crate) fn shutdown(&self, dmux: &Arc<Dmux>) {
        // A waker sees this within POLL_MS.
        self.live.store(false, Relaxed);
        let _no_waker = self.wake.lock();
        let since = Instant::<Monotonic>::now();
        dmux.tx.close();
        self.vote(dmux, false);

        loop {
            self.progress.reinit();
            self.look_at_ack(dmux);
            if !self.follow_power(dmux) {
                return;
            }
            let left = i64::from(SHUTDOWN_MS) - since.elapsed().as_millis();
            if left <= 0 {
                return;
            }
            // CAST: `left` is at most SHUTDOWN_MS.
            self.progress.wait_timeout(POLL_MS.min(left as u32));
        }
    }

    /// The handshake's state for people.
    pub(crate) fn show(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        let state = self.state.lock();
        writeln!(f, "link: next={:?} {:?}", state.wake_step(), &*state)
    }

    /// Opens the transmit ring if the modem has seen our vote and the pipes are connected.
    fn open_if_up(&self, dmux: &Arc<Dmux>) -> bool {
        // Under `state`, so that no release() comes between.
        let state = self.state.lock();
        let up = state.wake_step() == WakeStep::Up;
        if up {
            dmux.tx.open(dmux);
        }
        up
    }

    fn next_transition(&self, dmux: &Arc<Dmux>) -> Option<Transition> {
        match self.power_line.level() {
            Ok(level) => self.state.lock().power_level(level),
            Err(e) => {
                dev_err!(dmux.dev(), "can't read the modem's power line: {e:?}\n");
                None
            }
        }
    }

    fn look_at_ack(&self, dmux: &Arc<Dmux>) {
        match self.ack_line.level() {
            Ok(level) => {
                if self.state.lock().ack_level(level) != AckSeen::Nothing {
                    *self.unanswered.lock() = None;
                }
            }
            Err(e) => dev_err!(dmux.dev(), "can't read the modem's ack line: {e:?}\n"),
        }
    }

    fn vote(&self, dmux: &Arc<Dmux>, on: bool) {
        self.write_vote(dmux, &mut self.state.lock(), on);
    }

    /// Writes the vote bit if it has to change. Under the lock of `state`, so that the ack level
    /// that the vote is measured against is the one before the write.
    fn write_vote(&self, dmux: &Arc<Dmux>, state: &mut Handshake, on: bool) {
        let result = self
            .ack_line
            .level()
            .and_then(|ack| match state.vote(on, ack) {
                Some(value) => self.vote_bit.write(value),
                None => Ok(()),
            });
        if let Err(e) = result {
            dev_err!(
                dmux.dev(),
                "can't change the vote for the data path: {e:?}\n"
            );
        }
    }
}

/// Says what the device tree node lacks, unless it is only late. Passes the error on.
fn cannot_get(dev: &Device, what: &str, error: Error) -> Error {
    if error != EPROBE_DEFER {
        dev_err!(
            dev,
            "can't get {what} ({error:?}); check the qcom,bam-dmux node of the device tree\n"
        );
    }
    error
}

/// How long the modem may take for a step, in milliseconds.
fn step_timeout(step: WakeStep) -> u32 {
    match step {
        WakeStep::AwaitPower => POWER_TIMEOUT_MS,
        _ => ACK_TIMEOUT_MS,
    }
}
