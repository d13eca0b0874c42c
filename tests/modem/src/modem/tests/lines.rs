// SPDX-License-Identifier: GPL-2.0
//! Hostile sequences against a guest that follows the lines as it sees them.

use super::*;
use crate::hostile::lines::{
    Acks,
    Deed,
    Ending,
    Moment,
    Sequence,
    Step,
    When, //
};

fn step(when: When, what: Deed) -> Step {
    Step { when, what }
}

fn play(guest: &mut Guest, steps: Vec<Step>, ending: Ending) {
    let sequence = Sequence { steps, ending };
    guest.modem.play_sequence(sequence, 1, LinesPlan::default());
}

const NOW: When = When::AfterUs(0);

impl Guest {
    /// A driver that looks at the power line, now and then.
    fn look(&mut self) {
        if self.modem.status().pc {
            self.connect(8);
        } else {
            self.apps.ack ^= true;
            self.smsm();
        }
    }

    /// Traffic flows; how it came to that is not what matters here.
    fn traffic(&mut self) {
        self.modem.counters.uplink_frames += 2;
        self.pass(1);
    }
}

/// Power that is gone between two looks: the line is as before, the BAM not.
#[test]
fn blink() {
    let mut guest = Guest::new();
    guest.boot();
    let told = guest.modem.counters.smsm_irqs;
    let blink = vec![
        step(NOW, Deed::Drop { told: false }),
        step(NOW, Deed::Raise { told: false }),
    ];
    play(&mut guest, blink, Ending::Quiet);
    let status = guest.modem.status();
    assert!(status.pc && status.bam_powered && !status.rx_running && !status.tx_running);
    assert_eq!(guest.modem.counters.smsm_irqs, told);
    assert!(guest.modem.lines_report().running, "no traffic yet");
    guest.traffic();
    let report = guest.modem.lines_report();
    assert!(!report.running && report.recovered == 1 && report.number == 1);
    assert_eq!(guest.modem.events.count("lines-done"), 1);
}

/// At the end of a normal ending the modem takes the power away in order if it
/// has tampered with it, and comes back.
#[test]
fn tampered_power_is_cycled() {
    let mut guest = Guest::new();
    guest.boot();
    play(&mut guest, vec![step(NOW, Deed::Dark)], Ending::Normal);
    let status = guest.modem.status();
    assert!(!status.pc && status.bam_powered && status.phase == "falling");
    guest.look();
    assert!(guest.modem.status().pc);
    assert_eq!(guest.violations(), []);
}

/// A step can meet the moment at which Linux votes, before the modem has acked.
#[test]
fn crash_at_the_vote() {
    let mut guest = Guest::new();
    guest.boot();
    let ack = guest.modem.status().ack;
    let crash = Deed::Crash {
        bam_off: true,
        told: false,
    };
    let restart = Ending::Restart {
        zero: false,
        after_us: 1000,
    };
    let wait = step(When::AfterUs(5000), Deed::Acks(Acks::Normal));
    let steps = vec![step(When::At(Moment::Vote, 50_000), crash), wait];
    play(&mut guest, steps, restart);
    guest.pass(1);
    assert_eq!(guest.modem.status().phase, "on");
    guest.vote(true);
    let status = guest.modem.status();
    assert!(status.phase == "dead" && status.ack == ack && status.pc && !status.bam_powered);
    guest.pass(5);
    assert!(!guest.modem.status().pc, "restarted");
    guest.pass(1);
    assert!(guest.modem.status().pc, "and started");
}

/// Doubled acks leave the line as it was; late ones come at the ending.
#[test]
fn acks() {
    for (acks, sent) in [(Acks::Twice, 2), (Acks::Withhold, 1)] {
        let mut guest = Guest::new();
        guest.boot();
        let ack = guest.modem.status().ack;
        let end = step(When::At(Moment::Ack, 1000), Deed::Open(0));
        play(
            &mut guest,
            vec![step(NOW, Deed::Acks(acks)), end],
            Ending::Normal,
        );
        guest.vote(true);
        assert_eq!(guest.modem.status().ack, ack);
        guest.pass(1);
        assert_eq!(guest.modem.counters.acks_sent, sent);
    }
}

