// SPDX-License-Identifier: GPL-2.0
//! Each row of the profile: what is drawn lies where firmware was measured, and as often. Time is
//! simulated, and all of it follows from the seeds.

use super::*;
use crate::profile::CERTAIN_PPM;
use serde_json::{
    json,
    Value, //
};

const US: Duration = Duration::from_micros(1);
const S: Duration = Duration::from_secs(1);

/// Firmware, and a Linux that acks each change of the power line at once if `acks`.
struct Bench {
    power: Power,
    now: Duration,
    apps: Bits,
    line: bool,
    acks: bool,
    log: Vec<(Duration, Action)>,
}

impl Bench {
    /// Firmware without chance but for what is set, that has started and sleeps.
    fn new(set: &Value, seed: u32) -> Self {
        let calm = json!({"self_wake_every_us": null, "freeze_every_us": null});
        let calm = Profile::msm8916().with(calm.as_object().unwrap()).unwrap();
        let profile = calm.with(set.as_object().unwrap()).unwrap();
        let draws = Draws::new(calm, seed);
        let mut bench = Self {
            power: Power::new(Times::default(), draws, Bits::default()),
            now: Duration::ZERO,
            apps: Bits::default(),
            line: false,
            acks: true,
            log: Vec::new(),
        };
        bench.power.attached = true;
        bench.step(Input::Start);
        bench.pass(4 * S);
        assert_eq!(bench.power.phase(), Phase::Off);
        bench.power.set_draws(bench.now, profile, seed);
        bench.log.clear();
        bench
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        self.power.step(self.now, input, &mut out);
        for action in out {
            self.log.push((self.now, action));
            match action {
                Action::SetPower(on) if on != self.line => self.edge(on),
                Action::AckAndFall => self.edge(false),
                Action::Connected => self.step(Input::Drained),
                Action::SelfWake(frames) => {
                    assert!((1..=7).contains(&frames));
                    self.step(Input::Wake);
                }
                _ => {}
            }
        }
    }

    fn edge(&mut self, on: bool) {
        self.line = on;
        if self.acks {
            self.ack();
        }
    }

    fn ack(&mut self) {
        self.apps.ack ^= true;
        self.step(Input::Apps(self.apps));
    }

    fn vote(&mut self, up: bool) -> Duration {
        self.apps.power = up;
        self.step(Input::Apps(self.apps));
        self.now
    }

    /// Lets time pass, from one deadline to the next.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.power.deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.step(Input::Tick);
        }
        self.now = end;
    }

    /// When this was first done since then, counted from there.
    fn after(&self, start: Duration, wanted: Action) -> Option<Duration> {
        let found = |&&(at, action): &&(Duration, Action)| at >= start && action == wanted;
        self.log
            .iter()
            .find(found)
            .and_then(|&(at, _)| at.checked_sub(start))
    }

    fn count(&self, wanted: impl Fn(Action) -> bool) -> usize {
        self.log
            .iter()
            .filter(|&&(_, action)| wanted(action))
            .count()
    }

    /// Linux votes, and the power is there.
    fn wake(&mut self) {
        self.vote(true);
        self.pass(20 * MS);
        assert_eq!(self.power.phase(), Phase::On);
    }
}

fn none() -> Value {
    json!({})
}

/// So many of a thousand, within the tenth of it that chance may make, at least 6.
fn about(found: usize, of: usize, permille: usize) {
    let share = found * 1000 / of;
    let slack = (permille / 10).max(6);
    assert!(
        share.abs_diff(permille) <= slack,
        "{share} permille of {of}, not {permille}"
    );
}

/// Dark: ack after 1.7 to 2.3 ms, one in a hundred 3 to 6.4; then power, as a change of its own.
#[test]
fn vote_dark() {
    let mut late = 0;
    let mut bench = Bench::new(&none(), 1);
    for _ in 0..2000 {
        let start = bench.vote(true);
        bench.pass(20 * MS);
        let ack = bench.after(start, Action::ToggleAck).unwrap();
        let rise = bench.after(start, Action::SetPower(true)).unwrap();
        let normal = (1700 * US..=2300 * US).contains(&ack);
        assert!(normal || (3000 * US..=6400 * US).contains(&ack), "{ack:?}");
        assert!(
            (100 * US..=1000 * US).contains(&rise.checked_sub(ack).unwrap()),
            "{rise:?} after {ack:?}"
        );
        late += usize::from(!normal);
        bench.vote(false);
        bench.pass(2 * S);
        bench.log.clear();
    }
    about(late, 2000, 10);
}

