// SPDX-License-Identifier: GPL-2.0
//! The modem's end against Linux' end, and against memory full of nonsense.

mod nonsense;

use proptest::prelude::*;

use super::linux::Linux;
use super::*;

/// Both ends, with the interrupts and doorbells between them.
struct Rig {
    smem: Smem,
    smd: Smd,
    linux: Option<Linux>,
    counters: Counters,
    /// Packets that the modem has taken.
    taken: Vec<Vec<u8>>,
    changes: Vec<Change>,
    /// Interrupts of the modem so far.
    interrupts: u32,
}

impl Rig {
    fn new() -> Self {
        let smem = Smem::new().unwrap();
        smem.format();
        let smd = Smd::create(&smem);
        Self {
            smem,
            smd,
            linux: None,
            counters: Counters::default(),
            taken: Vec::new(),
            changes: Vec::new(),
            interrupts: 0,
        }
    }

    /// Started, and with a Linux that has found the channel.
    fn offered() -> Self {
        let mut rig = Self::new();
        rig.smd.offer(&rig.smem);
        rig.settle();
        rig
    }

    /// With somebody who has the port open.
    fn opened() -> Self {
        let mut rig = Self::offered();
        rig.open();
        rig
    }

    fn linux(&mut self) -> &mut Linux {
        self.linux.as_mut().unwrap()
    }

    /// The modem does what a doorbell makes it do; true if it interrupts.
    fn modem(&mut self) -> bool {
        let change = self.smd.look(&self.smem, &mut self.counters);
        self.changes.extend(change);
        self.smd.flush(&self.smem, &mut self.counters);
        while let Some(packet) = self.smd.receive(&self.smem, &mut self.counters) {
            self.taken.push(packet);
        }
        self.smd.flush(&self.smem, &mut self.counters);
        let interrupt = self.smd.take_interrupt();
        self.interrupts += u32::from(interrupt);
        interrupt
    }

    /// Lets both run until neither has anything to tell the other.
    fn settle(&mut self) {
        let mut turns = 0;
        while self.modem() {
            turns += 1;
            assert!(turns < 100, "interrupts and doorbells without end");
            self.linux = self.linux.take().or_else(|| Linux::scan(&self.smem));
            let Some(linux) = self.linux.as_mut() else {
                return;
            };
            linux.interrupt(&self.smem);
            if linux.work(&self.smem) {
                self.close();
            }
        }
    }

    fn open(&mut self) {
        for state in [1, 2] {
            let smem = &self.smem;
            self.linux.as_mut().unwrap().set_state(smem, state);
            self.settle();
            // What Linux waits for, by its own rules.
            assert!((state..=2).contains(&self.linux().remote));
        }
    }

    fn close(&mut self) {
        self.linux.as_mut().unwrap().set_state(&self.smem, 0);
        self.settle();
        self.linux.as_mut().unwrap().reset(&self.smem);
        self.settle();
    }

    fn send(&mut self, packet: &[u8]) -> bool {
        self.linux.as_mut().unwrap().send(&self.smem, packet)
    }

    fn restart(&mut self) {
        let change = self.smd.withdraw(&self.smem);
        self.changes.extend(change);
    }

    fn echo(&mut self, len: usize) {
        let packet: Vec<u8> = (0..len).map(|i| i.to_le_bytes()[0]).collect();
        assert!(self.send(&packet));
        self.settle();
        assert_eq!(self.taken.pop(), Some(packet.clone()));
        self.smd.send(packet.clone(), &mut self.counters);
        self.settle();
        assert_eq!(self.linux().inbox.pop(), Some(packet));
    }
}

/// Linux does not see the channel before the modem has started, and finds the
/// port afterwards, whichever of the two comes first.
#[test]
fn appears_when_started() {
    let mut rig = Rig::new();
    rig.modem();
    assert!(Linux::scan(&rig.smem).is_none());
    let mut rig = Rig::offered();
    assert!(rig.linux().registered);
    rig.linux = Linux::scan(&rig.smem);
    rig.settle();
    assert!(rig.linux().registered, "an edge that comes later");
    assert_eq!(rig.smd.state(), State::Opening);
}

/// Opened and closed again and again, with packets of all kinds of lengths;
/// the positions begin at 0 each time on both sides.
#[test]
fn opened_again_and_again() {
    let mut rig = Rig::offered();
    for round in 0..50 {
        rig.open();
        assert_eq!(rig.smd.state(), State::Opened);
        for len in [0, 1, 13, 20, 21, 100, 4095, 4096, 2048 + round] {
            rig.echo(len);
        }
        rig.close();
        assert_eq!(rig.smd.state(), State::Opening);
        assert!(rig.linux().registered, "the port stays");
    }
    assert_eq!(rig.changes.len(), 100);
    assert_eq!(rig.counters.smd_bad, 0);
}

