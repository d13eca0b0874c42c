// SPDX-License-Identifier: GPL-2.0
//! How a modem behaves in time: figures of real firmware, as plain data.
//!
//! A [`Profile`] has each figure once, by name. [`Profile::msm8916`] is what was measured on phones;
//! [`Profile::instant`] does each step at once and nothing by chance. Times are in microseconds,
//! chances in parts per million (ppm). [`Draws`] takes numbers for them from one seed. Each kind of
//! draw has numbers of its own, so that one more draw of one kind does not shift the others.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::ValueEnum;
use serde::{
    Deserialize,
    Serialize, //
};
use serde_json::{
    Map,
    Value, //
};

use crate::hostile::{
    Purpose,
    Random, //
};

/// A chance that is no chance: it always happens.
pub const CERTAIN_PPM: u32 = 1_000_000;

/// A figure that is drawn: one number, evenly from a range (both ends included), or by cases, each
/// with a weight and a range. In JSON `5`, `[1, 9]` or `[[98, 20, 560], [2, 6400, 6400]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Spread {
    /// Always this.
    Fixed(u32),
    /// Evenly from the first to the second.
    Uniform([u32; 2]),
    /// Weight, least and most.
    Cases(Vec<[u32; 3]>),
}

impl Spread {
    fn draw(&self, numbers: &mut Random) -> u32 {
        match self {
            Self::Fixed(value) => *value,
            Self::Uniform([low, high]) => numbers.between(*low, *high),
            Self::Cases(cases) => {
                let weights: Vec<_> = cases.iter().map(|&[weight, ..]| weight).collect();
                let case = numbers.weighted(&weights).and_then(|at| cases.get(at));
                case.map_or(0, |&[_, low, high]| numbers.between(low, high))
            }
        }
    }

    fn makes_sense(&self) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Uniform([low, high]) => low <= high,
            Self::Cases(cases) => {
                cases.iter().all(|[_, low, high]| low <= high)
                    && cases.iter().any(|&[weight, ..]| weight > 0)
            }
        }
    }
}

/// What a power-down is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FallRule {
    /// The last transfer, vote or ack: the idle time of the command line or of the command `idle`.
    Idle,
    /// The un-vote, or the last frame to Linux after it: the figures of the profile.
    Unvote,
}

/// The profiles by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// Firmware of MSM8916 phones and sticks, as measured.
    Msm8916,
    /// Each step at once, nothing by chance.
    Instant,
}

/// All figures. Section numbers are those of the record of measurements that they come from: 1 and 3
/// latencies and asserts, 2 order, 5 restarts, 8 the table of this profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a property of firmware of its own"
)]
pub struct Profile {
    /// Where the figures come from.
    pub name: Name,
    /// us from a vote to its ack without power.
    pub vote_ack_dark_us: Spread,
    /// us from a vote to its ack with power.
    pub vote_ack_powered_us: Spread,
    /// us from the ack of a vote to the rise of the power line.
    pub ack_to_power_us: Spread,
    /// us from an un-vote to its ack.
    pub unvote_ack_us: Spread,
    /// What a fall is counted from.
    pub fall_rule: FallRule,
    /// Chance that the line falls in the same write as the ack of the un-vote.
    pub coalesced_fall_ppm: u32,
    /// us from the un-vote's ack to the fall, for the others.
    pub fall_us: Spread,
    /// us from a frame to Linux without a vote to the fall, at least.
    pub fall_after_downlink_us: Spread,
    /// Chance that neither change of a hasty pair (un-vote, and vote before the ack) is acked.
    pub lost_pair_ppm: u32,
    /// A pair is hasty if no more us lie between its changes.
    pub lost_pair_window_us: u32,
    /// Whether votes are acked while Linux owes the ack of a fall.
    pub answers_while_falling: bool,
    /// us from a fall that Linux does not ack to the firmware's assert; `null`: the modem goes on
    /// without the ack after the time of `--ack-timeout`.
    pub fall_assert_us: Option<Spread>,
    /// Chance that the modem hangs at an un-vote: no ack, the line stays high, then a crash.
    pub hang_ppm: u32,
    /// us from such an un-vote to the crash.
    pub hang_crash_us: Spread,
    /// us between two wake-ups that the modem begins by itself; those that find it awake do not count.
    /// `null`: none.
    pub self_wake_every_us: Option<Spread>,
    /// Frames to Linux of such a wake-up.
    pub self_wake_frames: Spread,
    /// us that the modem keeps power that Linux has not asked for.
    pub self_wake_stay_us: Spread,
    /// us between two times that the whole modem stands still; `null`: never.
    pub freeze_every_us: Option<Spread>,
    /// us that it then stands still.
    pub freeze_us: Spread,
    /// us from a crash to its interrupt.
    pub crash_irq_us: Spread,
    /// us from the start of the firmware to its power.
    pub start_to_power_us: Spread,
    /// us from that power to the first OPEN.
    pub power_to_open_us: Spread,
    /// us from the first OPEN to the last, if there are eight; fewer take proportionally less.
    pub open_spread_us: Spread,
    /// Whether votes before the firmware's own first power are acked and powered. If not, they stand
    /// without an ack, and the power comes by itself.
    pub answers_before_start: bool,
    /// Whether firmware that Linux' remoteproc starts boots by itself, with `--boot manual` too.
    pub boots_when_started: bool,
    /// Whether channels are announced again to a driver that was bound anew.
    pub announces_again: bool,
    /// us from the first power to a crash; `null`: none.
    pub fatal_us: Option<Spread>,
    /// Whether bit 12 of the modem's word changes with the power line.
    pub bit12: bool,
    /// Whether the QMI side forgets its clients when Linux closes the port.
    pub forgets_clients: bool,
}

