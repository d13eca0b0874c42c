// SPDX-License-Identifier: GPL-2.0
//! The power handshake with lines that say anything: no modem is behind them. What has to hold
//! even then:
//!
//! - pipes are connected only when the power line was just read as high, and its level counts;
//! - a line that stands still leads to rest after a few transitions;
//! - our ack changes only in answer to something that the power line did;
//! - "up" is said only of connected pipes, with power and vote.

use arbitrary::{
    Arbitrary,
    Unstructured, //
};
use bam_dmux_protocol::handshake::{
    AckSeen,
    Handshake,
    Lines,
    Loss,
    OwnBits,
    Transition,
    WakeStep, //
};

#[derive(Debug, Arbitrary)]
enum Step {
    Power {
        level: bool,
        interrupt: bool,
        /// Carry out what is due, and go on until nothing is.
        follow: bool,
        connects: bool,
    },
    Ack {
        level: bool,
        late: bool,
    },
    Vote {
        on: bool,
        ack: bool,
    },
    AckLost,
    Stopped,
    Starting,
}

/// What an observer knows who sees only calls and answers.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Observer {
    power: bool,
    own: OwnBits,
    connected: bool,
    /// The firmware was stopped and its line was not low since; or it was found dead.
    unbelievable: bool,
    stopped: bool,
    /// Most changes of our ack that the power line can have asked for.
    owed: u32,
}

/// Runs the target.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok([power, ack, vote, own_ack]) = <[bool; 4]>::arbitrary(&mut u) else {
        return;
    };
    let own = OwnBits { vote, ack: own_ack };
    let mut link = Handshake::new(Lines { power, ack }, own);
    let mut seen = Observer {
        power,
        own,
        connected: false,
        unbelievable: false,
        stopped: false,
        // The first is free: an earlier driver may have acknowledged it.
        owed: 1,
    };
    while let Ok(step) = Step::arbitrary(&mut u) {
        seen.step(&mut link, &step);
        seen.check(&link);
        if u.is_empty() {
            break;
        }
    }
}

impl Observer {
    fn step(&mut self, link: &mut Handshake, step: &Step) {
        match *step {
            Step::Power {
                level,
                interrupt,
                follow,
                connects,
            } => self.power_seen(link, level, interrupt, follow.then_some(connects)),
            Step::Ack { level, late } => {
                let awaited = link.awaits_ack();
                let before = link.lines().ack;
                match link.ack_level(level) {
                    AckSeen::Expected => {
                        assert!(awaited && !link.awaits_ack());
                        self.unbelievable &= self.stopped;
                        if late {
                            link.acked_late();
                        }
                    }
                    AckSeen::Stray => assert_ne!(before, level),
                    AckSeen::Nothing => assert_eq!(before, level),
                }
            }
            Step::Vote { on, ack } => self.vote(link, on, ack),
            Step::AckLost => {
                link.ack_lost();
                assert!(!link.awaits_ack());
                self.unbelievable |= link.loss() == Some(Loss::NoAck);
            }
            Step::Stopped => {
                link.stopped();
                (self.stopped, self.unbelievable) = (true, true);
            }
            Step::Starting => {
                link.starting();
                self.unbelievable &= !self.stopped || self.power;
                self.stopped = false;
            }
        }
    }

    fn vote(&mut self, link: &mut Handshake, on: bool, ack: bool) {
        let awaited = link.awaits_ack();
        let written = link.vote(on, ack);
        // An ack that comes to light at the vote counts like any other.
        if written.is_some() && awaited && link.loss() != Some(Loss::NoAck) {
            self.unbelievable &= self.stopped;
        }
        assert_eq!(written, (self.own.vote != on).then_some(on));
        self.own.vote = on;
    }

    fn power_seen(
        &mut self,
        link: &mut Handshake,
        level: bool,
        interrupt: bool,
        follow: Option<bool>,
    ) {
        self.owed += u32::from(level != self.power || interrupt);
        self.power = level;
        if !level && !self.stopped {
            self.unbelievable = false;
        }
        let mut due = if interrupt {
            link.power_interrupt(level)
        } else {
            link.power_level(level)
        };
        // A line that is high as before, and whose interrupt says that it has changed, was low.
        self.unbelievable &= self.stopped || !interrupt || !link.is_powered();
        let Some(connects) = follow else { return };
        let mut turns = 0;
        while let Some(transition) = due {
            if !self.carry_out(link, transition, connects) {
                return;
            }
            turns += 1;
            assert!(turns <= 4, "no rest: {transition:?} with the line {level}");
            due = link.power_level(level);
        }
        assert_eq!(
            link.is_connected(),
            level && !self.unbelievable,
            "rest is where the line is"
        );
    }

    /// Returns whether it was.
    fn carry_out(&mut self, link: &mut Handshake, transition: Transition, connects: bool) -> bool {
        let ack = match transition {
            Transition::Connect => {
                assert!(self.power && !self.connected, "connected without power");
                assert!(!self.unbelievable, "connected to a modem that is dead");
                if !connects {
                    link.connect_failed();
                    return false;
                }
                self.connected = true;
                link.connected()
            }
            Transition::Disconnect => {
                assert!(!self.power);
                self.connected = false;
                link.disconnected()
            }
            Transition::Abandon => {
                assert!(self.connected);
                self.connected = false;
                link.abandoned();
                self.own.ack
            }
        };
        if ack != self.own.ack {
            assert!(self.owed > 0, "an ack that nobody asked for");
            // One for all that the line did.
            self.owed = 0;
            self.own.ack = ack;
        }
        true
    }

    fn check(&self, link: &Handshake) {
        assert_eq!(link.own_bits(), self.own);
        assert_eq!(link.lines().power, self.power);
        assert_eq!(link.is_connected(), self.connected);
        assert_eq!(link.is_stopped(), self.stopped);
        assert!(!link.is_powered() || (self.power && !self.unbelievable));
        match link.wake_step() {
            WakeStep::Up => assert!(self.connected && link.is_powered() && self.own.vote),
            WakeStep::Gone => assert!(self.stopped),
            WakeStep::Vote => assert!(!self.own.vote),
            WakeStep::AwaitPreviousAck => assert!(!self.own.vote && link.awaits_ack()),
            WakeStep::AwaitAck => assert!(self.own.vote && link.awaits_ack()),
            WakeStep::AwaitPower => assert!(self.own.vote),
        }
    }
}
