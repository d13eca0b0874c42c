// SPDX-License-Identifier: GPL-2.0
//! Tests of the handshake, among them every interleaving that proptest finds.

use super::*;
use proptest::prelude::*;

mod firmware;

const MS: Duration = Duration::from_millis(1);

/// A modem and what its lines look like from Linux.
struct Rig {
    power: Power,
    now: Duration,
    apps: Bits,
    modem: Bits,
    bam: bool,
}

impl Rig {
    fn new() -> Self {
        Self {
            power: Power::new(
                Times::default(),
                Draws::new(Profile::instant(), 1),
                Bits::default(),
            ),
            now: Duration::ZERO,
            apps: Bits::default(),
            modem: Bits::default(),
            bam: false,
        }
    }

    fn step(&mut self, input: Input) -> Vec<Action> {
        let mut out = Vec::new();
        self.power.step(self.now, input, &mut out);
        for action in &out {
            match *action {
                Action::ToggleAck => self.modem.ack ^= true,
                Action::SetPower(on) => self.modem.power = on,
                Action::SetBam(on) => self.bam = on,
                _ => {}
            }
        }
        if out.contains(&Action::Connected) {
            // All that waited is delivered in no time.
            out.extend(self.step(Input::Drained));
        }
        out
    }

    fn vote(&mut self, up: bool) -> Vec<Action> {
        self.apps.power = up;
        self.step(Input::Apps(self.apps))
    }

    fn ack(&mut self) -> Vec<Action> {
        self.apps.ack ^= true;
        self.step(Input::Apps(self.apps))
    }

    fn after(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.step(Input::Tick)
    }
}

/// A vote is acked first, then power rises, then Linux' ack connects.
#[test]
fn vote_brings_power() {
    let mut rig = Rig::new();
    assert_eq!(
        rig.vote(true),
        [
            Action::Vote(true),
            Action::ToggleAck,
            Action::SetBam(true),
            Action::SetPower(true)
        ]
    );
    assert_eq!(rig.power.phase(), Phase::Rising);
    assert_eq!(rig.ack(), [Action::Connected]);
}

/// The line falls only without vote and after the idle time, and the BAM
/// keeps its power until Linux acks.
#[test]
fn idle_takes_power() {
    let mut rig = Rig::new();
    rig.vote(true);
    rig.ack();
    assert_eq!(rig.after(3600 * 1000 * MS), []);
    rig.vote(false);
    assert_eq!(rig.after(499 * MS), []);
    rig.step(Input::Activity);
    assert_eq!(rig.after(499 * MS), []);
    assert_eq!(rig.after(MS), [Action::SetPower(false)]);
    assert!(rig.bam, "Linux still resets its pipes");
    assert_eq!(rig.ack(), [Action::SetBam(false)]);
}

/// The modem wakes Linux by itself when it has something to deliver.
#[test]
fn own_wakeup() {
    let mut rig = Rig::new();
    let out = rig.step(Input::Wake);
    assert_eq!(
        out,
        [
            Action::OwnWakeup,
            Action::SetBam(true),
            Action::SetPower(true)
        ]
    );
    rig.ack();
    assert_eq!(rig.after(500 * MS), [Action::SetPower(false)]);
}

/// Even with an idle time of 0 power stays until all is delivered.
#[test]
fn no_power_down_before_delivery() {
    let mut rig = Rig::new();
    rig.power.times.idle = Some(Duration::ZERO);
    rig.step(Input::Wake);
    let mut out = Vec::new();
    let acked = Bits {
        power: false,
        ack: true,
    };
    rig.power.step(rig.now, Input::Apps(acked), &mut out);
    assert_eq!(out, [Action::Connected]);
    assert_eq!(rig.step(Input::Drained), [Action::SetPower(false)]);
}

/// Something to deliver while the line falls: up again after Linux' ack, so
/// that Linux sees both edges.
#[test]
fn wake_while_falling_waits_for_ack() {
    let mut rig = Rig::new();
    rig.step(Input::Wake);
    rig.ack();
    rig.after(500 * MS);
    assert_eq!(rig.step(Input::Wake), []);
    assert_eq!(
        rig.vote(true),
        [Action::Vote(true), Action::ToggleAck],
        "acked at once, powered later"
    );
    assert_eq!(
        rig.ack(),
        [
            Action::SetBam(false),
            Action::SetBam(true),
            Action::SetPower(true)
        ]
    );
}

/// A withheld ack withholds power too; the late ack brings both.
#[test]
fn withheld_ack_comes_late() {
    let mut rig = Rig::new();
    rig.step(Input::Acks(AckMode::Withhold { power: false }));
    assert_eq!(rig.vote(true), [Action::Vote(true), Action::AckWithheld]);
    assert_eq!(rig.after(10_000 * MS), []);
    rig.vote(false);
    rig.vote(true);
    let out = rig.step(Input::Acks(AckMode::Normal));
    assert_eq!(
        out,
        [
            Action::ToggleAck,
            Action::SetBam(true),
            Action::SetPower(true)
        ]
    );
}

/// Power without ack, on request.
#[test]
fn power_without_ack() {
    let mut rig = Rig::new();
    rig.step(Input::Acks(AckMode::Withhold { power: true }));
    rig.vote(true);
    assert!(rig.modem.power && !rig.modem.ack);
}

/// A delayed ack comes after the delay, power with it.
#[test]
fn delayed_ack() {
    let mut rig = Rig::new();
    rig.step(Input::Acks(AckMode::Delay(300 * MS)));
    rig.vote(true);
    assert_eq!(rig.power.deadline(), Some(300 * MS));
    assert_eq!(rig.after(299 * MS), []);
    assert_eq!(rig.after(MS).first(), Some(&Action::ToggleAck));
    assert!(rig.modem.power);
}

