// SPDX-License-Identifier: GPL-2.0
//! Tests of the BAM, programmed as `bam_dma.c` does it.

use super::layout::{
    ALL,
    V1_7_0, //
};
use super::*;
use proptest::prelude::*;

const TX: u8 = 4;
const RX: u8 = 5;
const RING: u64 = 0x1000;
const BUFFERS: u64 = 0x10_0000;
const RING_BYTES: u32 = 0x7ff8;

/// What the guest wants of a descriptor: the end of a transfer, and an interrupt.
const EOT: u16 = 0x4000;
const INT: u16 = 0x8000;

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
        rig.bam.set_power(true, &mut rig.counters);
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
        self.describe_with(pipe, slot, address, size, EOT);
    }

    fn describe_with(&mut self, pipe: u8, slot: u32, address: u64, size: u16, flags: u16) {
        let mut bytes = u32::try_from(address).unwrap().to_le_bytes().to_vec();
        bytes.extend(size.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        let at = u64::from(Self::ring(pipe)) + u64::from(slot) * 8;
        self.memory.write(at, &bytes).unwrap();
    }

    /// A descriptor as it is in memory: address, size, flags.
    fn described(&self, pipe: u8, slot: u32) -> (u32, u16, u16) {
        let mut bytes = [0; 8];
        let at = u64::from(Self::ring(pipe)) + u64::from(slot) * 8;
        self.memory.read(at, &mut bytes).unwrap();
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let address = u32::from(half(0)) | u32::from(half(2)) << 16;
        (address, half(4), half(6))
    }

    fn memory(&self, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.memory.read(at, &mut bytes).unwrap();
        bytes
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
    rig.bam.set_power(false, &mut rig.counters);
    assert_eq!(rig.read(0), u32::MAX);
    assert_eq!(rig.write(pipe_reg(TX, 0x818), 8), Event::None);
    assert_eq!(rig.counters.unpowered_access, 2);
    rig.bam.set_power(true, &mut rig.counters);
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

/// A downlink transfer needs a descriptor; size and end are written back, and
/// what else the descriptor says stays.
#[test]
fn downlink_uses_descriptors() {
    let mut rig = Rig::new();
    rig.start(RX, 8);
    assert_eq!(rig.produce(b"early"), Produced::NoDescriptor);
    let at = u32::try_from(BUFFERS).unwrap();
    rig.describe(RX, 0, BUFFERS, 2048);
    rig.describe_with(RX, 1, BUFFERS + 16, 5, 0xb000);
    rig.write(pipe_reg(RX, 0x818), 16);
    assert_eq!(rig.produce(b"one"), Produced::Done);
    assert_eq!(rig.described(RX, 0), (at, 3, EOT));
    assert_eq!(rig.described(RX, 1), (at + 16, 5, 0xb000), "not used yet");
    assert_eq!(rig.produce(b"other"), Produced::Done);
    assert_eq!(rig.described(RX, 1), (at + 16, 5, 0xf000));
    assert_eq!(rig.produce(b"late"), Produced::NoDescriptor);
    assert_eq!(rig.memory(BUFFERS, 4), b"one\0");
    assert_eq!(rig.memory(BUFFERS + 16, 6), b"other\0");
    assert_eq!(rig.read(pipe_reg(RX, 0x800)), 16);
    assert_eq!(rig.counters.downlink_continued, 0);
}

/// A transfer that is longer than its buffer goes on in the next ones, waits for
/// one that is missing, and ends once: the interrupt and EOT come with the last.
#[test]
fn transfer_of_several_descriptors() {
    let mut rig = Rig::new();
    rig.start(RX, 8);
    for slot in 0..2 {
        rig.describe(RX, slot, BUFFERS + u64::from(slot) * 16, 4);
    }
    rig.write(pipe_reg(RX, 0x818), 16);
    assert_eq!(rig.produce(b"0123456789"), Produced::NoDescriptor);
    assert_eq!(rig.read(pipe_reg(RX, 0x800)), 16, "both are done with");
    let first = u32::try_from(BUFFERS).unwrap();
    assert_eq!(rig.described(RX, 0), (first, 4, 0));
    assert_eq!(rig.described(RX, 1), (first + 16, 4, 0));
    assert!(!rig.interrupt(), "the transfer has not ended");
    rig.describe(RX, 2, BUFFERS + 32, 2048);
    rig.write(pipe_reg(RX, 0x818), 24);
    assert_eq!(rig.produce(b"0123456789"), Produced::Done);
    assert_eq!(rig.described(RX, 2), (first + 32, 2, EOT));
    assert!(rig.interrupt());
    assert_eq!(rig.memory(BUFFERS, 4), b"0123");
    assert_eq!(rig.memory(BUFFERS + 16, 4), b"4567");
    assert_eq!(rig.memory(BUFFERS + 32, 3), b"89\0");
    assert_eq!(rig.counters.downlink_continued, 1);
}

/// A descriptor of the guest that asks for it interrupts in the middle.
#[test]
fn interrupt_of_a_descriptor() {
    let mut rig = Rig::new();
    rig.start(RX, 8);
    rig.describe_with(RX, 0, BUFFERS, 4, INT);
    rig.write(pipe_reg(RX, 0x818), 8);
    assert_eq!(rig.produce(b"01234"), Produced::NoDescriptor);
    assert!(rig.interrupt());
    assert_eq!(rig.read(pipe_reg(RX, 0x10)), 1, "processed, not ended");
    let first = u32::try_from(BUFFERS).unwrap();
    assert_eq!(rig.described(RX, 0), (first, 4, INT));
}

/// A pipe that is reset in the middle of a transfer begins it again.
#[test]
fn reset_in_the_middle() {
    let mut rig = Rig::new();
    rig.start(RX, 8);
    rig.describe(RX, 0, BUFFERS, 4);
    rig.write(pipe_reg(RX, 0x818), 8);
    assert_eq!(rig.produce(b"01234567"), Produced::NoDescriptor);
    rig.start(RX, 8);
    rig.describe(RX, 0, BUFFERS + 64, 2048);
    rig.write(pipe_reg(RX, 0x818), 8);
    assert_eq!(rig.produce(b"01234567"), Produced::Done);
    assert_eq!(rig.memory(BUFFERS + 64, 9), b"01234567\0");
}

/// Descriptors of the pipe to the modem are not written.
#[test]
fn uplink_descriptors_stay() {
    let mut rig = Rig::new();
    rig.start(TX, 0);
    rig.describe(TX, 0, BUFFERS, 64);
    rig.write(pipe_reg(TX, 0x818), 8);
    assert!(rig.consume(TX).is_some());
    assert_eq!(
        rig.described(TX, 0),
        (u32::try_from(BUFFERS).unwrap(), 64, EOT)
    );
}

/// Transfers that the modem has not taken are lost, and counted, when their pipe
/// is reset or the power goes; those to the guest are not meant.
#[test]
fn untaken_transfers_are_counted() {
    let mut rig = Rig::new();
    let queue = |rig: &mut Rig| {
        rig.start(TX, 0);
        rig.start(RX, 8);
        for slot in 0..3 {
            rig.describe(TX, slot, BUFFERS, 64);
            rig.describe(RX, slot, BUFFERS, 64);
        }
        rig.write(pipe_reg(TX, 0x818), 24);
        rig.write(pipe_reg(RX, 0x818), 24);
        rig.consume(TX);
    };
    queue(&mut rig);
    rig.write(pipe_reg(TX, 4), 1);
    assert_eq!(rig.counters.uplink_lost, 2);
    queue(&mut rig);
    rig.write(0, 1);
    assert_eq!(rig.counters.uplink_lost, 4);
    rig.write(0, 0);
    rig.write(0, 2);
    queue(&mut rig);
    rig.bam.set_power(false, &mut rig.counters);
    assert_eq!(rig.counters.uplink_lost, 6);
    rig.bam.set_power(true, &mut rig.counters);
    assert_eq!(rig.counters.uplink_lost, 6, "once");
}

/// Each version works at its own offsets, with the mask of interrupts there.
#[test]
fn versions() {
    for (layout, pipes, sources) in [(ALL[0], 0x1000, 0x800), (ALL[1], 0x1_3000, 0x3000)] {
        let mut rig = Rig::new();
        rig.bam = Bam::new(layout, 6);
        rig.bam.set_power(true, &mut rig.counters);
        let base = pipes + u64::from(RX) * 0x1000;
        rig.write(0, 2);
        rig.write(base + 0x81c, Rig::ring(RX));
        rig.write(base + 0x820, RING_BYTES);
        rig.write(base + 0x18, 0x20);
        rig.write(sources + 4, 1 << RX);
        rig.write(base, 0x2a);
        rig.describe(RX, 0, BUFFERS, 64);
        assert_eq!(rig.write(base + 0x818, 8), Event::Doorbell(RX));
        assert_eq!(rig.produce(b"data"), Produced::Done);
        assert!(rig.interrupt(), "{}", layout.version);
        assert_eq!(rig.read(sources), 1 << RX);
        assert_eq!(rig.read(base + 0x800), 8);
        assert!(rig.bam.reports(RX, base + 0x800));
        assert_eq!(rig.counters.unmapped_access, 0);
    }
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
    /// Transfers of any size come through buffers of any size in order, and the
    /// ends that are written back are theirs.
    #[test]
    fn any_sizes(
        transfers in prop::collection::vec(0usize..200, 1..20),
        sizes in prop::collection::vec(1u16..90, 1..8),
    ) {
        let mut rig = Rig::new();
        rig.start(RX, 8);
        let size = |slot: u32| sizes[slot as usize % sizes.len()];
        let buffer = |slot: u32| BUFFERS + u64::from(slot) * 128;
        let mut given = 0;
        let mut found = Vec::new();
        let mut current = Vec::new();
        for (number, &len) in transfers.iter().enumerate() {
            let data = vec![u8::try_from(number).unwrap(); len];
            while rig.produce(&data) == Produced::NoDescriptor {
                rig.describe(RX, given, buffer(given), size(given));
                given += 1;
                rig.write(pipe_reg(RX, 0x818), given * 8);
            }
        }
        for slot in 0..given {
            let (_, len, flags) = rig.described(RX, slot);
            prop_assert!(len <= size(slot));
            current.extend(rig.memory(buffer(slot), len.into()));
            if flags & EOT != 0 {
                found.push(std::mem::take(&mut current));
            }
        }
        let numbered = transfers.iter().enumerate();
        let sent: Vec<_> = numbered.map(|(n, &len)| vec![u8::try_from(n).unwrap(); len]).collect();
        prop_assert_eq!(found, sent);
    }

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
