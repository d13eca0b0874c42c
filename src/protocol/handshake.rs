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
//! | 0 | outstanding | any | `AwaitPreviousAck` |
//! | 0 | seen, or given up | any | `Vote` |
//! | 1 | outstanding, power did not rise since | any | `AwaitAck` |
//! | 1 | outstanding, power rose since | connected | `Up` |
//! | 1 | outstanding, power rose since | not connected | `AwaitPower` |
//! | 1 | seen, or given up | not connected | `AwaitPower` |
//! | 1 | seen, or given up | connected | `Up` |
//!
//! A power line that is high is not enough while the ack is outstanding: it may be the level from
//! before, about to fall because the modem still acts on the previous un-vote.
//!
//! An ack that does not come costs one time-out: [`Handshake::ack_lost`] gives it up. If it comes
//! after all, it counts as a stray, or as the ack of a later vote; then Linux may send a little too
//! early, the power line falls and rises under the standing vote, and the pipes follow it.
//!
//! Source: protocol document 1.7 and 1.10.
//!
//! Limitations:
//! - A power line that fell and rose between two looks (a modem that restarted, or did not wait for
//!   our ack) looks as if it had stayed high. Only news of the restart itself can tell.
//! - A power line that falls after [`Handshake::new`] and before the pipes were first connected is
//!   not acknowledged, although a driver that was here before may have acknowledged its rise.

/// How long the modem may take to acknowledge a vote, in milliseconds.
pub const ACK_TIMEOUT_MS: u32 = 2000;

/// How long the modem may take from its ack to power, in milliseconds.
pub const POWER_TIMEOUT_MS: u32 = 2000;

/// How long the data path is kept after the last frame, in milliseconds.
pub const AUTOSUSPEND_MS: u32 = 1000;

/// The modem's lines, as read from the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// BAM has power.
    pub power: bool,
    /// Toggles when the modem saw a vote.
    pub ack: bool,
}

/// Our own bits, as they stand in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnBits {
    /// The vote, perhaps left behind by a driver that was here before.
    pub vote: bool,
    /// Our ack.
    pub ack: bool,
}

/// What the pipes have to do to follow the power line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Connect the pipes and queue receive buffers, then call [`Handshake::connected`], or
    /// [`Handshake::connect_failed`].
    Connect,
    /// Take the pipes down, then call [`Handshake::disconnected`].
    Disconnect,
}

/// What a level of the modem's ack line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckSeen {
    /// The ack that was outstanding.
    Expected,
    /// The line changed, but no ack was outstanding.
    Stray,
    /// Nothing new.
    Nothing,
}

/// What has to happen next for frames to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeStep {
    /// Wait for the ack of the last un-vote, at most [`ACK_TIMEOUT_MS`], then
    /// [`Handshake::ack_lost`].
    AwaitPreviousAck,
    /// Vote for power: [`Handshake::vote`].
    Vote,
    /// Wait for the ack of the vote, at most [`ACK_TIMEOUT_MS`].
    AwaitAck,
    /// Wait for power and connected pipes, at most [`POWER_TIMEOUT_MS`].
    AwaitPower,
    /// Nothing: frames may be sent.
    Up,
}

/// What the handshake went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times the pipes were connected.
    pub connects: u64,
    /// Times the pipes were taken down.
    pub disconnects: u64,
    /// Attempts to connect that failed on our side.
    pub connect_failures: u64,
    /// Times the vote bit changed, either way.
    pub votes: u64,
    /// Acks of votes that came.
    pub acks: u64,
    /// Acks that were given up.
    pub acks_lost: u64,
    /// Changes of the modem's ack line that nobody waited for.
    pub acks_stray: u64,
}

/// What the power line did since the vote was last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SinceVote {
    /// It was high at the vote and still is: it may be a level from before.
    StillHigh,
    /// It was seen low.
    Low,
    /// It was seen low and then high: the modem can only mean the present vote.
    Rose,
}

impl SinceVote {
    const fn at_vote(power: bool) -> Self {
        if power {
            Self::StillHigh
        } else {
            Self::Low
        }
    }

    const fn after(self, power: bool) -> Self {
        match (self, power) {
            (_, false) => Self::Low,
            (Self::Low, true) => Self::Rose,
            (_, true) => self,
        }
    }
}

