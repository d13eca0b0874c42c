// SPDX-License-Identifier: GPL-2.0
//! The APCS mailbox: Linux writes a bit, a remote processor gets an
//! interrupt. The register reads as 0.

use crate::counters::Counters;

/// Size of the register space in bytes.
pub const SIZE: u64 = 0x1000;
const IPC: u64 = 8;
const SMD_BIT: u32 = 12;
const SMSM_BIT: u32 = 13;

/// What a write rings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doorbells {
    /// SMSM's doorbell.
    pub smsm: bool,
    /// SMD's doorbell.
    pub smd: bool,
}

/// Counts the doorbells of a write and says which they are.
pub fn rung(offset: u64, data: &[u8], counters: &mut Counters) -> Doorbells {
    if offset != IPC {
        counters.unmapped_access += 1;
        return Doorbells::default();
    }
    let Ok(bytes) = <[u8; 4]>::try_from(data) else {
        counters.bad_access += 1;
        return Doorbells::default();
    };
    let bits = u32::from_le_bytes(bytes);
    let doorbells = Doorbells {
        smsm: bits & 1 << SMSM_BIT != 0,
        smd: bits & 1 << SMD_BIT != 0,
    };
    counters.smsm_doorbells += u64::from(doorbells.smsm);
    counters.smd_doorbells += u64::from(doorbells.smd);
    counters.other_doorbells += u64::from(bits & !(1 << SMSM_BIT | 1 << SMD_BIT) != 0);
    doorbells
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit 13 is SMSM, bit 12 SMD; both may come in one write.
    #[test]
    fn bits() {
        let mut counters = Counters::default();
        let mut ring = |bits: u32| {
            let rung = rung(8, &bits.to_le_bytes(), &mut counters);
            (rung.smsm, rung.smd)
        };
        assert_eq!(ring(1 << 13), (true, false));
        assert_eq!(ring(1 << 12), (false, true));
        assert_eq!(ring(3 << 12), (true, true));
        assert_eq!(ring(1), (false, false));
        assert_eq!(counters.smsm_doorbells, 2);
        assert_eq!(counters.smd_doorbells, 2);
        assert_eq!(counters.other_doorbells, 1);
    }

    /// Other offsets and widths do nothing but count.
    #[test]
    fn odd_accesses() {
        let mut counters = Counters::default();
        let nothing = Doorbells::default();
        assert_eq!(rung(0, &[0xff; 4], &mut counters), nothing);
        assert_eq!(rung(8, &[0xff; 2], &mut counters), nothing);
        assert_eq!((counters.unmapped_access, counters.bad_access), (1, 1));
    }
}
