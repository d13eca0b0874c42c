// SPDX-License-Identifier: GPL-2.0
//! SMSM: one word of state bits per processor, in SMEM, and who wants to be
//! told of which bit. Source of the layout: drivers/soc/qcom/smsm.c.

use crate::smem::{
    Smem,
    ITEM_SMSM_MASK,
    ITEM_SMSM_SIZE,
    ITEM_SMSM_STATE, //
};

const ENTRIES: u32 = 8;
const HOSTS: u32 = 3;
const APPS: u64 = 0;
const MODEM: u64 = 1;

/// Power control: Linux' vote, or the modem's state.
pub const POWER: u32 = 1 << 1;
/// Acknowledgement of the other side's power bit; each change is one.
pub const ACK: u32 = 1 << 11;
/// A bit of the modem's word that firmware changes along with its power bit. What it means is
/// not known, and Linux does not look at it.
pub const WITH_POWER: u32 = 1 << 12;

/// The two bits of one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bits {
    /// Power control.
    pub power: bool,
    /// Acknowledgement, a toggle.
    pub ack: bool,
}

/// SMSM's tables.
#[derive(Debug, Default)]
pub struct Smsm {
    state: u64,
    mask: u64,
}

impl Smsm {
    /// Allocates the tables in a freshly formatted SMEM and asks to be told
    /// of Linux' two bits.
    #[must_use]
    pub fn create(smem: &Smem) -> Self {
        let size = smem.allocate(ITEM_SMSM_SIZE, 16);
        smem.store(size, HOSTS);
        smem.store(size + 4, ENTRIES);
        let tables = Self {
            state: smem.allocate(ITEM_SMSM_STATE, ENTRIES * 4),
            mask: smem.allocate(ITEM_SMSM_MASK, ENTRIES * HOSTS * 4),
        };
        smem.store(tables.mask_at(APPS, MODEM), POWER | ACK);
        tables
    }

    fn mask_at(&self, entry: u64, host: u64) -> u64 {
        self.mask + (entry * u64::from(HOSTS) + host) * 4
    }

    /// Linux' bits as they are now.
    #[must_use]
    pub fn apps(&self, smem: &Smem) -> Bits {
        let word = smem.load(self.state + APPS * 4);
        Bits {
            power: word & POWER != 0,
            ack: word & ACK != 0,
        }
    }

    /// The modem's own bits.
    #[must_use]
    pub fn modem(&self, smem: &Smem) -> Bits {
        let word = smem.load(self.state + MODEM * 4);
        Bits {
            power: word & POWER != 0,
            ack: word & ACK != 0,
        }
    }

    /// Writes the modem's bits. True if that changed something, so that Linux
    /// should be told.
    #[must_use]
    pub fn set_modem(&self, smem: &Smem, bits: Bits) -> bool {
        self.set_modem_and(smem, bits, 0)
    }

    /// The same, with other bits of the modem's word flipped in the same write.
    #[must_use]
    pub fn set_modem_and(&self, smem: &Smem, bits: Bits, flip: u32) -> bool {
        let at = self.state + MODEM * 4;
        let old = smem.load(at);
        let mut new = (old ^ flip) & !(POWER | ACK);
        if bits.power {
            new |= POWER;
        }
        if bits.ack {
            new |= ACK;
        }
        smem.store(at, new);
        old != new
    }

    /// Flips bits of a word (1: the modem's, from 2 on other processors') that
    /// are none of the handshake's.
    pub fn flip_foreign(&self, smem: &Smem, word: u8, bits: u32) {
        let word = u64::from(word).clamp(MODEM, u64::from(ENTRIES) - 1);
        let at = self.state + word * 4;
        smem.store(at, smem.load(at) ^ (bits & !(POWER | ACK)));
    }

    /// Flips one of Linux' own bits, which only Linux may write.
    pub fn flip_apps(&self, smem: &Smem, bit: u32) {
        let at = self.state + APPS * 4;
        smem.store(at, smem.load(at) ^ (bit & (POWER | ACK)));
    }

    /// Whether Linux has asked to be told of the modem's power bit: a driver
    /// has requested that interrupt.
    #[must_use]
    pub fn subscribed(&self, smem: &Smem) -> bool {
        smem.load(self.mask_at(MODEM, APPS)) & POWER != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rig() -> (Smem, Smsm) {
        let smem = Smem::new().unwrap();
        smem.format();
        let tables = Smsm::create(&smem);
        (smem, tables)
    }

    fn item(smem: &Smem, item: u64) -> (u64, u32) {
        let entry = 0xd0 + item * 16;
        assert_eq!(smem.load(entry), 1);
        (u64::from(smem.load(entry + 4)), smem.load(entry + 8))
    }

    /// Items 85, 333 and 419 have the sizes and contents that smsm.c expects.
    #[test]
    fn tables() {
        let (smem, _) = rig();
        let (size, bytes) = item(&smem, 419);
        assert_eq!(bytes, 16);
        assert_eq!([0, 4, 8, 12].map(|o| smem.load(size + o)), [3, 8, 0, 0]);
        assert_eq!(item(&smem, 85).1, 8 * 4);
        let (mask, bytes) = item(&smem, 333);
        assert_eq!(bytes, 8 * 3 * 4);
        assert_eq!(smem.load(mask + 4), 1 << 1 | 1 << 11, "the modem's wish");
    }

    /// The modem's bits are in word 1, Linux' in word 0; others stay.
    #[test]
    fn words_of_both_sides() {
        let (smem, tables) = rig();
        let (state, _) = item(&smem, 85);
        smem.store(state + 4, 0x8000_0001);
        let bits = Bits {
            power: true,
            ack: true,
        };
        assert!(tables.set_modem(&smem, bits));
        assert!(!tables.set_modem(&smem, bits), "no change, no interrupt");
        assert_eq!(smem.load(state + 4), 0x8000_0803);
        assert_eq!(tables.modem(&smem), bits);
        smem.store(state, 1 << 11);
        assert_eq!(
            tables.apps(&smem),
            Bits {
                power: false,
                ack: true
            }
        );
    }

    /// Linux' wish for the power bit is its row of the modem's entry.
    #[test]
    fn subscription() {
        let (smem, tables) = rig();
        let (mask, _) = item(&smem, 333);
        assert!(!tables.subscribed(&smem));
        smem.store(mask + 3 * 4, 1 << 1);
        assert!(tables.subscribed(&smem));
    }
}
