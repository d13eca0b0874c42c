// SPDX-License-Identifier: GPL-2.0
//! Sequences are what their seed and number say, and of all kinds.

use std::collections::BTreeSet;

use super::*;

fn first(seed: u64, count: u64) -> Vec<Sequence> {
    (0..count).map(|n| Sequence::draw(seed, n)).collect()
}

/// The same seed and number give the same steps, whatever was drawn before;
/// others give others.
#[test]
fn replayable() {
    let all = first(7, 100);
    for (number, sequence) in all.iter().enumerate().rev() {
        assert_eq!(*sequence, Sequence::draw(7, number as u64));
    }
    let same = all.iter().zip(first(8, 100)).filter(|(a, b)| *a == b);
    assert!(same.count() < 5);
}

/// Every kind of deed, moment and ending comes within a short run.
#[test]
fn all_kinds_occur() {
    let all = first(1, 2000);
    let steps = || all.iter().flat_map(|s| &s.steps);
    let kinds: BTreeSet<_> = steps().map(|step| step.what.kind()).collect();
    assert_eq!(kinds.len(), 33, "{kinds:?}");
    let moments: BTreeSet<_> = steps()
        .filter_map(|step| match step.when {
            When::At(moment, _) => Some(format!("{moment:?}")),
            When::AfterUs(_) => None,
        })
        .collect();
    assert_eq!(moments.len(), 8, "{moments:?}");
    let normal = all.iter().filter(|s| s.ending == Ending::Normal).count();
    assert!((900..1100).contains(&normal), "{normal} end normally");
    assert!(all.iter().any(|s| s.ending == Ending::Quiet));
}

/// All of them may be played, and few take long.
#[test]
fn bounded() {
    let mut slow = 0;
    for sequence in first(2, 2000) {
        assert_eq!(sequence.check(), Ok(()));
        assert!(!sequence.steps.is_empty());
        let waits = sequence.steps.iter().map(|step| match step.when {
            When::AfterUs(us) | When::At(_, us) => us,
        });
        slow += u32::from(waits.max() > Some(50_000));
    }
    assert!((3..30).contains(&slow), "{slow} slow ones");
}

/// What is written down is what is played: the corpus is in JSON.
#[test]
fn json_and_back() {
    for sequence in first(3, 200) {
        let text = serde_json::to_string(&sequence).unwrap();
        assert_eq!(
            serde_json::from_str::<Sequence>(&text).unwrap(),
            sequence,
            "{text}"
        );
    }
}

/// What is in the corpus can be played.
#[test]
fn corpus() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
    let mut count = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("lines-") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let is_comment = |line: &&str| line.starts_with('#');
        assert!(
            text.lines().next().as_ref().is_some_and(is_comment),
            "{name}: why?"
        );
        let json: String = text.lines().filter(|line| !is_comment(line)).collect();
        let sequence: Sequence = serde_json::from_str(&json).unwrap();
        assert_eq!(sequence.check(), Ok(()), "{name}");
        count += 1;
    }
    assert!(count >= 3);
}

/// A sequence that would never end is refused.
#[test]
fn unfit() {
    let step = |what| Step {
        when: When::AfterUs(0),
        what,
    };
    let sequence = |steps| Sequence {
        steps,
        ending: Ending::Normal,
    };
    let storm = |count, gap_us| step(Deed::Storm { count, gap_us });
    assert_eq!(sequence(vec![storm(5000, 2000)]).check(), Ok(()));
    assert_eq!(sequence(vec![storm(5001, 0)]).check(), Err(Unfit::Storm));
    assert_eq!(
        sequence(vec![storm(5000, u32::MAX)]).check(),
        Err(Unfit::Wait)
    );
    assert_eq!(
        sequence(vec![step(Deed::Dark); 65]).check(),
        Err(Unfit::Long)
    );
}
