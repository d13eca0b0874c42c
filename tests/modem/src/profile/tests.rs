// SPDX-License-Identifier: GPL-2.0
//! Figures are drawn as their profile says, the same for the same seed.

use super::*;
use serde_json::json;

fn numbers(draws: &mut Draws, kind: Kind, count: usize) -> Vec<u32> {
    (0..count).map(|_| draws.number(kind)).collect()
}

/// The same seed gives the same numbers, another one others; other draws do not shift them.
#[test]
fn streams_are_independent() {
    let draws = |seed| Draws::new(Profile::msm8916(), seed);
    let alone = numbers(&mut draws(7), Kind::Fall, 50);
    assert_ne!(alone, numbers(&mut draws(8), Kind::Fall, 50));
    let mut mixed = draws(7);
    let mut fall = Vec::new();
    for _ in 0..50 {
        mixed.coalesces();
        mixed.number(Kind::UnvoteAck);
        fall.push(mixed.number(Kind::Fall));
    }
    assert_eq!(fall, alone);
}

/// A kind's place among the streams is its number.
#[test]
fn kinds_are_numbered() {
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, at, "{kind:?}");
    }
}

/// Figures are set by name; unknown ones and nonsense are refused in words.
#[test]
fn settings() {
    let with = |set: Value| Profile::msm8916().with(set.as_object().unwrap());
    let set = with(json!({"hang_ppm": 1000, "fall_us": [5, 9], "fatal_us": 902_000_000})).unwrap();
    assert_eq!(
        (set.hang_ppm, &set.fall_us),
        (1000, &Spread::Uniform([5, 9]))
    );
    let cases = with(json!({"fall_us": [[1, 2, 3], [0, 5, 6]]})).unwrap();
    assert_eq!(Draws::new(cases, 1).number(Kind::Fall) / 2, 1);
    for (wrong, word) in [
        (json!({"no_such": 1}), "no_such"),
        (json!({"fall_us": [9, 5]}), "Fall"),
        (json!({"fall_us": [[0, 1, 2]]}), "Fall"),
        (json!({"hang_ppm": 1_000_001}), "hang_ppm"),
        (json!({"fall_us": "soon"}), "figure"),
    ] {
        let words = with(wrong).unwrap_err().to_string();
        assert!(words.contains(word), "{words}");
    }
    assert_eq!(
        parse_setting("fall_us=[1,2]").unwrap(),
        ("fall_us".to_owned(), json!([1, 2]))
    );
    assert!(parse_setting("fall_us").is_err() && parse_setting("fall_us=x").is_err());
}

/// The restart's figures lie where they were measured: 2 % of starts are slow.
#[test]
fn starts() {
    let mut draws = Draws::new(Profile::msm8916(), 1);
    let starts = numbers(&mut draws, Kind::StartToPower, 5000);
    let slow = starts.iter().filter(|&&us| us == 6_400_000).count();
    assert!((75..=125).contains(&slow), "{slow} of 5000");
    let quick = |&us: &u32| us == 6_400_000 || (20_000..=560_000).contains(&us);
    assert!(starts.iter().all(quick));
    for (kind, low, high) in [
        (Kind::PowerToOpen, 510_000, 540_000),
        (Kind::OpenSpread, 16_000, 80_000),
        (Kind::CrashIrq, 22_000, 22_000),
        (Kind::SelfWakeFrames, 1, 7),
        (Kind::Freeze, 8_500_000, 13_300_000),
    ] {
        let times = numbers(&mut draws, kind, 1000);
        assert!(times.iter().all(|us| (low..=high).contains(us)), "{kind:?}");
    }
}

/// What is left out of the instant profile never comes.
#[test]
fn instant_has_no_chance() {
    let mut draws = Draws::new(Profile::instant(), 1);
    for kind in [
        Kind::SelfWakeEvery,
        Kind::FreezeEvery,
        Kind::FallAssert,
        Kind::Fatal,
    ] {
        assert_eq!(draws.when(kind, Duration::ZERO), None);
    }
    for _ in 0..1000 {
        assert!(!draws.coalesces() && !draws.loses_pair() && !draws.hangs());
    }
}
