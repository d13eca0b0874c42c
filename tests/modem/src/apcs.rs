// SPDX-License-Identifier: GPL-2.0
//! The APCS mailbox: Linux writes a bit, a remote processor gets an
//! interrupt. The register reads as 0.

use crate::counters::Counters;

/// Size of the register space in bytes.
pub const SIZE: u64 = 0x1000;
const IPC: u64 = 8;
const SMD_BIT: u32 = 12;
const SMSM_BIT: u32 = 13;

/// Counts the doorbells of a write. True if SMSM's is among them.
///
/// Limitations: SMD's doorbell has no peer; it is only counted.
pub fn rings_smsm(offset: u64, data: &[u8], counters: &mut Counters) -> bool {
    if offset != IPC {
        counters.unmapped_access += 1;
        return false;
    }
    let Ok(bytes) = <[u8; 4]>::try_from(data) else {
        counters.bad_access += 1;
        return false;
    };
    let bits = u32::from_le_bytes(bytes);
    let smsm = bits & 1 << SMSM_BIT != 0;
    counters.smsm_doorbells += u64::from(smsm);
    counters.smd_doorbells += u64::from(bits & 1 << SMD_BIT != 0);
    counters.other_doorbells += u64::from(bits & !(1 << SMSM_BIT | 1 << SMD_BIT) != 0);
    smsm
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit 13 is SMSM, bit 12 SMD; both may come in one write.
    #[test]
    fn bits() {
        let mut counters = Counters::default();
        assert!(rings_smsm(8, &(1u32 << 13).to_le_bytes(), &mut counters));
        assert!(!rings_smsm(8, &(1u32 << 12).to_le_bytes(), &mut counters));
        assert!(rings_smsm(8, &(3u32 << 12).to_le_bytes(), &mut counters));
        assert!(!rings_smsm(8, &1u32.to_le_bytes(), &mut counters));
        assert_eq!(counters.smsm_doorbells, 2);
        assert_eq!(counters.smd_doorbells, 2);
        assert_eq!(counters.other_doorbells, 1);
    }

    /// Other offsets and widths do nothing but count.
    #[test]
    fn odd_accesses() {
        let mut counters = Counters::default();
        assert!(!rings_smsm(0, &[0xff; 4], &mut counters));
        assert!(!rings_smsm(8, &[0xff; 2], &mut counters));
        assert_eq!((counters.unmapped_access, counters.bad_access), (1, 1));
    }
}
