// SPDX-License-Identifier: GPL-2.0
//! The queue of transfers to Linux, and their corruption on request.

use std::collections::VecDeque;

use serde::Deserialize;

use super::frame::{
    open,
    transfer,
    Header,
    HEADER, //
};
use crate::counters::Counters;

/// Transfers that may wait; beyond it, what commands send is dropped.
pub const LIMIT: usize = 1024;
/// From this many on no packets are taken from the network.
const NETWORK_LIMIT: usize = 128;

/// A field of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// `magic`, 16 bits.
    Magic,
    /// `signal`, 8 bits.
    Signal,
    /// `cmd`, 8 bits.
    Cmd,
    /// `pad`, 8 bits.
    Pad,
    /// `channel`, 8 bits.
    Channel,
    /// `len`, 16 bits.
    Len,
}

/// A wish to alter the next frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corruption {
    /// What to overwrite.
    pub field: Field,
    /// With what; cut to the field's width.
    pub value: u16,
    /// In how many frames.
    pub count: u64,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Downlink {
    queue: VecDeque<Vec<u8>>,
    corruption: Option<Corruption>,
    starved: bool,
}

impl Downlink {
    /// Queues a well-formed frame, or what corruption makes of it.
    pub fn frame(&mut self, cmd: u8, channel: u8, payload: &[u8], counters: &mut Counters) {
        self.corruptible(transfer(cmd, channel, payload), counters);
    }

    /// Queues an OPEN with this signal byte, or what corruption makes of it.
    pub fn open(&mut self, channel: u8, signal: u8, counters: &mut Counters) {
        self.corruptible(open(channel, signal), counters);
    }

    fn corruptible(&mut self, mut bytes: Vec<u8>, counters: &mut Counters) {
        self.corrupt(&mut bytes, counters);
        self.raw(bytes, counters);
    }

    /// Queues bytes as one transfer.
    pub fn raw(&mut self, bytes: Vec<u8>, counters: &mut Counters) {
        if self.queue.len() >= LIMIT {
            counters.downlink_queue_full += 1;
        } else {
            self.queue.push_back(bytes);
        }
    }

    /// Alters the next frames; replaces an older wish.
    pub fn set_corruption(&mut self, corruption: Corruption) {
        self.corruption = Some(corruption);
    }

    fn corrupt(&mut self, bytes: &mut [u8], counters: &mut Counters) {
        let Some(wish) = self.corruption.as_mut().filter(|wish| wish.count > 0) else {
            return;
        };
        let Some(mut header) = Header::parse(bytes) else {
            return;
        };
        let byte = wish.value.to_le_bytes()[0];
        match wish.field {
            Field::Magic => header.magic = wish.value,
            Field::Signal => header.signal = byte,
            Field::Cmd => header.cmd = byte,
            Field::Pad => header.pad = byte,
            Field::Channel => header.channel = byte,
            Field::Len => header.len = wish.value,
        }
        bytes[..HEADER].copy_from_slice(&header.bytes());
        wish.count -= 1;
        counters.corrupted += 1;
    }

    /// The transfer that is next, if any.
    #[must_use]
    pub fn front(&self) -> Option<&[u8]> {
        self.queue.front().map(Vec::as_slice)
    }

    /// Removes the transfer that [`Downlink::front`] gave: it is delivered.
    pub fn pop(&mut self) {
        self.queue.pop_front();
        self.starved = false;
    }

    /// There was no descriptor; counted once until something is delivered.
    pub fn starve(&mut self, counters: &mut Counters) {
        counters.rx_starved += u64::from(!std::mem::replace(&mut self.starved, true));
    }

    /// Whether the first transfer waits for a descriptor.
    #[must_use]
    pub fn is_starved(&self) -> bool {
        self.starved
    }

    /// Transfers that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many of `wanted` transfers there is room for. The others count as dropped without being
    /// made: somebody may ask for thousands of millions.
    pub fn admit(&self, wanted: u32, counters: &mut Counters) -> u32 {
        let room = LIMIT.saturating_sub(self.queue.len());
        let admitted = wanted.min(u32::try_from(room).unwrap_or(u32::MAX));
        counters.downlink_queue_full += u64::from(wanted - admitted);
        admitted
    }

    /// Whether packets from the network should wait in the network.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.queue.len() >= NETWORK_LIMIT
    }

    /// Drops all that waits and all wishes.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::DATA;
    use super::*;

    /// Transfers come out in order, and the queue is bounded.
    #[test]
    fn ordered_and_bounded() {
        let mut counters = Counters::default();
        let mut downlink = Downlink::default();
        for i in 0..LIMIT + 3 {
            downlink.raw(i.to_le_bytes().to_vec(), &mut counters);
        }
        assert_eq!(counters.downlink_queue_full, 3);
        assert!(downlink.is_busy());
        for i in 0..LIMIT {
            assert_eq!(downlink.front(), Some(&i.to_le_bytes()[..]));
            downlink.pop();
        }
        assert!(downlink.is_empty() && !downlink.is_busy());
    }

    /// Corruption touches its field only, in as many frames as asked for.
    #[test]
    fn corruption() {
        let mut counters = Counters::default();
        let mut downlink = Downlink::default();
        downlink.set_corruption(Corruption {
            field: Field::Len,
            value: 0xffff,
            count: 1,
        });
        downlink.frame(DATA, 1, b"\x45", &mut counters);
        downlink.frame(DATA, 1, b"\x45", &mut counters);
        let bad = Header::parse(downlink.front().unwrap()).unwrap();
        assert_eq!((bad.len, bad.channel, bad.pad), (0xffff, 1, 3));
        downlink.pop();
        assert_eq!(Header::parse(downlink.front().unwrap()).unwrap().len, 1);
        assert_eq!(counters.corrupted, 1);
    }

    /// Starving is counted once per standstill.
    #[test]
    fn starving() {
        let mut counters = Counters::default();
        let mut downlink = Downlink::default();
        downlink.raw(vec![1], &mut counters);
        downlink.starve(&mut counters);
        downlink.starve(&mut counters);
        assert_eq!(counters.rx_starved, 1);
        downlink.pop();
        downlink.starve(&mut counters);
        assert_eq!(counters.rx_starved, 2);
    }

    /// A number of transfers beyond all bounds costs no more than the queue holds.
    #[test]
    fn admits_what_there_is_room_for() {
        let (mut queue, mut counters) = (Downlink::default(), Counters::default());
        queue.raw(vec![0; 8], &mut counters);
        assert_eq!(queue.admit(u32::MAX, &mut counters), 1023);
        assert_eq!(counters.downlink_queue_full, u64::from(u32::MAX) - 1023);
        assert_eq!(queue.admit(5, &mut counters), 5);
    }
}