/// With power: ack after 0.04 to 0.7 ms, and the fall that was to come does not.
#[test]
fn vote_powered() {
    let mut bench = Bench::new(&json!({"fall_us": 500_000, "coalesced_fall_ppm": 0}), 1);
    bench.wake();
    for _ in 0..500 {
        bench.vote(false);
        bench.pass(100 * MS);
        let start = bench.vote(true);
        bench.pass(5 * S);
        let ack = bench.after(start, Action::ToggleAck).unwrap();
        assert!((40 * US..=700 * US).contains(&ack), "{ack:?}");
    }
    assert_eq!(bench.count(|a| a == Action::SetPower(false)), 0);
}

/// Un-vote: ack after 0.08 to 1 ms, half of them within 0.2. The fall comes along with it in 22 % of
/// cases, within 80 ms in 22 %, else after 0.1 to 1 s.
#[test]
fn unvote() {
    let (mut quick, mut along, mut soon) = (0, 0, 0);
    let mut bench = Bench::new(&none(), 2);
    for _ in 0..4000 {
        bench.wake();
        bench.log.clear();
        let start = bench.vote(false);
        bench.pass(3 * S);
        let coalesced = bench.after(start, Action::AckAndFall);
        let ack = coalesced.or(bench.after(start, Action::ToggleAck)).unwrap();
        assert!((80 * US..=1000 * US).contains(&ack), "{ack:?}");
        quick += usize::from(ack <= 200 * US);
        if coalesced.is_some() {
            along += 1;
            assert_eq!(bench.after(start, Action::SetPower(false)), None);
            continue;
        }
        let fall = bench.after(start, Action::SetPower(false)).unwrap();
        let fall = fall.checked_sub(ack).unwrap();
        soon += usize::from(fall <= 80 * MS);
        assert!(
            fall <= 80 * MS || (100 * MS..=S).contains(&fall),
            "{fall:?}"
        );
    }
    about(quick, 4000, 500);
    about(along, 4000, 220);
    about(soon, 4000, 220);
}

/// Frames to Linux after the un-vote keep the power for 1.1 to 1.9 s.
#[test]
fn fall_after_downlink() {
    for seed in 0..200 {
        let mut bench = Bench::new(&json!({"fall_us": 50_000, "coalesced_fall_ppm": 0}), seed);
        bench.wake();
        bench.vote(false);
        bench.pass(40 * MS);
        let start = bench.now;
        bench.step(Input::Downlink);
        bench.pass(3 * S);
        let fall = bench.after(start, Action::SetPower(false)).unwrap();
        assert!((1100 * MS..=1900 * MS).contains(&fall), "{fall:?}");
    }
}

/// Votes without waiting for the ack of the un-vote: 9 % of pairs get no ack, and keep the power.
#[test]
fn hasty_pairs() {
    let set = json!({"unvote_ack_us": 300_000, "fall_us": 500_000, "coalesced_fall_ppm": 0});
    let mut bench = Bench::new(&set, 3);
    bench.wake();
    let mut lost = 0;
    for _ in 0..20_000 {
        bench.log.clear();
        bench.vote(false);
        bench.pass(80 * MS);
        bench.vote(true);
        bench.pass(2 * S);
        let acks = bench.count(|a| a == Action::ToggleAck);
        let is_lost = bench.count(|a| a == Action::PairLost) == 1;
        assert_eq!(acks, if is_lost { 0 } else { 2 });
        assert!(bench.line && bench.power.phase() == Phase::On);
        lost += usize::from(is_lost);
    }
    about(lost, 20_000, 90);
}

