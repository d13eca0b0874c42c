// SPDX-License-Identifier: GPL-2.0

//! The power handshake against a model of the modem, in any interleaving that proptest finds.
//!
//! The model keeps its side of the protocol when it is healthy, at its own pace. Before that it
//! may sleep, lose acks, restart with or without cleared bits and force its power line. Linux
//! looks at the lines whenever proptest says so, which covers late, lost and doubled interrupts.

use bam_dmux_protocol::handshake::{
    AckSeen,
    Handshake,
    Lines,
    Loss,
    OwnBits,
    Transition,
    WakeStep, //
};
use proptest::prelude::*;

/// Ticks that a step of a wake-up may take. A healthy modem needs at most [`SLOWEST`] for each.
const PATIENCE: u32 = 20;

/// Most ticks between two steps of a healthy modem.
const SLOWEST: u32 = 5;

/// The modem's half of the shared memory, and what it has in mind.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are bits of hardware and faults, not a state"
)]
#[derive(Debug, Clone)]
struct Modem {
    power: bool,
    ack: bool,
    /// The vote that it has acknowledged.
    vote_seen: bool,
    /// Our ack bit as it was when the power line changed, until it flips.
    waits_for_flip_of: Option<bool>,
    /// BAM has power: from the rise of the power line until our ack of its fall.
    bam: bool,
    /// It wants the data path for itself.
    busy: bool,
    loses_acks: bool,
}

impl Modem {
    /// One step of the modem's firmware: at most one of its bits changes.
    fn step(&mut self, linux: OwnBits) {
        if self.waits_for_flip_of.is_some_and(|old| old != linux.ack) {
            self.waits_for_flip_of = None;
            self.bam = self.power;
        }
        if self.vote_seen != linux.vote {
            self.vote_seen = linux.vote;
            self.ack ^= !self.loses_acks;
            return;
        }
        let wanted = self.vote_seen || self.busy;
        if self.power != wanted && self.waits_for_flip_of.is_none() {
            self.power = wanted;
            self.bam |= wanted;
            self.waits_for_flip_of = Some(linux.ack);
        }
    }

    /// The firmware gives up on an ack that will not come.
    fn stop_waiting(&mut self) {
        self.waits_for_flip_of = None;
        self.bam = self.power;
    }

    /// The firmware starts again; `clear` also empties its word in shared memory.
    fn restart(&mut self, clear: bool, looks_at_vote: bool, linux: OwnBits) {
        self.power = false;
        self.bam = false;
        self.ack &= !clear;
        self.vote_seen = looks_at_vote && linux.vote;
        self.waits_for_flip_of = None;
        self.busy = false;
    }
}

/// Linux as `src/link.rs` drives the handshake, and the modem on the other side.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
struct World {
    link: Handshake,
    modem: Modem,
    /// Our bits in shared memory.
    own: OwnBits,
    connected: bool,
    connects_fail: bool,
    /// Registers were touched without power.
    touched_dark: bool,
    /// The power line as the interrupt controller last saw it.
    snapshot: bool,
    /// Whether the firmware's restarts are announced to Linux.
    told: bool,
}

impl World {
    fn new(modem: Modem, own: OwnBits) -> Self {
        let lines = Lines {
            power: modem.power,
            ack: modem.ack,
        };
        Self {
            link: Handshake::new(lines, own),
            modem,
            own,
            connected: false,
            connects_fail: false,
            touched_dark: false,
            snapshot: lines.power,
            told: false,
        }
    }

    /// Carries out what the power line demands, and checks that it is what can be done.
    fn follow_power(&mut self) {
        self.look_at_ack();
        while let Some(transition) = self.link.power_level(self.modem.power) {
            if !self.carry_out(transition) {
                return;
            }
        }
        assert_eq!(self.link.is_connected(), self.connected);
    }

