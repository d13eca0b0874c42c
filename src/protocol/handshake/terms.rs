// SPDX-License-Identifier: GPL-2.0

//! The terms in which the handshake is spoken of: what it is told, and what it answers.

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
    /// Take the pipes down, then call [`Handshake::disconnected`]. Pipes that were abandoned stay
    /// as they are.
    Disconnect,
    /// Put the pipes aside without touching the BAM, then call [`Handshake::abandoned`]. They are
    /// taken down before the next [`Transition::Connect`].
    Abandon,
}

/// Why the modem counts as lost: what it knew of Linux is void, or may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The firmware was reported to be stopped.
    Stopped,
    /// The power line fell although Linux had not let go, or not in order.
    PowerFell,
    /// The power line fell and rose between two looks.
    PowerBlinked,
    /// A vote was taken back and the modem did not acknowledge it.
    NoAck,
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
    /// Nothing can be done: the firmware is stopped.
    Gone,
}

/// What the handshake went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times the pipes were connected.
    pub connects: u64,
    /// Times the pipes were taken down.
    pub disconnects: u64,
    /// Times the pipes were put aside because nobody knew whether BAM had power.
    pub abandons: u64,
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
