// SPDX-License-Identifier: GPL-2.0
//! Hostile sequences on the lines of the power handshake, as plain data.
//!
//! A [`Sequence`] is a handful of steps, each a deed at a moment, and the way
//! in which the modem becomes normal again. Number *n* of a seed is always the
//! same sequence. In JSON, which is what the corpus is written in, a step reads
//! `{"when": {"after_us": 300}, "what": {"drop": {"told": false}}}`.

mod draw;

use serde::{
    Deserialize,
    Serialize, //
};

/// Longest wait that a step may ask for, in microseconds.
pub const LONGEST_WAIT_US: u32 = 10_000_000;
/// Most steps of a sequence.
pub const MOST_STEPS: usize = 64;
/// Most interrupts of a storm.
pub const MOST_INTERRUPTS: u32 = 5000;

/// What may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Linux votes; the modem has not looked yet.
    Vote,
    /// Linux takes its vote back; the modem has not looked yet.
    Unvote,
    /// Linux acks a change of the power line; the modem has not looked yet.
    Ack,
    /// A frame of Linux was taken.
    Frame,
    /// The modem waits for the ack of its power line's rise.
    Rising,
    /// The power line is high and acked.
    On,
    /// The modem waits for the ack of its power line's fall.
    Falling,
    /// There is no power.
    Off,
}

/// When a step is taken, counted from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// After this time.
    AfterUs(u32),
    /// When it comes to this, and if it does not, after that time.
    At(Moment, u32),
}

/// A line of the modem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The power line.
    Pc,
    /// The ack line.
    Ack,
}

/// What happens to a line behind the handshake's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// It changes, and Linux is told.
    Toggle,
    /// It changes twice, and Linux is told twice.
    Double,
    /// It changes, and Linux is not told.
    Silent,
}

/// How votes are acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acks {
    /// At once.
    Normal,
    /// Not at all, and without power.
    Withhold,
    /// Not at all, though the power follows the vote.
    WithholdPowered,
    /// After so many microseconds.
    DelayUs(u32),
    /// Twice, so that the line is as before.
    Twice,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Moves a line behind the handshake's back.
    Move(Signal, Edge),
    /// The BAM loses its power and the line falls, behind the handshake's
    /// back; a blink if [`Deed::Raise`] follows.
    Drop {
        /// Whether Linux gets an interrupt.
        told: bool,
    },
    /// The BAM gets power and the line rises, behind the handshake's back.
    Raise {
        /// Whether Linux gets an interrupt.
        told: bool,
    },
    /// The BAM loses its power while the line stays.
    Dark,
    /// The modem powers down in spite of a vote.
    PowerOff {
        /// Without waiting for Linux' ack.
        at_once: bool,
    },
    /// The modem powers up by its own wish.
    PowerOn {
        /// Without waiting for Linux' ack before it sends frames.
        at_once: bool,
    },
    /// How votes are acked from now on.
    Acks(Acks),
    /// Interrupts without a change.
    Storm {
        /// How many.
        count: u32,
        /// Microseconds between two of them; 0: all at once.
        gap_us: u32,
    },
    /// Bits that belong to others change.
    Foreign {
        /// Whose word: 1 the modem's, 2 to 7 other processors'.
        word: u8,
        /// Which bits flip; those of the handshake do not.
        bits: u32,
        /// Whether Linux gets an interrupt.
        told: bool,
    },
    /// Linux' own bits flip in the shared memory.
    Theirs(Signal),
    /// Everything stops where it is.
    Crash {
        /// The BAM loses its power.
        bam_off: bool,
        /// Linux is told by the processor's interrupt.
        told: bool,
    },
    /// New firmware, which starts after a while.
    Restart {
        /// It clears its bits.
        zero: bool,
        /// Microseconds until it starts.
        after_us: u32,
    },
    /// The modem opens a channel, open or not.
    Open(u8),
    /// The modem closes a channel, open or not.
    Close(u8),
    /// Frames of Linux are left in the pipe, or taken again.
    HoldTx(bool),
    /// Frames for Linux are kept, or given again.
    HoldRx(bool),
    /// The modem powers down after so many milliseconds without traffic.
    IdleMs(u16),
}

/// A deed at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When.
    pub when: When,
    /// What.
    pub what: Deed,
}