    /// The interrupt controller compares snapshots; if there is a change it has the handler run,
    /// which looks after the modem has taken so many more steps.
    fn power_interrupt(&mut self, steps: u8) {
        if self.snapshot == self.modem.power {
            return;
        }
        self.snapshot = self.modem.power;
        for _ in 0..steps {
            self.modem.step(self.own);
        }
        self.look_at_ack();
        if let Some(transition) = self.link.power_interrupt(self.modem.power) {
            if self.carry_out(transition) {
                self.follow_power();
            }
        }
    }

    /// Returns whether it was carried out.
    fn carry_out(&mut self, transition: Transition) -> bool {
        let ack_before = self.own.ack;
        match transition {
            Transition::Connect => {
                assert!(!self.connected, "connected twice");
                assert!(self.modem.power, "connected without power");
                self.touched_dark |= !self.modem.bam;
                if self.connects_fail {
                    self.link.connect_failed();
                    return false;
                }
                self.connected = true;
                self.own.ack = self.link.connected();
            }
            Transition::Disconnect => {
                // Pipes that were abandoned are not touched.
                self.touched_dark |= self.connected && !self.modem.bam;
                self.connected = false;
                self.own.ack = self.link.disconnected();
                assert_ne!(self.own.ack, ack_before, "a fall that is not acknowledged");
            }
            Transition::Abandon => {
                assert!(self.connected, "abandoned twice");
                let lost = self.link.loss().is_some();
                self.connected = false;
                self.link.abandoned();
                if lost {
                    self.vote(false);
                }
            }
        }
        true
    }

    /// The vote was taken back and two seconds have passed.
    fn watch(&mut self) {
        self.look_at_ack();
        if !self.own.vote {
            self.link.ack_lost();
        }
        self.follow_power();
    }

    /// The firmware starts again, with or without news of it.
    fn restart(&mut self, clear: bool, looks_at_vote: bool) {
        if self.told {
            self.link.stopped();
            self.follow_power();
            self.vote(false);
        }
        self.modem.restart(clear, looks_at_vote, self.own);
        if self.told {
            self.link.starting();
        }
    }

    fn look_at_ack(&mut self) {
        if self.link.ack_level(self.modem.ack) == AckSeen::Expected && !self.modem.power {
            self.link.acked_late();
        }
    }

    fn vote(&mut self, on: bool) {
        if let Some(value) = self.link.vote(on, self.modem.ack) {
            assert_ne!(value, self.own.vote, "a write that the modem cannot see");
            self.own.vote = value;
        }
    }

    /// One attempt to wake the modem, which takes a step every `pace` ticks.
    fn wake(&mut self, pace: u32) -> bool {
        let mut step = None;
        let mut left = PATIENCE;
        for tick in 1..100 * PATIENCE {
            self.look_at_ack();
            self.follow_power();
            let now = self.link.wake_step();
            match now {
                WakeStep::Up => return true,
                WakeStep::Gone => return false,
                WakeStep::Vote => self.vote(true),
                _ => (),
            }
            if step.replace(now) != Some(now) {
                left = PATIENCE;
            }
            if left == 0 {
                if now != WakeStep::AwaitPreviousAck {
                    break;
                }
                self.link.ack_lost();
            }
            left = left.saturating_sub(1);
            if pace > 0 && tick % pace == 0 {
                self.modem.step(self.own);
            }
        }
        assert!(left == 0, "waits for ever in one step after another");
        self.vote(false);
        false
    }

    /// Lets both sides run until nothing changes any more.
    fn settle(&mut self) {
        for _ in 0..10 {
            self.modem.step(self.own);
            self.look_at_ack();
            self.follow_power();
        }
    }
}

