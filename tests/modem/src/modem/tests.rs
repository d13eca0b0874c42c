// SPDX-License-Identifier: GPL-2.0
//! The whole modem against a guest that does what the kernel's drivers do.

mod firmware;
mod guest;
mod hostile;
mod lines;
mod pacing;
mod port;
mod trace;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::dmux::downlink::{
    Corruption,
    Field, //
};
use crate::dmux::frame;
use crate::hostile::lines::{
    Edge,
    Signal, //
};
use guest::Guest;

/// The modem powers up, waits for the ack, and opens its channels.
#[test]
fn boot_opens_channels() {
    let mut guest = Guest::new();
    guest.subscribe();
    guest.modem.boot_after(Duration::ZERO);
    assert!(guest.modem.status().pc);
    assert_eq!(guest.modem.counters.downlink_frames, 0);
    guest.connect(32);
    let opens: Vec<_> = guest
        .received()
        .iter()
        .map(|h| (h.cmd, h.channel))
        .collect();
    assert_eq!(opens, [(frame::OPEN, 0), (frame::OPEN, 3)]);
    assert_eq!(guest.violations(), []);
}

/// Started in the first microseconds after the subscription, as asked for.
#[test]
fn boot_on_subscribe() {
    let mut guest = Guest::new();
    guest.modem.boot_on_subscribe(Duration::from_micros(300));
    guest.pass(1000);
    assert!(!guest.modem.status().pc);
    guest.subscribe();
    guest.modem.tick();
    let due = guest.modem.deadline().unwrap().saturating_sub(guest.now);
    assert!(due <= Duration::from_micros(300), "looks often: {due:?}");
    guest.pass(1);
    assert!(guest.modem.status().pc);
}

/// Echoed data comes back on its channel.
#[test]
fn echo() {
    let mut guest = Guest::new();
    guest.boot();
    guest.received();
    guest.modem.set_echo(true);
    guest.send(&frame::transfer(frame::OPEN, 3, b""));
    guest.send(&frame::transfer(frame::DATA, 3, &[0x45; 99]));
    let back = guest.received();
    assert_eq!(back.len(), 1);
    assert_eq!(
        (back[0].cmd, back[0].channel, back[0].len),
        (frame::DATA, 3, 99)
    );
    assert_eq!(guest.violations(), []);
}

/// Frames wait for descriptors and come in order once there are some.
#[test]
fn downlink_waits_for_descriptors() {
    let mut guest = Guest::new();
    guest.subscribe();
    guest.modem.boot_after(Duration::ZERO);
    guest.connect(1);
    guest.modem.send_data(0, b"\x45", 40).unwrap();
    assert_eq!(guest.received().len(), 1);
    assert!(guest.modem.counters.rx_starved > 0);
    guest.post(31);
    assert_eq!(guest.received().len(), 31);
    guest.post(32);
    assert_eq!(guest.received().len(), 10);
}

/// A packet for a sleeping Linux wakes it and is delivered afterwards, also
/// with the shortest idle time.
#[test]
fn downlink_wakes() {
    let mut guest = Guest::new();
    guest.boot();
    guest.send(&frame::transfer(frame::OPEN, 0, b""));
    guest.modem.set_idle(Some(Duration::ZERO));
    guest.clear();
    guest.pass(5);
    guest.disconnect();
    assert!(!guest.modem.status().bam_powered);
    let mut packet = vec![0x45; 20];
    packet[16..20].copy_from_slice(&[10, 64, 0, 2]);
    guest.modem.packet_from_network(&packet);
    guest.modem.flush();
    assert!(guest.modem.status().pc);
    assert_eq!(guest.modem.counters.own_wakeups, 2);
    guest.connect_and_look_away(32);
    assert_eq!(guest.received().len(), 1);
    guest.pass(1000);
    assert!(guest.modem.status().pc, "Linux has not looked yet");
    guest.clear();
    guest.pass(5);
    assert!(!guest.modem.status().pc, "down as soon as possible");
    assert_eq!(guest.violations(), []);
}

