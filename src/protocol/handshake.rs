// SPDX-License-Identifier: GPL-2.0

//! The power handshake, as Linux has to keep it.
//!
//! Each side has two bits in shared memory that the other reads as lines:
//!
//! | bit | Linux writes | the modem writes |
//! |---|---|---|
//! | 1 | vote: Linux wants the data path | power: BAM has power, its registers may be touched |
//! | 11 | ack: toggled when pipes were connected or taken down | ack: toggled when a vote was seen |
//!
//! ```text
//! Linux wakes the modem            the modem wakes Linux       idle
//!
//! Linux          modem             Linux          modem        Linux          modem
//!   | vote = 1 ---->|                |<--- power = 1 |           | vote = 0 ---->|
//!   |<---- ack flip |                | connect       |           |<---- ack flip |
//!   |<--- power = 1 |                | ack flip ---->|           |     (its own idle time)
//!   | connect       |                |<------- OPEN, |           |<--- power = 0 |
//!   | ack flip ---->|                |     data      |           | disconnect    |
//!   | OPEN, data -->|                |               |           | ack flip ---->|
//! ```
//!
//! # Levels, not edges
//!
//! Shared memory does not count edges: two changes between two reads look like none, and an
//! interrupt may come late or when nothing changed. So no function here means "an edge came".
//! [`Handshake::power_level`] and [`Handshake::ack_level`] take what the line *says now*, and may
//! be called on each interrupt, time-out or suspicion; calling them once too often changes nothing.
//!
//! Only the acks are toggles. Ours is written as the opposite of what our bit says; the modem's is
//! expected to become the opposite of what its line said when the vote was written.
//!
//! # Waking
//!
//! [`Handshake::wake_step`] says what has to happen before frames may be sent:
//!
//! | vote | modem's ack of it | pipes | step |
//! |---|---|---|---|
//! | any | any, the firmware is known to be stopped | any | `Gone` |
//! | 0 | outstanding, power did not rise since | any | `AwaitPreviousAck` |
//! | 0 | outstanding, power rose since | any | `Vote`: the modem has begun anew |
//! | 0 | seen, or given up | any | `Vote` |
//! | 1 | outstanding, power did not rise since | any | `AwaitAck` |
//! | 1 | outstanding, power rose since | connected | `Up` |
//! | 1 | outstanding, power rose since | not connected | `AwaitPower` |
//! | 1 | seen | not connected | `AwaitPower` |
//! | 1 | seen | connected | `Up` |
//!
//! A power line that is high is not enough while the ack is outstanding: it may be the level from
//! before, about to fall because the modem still acts on the previous un-vote; or the modem is dead
//! and the line stands still.
//!
//! A modem may also die: then it does neither. How that is seen, and what follows from it, is told in
//! `handshake/power.rs`.
//!
//! An ack of an un-vote that does not come costs one time-out: [`Handshake::ack_lost`] gives it
//! up. If it comes after all, it counts as a stray, or as the ack of a later vote; then Linux may
//! send a little too early, the power line falls and rises under the standing vote, and the pipes
//! follow it.
//!
//! Source: protocol document 1.7 and 1.10.
//!
//! Limitations:
//! - A power line that fell and rose between two snapshots of the interrupt controller looks as if
//!   it had stayed high. Frames that do not get sent tell then ([`stall`](super::stall)).
//! - A modem that raised its power line for itself, crashed, and starts anew before Linux voted
//!   once looks as if it let go in order. Only news of the restart itself can tell.
//! - A power line that falls after [`Handshake::new`] and before the pipes were first connected is
//!   not acknowledged, although a driver that was here before may have acknowledged its rise.

#[path = "handshake/attempt.rs"]
mod attempt;
#[path = "handshake/power.rs"]
mod power;
#[path = "handshake/terms.rs"]
mod terms;
#[path = "handshake/votes.rs"]
mod votes;

pub use attempt::{
    Attempt,
    Patience, //
};
pub use terms::{
    AckSeen,
    Counters,
    Lines,
    Loss,
    OwnBits,
    Transition,
    WakeStep, //
};

use power::SinceVote;

/// How long the modem may take to acknowledge a vote, in milliseconds.
pub const ACK_TIMEOUT_MS: u32 = 2000;

/// How long the modem may take from its ack to power, in milliseconds.
pub const POWER_TIMEOUT_MS: u32 = 2000;

/// How long the data path is kept after the last frame, in milliseconds.
pub const AUTOSUSPEND_MS: u32 = 1000;

/// Where the pipes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pipes {
    /// Not there.
    Down,
    /// In use.
    Connected,
    /// Put aside. The fall of the power line, if it comes, is still to be acknowledged.
    Abandoned,
}

/// What a power line that is high means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// BAM has power.
    Well,
    /// Nothing, until it was low or the modem has acknowledged a vote.
    Doubted,
    /// Nothing, until the firmware is started.
    Stopped,
}

/// The state of the handshake.
///
/// The caller reads lines, writes bits and moves the pipes; this decides which. The caller also
/// sees to it that one transition is under way at a time.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a level or a fact of its own"
)]
pub struct Handshake {
    pipes: Pipes,
    health: Health,
    /// The power line as it was last seen.
    power: bool,
    /// The power line changed since our ack last did.
    owed: bool,
    /// Changes of the power line that were seen before their interrupt came.
    ahead: u8,
    /// The power line fell and rose since the pipes were connected.
    blinked: bool,
    /// Our bits.
    own: OwnBits,
    /// The modem's ack line as it was last seen.
    ack: bool,
    /// The level that the modem's ack line gets when the last change of the vote was seen.
    expected_ack: Option<bool>,
    /// An ack was given up, none came since, and the pipes were not connected since.
    unacked: bool,
    /// An ack came that nobody asked for, since the pipes were connected.
    stray: bool,
    /// The ack of the present vote was first seen when the power line was low, and the pipes were not
    /// connected since.
    acked_late: bool,
    /// What the power line did under the present vote.
    since_vote: SinceVote,
    /// Since the pipes were last connected the power line fell as that of a living modem hardly does.
    deserted: bool,
    /// For people: shown by `Debug`.
    counters: Counters,
}

