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
#[derive(Debug, Clone, Copy, Default)]
pub struct Channels {
    /// Opened by the modem.
    pub modem: Set,
    /// Opened by Linux.
    pub host: Set,
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

    /// Channels that do not exist are never in the set.
    #[test]
    fn no_such_channel() {
        let mut set = Set::default();
        assert!(!set.insert(8) && !set.insert(255));
        assert!(!set.contains(8) && !set.remove(200));
        assert!(set.list().is_empty());
    }
}
