// SPDX-License-Identifier: GPL-2.0
//! Sequences that were measured on phones, to be played again with their time stamps.
//!
//! A [`Replay`] is the calm profile with the figures of that sequence, what is forced to happen, and
//! the steps that follow from both: those of the modem are what the figures say, those of Linux are
//! waited for. Section 9 of the record of measurements has the sequences, with these numbers.

use std::time::Duration;

use serde::{
    Deserialize,
    Serialize, //
};
use serde_json::{
    json,
    Map,
    Value, //
};

use crate::profile::{
    Error,
    Force,
    Profile, //
};

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Linux.
    Linux,
    /// The modem.
    Modem,
}

/// Something that happens, by the name of its event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Who does it.
    pub who: Who,
    /// The event.
    pub what: String,
    /// The least and the most us after the step before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_us: Option<[u64; 2]>,
    /// Linux need not do it, and then it need not happen.
    #[serde(default)]
    pub may: bool,
}

/// A sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Its number, 1 to 12.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// It begins with a crash.
    #[serde(default)]
    pub crash: bool,
    /// Figures of the profile.
    pub figures: Map<String, Value>,
    /// What is forced to happen once.
    pub force: Vec<Force>,
    /// What happens, in this order; other things may happen between.
    pub steps: Vec<Step>,
}

/// The files.
const FILES: [&str; 12] = [
    include_str!("../corpus/replay-01-cycle.json"),
    include_str!("../corpus/replay-02-coalesced.json"),
    include_str!("../corpus/replay-03-lost-pair.json"),
    include_str!("../corpus/replay-04-self-wake.json"),
    include_str!("../corpus/replay-05-self-wake-vote.json"),
    include_str!("../corpus/replay-06-vote-against-owed-ack.json"),
    include_str!("../corpus/replay-07-a2-power.json"),
    include_str!("../corpus/replay-08-a2-task.json"),
    include_str!("../corpus/replay-09-ssr-line-low.json"),
    include_str!("../corpus/replay-10-ssr-line-high.json"),
    include_str!("../corpus/replay-11-slow-boot.json"),
    include_str!("../corpus/replay-12-freeze.json"),
];

impl Replay {
    /// The sequence of this number.
    ///
    /// # Errors
    /// There is none, or its file makes no sense.
    pub fn find(number: u32) -> Result<Self, String> {
        let index = number.checked_sub(1).and_then(|n| usize::try_from(n).ok());
        let file = index.and_then(|at| FILES.get(at));
        let file = file.ok_or_else(|| format!("there is no replay {number}: there are 1 to 12"))?;
        let json: String = file.lines().filter(|line| !line.starts_with('#')).collect();
        serde_json::from_str(&json).map_err(|error| format!("replay {number}: {error}"))
    }

    /// The profile that it is played with: nothing but its own figures, and nothing by chance.
    ///
    /// # Errors
    /// A figure makes no sense.
    pub fn profile(&self) -> Result<Profile, Error> {
        let mut set = Map::new();
        set.insert("self_wake_every_us".to_owned(), Value::Null);
        set.insert("freeze_every_us".to_owned(), Value::Null);
        set.insert("coalesced_fall_ppm".to_owned(), json!(0));
        set.insert("lost_pair_ppm".to_owned(), json!(0));
        set.extend(self.figures.clone());
        Profile::msm8916().with(&set)
    }
}

/// An event, in microseconds since the first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When.
    pub us: i64,
    /// What.
    pub what: String,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The step.
    #[serde(flatten)]
    pub step: Step,
    /// When it came, in microseconds since the first step; `None`: not yet.
    pub us: Option<i64>,
    /// Whether that is when it should have come. The worker is late on a busy machine.
    pub in_time: bool,
}

/// How a replay goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Whether all steps have come that have to.
    pub complete: bool,
    /// What became of its steps.
    pub steps: Vec<Outcome>,
    /// All events.
    pub log: Vec<Entry>,
}

