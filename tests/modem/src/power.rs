// SPDX-License-Identifier: GPL-2.0
//! The modem's half of the power-control handshake, as a pure state machine:
//! inputs and the time go in, actions come out.
//!
//! The modem acks each change of Linux' vote by toggling its ack, raises the
//! power line when there is a vote or something to deliver, and lowers it
//! once the vote is gone and nothing has moved for a while. After each change
//! of the power line it waits for Linux' ack (protocol document, 1.7).
//!
//! How long each step takes and what goes wrong by chance is the profile's
//! ([`crate::profile`]). What firmware does without the ack of a *rise* was never
//! measured: here frames wait, and nothing else happens.

use std::collections::VecDeque;
use std::time::Duration;

use crate::profile::{
    Draws,
    FallRule,
    Force,
    Kind,
    Profile, //
};
use crate::smsm::Bits;

/// Longer than Linux can wait with its next vote.
const LONG: Duration = Duration::from_secs(3600);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Linux' bits, as they read now.
    Apps(Bits),
    /// A transfer in either direction.
    Activity,
    /// Frames were given to Linux.
    Downlink,
    /// The firmware has started: its first power-up, whatever Linux votes.
    Start,
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

/// Why firmware has crashed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assert {
    /// Linux has not acked a fall of the power line.
    Fall,
    /// The modem could not take its power away after an un-vote.
    Hang,
    /// The timer of the profile.
    Fatal,
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
    /// Toggle the modem's ack and lower the power line in one write.
    AckAndFall,
    /// Neither change of a hasty pair of votes will be acked.
    PairLost,
    /// A vote waits until Linux has acked the fall.
    VoteUnanswered,
    /// The modem hangs at an un-vote.
    Hung,
    /// The modem wants to wake up for this many frames of its own.
    SelfWake(u32),
    /// All stands still until [`Action::Thawed`]: no acks, no frames either way.
    Frozen,
    /// It goes on.
    Thawed,
    /// The firmware crashes.
    Assert(Assert),
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

/// An ack that a change of the vote is owed.
#[derive(Debug, Clone, Copy)]
struct Owed {
    /// When the vote changed, or could be answered.
    at: Duration,
    /// How long the ack takes.
    delay: Duration,
    /// The line is to fall along with it.
    coalesced: bool,
}

/// The state machine.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and their combinations all occur"
)]
pub struct Power {
    phase: Phase,
    since: Duration,
    waited: bool,
    activity: Duration,
    apps: Bits,
    owed: VecDeque<Owed>,
    acks: AckMode,
    wake: bool,
    parked: bool,
    /// The firmware has had its first power-up.
    begun: bool,
    /// The power does not rise for a vote before this.
    rise_at: Duration,
    /// The power line does not fall before this, see [`FallRule::Unvote`].
    fall_at: Duration,
    /// When the firmware asserts for want of the ack of a fall.
    assert_at: Option<Duration>,
    /// The modem hangs until its crash at this time.
    hung: Option<Duration>,
    /// The modem stands still until this time.
    frozen: Option<Duration>,
    /// What Linux' bits have become meanwhile.
    unseen: Option<Bits>,
    self_wake_at: Option<Duration>,
    freeze_at: Option<Duration>,
    fatal_at: Option<Duration>,
    draws: Draws,
    /// Linux has a channel open that frames may be sent on. Read at the next step.
    pub attached: bool,
    /// May be changed at any time; read at the next step.
    pub times: Times,
}

