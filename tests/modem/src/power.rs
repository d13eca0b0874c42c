// SPDX-License-Identifier: GPL-2.0
//! The modem's half of the power-control handshake, as a pure state machine:
//! inputs and the time go in, actions come out.
//!
//! The modem acks each change of Linux' vote by toggling its ack, raises the
//! power line when there is a vote or something to deliver, and lowers it
//! once the vote is gone and nothing has moved for a while. After each change
//! of the power line it waits for Linux' ack (protocol document, 1.7).

use std::collections::VecDeque;
use std::time::Duration;

use crate::smsm::Bits;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Linux' bits, as they read now.
    Apps(Bits),
    /// A transfer in either direction.
    Activity,
    /// Something waits to be delivered: power up, and stay up.
    Wake,
    /// All is delivered; power may go after the idle time.
    Drained,
    /// Time has passed.
    Tick,
    /// Raise the power line, or lower it whatever Linux votes. With
    /// `at_once` without waiting for Linux' ack: the BAM loses power at once,
    /// or frames flow at once.
    Force {
        /// Up or down.
        on: bool,
        /// Do not wait for the ack.
        at_once: bool,
    },
    /// How votes are acked from now on.
    Acks(AckMode),
    /// The modem stops; its lines stay as they are.
    Crash,
    /// The modem starts anew, without power; Linux' bits read so. An old
    /// vote means nothing to it: it powers up when told to.
    Restart(Bits),
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Toggle the modem's ack.
    ToggleAck,
    /// Write the power line.
    SetPower(bool),
    /// Switch the BAM's power.
    SetBam(bool),
    /// Linux has acked the power-up: frames may flow.
    Connected,
    /// Linux has acked when nothing was waiting for it: its driver is new.
    UnsolicitedAck,
    /// The vote changed.
    Vote(bool),
    /// The vote changed before the one before was acked.
    VoteBeforeAck,
    /// The power-up is the modem's own wish.
    OwnWakeup,
    /// Linux let a change of the power line stand without an ack.
    AckTimeout,
    /// An ack of a vote was swallowed on request.
    AckWithheld,
}

/// How the modem acks votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckMode {
    /// At once.
    Normal,
    /// Not at all; the power line still follows the vote if `power`.
    Withhold {
        /// Raise the power line all the same.
        power: bool,
    },
    /// After this long.
    Delay(Duration),
    /// Twice at once, so that the line is as it was.
    Twice,
}

/// Where the handshake stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Power line low, BAM unpowered.
    Off,
    /// Power line high, Linux has not acked.
    Rising,
    /// Power line high and acked.
    On,
    /// Power line low, Linux has not acked, BAM still powered.
    Falling,
    /// Crashed.
    Dead,
}

/// Times of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Power-down after this long without vote and transfer; `None`: never.
    pub idle: Option<Duration>,
    /// How long to wait for Linux' ack before going on without it.
    pub ack: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            idle: Some(Duration::from_millis(500)),
            ack: Duration::from_secs(1),
        }
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Power {
    phase: Phase,
    since: Duration,
    waited: bool,
    activity: Duration,
    apps: Bits,
    owed: VecDeque<Duration>,
    acks: AckMode,
    wake: bool,
    parked: bool,
    /// May be changed at any time; read at the next step.
    pub times: Times,
}

impl Power {
    /// A modem without power, and Linux' bits as they are.
    #[must_use]
    pub fn new(times: Times, apps: Bits) -> Self {
        Self {
            phase: Phase::Off,
            since: Duration::ZERO,
            waited: false,
            activity: Duration::ZERO,
            apps,
            owed: VecDeque::new(),
            acks: AckMode::Normal,
            wake: false,
            parked: false,
            times,
        }
    }

    /// Where the handshake stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Linux' bits as last seen.
    #[must_use]
    pub fn apps(&self) -> Bits {
        self.apps
    }

    /// How votes are acked.
    #[must_use]
    pub fn acks(&self) -> AckMode {
        self.acks
    }

    /// Takes one input at time `now`; appends what is to be done to `out`.
    pub fn step(&mut self, now: Duration, input: Input, out: &mut Vec<Action>) {
        match input {
            Input::Restart(bits) => self.restart(bits),
            Input::Acks(mode) => self.set_acks(now, mode, out),
            _ if self.phase == Phase::Dead => {}
            Input::Apps(bits) => self.apps_changed(now, bits, out),
            Input::Activity => self.activity = now,
            Input::Wake => self.wake = true,
            Input::Drained => {
                self.wake = false;
                self.activity = now;
            }
            Input::Tick => {}
            Input::Force { on, at_once } => self.force(now, on, at_once, out),
            Input::Crash => self.phase = Phase::Dead,
        }
        self.settle(now, out);
    }

