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
//! | any | no | no | nothing |
//!
//! So an interface that goes up and down quickly while the modem sleeps costs no command, and a
//! command that was lost with the power is due again.
//!
//! Source: protocol document 1.2, 1.10 and 1.11.

use super::{
    frame::{
        Channel,
        Command,
        CHANNELS, //
    },
    mtu::Offer,
};

/// A set of channels, one bit each.
#[derive(Clone, Copy, Default)]
struct Set(u8);

impl Set {
    const fn bit(channel: Channel) -> u8 {
        1 << channel.number()
    }

    fn contains(self, channel: Channel) -> bool {
        self.0 & Self::bit(channel) != 0
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
pub struct ChannelState {
    /// The modem's half is open.
    pub remote_open: bool,
    /// The interface is up.
    pub wanted: bool,
    /// OPEN was sent, and no CLOSE since.
    pub announced: bool,
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
            remote: Set(0),
            wanted: Set(0),
            announced: Set(0),
            closed: Set(0),
            offers: [Offer::decode(0); CHANNELS],
            repeated: 0,
        }
    }

    /// The modem sent OPEN with this signal byte.
    pub fn remote_open(&mut self, channel: Channel, signal: u8) -> Change {
        if let Some(offer) = self.offers.get_mut(channel.index()) {
            *offer = Offer::decode(signal);
        }
        self.remote_half(channel, true, Change::Opened)
    }

    /// The modem sent CLOSE.
    pub fn remote_close(&mut self, channel: Channel) -> Change {
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
        let wanted = self.wanted.contains(channel);
        match (wanted, self.announced.contains(channel)) {
            (true, false) if self.is_remote_open(channel) => Some(Command::Open),
            (false, true) => Some(Command::Close),
            _ => None,
        }
    }

    /// A command was given to the modem.
    pub fn command_sent(&mut self, channel: Channel, command: Command) {
        match command {
            Command::Open => {
                self.announced.set(channel, true);
            }
            Command::Close => {
                self.announced.set(channel, false);
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
            }
            // Only the CLOSE that is still right is repeated. One that went to a modem which has
            // restarted since is not owed to the new one; and where the interface is up again,
            // OPEN is due whether or not the modem saw the CLOSE.
            Command::Close => {
                if self.closed.contains(channel) && !self.wanted.contains(channel) {
                    self.announced.set(channel, true);
                }
            }
            Command::Data => (),
        }
    }

    /// The modem restarted: it knows of no open halves, neither its own nor ours.
    ///
    /// What is wanted stays: OPEN is due again as soon as the modem opens its half.
    pub fn forget_all(&mut self) {
        self.remote = Set(0);
        self.announced = Set(0);
        self.closed = Set(0);
        self.offers = [Offer::decode(0); CHANNELS];
    }

    /// Whether the modem's half is open.
    #[must_use]
    pub fn is_remote_open(&self, channel: Channel) -> bool {
        self.remote.contains(channel)
    }

    /// Whether data may be queued for the channel: the modem's half is open and ours is wanted.
    ///
    /// OPEN may still be due; whoever sends has to send due commands before data.
    #[must_use]
    pub fn accepts_data(&self, channel: Channel) -> bool {
        self.remote.contains(channel) && self.wanted.contains(channel)
    }

    /// What is known of `channel`.
    #[must_use]
    pub fn state(&self, channel: Channel) -> ChannelState {
        ChannelState {
            remote_open: self.remote.contains(channel),
            wanted: self.wanted.contains(channel),
            announced: self.announced.contains(channel),
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