impl Power {
    /// A modem without power, and Linux' bits as they are.
    #[must_use]
    pub fn new(times: Times, draws: Draws, apps: Bits) -> Self {
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
            begun: false,
            rise_at: Duration::ZERO,
            fall_at: Duration::ZERO,
            assert_at: None,
            hung: None,
            frozen: None,
            unseen: None,
            self_wake_at: None,
            freeze_at: None,
            fatal_at: None,
            draws,
            attached: false,
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

    /// Whether all stands still: nothing is to be taken from Linux or given to it.
    #[must_use]
    pub fn frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// The profile, and what is forced.
    #[must_use]
    pub fn draws(&self) -> &Draws {
        &self.draws
    }

    /// The same, to change it. To be followed by a step.
    pub fn draws_mut(&mut self) -> &mut Draws {
        &mut self.draws
    }

    /// Takes one input at time `now`; appends what is to be done to `out`.
    pub fn step(&mut self, now: Duration, input: Input, out: &mut Vec<Action>) {
        self.thaw(now, out);
        match input {
            Input::Restart(bits) => self.restart(bits),
            Input::Acks(mode) => self.set_acks(now, mode, out),
            _ if self.phase == Phase::Dead => {}
            Input::Apps(bits) if self.frozen() => self.unseen = Some(bits),
            Input::Apps(bits) => self.apps_changed(now, bits, out),
            Input::Activity => self.activity = now,
            Input::Downlink => {
                self.activity = now;
                self.delivered(now);
            }
            Input::Start => self.start(now),
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
        if self.phase == Phase::Dead {
            return None;
        }
        if self.frozen() || self.hung.is_some() {
            return self.frozen.or(self.hung);
        }
        let own = match self.phase {
            Phase::Dead => None,
            Phase::Off => self.wants_up().then_some(self.rise_at),
            Phase::Rising if self.waited => None,
            Phase::Rising => Some(self.since + self.times.ack),
            Phase::Falling => self.assert_at.or(Some(self.since + self.times.ack)),
            Phase::On => self.idle_at(),
        };
        let timers = [self.self_wake_at, self.freeze_at, self.fatal_at];
        let due = [own, self.ack_due()].into_iter().chain(timers);
        due.flatten().min()
    }

    /// Without power and history; how votes are acked stays, and the numbers of the draws go on.
    pub fn reset(&mut self, apps: Bits) {
        let spare = Draws::new(self.draws.profile().clone(), self.draws.seed());
        let draws = std::mem::replace(&mut self.draws, spare);
        *self = Self {
            acks: self.acks,
            ..Self::new(self.times, draws, apps)
        };
    }

    /// Another profile with numbers from the first on, for what is yet to come.
    pub fn set_draws(&mut self, now: Duration, profile: Profile, seed: u32) {
        self.draws = Draws::new(profile, seed);
        if self.begun {
            self.set_timers(now);
        }
    }

    /// Whether votes are answered: before its first power-up firmware need not.
    fn answers(&self) -> bool {
        self.begun || self.draws.profile().answers_before_start
    }

    fn set_timers(&mut self, now: Duration) {
        self.self_wake_at = self.draws.when(Kind::SelfWakeEvery, now);
        self.freeze_at = self.draws.when(Kind::FreezeEvery, now);
        self.fatal_at = self.draws.when(Kind::Fatal, now);
    }

    fn restart(&mut self, apps: Bits) {
        self.reset(apps);
        self.parked = true;
    }

    /// The first power-up of the firmware. A vote that stands is not acked: this is its answer.
    fn start(&mut self, now: Duration) {
        self.begun = true;
        self.parked = false;
        self.wake = true;
        self.set_timers(now);
    }

    fn apps_changed(&mut self, now: Duration, bits: Bits, out: &mut Vec<Action>) {
        let old = std::mem::replace(&mut self.apps, bits);
        if old.power != bits.power {
            out.push(Action::Vote(bits.power));
            if self.answers() && self.hung.is_none() {
                self.voted(now, bits.power, out);
            }
        }
        if old.ack != bits.ack {
            self.acked(now, out);
        }
    }

    fn voted(&mut self, now: Duration, up: bool, out: &mut Vec<Action>) {
        if let Some(first) = self.owed.front().copied() {
            out.push(Action::VoteBeforeAck);
            if self.is_hasty(now, first, up) && self.draws.loses_pair() {
                self.owed.clear();
                out.push(Action::PairLost);
                return;
            }
        }
        self.activity = now;
        if matches!(self.acks, AckMode::Withhold { .. }) {
            out.push(Action::AckWithheld);
        }
        if up {
            self.voted_up(now, out);
        } else {
            self.voted_down(now, out);
        }
    }

    fn voted_up(&mut self, now: Duration, out: &mut Vec<Action>) {
        self.parked = false;
        if self.phase == Phase::On && self.draws.is_forced(Force::FallAtVote) && !self.wake {
            self.draws.done(Force::FallAtVote);
            self.fall(now, out);
        }
        let powered = matches!(self.phase, Phase::Rising | Phase::On);
        if powered {
            // Says it again, in case the line was tampered with.
            out.push(Action::SetPower(true));
        } else if self.must_wait_for_ack() {
            out.push(Action::VoteUnanswered);
        }
        let delay = self.draws.time(if powered {
            Kind::VoteAckPowered
        } else {
            Kind::VoteAckDark
        });
        self.owe(now, delay, false);
    }

    fn voted_down(&mut self, now: Duration, out: &mut Vec<Action>) {
        let powered = self.phase == Phase::On;
        if powered && self.draws.hangs() {
            self.owed.clear();
            self.hung = Some(now + self.draws.time(Kind::HangCrash));
            out.push(Action::Hung);
            return;
        }
        let by_unvote = self.draws.profile().fall_rule == FallRule::Unvote;
        let lose_pair = powered && self.draws.is_forced(Force::LostPair);
        let at_vote = self.draws.is_forced(Force::FallAtVote);
        let plain = powered && by_unvote && !self.wake && !lose_pair && !at_vote;
        let coalesced = plain && self.draws.coalesces();
        let mut delay = self.draws.time(Kind::UnvoteAck);
        if lose_pair {
            // The next vote shall come before the ack.
            delay = self.hasty();
        }
        self.fall_at = now + delay + self.draws.time(Kind::Fall);
        if self.draws.is_forced(Force::FallAtVote) {
            self.fall_at = now + LONG;
        }
        self.owe(now, delay, coalesced);
    }

    fn owe(&mut self, at: Duration, delay: Duration, coalesced: bool) {
        self.owed.push_back(Owed {
            at,
            delay,
            coalesced,
        });
    }

    fn hasty(&self) -> Duration {
        Duration::from_micros(self.draws.profile().lost_pair_window_us.into())
    }

    /// Whether this vote makes a hasty pair with an un-vote that was not acked.
    fn is_hasty(&self, now: Duration, first: Owed, up: bool) -> bool {
        up && self.phase == Phase::On
            && self.owed.len() == 1
            && now.saturating_sub(first.at) < self.hasty()
    }

    /// Whether votes are answered only after Linux' ack of the fall.
    fn must_wait_for_ack(&self) -> bool {
        self.phase == Phase::Falling && !self.draws.profile().answers_while_falling
    }

    /// Frames to Linux without a vote keep the power for a while.
    fn delivered(&mut self, now: Duration) {
        if self.apps.power {
            return;
        }
        let keep = self.draws.time(Kind::FallAfterDownlink);
        self.fall_at = self.fall_at.max(now + keep);
        if let Some(owed) = self.owed.back_mut() {
            owed.coalesced = false;
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
                if self.must_wait_for_ack() {
                    // It looks at the vote only now, as it is now.
                    self.owed.clear();
                    if self.apps.power {
                        let delay = self.draws.time(Kind::VoteAckDark);
                        self.owe(now, delay, false);
                    }
                }
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
        if self.phase == Phase::Dead || self.frozen() {
            return;
        }
        if self.hung.is_some_and(|at| at <= now) {
            return self.assert(Assert::Hang, out);
        }
        if self.hung.is_some() {
            return;
        }
        if self.fatal_at.is_some_and(|at| at <= now) {
            return self.assert(Assert::Fatal, out);
        }
        self.send_acks(now, out);
        if self.phase == Phase::On && self.idle_at().is_some_and(|at| at <= now) {
            self.fall(now, out);
        }
        self.check_ack_timeout(now, out);
        if self.phase == Phase::Off && self.wants_up() && self.rise_at <= now {
            self.rise(now, out);
        }
        self.chance(now, out);
    }

    fn send_acks(&mut self, now: Duration, out: &mut Vec<Action>) {
        while self.ack_due().is_some_and(|due| due <= now) {
            let Some(owed) = self.owed.pop_front() else {
                return;
            };
            let falls = self.phase == Phase::On && !self.apps.power && !self.wake;
            if owed.coalesced && falls {
                self.enter_fall(now);
                out.push(Action::AckAndFall);
                continue;
            }
            out.push(Action::ToggleAck);
            if self.acks == AckMode::Twice {
                out.push(Action::ToggleAck);
            }
            self.rise_at = now + self.draws.time(Kind::AckToPower);
        }
    }

    fn rise(&mut self, now: Duration, out: &mut Vec<Action>) {
        if !self.apps.power {
            out.push(Action::OwnWakeup);
            self.fall_at = now + self.draws.time(Kind::SelfWakeStay);
        }
        self.enter(now, Phase::Rising);
        out.push(Action::SetBam(true));
        out.push(Action::SetPower(true));
    }

    /// What the modem does by chance: it wakes up by itself, it stands still.
    fn chance(&mut self, now: Duration, out: &mut Vec<Action>) {
        if self.phase == Phase::Dead || !self.begun {
            return;
        }
        let mut wakes = false;
        if self.self_wake_at.is_some_and(|at| at <= now) {
            self.self_wake_at = self.draws.when(Kind::SelfWakeEvery, now);
            wakes = true;
        }
        let asleep = self.phase == Phase::Off && !self.wants_up() && self.owed.is_empty();
        if asleep && self.attached && !self.apps.power {
            let forced = self.draws.is_forced(Force::SelfWake);
            if forced {
                self.draws.done(Force::SelfWake);
            }
            if wakes || forced {
                let frames = self.draws.number(Kind::SelfWakeFrames);
                out.push(Action::SelfWake(frames));
            }
        }
        let forced = self.draws.is_forced(Force::Freeze);
        if forced || self.freeze_at.is_some_and(|at| at <= now) {
            self.draws.done(Force::Freeze);
            self.freeze_at = None;
            self.frozen = Some(now + self.draws.time(Kind::Freeze));
            out.push(Action::Frozen);
        }
    }

    /// Goes on after a standstill, with what Linux' bits are by then.
    fn thaw(&mut self, now: Duration, out: &mut Vec<Action>) {
        if self.frozen.is_none_or(|until| now < until) {
            return;
        }
        self.frozen = None;
        self.freeze_at = self.draws.when(Kind::FreezeEvery, now);
        out.push(Action::Thawed);
        if let Some(bits) = self.unseen.take() {
            self.apps_changed(now, bits, out);
        }
    }

    fn assert(&mut self, why: Assert, out: &mut Vec<Action>) {
        self.phase = Phase::Dead;
        out.push(Action::Assert(why));
    }

    fn check_ack_timeout(&mut self, now: Duration, out: &mut Vec<Action>) {
        if let (Phase::Falling, Some(at)) = (self.phase, self.assert_at) {
            if at <= now {
                out.push(Action::AckTimeout);
                self.assert(Assert::Fall, out);
            }
            return;
        }
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
        self.enter_fall(now);
        out.push(Action::SetPower(false));
    }

    fn enter_fall(&mut self, now: Duration) {
        self.enter(now, Phase::Falling);
        self.assert_at = self.draws.when(Kind::FallAssert, now);
    }

    fn enter(&mut self, now: Duration, phase: Phase) {
        self.phase = phase;
        self.since = now;
        self.waited = false;
    }

    fn wants_up(&self) -> bool {
        if self.parked || !(self.answers() || self.wake) {
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
        if self.apps.power || self.wake {
            return None;
        }
        let withheld = matches!(self.acks, AckMode::Withhold { .. });
        match self.draws.profile().fall_rule {
            FallRule::Idle => self.times.idle.map(|idle| self.activity + idle),
            // The ack comes first.
            FallRule::Unvote => (self.owed.is_empty() || withheld).then_some(self.fall_at),
        }
    }

    fn ack_due(&self) -> Option<Duration> {
        let owed = self.owed.front()?;
        if self.must_wait_for_ack() {
            return None;
        }
        match self.acks {
            AckMode::Normal | AckMode::Twice => Some(owed.at + owed.delay),
            AckMode::Delay(by) => Some(owed.at + by),
            AckMode::Withhold { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
