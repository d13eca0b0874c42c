// SPDX-License-Identifier: GPL-2.0
//! Everything that happens leaves its event, and the packets their bytes.

use super::*;
use crate::trace::{
    Direction,
    Doorbell,
    FrameKind,
    Milestone,
    Side, //
};

fn events(modem: &Modem) -> Vec<Event> {
    let snapshot = modem.trace.snapshot();
    snapshot
        .events
        .iter()
        .map(|stamped| stamped.event)
        .collect()
}

/// All of them, in this order; others may be between them.
#[track_caller]
fn assert_sequence(found: &[Event], wanted: &[Event]) {
    let mut rest = found.iter();
    for event in wanted {
        assert!(
            rest.any(|one| one == event),
            "{event:?} is not in its place: {found:?}"
        );
    }
}

fn frame(direction: Direction, kind: FrameKind, channel: u8, len: u16) -> Event {
    Event::Frame {
        direction,
        kind,
        channel,
        len,
    }
}

/// A guest whose link sleeps: channel 3 is open on both sides.
fn asleep() -> Guest {
    let mut guest = Guest::new();
    guest.boot();
    guest.modem.set_echo(true);
    guest.send(&frame::transfer(frame::OPEN, 3, b""));
    guest.received();
    guest.clear();
    guest.pass(600);
    guest.apps.ack ^= true;
    guest.smsm();
    assert!(!guest.modem.status().bam_powered);
    guest
}

/// A wake-up by Linux, with a packet there and back, and the sleep after it.
#[test]
fn wake_up_and_sleep() {
    let mut guest = asleep();
    guest.modem.trace.mark();
    guest.vote(true);
    guest.connect(32);
    guest.send(&frame::transfer(frame::DATA, 3, &[0x45; 99]));
    assert_eq!(guest.received().len(), 1);
    guest.clear();
    guest.vote(false);
    guest.pass(600);
    guest.apps.ack ^= true;
    guest.smsm();
    let (up, down) = (Direction::Uplink, Direction::Downlink);
    let found = events(&guest.modem);
    assert_sequence(
        &found,
        &[
            Event::Doorbell(Doorbell::Smsm),
            Event::Level(Level::Vote, true),
            Event::Level(Level::ModemAck, true),
            Event::Interrupt(Line::Smsm),
            Event::Level(Level::Power, true),
            Event::Interrupt(Line::Smsm),
            Event::Doorbell(Doorbell::Rx),
            Event::Doorbell(Doorbell::Smsm),
            Event::Level(Level::LinuxAck, true),
            Event::Doorbell(Doorbell::Tx),
            frame(up, FrameKind::Data, 3, 99),
            frame(down, FrameKind::Data, 3, 99),
            Event::Interrupt(Line::Bam),
            Event::Level(Level::Vote, false),
            Event::Level(Level::ModemAck, false),
            Event::Level(Level::Power, false),
            Event::Level(Level::LinuxAck, false),
            Event::Level(Level::Bam, false),
        ],
    );
    assert!(found.contains(&Event::Level(Level::Bam, true)));
    let snapshot = guest.modem.trace.snapshot();
    let packets: Vec<_> = snapshot
        .packets()
        .map(|packet| (packet.direction, packet.channel, packet.parts.concat()))
        .collect();
    assert_eq!(
        packets,
        [(up, 3, vec![0x45; 99]), (down, 3, vec![0x45; 99])]
    );
}

/// The start of both sides, with the channels that they open.
#[test]
fn boot() {
    let mut guest = Guest::new();
    guest.boot();
    guest.modem.tick();
    guest.send(&frame::transfer(frame::OPEN, 3, b""));
    guest.modem.close(&[0]).unwrap();
    guest.unsubscribe();
    guest.modem.tick();
    let channel = |channel, side, open| Event::Channel {
        channel,
        side,
        open,
    };
    assert_sequence(
        &events(&guest.modem),
        &[
            Event::Milestone(Milestone::Reset),
            Event::Milestone(Milestone::DriverCame),
            Event::Milestone(Milestone::Boot),
            Event::Level(Level::Power, true),
            channel(0, Side::Modem, true),
            channel(3, Side::Modem, true),
            Event::Level(Level::LinuxAck, true),
            frame(Direction::Downlink, FrameKind::Open, 0, 0),
            frame(Direction::Downlink, FrameKind::Open, 3, 0),
            frame(Direction::Uplink, FrameKind::Open, 3, 0),
            channel(3, Side::Linux, true),
            channel(0, Side::Modem, false),
            frame(Direction::Downlink, FrameKind::Close, 0, 0),
            Event::Milestone(Milestone::DriverLeft),
        ],
    );
}

/// Death takes lines and channels along when the firmware is new, not before.
#[test]
fn crash_and_restart() {
    let mut guest = Guest::new();
    guest.boot();
    guest.modem.crash(true);
    guest.modem.report_crash();
    guest.modem.restart(false, None);
    assert_sequence(
        &events(&guest.modem),
        &[
            Event::Milestone(Milestone::Crash),
            Event::Level(Level::Bam, false),
            Event::Interrupt(Line::Mss),
            Event::Milestone(Milestone::Restart),
            Event::Channel {
                channel: 0,
                side: Side::Modem,
                open: false,
            },
            Event::Level(Level::Power, false),
        ],
    );
    guest.modem.trace.mark();
    guest.boot();
    guest.write(0x7_0000, 1);
    guest.write(0x7_0000, 0);
    assert!(events(&guest.modem).contains(&Event::Milestone(Milestone::Stop)));
}

/// What is done behind the handshake's back is seen, too.
#[test]
fn silent_edge() {
    let mut guest = asleep();
    guest.modem.trace.mark();
    guest.modem.edge(Signal::Ack, Edge::Silent);
    assert_eq!(events(&guest.modem), [Event::Level(Level::ModemAck, true)]);
}
