// SPDX-License-Identifier: GPL-2.0
//! The power handshake with a model of the modem on the other side, which fails in all ways that
//! it knows and then becomes healthy: the link has to come up, or to come to rest. The model
//! checks each step by itself.

use arbitrary::{
    Arbitrary,
    Unstructured, //
};
use bam_dmux_protocol::handshake::{
    Loss,
    OwnBits,
    WakeStep, //
};

#[path = "../../../protocol/world.rs"]
mod world;

use world::{
    apply,
    heal,
    Event,
    Modem,
    World,
    SLOWEST, //
};

/// Events of one history. Each costs up to 2000 ticks.
const MOST_EVENTS: usize = 100;

/// Runs the target.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let _ = history(&mut u);
}

fn start(u: &mut Unstructured<'_>) -> arbitrary::Result<World> {
    let [power, ack, vote_seen, busy, vote, own_ack, told] = <[bool; 7]>::arbitrary(u)?;
    let modem = Modem {
        power,
        bam: power,
        ack,
        vote_seen,
        waits_for_flip_of: None,
        busy,
        loses_acks: false,
    };
    let own = OwnBits { vote, ack: own_ack };
    Ok(World {
        told,
        ..World::new(modem, own)
    })
}

fn event(u: &mut Unstructured<'_>) -> arbitrary::Result<Event> {
    Ok(match u.int_in_range(0..=13)? {
        0 => Event::ModemSteps(u.int_in_range(1..=4)?),
        1 => Event::LookAtPower,
        2 => Event::PowerInterrupt(u.int_in_range(0..=4)?),
        3 => Event::LookAtAck,
        4 => Event::Watch,
        5 => Event::Wake(u.int_in_range(0..=30)?),
        6 => Event::Release,
        7 => Event::ModemBusy(u.arbitrary()?),
        8 => Event::LoseAcks(u.arbitrary()?),
        9 => Event::ConnectsFail(u.arbitrary()?),
        10 => Event::ForcePower(u.arbitrary()?),
        11 => Event::FlipAck,
        12 => Event::Blink(u.arbitrary()?),
        _ => Event::Restart {
            clear: u.arbitrary()?,
            looks_at_vote: u.arbitrary()?,
        },
    })
}

fn history(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut world = start(u)?;
    let had_power = world.modem.power;
    let wakes = u.arbitrary()?;
    let pace = u.int_in_range(1..=SLOWEST)?;
    let mut history = Vec::new();
    while !u.is_empty() && history.len() < MOST_EVENTS {
        let event = event(u)?;
        apply(&mut world, &event);
        history.push(event);
    }
    heal(&mut world, had_power, &history);
    if wakes {
        comes_up(&mut world, had_power, &history, pace);
    } else {
        comes_to_rest(&mut world, &history);
    }
    Ok(())
}

fn comes_up(world: &mut World, had_power: bool, history: &[Event], pace: u32) {
    let up = world.wake(pace) || {
        // It may have begun to wait for an ack of before during the first attempt.
        heal(world, had_power, history);
        world.wake(pace)
    };
    assert!(up, "not up after two attempts: {history:?}");
    world.settle();
    assert_eq!(world.link.wake_step(), WakeStep::Up);
    assert!(world.modem.power && world.connected);
}

fn comes_to_rest(world: &mut World, history: &[Event]) {
    world.modem.busy = false;
    // A modem that is not believed is asked for a sign of life until it gives one.
    if world.link.loss() == Some(Loss::NoAck) {
        world.wake(1);
    }
    world.vote(false);
    world.settle();
    let rest = !world.modem.power && !world.connected && !world.link.is_connected();
    assert!(rest, "no rest: {history:?}");
}
