// SPDX-License-Identifier: GPL-2.0
//! Tests of the BAM, programmed as `bam_dma.c` does it.

use super::layout::V1_7_0;
use super::*;
use proptest::prelude::*;

const TX: u8 = 4;
const RX: u8 = 5;
const RING: u64 = 0x1000;
const BUFFERS: u64 = 0x10_0000;
const RING_BYTES: u32 = 0x7ff8;

struct Rig {
    bam: Bam,
    memory: GuestMemory,
    counters: Counters,
}

fn pipe_reg(pipe: u8, offset: u64) -> u64 {
    0x13000 + u64::from(pipe) * 0x1000 + offset
}

impl Rig {
    fn new() -> Self {
        let mut memory = GuestMemory::new();
        memory.map_anonymous(0, 0x20_0000).unwrap();
        let mut rig = Self {
            bam: Bam::new(&V1_7_0, 6),
            memory,
            counters: Counters::default(),
        };
        rig.bam.set_power(true);
        rig.write(0, 1);
        rig.write(0, 0);
        rig.write(0, 2);
        rig
    }

    fn write(&mut self, offset: u64, value: u32) -> Event {
        self.bam
            .write(offset, &value.to_le_bytes(), &mut self.counters)
    }

    fn read(&mut self, offset: u64) -> u32 {
        let mut data = [0; 4];
        self.bam.read(offset, &mut data, &mut self.counters);
        u32::from_le_bytes(data)
    }

    fn start(&mut self, pipe: u8, direction: u32) {
        self.write(pipe_reg(pipe, 4), 1);
        self.write(pipe_reg(pipe, 4), 0);
        self.write(pipe_reg(pipe, 0x81c), Self::ring(pipe));
        self.write(pipe_reg(pipe, 0x820), RING_BYTES);
        self.write(pipe_reg(pipe, 0x18), 0x31);
        let mask = self.read(0x3004) | 1 << pipe;
        self.write(0x3004, mask);
        self.write(pipe_reg(pipe, 0), 0x22 | direction);
    }

    fn ring(pipe: u8) -> u32 {
        u32::try_from(RING).unwrap() + u32::from(pipe) * 0x8000
    }

    fn describe(&mut self, pipe: u8, slot: u32, address: u64, size: u16) {
        let mut bytes = u32::try_from(address).unwrap().to_le_bytes().to_vec();
        bytes.extend(size.to_le_bytes());
        bytes.extend(0x4000u16.to_le_bytes());
        let at = u64::from(Self::ring(pipe)) + u64::from(slot) * 8;
        self.memory.write(at, &bytes).unwrap();
    }

    fn consume(&mut self, pipe: u8) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        self.bam
            .consume(pipe, &self.memory, &mut data, &mut self.counters)
            .then_some(data)
    }

    fn produce(&mut self, data: &[u8]) -> Produced {
        self.bam.produce(RX, &self.memory, data, &mut self.counters)
    }

    fn interrupt(&mut self) -> bool {
        self.bam.take_interrupt(&mut self.counters)
    }
}

/// Without power reads give all ones, writes do nothing, both are counted.
#[test]
fn unpowered_access_is_counted() {
    let mut rig = Rig::new();
    rig.bam.set_power(false);
    assert_eq!(rig.read(0), u32::MAX);
    assert_eq!(rig.write(pipe_reg(TX, 0x818), 8), Event::None);
    assert_eq!(rig.counters.unpowered_access, 2);
    rig.bam.set_power(true);
    assert_eq!(rig.read(0), 0, "power brings reset values");
}

/// Transfers come out in order, also where the ring of 4095 wraps.
#[test]
fn ring_wraps_at_4095() {
    let mut rig = Rig::new();
    rig.start(TX, 0);
    let mut sent = 0u32;
    for batch in [4000u32, 90, 10, 4094] {
        for _ in 0..batch {
            rig.memory
                .write(BUFFERS + u64::from(sent % 64) * 4, &sent.to_le_bytes())
                .unwrap();
            rig.describe(TX, sent % 4095, BUFFERS + u64::from(sent % 64) * 4, 4);
            sent += 1;
        }
        let first = sent - batch;
        assert_eq!(
            rig.write(pipe_reg(TX, 0x818), sent % 4095 * 8),
            Event::Doorbell(TX)
        );
        let mut taken = 0;
        while let Some(data) = rig.consume(TX) {
            // Only the last 64 buffers still hold their own number.
            if batch - taken <= 64 {
                assert_eq!(data, (first + taken).to_le_bytes());
            }
            taken += 1;
        }
        assert_eq!(taken, batch);
        assert_eq!(rig.read(pipe_reg(TX, 0x800)), sent % 4095 * 8);
    }
}

/// A downlink transfer needs a descriptor and ends at the buffer's size.
#[test]
fn downlink_uses_descriptors() {
    let mut rig = Rig::new();
    rig.start(RX, 8);
    assert_eq!(rig.produce(b"early"), Produced::NoDescriptor);
    rig.describe(RX, 0, BUFFERS, 4);
    rig.describe(RX, 1, BUFFERS + 16, 2048);
    rig.write(pipe_reg(RX, 0x818), 16);
    assert_eq!(rig.produce(b"longer"), Produced::Truncated);
    assert_eq!(rig.produce(b"fits"), Produced::Done);
    assert_eq!(rig.produce(b"late"), Produced::NoDescriptor);
    let mut data = [0; 20];
    rig.memory.read(BUFFERS, &mut data).unwrap();
    assert_eq!(&data, b"long\0\0\0\0\0\0\0\0\0\0\0\0fits");
    assert_eq!(rig.read(pipe_reg(RX, 0x800)), 16);
}