/// The state of the handshake.
///
/// The caller reads lines, writes bits and moves the pipes; this decides which. The caller also
/// sees to it that one transition is under way at a time.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// The pipes are connected.
    connected: bool,
    /// The power line as it was last seen.
    power: bool,
    /// Our bits.
    own: OwnBits,
    /// The modem's ack line as it was last seen.
    ack: bool,
    /// The level that the modem's ack line gets when the last change of the vote was seen.
    expected_ack: Option<bool>,
    /// What the power line did under the present vote.
    since_vote: SinceVote,
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
            connected: false,
            power: lines.power,
            own,
            ack: lines.ack,
            expected_ack: None,
            since_vote: SinceVote::at_vote(lines.power),
            counters: Counters {
                connects: 0,
                disconnects: 0,
                connect_failures: 0,
                votes: 0,
                acks: 0,
                acks_lost: 0,
                acks_stray: 0,
            },
        }
    }

    /// Takes the level of the modem's power line; returns what is due, if anything.
    ///
    /// The same is due again until it was carried out, or until the level has changed back.
    pub fn power_level(&mut self, level: bool) -> Option<Transition> {
        self.power = level;
        self.since_vote = self.since_vote.after(level);
        match (self.connected, level) {
            (false, true) => Some(Transition::Connect),
            (true, false) => Some(Transition::Disconnect),
            _ => None,
        }
    }

    /// The pipes were connected. Returns the level to write to our ack bit.
    #[must_use = "the modem waits for the ack"]
    pub fn connected(&mut self) -> bool {
        if !self.connected {
            self.counters.connects = self.counters.connects.wrapping_add(1);
        }
        self.carried_out(true)
    }

    /// The pipes were taken down. Returns the level to write to our ack bit.
    #[must_use = "the modem waits for the ack"]
    pub fn disconnected(&mut self) -> bool {
        if self.connected {
            self.counters.disconnects = self.counters.disconnects.wrapping_add(1);
        }
        self.carried_out(false)
    }

    /// Toggles our ack, once per transition.
    fn carried_out(&mut self, connected: bool) -> bool {
        self.own.ack ^= self.connected != connected;
        self.connected = connected;
        self.own.ack
    }

    /// The pipes could not be connected. There is no ack for that; connecting stays due.
    pub fn connect_failed(&mut self) {
        self.counters.connect_failures = self.counters.connect_failures.wrapping_add(1);
    }

    /// Whether the pipes are connected.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.connected
    }

    /// Changes the vote. `ack_now` is the level of the modem's ack line, read just before.
    ///
    /// Returns the value to write to the vote bit, or `None` when the bit already has it; then
    /// the modem would see no change and send no ack.
    pub fn vote(&mut self, on: bool, ack_now: bool) -> Option<bool> {
        if self.own.vote == on {
            return None;
        }
        self.ack_level(ack_now);
        self.own.vote = on;
        self.expected_ack = Some(!ack_now);
        self.since_vote = SinceVote::at_vote(self.power);
        self.counters.votes = self.counters.votes.wrapping_add(1);
        Some(on)
    }

    /// Takes the level of the modem's ack line.
    pub fn ack_level(&mut self, level: bool) -> AckSeen {
        let changed = self.ack != level;
        self.ack = level;

        if self.expected_ack == Some(level) {
            self.expected_ack = None;
            self.counters.acks = self.counters.acks.wrapping_add(1);
            AckSeen::Expected
        } else if changed {
            self.counters.acks_stray = self.counters.acks_stray.wrapping_add(1);
            AckSeen::Stray
        } else {
            AckSeen::Nothing
        }
    }

    /// Gives up waiting for an ack, after a time-out.
    pub fn ack_lost(&mut self) {
        if self.expected_ack.take().is_some() {
            self.counters.acks_lost = self.counters.acks_lost.wrapping_add(1);
        }
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

    /// Whether the modem has not acknowledged the last change of the vote yet.
    #[must_use]
    pub const fn is_ack_outstanding(&self) -> bool {
        self.expected_ack.is_some()
    }

    /// What the handshake went through.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// What has to happen next for frames to be sent.
    #[must_use]
    pub const fn wake_step(&self) -> WakeStep {
        let rose = matches!(self.since_vote, SinceVote::Rose);
        match (self.own.vote, self.expected_ack.is_some()) {
            (false, true) => WakeStep::AwaitPreviousAck,
            (false, false) => WakeStep::Vote,
            (true, true) if !rose => WakeStep::AwaitAck,
            (true, _) if self.connected && self.power => WakeStep::Up,
            (true, _) => WakeStep::AwaitPower,
        }
    }
}

#[cfg(any(test, CONFIG_BAM_DMUX_KUNIT_TEST))]
#[path = "../../tests/kunit/handshake.rs"]
mod tests;
