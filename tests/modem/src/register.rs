// SPDX-License-Identifier: GPL-2.0
//! Blocks of 32-bit registers with declared semantics.
//!
//! A [`Block`] is built from a table of [`Register`]s. It stores values and
//! applies masks; what a write means beyond that is for the device to decide
//! from the [`Outcome`] it gets back. Nothing here calls back into a device,
//! and no access, however odd, panics.

use std::collections::BTreeMap;

/// What a write by the guest does to a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access<R> {
    /// Nothing.
    ReadOnly,
    /// The bits of the mask take the written value.
    ReadWrite(u32),
    /// Bits written as 1 are cleared in another register; reads as 0.
    Clears(R),
}

/// One register: name, place, semantics and value after reset.
#[derive(Debug, Clone, Copy)]
pub struct Register<R> {
    /// How the device calls it.
    pub id: R,
    /// Byte offset in the block, a multiple of 4.
    pub offset: u64,
    /// What a write does.
    pub access: Access<R>,
    /// Value after reset.
    pub reset: u32,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<R> {
    /// The register took the value (as far as its mask allows).
    Written {
        /// Which register.
        id: R,
        /// The value as the guest wrote it.
        value: u32,
    },
    /// There is no register at that offset.
    Unmapped,
    /// Not an aligned access of 4 bytes; ignored.
    Malformed,
}

/// A block of registers.
#[derive(Debug, Clone)]
pub struct Block<R> {
    table: BTreeMap<u64, Register<R>>,
    values: BTreeMap<R, u32>,
}

impl<R: Copy + Ord> Block<R> {
    /// A block with all registers at their reset values.
    #[must_use]
    pub fn new(registers: &[Register<R>]) -> Self {
        let table = registers.iter().map(|r| (r.offset, *r)).collect();
        let mut block = Self {
            table,
            values: BTreeMap::new(),
        };
        block.reset(|_| true);
        block
    }

    /// Gives all registers that `which` selects their reset values.
    pub fn reset(&mut self, which: impl Fn(R) -> bool) {
        for register in self.table.values().filter(|r| which(r.id)) {
            self.values.insert(register.id, register.reset);
        }
    }

    /// The value of a register, 0 if the block has none of that name.
    #[must_use]
    pub fn get(&self, id: R) -> u32 {
        self.values.get(&id).copied().unwrap_or(0)
    }

    /// Sets a register from the device's side, whatever the guest may do.
    pub fn set(&mut self, id: R, value: u32) {
        if let Some(slot) = self.values.get_mut(&id) {
            *slot = value;
        }
    }

    /// The register at an offset.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<R> {
        self.table.get(&offset).map(|register| register.id)
    }

    /// Fills `data` with the bytes from `offset` on. Returns false if the
    /// access was not an aligned one of 4 bytes to a register: such bytes are
    /// still right where there is a register and 0 elsewhere.
    pub fn read(&self, offset: u64, data: &mut [u8]) -> bool {
        let mut hit = false;
        for (at, byte) in (offset..=u64::MAX).zip(data.iter_mut()) {
            let register = self.table.get(&(at & !3));
            hit |= register.is_some();
            let value = register.map_or(0, |r| self.readable(r));
            *byte = value.to_le_bytes()[(at & 3) as usize];
        }
        hit && is_word(offset, data.len())
    }

    /// Writes `data` at `offset` as the guest.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Outcome<R> {
        let Ok(bytes) = <[u8; 4]>::try_from(data) else {
            return Outcome::Malformed;
        };
        if !is_word(offset, data.len()) {
            return Outcome::Malformed;
        }
        let Some(register) = self.table.get(&offset).copied() else {
            return Outcome::Unmapped;
        };
        let value = u32::from_le_bytes(bytes);
        match register.access {
            Access::ReadOnly => {}
            Access::ReadWrite(mask) => {
                let old = self.get(register.id);
                self.set(register.id, (old & !mask) | (value & mask));
            }
            Access::Clears(target) => {
                let left = self.get(target) & !value;
                self.set(target, left);
            }
        }
        Outcome::Written {
            id: register.id,
            value,
        }
    }

    fn readable(&self, register: &Register<R>) -> u32 {
        match register.access {
            Access::Clears(_) => 0,
            _ => self.get(register.id),
        }
    }
}

fn is_word(offset: u64, len: usize) -> bool {
    len == 4 && offset.is_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: [Register<char>; 4] = [
        Register {
            id: 'c',
            offset: 0,
            access: Access::ReadWrite(0x0f),
            reset: 0x30,
        },
        Register {
            id: 's',
            offset: 8,
            access: Access::ReadOnly,
            reset: 0xff,
        },
        Register {
            id: 'x',
            offset: 12,
            access: Access::Clears('s'),
            reset: 0,
        },
        Register {
            id: 'w',
            offset: 16,
            access: Access::ReadWrite(u32::MAX),
            reset: 0,
        },
    ];

    /// A write changes the bits of the mask and no others.
    #[test]
    fn mask_limits_writes() {
        let mut block = Block::new(&TABLE);
        block.write(0, &0xffff_ffffu32.to_le_bytes());
        assert_eq!(block.get('c'), 0x3f);
    }

    /// Ones written to the clear register clear the status, zeros keep it.
    #[test]
    fn write_one_clears() {
        let mut block = Block::new(&TABLE);
        block.write(8, &0u32.to_le_bytes());
        assert_eq!(block.get('s'), 0xff, "the status itself is read-only");
        block.write(12, &0x0fu32.to_le_bytes());
        assert_eq!(block.get('s'), 0xf0);
        let mut data = [0xaa; 4];
        assert!(block.read(12, &mut data));
        assert_eq!(data, [0; 4]);
    }

    /// Only aligned words count as accesses that a driver would make.
    #[test]
    fn odd_accesses_are_told() {
        let mut block = Block::new(&TABLE);
        assert_eq!(block.write(16, &[1, 2]), Outcome::Malformed);
        assert_eq!(block.write(17, &[1, 2, 3, 4]), Outcome::Malformed);
        assert_eq!(block.write(4, &[1, 2, 3, 4]), Outcome::Unmapped);
        let mut two = [0; 2];
        assert!(!block.read(8, &mut two));
        assert_eq!(two, [0xff, 0]);
    }

    proptest! {
        /// No sequence of accesses panics or changes a read-only bit.
        #[test]
        fn any_access_is_survived(accesses in prop::collection::vec(
            (prop_oneof![0u64..40, any::<u64>()], prop::collection::vec(any::<u8>(), 0..20), any::<bool>()), 0..64))
        {
            let mut block = Block::new(&TABLE);
            for (offset, mut data, write) in accesses {
                if write {
                    block.write(offset, &data);
                } else {
                    block.read(offset, &mut data);
                }
                prop_assert_eq!(block.get('c') & !0x0f, 0x30);
                prop_assert_eq!(block.get('s') & !0xff, 0);
            }
        }
    }
}
