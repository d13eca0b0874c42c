// SPDX-License-Identifier: GPL-2.0
//! A guest with drivers reduced to the accesses that they make.

use std::time::Duration;

use super::super::*;
use crate::dmux::frame;

const RING: [u64; 2] = [0x1000, 0x9000];
const RX_BUFFERS: u64 = 0x10_0000;
const TX_BUFFER: u64 = 0x8_0000;
const SLOT: u64 = 0x800;

/// A guest with drivers reduced to the accesses that they make.
pub(super) struct Guest {
    pub(super) modem: Modem,
    pub(super) now: Duration,
    pub(super) apps: Bits,
    tx: u32,
    rx: u32,
    rx_seen: u32,
}

fn options() -> Options {
    Options {
        channels: vec![0, 3],
        ..Options::default()
    }
}

impl Guest {
    pub(super) fn new() -> Self {
        let mut modem = Modem::new(options(), None).unwrap();
        modem.memory.map_anonymous(0, 0x20_0000).unwrap();
        modem.reset();
        Self {
            modem,
            now: Duration::ZERO,
            apps: Bits::default(),
            tx: 0,
            rx: 0,
            rx_seen: 0,
        }
    }

    pub(super) fn write(&mut self, offset: u64, value: u32) {
        self.modem.bar0_write(offset, &value.to_le_bytes());
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.modem.set_time(self.now);
        self.modem.tick();
    }

    /// Writes Linux' SMSM word and rings.
    pub(super) fn smsm(&mut self) {
        let mut word = 0;
        if self.apps.power {
            word |= 1 << 1;
        }
        if self.apps.ack {
            word |= 1 << 11;
        }
        let state = u64::from(self.modem.smem.load(0xd0 + 85 * 16 + 4));
        self.modem.smem.store(state, word);
        self.write(0x2_0008, 1 << 13);
    }

    pub(super) fn vote(&mut self, up: bool) {
        self.apps.power = up;
        self.smsm();
    }

    pub(super) fn subscribe(&mut self) {
        let mask = u64::from(self.modem.smem.load(0xd0 + 333 * 16 + 4));
        self.modem.smem.store(mask + 12, 1 << 1 | 1 << 11);
    }

    /// The interrupt handler's clear of both pipes.
    pub(super) fn clear(&mut self) {
        self.write(0x1_7014, 0x3f);
        self.write(0x1_8014, 0x3f);
    }

    pub(super) fn unsubscribe(&mut self) {
        let mask = u64::from(self.modem.smem.load(0xd0 + 333 * 16 + 4));
        self.modem.smem.store(mask + 12, 0);
    }

    pub(super) fn start_pipe(&mut self, pipe: u8, direction: u32) {
        let base = 0x1_3000 + u64::from(pipe) * 0x1000;
        self.write(base + 4, 1);
        self.write(base + 4, 0);
        let ring = RING[usize::from(pipe == RX_PIPE)];
        self.write(base + 0x81c, u32::try_from(ring).unwrap());
        self.write(base + 0x820, 0x7ff8);
        self.write(base + 0x18, 0x31);
        self.write(base, 0x22 | direction);
    }

    /// What bam-dmux does on a rising power line, and the interrupt handler
    /// for what comes of it.
    pub(super) fn connect(&mut self, buffers: u32) {
        self.connect_and_look_away(buffers);
        self.clear();
    }

    /// Connects without serving interrupts.
    pub(super) fn connect_and_look_away(&mut self, buffers: u32) {
        self.write(0, 1);
        self.write(0, 0);
        self.write(0, 2);
        self.write(0x3004, 0x8000_0030);
        (self.tx, self.rx, self.rx_seen) = (0, 0, 0);
        self.start_pipe(TX_PIPE, 0);
        self.start_pipe(RX_PIPE, 8);
        self.post(buffers);
        self.apps.ack ^= true;
        self.smsm();
    }

    /// What bam-dmux does on a falling power line: the pipes first, then the ack.
    pub(super) fn disconnect(&mut self) {
        for pipe in [TX_PIPE, RX_PIPE] {
            self.write(0x1_3004 + u64::from(pipe) * 0x1000, 1);
        }
        self.apps.ack ^= true;
        self.smsm();
    }

    pub(super) fn descriptor(&mut self, pipe: u8, slot: u32, address: u64, size: u16) {
        let mut bytes = u32::try_from(address).unwrap().to_le_bytes().to_vec();
        bytes.extend(size.to_le_bytes());
        bytes.extend(0x4000u16.to_le_bytes());
        let ring = RING[usize::from(pipe == RX_PIPE)];
        self.modem
            .memory
            .write(ring + u64::from(slot % 4095) * 8, &bytes)
            .unwrap();
    }

    pub(super) fn post(&mut self, buffers: u32) {
        for _ in 0..buffers {
            self.descriptor(
                RX_PIPE,
                self.rx,
                RX_BUFFERS + u64::from(self.rx % 64) * SLOT,
                2048,
            );
            self.rx += 1;
        }
        self.write(0x1_8818, self.rx % 4095 * 8);
    }

    pub(super) fn send(&mut self, transfer: &[u8]) {
        self.send_from(TX_BUFFER, transfer);
    }

    /// Sends from a buffer at another place than that of [`Guest::send`].
    pub(super) fn send_from(&mut self, buffer: u64, transfer: &[u8]) {
        self.modem.memory.write(buffer, transfer).unwrap();
        let len = u16::try_from(transfer.len()).unwrap();
        self.descriptor(TX_PIPE, self.tx, buffer, len);
        self.tx += 1;
        self.write(0x1_7818, self.tx % 4095 * 8);
    }

    /// Headers of the frames that have arrived since the last call.
    pub(super) fn received(&mut self) -> Vec<frame::Header> {
        let mut done = [0; 4];
        self.modem.bar0_read(0x1_8800, &mut done);
        let done = u32::from_le_bytes(done) / 8;
        let mut headers = Vec::new();
        while self.rx_seen % 4095 != done {
            let mut bytes = [0; 8];
            let at = RX_BUFFERS + u64::from(self.rx_seen % 64) * SLOT;
            self.modem.memory.read(at, &mut bytes).unwrap();
            headers.push(frame::Header::parse(&bytes).unwrap());
            self.rx_seen += 1;
        }
        headers
    }

    pub(super) fn boot(&mut self) {
        self.subscribe();
        self.modem.boot_after(Duration::ZERO);
        self.connect(32);
    }

    pub(super) fn violations(&self) -> Vec<(&'static str, u64)> {
        self.modem
            .counters
            .violations()
            .into_iter()
            .filter(|&(_, n)| n > 0)
            .collect()
    }

    /// Where the next frame will be looked for.
    pub(super) fn next_buffer(&self) -> u64 {
        RX_BUFFERS + u64::from(self.rx_seen % 64) * SLOT
    }

    /// All memory but receive buffers and rings.
    pub(super) fn outside_of_buffers(&self) -> Vec<u8> {
        let mut bytes = vec![0; 0x20_0000];
        self.modem.memory.read(0, &mut bytes).unwrap();
        let buffers = usize::try_from(RX_BUFFERS).unwrap()..;
        bytes[buffers][..64 * usize::try_from(SLOT).unwrap()].fill(0);
        bytes[..usize::try_from(TX_BUFFER).unwrap()].fill(0);
        bytes
    }
}
