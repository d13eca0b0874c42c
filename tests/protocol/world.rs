// SPDX-License-Identifier: GPL-2.0

//! The power handshake and a model of the modem on its other side: what the host's tests and the
//! fuzz targets drive. The model checks as it runs: pipes are connected once, with the power line
//! high; each fall is acknowledged; each write to the vote is one that the modem can see; no
//! attempt to wake goes on for ever.

use bam_dmux_protocol::handshake::{
    AckSeen,
    Attempt,
    Handshake,
    Lines,
    OwnBits,
    Patience,
    Transition,
    WakeStep, //
};

/// How long a tick is, in milliseconds. A healthy modem needs at most [`SLOWEST`] for each step of a
/// wake-up.
const TICK_MS: u32 = 100;

/// Most ticks between two steps of a healthy modem.
pub(crate) const SLOWEST: u32 = 5;

/// The modem's half of the shared memory, and what it has in mind.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are bits of hardware and faults, not a state"
)]
#[derive(Debug, Clone)]
pub(crate) struct Modem {
    pub(crate) power: bool,
    pub(crate) ack: bool,
    /// The vote that it has acknowledged.
    pub(crate) vote_seen: bool,
    /// Our ack bit as it was when the power line changed, until it flips.
    pub(crate) waits_for_flip_of: Option<bool>,
    /// BAM has power: from the rise of the power line until our ack of its fall.
    pub(crate) bam: bool,
    /// It wants the data path for itself.
    pub(crate) busy: bool,
    pub(crate) loses_acks: bool,
}

impl Modem {
    /// One step of the modem's firmware: at most one of its bits changes.
    pub(crate) fn step(&mut self, linux: OwnBits) {
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
    pub(crate) fn stop_waiting(&mut self) {
        self.waits_for_flip_of = None;
        self.bam = self.power;
    }

    /// The firmware starts again; `clear` also empties its word in shared memory.
    pub(crate) fn restart(&mut self, clear: bool, looks_at_vote: bool, linux: OwnBits) {
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
pub(crate) struct World {
    pub(crate) link: Handshake,
    pub(crate) modem: Modem,
    /// Our bits in shared memory.
    pub(crate) own: OwnBits,
    pub(crate) connected: bool,
    pub(crate) connects_fail: bool,
    /// Registers were touched without power.
    pub(crate) touched_dark: bool,
    /// The power line as the interrupt controller last saw it.
    pub(crate) snapshot: bool,
    /// Whether the firmware's restarts are announced to Linux.
    pub(crate) told: bool,
}

impl World {
    pub(crate) fn new(modem: Modem, own: OwnBits) -> Self {
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
    pub(crate) fn follow_power(&mut self) {
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

    /// The power was gone and is back. The interrupt controller has seen that if `told`, and has the
    /// handler run for both changes; it looks when all is over.
    pub(crate) fn blink(&mut self, told: bool) {
        if !told || !self.modem.power || !self.modem.bam {
            return;
        }
        for _ in 0..2 {
            self.look_at_ack();
            if let Some(transition) = self.link.power_interrupt(true) {
                if self.carry_out(transition) {
                    self.follow_power();
                }
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
    pub(crate) fn watch(&mut self) {
        self.look_at_ack();
        if !self.own.vote {
            self.link.ack_lost();
        }
        self.follow_power();
    }

    /// The firmware starts again, with or without news of it.
    pub(crate) fn restart(&mut self, clear: bool, looks_at_vote: bool) {
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

    pub(crate) fn look_at_ack(&mut self) {
        if self.link.ack_level(self.modem.ack) == AckSeen::Expected && !self.modem.power {
            self.link.acked_late();
        }
    }

    pub(crate) fn vote(&mut self, on: bool) {
        if let Some(value) = self.link.vote(on, self.modem.ack) {
            assert_ne!(value, self.own.vote, "a write that the modem cannot see");
            self.own.vote = value;
        }
    }

    /// One attempt to wake the modem, which takes a step every `pace` ticks.
    pub(crate) fn wake(&mut self, pace: u32) -> bool {
        let mut attempt = Attempt::new(0);
        for tick in 1..=Attempt::MAX_MS / TICK_MS + 1 {
            self.look_at_ack();
            self.follow_power();
            let step = self.link.wake_step();
            match step {
                WakeStep::Up => return true,
                WakeStep::Gone => return false,
                WakeStep::Vote => self.vote(true),
                _ => (),
            }
            match attempt.look(u64::from((tick - 1) * TICK_MS), step) {
                Patience::Wait(_) => (),
                Patience::AckLost => self.link.ack_lost(),
                Patience::Over => {
                    self.vote(false);
                    return false;
                }
            }
            if pace > 0 && tick % pace == 0 {
                self.modem.step(self.own);
            }
        }
        panic!("waits for ever in one step after another");
    }

    /// Lets both sides run until nothing changes any more.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10 {
            self.modem.step(self.own);
            self.look_at_ack();
            self.follow_power();
        }
    }
}

/// What may happen before the modem becomes healthy.
#[derive(Debug, Clone)]
pub(crate) enum Event {
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
    /// Power that was gone for a moment, and whether the interrupt controller has seen it.
    Blink(bool),
    FlipAck,
    Restart {
        clear: bool,
        looks_at_vote: bool,
    },
}

pub(crate) fn apply(world: &mut World, event: &Event) {
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
        Event::Blink(told) => world.blink(told),
        Event::FlipAck => world.modem.ack ^= true,
        Event::Restart {
            clear,
            looks_at_vote,
        } => world.restart(clear, looks_at_vote),
    }
}

/// Makes both sides healthy.
///
/// A modem whose power line fell and rose again before Linux looked (it restarted, or was forced),
/// or that already had power when Linux came, may wait for an ack that Linux cannot know of; a real
/// one gives up or restarts once more. After any other history nothing of that kind may be left,
/// and the model keeps waiting for what it is owed.
pub(crate) fn heal(world: &mut World, had_power: bool, history: &[Event]) {
    world.modem.loses_acks = false;
    world.connects_fail = false;
    if had_power
        || history.iter().any(|event| {
            matches!(
                event,
                Event::ForcePower(_) | Event::Blink(_) | Event::Restart { .. }
            )
        })
    {
        world.modem.stop_waiting();
    }
}