/// Why figures are refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such field, or a value of the wrong kind.
    #[error("a figure of the profile: {0}")]
    Figure(#[from] serde_json::Error),
    /// The value is of the right kind, but makes no sense.
    #[error("figure {0}: a range goes from low to high, cases need a weight above 0, ppm are at most 1000000")]
    Nonsense(String),
    /// Text that sets nothing.
    #[error("\"{0}\" is not FIELD=VALUE, with a value in JSON")]
    NoSetting(String),
}

/// Takes `FIELD=VALUE` apart; the value is JSON.
///
/// # Errors
/// There is no `=`, or no JSON after it.
pub fn parse_setting(text: &str) -> Result<(String, Value), Error> {
    let wrong = || Error::NoSetting(text.to_owned());
    let (field, value) = text.split_once('=').ok_or_else(wrong)?;
    let value = serde_json::from_str(value).map_err(|_| wrong())?;
    Ok((field.to_owned(), value))
}

impl Profile {
    /// The profile of this name.
    #[must_use]
    pub fn named(name: Name) -> Self {
        match name {
            Name::Msm8916 => Self::msm8916(),
            Name::Instant => Self::instant(),
        }
    }

    /// Firmware of MSM8916, as measured: section 8.
    #[must_use]
    pub fn msm8916() -> Self {
        Self {
            name: Name::Msm8916,
            vote_ack_dark_us: Spread::Cases(vec![[99, 1700, 2300], [1, 3000, 6400]]),
            vote_ack_powered_us: Spread::Uniform([40, 700]),
            ack_to_power_us: Spread::Uniform([100, 1000]),
            // Half of them up to 200 us, as measured.
            unvote_ack_us: Spread::Cases(vec![[50, 80, 200], [50, 200, 1000]]),
            fall_rule: FallRule::Unvote,
            coalesced_fall_ppm: 220_000,
            // Of 100 collapses 22 come with the ack, 22 within 80 ms, 56 evenly up to 1 s.
            fall_us: Spread::Cases(vec![[22, 0, 80_000], [56, 100_000, 1_000_000]]),
            fall_after_downlink_us: Spread::Uniform([1_100_000, 1_900_000]),
            lost_pair_ppm: 90_000,
            lost_pair_window_us: 500_000,
            answers_while_falling: false,
            fall_assert_us: Some(Spread::Cases(vec![
                [3, 15_000_000, 15_000_000],
                [1, 15_000_000, 25_700_000],
            ])),
            hang_ppm: 0,
            hang_crash_us: Spread::Fixed(1_030_000),
            // Two a minute.
            self_wake_every_us: Some(Spread::Uniform([0, 60_000_000])),
            self_wake_frames: Spread::Uniform([1, 7]),
            self_wake_stay_us: Spread::Uniform([2_000_000, 3_000_000]),
            // One in 480 s.
            freeze_every_us: Some(Spread::Uniform([0, 960_000_000])),
            freeze_us: Spread::Uniform([8_500_000, 13_300_000]),
            crash_irq_us: Spread::Fixed(22_000),
            start_to_power_us: Spread::Cases(vec![
                [98, 20_000, 560_000],
                [2, 6_400_000, 6_400_000],
            ]),
            power_to_open_us: Spread::Uniform([510_000, 540_000]),
            open_spread_us: Spread::Uniform([16_000, 80_000]),
            answers_before_start: false,
            boots_when_started: true,
            announces_again: false,
            fatal_us: None,
            bit12: true,
            forgets_clients: true,
        }
    }