/// A storm is as many interrupts as it says, and changes nothing.
#[test]
fn storm() {
    let mut guest = Guest::new();
    guest.boot();
    guest.vote(true);
    let told = guest.modem.counters.smsm_irqs;
    let storm = |gap_us| Deed::Storm { count: 100, gap_us };
    play(
        &mut guest,
        vec![step(NOW, storm(0)), step(NOW, storm(10))],
        Ending::Quiet,
    );
    for _ in 0..100 {
        guest.pass(1);
    }
    assert_eq!(guest.modem.counters.smsm_irqs - told, 200);
}

/// Accesses are excused while Linux cannot know that the power is gone.
#[test]
fn unaware_accesses() {
    let mut guest = Guest::new();
    guest.boot();
    let unaware = |guest: &Guest| guest.modem.counters.unpowered_unaware;
    let wait = step(When::AfterUs(1000), Deed::HoldTx(false));
    let drop = step(NOW, Deed::Drop { told: true });
    play(&mut guest, vec![drop, wait], Ending::Quiet);
    guest.write(0x1_8004, 1);
    assert_eq!(unaware(&guest), 1, "not acked yet");
    guest.apps.ack ^= true;
    guest.smsm();
    guest.write(0x1_8004, 1);
    assert_eq!(
        (unaware(&guest), guest.modem.counters.unpowered_access),
        (1, 2)
    );
    // Sources of interrupts: a handler that runs goes on.
    guest.modem.bar0_read(0x3000, &mut [0; 4]);
    assert_eq!(unaware(&guest), 2);
}

/// What Linux did not see of a restart is no excuse once it has followed the new firmware.
#[test]
fn aware_again() {
    let mut guest = Guest::new();
    guest.boot();
    guest.modem.crash(true);
    guest.write(0x1_8004, 1);
    guest.modem.restart(false, Some(Duration::ZERO));
    guest.pass(0);
    guest.connect(32);
    assert_eq!(guest.modem.acks_due, 0);
    assert_eq!(guest.modem.counters.unpowered_unaware, 1);
}

/// Firmware that gets no ack starts anew, if the plan says so.
#[test]
fn asserts() {
    let mut guest = Guest::new();
    guest.boot();
    let off = Deed::PowerOff { at_once: true };
    play(&mut guest, vec![step(NOW, off)], Ending::Normal);
    assert_eq!(guest.modem.status().phase, "rising");
    guest.pass(3000);
    assert_eq!(guest.modem.lines_report().asserted, 1);
    assert_eq!(guest.modem.events.count("restart"), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is played, with a Linux that does anything: it ends, and a
    /// restarted modem then works.
    #[test]
    fn any_sequence_ends(
        seed: u64,
        guest_steps in prop::collection::vec((0u8..6, 0u64..30), 0..300),
    ) {
        let mut guest = Guest::new();
        guest.boot();
        guest.modem.hostile_lines(seed, 0, 20, LinesPlan::default());
        for (what, ms) in guest_steps {
            match what {
                0 => guest.look(),
                1 => guest.vote(true),
                2 => guest.vote(false),
                3 => guest.send(&frame::transfer(frame::DATA, 0, b"\x45abc")),
                4 => guest.clear(),
                _ => guest.pass(ms),
            }
        }
        for _ in 0..20_000 {
            if !guest.modem.lines_report().running {
                break;
            }
            guest.look();
            guest.traffic();
        }
        let report = guest.modem.lines_report();
        prop_assert!(!report.running && report.number == 20, "{:?}", report);
        // Linux' bits as it means them to be: the modem may have flipped them (`Theirs`).
        guest.smsm();
        guest.modem.restart(false, Some(Duration::ZERO));
        guest.pass(0);
        prop_assert!(guest.modem.status().pc);
        guest.connect(32);
        prop_assert_eq!(guest.received().len(), 2);
        prop_assert_eq!(guest.modem.status().phase, "on");
    }
}