impl Handshake {
    /// Starts from what the hardware says. The pipes are not connected, whatever `lines` say:
    /// [`Handshake::power_level`] tells whether they should be.
    ///
    /// No ack counts as outstanding: what an earlier driver waited for is not known.
    #[must_use]
    pub const fn new(lines: Lines, own: OwnBits) -> Self {
        Self {
            pipes: Pipes::Down,
            health: Health::Well,
            power: lines.power,
            // An earlier driver may have acknowledged it; one ack too many does less harm.
            owed: lines.power,
            ahead: 0,
            blinked: false,
            own,
            ack: lines.ack,
            expected_ack: None,
            unacked: false,
            stray: false,
            acked_late: false,
            since_vote: SinceVote::at_vote(lines.power),
            deserted: false,
            counters: Counters {
                connects: 0,
                disconnects: 0,
                abandons: 0,
                connect_failures: 0,
                votes: 0,
                acks: 0,
                acks_lost: 0,
                acks_stray: 0,
            },
        }
    }

    /// The pipes were connected. Returns the level to write to our ack bit.
    #[must_use = "the modem waits for the ack"]
    pub fn connected(&mut self) -> bool {
        if self.pipes != Pipes::Connected {
            self.counters.connects = self.counters.connects.wrapping_add(1);
        }
        self.pipes = Pipes::Connected;
        self.acked_late = false;
        self.deserted = false;
        self.stray = false;
        self.unacked = false;
        self.settle_ack()
    }

    /// The pipes were taken down. Returns the level to write to our ack bit.
    #[must_use = "the modem waits for the ack"]
    pub fn disconnected(&mut self) -> bool {
        if self.pipes == Pipes::Connected {
            self.counters.disconnects = self.counters.disconnects.wrapping_add(1);
        }
        self.pipes = Pipes::Down;
        self.settle_ack()
    }

    /// Toggles our ack, once for what the power line did since the last time.
    fn settle_ack(&mut self) -> bool {
        self.own.ack ^= self.owed;
        self.owed = false;
        self.own.ack
    }

    /// The pipes were put aside. There is no ack for that.
    ///
    /// If that was for a [`Loss`], the vote is to be taken back next: a modem that has restarted
    /// knows nothing of it, and only a change reaches it.
    pub fn abandoned(&mut self) {
        if self.pipes == Pipes::Connected {
            self.counters.abandons = self.counters.abandons.wrapping_add(1);
        }
        self.pipes = Pipes::Abandoned;
        self.blinked = false;
        self.stray = false;
    }

    /// The pipes were taken down though BAM has power: Linux will not look after them for a while.
    ///
    /// The fall of the power line, if it comes, is still to be acknowledged; if it does not come,
    /// connecting is due at the next look.
    pub fn taken_down_early(&mut self) {
        if self.pipes == Pipes::Connected {
            self.counters.disconnects = self.counters.disconnects.wrapping_add(1);
        }
        self.pipes = Pipes::Abandoned;
        self.blinked = false;
        self.stray = false;
    }

    /// The pipes could not be connected. There is no ack for that; connecting stays due.
    pub fn connect_failed(&mut self) {
        self.counters.connect_failures = self.counters.connect_failures.wrapping_add(1);
    }

    /// The firmware was stopped, or is about to be: nothing its lines say counts any more.
    pub fn stopped(&mut self) {
        self.health = Health::Stopped;
        // Nobody is there to acknowledge anything.
        self.expected_ack = None;
        self.unacked = false;
    }

    /// The firmware is started. Its power line may still stand as it stood when it was stopped.
    ///
    /// What it did meanwhile is not acknowledged: the firmware that waited for it is gone. A line that
    /// is high now and believed later was raised by the new one, whether its fall was seen or not.
    pub fn starting(&mut self) {
        if self.health != Health::Stopped {
            return;
        }
        self.health = if self.power {
            Health::Doubted
        } else {
            Health::Well
        };
        if self.pipes != Pipes::Connected {
            self.pipes = Pipes::Down;
        }
        self.owed = self.power;
    }

    /// Whether the pipes are connected.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self.pipes, Pipes::Connected)
    }

    /// Whether BAM has power, as far as the modem can be believed.
    #[must_use]
    pub const fn is_powered(&self) -> bool {
        self.power && matches!(self.health, Health::Well)
    }

    /// Whether the firmware may have restarted, although that is no [`Loss`]: frames may have been
    /// exchanged, then the power line fell although Linux voted, or before its un-vote was acknowledged.
    /// Either the modem had raised it for itself, and had not seen the vote yet, or its ack was lost,
    /// or it is dead. Until the pipes are connected again.
    #[must_use]
    pub const fn may_have_restarted(&self) -> bool {
        self.deserted
    }

    /// Whether the firmware is known to be stopped.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        matches!(self.health, Health::Stopped)
    }

    /// The modem's lines as they were last seen.
    #[must_use]
    pub const fn lines(&self) -> Lines {
        Lines {
            power: self.power,
            ack: self.ack,
        }
    }

    /// Our bits as they were last written.
    #[must_use]
    pub const fn own_bits(&self) -> OwnBits {
        self.own
    }

    /// What the handshake went through.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }
}

#[cfg(any(test, CONFIG_BAM_DMUX_KUNIT_TEST))]
#[path = "../../tests/kunit/handshake.rs"]
mod tests;
