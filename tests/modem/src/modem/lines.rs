// SPDX-License-Identifier: GPL-2.0
//! Plays hostile sequences on the lines, one after the other.
//!
//! Whoever runs the modem moves the player on, too: the worker when a step is
//! due, and a register access of Linux that is the moment for one. After each
//! sequence the modem is normal again and waits for traffic of Linux, though
//! not for long: the next one may find Linux still busy with this one.

mod deeds;
mod terms;

use std::collections::BTreeMap;
use std::time::Duration;

use super::Modem;
use crate::hostile::lines::{
    Deed,
    Moment,
    Sequence,
    When, //
};
use crate::power::Phase;
pub use terms::{
    LinesPlan,
    LinesReport, //
};

/// Frames of Linux that show that the link works again.
const FRAMES: u64 = 2;
/// Of so many sequences one is followed by a rest.
const REST_EVERY: u64 = 4;
/// How long firmware takes from an assert until it is back. In truth seconds.
pub(super) const BOOT: Duration = Duration::from_millis(300);
/// Most things done at once: the guest's register accesses wait for the lock.
const AT_ONCE: u32 = 5000;

/// What Linux has done since the last step.
#[derive(Debug, Default)]
pub(super) struct Seen {
    moments: Vec<Moment>,
    /// Linux has not acked the power line in time.
    pub(super) unacked: bool,
}

impl Seen {
    /// Takes note of something that a step may wait for.
    pub(super) fn see(&mut self, moment: Moment) {
        if !self.moments.contains(&moment) {
            self.moments.push(moment);
        }
    }
}

#[derive(Debug)]
enum Source {
    Seed(u64),
    Fixed(Sequence),
}

/// Where a sequence stands.
#[derive(Debug)]
struct Playing {
    sequence: Sequence,
    index: usize,
    /// Interrupts of a storm that are still to come, and their distance.
    storm: Option<(u32, Duration)>,
    /// The power line was moved, or the BAM's power, behind the handshake.
    tampered: bool,
    /// Frames of Linux at the end of the sequence.
    ended: Option<u64>,
    /// When the last step was done, or the sequence ended.
    since: Duration,
}

/// The player.
#[derive(Debug, Default)]
pub(super) struct Lines {
    source: Option<Source>,
    end: u64,
    plan: LinesPlan,
    playing: Option<Playing>,
    report: LinesReport,
    /// Firmware that Linux starts comes up by itself, also after the last
    /// sequence: a crash that Linux was told of is dealt with at its leisure.
    pub(super) boots: bool,
    /// Stands in for the player while a step is being done.
    busy: bool,
}

fn ms(count: u32) -> Duration {
    Duration::from_millis(count.into())
}

fn us(count: u32) -> Duration {
    Duration::from_micros(count.into())
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    *counts.entry(name.to_owned()).or_default() += 1;
}

impl Modem {
    /// Plays `count` sequences of a seed from number `from` on; 0 ends what is
    /// being played.
    pub fn hostile_lines(&mut self, seed: u64, from: u64, count: u64, plan: LinesPlan) {
        self.play(Source::Seed(seed), from, count, plan);
    }

    /// Plays one sequence so many times. It should have been checked.
    pub fn play_sequence(&mut self, sequence: Sequence, repeat: u64, plan: LinesPlan) {
        self.play(Source::Fixed(sequence), 0, repeat, plan);
    }

    fn play(&mut self, source: Source, from: u64, count: u64, plan: LinesPlan) {
        self.lines = Lines {
            source: Some(source),
            end: from.saturating_add(count),
            plan,
            playing: None,
            boots: true,
            busy: false,
            report: LinesReport {
                running: true,
                number: from,
                ..LinesReport::default()
            },
        };
        self.play_lines();
    }

    /// What has been played since the last start.
    #[must_use]
    pub fn lines_report(&self) -> LinesReport {
        self.lines.report.clone()
    }

    /// Does what is due.
    pub(super) fn play_lines(&mut self) {
        if !self.lines.report.running {
            return;
        }
        // What a step does may lead back here.
        let mut lines = std::mem::take(&mut self.lines);
        self.lines.busy = true;
        for _ in 0..AT_ONCE {
            if !lines.advance(self) {
                break;
            }
        }
        self.lines = lines;
    }
}

impl Lines {
    /// Whether sequences are being played, which may do anything to the lines.
    pub(super) fn is_playing(&self) -> bool {
        self.report.running || self.busy
    }

    /// Plays nothing any more, and leaves the modem as it is.
    pub(super) fn stop(&mut self) {
        self.playing = None;
        self.report.running = false;
    }