/// How the modem becomes normal again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All faults end, and Linux is told what is so: a modem that has tampered
    /// with its power takes it away and gives it again in order, one that has
    /// crashed is restarted.
    Normal,
    /// All faults end, and nobody says a word about it. As `Normal` if the
    /// modem would wait for an ack that Linux does not owe it.
    Quiet,
    /// New firmware, which starts after a while.
    Restart {
        /// It clears its bits.
        zero: bool,
        /// Microseconds until it starts.
        after_us: u32,
    },
}

impl Ending {
    /// Its kind, for statistics.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Quiet => "quiet",
            Self::Restart { zero: true, .. } => "restart-zero",
            Self::Restart { .. } => "restart-kept",
        }
    }
}

/// A hostile sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// What happens, in this order.
    pub steps: Vec<Step>,
    /// How it ends.
    pub ending: Ending,
}

/// Why a sequence is not played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too many steps.
    #[error("a sequence has at most {MOST_STEPS} steps")]
    Long,
    /// A wait that is too long.
    #[error("a wait is at most {LONGEST_WAIT_US} us")]
    Wait,
    /// A storm that is too strong.
    #[error("a storm has at most {MOST_INTERRUPTS} interrupts")]
    Storm,
}

impl Sequence {
    /// Whether it ends in bounded time; what is drawn from a seed does.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self) -> Result<(), Unfit> {
        if self.steps.len() > MOST_STEPS {
            return Err(Unfit::Long);
        }
        for step in &self.steps {
            let (When::AfterUs(wait) | When::At(_, wait)) = step.when;
            let more = match step.what {
                Deed::Storm { count, .. } if count > MOST_INTERRUPTS => return Err(Unfit::Storm),
                Deed::Storm { count, gap_us } => count.saturating_mul(gap_us),
                Deed::Restart { after_us, .. } => after_us,
                _ => 0,
            };
            if wait.max(more) > LONGEST_WAIT_US {
                return Err(Unfit::Wait);
            }
        }
        match self.ending {
            Ending::Restart { after_us, .. } if after_us > LONGEST_WAIT_US => Err(Unfit::Wait),
            _ => Ok(()),
        }
    }
}

impl Deed {
    /// Its kind, for statistics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Move(Signal::Pc, Edge::Toggle) => "pc-toggle",
            Self::Move(Signal::Pc, Edge::Double) => "pc-double",
            Self::Move(Signal::Pc, Edge::Silent) => "pc-silent",
            Self::Move(Signal::Ack, Edge::Toggle) => "ack-toggle",
            Self::Move(Signal::Ack, Edge::Double) => "ack-double",
            Self::Move(Signal::Ack, Edge::Silent) => "ack-silent",
            Self::Drop { .. } => "power-drop",
            Self::Raise { .. } => "power-raise",
            Self::Dark => "bam-dark",
            Self::PowerOff { at_once: false } => "power-off",
            Self::PowerOff { at_once: true } => "power-off-at-once",
            Self::PowerOn { at_once: false } => "power-on",
            Self::PowerOn { at_once: true } => "power-on-at-once",
            Self::Acks(Acks::Normal) => "acks-normal",
            Self::Acks(Acks::Withhold) => "acks-withhold",
            Self::Acks(Acks::WithholdPowered) => "acks-withhold-powered",
            Self::Acks(Acks::DelayUs(_)) => "acks-delay",
            Self::Acks(Acks::Twice) => "acks-twice",
            Self::Storm { gap_us: 0, .. } => "storm-at-once",
            Self::Storm { .. } => "storm",
            Self::Foreign { .. } => "foreign-bits",
            Self::Theirs(Signal::Pc) => "their-vote",
            Self::Theirs(Signal::Ack) => "their-ack",
            Self::Crash { told: true, .. } => "crash-told",
            Self::Crash { bam_off: true, .. } => "crash-dark",
            Self::Crash { .. } => "crash",
            Self::Restart { zero: true, .. } => "restart-zero",
            Self::Restart { .. } => "restart-kept",
            Self::Open(_) => "open",
            Self::Close(_) => "close",
            Self::HoldTx(_) => "hold-tx",
            Self::HoldRx(_) => "hold-rx",
            Self::IdleMs(_) => "idle",
        }
    }
}

#[cfg(test)]
mod tests;