/// A pair is not hasty after half a second, nor if the un-vote was acked.
#[test]
fn slow_pairs_are_acked() {
    for set in [
        json!({"lost_pair_ppm": CERTAIN_PPM, "unvote_ack_us": 700_000, "coalesced_fall_ppm": 0}),
        json!({"lost_pair_ppm": CERTAIN_PPM, "fall_us": 800_000, "coalesced_fall_ppm": 0}),
    ] {
        let mut bench = Bench::new(&set, 1);
        bench.wake();
        bench.log.clear();
        bench.vote(false);
        bench.pass(600 * MS);
        bench.vote(true);
        bench.pass(2 * S);
        assert_eq!(bench.count(|a| a == Action::ToggleAck), 2, "{set}");
    }
}

/// A vote while Linux owes the ack of the fall gets neither ack nor power until that ack.
#[test]
fn vote_against_owed_ack() {
    let mut bench = Bench::new(&json!({"fall_us": 400_000, "coalesced_fall_ppm": 0}), 1);
    bench.wake();
    bench.vote(false);
    bench.acks = false;
    bench.pass(S);
    assert_eq!(bench.power.phase(), Phase::Falling);
    bench.log.clear();
    bench.vote(true);
    bench.pass(2 * S);
    assert_eq!(bench.count(|a| a == Action::VoteUnanswered), 1);
    assert_eq!(bench.log.len(), 2, "nothing but the vote: {:?}", bench.log);
    bench.acks = true;
    bench.ack();
    let start = bench.now;
    bench.pass(20 * MS);
    let ack = bench.after(start, Action::ToggleAck).unwrap();
    let rise = bench.after(start, Action::SetPower(true)).unwrap();
    assert!(ack < rise && rise < 8 * MS);
}

/// A vote that is taken back again before that ack is none.
#[test]
fn given_up_against_owed_ack() {
    let mut bench = Bench::new(&json!({"fall_us": 400_000, "coalesced_fall_ppm": 0}), 1);
    bench.wake();
    bench.vote(false);
    bench.acks = false;
    bench.pass(S);
    bench.vote(true);
    bench.pass(2 * S);
    bench.vote(false);
    bench.log.clear();
    bench.ack();
    bench.pass(2 * S);
    assert_eq!(bench.count(|a| a == Action::ToggleAck), 0);
    assert!(!bench.line);
}

/// Without the ack of a fall: an assert 15 s later, one in four up to 25.7 s. An ack after 10.2 s does.
#[test]
fn fall_without_ack() {
    let mut late = 0;
    for seed in 0..1000 {
        let mut bench = Bench::new(&json!({"coalesced_fall_ppm": 0}), seed);
        bench.wake();
        bench.acks = false;
        bench.vote(false);
        bench.pass(40 * S);
        let fall = bench
            .after(Duration::ZERO, Action::SetPower(false))
            .unwrap();
        let assert = bench.after(fall, Action::Assert(Assert::Fall)).unwrap();
        assert!((15 * S..=25_700 * MS).contains(&assert), "{assert:?}");
        late += usize::from(assert > 15 * S);
        assert_eq!(bench.power.phase(), Phase::Dead);
    }
    about(late, 1000, 250);
    let mut bench = Bench::new(&json!({"coalesced_fall_ppm": 0, "fall_us": 0}), 1);
    bench.wake();
    bench.acks = false;
    bench.vote(false);
    bench.pass(10_200 * MS);
    bench.ack();
    bench.pass(60 * S);
    assert_eq!(bench.power.phase(), Phase::Off);
}

/// The modem hangs at un-votes as often as the knob says: no ack, the line high, then a crash.
#[test]
fn hangs() {
    for (ppm, permille) in [(0, 0), (80_000, 80)] {
        let mut hangs = 0;
        for seed in 0..1000 {
            let mut bench = Bench::new(&json!({"hang_ppm": ppm}), seed);
            bench.wake();
            bench.log.clear();
            let start = bench.vote(false);
            bench.pass(290 * MS);
            if bench.count(|a| a == Action::Hung) == 0 {
                continue;
            }
            hangs += 1;
            bench.vote(true);
            bench.pass(10 * S);
            assert_eq!(
                bench.after(start, Action::Assert(Assert::Hang)),
                Some(1030 * MS)
            );
            assert_eq!(bench.count(|a| a == Action::ToggleAck), 0);
            assert!(bench.line);
        }
        about(hangs, 1000, permille);
    }
}