/// A completion between the handler's clear of one pipe and its end sends
/// the message again: the regression behind a stall under two-way load.
#[test]
fn level_is_sent_again_after_clear() {
    let mut rig = Rig::new();
    rig.start(TX, 0);
    rig.start(RX, 8);
    rig.describe(TX, 0, BUFFERS, 4);
    rig.write(pipe_reg(TX, 0x818), 8);
    rig.consume(TX);
    assert!(rig.interrupt());
    assert_eq!(rig.read(0x3000), 1 << TX, "the handler has seen TX only");
    rig.describe(RX, 0, BUFFERS, 2048);
    rig.write(pipe_reg(RX, 0x818), 8);
    rig.produce(b"data");
    assert!(!rig.interrupt(), "the line was high already");
    rig.write(pipe_reg(TX, 0x14), 0x20);
    assert!(rig.interrupt(), "still high after the clear");
    assert_eq!(rig.counters.bam_irqs_again, 1);
    rig.write(pipe_reg(RX, 0x14), 0x20);
    assert!(!rig.interrupt());
    assert_eq!(rig.read(0x3000), 0);
}

/// After a reset the pipe knows nothing of its ring.
#[test]
fn reset_forgets_the_ring() {
    let mut rig = Rig::new();
    rig.start(RX, 8);
    rig.describe(RX, 0, BUFFERS, 2048);
    rig.write(pipe_reg(RX, 0x818), 8);
    assert_eq!(rig.write(pipe_reg(RX, 4), 1), Event::PipeReset(RX));
    assert_eq!(rig.produce(b"data"), Produced::NoDescriptor);
    rig.write(pipe_reg(RX, 4), 0);
    assert_eq!(rig.produce(b"data"), Produced::NoDescriptor);
    assert_eq!(rig.read(pipe_reg(RX, 0x818)), 0);
    rig.start(TX, 0);
    assert_eq!(rig.write(0, 1), Event::BamReset);
    assert_eq!(rig.read(0x3004), 0);
}

/// Descriptors and buffers outside of the guest's memory are counted and
/// skipped.
#[test]
fn dma_outside_is_counted() {
    let mut rig = Rig::new();
    rig.start(TX, 0);
    rig.describe(TX, 0, 0x4000_0000, 64);
    rig.write(pipe_reg(TX, 0x818), 8);
    assert_eq!(rig.consume(TX), Some(vec![]));
    assert_eq!(rig.consume(TX), None);
    rig.write(pipe_reg(TX, 0x81c), 0x8000_0000);
    rig.write(pipe_reg(TX, 0x818), 16);
    assert_eq!(rig.consume(TX), None);
    assert_eq!(rig.counters.dma_outside_mapping, 2);
    assert_eq!(rig.read(pipe_reg(TX, 0x800)), 16);
}

/// A doorbell that no position can reach is refused and not walked for ever.
#[test]
fn bad_doorbell_is_refused() {
    let mut rig = Rig::new();
    rig.start(TX, 0);
    for bad in [0x7ff8, 0xfff8, 4] {
        rig.write(pipe_reg(TX, 0x818), bad);
        assert_eq!(rig.consume(TX), None);
    }
    assert_eq!(rig.counters.bad_evnt, 3);
}

/// A halted pipe keeps its descriptors and goes on with them; a pipe that is
/// not enabled must not be given any.
#[test]
fn halted_and_disabled_pipes() {
    let mut rig = Rig::new();
    rig.start(TX, 0);
    rig.write(pipe_reg(TX, 8), 1);
    rig.describe(TX, 0, BUFFERS, 4);
    rig.write(pipe_reg(TX, 0x818), 8);
    assert_eq!(rig.consume(TX), None);
    assert_eq!(rig.counters.pipe_misuse, 0);
    assert_eq!(rig.write(pipe_reg(TX, 8), 0), Event::Doorbell(TX));
    assert!(rig.consume(TX).is_some());
    rig.write(pipe_reg(TX, 0), 0);
    rig.write(pipe_reg(TX, 0x818), 16);
    assert_eq!(rig.consume(TX), None);
    assert_eq!(rig.counters.pipe_misuse, 1);
}

proptest! {
    /// No sequence of guest accesses and transfers panics or hangs.
    #[test]
    fn any_guest_is_survived(steps in prop::collection::vec(
        (0u8..5, prop_oneof![0u64..0x20, 0x3000u64..0x3020, 0x17000u64..0x17830, 0x18000u64..0x18830, any::<u64>()],
         prop_oneof![0u32..64, any::<u32>()], 0usize..9), 0..200))
    {
        let mut rig = Rig::new();
        rig.start(TX, 0);
        rig.start(RX, 8);
        for (step, offset, value, len) in steps {
            match step {
                0 => { rig.write(offset & !3, value); }
                1 => {
                    let bytes = u64::from(value).to_le_bytes();
                    rig.bam.write(offset, &bytes[..len.min(8)], &mut rig.counters);
                }
                2 => {
                    let mut data = vec![0; len];
                    rig.bam.read(offset, &mut data, &mut rig.counters);
                }
                3 => for _ in 0..8192 {
                    if rig.consume(TX).is_none() { break; }
                },
                _ => { rig.produce(&[0; 100]); }
            }
            rig.interrupt();
        }
    }
}
