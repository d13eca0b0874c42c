// SPDX-License-Identifier: GPL-2.0

//! Channels: who opened which half, and which commands are due.
//!
//! A channel has two halves. The modem opens and closes its own with OPEN and CLOSE; Linux does
//! the same with its half when the channel's interface goes up and down. Halves outlive a power
//! collapse; only a restart of the modem forgets them.
//!
//! Nothing here remembers commands in a queue. What is due follows from what is *wanted* and what
//! was *announced*:
//!
//! | modem's half | wanted | announced | due |
//! |---|---|---|---|
//! | open | yes | no | OPEN |
//! | closed | yes | no | nothing yet: OPEN when the modem opens its half |
//! | any | no | yes | CLOSE |
//! | any | yes | yes | nothing |
//! | any | no | no | nothing, or the CLOSE that was lost |
//!
//! When the modem is lost without news of its firmware, nobody knows whether it has restarted. Its
//! channels are *held*: no command and no data, until it opens them again (it has restarted), or has
//! had power for [`GRACE_MS`] without doing so (it has not).
//!
//! A modem whose channel is open does not open it again in normal life. The first OPEN of a channel
//! after its power came (back) therefore says, if the channel was open, that the firmware has started
//! anew: our halves of all channels have to be announced again. What was announced since the power came
//! went to the new firmware already, and is not repeated. Any further OPEN changes nothing.
//!
//! So an interface that goes up and down quickly while the modem sleeps costs no command, and a
//! command that was lost with the power is due again.
//!
//! Source: protocol document 1.2, 1.10 and 1.11.
//!
//! Limitations:
//! - A restart that nothing tells of, while the modem had all channels closed, is not noticed here:
//!   opening a closed channel is what a modem does in normal life.

use super::{
    frame::{
        Channel,
        Command,
        CHANNELS, //
    },
    mtu::Offer,
};

/// How long a modem that was lost may have power without opening a channel before its channels
/// count as open still, in milliseconds.
///
/// OPENs are the first frames of new firmware. Healthy modems answer within a few milliseconds; the
/// rest is for a busy Linux that has to take them out.
pub const GRACE_MS: u32 = 1000;

/// A set of channels, one bit each.
#[derive(Clone, Copy, Default)]
struct Set(u8);

impl Set {
    const NONE: Self = Self(0);
    const ALL: Self = Self(u8::MAX);

    const fn bit(channel: Channel) -> u8 {
        1 << channel.number()
    }

    fn contains(self, channel: Channel) -> bool {
        self.0 & Self::bit(channel) != 0
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Adds or removes `channel`; returns whether that changed the set.
    fn set(&mut self, channel: Channel, member: bool) -> bool {
        let before = self.contains(channel);
        if member {
            self.0 |= Self::bit(channel);
        } else {
            self.0 &= !Self::bit(channel);
        }
        before != member
    }
}

/// What a command of the modem changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The modem opened its half.
    Opened,
    /// The modem opened its half, which was open: it has restarted. OPEN is due if our half is
    /// wanted, unless it was sent since the modem's power came.
    Reopened,
    /// The modem closed its half.
    Closed,
    /// Nothing: the half already was as the command wants it. Counted.
    Repeated,
}

impl Change {
    /// Whether the channel's interface has to follow: to be created, attached or detached.
    #[must_use]
    pub const fn needs_interface(self) -> bool {
        !matches!(self, Self::Repeated)
    }
}

/// What is known of one channel, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct ChannelState {
    /// The modem's half is open.
    pub remote_open: bool,
    /// The interface is up.
    pub wanted: bool,
    /// OPEN was sent, and no CLOSE since.
    pub announced: bool,
    /// Nobody knows whether the modem still has it open.
    pub held: bool,
    /// What the modem said of its buffers when it last opened its half.
    pub offer: Offer,
}

/// The state of all channels.
#[derive(Clone)]
pub struct ChannelTable {
    remote: Set,
    wanted: Set,
    announced: Set,
    /// A CLOSE was sent since the modem last started.
    closed: Set,
    /// A CLOSE was lost, and none was sent since: the modem may have our half open still.
    owed: Set,
    /// The modem did not say OPEN since its power last came: the next OPEN tells whether it has
    /// restarted.
    unconfirmed: Set,
    /// OPEN was sent since the modem's power last came: the firmware that runs now has it, or will.
    told: Set,
    /// The firmware has started anew, as its first OPENs since its power last came have shown.
    restarted: bool,
    /// Open when the modem was lost, and not known to be open or closed since.
    held: Set,
    /// The firmware is gone: what is still found in buffers is from before.
    deaf: bool,
    offers: [Offer; CHANNELS],
    repeated: u64,
}

impl Default for ChannelTable {
    fn default() -> Self {
        Self::new()
    }
}