/// Attached and asleep, the modem wakes up about twice a minute and falls after 2 to 3 s.
#[test]
fn self_wakes() {
    let set = json!({"self_wake_every_us": [0, 60_000_000]});
    let mut bench = Bench::new(&set, 5);
    bench.power.attached = false;
    bench.pass(600 * S);
    assert_eq!(bench.count(|a| matches!(a, Action::SelfWake(_))), 0);
    bench.power.attached = true;
    bench.pass(36_000 * S);
    let wakes = bench.count(|a| matches!(a, Action::SelfWake(_)));
    // Those that would come within the 2 to 3 s after another do not.
    assert!((1050..=1250).contains(&wakes), "{wakes} in 600 minutes");
    let mut rise = None;
    for &(at, action) in &bench.log {
        match action {
            Action::SetPower(true) => rise = Some(at),
            Action::SetPower(false) => {
                let stay = at.checked_sub(rise.unwrap()).unwrap();
                assert!((2 * S..=3 * S).contains(&stay), "{stay:?}");
            }
            _ => {}
        }
    }
}

/// A vote in a self wake-up is acked, and no other edge comes.
#[test]
fn vote_in_self_wake() {
    let mut bench = Bench::new(&none(), 1);
    bench.power.draws_mut().force(Force::SelfWake, 1);
    bench.step(Input::Tick);
    bench.pass(500 * MS);
    assert_eq!(bench.power.phase(), Phase::On);
    bench.log.clear();
    let start = bench.vote(true);
    bench.pass(60 * S);
    assert!(bench.after(start, Action::ToggleAck).unwrap() <= 700 * US);
    assert!(bench.line && bench.count(|a| a == Action::SetPower(false)) == 0);
}

/// The whole modem stands still once in 480 s for 8.5 to 13.3 s; what Linux does meanwhile is seen
/// afterwards.
#[test]
fn freezes() {
    let mut bench = Bench::new(&json!({"freeze_every_us": [0, 960_000_000]}), 6);
    bench.pass(480_000 * S);
    let freezes = bench.count(|a| a == Action::Frozen);
    // The time between two is counted from the end of one.
    assert!((900..=1050).contains(&freezes), "{freezes} in 480,000 s");
    let mut since = None;
    for &(at, action) in &bench.log {
        match action {
            Action::Frozen => since = Some(at),
            Action::Thawed => {
                let time = at.checked_sub(since.unwrap()).unwrap();
                assert!((8500 * MS..=13_300 * MS).contains(&time), "{time:?}");
            }
            _ => {}
        }
    }
    let mut bench = Bench::new(&none(), 1);
    bench.power.draws_mut().force(Force::Freeze, 1);
    bench.step(Input::Tick);
    assert!(bench.power.frozen());
    let start = bench.vote(true);
    bench.pass(20 * S);
    let thaw = bench.after(start, Action::Thawed).unwrap();
    let ack = bench.after(start, Action::ToggleAck).unwrap();
    assert!(ack > thaw && ack < thaw + 7 * MS);
    assert_eq!(bench.power.phase(), Phase::On);
}

/// A vote that stands when firmware starts is answered by power, not by an ack; its end is acked.
#[test]
fn standing_vote() {
    let mut bench = Bench::new(&none(), 1);
    bench.wake();
    bench.step(Input::Crash);
    bench.line = false;
    bench.step(Input::Restart(bench.apps));
    bench.log.clear();
    bench.vote(false);
    bench.vote(true);
    bench.pass(S);
    assert_eq!(bench.count(|a| a == Action::ToggleAck), 0);
    assert!(!bench.line, "not before it has started");
    bench.step(Input::Start);
    bench.pass(S);
    assert_eq!(bench.count(|a| a == Action::ToggleAck), 0);
    assert!(bench.line && bench.power.phase() == Phase::On);
    bench.vote(false);
    bench.pass(S);
    let acks = bench.count(|a| matches!(a, Action::ToggleAck | Action::AckAndFall));
    assert_eq!(acks, 1);
}

