// SPDX-License-Identifier: GPL-2.0
//! The PCI function's configuration space, and the sizes of its BARs.

use crate::msix::VECTORS;

/// Bytes of configuration space.
pub const CONFIG_SIZE: usize = 256;
/// Registers, trapped.
pub const BAR0_SIZE: u32 = 0x8_0000;
/// SMEM, mapped by the guest.
pub const BAR2_SIZE: u32 = 0x20_0000;
/// MSI-X table and pending bits.
pub const BAR4_SIZE: u32 = 0x1000;

/// QEMU's pci-testdev: the one ID of those that get a devicetree node from
/// the kernel by themselves which stands for no real device.
const VENDOR: u16 = 0x1b36;
const DEVICE: u16 = 0x0005;
const CLASS_WIRELESS_OTHER: [u8; 3] = [0x00, 0x80, 0x0d];
const STATUS_CAPABILITIES: u16 = 1 << 4;
const COMMAND_MASK: u16 = 0x0547;
const MSIX_CAPABILITY: u8 = 0x11;
const MSIX_AT: usize = 0x40;
const MSIX_BAR: u32 = 4;
const PBA_OFFSET: u32 = 0x800;
const MSIX_CONTROL_MASK: u16 = 0xc000;
/// The guest's node gets `#interrupt-cells` only if there is a pin.
const INTERRUPT_PIN: u8 = 1;

/// Configuration space as bytes, with a mask of what may be written.
#[derive(Debug, Clone)]
pub struct Config {
    bytes: [u8; CONFIG_SIZE],
    mask: [u8; CONFIG_SIZE],
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The space after reset.
    #[must_use]
    pub fn new() -> Self {
        let mut config = Self {
            bytes: [0; CONFIG_SIZE],
            mask: [0; CONFIG_SIZE],
        };
        config.put(0x00, &VENDOR.to_le_bytes(), &[]);
        config.put(0x02, &DEVICE.to_le_bytes(), &[]);
        config.put(0x04, &[0, 0], &COMMAND_MASK.to_le_bytes());
        config.put(0x06, &STATUS_CAPABILITIES.to_le_bytes(), &[]);
        config.put(0x09, &CLASS_WIRELESS_OTHER, &[]);
        config.put(0x0c, &[0, 0], &[0xff, 0xff]);
        for (bar, size) in [(0, BAR0_SIZE), (2, BAR2_SIZE), (4, BAR4_SIZE)] {
            config.put(0x10 + bar * 4, &[0; 4], &(!(size - 1)).to_le_bytes());
        }
        config.put(0x34, &[0x40], &[]);
        config.put(0x3c, &[0, INTERRUPT_PIN], &[0xff, 0]);
        let control = (VECTORS - 1).to_le_bytes();
        config.put(MSIX_AT, &[MSIX_CAPABILITY, 0], &[]);
        config.put(MSIX_AT + 2, &control, &MSIX_CONTROL_MASK.to_le_bytes());
        config.put(MSIX_AT + 4, &MSIX_BAR.to_le_bytes(), &[]);
        config.put(MSIX_AT + 8, &(PBA_OFFSET | MSIX_BAR).to_le_bytes(), &[]);
        config
    }

    fn put(&mut self, at: usize, bytes: &[u8], mask: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self.mask[at..at + mask.len()].copy_from_slice(mask);
    }

    /// Reads; bytes outside of the space are 0xff.
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        for (at, byte) in (offset..=u64::MAX).zip(data) {
            let at = usize::try_from(at).ok();
            *byte = at
                .and_then(|at| self.bytes.get(at))
                .copied()
                .unwrap_or(0xff);
        }
    }

    /// Writes what may be written.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        for (at, &value) in (offset..=u64::MAX).zip(data) {
            let Ok(at) = usize::try_from(at) else { return };
            if let (Some(byte), Some(&mask)) = (self.bytes.get_mut(at), self.mask.get(at)) {
                *byte = (*byte & !mask) | (value & mask);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<const N: usize>(config: &Config, offset: u64) -> [u8; N] {
        let mut data = [0; N];
        config.read(offset, &mut data);
        data
    }

    /// The guest recognises the function and finds its pin and MSI-X.
    #[test]
    fn identity() {
        let config = Config::new();
        assert_eq!(read(&config, 0), [0x36, 0x1b, 0x05, 0x00]);
        assert_eq!(read(&config, 0x0a), [0x80, 0x0d]);
        assert_eq!(read(&config, 0x3d), [1]);
        assert_eq!(read(&config, 0x34), [0x40]);
        assert_eq!(read(&config, 0x40), [0x11, 0, 7, 0, 4, 0, 0, 0, 4, 8, 0, 0]);
    }

    /// Sizing a BAR by writing all ones gives its size, 32-bit and memory.
    #[test]
    fn bar_sizes() {
        let mut config = Config::new();
        for (bar, size) in [(0, BAR0_SIZE), (1, 0), (2, BAR2_SIZE), (4, BAR4_SIZE)] {
            config.write(0x10 + bar * 4, &[0xff; 4]);
            let mask = u32::from_le_bytes(read(&config, 0x10 + bar * 4));
            assert_eq!(mask, if size == 0 { 0 } else { !(size - 1) });
        }
    }

    proptest! {
        /// No access panics or changes who the function is.
        #[test]
        fn any_access(accesses in prop::collection::vec(
            (prop_oneof![0u64..300, any::<u64>()], prop::collection::vec(any::<u8>(), 0..9)), 0..50))
        {
            let mut config = Config::new();
            for (offset, mut data) in accesses {
                config.write(offset, &data);
                config.read(offset, &mut data);
            }
            prop_assert_eq!(read(&config, 0), [0x36, 0x1b, 0x05, 0x00]);
        }
    }
}