    /// When to step with [`Input::Tick`] at the latest; `None`: no need.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let own = match self.phase {
            Phase::Dead => return None,
            Phase::Off => None,
            Phase::Rising if self.waited => None,
            Phase::Rising | Phase::Falling => Some(self.since + self.times.ack),
            Phase::On => self.idle_at(),
        };
        own.into_iter().chain(self.ack_due()).min()
    }

    fn restart(&mut self, apps: Bits) {
        *self = Self {
            acks: self.acks,
            parked: true,
            ..Self::new(self.times, apps)
        };
    }

    fn apps_changed(&mut self, now: Duration, bits: Bits, out: &mut Vec<Action>) {
        let old = std::mem::replace(&mut self.apps, bits);
        if old.power != bits.power {
            self.voted(now, bits.power, out);
        }
        if old.ack != bits.ack {
            self.acked(now, out);
        }
    }

    fn voted(&mut self, now: Duration, up: bool, out: &mut Vec<Action>) {
        out.push(Action::Vote(up));
        if !self.owed.is_empty() {
            out.push(Action::VoteBeforeAck);
        }
        self.owed.push_back(now);
        self.activity = now;
        if matches!(self.acks, AckMode::Withhold { .. }) {
            out.push(Action::AckWithheld);
        }
        if up {
            self.parked = false;
            if matches!(self.phase, Phase::Rising | Phase::On) {
                // Says it again, in case the line was tampered with.
                out.push(Action::SetPower(true));
            }
        }
    }

    fn acked(&mut self, now: Duration, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Rising => {
                self.enter(now, Phase::On);
                self.activity = now;
                out.push(Action::Connected);
            }
            Phase::Falling => {
                self.enter(now, Phase::Off);
                out.push(Action::SetBam(false));
            }
            _ => out.push(Action::UnsolicitedAck),
        }
    }

    fn set_acks(&mut self, now: Duration, mode: AckMode, out: &mut Vec<Action>) {
        if self.phase != Phase::Dead && matches!(self.acks, AckMode::Withhold { .. }) {
            // Linux has given up on all votes but the last.
            while self.owed.len() > 1 {
                self.owed.pop_front();
            }
        }
        self.acks = mode;
        self.settle(now, out);
    }

    fn force(&mut self, now: Duration, on: bool, at_once: bool, out: &mut Vec<Action>) {
        self.parked = !on;
        self.wake = on;
        if on {
            self.settle(now, out);
            if at_once && self.phase == Phase::Rising {
                self.enter(now, Phase::On);
                out.push(Action::Connected);
            }
        } else {
            if matches!(self.phase, Phase::Rising | Phase::On) {
                self.fall(now, out);
            }
            if at_once && self.phase == Phase::Falling {
                self.enter(now, Phase::Off);
                out.push(Action::SetBam(false));
            }
        }
    }

    /// Applies all that follows from the state and the time alone.
    fn settle(&mut self, now: Duration, out: &mut Vec<Action>) {
        if self.phase == Phase::Dead {
            return;
        }
        while self.ack_due().is_some_and(|due| due <= now) {
            self.owed.pop_front();
            out.push(Action::ToggleAck);
            if self.acks == AckMode::Twice {
                out.push(Action::ToggleAck);
            }
        }
        if self.phase == Phase::On && self.idle_at().is_some_and(|at| at <= now) {
            self.fall(now, out);
        }
        self.check_ack_timeout(now, out);
        if self.phase == Phase::Off && self.wants_up() {
            if !self.apps.power {
                out.push(Action::OwnWakeup);
            }
            self.enter(now, Phase::Rising);
            out.push(Action::SetBam(true));
            out.push(Action::SetPower(true));
        }
    }

    fn check_ack_timeout(&mut self, now: Duration, out: &mut Vec<Action>) {
        if self.waited || now < self.since + self.times.ack {
            return;
        }
        match self.phase {
            // Without the ack nothing may flow, but the power stays.
            Phase::Rising => {
                self.waited = true;
                out.push(Action::AckTimeout);
            }
            Phase::Falling => {
                self.enter(now, Phase::Off);
                out.push(Action::AckTimeout);
                out.push(Action::SetBam(false));
            }
            _ => {}
        }
    }

    fn fall(&mut self, now: Duration, out: &mut Vec<Action>) {
        self.enter(now, Phase::Falling);
        out.push(Action::SetPower(false));
    }

    fn enter(&mut self, now: Duration, phase: Phase) {
        self.phase = phase;
        self.since = now;
        self.waited = false;
    }

    fn wants_up(&self) -> bool {
        if self.parked {
            return false;
        }
        let voted = self.apps.power
            && match self.acks {
                AckMode::Withhold { power } => power || self.owed.is_empty(),
                // The ack comes first, as on a phone.
                _ => self.owed.is_empty(),
            };
        voted || self.wake
    }

    fn idle_at(&self) -> Option<Duration> {
        match self.times.idle {
            Some(idle) if !self.apps.power && !self.wake => Some(self.activity + idle),
            _ => None,
        }
    }

    fn ack_due(&self) -> Option<Duration> {
        let voted = *self.owed.front()?;
        match self.acks {
            AckMode::Normal | AckMode::Twice => Some(voted),
            AckMode::Delay(by) => Some(voted + by),
            AckMode::Withhold { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
