// SPDX-License-Identifier: GPL-2.0
//! Shared memory (SMEM) with the heap layout, version 11, as the boot loader
//! of a phone leaves it. Source of the layout: drivers/soc/qcom/smem.c.
//!
//! Both sides have it mapped: words and bytes are accessed by single atomic
//! accesses, longer things copied as volatile memory.

use std::fs::File;
use std::os::fd::{
    AsRawFd,
    RawFd, //
};
use std::sync::atomic::Ordering;

use nix::fcntl::{
    fallocate,
    FallocateFlags, //
};
use vm_memory::{
    Bytes,
    FileOffset,
    MmapRegion,
    VolatileMemory, //
};

/// Size of the region in bytes.
pub const SIZE: u64 = 0x20_0000;

const VERSION_WORD: u64 = 0x5c;
const HEAP_VERSION: u32 = 11 << 16;
const INITIALIZED: u64 = 0xc0;
const FREE_OFFSET: u64 = 0xc4;
const AVAILABLE: u64 = 0xc8;
const TOC: u64 = 0xd0;
const TOC_ENTRY: u64 = 16;
const HEAP: u64 = 0x20d0;
/// The last page is the partition table; the heap stays off it.
const PARTITION_TABLE: u64 = 0x1000;
const PARTITION_MAGIC: u32 = u32::from_le_bytes(*b"$TOC");
const PARTITION_VERSION: u32 = 1;

/// SMSM's table of state words.
pub const ITEM_SMSM_STATE: u32 = 85;
/// SMSM's table of subscriptions.
pub const ITEM_SMSM_MASK: u32 = 333;
/// Sizes of SMSM's tables.
pub const ITEM_SMSM_SIZE: u32 = 419;

/// Why there is no shared memory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel gave no memory file.
    #[error("cannot make the memory file for SMEM: {0}")]
    Create(#[from] std::io::Error),
    /// The file could not be mapped.
    #[error("cannot map SMEM: {0}")]
    Map(String),
}

/// The shared memory, and the file behind it for the VMM to map.
#[derive(Debug)]
pub struct Smem {
    file: File,
    map: MmapRegion,
}

impl Smem {
    /// Makes the memory; all zero, [`Smem::format`] fills it.
    ///
    /// # Errors
    /// The kernel refuses the memory file or its mapping.
    pub fn new() -> Result<Self, Error> {
        let flags = nix::sys::memfd::MFdFlags::MFD_CLOEXEC;
        let fd = nix::sys::memfd::memfd_create("smem", flags).map_err(std::io::Error::from)?;
        let file = File::from(fd);
        file.set_len(SIZE)?;
        let copy = file.try_clone()?;
        let len = usize::try_from(SIZE).map_err(|e| Error::Map(e.to_string()))?;
        let map = MmapRegion::from_file(FileOffset::new(copy, 0), len)
            .map_err(|e| Error::Map(e.to_string()))?;
        Ok(Self { file, map })
    }

    /// The file behind the memory.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Reads the word at a byte offset; 0 outside.
    #[must_use]
    pub fn load(&self, offset: u64) -> u32 {
        usize::try_from(offset)
            .ok()
            .and_then(|at| self.map.as_volatile_slice().load(at, Ordering::SeqCst).ok())
            .unwrap_or(0)
    }

    /// Writes the word at a byte offset; nothing outside.
    pub fn store(&self, offset: u64, value: u32) {
        if let Ok(at) = usize::try_from(offset) {
            // Fails only outside of the memory.
            let _ = self
                .map
                .as_volatile_slice()
                .store(value, at, Ordering::SeqCst);
        }
    }

    /// Reads the byte at an offset; 0 outside.
    #[must_use]
    pub fn load_byte(&self, offset: u64) -> u8 {
        usize::try_from(offset)
            .ok()
            .and_then(|at| self.map.as_volatile_slice().load(at, Ordering::SeqCst).ok())
            .unwrap_or(0)
    }

    /// Writes the byte at an offset, and no other; nothing outside.
    pub fn store_byte(&self, offset: u64, value: u8) {
        if let Ok(at) = usize::try_from(offset) {
            // Fails only outside of the memory.
            let _ = self
                .map
                .as_volatile_slice()
                .store(value, at, Ordering::SeqCst);
        }
    }