/// A modem that restarts takes the port away, and offers it again only after
/// Linux has let go of the old one; for ever, and in the same memory.
#[test]
fn restarts() {
    let mut rig = Rig::opened();
    let free = rig.smem.load(0xc8);
    for round in 0..500 {
        let half_way = round % 3;
        if half_way == 0 {
            rig.echo(333);
            rig.smd.send(vec![1; 99], &mut rig.counters);
        }
        rig.restart();
        rig.smd.offer(&rig.smem);
        if half_way != 2 {
            rig.modem();
            assert_eq!(rig.smd.state(), State::Closed, "Linux still has it");
        }
        rig.linux.as_mut().unwrap().interrupt(&rig.smem);
        rig.smd.interrupt = true;
        rig.settle();
        assert_eq!(rig.smd.state(), State::Opening);
        assert!(rig.linux().registered);
        rig.open();
    }
    assert_eq!(rig.counters.smd_bad, 0);
    assert_eq!(rig.smem.load(0xc8), free);
}

/// Without anybody at the port a restart is no loss for Linux: the port
/// stays and can be opened when the modem has started.
#[test]
fn restart_while_closed() {
    let mut rig = Rig::offered();
    rig.restart();
    rig.settle();
    let smem = &rig.smem;
    rig.linux.as_mut().unwrap().set_state(smem, 1);
    rig.settle();
    assert_eq!(rig.linux().remote, 0, "nobody answers");
    rig.smd.offer(&rig.smem);
    rig.settle();
    assert_eq!(rig.linux().remote, 1);
    let smem = &rig.smem;
    rig.linux.as_mut().unwrap().set_state(smem, 2);
    rig.settle();
    assert_eq!(rig.linux().remote, 2);
    rig.echo(10);
}

/// Frames wait for room, ask for an interrupt, and come in order; packets of
/// Linux wait behind them, and nothing is lost.
#[test]
fn waits_for_room() {
    let mut rig = Rig::opened();
    rig.linux().refuses = true;
    let frames: Vec<_> = (0..BUSY + 20)
        .map(|i| vec![i.to_le_bytes()[0]; 500])
        .collect();
    for frame in &frames {
        rig.smd.send(frame.clone(), &mut rig.counters);
    }
    rig.settle();
    assert!(rig.send(b"later"));
    rig.settle();
    assert!(rig.smd.queued() >= BUSY && rig.taken.is_empty());
    rig.linux().refuses = false;
    while rig.linux.as_mut().unwrap().interrupt(&rig.smem) {
        rig.modem();
    }
    assert_eq!(rig.linux().inbox, frames);
    rig.settle();
    assert_eq!(rig.taken, [b"later"]);
    assert_eq!(rig.counters.smd_undelivered, 0);
    let before = rig.interrupts;
    assert!(
        !rig.linux.as_mut().unwrap().interrupt(&rig.smem),
        "no more rings"
    );
    assert_eq!(rig.interrupts, before);
}

/// Linux may ask for an interrupt when it waits for room.
#[test]
fn tells_of_room() {
    let mut rig = Rig::opened();
    while rig.send(&[7; 1000]) {}
    rig.smem
        .store_byte(u64::from(rig.smem.load(0xd0 + 14 * 16 + 4)) + 11, 0);
    rig.smd.take_interrupt();
    assert!(rig.modem());
    assert_eq!(rig.taken.len(), 8);
    assert!(rig.send(&[7; 1000]));
}

/// The queue is bounded, and what nobody can receive goes nowhere.
#[test]
fn bounded() {
    let mut rig = Rig::opened();
    for _ in 0..LIMIT + 5 {
        rig.smd.send(vec![0; 4096], &mut rig.counters);
    }
    rig.smd.send(vec![0; 4097], &mut rig.counters);
    assert_eq!(rig.counters.smd_undelivered, 6);
    rig.restart();
    rig.smd.send(vec![0], &mut rig.counters);
    assert_eq!((rig.counters.smd_undelivered, rig.smd.queued()), (7, 0));
}

/// A packet that is only partly there waits for the rest.
#[test]
fn partial_packet() {
    let mut rig = Rig::opened();
    let smem = &rig.smem;
    rig.linux.as_mut().unwrap().write(smem, &[5, 0, 0, 0]);
    rig.modem();
    let smem = &rig.smem;
    rig.linux
        .as_mut()
        .unwrap()
        .write(smem, &[&[0; 16][..], b"he"].concat());
    rig.modem();
    assert!(rig.taken.is_empty());
    let smem = &rig.smem;
    rig.linux.as_mut().unwrap().write(smem, b"llo");
    rig.modem();
    assert_eq!(rig.taken, [b"hello"]);
    assert_eq!(rig.counters.smd_bad, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Packets in both directions arrive whole and in order, whatever their
    /// lengths and wherever they wrap.
    #[test]
    fn any_lengths(lens in prop::collection::vec(0usize..=4096, 1..40)) {
        let mut rig = Rig::opened();
        for len in lens {
            rig.echo(len);
        }
        prop_assert_eq!(rig.counters.smd_bad, 0);
    }
}