/// Power raised on request goes again after the idle time, whether or not it
/// was up; in the middle of a power-down it comes back after Linux' ack.
#[test]
fn power_on_request() {
    let mut guest = Guest::new();
    guest.boot();
    guest.modem.force_power(true, false).unwrap();
    guest.pass(500);
    assert_eq!(guest.modem.status().power, "falling");
    guest.modem.force_power(true, false).unwrap();
    guest.apps.ack ^= true;
    guest.smsm();
    assert_eq!(guest.modem.status().power, "rising");
    guest.connect(32);
    assert_eq!(guest.modem.status().power, "on");
    guest.pass(500);
    assert_eq!(guest.modem.status().power, "falling");
}

/// A driver that comes later hears of the channels again.
#[test]
fn later_driver_hears_of_channels() {
    let mut guest = Guest::new();
    guest.boot();
    guest.pass(500);
    guest.apps.ack ^= true;
    guest.smsm();
    guest.unsubscribe();
    guest.pass(10);
    assert!(!guest.modem.status().pc);
    guest.subscribe();
    guest.pass(10);
    assert!(guest.modem.status().pc);
    guest.connect(32);
    assert_eq!(guest.received().len(), 2);
}

/// While the modem holds TX, transfers lie; when it lets go, they are taken.
#[test]
fn hold_tx() {
    let mut guest = Guest::new();
    guest.boot();
    guest.modem.hold_tx(true);
    guest.send(&frame::transfer(frame::OPEN, 0, b""));
    assert!(guest.modem.status().tx_pending);
    assert_eq!(guest.modem.counters.uplink_transfers, 0);
    guest.modem.hold_tx(false);
    assert_eq!(guest.modem.status().host_open, [0]);
}

/// A driver that touches registers after its ack of a power-down is caught.
#[test]
fn unpowered_access() {
    let mut guest = Guest::new();
    guest.boot();
    guest.pass(500);
    assert!(!guest.modem.status().pc);
    guest.write(0x1_8004, 1);
    assert_eq!(guest.violations(), [], "before the ack it may");
    guest.disconnect();
    guest.write(0x1_8004, 1);
    assert_eq!(guest.violations(), [("unpowered_access", 1)]);
}

/// An ack of the fall while a pipe is still enabled says what is not so.
#[test]
fn ack_with_a_pipe_enabled() {
    let mut guest = Guest::new();
    guest.boot();
    guest.pass(500);
    guest.apps.ack ^= true;
    guest.smsm();
    assert_eq!(guest.violations(), [("acked_connected", 1)]);
}

/// The list of wake-ups has the times that Linux took.
#[test]
fn wakes_are_timed() {
    let mut guest = Guest::new();
    guest.boot();
    guest.send(&frame::transfer(frame::OPEN, 0, b""));
    guest.clear();
    guest.pass(600);
    assert!(!guest.modem.status().pc);
    guest.disconnect();
    guest.modem.reset_counters();
    guest.vote(true);
    guest.pass(3);
    guest.connect(8);
    guest.pass(2);
    guest.send(&frame::transfer(frame::DATA, 0, b"\x45"));
    let wakes = guest.modem.wakes.list();
    assert_eq!(wakes.len(), 1);
    assert_eq!(wakes[0].connect_us, Some(3000));
    assert_eq!(wakes[0].frame_us, Some(2000));
}

/// Missing acks are a violation only while there is a driver.
#[test]
fn ack_timeout_needs_a_driver() {
    let mut guest = Guest::new();
    guest.modem.boot_after(Duration::ZERO);
    guest.pass(1000);
    assert_eq!(guest.modem.counters.ap_absent, 1);
    let mut guest = Guest::new();
    guest.subscribe();
    guest.modem.boot_after(Duration::ZERO);
    guest.pass(1000);
    assert_eq!(guest.violations(), [("ap_ack_timeout", 1)]);
}

