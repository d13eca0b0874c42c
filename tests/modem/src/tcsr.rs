// SPDX-License-Identifier: GPL-2.0
//! The TCSR hardware mutexes: a register each, one page apart. The modem
//! itself never takes one.

use crate::counters::Counters;

/// Number of mutexes.
const LOCKS: usize = 32;
const STRIDE: u64 = 0x1000;
/// Size of the register space in bytes.
pub const SIZE: u64 = STRIDE * LOCKS as u64;

/// The mutexes; each holds the token of its owner or 0.
#[derive(Debug, Default)]
pub struct Tcsr {
    owners: [u32; LOCKS],
}

impl Tcsr {
    fn owner(&self, offset: u64) -> Option<u32> {
        let index = usize::try_from(offset / STRIDE).ok()?;
        if offset.is_multiple_of(STRIDE) {
            self.owners.get(index).copied()
        } else {
            None
        }
    }

    /// Reads the owner of the mutex at `offset`, 0 if it is free.
    pub fn read(&self, offset: u64, data: &mut [u8], counters: &mut Counters) {
        data.fill(0);
        match self.owner(offset) {
            Some(owner) if data.len() == 4 => data.copy_from_slice(&owner.to_le_bytes()),
            Some(_) => counters.bad_access += 1,
            None => counters.unmapped_access += 1,
        }
    }

    /// A token sticks if the mutex is free; 0 frees it.
    pub fn write(&mut self, offset: u64, data: &[u8], counters: &mut Counters) {
        let Some(owner) = self.owner(offset) else {
            counters.unmapped_access += 1;
            return;
        };
        let Ok(bytes) = <[u8; 4]>::try_from(data) else {
            counters.bad_access += 1;
            return;
        };
        let token = u32::from_le_bytes(bytes);
        if token == 0 && owner == 0 {
            counters.mutex_release_free += 1;
        }
        if token == 0 || owner == 0 {
            // In range: owner() has looked.
            if let Some(slot) = self.owners.get_mut((offset / STRIDE) as usize) {
                *slot = token;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tcsr: &Tcsr, offset: u64) -> u32 {
        let mut data = [0; 4];
        tcsr.read(offset, &mut data, &mut Counters::default());
        u32::from_le_bytes(data)
    }

    /// The first token sticks, a second does not, 0 makes room.
    #[test]
    fn one_owner_at_a_time() {
        let mut tcsr = Tcsr::default();
        let mut counters = Counters::default();
        for (token, owner) in [(1u32, 1), (7, 1), (0, 0), (7, 7), (0, 0)] {
            tcsr.write(0x3000, &token.to_le_bytes(), &mut counters);
            assert_eq!(read(&tcsr, 0x3000), owner);
        }
        assert_eq!(counters.mutex_release_free, 0);
        tcsr.write(0x3000, &0u32.to_le_bytes(), &mut counters);
        assert_eq!(counters.mutex_release_free, 1);
    }

    /// Odd accesses are counted and do nothing.
    #[test]
    fn odd_accesses() {
        let mut tcsr = Tcsr::default();
        let mut counters = Counters::default();
        tcsr.write(0x3004, &1u32.to_le_bytes(), &mut counters);
        tcsr.write(SIZE, &1u32.to_le_bytes(), &mut counters);
        tcsr.write(0x3000, &[1], &mut counters);
        assert_eq!((counters.unmapped_access, counters.bad_access), (2, 1));
        assert_eq!(read(&tcsr, 0x3000), 0);
    }
}
