// SPDX-License-Identifier: GPL-2.0
//! The guest's memory as the device sees it.
//!
//! Mappings come and go by the VMM's messages. The owner of a [`GuestMemory`]
//! keeps it under one lock with everything that does DMA, so that no transfer
//! runs across an unmap.

use std::fs::File;
use std::sync::atomic::{
    fence,
    Ordering, //
};
use std::sync::Arc;

use vm_memory::{
    Bytes,
    FileOffset,
    GuestAddress,
    GuestMemory as _,
    GuestMemoryMmap,
    GuestRegionMmap,
    MmapRegion,
    Permissions, //
};

/// A bus address outside of every mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("DMA of {len} bytes at {address:#x} is outside of what the guest has mapped")]
pub struct OutsideMapping {
    /// Bus address of the access.
    pub address: u64,
    /// Its length in bytes.
    pub len: usize,
}

/// A mapping that could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// The file could not be mapped into this process.
    #[error("cannot map {size} bytes of guest memory: {reason}")]
    Mmap {
        /// Size of the mapping in bytes.
        size: u64,
        /// What the mapping failed with.
        reason: String,
    },
    /// The mapping overlaps another, or there is none at that place.
    #[error("no such place for a mapping of {size} bytes at {address:#x}: {reason}")]
    Place {
        /// Bus address of the mapping.
        address: u64,
        /// Its size in bytes.
        size: u64,
        /// What the memory map says.
        reason: String,
    },
}

/// All memory that the guest has mapped for DMA.
#[derive(Debug, Default)]
pub struct GuestMemory {
    map: GuestMemoryMmap,
}

impl GuestMemory {
    /// Nothing mapped.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Maps `size` bytes of `file` from `offset` on at bus address `address`.
    ///
    /// # Errors
    /// The file cannot be mapped, or the range overlaps another mapping.
    pub fn map(
        &mut self,
        file: File,
        offset: u64,
        address: u64,
        size: u64,
    ) -> Result<(), MapError> {
        let mmap = |reason: String| MapError::Mmap { size, reason };
        let len = usize::try_from(size).map_err(|e| mmap(e.to_string()))?;
        let region = MmapRegion::from_file(FileOffset::new(file, offset), len)
            .map_err(|e| mmap(e.to_string()))?;
        self.insert(region, address, size)
    }

    /// Maps zeroed memory of this process instead of a guest's.
    ///
    /// # Errors
    /// As [`GuestMemory::map`].
    pub fn map_anonymous(&mut self, address: u64, size: u64) -> Result<(), MapError> {
        let mmap = |reason: String| MapError::Mmap { size, reason };
        let len = usize::try_from(size).map_err(|e| mmap(e.to_string()))?;
        let region = MmapRegion::new(len).map_err(|e| mmap(e.to_string()))?;
        self.insert(region, address, size)
    }

    fn insert(&mut self, region: MmapRegion, address: u64, size: u64) -> Result<(), MapError> {
        let place = |reason: String| MapError::Place {
            address,
            size,
            reason,
        };
        let region = GuestRegionMmap::new(region, GuestAddress(address))
            .ok_or_else(|| place("the range ends beyond the address space".into()))?;
        self.map = self
            .map
            .insert_region(Arc::new(region))
            .map_err(|e| place(e.to_string()))?;
        Ok(())
    }

    /// Removes the mapping of `size` bytes at `address`.
    ///
    /// # Errors
    /// There is no such mapping.
    pub fn unmap(&mut self, address: u64, size: u64) -> Result<(), MapError> {
        let place = |reason: String| MapError::Place {
            address,
            size,
            reason,
        };
        let (map, _) = self
            .map
            .remove_region(GuestAddress(address), size)
            .map_err(|e| place(e.to_string()))?;
        self.map = map;
        Ok(())
    }

    /// Removes all mappings.
    pub fn unmap_all(&mut self) {
        self.map = GuestMemoryMmap::default();
    }

    /// Reads `data.len()` bytes at `address`.
    ///
    /// # Errors
    /// Not all of the range is mapped; `data` is then not meaningful.
    pub fn read(&self, address: u64, data: &mut [u8]) -> Result<(), OutsideMapping> {
        // The doorbell that led here was read after the guest's writes.
        fence(Ordering::Acquire);
        let len = data.len();
        self.map
            .read_slice(data, GuestAddress(address))
            .map_err(|_| OutsideMapping { address, len })
    }

    /// Writes `data` at `address`.
    ///
    /// # Errors
    /// Not all of the range is mapped; then nothing is written.
    pub fn write(&self, address: u64, data: &[u8]) -> Result<(), OutsideMapping> {
        let len = data.len();
        let outside = OutsideMapping { address, len };
        if !self
            .map
            .check_range(GuestAddress(address), len, Permissions::Write)
        {
            return Err(outside);
        }
        self.map
            .write_slice(data, GuestAddress(address))
            .map_err(|_| outside)?;
        // Before the registers and the interrupt that tell of it.
        fence(Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Data written by DMA is read back; beyond the mapping both fail.
    #[test]
    fn inside_and_outside() {
        let mut memory = GuestMemory::new();
        memory.map_anonymous(0x4000_0000, 0x2000).unwrap();
        memory.write(0x4000_1ffc, &[1, 2, 3, 4]).unwrap();
        let mut data = [0; 4];
        memory.read(0x4000_1ffc, &mut data).unwrap();
        assert_eq!(data, [1, 2, 3, 4]);
        assert!(memory.write(0x4000_1ffd, &[9; 4]).is_err());
        memory.read(0x4000_1ffc, &mut data).unwrap();
        assert_eq!(data, [1, 2, 3, 4], "a failed write leaves no part");
        assert!(memory.read(u64::MAX - 1, &mut data).is_err());
    }

    /// After an unmap the range is outside.
    #[test]
    fn unmapped_is_outside() {
        let mut memory = GuestMemory::new();
        memory.map_anonymous(0, 0x1000).unwrap();
        memory.map_anonymous(0x10_0000, 0x1000).unwrap();
        assert!(memory.map_anonymous(0x10_0000, 0x1000).is_err(), "overlap");
        memory.unmap(0x10_0000, 0x1000).unwrap();
        assert!(memory.read(0x10_0000, &mut [0; 8]).is_err());
        assert!(memory.read(0, &mut [0; 8]).is_ok());
        assert!(memory.unmap(0x10_0000, 0x1000).is_err());
    }
}
