// SPDX-License-Identifier: GPL-2.0
//! The modem with the measured profile against a Linux that does what it should.

use serde_json::json;

use super::guest::Guest;
use super::*;
use crate::profile::{
    Force,
    Kind, //
};
use crate::replay::Report;
use crate::trace::Milestone;

const MS: Duration = Duration::from_millis(1);

/// A profile without chance, with these figures.
fn figures(set: &serde_json::Value) -> Profile {
    let calm =
        json!({"self_wake_every_us": null, "freeze_every_us": null, "coalesced_fall_ppm": 0});
    let profile = Profile::msm8916().with(calm.as_object().unwrap()).unwrap();
    profile.with(set.as_object().unwrap()).unwrap()
}

/// A driver that follows the line at once, and what it wants.
struct Linux {
    guest: Guest,
    connected: bool,
}

impl Linux {
    /// Bound to firmware that has started; channels are open, Linux does not vote, all is dark.
    fn new(set: &serde_json::Value) -> Self {
        let mut guest = Guest::new();
        guest.modem.set_profile(figures(set), 1);
        guest
            .modem
            .plan_channels(&[0, 1, 2, 3, 4, 5, 6, 7])
            .unwrap();
        guest.subscribe();
        // A remoteproc has started it.
        guest.write(0x7_0000, 1);
        guest.modem.boot_after(Duration::ZERO);
        let mut linux = Self {
            guest,
            connected: false,
        };
        linux.pass(8000 * MS);
        linux.vote(true);
        linux.pass(20 * MS);
        linux.guest.send(&frame::transfer(frame::OPEN, 0, b""));
        linux.vote(false);
        linux.pass(4000 * MS);
        assert_eq!(linux.guest.modem.status().power, "off");
        assert_eq!(linux.guest.modem.status().host_open, [0]);
        linux.guest.modem.reset_counters();
        linux
    }

    fn vote(&mut self, up: bool) {
        self.guest.vote(up);
        self.look();
    }

    /// Follows the line: pipes first, then the ack.
    fn look(&mut self) {
        let line = self.guest.modem.status().pc;
        if line && !self.connected {
            self.connected = true;
            self.guest.connect(32);
        } else if !line && self.connected {
            self.connected = false;
            for pipe in [0x1_7004, 0x1_8004] {
                self.guest.write(pipe, 1);
            }
            self.guest.apps.ack ^= true;
            self.guest.smsm();
        }
        if self.connected && self.guest.modem.bam.interrupting() {
            self.guest.clear();
        }
    }

    /// The stub of a remoteproc: restarts a crashed processor, and the driver knows.
    fn recover(&mut self) {
        self.guest.write(0x7_0000, 0);
        self.connected = false;
        self.guest.write(0x7_0000, 1);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.guest.now + time;
        while self.guest.now < end {
            let due = self.guest.modem.deadline().unwrap_or(end);
            self.guest.now = due.clamp(self.guest.now, end);
            self.guest.modem.set_time(self.guest.now);
            self.guest.modem.tick();
            self.look();
        }
    }

    fn count(&self, event: &str) -> u64 {
        self.guest.modem.events.count(event)
    }

    fn replay(&mut self, number: u32) {
        self.guest.modem.play_replay(number).unwrap();
    }

    fn report(&self) -> Report {
        self.guest.modem.replay_report().unwrap()
    }
}

/// Power comes 20 to 560 ms after the start, and eight OPENs half a second later, spread out.
#[test]
fn starts_slowly() {
    let mut guest = Guest::new();
    guest
        .modem
        .set_profile(figures(&json!({"start_to_power_us": 300_000})), 1);
    guest
        .modem
        .plan_channels(&[0, 1, 2, 3, 4, 5, 6, 7])
        .unwrap();
    guest.subscribe();
    guest.modem.events.record(true);
    guest.modem.boot_after(Duration::ZERO);
    let mut linux = Linux {
        guest,
        connected: false,
    };
    linux.pass(2000 * MS);
    let events = linux.guest.modem.events.recorded();
    let at = |name: &str| events.iter().find(|(_, event)| event == name).unwrap().0;
    assert_eq!(at("pc-up"), 300 * MS);
    let first = at("open:0").checked_sub(at("pc-up")).unwrap();
    assert!((510 * MS..=540 * MS).contains(&first), "{first:?}");
    let spread = at("open:7").checked_sub(at("open:0")).unwrap();
    // Seven gaps, rounded down.
    assert!(
        (15_990..=80_000).contains(&spread.as_micros()),
        "{spread:?}"
    );
    assert_eq!(linux.guest.received().len(), 8);
}