impl ChannelTable {
    /// All halves closed, nothing wanted.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            remote: Set::NONE,
            wanted: Set::NONE,
            announced: Set::NONE,
            closed: Set::NONE,
            owed: Set::NONE,
            unconfirmed: Set::NONE,
            told: Set::NONE,
            restarted: false,
            held: Set::NONE,
            deaf: false,
            offers: [Offer::decode(0); CHANNELS],
            repeated: 0,
        }
    }

    /// The modem sent OPEN with this signal byte.
    pub fn remote_open(&mut self, channel: Channel, signal: u8) -> Change {
        if self.deaf {
            return Change::Repeated;
        }
        if let Some(offer) = self.offers.get_mut(channel.index()) {
            *offer = Offer::decode(signal);
        }
        let restarted = self.unconfirmed.set(channel, false) && self.remote.contains(channel);
        let held = self.held.set(channel, false);
        if restarted {
            self.restarted = true;
            self.announced = self.announced.and(self.told);
            self.closed = self.closed.and(self.told);
            self.owed = self.owed.and(self.told);
        }
        match self.remote_half(channel, true, Change::Opened) {
            Change::Repeated if restarted => Change::Reopened,
            Change::Repeated if held => Change::Opened,
            change => change,
        }
    }

    /// The modem sent CLOSE.
    pub fn remote_close(&mut self, channel: Channel) -> Change {
        self.unconfirmed.set(channel, false);
        self.held.set(channel, false);
        self.remote_half(channel, false, Change::Closed)
    }

    fn remote_half(&mut self, channel: Channel, open: bool, change: Change) -> Change {
        if self.remote.set(channel, open) {
            return change;
        }
        self.repeated = self.repeated.wrapping_add(1);
        Change::Repeated
    }

    /// The channel's interface went up or down.
    pub fn set_wanted(&mut self, channel: Channel, wanted: bool) {
        self.wanted.set(channel, wanted);
    }

    /// The first command that is due. It stays due until [`ChannelTable::command_sent`].
    #[must_use]
    pub fn peek_command(&self) -> Option<(Channel, Command)> {
        Channel::all().find_map(|channel| Some((channel, self.due(channel)?)))
    }

    fn due(&self, channel: Channel) -> Option<Command> {
        if self.held.contains(channel) {
            return None;
        }
        let wanted = self.wanted.contains(channel);
        match (wanted, self.announced.contains(channel)) {
            (true, false) if self.is_remote_open(channel) => Some(Command::Open),
            (false, true) => Some(Command::Close),
            (false, false) if self.owed.contains(channel) => Some(Command::Close),
            _ => None,
        }
    }

    /// A command was given to the modem.
    pub fn command_sent(&mut self, channel: Channel, command: Command) {
        match command {
            Command::Open => {
                self.announced.set(channel, true);
                self.told.set(channel, true);
            }
            Command::Close => {
                self.announced.set(channel, false);
                self.owed.set(channel, false);
                self.closed.set(channel, true);
            }
            Command::Data => (),
        }
    }

    /// A command that counted as sent did not, or perhaps did not, reach the modem.
    ///
    /// To be called in the order in which the commands were sent.
    pub fn command_lost(&mut self, channel: Channel, command: Command) {
        match command {
            Command::Open => {
                self.announced.set(channel, false);
                self.told.set(channel, false);
            }
            // It stays owed, whatever is sent before it is right again: OPEN, where the interface is
            // up, is due whether or not the modem saw the CLOSE, and may be lost as well. One that
            // went to a modem which has restarted since is not owed to the new one.
            Command::Close => {
                if self.closed.contains(channel) {
                    self.owed.set(channel, true);
                }
            }
            Command::Data => (),
        }
    }

    /// The modem restarted: it knows of no open halves, neither its own nor ours.
    ///
    /// What is wanted stays: OPEN is due again as soon as the modem opens its half. It cannot before
    /// it has power again ([`ChannelTable::powered`]).
    pub fn forget_all(&mut self) {
        self.remote = Set::NONE;
        self.announced = Set::NONE;
        self.closed = Set::NONE;
        self.owed = Set::NONE;
        self.unconfirmed = Set::NONE;
        self.told = Set::NONE;
        self.restarted = false;
        self.held = Set::NONE;
        self.deaf = true;
        self.offers = [Offer::decode(0); CHANNELS];
    }

    /// The modem is lost, and may or may not restart: holds all channels.
    pub fn hold_all(&mut self) {
        self.held = self.remote;
    }

    /// The modem has power again: what it says next tells whether it has restarted.
    pub fn powered(&mut self) {
        self.unconfirmed = Set::ALL;
        self.told = Set::NONE;
        self.restarted = false;
        self.deaf = false;
    }

    /// The modem has had power for [`GRACE_MS`]: channels that it did not open again are as they
    /// were before it was lost, or closed, if it has restarted. Returns whether there are any.
    pub fn release_all(&mut self) -> bool {
        let any = self.holds_any();
        if self.restarted {
            self.remote = self.remote.without(self.held);
        }
        self.held = Set::NONE;
        any
    }

    /// Whether `channel` is held.
    #[must_use]
    pub fn is_held(&self, channel: Channel) -> bool {
        self.held.contains(channel)
    }

    /// Whether any channel is held.
    #[must_use]
    pub const fn holds_any(&self) -> bool {
        self.held.0 != 0
    }

    /// Whether the modem's half is known to be open.
    #[must_use]
    pub fn is_remote_open(&self, channel: Channel) -> bool {
        self.remote.contains(channel) && !self.held.contains(channel)
    }

    /// Whether data may be queued for the channel: the modem's half is open and ours is wanted.
    ///
    /// OPEN may still be due; whoever sends has to send due commands before data.
    #[must_use]
    pub fn accepts_data(&self, channel: Channel) -> bool {
        self.is_remote_open(channel) && self.wanted.contains(channel)
    }

    /// What is known of `channel`.
    #[must_use]
    pub fn state(&self, channel: Channel) -> ChannelState {
        ChannelState {
            remote_open: self.remote.contains(channel),
            wanted: self.wanted.contains(channel),
            announced: self.announced.contains(channel),
            held: self.held.contains(channel),
            offer: self
                .offers
                .get(channel.index())
                .copied()
                .unwrap_or(Offer::decode(0)),
        }
    }

    /// How many OPENs and CLOSEs of the modem changed nothing.
    #[must_use]
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }
}

#[cfg(any(test, CONFIG_BAM_DMUX_KUNIT_TEST))]
#[path = "../../tests/kunit/channels.rs"]
mod tests;
