// SPDX-License-Identifier: GPL-2.0
//! A level interrupt carried by messages that are edges.

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fire {
    /// The line went high.
    Rise,
    /// A clear by the guest left it high.
    Again,
}

/// The line's level and what the guest has been told of it.
///
/// A level would keep the guest's handler running until the last source is
/// cleared. A message is gone once handled, so it must be sent anew whenever
/// the guest clears something and the line is still high: without that, a
/// completion on one pipe during the handler of the other stalls for good.
#[derive(Debug, Default)]
pub(super) struct LevelLine {
    high: bool,
    cleared: bool,
}

impl LevelLine {
    /// The guest has written a clear register.
    pub(super) fn cleared(&mut self) {
        self.cleared = true;
    }

    /// Takes the present level; says whether a message is due, and why.
    pub(super) fn update(&mut self, high: bool) -> Option<Fire> {
        let fire = match (self.high, high) {
            (false, true) => Some(Fire::Rise),
            (true, true) if self.cleared => Some(Fire::Again),
            _ => None,
        };
        self.high = high;
        self.cleared = false;
        fire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One message per rise, none while the line just stays high.
    #[test]
    fn one_message_per_rise() {
        let mut line = LevelLine::default();
        assert_eq!(line.update(true), Some(Fire::Rise));
        assert_eq!(line.update(true), None);
        assert_eq!(line.update(false), None);
        assert_eq!(line.update(true), Some(Fire::Rise));
    }

    /// A clear that leaves the line high sends again, one that lowers it not.
    #[test]
    fn clear_while_high_sends_again() {
        let mut line = LevelLine::default();
        line.update(true);
        line.cleared();
        assert_eq!(line.update(true), Some(Fire::Again));
        line.cleared();
        assert_eq!(line.update(false), None);
        assert_eq!(line.update(false), None);
    }
}