/// What may happen before the modem becomes healthy.
#[derive(Debug, Clone)]
enum Event {
    ModemSteps(u8),
    LookAtPower,
    /// The interrupt, with so many steps of the modem before it is served.
    PowerInterrupt(u8),
    LookAtAck,
    Watch,
    /// An attempt to wake, with a modem that takes a step every so many ticks, 0 for never.
    Wake(u32),
    Release,
    ModemBusy(bool),
    LoseAcks(bool),
    ConnectsFail(bool),
    ForcePower(bool),
    FlipAck,
    Restart {
        clear: bool,
        looks_at_vote: bool,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..4_u8).prop_map(Event::ModemSteps),
        4 => Just(Event::LookAtPower),
        2 => (0..4_u8).prop_map(Event::PowerInterrupt),
        2 => Just(Event::Watch),
        4 => Just(Event::LookAtAck),
        3 => (0..30_u32).prop_map(Event::Wake),
        3 => Just(Event::Release),
        1 => any::<bool>().prop_map(Event::ModemBusy),
        1 => any::<bool>().prop_map(Event::LoseAcks),
        1 => any::<bool>().prop_map(Event::ConnectsFail),
        1 => any::<bool>().prop_map(Event::ForcePower),
        1 => Just(Event::FlipAck),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(clear, looks_at_vote)| Event::Restart { clear, looks_at_vote }),
    ]
}

fn apply(world: &mut World, event: &Event) {
    match *event {
        Event::ModemSteps(count) => {
            for _ in 0..count {
                world.modem.step(world.own);
            }
        }
        Event::LookAtPower => world.follow_power(),
        Event::PowerInterrupt(steps) => world.power_interrupt(steps),
        Event::Watch => world.watch(),
        Event::LookAtAck => world.look_at_ack(),
        Event::Wake(pace) => {
            world.wake(pace);
        }
        Event::Release => world.vote(false),
        Event::ModemBusy(on) => world.modem.busy = on,
        Event::LoseAcks(on) => world.modem.loses_acks = on,
        Event::ConnectsFail(on) => world.connects_fail = on,
        Event::ForcePower(on) => world.modem.power = on,
        Event::FlipAck => world.modem.ack ^= true,
        Event::Restart {
            clear,
            looks_at_vote,
        } => world.restart(clear, looks_at_vote),
    }
}

/// A modem and our bits as any earlier driver may have left them.
fn start() -> impl Strategy<Value = World> {
    any::<[bool; 7]>().prop_map(|[power, ack, vote_seen, busy, own_vote, own_ack, told]| {
        let modem = Modem {
            power,
            bam: power,
            ack,
            vote_seen,
            waits_for_flip_of: None,
            busy,
            loses_acks: false,
        };
        let own = OwnBits {
            vote: own_vote,
            ack: own_ack,
        };
        World {
            told,
            ..World::new(modem, own)
        }
    })
}

/// Makes both sides healthy.
///
/// A modem whose power line fell and rose again before Linux looked (it restarted, or was forced),
/// or that already had power when Linux came, may wait for an ack that Linux cannot know of; a real
/// one gives up or restarts once more. After any other history nothing of that kind may be left,
/// and the model keeps waiting for what it is owed.
fn heal(world: &mut World, had_power: bool, history: &[Event]) {
    world.modem.loses_acks = false;
    world.connects_fail = false;
    if had_power
        || history
            .iter()
            .any(|event| matches!(event, Event::ForcePower(_) | Event::Restart { .. }))
    {
        world.modem.stop_waiting();
    }
}