/// A driver that is bound anew hears no OPEN, but its votes are answered.
#[test]
fn no_open_for_a_later_driver() {
    let mut linux = Linux::new(&json!({}));
    linux.guest.unsubscribe();
    linux.pass(10 * MS);
    linux.guest.subscribe();
    linux.pass(3000 * MS);
    assert_eq!(linux.guest.modem.counters.downlink_opens, 0);
    linux.vote(true);
    linux.pass(20 * MS);
    assert_eq!(linux.guest.modem.status().power, "on");
    assert!(linux.guest.received().is_empty());
}

/// Ack, fall and bit 12 are one change of the word, told by one interrupt.
#[test]
fn coalesced_is_one_write() {
    let mut linux = Linux::new(&json!({}));
    linux.vote(true);
    linux.pass(20 * MS);
    let word = |linux: &Linux| {
        let modem = &linux.guest.modem;
        let state = u64::from(modem.smem.load(0xd0 + 85 * 16 + 4));
        modem.smem.load(state + 4)
    };
    linux.guest.modem.force(Force::CoalescedFall, 1);
    let (before, irqs) = (word(&linux), linux.guest.modem.counters.smsm_irqs);
    linux.vote(false);
    linux.pass(2 * MS);
    assert_eq!(word(&linux) ^ before, 1 << 1 | 1 << 11 | 1 << 12);
    assert_eq!(linux.guest.modem.counters.smsm_irqs - irqs, 1);
    assert_eq!(linux.guest.modem.counters.coalesced_falls, 1);
    assert_eq!(linux.guest.modem.status().power, "off");
    assert_eq!(linux.guest.violations(), []);
}

/// A self wake-up brings frames that are right, and nobody is asked to answer.
#[test]
fn self_wake_brings_frames() {
    let mut linux = Linux::new(&json!({"self_wake_frames": 5}));
    linux.guest.modem.force(Force::SelfWake, 1);
    linux.pass(100 * MS);
    let got = linux.guest.received();
    assert_eq!(got.len(), 5);
    assert!(got.iter().all(|h| h.cmd == frame::DATA && h.len == 64));
    assert_eq!(linux.guest.modem.counters.self_wakeup_frames, 5);
    linux.pass(3000 * MS);
    assert_eq!(linux.guest.modem.status().power, "off");
    assert_eq!(linux.guest.modem.counters.power_ups, 1);
}

/// While the modem stands still nothing is taken or given; afterwards all of it is.
#[test]
fn freeze_keeps_frames() {
    let mut linux = Linux::new(&json!({"freeze_us": 10_000_000}));
    linux.vote(true);
    linux.pass(20 * MS);
    linux.guest.modem.set_echo(true);
    linux.guest.modem.force(Force::Freeze, 1);
    for _ in 0..3 {
        linux
            .guest
            .send(&frame::transfer(frame::DATA, 0, b"\x45abc"));
    }
    linux.pass(9000 * MS);
    assert!(linux.guest.modem.status().frozen);
    assert_eq!(linux.guest.modem.counters.uplink_transfers, 0);
    linux.pass(2000 * MS);
    assert_eq!(linux.guest.modem.counters.uplink_transfers, 3);
    assert_eq!(linux.guest.received().len(), 3);
    assert_eq!(linux.guest.violations(), []);
    let trace = linux.guest.modem.trace.snapshot();
    for milestone in [Milestone::Freeze, Milestone::Thaw] {
        let wanted = Event::Milestone(milestone);
        assert!(trace.events.iter().any(|stamped| stamped.event == wanted));
    }
    let drawn = Event::Drawn {
        kind: Kind::Freeze,
        number: 10_000_000,
    };
    assert!(trace.events.iter().any(|stamped| stamped.event == drawn));
}

