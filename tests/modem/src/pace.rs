// SPDX-License-Identifier: GPL-2.0
//! How long frames take: rate, latency and bursts of each direction, and the
//! buffers in between. Pure: the time goes in, and what is due comes out.
//!
//! A transfer of Linux goes TX pipe, buffer, radio, network; a packet to Linux
//! goes network, radio, queue, RX pipe. The radio moves in bursts: each gives a
//! direction so many bits, and what is not used is gone with it.

mod change;
mod rate;

use std::collections::VecDeque;
use std::time::Duration;

pub use change::{
    Base,
    Change,
    Figures,
    WrongBurst, //
};
pub use rate::{
    Rate,
    WrongRate, //
};

/// One direction of the radio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Bits per second.
    pub rate: Rate,
    /// Time in the air.
    pub latency: Duration,
}

impl Lane {
    /// No limit and no delay.
    pub const INSTANT: Self = Self {
        rate: Rate::UNLIMITED,
        latency: Duration::ZERO,
    };

    /// Whether frames take no time.
    #[must_use]
    pub fn is_instant(&self) -> bool {
        *self == Self::INSTANT
    }
}

/// How long frames take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From Linux to the network.
    pub uplink: Lane,
    /// From the network to Linux.
    pub downlink: Lane,
    /// Bytes of Linux that the modem keeps until the radio takes them; with that
    /// many, the TX pipe stands still.
    pub uplink_buffer: usize,
    /// The radio's step.
    pub burst: Duration,
}

impl Pace {
    /// Frames take no time: a doorbell takes all transfers before it returns.
    #[must_use]
    pub fn instant() -> Self {
        Self {
            uplink: Lane::INSTANT,
            downlink: Lane::INSTANT,
            uplink_buffer: 32 << 10,
            burst: Duration::from_millis(1),
        }
    }

    /// A phone with MSM8916 in a good cell.
    ///
    /// Measured (public logs of one firmware): a round trip of 39 to 43 ms, here
    /// halved between the directions; bursts to Linux of 500 to 840 frames/s,
    /// but nobody has measured the peak. Assumed: 50 Mbit/s each way, which is
    /// the uplink of LTE category 4 and about what an emulated phone can take;
    /// steps of 1 ms, the subframe of LTE; five steps of buffer.
    #[must_use]
    pub fn msm8916() -> Self {
        let lane = Lane {
            rate: Rate::mbit(50),
            latency: Duration::from_millis(20),
        };
        Self {
            uplink: lane,
            downlink: lane,
            ..Self::instant()
        }
    }
}

/// Bursts that are made up for at most, when the worker comes late.
const MOST_LATE: i64 = 64;

/// What a direction may still send in the present burst.
#[derive(Debug, Default)]
pub struct Budget {
    /// Number of the burst that was last looked at.
    burst: u64,
    /// Bits; below 0 what was borrowed from the bursts to come.
    left: i64,
    /// A frame has been waiting since then: the bursts that have passed were its.
    waits: bool,
}

impl Budget {
    /// Whether the frame that is next may be sent now. It may be larger than what is
    /// left: the following bursts pay for it.
    pub fn allows(&mut self, rate: Rate, burst: Duration, now: Duration) -> bool {
        let Some(grant) = rate.bits_in(burst) else {
            return true;
        };
        let present = number_of(now, burst);
        let passed = present.saturating_sub(self.burst);
        self.burst = self.burst.max(present);
        if passed > 0 {
            let granted = grant.saturating_mul(i64::try_from(passed).unwrap_or(i64::MAX));
            let most = grant.saturating_mul(if self.waits { MOST_LATE } else { 1 });
            self.left = self.left.saturating_add(granted).min(most);
        }
        self.waits = self.left <= 0;
        !self.waits
    }

    /// A frame of so many bytes has been sent.
    pub fn spend(&mut self, bytes: usize) {
        let bits = i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(8);
        self.left = self.left.saturating_sub(bits);
    }

    /// When a frame may be sent, not before `now`.
    #[must_use]
    pub fn next(&self, rate: Rate, burst: Duration, now: Duration) -> Duration {
        let Some(grant) = rate.bits_in(burst).filter(|_| self.left <= 0) else {
            return now;
        };
        // At most 1 + 2^63 / 1, and bursts are short.
        let missing = self.left.unsigned_abs() / grant.unsigned_abs() + 1;
        let number = self.burst.saturating_add(missing);
        let nanos = number.saturating_mul(u64::try_from(burst.as_nanos()).unwrap_or(u64::MAX));
        Duration::from_nanos(nanos).max(now)
    }
}

/// The number of the burst at this time.
fn number_of(now: Duration, burst: Duration) -> u64 {
    u64::try_from(now.as_nanos() / burst.as_nanos().max(1)).unwrap_or(u64::MAX)
}

/// Packets that are on their way, in order.
#[derive(Debug)]
pub struct Air<T> {
    packets: VecDeque<(Duration, T)>,
}

impl<T> Default for Air<T> {
    fn default() -> Self {
        Self {
            packets: VecDeque::new(),
        }
    }
}

impl<T> Air<T> {
    /// A packet sets out.
    pub fn push(&mut self, now: Duration, packet: T) {
        self.packets.push_back((now, packet));
    }

    /// The next packet that has been on its way for `latency`.
    pub fn take_due(&mut self, latency: Duration, now: Duration) -> Option<T> {
        let arrives = self.deadline(latency)?;
        (arrives <= now)
            .then(|| self.packets.pop_front())
            .flatten()
            .map(|(_, packet)| packet)
    }

    /// When the next packet arrives.
    #[must_use]
    pub fn deadline(&self, latency: Duration) -> Option<Duration> {
        self.packets.front().map(|&(since, _)| since + latency)
    }

    /// Packets on their way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}

/// A packet of Linux and its channel.
pub type UplinkPacket = (u8, Vec<u8>);

/// What the modem has taken from Linux and has not passed on yet.
#[derive(Debug, Default)]
pub struct Uplink {
    buffer: VecDeque<UplinkPacket>,
    bytes: usize,
    budget: Budget,
    air: Air<UplinkPacket>,
}

impl Uplink {
    /// Whether a further transfer may be taken.
    #[must_use]
    pub fn has_room(&self, pace: &Pace) -> bool {
        self.bytes < pace.uplink_buffer
    }

    /// Keeps a packet for the radio.
    pub fn push(&mut self, channel: u8, packet: &[u8]) {
        self.bytes += packet.len();
        self.buffer.push_back((channel, packet.to_vec()));
    }

    /// Sends what the rate allows; returns the next packet that has reached the
    /// network.
    pub fn take_due(&mut self, pace: &Pace, now: Duration) -> Option<UplinkPacket> {
        while !self.buffer.is_empty() && self.budget.allows(pace.uplink.rate, pace.burst, now) {
            let Some(packet) = self.buffer.pop_front() else {
                break;
            };
            self.bytes -= packet.1.len();
            self.budget.spend(packet.1.len());
            self.air.push(now, packet);
        }
        self.air.take_due(pace.uplink.latency, now)
    }

    /// The pace has changed: bursts are counted anew.
    pub fn renew_budget(&mut self) {
        self.budget = Budget::default();
    }

    /// When there is something to do.
    #[must_use]
    pub fn deadline(&self, pace: &Pace, now: Duration) -> Option<Duration> {
        let waits = !self.buffer.is_empty();
        let send = waits.then(|| self.budget.next(pace.uplink.rate, pace.burst, now));
        let arrive = self.air.deadline(pace.uplink.latency);
        send.into_iter().chain(arrive).min()
    }

    /// Packets that have not reached the network.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len() + self.air.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
