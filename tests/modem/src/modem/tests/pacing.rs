// SPDX-License-Identifier: GPL-2.0
//! Frames that take time, against a guest and a simulated clock.

use std::sync::{
    Arc,
    Mutex, //
};

use super::*;
use crate::pace::{
    Change,
    Lane,
    Rate, //
};

/// A network that keeps what it gets.
#[derive(Clone, Default)]
struct Far(Arc<Mutex<Vec<Vec<u8>>>>);

impl Network for Far {
    fn deliver(&mut self, _channel: u8, packet: &[u8]) -> bool {
        self.0.lock().unwrap().push(packet.to_vec());
        true
    }
}

impl Far {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

fn change(text: &str) -> Change {
    serde_json::from_str(text).unwrap()
}

/// A guest with channel 0 open both ways and the pace that is asked for.
fn paced(text: &str) -> (Guest, Far) {
    let far = Far::default();
    let mut guest = Guest::new();
    guest.modem.network = Some(Box::new(far.clone()));
    guest.boot();
    guest.vote(true);
    guest.received();
    guest.send(&frame::transfer(frame::OPEN, 0, b""));
    guest.clear();
    guest.modem.change_pace(&change(text)).unwrap();
    (guest, far)
}

/// Runs the worker until so much time has passed.
fn run(guest: &mut Guest, ms: u64) {
    let end = guest.now + Duration::from_millis(ms);
    while let Some(due) = guest.modem.deadline().filter(|&due| due <= end) {
        guest.now = guest.now.max(due);
        guest.modem.set_time(guest.now);
        guest.modem.tick();
    }
    guest.now = end;
    guest.modem.set_time(end);
}

fn packet(number: u32, len: usize) -> Vec<u8> {
    let mut packet = vec![0x45; len];
    packet[16..20].copy_from_slice(&[10, 64, 0, 2]);
    packet[4..8].copy_from_slice(&number.to_le_bytes());
    packet
}

fn send(guest: &mut Guest, count: u32) {
    for number in 0..count {
        guest.send(&frame::transfer(frame::DATA, 0, &packet(number, 1400)));
    }
}

/// Without a pace the doorbell takes everything before it returns.
#[test]
fn instant_takes_at_the_doorbell() {
    let (mut guest, far) = paced("{}");
    let before = guest.modem.counters.bam_irqs;
    send(&mut guest, 3);
    assert_eq!(far.count(), 3);
    assert!(!guest.modem.status().tx_pending);
    assert_eq!(guest.modem.counters.bam_irqs, before + 1);
    assert_eq!(guest.modem.pace_deadline(), None);
}

/// With a pace the doorbell takes nothing; the worker takes what is there, with
/// one interrupt, and the network gets it later and in order.
#[test]
fn worker_takes_several_at_once() {
    let (mut guest, far) = paced(r#"{"uplink_mbit":50,"uplink_latency_us":20000}"#);
    let before = guest.modem.counters.bam_irqs;
    let taken = guest.modem.counters.uplink_frames;
    send(&mut guest, 8);
    assert_eq!(guest.modem.counters.uplink_frames, taken);
    assert_eq!(guest.modem.pace_deadline(), Some(guest.now), "at once");
    guest.modem.tick();
    assert_eq!(guest.modem.counters.uplink_frames, taken + 8);
    assert_eq!(guest.modem.counters.bam_irqs, before + 1);
    assert_eq!(guest.modem.status().uplink_in_air, 8);
    run(&mut guest, 19);
    assert_eq!(far.count(), 0, "20 ms in the air");
    run(&mut guest, 10);
    assert_eq!(far.count(), 8);
    assert_eq!(guest.modem.status().uplink_in_air, 0);
    assert_eq!(guest.violations(), []);
}

/// The TX pipe stands still when the modem's buffer is full, and goes on as the
/// radio takes packets, at its rate and several at an interrupt.
#[test]
fn uplink_back_pressure() {
    let (mut guest, far) = paced(r#"{"uplink_mbit":50,"uplink_buffer":10000}"#);
    let before = (
        guest.modem.counters.uplink_frames,
        guest.modem.counters.bam_irqs,
    );
    send(&mut guest, 400);
    guest.modem.tick();
    assert_eq!(guest.modem.counters.uplink_frames - before.0, 8);
    assert!(guest.modem.status().tx_pending);
    for _ in 0..100 {
        run(&mut guest, 1);
        guest.clear();
    }
    // 400 packets of 1400 bytes are 89.6 ms at 50 Mbit/s.
    assert_eq!(far.count(), 400);
    assert!(!guest.modem.status().tx_pending);
    let interrupts = guest.modem.counters.bam_irqs - before.1;
    assert!(
        (80..=95).contains(&interrupts),
        "one each burst: {interrupts}"
    );
    assert_eq!(guest.modem.counters.uplink_lost, 0);
}

/// Half of the time is not enough for them: the rate is obeyed.
#[test]
fn uplink_rate() {
    let (mut guest, far) = paced(r#"{"uplink_mbit":50,"uplink_buffer":10000}"#);
    send(&mut guest, 400);
    run(&mut guest, 50);
    assert!((215..=228).contains(&far.count()), "{}", far.count());
}

/// A guest that has withdrawn its vote with ten transfers in a slow pipe, some
/// seconds later.
fn slow_and_unvoted(seconds: u32) -> Guest {
    let (mut guest, _far) = paced(r#"{"uplink_mbit":0.01,"uplink_buffer":2000}"#);
    send(&mut guest, 10);
    guest.modem.tick();
    guest.clear();
    guest.vote(false);
    for _ in 0..10 * seconds {
        run(&mut guest, 100);
        if guest.modem.bam.interrupting() {
            guest.clear();
        }
    }
    guest
}

/// Transfers in the pipe keep the power up, until the last has been taken.
#[test]
fn pending_uplink_keeps_power() {
    // One packet takes 1.12 s, and two are in the modem's buffer.
    let guest = slow_and_unvoted(7);
    assert!(guest.modem.status().tx_pending && guest.modem.status().pc);
    let guest = slow_and_unvoted(12);
    assert!(!guest.modem.status().tx_pending && !guest.modem.status().pc);
    assert_eq!(guest.modem.counters.uplink_lost, 0);
}

/// If the power goes all the same they are lost and counted.
#[test]
fn power_goes_with_pending_uplink() {
    let mut guest = slow_and_unvoted(5);
    guest.modem.force_power(false, true).unwrap();
    let taken = guest.modem.counters.uplink_frames;
    assert_eq!(guest.modem.counters.uplink_lost, 10 - taken);
    assert!(taken < 10);
}

/// Transfers that a command holds in the pipe do not keep the power up, as ever,
/// and come when they are let go.
#[test]
fn held_uplink() {
    let (mut guest, far) = paced(r#"{"uplink_mbit":50}"#);
    guest.modem.hold_tx(true);
    send(&mut guest, 2);
    run(&mut guest, 10);
    assert_eq!(guest.modem.counters.uplink_frames, 0);
    guest.modem.hold_tx(false);
    run(&mut guest, 10);
    assert_eq!(far.count(), 2);
    guest.modem.hold_tx(true);
    send(&mut guest, 2);
    guest.clear();
    guest.vote(false);
    run(&mut guest, 600);
    assert!(!guest.modem.status().pc);
}

/// Packets of the network arrive after their latency, at the rate, in bursts, in
/// order.
#[test]
fn downlink_pace() {
    let (mut guest, _far) = paced(r#"{"downlink_mbit":50,"downlink_latency_us":20000}"#);
    for number in 0..30 {
        guest.modem.packet_from_network(&packet(number, 1400));
    }
    guest.modem.flush();
    run(&mut guest, 19);
    assert_eq!(guest.received().len(), 0);
    assert_eq!(guest.modem.status().downlink_in_air, 30);
    let interrupts = |guest: &Guest| {
        let counters = &guest.modem.counters;
        counters.bam_irqs - counters.bam_irqs_again
    };
    let before = interrupts(&guest);
    let mut bursts = Vec::new();
    for _ in 0..9 {
        run(&mut guest, 1);
        bursts.push(guest.received().len());
        guest.clear();
    }
    // 6250 bytes are 4.4 frames of 1408.
    assert_eq!(bursts.iter().sum::<usize>(), 30);
    assert!(bursts.iter().all(|&frames| frames <= 5), "{bursts:?}");
    let interrupts = interrupts(&guest) - before;
    assert!(interrupts <= 8, "one each burst: {interrupts}");
}

/// Packets wait for descriptors, in the modem and then in the network, and none
/// is lost.
#[test]
fn downlink_back_pressure() {
    let (mut guest, _far) = paced(r#"{"downlink_mbit":50,"downlink_latency_us":20000}"#);
    let mut offered = 0;
    let mut received = 0;
    for round in 0..500 {
        while !guest.modem.downlink_is_busy() && offered < 3000 {
            guest.modem.packet_from_network(&packet(offered, 100));
            offered += 1;
        }
        guest.modem.flush();
        run(&mut guest, 1);
        if round < 100 {
            assert!(offered < 3000, "the network waits for Linux");
            continue;
        }
        received += guest.received().len();
        guest.clear();
        guest.post(31);
    }
    assert_eq!((offered, received), (3000, 3000));
    assert!(guest.modem.counters.rx_starved > 0);
    assert_eq!(guest.modem.counters.downlink_queue_full, 0);
}

/// What is on its way goes on when the pace becomes instant, and is lost in a
/// restart.
#[test]
fn changes_of_pace() {
    let (mut guest, far) = paced(r#"{"uplink_mbit":1,"uplink_latency_us":20000}"#);
    send(&mut guest, 5);
    guest.modem.tick();
    assert_eq!(far.count(), 0);
    guest
        .modem
        .change_pace(&change(r#"{"base":"instant"}"#))
        .unwrap();
    assert_eq!(far.count(), 5);
    let slow = change(r#"{"uplink_mbit":1,"uplink_latency_us":20000}"#);
    guest.modem.change_pace(&slow).unwrap();
    send(&mut guest, 5);
    guest.modem.tick();
    guest.modem.restart(false, None);
    run(&mut guest, 100);
    assert_eq!(far.count(), 5);
    assert_eq!(guest.modem.counters.uplink_undelivered, 5);
}

/// A crashed modem takes nothing and passes nothing on.
#[test]
fn crash_stops_frames() {
    let (mut guest, far) = paced(r#"{"base":"msm8916"}"#);
    send(&mut guest, 5);
    guest.modem.tick();
    guest.modem.packet_from_network(&packet(0, 100));
    guest.modem.crash(false);
    send(&mut guest, 5);
    assert_eq!(guest.modem.pace_deadline(), None);
    run(&mut guest, 100);
    assert_eq!(far.count(), 0);
    assert_eq!(guest.received().len(), 0);
}

/// What the modem says of itself is in its OPEN, and Linux' answer is no mistake.
#[test]
fn capabilities() {
    let mut guest = Guest::new();
    guest.boot();
    guest.received();
    guest.modem.open(&[0], Some(0x83)).unwrap();
    let open = guest.received()[0];
    assert_eq!((open.cmd, open.signal), (frame::OPEN, 0x83));
    guest.send(&frame::open(0, 0x42));
    assert_eq!(guest.modem.status().answers[0], 0x42);
    assert_eq!(guest.modem.counters.uplink_open_answers, 1);
    assert_eq!(guest.violations(), []);
    guest.send(&frame::open(3, 0x42));
    assert_eq!(guest.violations(), [("nonzero_signal", 1)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever the pace, all packets of Linux arrive, in order, with time enough.
    #[test]
    fn any_pace(mbit in 1u32..100, latency in 0u64..30_000, buffer in 1usize..20_000) {
        let (mut guest, far) = paced("{}");
        guest.modem.pacing.set(Pace {
            uplink: Lane {
                rate: Rate::mbit(mbit),
                latency: Duration::from_micros(latency),
            },
            uplink_buffer: buffer,
            ..Pace::instant()
        });
        for number in 0..60 {
            let bytes = frame::transfer(frame::DATA, 0, &packet(number, 1400));
            guest.send_from(0x8_0000 + u64::from(number) * 0x800, &bytes);
            run(&mut guest, u64::from(number % 3));
        }
        run(&mut guest, 1000);
        let sent: Vec<_> = (0..60).map(|number| packet(number, 1400)).collect();
        prop_assert_eq!(&*far.0.lock().unwrap(), &sent);
        prop_assert!(!guest.modem.status().tx_pending);
    }
}