/// The timer of the profile ends the firmware, if it is set.
#[test]
fn fatal() {
    let bench = |set: &Value| {
        let mut bench = Bench::new(set, 1);
        bench.pass(2000 * S);
        bench.after(Duration::ZERO, Action::Assert(Assert::Fatal))
    };
    assert_eq!(bench(&none()), None);
    assert_eq!(
        bench(&json!({"fatal_us": 902_000_000})),
        Some(906 * S),
        "counted from when it is set"
    );
}

/// What is forced happens at the next opportunity, as often as asked for, and no longer.
#[test]
fn forced() {
    let mut bench = Bench::new(&json!({"coalesced_fall_ppm": 0}), 1);
    bench.power.draws_mut().force(Force::CoalescedFall, 2);
    for expected in [1, 1, 0] {
        bench.wake();
        bench.log.clear();
        bench.vote(false);
        bench.pass(3 * S);
        assert_eq!(bench.count(|a| a == Action::AckAndFall), expected);
    }
    bench.power.draws_mut().force(Force::LostPair, 1);
    bench.wake();
    bench.log.clear();
    bench.vote(false);
    bench.pass(80 * MS);
    bench.vote(true);
    bench.pass(S);
    assert_eq!(bench.count(|a| a == Action::ToggleAck), 0);
    bench.power.draws_mut().force(Force::FallAtVote, 1);
    bench.vote(false);
    bench.pass(10 * S);
    assert!(bench.line, "it waits for the vote");
    bench.acks = false;
    bench.log.clear();
    bench.vote(true);
    let seen: Vec<_> = bench.log.iter().map(|&(_, action)| action).collect();
    assert_eq!(
        seen,
        [
            Action::Vote(true),
            Action::SetPower(false),
            Action::VoteUnanswered
        ]
    );
    bench.power.draws_mut().force(Force::Hang, 1);
    bench.acks = true;
    bench.ack();
    bench.pass(S);
    bench.vote(false);
    bench.pass(2 * S);
    assert_eq!(bench.power.phase(), Phase::Dead);
}

fn any_set() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        Just(json!({"lost_pair_ppm": 500_000, "unvote_ack_us": [0, 300_000]})),
        Just(json!({"freeze_every_us": [0, 20_000_000]})),
        Just(json!({"coalesced_fall_ppm": CERTAIN_PPM})),
        Just(json!({"self_wake_every_us": [0, 4_000_000]})),
    ]
}

proptest! {
    /// After any votes at any time, firmware and a Linux that acks end with power where there is a
    /// vote and without where there is none, and never assert; power never rises before the ack.
    #[test]
    fn firmware_converges(
        set in any_set(),
        seed in 0u32..1000,
        votes in prop::collection::vec((any::<bool>(), 0u64..1_500_000), 0..40),
        vote: bool,
    ) {
        let mut bench = Bench::new(&set, seed);
        for (up, us) in votes {
            bench.vote(up);
            bench.pass(Duration::from_micros(us));
        }
        bench.vote(vote);
        // Nothing by chance any more.
        let calm = json!({"freeze_every_us": null, "self_wake_every_us": null});
        let profile = bench.power.draws().profile().with(calm.as_object().unwrap()).unwrap();
        bench.power.set_draws(bench.now, profile, seed);
        bench.pass(30 * S);
        prop_assert_eq!(bench.line, vote);
        prop_assert_eq!(bench.power.phase(), if vote { Phase::On } else { Phase::Off });
        prop_assert_eq!(bench.count(|a| matches!(a, Action::Assert(_) | Action::AckTimeout)), 0);
    }

    /// Each vote that Linux gives time is acked once, but for lost pairs.
    #[test]
    fn one_ack_per_patient_vote(seed in 0u32..1000, gaps in prop::collection::vec(8_000u64..3_000_000, 1..40)) {
        let mut bench = Bench::new(&none(), seed);
        let mut up = false;
        let count = gaps.len();
        for us in gaps {
            up = !up;
            bench.vote(up);
            bench.pass(Duration::from_micros(us));
        }
        let acks = bench.count(|a| matches!(a, Action::ToggleAck | Action::AckAndFall));
        prop_assert_eq!(acks, count);
    }
}
