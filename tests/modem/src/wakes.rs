// SPDX-License-Identifier: GPL-2.0
//! How long Linux takes to wake up: each wake-up that it asked for, with the times that are
//! Linux' own and not the modem's.
//!
//! A wake-up is ready when the modem has acked the vote and raised the power line. From then on
//! Linux has to connect (its ack tells) and to send what it voted for.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

/// Wake-ups that are remembered; older ones are forgotten.
const KEPT: usize = 4096;

/// One wake-up that Linux asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Wake {
    /// From ready to Linux' ack of the power line, in microseconds. None if the power was up
    /// already, or if the ack never came.
    pub connect_us: Option<u64>,
    /// From the moment when Linux could send (ready, and connected) to its first frame, in
    /// microseconds. None if it sent none before it let go.
    pub frame_us: Option<u64>,
}

/// A wake-up under way.
#[derive(Debug, Clone, Copy)]
struct Open {
    wake: Wake,
    /// When the modem acked the vote.
    acked: Option<Duration>,
    /// When the power line rose; the vote's own time if it was up.
    powered: Option<Duration>,
    /// When Linux acked the rise; as `powered` if there was none.
    connected: Option<Duration>,
}

impl Open {
    fn ready(&self) -> Option<Duration> {
        Some(self.acked?.max(self.powered?))
    }
}

/// All wake-ups since the last [`Wakes::clear`].
#[derive(Debug, Default)]
pub struct Wakes {
    done: VecDeque<Wake>,
    open: Option<Open>,
}

fn micros(from: Duration, to: Duration) -> u64 {
    u64::try_from(to.saturating_sub(from).as_micros()).unwrap_or(u64::MAX)
}

impl Wakes {
    /// Linux votes; `up` says whether the link is connected already.
    pub fn vote(&mut self, now: Duration, up: bool) {
        self.end();
        self.open = Some(Open {
            wake: Wake::default(),
            acked: None,
            powered: up.then_some(now),
            connected: up.then_some(now),
        });
    }

    /// The modem acks a vote.
    pub fn acked(&mut self, now: Duration) {
        if let Some(open) = &mut self.open {
            open.acked.get_or_insert(now);
        }
    }

    /// The power line rises.
    pub fn powered(&mut self, now: Duration) {
        if let Some(open) = &mut self.open {
            open.powered.get_or_insert(now);
        }
    }

    /// Linux acks the rise.
    pub fn connected(&mut self, now: Duration) {
        let Some(open) = &mut self.open else { return };
        if open.connected.is_none() {
            open.connected = Some(now);
            open.wake.connect_us = open.ready().map(|ready| micros(ready, now));
        }
    }

    /// Linux sends a frame.
    pub fn frame(&mut self, now: Duration) {
        let Some(open) = &mut self.open else { return };
        let (Some(ready), Some(connected)) = (open.ready(), open.connected) else {
            return;
        };
        open.wake.frame_us = Some(micros(ready.max(connected), now));
        self.end();
    }

    /// Linux lets go, the power falls, or the modem dies: no frame will come.
    pub fn end(&mut self) {
        let Some(open) = self.open.take() else { return };
        // A vote that the modem never answered is none of Linux' time.
        if open.ready().is_some() {
            self.done.truncate(KEPT - 1);
            self.done.push_front(open.wake);
        }
    }

    /// Those that are over, the newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Wake> {
        self.done.iter().copied().collect()
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    /// The modem's own time, to ack and to power up, is not counted; Linux' is.
    #[test]
    fn only_linux_own_time() {
        let mut wakes = Wakes::default();
        wakes.vote(us(0), false);
        wakes.acked(us(2000));
        wakes.powered(us(2500));
        wakes.connected(us(3100));
        wakes.frame(us(3400));
        wakes.frame(us(9000));
        let wake = Wake {
            connect_us: Some(600),
            frame_us: Some(300),
        };
        assert_eq!(wakes.list(), [wake]);
    }

    /// A vote while the power is up waits for its ack only.
    #[test]
    fn vote_with_power() {
        let mut wakes = Wakes::default();
        wakes.vote(us(100), true);
        wakes.acked(us(400));
        wakes.frame(us(450));
        let wake = Wake {
            connect_us: None,
            frame_us: Some(50),
        };
        assert_eq!(wakes.list(), [wake]);
    }

    /// A frame that was sent before the modem had answered tells nothing; nor does a vote that
    /// was never answered.
    #[test]
    fn unanswered_votes_do_not_count() {
        let mut wakes = Wakes::default();
        wakes.vote(us(0), true);
        wakes.frame(us(10));
        wakes.end();
        assert_eq!(wakes.list(), []);
    }

    /// Without a frame the wake-up still counts, and the list is bounded.
    #[test]
    fn bounded() {
        let mut wakes = Wakes::default();
        for _ in 0..KEPT + 5 {
            wakes.vote(us(0), false);
            wakes.acked(us(1));
            wakes.powered(us(2));
            wakes.connected(us(3));
        }
        wakes.end();
        assert_eq!(wakes.list().len(), KEPT);
        assert_eq!(wakes.list()[0].frame_us, None);
        wakes.clear();
        assert_eq!(wakes.list(), []);
    }
}