    /// When there is something to do even if Linux does nothing.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let playing = self.playing.as_ref()?;
        if let Some((_, gap)) = playing.storm {
            return Some(playing.since + gap);
        }
        if playing.ended.is_some() {
            return (!self.is_last()).then(|| playing.since + self.patience());
        }
        let (When::AfterUs(wait) | When::At(_, wait)) =
            playing.sequence.steps.get(playing.index)?.when;
        Some(playing.since + us(wait))
    }

    /// How long to wait for traffic before the next sequence.
    fn patience(&self) -> Duration {
        let rest = self.report.number % REST_EVERY == REST_EVERY - 1;
        ms(if rest {
            self.plan.rest_ms
        } else {
            self.plan.settle_ms
        })
    }

    fn is_last(&self) -> bool {
        self.report.number.saturating_add(1) >= self.end
    }

    /// Does one thing if it is due. True if there may be more to do.
    fn advance(&mut self, modem: &mut Modem) -> bool {
        self.assert_ack(modem);
        let Some(mut playing) = self.playing.take() else {
            return self.begin(modem);
        };
        let more = if playing.storm.is_some() {
            playing.blow(modem)
        } else if let Some(frames) = playing.ended {
            if self.has_settled(frames, playing.since, modem) {
                return true;
            }
            false
        } else {
            self.go_on(&mut playing, modem)
        };
        self.playing = Some(playing);
        more
    }

    /// Firmware of phones asserts when Linux does not follow its power line,
    /// and starts anew.
    fn assert_ack(&mut self, modem: &mut Modem) {
        let unacked = std::mem::take(&mut modem.seen.unacked);
        if unacked && self.plan.asserts && modem.power.phase() == Phase::Rising {
            self.report.asserted += 1;
            modem.restart(false, Some(BOOT));
            self.quicken(modem);
        }
    }

    /// Times as the plan wants them; a restart sets them back.
    fn quicken(&self, modem: &mut Modem) {
        modem.set_idle(Some(ms(self.plan.idle_ms)));
        modem.power.times.ack = ms(self.plan.ack_ms);
    }

    fn begin(&mut self, modem: &mut Modem) -> bool {
        let sequence = match &self.source {
            _ if self.report.number >= self.end => None,
            Some(Source::Seed(seed)) => Some(Sequence::draw(*seed, self.report.number)),
            Some(Source::Fixed(sequence)) => Some(sequence.clone()),
            None => None,
        };
        let Some(sequence) = sequence else {
            self.report.running = false;
            modem.power.times.ack = modem.options.times.ack;
            modem.events.push("lines-done");
            return false;
        };
        tracing::debug!(number = self.report.number, ?sequence);
        self.quicken(modem);
        modem.seen.moments.clear();
        self.playing = Some(Playing {
            sequence,
            index: 0,
            storm: None,
            tampered: false,
            ended: None,
            since: modem.now,
        });
        true
    }

    fn go_on(&mut self, playing: &mut Playing, modem: &mut Modem) -> bool {
        let Some(&step) = playing.sequence.steps.get(playing.index) else {
            let ending = playing.sequence.ending;
            count(&mut self.report.ended, ending.kind());
            modem.end_sequence(ending, playing.tampered);
            self.quicken(modem);
            playing.ended = Some(modem.counters.uplink_frames);
            playing.since = modem.now;
            return true;
        };
        if !playing.is_due(step.when, modem) {
            return false;
        }
        count(&mut self.report.deeds, step.what.kind());
        playing.index += 1;
        playing.since = modem.now;
        modem.seen.moments.clear();
        if let Deed::Storm { count, gap_us } = step.what {
            playing.storm = Some((count, us(gap_us)));
        } else {
            playing.tampered |= modem.commit(step.what);
        }
        true
    }

    /// Whether the next sequence may begin: there is traffic again, or it has
    /// had its time. After the last one there has to be traffic.
    fn has_settled(&mut self, frames: u64, since: Duration, modem: &mut Modem) -> bool {
        // A modem that waits for the ack of its power-up sends nothing itself: it is not well yet.
        let settled =
            modem.counters.uplink_frames >= frames + FRAMES && modem.power.phase() != Phase::Rising;
        let last = self.is_last();
        let over = !last && modem.now >= since + self.patience();
        if !settled && !over {
            return false;
        }
        if settled && modem.power.phase() == Phase::On {
            // Linux has acked what it was going to ack before it sent frames.
            modem.acks_due = 0;
        }
        self.report.recovered += u64::from(settled);
        if last {
            let waited = modem.now.saturating_sub(since).as_millis();
            self.report.recovery_ms = u64::try_from(waited).unwrap_or(u64::MAX);
        }
        self.report.number += 1;
        true
    }
}

impl Playing {
    /// Sends the interrupts of a storm that are due. True if it is over.
    fn blow(&mut self, modem: &mut Modem) -> bool {
        let Some((left, gap)) = self.storm else {
            return true;
        };
        if left == 0 {
            self.storm = None;
            self.since = modem.now;
            return true;
        }
        if modem.now < self.since + gap {
            return false;
        }
        self.since = modem.now;
        self.storm = Some((left - 1, gap));
        modem.smsm_interrupt();
        true
    }

    fn is_due(&self, when: When, modem: &Modem) -> bool {
        let (When::AfterUs(wait) | When::At(_, wait)) = when;
        if modem.now >= self.since + us(wait) {
            return true;
        }
        let When::At(moment, _) = when else {
            return false;
        };
        match moment {
            Moment::Rising => modem.power.phase() == Phase::Rising,
            Moment::On => modem.power.phase() == Phase::On,
            Moment::Falling => modem.power.phase() == Phase::Falling,
            Moment::Off => modem.power.phase() == Phase::Off,
            _ => modem.seen.moments.contains(&moment),
        }
    }
}