/// A modem that sleeps, healthy, and a Linux that has just come.
fn asleep(ack: bool, own_ack: bool) -> World {
    let modem = Modem {
        power: false,
        bam: false,
        ack,
        vote_seen: false,
        waits_for_flip_of: None,
        busy: false,
        loses_acks: false,
    };
    let own = OwnBits {
        vote: false,
        ack: own_ack,
    };
    World::new(modem, own)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happened, a modem that is healthy again is woken by the second attempt at the
    /// latest, and then stays up for as long as the vote stands.
    #[test]
    fn any_history_converges(
        mut world in start(),
        history in prop::collection::vec(event(), 0..60),
        pace in 1..=SLOWEST,
    ) {
        let had_power = world.modem.power;
        for event in &history {
            apply(&mut world, event);
        }
        heal(&mut world, had_power, &history);

        let up = world.wake(pace) || {
            // It may have begun to wait for such an ack during the first attempt.
            heal(&mut world, had_power, &history);
            world.wake(pace)
        };
        prop_assert!(up, "not up after two attempts");
        world.settle();
        prop_assert_eq!(world.link.wake_step(), WakeStep::Up);
        prop_assert!(world.modem.power && world.connected);
    }

    /// After any history, a released link comes to rest with the modem asleep and nothing owed.
    #[test]
    fn a_released_link_comes_to_rest(
        mut world in start(),
        history in prop::collection::vec(event(), 0..60),
    ) {
        let had_power = world.modem.power;
        for event in &history {
            apply(&mut world, event);
        }
        heal(&mut world, had_power, &history);
        world.modem.busy = false;

        // A modem that is not believed is asked for a sign of life until it gives one.
        if world.link.loss() == Some(Loss::NoAck) {
            world.wake(1);
        }
        world.vote(false);
        world.settle();
        prop_assert!(!world.modem.power && !world.connected);
        prop_assert!(!world.link.is_connected());
    }

    /// With a modem that was healthy all along every attempt succeeds at once, at any pace, and
    /// each waking is seen through to frames: no ack is given up.
    #[test]
    fn a_healthy_modem_never_costs_a_time_out(
        paces in prop::collection::vec(1..=SLOWEST, 1..20),
        rest in prop::collection::vec(0..12_u32, 20),
        ack in any::<bool>(),
        own_ack in any::<bool>(),
    ) {
        let mut world = asleep(ack, own_ack);
        for (pace, steps) in paces.into_iter().zip(rest) {
            prop_assert!(world.wake(pace));
            prop_assert!(world.modem.power && world.modem.vote_seen);
            world.vote(false);
            for _ in 0..steps {
                world.modem.step(world.own);
                world.follow_power();
            }
        }
        let shown = format!("{:?}", world.link);
        prop_assert!(shown.contains("acks_lost: 0") && shown.contains("acks_stray: 0"), "{}", shown);
    }
    /// Without any news but its lines: a modem that dies while the link is up, or while Linux asks
    /// for it, and starts anew at any time, is not touched as long as BAM is dark, and is woken
    /// again.
    #[test]
    fn a_dark_bam_is_left_alone(
        ack in any::<bool>(),
        own_ack in any::<bool>(),
        clear in any::<bool>(),
        looks_at_vote in any::<bool>(),
        frozen in 0..40_usize,
        crash_at in 0..3_u8,
        pace in 1..=SLOWEST,
    ) {
        let mut world = asleep(ack, own_ack);
        prop_assert!(world.wake(pace));
        match crash_at {
            // While frames flow.
            0 => (),
            // The un-vote is not answered any more.
            1 => world.vote(false),
            // Nor is the next vote.
            _ => {
                world.vote(false);
                world.modem.step(world.own);
                world.look_at_ack();
                world.vote(true);
            }
        }
        world.modem.bam = false;
        for _ in 0..frozen {
            world.look_at_ack();
            world.watch();
        }
        // Frames are there to be sent: a waker comes, and nobody answers.
        if frozen > 20 {
            world.wake(0);
            world.watch();
        }
        world.modem.restart(clear, looks_at_vote, world.own);
        world.follow_power();
        prop_assert!(!world.connected);
        prop_assert!(!world.touched_dark);
        prop_assert!(world.wake(pace) || world.wake(pace));
        prop_assert!(!world.touched_dark);
    }

    /// With news of them, restarts at any time never have a dark BAM touched, whatever the lines do.
    #[test]
    fn announced_restarts_are_safe(
        ack in any::<bool>(),
        history in prop::collection::vec((0..30_u32, any::<bool>(), any::<bool>(), any::<bool>()), 0..20),
    ) {
        let mut world = asleep(ack, false);
        world.told = true;
        for (steps, wakes, clear, looks_at_vote) in history {
            if wakes {
                prop_assert!(world.wake(1) || world.wake(1));
            }
            for step in 0..steps {
                if step == 3 {
                    world.vote(false);
                }
                world.modem.step(world.own);
                world.follow_power();
            }
            world.restart(clear, looks_at_vote);
            world.follow_power();
            prop_assert!(!world.connected);
            prop_assert!(!world.touched_dark);
        }
        prop_assert!(world.wake(1) || world.wake(1));
    }
}
