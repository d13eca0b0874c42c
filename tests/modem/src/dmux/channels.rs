// SPDX-License-Identifier: GPL-2.0
//! Which half of which channel is open.

/// Number of channels that Linux knows.
pub const COUNT: u8 = 8;

/// A set of channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Set(u8);

impl Set {
    /// Adds a channel. False if it was in the set, or is none.
    pub fn insert(&mut self, channel: u8) -> bool {
        let fresh = channel < COUNT && !self.contains(channel);
        if fresh {
            self.0 |= 1 << channel;
        }
        fresh
    }

    /// Removes a channel. False if it was not in the set.
    pub fn remove(&mut self, channel: u8) -> bool {
        let found = self.contains(channel);
        if found {
            self.0 &= !(1 << channel);
        }
        found
    }

    /// Whether a channel is in the set.
    #[must_use]
    pub fn contains(self, channel: u8) -> bool {
        channel < COUNT && self.0 & 1 << channel != 0
    }

    /// The channels of the set, in order.
    #[must_use]
    pub fn list(self) -> Vec<u8> {
        (0..COUNT).filter(|&c| self.contains(c)).collect()
    }
}

/// Both halves of all channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Channels {
    /// Opened by the modem.
    pub modem: Set,
    /// Opened by Linux.
    pub host: Set,
    /// Signal bytes of the modem's last OPEN, by channel.
    pub offered: [u8; COUNT as usize],
    /// Signal bytes of Linux' last OPEN, by channel.
    pub answered: [u8; COUNT as usize],
}

/// In an OPEN of the modem: it can do with larger transfers than 2048 bytes. In
/// one of Linux: so can Linux.
const DYNAMIC_MTU: u8 = 1 << 1;
/// What Linux may say of itself then: the bit again, the number of its receive
/// buffers (bits 4 and 5) and their size (bits 6 and 7).
const ANSWER: u8 = 0xf0 | DYNAMIC_MTU;
/// The modem's buffer, in bytes, if nothing else is agreed on.
const BUFFER: usize = 2048;

impl Channels {
    /// The signal bits that an OPEN of Linux may have.
    #[must_use]
    pub fn allowed_answer(&self, channel: u8) -> u8 {
        let offered = self.offered.get(usize::from(channel)).copied();
        match offered.unwrap_or(0) & DYNAMIC_MTU {
            0 => 0,
            _ => ANSWER,
        }
    }

    /// Bytes of the longest transfer that the modem takes on a channel: from the
    /// upper two bits of its OPEN if both sides have the capability.
    #[must_use]
    pub fn longest_uplink(&self, channel: u8) -> usize {
        let of = |all: &[u8]| all.get(usize::from(channel)).copied().unwrap_or(0);
        let (offered, answered) = (of(&self.offered), of(&self.answered));
        if offered & answered & DYNAMIC_MTU == 0 {
            return BUFFER;
        }
        BUFFER << (offered >> 6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inserting and removing tell whether something changed.
    #[test]
    fn changes_are_told() {
        let mut set = Set::default();
        assert!(set.insert(7) && !set.insert(7) && set.contains(7));
        assert!(set.remove(7) && !set.remove(7) && !set.contains(7));
    }

    /// Larger transfers need the word of both sides.
    #[test]
    fn agreements() {
        let mut channels = Channels::default();
        channels.offered[3] = 0x80;
        assert_eq!(channels.allowed_answer(3), 0, "no such capability");
        channels.offered[3] = 0x82;
        assert_eq!(channels.allowed_answer(3), 0xf2);
        assert_eq!(channels.longest_uplink(3), 2048);
        channels.answered[3] = 0x42;
        assert_eq!(channels.longest_uplink(3), 8192);
        assert_eq!(channels.longest_uplink(2), 2048);
        assert_eq!(channels.longest_uplink(200), 2048);
        assert_eq!(channels.allowed_answer(200), 0);
    }

    /// Channels that do not exist are never in the set.
    #[test]
    fn no_such_channel() {
        let mut set = Set::default();
        assert!(!set.insert(8) && !set.insert(255));
        assert!(!set.contains(8) && !set.remove(200));
        assert!(set.list().is_empty());
    }
}
