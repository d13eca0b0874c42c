// SPDX-License-Identifier: GPL-2.0

//! The power handshake against a model of the modem, in any interleaving that proptest finds.
//!
//! The model keeps its side of the protocol when it is healthy, at its own pace. Before that it
//! may sleep, lose acks, restart with or without cleared bits and force its power line. Linux
//! looks at the lines whenever proptest says so, which covers late, lost and doubled interrupts.

#[path = "world.rs"]
mod world;

use bam_dmux_protocol::handshake::{
    Loss,
    OwnBits,
    WakeStep, //
};
use proptest::prelude::*;

use world::{
    apply,
    heal,
    Event,
    Modem,
    World,
    SLOWEST, //
};

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
        1 => any::<bool>().prop_map(Event::Blink),
        1 => Just(Event::FlipAck),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(clear, looks_at_vote)| Event::Restart { clear, looks_at_vote }),
    ]
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

    /// Power that blinks: if the interrupt controller has seen it, pipes are connected anew, once for
    /// each time, and nothing more is made of it; what Linux has seen for itself is no blink when its
    /// interrupts come late.
    #[test]
    fn a_blink_is_followed_once(
        ack in any::<bool>(),
        own_ack in any::<bool>(),
        blinks in prop::collection::vec((1..=SLOWEST, any::<bool>()), 1..6),
    ) {
        let mut world = asleep(ack, own_ack);
        for (pace, looked) in blinks {
            prop_assert!(world.wake(pace));
            world.settle();
            let connects = world.link.counters().connects;
            if looked {
                world.modem.power = false;
                world.follow_power();
                prop_assert!(!world.connected);
                world.modem.power = true;
                world.follow_power();
            }
            world.blink(true);
            prop_assert!(world.connected);
            prop_assert_eq!(world.link.counters().connects, connects + 1);
            let up = world.wake(pace) || {
                // It may wait for acks that Linux cannot know of.
                world.modem.stop_waiting();
                world.wake(pace)
            };
            prop_assert!(up, "not up after two attempts");
            world.settle();
            prop_assert_eq!(world.link.wake_step(), WakeStep::Up);
        }
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