/// A crash freezes lines and pipes; a restart brings a modem that works.
#[test]
fn crash_and_restart() {
    let mut guest = Guest::new();
    guest.boot();
    guest.vote(true);
    let before = guest.modem.status();
    guest.modem.crash(false);
    guest.vote(false);
    guest.send(&frame::transfer(frame::OPEN, 0, b""));
    guest.pass(5000);
    let after = guest.modem.status();
    assert_eq!((before.pc, before.ack), (after.pc, after.ack));
    assert_eq!(guest.modem.counters.uplink_transfers, 0);
    assert!(guest.modem.open(&[0], None).is_err());
    guest.modem.restart(true, None);
    let status = guest.modem.status();
    assert!(!status.pc && !status.ack && !status.bam_powered && status.modem_open.is_empty());
    guest.vote(true);
    assert!(guest.modem.status().pc && guest.modem.status().ack);
    guest.connect(32);
    guest.modem.open(&[1], None).unwrap();
    assert_eq!(guest.received().len(), 1);
}

/// Injected bytes arrive as they are, corrupted frames as asked for.
#[test]
fn injection() {
    let mut guest = Guest::new();
    guest.boot();
    guest.received();
    guest.modem.inject(&[0xff; 8], 2).unwrap();
    guest.modem.corrupt(Corruption {
        field: Field::Channel,
        value: 200,
        count: 1,
    });
    guest.modem.send_data(0, b"\x45", 1).unwrap();
    let got = guest.received();
    assert_eq!(
        (got[0].magic, got[1].len, got[2].channel),
        (0xffff, 0xffff, 200)
    );
}

/// Lines move behind the handshake's back, with and without notice.
#[test]
fn edges() {
    let mut guest = Guest::new();
    let told = |guest: &Guest| guest.modem.counters.smsm_irqs;
    for (edge, changes, notices) in [
        (Edge::Toggle, true, 1),
        (Edge::Double, false, 2),
        (Edge::Silent, true, 0),
    ] {
        let (level, count) = (guest.modem.status().pc, told(&guest));
        guest.modem.edge(Signal::Pc, edge);
        assert_eq!(guest.modem.status().pc != level, changes);
        assert_eq!(told(&guest) - count, notices);
    }
}

/// A reset of the function leaves nothing of the guest before.
#[test]
fn reset_rebuilds() {
    let mut guest = Guest::new();
    guest.boot();
    guest.vote(true);
    guest.write(0x4_3000, 1);
    guest.modem.reset();
    let status = guest.modem.status();
    assert!(!status.pc && !status.vote && !status.bam_powered && !status.subscribed);
    let mut owner = [1; 4];
    guest.modem.bar0_read(0x4_3000, &mut owner);
    assert_eq!(owner, [0; 4]);
    (guest.apps, guest.now) = (Bits::default(), guest.modem.now);
    guest.boot();
    assert_eq!(guest.received().len(), 2);
}

/// Recorded transfers are whole, in order, and given out once.
#[test]
fn record() {
    let mut guest = Guest::new();
    guest.boot();
    guest.modem.set_record(true);
    let sent = [
        frame::transfer(frame::OPEN, 0, b""),
        frame::transfer(frame::DATA, 0, b"\x45abc"),
    ];
    for transfer in &sent {
        guest.send(transfer);
    }
    assert_eq!(guest.modem.take_recorded(), sent);
    assert!(guest.modem.take_recorded().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a guest writes to BAR 0 and SMEM, the modem lives.
    #[test]
    fn any_guest_is_survived(steps in prop::collection::vec(
        (0u8..5, prop_oneof![0u64..0x19000, Just(0x2_0008u64), 0x4_0000u64..0x6_0020, Just(0x7_0000), any::<u64>()],
         prop_oneof![0u32..64, any::<u32>()], 0usize..9), 0..200))
    {
        let mut guest = Guest::new();
        guest.boot();
        for (step, offset, value, len) in steps {
            match step {
                0 => guest.write(offset & !3, value),
                1 => guest.modem.bar0_write(offset, &u64::from(value).to_le_bytes()[..len.min(8)]),
                2 => guest.modem.bar0_read(offset, &mut vec![0; len]),
                3 => guest.modem.smem.store(offset & 0x1f_fffc, value),
                _ => guest.pass(u64::from(value % 2000)),
            }
        }
        let _ = guest.modem.status();
    }
}
