// SPDX-License-Identifier: GPL-2.0

//! The link to the modem: when may the BAM be touched, and who asked for it.
//!
//! This module carries out what [`Handshake`] decides. Four things meet here:
//!
//! - The *modem* raises its power line when the BAM has power and lowers it before it takes the
//!   power away. [`Link::follow_power`] brings the rings in step with the line and acknowledges
//!   (`link/transition.rs`).
//! - *Linux* votes for the data path. [`Link::wake`] votes and waits (`link/wake.rs`),
//!   [`Link::release`] takes the vote back.
//! - The modem *dies*. [`Link::stopped`] hears of it, [`Link::watch`] finds it out, and
//!   [`Link::probe`] asks whether it is back (`link/watch.rs`).
//! - The *system sleeps*. [`Link::fall_asleep`] lets go of the modem, [`Link::wake_up`] looks at
//!   everything afresh (`link/sleep.rs`).
//!
//! All decisions are made on levels read from shared memory at the time of the decision. The
//! interrupts only say "look again", and every wait looks again by itself every
//! [`POLL_MS`]: an edge that got lost costs at most that long.
//!
//! # What is not done to a BAM without power
//!
//! Every access to its registers would stall the bus. The DMA engine's API has no call that takes
//! transfers back or gives a channel up without such an access, and none that forbids the engine to
//! make one by itself. So what is guaranteed is this:
//!
//! - From the moment that the modem is known to be lost the driver makes no call that touches a
//!   register: no doorbell, no request, no terminate, no release. Both pipes are put aside as they
//!   are, with their channels and mapped buffers.
//! - They are taken down when the power line says that the BAM has power again, before the pipes are
//!   connected anew; then the registers are those of a BAM that has just been reset.
//! - When the driver is unbound before that: with a power line that is low, or firmware that is
//!   stopped, they stay as they are, and the module cannot be unloaded. A driver that is bound to the
//!   device again takes them over, and takes them down as above. With a power line that is high they
//!   *are* taken down, also if the modem is silent: a line that stands high is the only evidence there
//!   is, and firmware that hangs leaves the BAM powered.
//!
//! What cannot be guaranteed: between the death of a modem and the moment at which Linux hears of it
//! or finds out, the driver rings doorbells; and the DMA engine's own interrupt handler reads
//! registers whenever its interrupt comes.
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
    kabi::{
        completion::Completion,
        smem_state::StateBit,
        smsm::Line, //
    },
    protocol::{
        handshake::{
            Handshake,
            Lines,
            OwnBits,
            WakeStep, //
        },
        stall::Stall, //
    },
};

mod leave;
mod lines;
mod report;
mod sleep;
mod transition;
mod wake;
mod watch;

/// Longest time that a lost edge goes unnoticed while somebody waits.
const POLL_MS: u32 = 100;

/// How long unbinding waits for the modem to take the power away in order.
///
/// A modem does that within milliseconds of the last vote when it is idle; one that is busy with
/// something else keeps it, and then the pipes are taken down under power.
const SHUTDOWN_MS: u32 = 1000;

/// The lines, the bits and the state of the handshake.
#[pin_data]
pub(crate) struct Link {
    /// The modem's power line ("pc").
    pub(crate) power_line: Line,
    /// The line on which the modem acknowledges votes ("pc-ack").
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
    /// Frames that do not get done, and frames that do not come.
    #[pin]
    stall: Mutex<Stall>,
    #[pin]
    silence: Mutex<Stall>,
    /// The modem is lost: its power did not come back since, or it is not known yet which channels it
    /// has open.
    lost: Atomic<bool>,
    /// The modem left a vote without an answer, or a vote that it seemed to have seen: it may have
    /// restarted when its power comes.
    suspicious: Atomic<bool>,
    /// The modem did not answer, and is to be asked once more.
    ask_again: Atomic<bool>,
    /// How long until the modem is asked again whether it is there, in milliseconds.
    probe_ms: Atomic<u32>,
    /// Where the clock of [`Link::now`] starts.
    epoch: Instant<Monotonic>,
    /// Between [`Link::start`] and [`Link::shutdown`]. Otherwise nothing connects, and no wait goes on.
    live: Atomic<bool>,
    /// The system is about to sleep: nobody votes, and no frame moves. Set under `state`; cleared when
    /// nobody votes anyway.
    resting: Atomic<bool>,
    /// The system sleeps, or will at any moment: the power line is not followed. Set under `transition`;
    /// cleared before the line is looked at again.
    asleep: Atomic<bool>,
    /// The system is kept awake, since the modem has raised the power line for itself.
    awake: Atomic<bool>,
    /// The driver goes, and the BAM is to be powered once more for pipes that were put aside.
    leaving: Atomic<bool>,
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
            stall <- new_mutex!(Stall::new()),
            silence <- new_mutex!(Stall::new()),
            lost: Atomic::new(false),
            suspicious: Atomic::new(false),
            ask_again: Atomic::new(false),
            probe_ms: Atomic::new(0),
            epoch: Instant::now(),
            live: Atomic::new(false),
            resting: Atomic::new(false),
            asleep: Atomic::new(false),
            awake: Atomic::new(false),
            leaving: Atomic::new(false),
        }? Error))
    }

    /// The modem's ack line may have changed.
    pub(crate) fn follow_ack(&self, dmux: &Arc<Dmux>) {
        self.look_at_ack(dmux);
        self.progress.complete_all();
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

    /// Whether both pipes are connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.state.lock().is_connected()
    }

    /// Whether the driver lives: has been started, and is not being unbound.
    pub(crate) fn is_live(&self) -> bool {
        self.live.load(Relaxed)
    }

    /// The driver is bound and finds the firmware running, or `stopped`: then its lines stand as they
    /// stood, whatever they say, and BAM may be dark. Before [`Link::start`].
    pub(crate) fn found_firmware(&self, stopped: bool) {
        if stopped {
            self.state.lock().stopped();
        }
    }

    /// Begins to follow the modem. Clears what an earlier driver may have left behind: a vote that
    /// nobody holds.
    pub(crate) fn start(&self, dmux: &Arc<Dmux>) {
        self.live.store(true, Relaxed);
        self.vote(dmux, false);
        self.follow_power(dmux);
    }

    /// Whether registers of the BAM may be touched in the end, when the driver goes: its power line
    /// is high and its firmware is not known to be stopped.
    pub(crate) fn may_touch(&self) -> bool {
        !self.state.lock().is_stopped() && self.power_line.level().unwrap_or(false)
    }

    /// Opens the transmit ring if the modem has seen our vote and the pipes are connected.
    fn open_if_up(&self, dmux: &Arc<Dmux>) -> bool {
        // Under `state`, so that no release() and no rest() comes between.
        let state = self.state.lock();
        let up = state.wake_step() == WakeStep::Up && !self.is_resting();
        if up {
            dmux.tx.open(dmux);
        }
        up
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
