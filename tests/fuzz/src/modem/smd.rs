// SPDX-License-Identifier: GPL-2.0
//! The control port's channel of packets in shared memory: a guest that writes anything into it,
//! and one that keeps to the protocol, whose packets come out as they went in.

use std::collections::VecDeque;

use arbitrary::{
    Arbitrary,
    Unstructured, //
};
use bam_dmux_modem::counters::Counters;
use bam_dmux_modem::smd::layout::{
    Fifo,
    FIFO,
    LONGEST_PACKET, //
};
use bam_dmux_modem::smd::{
    Smd,
    State, //
};
use bam_dmux_modem::smem::{
    Smem,
    SIZE, //
};

/// Frames that may wait for Linux (the modem's own bound).
const QUEUE: usize = 128;
/// Packets that one look may find: each has a header.
const PACKETS: usize = FIFO as usize / 20;

#[derive(Debug, Arbitrary)]
enum Step {
    /// Of a Linux that keeps to the protocol.
    Open,
    Close,
    Packet(Vec<u8>),
    LongPacket(u16, u8),
    Listen,
    /// Of the modem.
    Send(u16),
    Offer,
    Withdraw,
    /// Of a Linux that does not.
    Info {
        word: u8,
        value: u32,
    },
    Position {
        word: bool,
        value: u16,
    },
    Data {
        at: u16,
        value: u32,
    },
    Anywhere {
        offset: u32,
        value: u32,
    },
}

struct Rig {
    smem: Smem,
    smd: Smd,
    counters: Counters,
    info: u64,
    fifo: u64,
    /// Packets that have to come out, while Linux has done nothing wrong.
    sent: Option<VecDeque<Vec<u8>>>,
}

/// Runs the target.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(smem) = Smem::new() else { return };
    smem.format();
    let mut smd = Smd::create(&smem);
    smd.offer(&smem);
    let [info, fifo] = [14, 338].map(|item| u64::from(smem.load(0xd0 + item * 16 + 4)));
    let mut rig = Rig {
        smem,
        smd,
        counters: Counters::default(),
        info,
        fifo,
        sent: Some(VecDeque::new()),
    };
    while let Ok(step) = Step::arbitrary(&mut u) {
        rig.step(step);
        rig.modem();
        if u.is_empty() {
            break;
        }
    }
}

impl Rig {
    fn step(&mut self, step: Step) {
        match step {
            Step::Open => self.set_state(2),
            Step::Close => {
                self.set_state(0);
                self.smem.store(self.info + 0x10, 0);
                self.smem.store(self.info + 0x14 + 0x0c, 0);
                self.expect(VecDeque::clear);
            }
            Step::Packet(packet) => self.send(&packet),
            Step::LongPacket(len, byte) => {
                self.send(&vec![
                    byte;
                    usize::from(len) % (LONGEST_PACKET as usize + 1)
                ]);
            }
            Step::Listen => {
                let head = self.smem.load(self.info + 0x14 + 0x10);
                self.smem.store(self.info + 0x14 + 0x0c, head);
            }
            Step::Send(len) => self
                .smd
                .send(vec![7; usize::from(len) % 5000], &mut self.counters),
            Step::Offer => self.smd.offer(&self.smem),
            Step::Withdraw => {
                self.smd.withdraw(&self.smem);
                // Packets of Linux are dropped, and its positions with them.
                self.sent = None;
            }
            other => {
                self.sent = None;
                self.nonsense(&other);
            }
        }
    }

    fn nonsense(&mut self, step: &Step) {
        match *step {
            Step::Info { word, value } => {
                self.smem.store(self.info + u64::from(word) % 10 * 4, value);
            }
            Step::Position { word, value } => {
                let at = if word { 0x10 } else { 0x0c };
                self.smem.store(self.info + at, value.into());
            }
            Step::Data { at, value } => {
                let at = (u64::from(at) % (u64::from(FIFO) * 2)) & !3;
                self.smem.store(self.fifo + at, value);
            }
            Step::Anywhere { offset, value } => {
                self.smem.store((u64::from(offset) % SIZE) & !3, value);
            }
            _ => {}
        }
    }

    fn expect(&mut self, change: impl FnOnce(&mut VecDeque<Vec<u8>>)) {
        if let Some(sent) = &mut self.sent {
            change(sent);
        }
    }

    fn set_state(&mut self, state: u32) {
        self.smem.store(self.info, state);
        self.smem.store_byte(self.info + 10, 1);
    }

    /// One packet, if there is room and a modem that listens.
    fn send(&mut self, packet: &[u8]) {
        let packet = &packet[..packet.len().min(LONGEST_PACKET as usize)];
        let Ok(len) = u32::try_from(packet.len()) else {
            return;
        };
        let head = self.smem.load(self.info + 0x10);
        let tail = self.smem.load(self.info + 0x0c);
        let open = self.smd.state() == State::Opened;
        if !open || Fifo::room(head, tail) < len + 20 {
            return;
        }
        let mut bytes = len.to_le_bytes().to_vec();
        bytes.resize(20, 0);
        bytes.extend(packet);
        for (&byte, at) in bytes.iter().zip(head..) {
            self.smem
                .store_byte(self.fifo + u64::from(Fifo::wrap(at)), byte);
        }
        self.smem
            .store(self.info + 0x10, Fifo::wrap(head.wrapping_add(len + 20)));
        self.smem.store_byte(self.info + 8, 1);
        self.expect(|sent| sent.push_back(packet.to_vec()));
    }

    /// The modem after a doorbell.
    fn modem(&mut self) {
        let bad = self.counters.smd_bad;
        self.smd.look(&self.smem, &mut self.counters);
        self.smd.flush(&self.smem, &mut self.counters);
        let mut count = 0;
        while let Some(packet) = self.smd.receive(&self.smem, &mut self.counters) {
            assert!(packet.len() <= LONGEST_PACKET as usize);
            count += 1;
            assert!(count <= PACKETS, "packets without end");
            self.expect(|sent| {
                let expected = sent.pop_front();
                assert_eq!(Some(packet), expected, "not what was sent");
            });
        }
        let _ = self.smd.take_interrupt();
        assert!(self.smd.queued() <= QUEUE);
        if self.sent.is_some() {
            assert_eq!(self.counters.smd_bad, bad, "complains of a sane Linux");
        }
    }
}