    /// Copies bytes out, from an offset on; as many as there are. Not atomic:
    /// what the guest changes meanwhile may come half old and half new.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) {
        if let Ok(at) = usize::try_from(offset) {
            // Fails only outside of the memory.
            let _ = self.map.as_volatile_slice().read(bytes, at);
        }
    }

    /// Copies bytes in, from an offset on; as many as there is room for. Not
    /// atomic; a store after it makes it known.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        if let Ok(at) = usize::try_from(offset) {
            // Fails only outside of the memory.
            let _ = self.map.as_volatile_slice().write(bytes, at);
        }
    }

    /// Erases everything and writes an empty heap.
    pub fn format(&self) {
        self.erase();
        self.store(VERSION_WORD, HEAP_VERSION);
        self.store(FREE_OFFSET, word(HEAP));
        self.store(AVAILABLE, word(SIZE - PARTITION_TABLE - HEAP));
        // A table of no partitions. Without one smem.c never initialises the
        // lock of its own list, which lockdep reports when the driver goes.
        self.store(SIZE - PARTITION_TABLE, PARTITION_MAGIC);
        self.store(SIZE - PARTITION_TABLE + 4, PARTITION_VERSION);
        self.store(INITIALIZED, 1);
    }

    /// Gives the pages back, which come anew as zeros, also where the guest has them mapped.
    fn erase(&self) {
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        if fallocate(&self.file, hole, 0, SIZE.cast_signed()).is_ok() {
            return;
        }
        let page = [0u8; 0x1000];
        for at in (0..self.map.size()).step_by(page.len()) {
            // In range by construction.
            let _ = self.map.as_volatile_slice().write_slice(&page, at);
        }
    }

    /// Allocates `size` bytes for an item before Linux runs; afterwards the
    /// heap is Linux' to change, under the mutex. Returns the offset.
    #[must_use]
    pub fn allocate(&self, item: u32, size: u32) -> u64 {
        let rounded = size.next_multiple_of(8);
        let offset = self.load(FREE_OFFSET);
        let entry = TOC + u64::from(item) * TOC_ENTRY;
        self.store(entry + 4, offset);
        self.store(entry + 8, rounded);
        self.store(entry, 1);
        self.store(FREE_OFFSET, offset + rounded);
        self.store(AVAILABLE, self.load(AVAILABLE) - rounded);
        u64::from(offset)
    }
}

/// Offsets in the region fit in a word.
fn word(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header is what smem.c asks for before it accepts the region.
    #[test]
    fn header() {
        let smem = Smem::new().unwrap();
        smem.format();
        assert_eq!(smem.load(0x5c) >> 16, 11);
        assert_eq!(smem.load(0xc0), 1);
        assert_eq!(smem.load(0xcc), 0, "reserved");
        let end = u64::from(smem.load(0xc4)) + u64::from(smem.load(0xc8));
        assert!(end <= SIZE - 0x1000);
        assert_eq!(smem.load(SIZE - 0x1000).to_le_bytes(), *b"$TOC");
        assert_eq!(
            smem.load(SIZE - 0x1000 + 4),
            1,
            "version of the partition table"
        );
        assert_eq!(smem.load(SIZE - 0x1000 + 8), 0, "no partitions");
        assert_eq!(
            smem.load(0xc4),
            0x20d0,
            "the heap begins behind 512 entries"
        );
    }

    /// An item has its entry and lies inside the heap, rounded to 8 bytes.
    #[test]
    fn items() {
        let smem = Smem::new().unwrap();
        smem.format();
        let first = smem.allocate(85, 33);
        let second = smem.allocate(511, 8);
        assert_eq!(first, 0x20d0);
        assert_eq!(second, first + 40);
        let entry = 0xd0 + 85 * 16;
        assert_eq!(smem.load(entry), 1);
        assert_eq!(u64::from(smem.load(entry + 4)), first);
        assert_eq!(smem.load(entry + 8), 40);
        assert_eq!(smem.load(entry + 12), 0, "main region");
        assert_eq!(smem.load(0xc4) + smem.load(0xc8), 0x1f_f000);
    }

    /// A second format leaves nothing of the first life.
    #[test]
    fn format_erases() {
        let smem = Smem::new().unwrap();
        smem.format();
        let at = smem.allocate(85, 32);
        smem.store(at, 0xdead_beef);
        smem.format();
        assert_eq!(smem.load(at), 0);
        assert_eq!(smem.load(0xd0 + 85 * 16), 0);
    }

    /// Offsets outside of the region and odd ones are harmless.
    #[test]
    fn outside_is_harmless() {
        let smem = Smem::new().unwrap();
        for offset in [SIZE, SIZE - 3, u64::MAX, 1] {
            smem.store(offset, 1);
            let _ = smem.load(offset);
            smem.write(offset, &[1; 5]);
            smem.read(offset, &mut [0; 5]);
        }
        smem.store_byte(SIZE, 1);
        assert_eq!(smem.load_byte(SIZE), 0);
    }
}