/// Linux that never acks a power-down is counted, and does not block.
#[test]
fn missing_ack_of_power_down() {
    let mut rig = Rig::new();
    rig.step(Input::Wake);
    rig.ack();
    rig.after(500 * MS);
    assert_eq!(
        rig.after(1000 * MS),
        [Action::AckTimeout, Action::SetBam(false)]
    );
    rig.vote(true);
    assert!(rig.modem.power);
}

/// A missing ack of a power-up is counted once; a late one still connects.
#[test]
fn missing_ack_of_power_up() {
    let mut rig = Rig::new();
    rig.step(Input::Wake);
    assert_eq!(rig.after(1000 * MS), [Action::AckTimeout]);
    assert_eq!(rig.after(1000 * MS), []);
    assert_eq!(rig.ack(), [Action::Connected]);
}

/// Forced down, power stays away until Linux votes anew.
#[test]
fn forced_down_needs_a_new_vote() {
    let mut rig = Rig::new();
    rig.vote(true);
    rig.ack();
    let down = Input::Force {
        on: false,
        at_once: true,
    };
    assert_eq!(
        rig.step(down),
        [Action::SetPower(false), Action::SetBam(false)]
    );
    assert_eq!(rig.ack(), [Action::UnsolicitedAck]);
    rig.vote(false);
    assert!(!rig.modem.power);
    rig.vote(true);
    assert!(rig.modem.power);
}

/// A dead modem does nothing; a restarted one works.
#[test]
fn crash_and_restart() {
    let mut rig = Rig::new();
    rig.vote(true);
    rig.step(Input::Crash);
    assert_eq!(rig.vote(false), []);
    assert_eq!(rig.after(10_000 * MS), []);
    assert_eq!(rig.power.deadline(), None);
    rig.vote(true);
    rig.modem = Bits::default();
    assert_eq!(
        rig.step(Input::Restart(rig.apps)),
        [],
        "an old vote means nothing"
    );
    assert_eq!(rig.power.phase(), Phase::Off);
    rig.vote(false);
    rig.vote(true);
    assert!(rig.modem.power);
}

fn any_mode() -> impl Strategy<Value = AckMode> {
    prop_oneof![
        Just(AckMode::Normal),
        any::<bool>().prop_map(|power| AckMode::Withhold { power }),
        (0u64..3000).prop_map(|ms| AckMode::Delay(Duration::from_millis(ms))),
        Just(AckMode::Twice),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Vote(bool),
    Ack,
    Both(bool),
    Input(Input),
    Wait(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(Step::Vote),
        4 => Just(Step::Ack),
        1 => any::<bool>().prop_map(Step::Both),
        4 => (0u64..2000).prop_map(Step::Wait),
        2 => prop_oneof![Just(Input::Activity), Just(Input::Wake), Just(Input::Drained), Just(Input::Tick)].prop_map(Step::Input),
        1 => any_mode().prop_map(|mode| Step::Input(Input::Acks(mode))),
    ]
}

proptest! {
    /// After any interleaving of votes, acks and time, a healthy modem and a
    /// Linux that acks end with power where there is a vote, and without
    /// power where there is none.
    #[test]
    fn converges(steps in prop::collection::vec(any_step(), 0..60), vote: bool) {
        let mut rig = Rig::new();
        for step in steps {
            match step {
                Step::Vote(up) => { rig.vote(up); }
                Step::Ack => { rig.ack(); }
                Step::Both(up) => { rig.apps.power = up; rig.ack(); }
                Step::Input(input) => { rig.step(input); }
                Step::Wait(ms) => { rig.after(Duration::from_millis(ms)); }
            }
            prop_assert!(rig.bam || !rig.modem.power, "power line high on a BAM without power");
        }
        rig.step(Input::Acks(AckMode::Normal));
        rig.vote(vote);
        // Linux acks each edge that it sees, and takes what waits for it.
        for _ in 0..4 {
            rig.step(Input::Drained);
            rig.after(Duration::from_millis(2500));
            if matches!(rig.power.phase(), Phase::Rising | Phase::Falling) {
                rig.ack();
            }
        }
        prop_assert_eq!(rig.modem.power, vote);
        prop_assert_eq!(rig.power.phase(), if vote { Phase::On } else { Phase::Off });
    }

    /// While acks are normal, each vote that changes is acked exactly once.
    #[test]
    fn one_ack_per_vote(votes in prop::collection::vec(any::<bool>(), 0..40)) {
        let mut rig = Rig::new();
        let mut level = false;
        for vote in votes {
            let out = rig.vote(vote);
            let acks = out.iter().filter(|a| **a == Action::ToggleAck).count();
            prop_assert_eq!(acks, usize::from(vote != level));
            level = vote;
        }
    }

    /// A deadline that is not yet over never lies in the past for ever: a
    /// tick at the deadline moves it or removes it.
    #[test]
    fn deadlines_move(steps in prop::collection::vec(any_step(), 0..40)) {
        let mut rig = Rig::new();
        for step in steps {
            match step {
                Step::Vote(up) => { rig.vote(up); }
                Step::Ack => { rig.ack(); }
                Step::Both(up) => { rig.apps.power = up; rig.ack(); }
                Step::Input(input) => { rig.step(input); }
                Step::Wait(ms) => { rig.after(Duration::from_millis(ms)); }
            }
            if let Some(at) = rig.power.deadline() {
                rig.now = rig.now.max(at);
                rig.step(Input::Tick);
                prop_assert!(rig.power.deadline().is_none_or(|next| next > rig.now));
            }
        }
    }
}