    /// Each step at once, nothing by chance, patient with a Linux that does not ack.
    #[must_use]
    pub fn instant() -> Self {
        Self {
            name: Name::Instant,
            vote_ack_dark_us: Spread::Fixed(0),
            vote_ack_powered_us: Spread::Fixed(0),
            ack_to_power_us: Spread::Fixed(0),
            unvote_ack_us: Spread::Fixed(0),
            fall_rule: FallRule::Idle,
            coalesced_fall_ppm: 0,
            fall_us: Spread::Fixed(0),
            fall_after_downlink_us: Spread::Fixed(0),
            lost_pair_ppm: 0,
            lost_pair_window_us: 500_000,
            answers_while_falling: true,
            fall_assert_us: None,
            hang_ppm: 0,
            hang_crash_us: Spread::Fixed(1_030_000),
            self_wake_every_us: None,
            self_wake_frames: Spread::Fixed(1),
            self_wake_stay_us: Spread::Fixed(0),
            freeze_every_us: None,
            freeze_us: Spread::Uniform([8_500_000, 13_300_000]),
            crash_irq_us: Spread::Fixed(0),
            start_to_power_us: Spread::Fixed(0),
            power_to_open_us: Spread::Fixed(0),
            open_spread_us: Spread::Fixed(0),
            answers_before_start: true,
            boots_when_started: false,
            announces_again: true,
            fatal_us: None,
            bit12: false,
            forgets_clients: false,
        }
    }

    /// The same with some figures set.
    ///
    /// # Errors
    /// There is no such figure, or it cannot have that value.
    pub fn with(&self, settings: &Map<String, Value>) -> Result<Self, Error> {
        let mut value = serde_json::to_value(self)?;
        if let Some(map) = value.as_object_mut() {
            map.extend(settings.clone());
        }
        let profile: Self = serde_json::from_value(value)?;
        profile.check()?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |what: &str| Err(Error::Nonsense(what.to_owned()));
        for (name, ppm) in [
            ("coalesced_fall_ppm", self.coalesced_fall_ppm),
            ("lost_pair_ppm", self.lost_pair_ppm),
            ("hang_ppm", self.hang_ppm),
        ] {
            if ppm > CERTAIN_PPM {
                return wrong(name);
            }
        }
        let kind = Kind::ALL.into_iter().find(|&kind| {
            let spread = self.spread(kind);
            spread.is_some_and(|spread| !spread.makes_sense())
        });
        kind.map_or(Ok(()), |kind| wrong(&format!("{kind:?}")))
    }

    fn spread(&self, kind: Kind) -> Option<&Spread> {
        Some(match kind {
            Kind::VoteAckDark => &self.vote_ack_dark_us,
            Kind::VoteAckPowered => &self.vote_ack_powered_us,
            Kind::AckToPower => &self.ack_to_power_us,
            Kind::UnvoteAck => &self.unvote_ack_us,
            Kind::Fall => &self.fall_us,
            Kind::FallAfterDownlink => &self.fall_after_downlink_us,
            Kind::FallAssert => self.fall_assert_us.as_ref()?,
            Kind::HangCrash => &self.hang_crash_us,
            Kind::SelfWakeEvery => self.self_wake_every_us.as_ref()?,
            Kind::SelfWakeFrames => &self.self_wake_frames,
            Kind::SelfWakeStay => &self.self_wake_stay_us,
            Kind::FreezeEvery => self.freeze_every_us.as_ref()?,
            Kind::Freeze => &self.freeze_us,
            Kind::CrashIrq => &self.crash_irq_us,
            Kind::StartToPower => &self.start_to_power_us,
            Kind::PowerToOpen => &self.power_to_open_us,
            Kind::OpenSpread => &self.open_spread_us,
            Kind::Fatal => self.fatal_us.as_ref()?,
            Kind::CoalescedFall | Kind::LostPair | Kind::Hang => return None,
        })
    }
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the profile's figure of that name")]
pub enum Kind {
    VoteAckDark,
    VoteAckPowered,
    AckToPower,
    UnvoteAck,
    CoalescedFall,
    Fall,
    FallAfterDownlink,
    LostPair,
    FallAssert,
    Hang,
    HangCrash,
    SelfWakeEvery,
    SelfWakeFrames,
    SelfWakeStay,
    FreezeEvery,
    Freeze,
    CrashIrq,
    StartToPower,
    PowerToOpen,
    OpenSpread,
    Fatal,
}

impl Kind {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 21] = [
        Self::VoteAckDark,
        Self::VoteAckPowered,
        Self::AckToPower,
        Self::UnvoteAck,
        Self::CoalescedFall,
        Self::Fall,
        Self::FallAfterDownlink,
        Self::LostPair,
        Self::FallAssert,
        Self::Hang,
        Self::HangCrash,
        Self::SelfWakeEvery,
        Self::SelfWakeFrames,
        Self::SelfWakeStay,
        Self::FreezeEvery,
        Self::Freeze,
        Self::CrashIrq,
        Self::StartToPower,
        Self::PowerToOpen,
        Self::OpenSpread,
        Self::Fatal,
    ];
}