/// A driver that goes without acking the fall makes the firmware assert 15 s later.
#[test]
fn unbinding_under_power_asserts() {
    let mut linux = Linux::new(&json!({"fall_us": 500_000, "fall_assert_us": 15_000_000}));
    linux.vote(true);
    linux.pass(20 * MS);
    linux.vote(false);
    linux.guest.unsubscribe();
    // Nobody looks any more.
    for _ in 0..2000 {
        linux.guest.pass(10);
    }
    assert_eq!(linux.guest.modem.status().power, "dead");
    assert_eq!(linux.guest.violations(), [("asserts_fall", 1)]);
    assert_eq!(linux.guest.modem.counters.mss_irqs, 1);
}

/// A doorbell of a pipe that went with the power is excused until Linux can know, and its frames count.
#[test]
fn misuse_unaware() {
    let counts = |guest: &Guest| {
        let counters = &guest.modem.counters;
        let (misuse, unaware) = (counters.pipe_misuse, counters.pipe_misuse_unaware);
        (misuse, unaware, counters.uplink_lost_unaware)
    };
    let mut guest = Guest::new();
    guest.boot();
    guest.modem.hold_tx(true);
    guest.send(&frame::transfer(frame::OPEN, 0, b""));
    // Between two looks of Linux.
    guest.modem.force_power(false, true).unwrap();
    assert_eq!(counts(&guest), (0, 0, 1), "what lay in the pipe");
    guest.modem.force_power(true, true).unwrap();
    guest.send(&frame::transfer(frame::DATA, 0, b"\x45abc"));
    assert_eq!(counts(&guest), (1, 1, 2));
    // It acks both changes without making its pipes anew.
    for _ in 0..2 {
        guest.apps.ack ^= true;
        guest.smsm();
    }
    guest.send(&frame::transfer(frame::DATA, 0, b"\x45abc"));
    assert_eq!(counts(&guest), (2, 1, 2), "now it knows");
}

/// A pipe that Linux itself has reset is its own affair, whatever happened to the power.
#[test]
fn own_reset_is_misuse() {
    let mut guest = Guest::new();
    guest.boot();
    guest.modem.force_power(false, true).unwrap();
    guest.modem.force_power(true, true).unwrap();
    guest.write(0x1_7004, 1);
    guest.write(0x1_7004, 0);
    guest.send(&frame::transfer(frame::DATA, 0, b"\x45abc"));
    let counters = &guest.modem.counters;
    assert_eq!((counters.pipe_misuse, counters.pipe_misuse_unaware), (1, 0));
}

/// All twelve sequences come as they were measured, and a Linux that does what it should comes
/// through them without a violation.
#[test]
fn replays() {
    for number in 1..=12 {
        let mut linux = Linux::new(&json!({}));
        let begins_on = [2, 3, 10, 11, 12].contains(&number);
        if begins_on {
            linux.vote(true);
            linux.pass(50 * MS);
        }
        linux.replay(number);
        if !begins_on && ![4, 5, 9].contains(&number) {
            linux.vote(true);
            linux.pass(50 * MS);
        }
        match number {
            1 | 2 | 8 | 7 => {
                linux.vote(false);
                linux.pass(290 * MS);
                if number == 7 {
                    linux.vote(true);
                }
            }
            3 | 6 => {
                linux.vote(false);
                linux.pass(80 * MS);
                linux.vote(true);
            }
            5 => {
                linux.pass(500 * MS);
                linux.vote(true);
            }
            _ => {}
        }
        for _ in 0..20 {
            linux.pass(1000 * MS);
            if linux.guest.modem.status().phase == "dead" {
                linux.recover();
            }
        }
        let report = linux.report();
        assert!(report.complete, "{report:#?}");
        for step in &report.steps {
            assert!(step.us.is_some() && step.in_time, "{number}: {step:?}");
        }
        assert_eq!(linux.guest.violations(), [], "replay {number}");
        linux.guest.modem.end_replay();
        assert!(linux.guest.modem.replay_report().is_err());
        let crashes = u64::from([7, 9, 10, 11].contains(&number));
        assert_eq!(linux.count("crash"), crashes, "replay {number}");
    }
}
