// SPDX-License-Identifier: GPL-2.0
//! Payloads that say which frame they belong to, and whose every byte can be
//! computed from that.
//!
//! ```text
//! byte 0        as the item says: its upper half is the IP version
//!      1        variant: 0 as completed, 1 rewritten afterwards, 2 late write
//!      2 to 5   serial number, least significant byte first
//!      6        59: for IPv6 "no next header", for IPv4 not the first fragment
//!      7        channel of the header
//!      8, 9     length of the header, least significant byte first
//!      10, 11   bytes of the payload that were transferred, likewise
//!      12 to 39 the table, from the place on that the serial number says
//!      40 ...   the table, from the place on that serial number and variant say
//! ```
//!
//! Bytes 0 to 39 are the same in all variants but for byte 1: network stacks
//! look at them more than once, and are entitled to.

use super::super::{
    Purpose,
    Random, //
};
use super::item::{
    Item,
    BUFFER, //
};
use crate::dmux::frame::HEADER;

/// As completed.
pub const FIRST: u8 = 0;
/// As rewritten after the completion.
pub const REWRITTEN: u8 = 1;
/// As written to a buffer that was given back.
pub const LATE: u8 = 2;

/// Places in the table where a payload may begin.
const PLACES: u32 = 1 << 16;
/// Bytes that are not from the table.
pub const INTRODUCTION: usize = 12;
/// From here on variants differ.
pub const VARYING: usize = 40;
/// IPv6: no header follows. As the upper byte of IPv4's fragment field it
/// makes a later fragment.
const NO_NEXT_HEADER: u8 = 59;

/// Random bytes that payloads are slices of.
#[derive(Debug)]
pub struct Table(Vec<u8>);

impl Table {
    /// The bytes that a seed stands for.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let len = PLACES as usize + usize::from(BUFFER);
        Self(Random::new(seed, Purpose::Payload, 0).bytes(len))
    }

    /// The bytes themselves.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn place(serial: u32, variant: u8) -> usize {
        let place = serial
            .wrapping_mul(40_503)
            .wrapping_add(u32::from(variant).wrapping_mul(12_289));
        (place % PLACES) as usize
    }

    /// What a transfer writes: header and payload in one piece.
    #[must_use]
    pub fn transfer(&self, item: &Item, serial: u32, variant: u8) -> Vec<u8> {
        let len = item.payload_transferred();
        let mut bytes = Vec::with_capacity(usize::from(BUFFER));
        bytes.extend_from_slice(&item.header.bytes());
        bytes.extend_from_slice(&[item.first, variant]);
        bytes.extend_from_slice(&serial.to_le_bytes());
        bytes.extend_from_slice(&[NO_NEXT_HEADER, item.header.channel]);
        bytes.extend_from_slice(&item.header.len.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(len).unwrap_or(0).to_le_bytes());
        let (fixed, varying) = (Self::place(serial, FIRST), Self::place(serial, variant));
        bytes.extend_from_slice(&self.0[fixed + INTRODUCTION..fixed + VARYING]);
        if len > VARYING {
            bytes.extend_from_slice(&self.0[varying + VARYING..varying + len]);
        }
        bytes.truncate(item.transferred());
        bytes
    }

    /// What is written over a transfer to rewrite it: offsets in the buffer
    /// and bytes. Nothing goes beyond what was transferred.
    #[must_use]
    pub fn rewrite(&self, item: &Item, serial: u32) -> Vec<(usize, Vec<u8>)> {
        let mut writes = Vec::new();
        let Some(rewrite) = item.rewrite else {
            return writes;
        };
        if rewrite.payload {
            let bytes = self.transfer(item, serial, REWRITTEN);
            for (from, to) in [(HEADER + 1, HEADER + 2), (HEADER + VARYING, bytes.len())] {
                if let Some(part) = bytes.get(from..to).filter(|part| !part.is_empty()) {
                    writes.push((from, part.to_vec()));
                }
            }
        }
        if let Some(header) = rewrite.header {
            let len = item.transferred().min(HEADER);
            writes.push((0, header.bytes()[..len].to_vec()));
        }
        writes
    }
}
