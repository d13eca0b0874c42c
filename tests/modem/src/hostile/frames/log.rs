// SPDX-License-Identifier: GPL-2.0
//! A record of each frame, as it was written, in a file.
//!
//! 32 bytes each, numbers with the least significant byte first:
//!
//! ```text
//! 0  serial number, 4 bytes        12 bytes transferred, 2 bytes
//! 4  bus address, 4 bytes          14 0, 2 bytes
//! 8  kind, as numbered in Kind     16 header, 8 bytes
//! 9  flags, see below              24 header that it was rewritten to, 8 bytes
//! 10 first byte of the payload
//! 11 0
//! ```

use std::fs::File;
use std::io::{
    BufWriter,
    Result,
    Write as _, //
};
use std::path::Path;

use super::item::Item;

/// The header was to be rewritten.
pub const HEADER_CHANGES: u8 = 1;
/// The payload was to be rewritten.
pub const PAYLOAD_CHANGES: u8 = 2;
/// It was written to a buffer that had been given back.
pub const LATE: u8 = 4;
/// It did not reach Linux' memory as a whole.
pub const DAMAGED: u8 = 8;

/// The file.
#[derive(Debug)]
pub struct Log(BufWriter<File>);

impl Log {
    /// Makes the file, or empties it.
    ///
    /// # Errors
    /// As those of files.
    pub fn create(path: &Path) -> Result<Self> {
        Ok(Self(BufWriter::new(File::create(path)?)))
    }

    /// Adds a record.
    ///
    /// # Errors
    /// As those of files.
    pub fn add(&mut self, serial: u32, item: &Item, address: u32, flags: u8) -> Result<()> {
        self.0.write_all(&record(serial, item, address, flags))
    }

    /// Brings all records to the file.
    ///
    /// # Errors
    /// As those of files.
    pub fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}

/// The bytes of a record.
#[must_use]
pub fn record(serial: u32, item: &Item, address: u32, flags: u8) -> [u8; 32] {
    let rewrite = item.rewrite.as_ref();
    let other = rewrite.and_then(|rewrite| rewrite.header);
    let mut flags = flags;
    if other.is_some() {
        flags |= HEADER_CHANGES;
    }
    if rewrite.is_some_and(|rewrite| rewrite.payload) {
        flags |= PAYLOAD_CHANGES;
    }
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&serial.to_le_bytes());
    bytes[4..8].copy_from_slice(&address.to_le_bytes());
    bytes[8..11].copy_from_slice(&[item.kind as u8, flags, item.first]);
    let transferred = u16::try_from(item.transferred()).unwrap_or(0);
    bytes[12..14].copy_from_slice(&transferred.to_le_bytes());
    bytes[16..24].copy_from_slice(&item.header.bytes());
    if let Some(header) = other {
        bytes[24..].copy_from_slice(&header.bytes());
    }
    bytes
}
