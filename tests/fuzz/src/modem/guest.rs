// SPDX-License-Identifier: GPL-2.0
//! A modem with memory, and the accesses of a guest to it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use bam_dmux_modem::modem::{
    Modem,
    Network,
    Options,
    RX_PIPE, //
};

/// Bytes of the guest's memory, from bus address 0 on.
pub(super) const MEMORY: u64 = 0x10_0000;
/// Where drivers of this guest put their rings, TX and RX.
pub(super) const RINGS: [u64; 2] = [0x1000, 0x9000];

/// SMEM's table of contents, and items in it.
const TOC: u64 = 0xd0;
const SMSM_STATE: u64 = 85;
const SMSM_MASK: u64 = 333;
const SMD_INFO: u64 = 14;
const SMD_FIFO: u64 = 338;

const APCS_DOORBELL: u64 = 0x2_0008;
const SMSM_BIT: u32 = 1 << 13;
const SMD_BIT: u32 = 1 << 12;

/// The modem under test, and SMEM as the guest has it.
pub(super) struct Guest {
    pub(super) modem: Modem,
    smem: File,
    now: Duration,
}

/// Takes every other packet.
struct Far(bool);

impl Network for Far {
    fn deliver(&mut self, _channel: u8, _packet: &[u8]) -> bool {
        self.0 = !self.0;
        self.0
    }
}

/// A modem as a command line would have it, with memory.
pub(super) fn modem(gate: bool) -> Option<Modem> {
    let options = Options {
        channels: vec![0, 1, 3],
        gate,
        ..Options::default()
    };
    // Fails for want of memory only.
    let mut modem = Modem::new(options, Some(Box::new(Far(false)))).ok()?;
    modem.memory.map_anonymous(0, MEMORY).ok()?;
    Some(modem)
}

impl Guest {
    pub(super) fn new(gate: bool) -> Option<Self> {
        let modem = modem(gate)?;
        // As the guest has it: the modem is not told.
        let smem = File::options()
            .read(true)
            .write(true)
            .open(format!("/proc/self/fd/{}", modem.smem_fd()))
            .ok()?;
        Some(Self {
            modem,
            smem,
            now: Duration::ZERO,
        })
    }

    pub(super) fn write(&mut self, offset: u64, value: u32) {
        self.modem.bar0_write(offset, &value.to_le_bytes());
    }

    pub(super) fn read(&mut self, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        self.modem.bar0_read(offset, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.modem.set_time(self.now);
        self.modem.tick();
    }

    pub(super) fn smem_write(&self, offset: u64, bytes: &[u8]) {
        // Only what lies within is there for a guest.
        let end = offset.saturating_add(bytes.len() as u64);
        if end <= bam_dmux_modem::smem::SIZE {
            let _ = self.smem.write_all_at(bytes, offset);
        }
    }

    fn smem_load(&self, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        let _ = self.smem.read_exact_at(&mut bytes, offset);
        u32::from_le_bytes(bytes)
    }

    fn item(&self, number: u64) -> u64 {
        self.smem_load(TOC + number * 16 + 4).into()
    }

    /// Linux' word of SMSM, with the doorbell.
    pub(super) fn smsm(&mut self, word: u32) {
        self.smem_write(self.item(SMSM_STATE), &word.to_le_bytes());
        self.write(APCS_DOORBELL, SMSM_BIT);
    }

    /// Asks for the interrupts of the modem's bits.
    pub(super) fn subscribe(&mut self, bits: u32) {
        self.smem_write(self.item(SMSM_MASK) + 12, &bits.to_le_bytes());
    }

    /// A word of SMD's channel info, Linux' half first.
    pub(super) fn smd_info(&mut self, word: u64, value: u32) {
        self.smem_write(self.item(SMD_INFO) + word % 10 * 4, &value.to_le_bytes());
    }

    pub(super) fn smd_fifo(&mut self, at: u64, bytes: &[u8]) {
        self.smem_write(self.item(SMD_FIFO) + at % 0x4000, bytes);
    }

    pub(super) fn smd_doorbell(&mut self) {
        self.write(APCS_DOORBELL, SMD_BIT);
    }

    /// What a driver does to use a pipe.
    pub(super) fn start_pipe(&mut self, pipe: u8) {
        let base = 0x1_3000 + u64::from(pipe) * 0x1000;
        let rx = pipe == RX_PIPE;
        let [tx_ring, rx_ring] = [0x1000, 0x9000];
        self.write(0, 2);
        self.write(0x3004, 0x8000_0030);
        self.write(base + 4, 1);
        self.write(base + 4, 0);
        self.write(base + 0x81c, if rx { rx_ring } else { tx_ring });
        self.write(base + 0x820, 0x7ff8);
        self.write(base + 0x18, 0x31);
        self.write(base, if rx { 0x2a } else { 0x22 });
    }

    pub(super) fn descriptor(
        &mut self,
        ring: u64,
        slot: u16,
        (address, size, flags): (u32, u16, u16),
    ) {
        let mut bytes = address.to_le_bytes().to_vec();
        bytes.extend(size.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        // Outside of the memory there is nothing to write to.
        let _ = self
            .modem
            .memory
            .write(ring + u64::from(slot % 4095) * 8, &bytes);
    }
}