/// What can be made to happen at its next opportunity.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize, //
)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    /// At the next un-vote with nothing left to deliver, the line falls with the ack.
    CoalescedFall,
    /// The next un-vote is not acked for the time of a hasty pair; a vote meanwhile is lost with it.
    LostPair,
    /// After the next un-vote the line stays until Linux votes again, and falls in that moment: the
    /// vote finds Linux owing an ack.
    FallAtVote,
    /// The modem hangs at the next un-vote.
    Hang,
    /// The whole modem stands still, at once.
    Freeze,
    /// The modem wakes up by itself as soon as it is without power and Linux has a channel open.
    SelfWake,
}

/// Numbers for a profile's figures, from one seed.
#[derive(Debug)]
pub struct Draws {
    profile: Profile,
    seed: u32,
    streams: Vec<Random>,
    forced: BTreeMap<Force, u32>,
    drawn: Vec<(Kind, u32)>,
}

impl Draws {
    /// The numbers of this seed, from the first on.
    #[must_use]
    pub fn new(profile: Profile, seed: u32) -> Self {
        let stream = |kind: Kind| Random::new(seed.into(), Purpose::Power, kind as u64);
        Self {
            profile,
            seed,
            streams: Kind::ALL.into_iter().map(stream).collect(),
            forced: BTreeMap::new(),
            drawn: Vec::new(),
        }
    }

    /// What has been drawn since the last call, for the trace.
    pub fn take_drawn(&mut self) -> Vec<(Kind, u32)> {
        std::mem::take(&mut self.drawn)
    }

    /// The figures.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u32 {
        self.seed
    }

    /// What is still to be made to happen, and how often.
    #[must_use]
    pub fn forced(&self) -> &BTreeMap<Force, u32> {
        &self.forced
    }

    /// Other figures; the numbers go on.
    pub fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
    }

    /// Falls are counted from the last transfer from now on.
    pub fn fall_when_idle(&mut self) {
        self.profile.fall_rule = FallRule::Idle;
    }

    /// Makes something happen at its next `count` opportunities; 0: no longer.
    pub fn force(&mut self, what: Force, count: u32) {
        if count == 0 {
            self.forced.remove(&what);
        } else {
            self.forced.insert(what, count);
        }
    }

    /// Whether something is to be made to happen.
    #[must_use]
    pub fn is_forced(&self, what: Force) -> bool {
        self.forced.contains_key(&what)
    }

    /// It has happened: once less.
    pub fn done(&mut self, what: Force) {
        if let Some(left) = self.forced.get(&what) {
            self.force(what, left - 1);
        }
    }

    /// A number for this figure, 0 if it has none.
    pub fn number(&mut self, kind: Kind) -> u32 {
        let spread = self.profile.spread(kind);
        match (spread, self.streams.get_mut(kind as usize)) {
            (Some(spread), Some(numbers)) => {
                let number = spread.draw(numbers);
                self.drawn.push((kind, number));
                number
            }
            _ => 0,
        }
    }

    /// A time for this figure.
    pub fn time(&mut self, kind: Kind) -> Duration {
        Duration::from_micros(self.number(kind).into())
    }

    /// The time at which this comes, counted from `now`; `None` if it never does.
    pub fn when(&mut self, kind: Kind, now: Duration) -> Option<Duration> {
        self.profile.spread(kind)?;
        Some(now + self.time(kind))
    }

    /// Whether it happens, by the chance `ppm` or because it is forced.
    fn happens(&mut self, kind: Kind, ppm: u32, what: Force) -> bool {
        let chance = self
            .streams
            .get_mut(kind as usize)
            .is_some_and(|numbers| numbers.below(CERTAIN_PPM) < ppm);
        let forced = self.is_forced(what);
        if forced {
            self.done(what);
        }
        chance || forced
    }

    /// Whether this fall comes with the ack of the un-vote.
    pub fn coalesces(&mut self) -> bool {
        let ppm = self.profile.coalesced_fall_ppm;
        self.happens(Kind::CoalescedFall, ppm, Force::CoalescedFall)
    }

    /// Whether this hasty pair is lost.
    pub fn loses_pair(&mut self) -> bool {
        let ppm = self.profile.lost_pair_ppm;
        self.happens(Kind::LostPair, ppm, Force::LostPair)
    }

    /// Whether the modem hangs at this un-vote.
    pub fn hangs(&mut self) -> bool {
        let ppm = self.profile.hang_ppm;
        self.happens(Kind::Hang, ppm, Force::Hang)
    }
}

#[cfg(test)]
mod tests;