/// Finds the steps of a sequence among the events since it began.
#[must_use]
pub fn judge(replay: &Replay, events: &[(Duration, String)]) -> Report {
    let mut at = 0;
    let mut start = None;
    let mut before = Duration::ZERO;
    let mut complete = true;
    let mut steps = Vec::new();
    for (index, step) in replay.steps.iter().enumerate() {
        let rest = events.get(at..).unwrap_or_default();
        let found = rest.iter().position(|(_, name)| *name == step.what);
        let found = found.filter(|&skip| complete && !passes_next(replay, index, rest, skip));
        let mut outcome = Outcome {
            step: step.clone(),
            us: None,
            in_time: false,
        };
        if let Some((time, _)) = found.and_then(|skip| rest.get(skip)) {
            at += found.unwrap_or(0) + 1;
            let begun = *start.get_or_insert(*time);
            let gap = us(*time) - us(before);
            outcome.us = Some(us(*time) - us(begun));
            let [low, high] = step.after_us.unwrap_or([0, u64::MAX]);
            outcome.in_time = u64::try_from(gap).is_ok_and(|gap| (low..=high).contains(&gap));
            before = *time;
        } else if !step.may {
            complete = false;
        }
        steps.push(outcome);
    }
    let begun = start.map_or(0, us);
    Report {
        number: replay.number,
        name: replay.name.clone(),
        complete,
        steps,
        log: events
            .iter()
            .map(|(time, what)| Entry {
                us: us(*time) - begun,
                what: what.clone(),
            })
            .collect(),
    }
}

/// Whether a step that need not come would be found only beyond the next one that has to.
fn passes_next(replay: &Replay, index: usize, rest: &[(Duration, String)], skip: usize) -> bool {
    let (Some(step), Some(next)) = (
        replay.steps.get(index),
        replay.steps.iter().skip(index + 1).find(|next| !next.may),
    ) else {
        return false;
    };
    let next = rest.iter().position(|(_, name)| *name == next.what);
    step.may && next.is_some_and(|at| at < skip)
}

fn us(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All files can be read, have their number, and figures that make sense.
    #[test]
    fn files() {
        for number in 1..=12 {
            let replay = Replay::find(number).unwrap();
            assert_eq!(replay.number, number);
            assert!(!replay.steps.is_empty());
            replay.profile().unwrap();
        }
        assert!(Replay::find(0).is_err() && Replay::find(13).is_err());
    }

    fn events(list: &[(u64, &str)]) -> Vec<(Duration, String)> {
        let event = |&(us, what): &(u64, &str)| (Duration::from_micros(us), what.to_owned());
        list.iter().map(event).collect()
    }

    /// Steps are found in order, others between them do not matter, and times are compared.
    #[test]
    fn judged() {
        let replay = Replay::find(2).unwrap();
        let all = [
            (5, "open:0"),
            (10, "vote-down"),
            (302, "ack"),
            (302, "pc-down"),
            (900, "linux-ack"),
        ];
        let report = judge(&replay, &events(&all));
        assert!(report.complete && report.steps.iter().all(|step| step.in_time));
        let times: Vec<_> = report.steps.iter().map(|step| step.us).collect();
        assert_eq!(times, [Some(0), Some(292), Some(292), Some(890)]);
        assert_eq!(report.log[0].us, -5);
        let report = judge(&replay, &events(&all[..4]));
        assert!(!report.complete && report.steps[3].us.is_none());
        let late = [(10, "vote-down"), (303, "ack")];
        assert!(!judge(&replay, &events(&late)).steps[1].in_time);
    }

    /// A step that need not come is not looked for beyond the next one that has to.
    #[test]
    fn steps_that_may_come() {
        let replay = Replay::find(7).unwrap();
        let steps = |list| judge(&replay, &events(list)).steps;
        let crash = [(0, "vote-down"), (0, "hang"), (9, "crash"), (20, "vote-up")];
        let found = steps(&crash);
        assert_eq!((found[2].us, found[3].us), (None, Some(9)));
    }
}
