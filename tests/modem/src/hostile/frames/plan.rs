// SPDX-License-Identifier: GPL-2.0
//! Which items a seed stands for.
//!
//! Items come in blocks of [`BLOCK`]: most are mixed, some are floods of OPEN
//! and CLOSE, some of a single kind, some without any fault.

use std::collections::BTreeMap;

use super::super::{
    Purpose,
    Random, //
};
use super::item::{
    Item,
    Kind, //
};
use super::make;
use crate::dmux::channels::COUNT;
use crate::dmux::frame::{
    Header,
    CLOSE,
    MAGIC, //
};

/// Items of a block.
pub const BLOCK: u32 = 64;
/// Channels that are closed now and then. On the others all that Linux has to
/// deliver is delivered.
const CLOSABLE: usize = 3;
/// Weights of the sorts of blocks: mixed, flood, valid, one kind.
const BLOCKS: [u32; 4] = [90, 4, 3, 3];

/// Weights of the kinds in a mixed block.
const WEIGHTS: [(Kind, u32); Kind::ALL.len()] = [
    (Kind::Valid, 28),
    (Kind::Signal, 3),
    (Kind::Pad, 4),
    (Kind::Magic, 5),
    (Kind::Command, 5),
    (Kind::Channel, 5),
    (Kind::Length, 6),
    (Kind::Mixed, 6),
    (Kind::Noise, 4),
    (Kind::Short, 8),
    (Kind::Tiny, 3),
    (Kind::Empty, 3),
    (Kind::Long, 4),
    (Kind::Full, 4),
    (Kind::Version, 5),
    (Kind::Flood, 3),
    (Kind::FetchHeader, 8),
    (Kind::FetchPayload, 8),
    (Kind::Late, 0),
];
/// Weight of late writes, if they are asked for.
const LATE_WEIGHT: u32 = 10;
/// Highest weight that can be asked for.
const HIGHEST_WEIGHT: u32 = 1000;

/// What a seed decides for the whole of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    seed: u64,
    weights: [u32; Kind::ALL.len()],
    closable: Vec<u8>,
}

impl Plan {
    /// The plan of a seed; with late writes if `late`. `weights` replace the
    /// plan's own ones, if there are any.
    #[must_use]
    pub fn new(seed: u64, late: bool, weights: &BTreeMap<Kind, u32>) -> Self {
        let mut numbers = Random::new(seed, Purpose::FrameProfile, 0);
        let mut table = [0; Kind::ALL.len()];
        for (slot, (kind, weight)) in table.iter_mut().zip(WEIGHTS) {
            let weight = if kind == Kind::Late && late {
                LATE_WEIGHT
            } else {
                weight
            };
            *slot = weight * numbers.between(50, 150);
            if !weights.is_empty() {
                *slot = weights.get(&kind).copied().unwrap_or(0);
                *slot = (*slot).min(HIGHEST_WEIGHT);
            }
        }
        let mut channels: Vec<_> = (0..COUNT).collect();
        let mut closable = Vec::new();
        while closable.len() < CLOSABLE {
            let index = numbers.below(u32::try_from(channels.len()).unwrap_or(0));
            closable.push(channels.swap_remove(index as usize));
        }
        Self {
            seed,
            weights: table,
            closable,
        }
    }

    /// The channels that are closed now and then.
    #[must_use]
    pub fn closable(&self) -> &[u8] {
        &self.closable
    }

    /// The item with this serial number.
    #[must_use]
    pub fn item(&self, serial: u32) -> Item {
        let mut numbers = Random::new(self.seed, Purpose::Frame, u64::from(serial));
        let kind = self.kind(serial, &mut numbers);
        let mut item = make::item(kind, &mut numbers);
        item.after = make::after(&mut numbers);
        self.spare(&mut item.header, &mut numbers);
        if let Some(header) = item.rewrite.as_mut().and_then(|r| r.header.as_mut()) {
            self.spare(header, &mut numbers);
        }
        item
    }

    fn kind(&self, serial: u32, numbers: &mut Random) -> Kind {
        let block = u64::from(serial / BLOCK) + 1;
        let mut block = Random::new(self.seed, Purpose::FrameProfile, block);
        match block.weighted(&BLOCKS) {
            Some(1) if self.weight(Kind::Flood) > 0 => Kind::Flood,
            Some(2) if self.weight(Kind::Valid) > 0 => Kind::Valid,
            Some(3) => self.mixed(&mut block),
            _ => self.mixed(numbers),
        }
    }

    fn mixed(&self, numbers: &mut Random) -> Kind {
        let index = numbers.weighted(&self.weights).unwrap_or(0);
        Kind::ALL.get(index).copied().unwrap_or(Kind::Valid)
    }

    fn weight(&self, kind: Kind) -> u32 {
        self.weights[kind as usize]
    }

    /// Only closable channels are closed.
    fn spare(&self, header: &mut Header, numbers: &mut Random) {
        let closes = header.magic == MAGIC && header.cmd == CLOSE;
        if closes && header.channel < COUNT && !self.closable.contains(&header.channel) {
            header.channel = numbers.one_of(&self.closable).copied().unwrap_or(COUNT);
        }
    }
}
