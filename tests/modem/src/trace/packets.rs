// SPDX-License-Identifier: GPL-2.0
//! The latest packets, in a bounded number of bytes.

use std::collections::VecDeque;
use std::time::Duration;

use super::Direction;

/// Where a packet is.
#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Duration,
    direction: Direction,
    channel: u8,
    len: usize,
}

/// What an entry costs beside its bytes.
const OVERHEAD: usize = size_of::<Entry>();

/// A ring of packets: their bytes one after the other, and an index.
#[derive(Debug, Clone, Default)]
pub(super) struct Packets {
    limit: usize,
    entries: VecDeque<Entry>,
    bytes: VecDeque<u8>,
    dropped: u64,
}

/// A packet and where it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Time since the start of the process.
    pub at: Duration,
    /// Which way.
    pub direction: Direction,
    /// On which channel.
    pub channel: u8,
    /// All its bytes, in two parts if it lies at the end of the ring.
    pub parts: [&'a [u8]; 2],
}

impl Packets {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, at: Duration, direction: Direction, channel: u8, bytes: &[u8]) {
        let len = bytes.len();
        if len + OVERHEAD > self.limit {
            self.dropped += 1;
            return;
        }
        while self.used() + len + OVERHEAD > self.limit {
            self.drop_oldest();
        }
        self.entries.push_back(Entry {
            at,
            direction,
            channel,
            len,
        });
        self.bytes.extend(bytes);
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bytes.drain(..oldest.len);
            self.dropped += 1;
        }
    }

    fn used(&self) -> usize {
        self.bytes.len() + self.entries.len() * OVERHEAD
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Packet<'_>> {
        let (front, back) = self.bytes.as_slices();
        let mut start = 0;
        self.entries.iter().map(move |entry| {
            let range = start..start + entry.len;
            start = range.end;
            let split = |at: usize| at.saturating_sub(front.len());
            Packet {
                at: entry.at,
                direction: entry.direction,
                channel: entry.channel,
                parts: [
                    &front[range.start.min(front.len())..range.end.min(front.len())],
                    &back[split(range.start)..split(range.end)],
                ],
            }
        })
    }
}
