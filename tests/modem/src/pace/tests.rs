// SPDX-License-Identifier: GPL-2.0
//! Rates, latencies and bursts against a simulated clock.

use proptest::prelude::*;

use super::*;

fn us(us: u64) -> Duration {
    Duration::from_micros(us)
}

fn paced(mbit: u32, latency_us: u64, buffer: usize) -> Pace {
    Pace {
        uplink: Lane {
            rate: Rate::mbit(mbit),
            latency: us(latency_us),
        },
        uplink_buffer: buffer,
        ..Pace::instant()
    }
}

/// The clock of a saturated uplink: packets arrive as (time, number).
fn run(pace: &Pace, packet: usize, count: u32) -> Vec<(Duration, u32)> {
    let (mut uplink, mut now) = (Uplink::default(), us(1));
    let (mut sent, mut arrived) = (0, Vec::new());
    while arrived.len() < count as usize {
        while sent < count && uplink.has_room(pace) {
            let mut bytes = vec![0; packet];
            bytes[..4].copy_from_slice(&u32::to_le_bytes(sent));
            uplink.push(0, &bytes);
            sent += 1;
        }
        while let Some((_, bytes)) = uplink.take_due(pace, now) {
            let number = u32::from_le_bytes(*bytes.first_chunk().unwrap());
            arrived.push((now, number));
        }
        if let Some(next) = uplink.deadline(pace, now) {
            assert!(next > now, "all that is due at {now:?} has been done");
            now = next;
        }
    }
    arrived
}

/// A saturated direction carries its rate, neither more nor less than one burst's
/// worth away from it.
#[test]
fn rate_is_kept() {
    for (mbit, packet) in [(50, 1408u16), (50, 64), (1, 1408), (300, 1408)] {
        let arrived = run(&paced(mbit, 0, 32 << 10), packet.into(), 5000);
        let bits = 5000.0 * f64::from(packet) * 8.0;
        let seconds = arrived.last().unwrap().0.as_secs_f64();
        let expected = bits / f64::from(mbit) / 1e6;
        let burst = 0.001 + f64::from(packet) * 8.0 / f64::from(mbit) / 1e6;
        let off = (seconds - expected).abs();
        assert!(
            off <= burst,
            "{mbit} Mbit/s of {packet}: {seconds} s, not {expected} s"
        );
    }
}

/// Within one burst comes what the rate allows in its length; between bursts
/// nothing.
#[test]
fn bursts() {
    let pace = Pace {
        burst: us(10_000),
        ..paced(10, 0, 1 << 20)
    };
    let arrived = run(&pace, 1250, 100);
    for (burst, chunk) in arrived.chunks(10).enumerate() {
        let at = us(10_000 * (burst as u64 + 1));
        assert!(
            chunk.iter().all(|&(time, _)| time == at),
            "{burst}: {chunk:?}"
        );
    }
}

/// What is not used of a burst is gone with it; but while something waits, bursts
/// that nobody has looked at are made up for, to an end.
#[test]
fn idle_time_is_not_saved() {
    let (rate, burst) = (Rate::mbit(8), us(1000));
    let mut budget = Budget::default();
    let mut sent = |most: usize, now| {
        let mut frames = 0;
        while frames < most && budget.allows(rate, burst, now) {
            budget.spend(100);
            frames += 1;
        }
        frames
    };
    assert_eq!(sent(5, us(1000)), 5);
    assert_eq!(sent(1000, us(600_000_000)), 10);
    assert_eq!(sent(1000, us(600_000_999)), 0);
    assert_eq!(sent(1000, us(600_003_500)), 30);
    assert_eq!(sent(1000, us(900_000_000)), 640);
}

/// A frame that is larger than a burst's worth passes, and the next ones wait.
#[test]
fn large_frames_are_paid_for() {
    let (rate, burst) = (Rate::mbit(8), us(1000));
    let mut budget = Budget::default();
    assert_eq!(budget.next(rate, burst, us(1)), us(1000));
    assert!(budget.allows(rate, burst, us(1000)));
    budget.spend(3500);
    assert_eq!(budget.next(rate, burst, us(1000)), us(4000));
    assert!(!budget.allows(rate, burst, us(3999)));
    assert!(budget.allows(rate, burst, us(4000)));
}

/// Each packet arrives its latency after it was sent.
#[test]
fn latency() {
    let pace = paced(0, 20_000, 32 << 10);
    let mut uplink = Uplink::default();
    uplink.push(3, b"one");
    assert_eq!(uplink.take_due(&pace, us(100)), None);
    uplink.push(3, b"two");
    assert_eq!(uplink.take_due(&pace, us(150)), None);
    assert_eq!(uplink.deadline(&pace, us(150)), Some(us(20_100)));
    assert_eq!(uplink.take_due(&pace, us(20_099)), None);
    let one = uplink.take_due(&pace, us(20_100));
    assert_eq!(one, Some((3, b"one".to_vec())));
    assert_eq!(uplink.take_due(&pace, us(20_149)), None);
    assert!(uplink.take_due(&pace, us(20_150)).is_some());
    assert!(uplink.is_empty());
}

/// The buffer takes packets until it has its bytes, and again when the radio has
/// taken some.
#[test]
fn buffer_is_bounded() {
    let pace = paced(8, 5000, 3000);
    let mut uplink = Uplink::default();
    let fill = |uplink: &mut Uplink| {
        let mut count = 0;
        while uplink.has_room(&pace) {
            uplink.push(0, &[0; 1000]);
            count += 1;
        }
        count
    };
    assert_eq!(fill(&mut uplink), 3);
    assert_eq!(uplink.take_due(&pace, us(1000)), None);
    assert_eq!(fill(&mut uplink), 1, "one has left for the air");
    assert_eq!(uplink.len(), 4);
}

/// The instant pace has nothing to wait for.
#[test]
fn instant() {
    let pace = Pace::instant();
    assert!(pace.uplink.is_instant() && pace.downlink.is_instant());
    let mut budget = Budget::default();
    budget.spend(1 << 30);
    assert!(budget.allows(pace.uplink.rate, pace.burst, us(5)));
    assert_eq!(budget.next(pace.uplink.rate, pace.burst, us(5)), us(5));
    let mut uplink = Uplink::default();
    uplink.push(1, b"x");
    assert!(uplink.take_due(&pace, us(5)).is_some());
}

/// Rates are read as people write them; what makes none is refused with words.
#[test]
fn rates() {
    assert_eq!("50".parse(), Ok(Rate::mbit(50)));
    assert_eq!("0".parse(), Ok(Rate::UNLIMITED));
    let slow: Rate = "0.064".parse().unwrap();
    assert_eq!(slow.bits_in(Duration::from_secs(1)), Some(64_000));
    for bad in ["-1", "x", "", "nan", "inf", "0.0001", "10001"] {
        let error = bad.parse::<Rate>().unwrap_err().to_string();
        assert!(error.contains("no rate"), "{error}");
    }
    assert_eq!(serde_json::to_value(slow).unwrap(), 0.064);
}

/// A change moves the figures it has, upon the base it names.
#[test]
fn changes() {
    let read = |text: &str| serde_json::from_str::<Change>(text);
    let change = read(r#"{"base":"msm8916","uplink_mbit":5,"burst_us":2000}"#).unwrap();
    let pace = change.apply(Pace::instant()).unwrap();
    let expected = Pace {
        uplink: Lane {
            rate: Rate::mbit(5),
            ..Pace::msm8916().uplink
        },
        burst: us(2000),
        ..Pace::msm8916()
    };
    assert_eq!(pace, expected);
    assert_eq!(Change::default().apply(pace), Ok(pace));
    let instant = read(r#"{"base":"instant"}"#).unwrap();
    assert_eq!(instant.apply(pace), Ok(Pace::instant()));
    let short = read(r#"{"burst_us":99}"#).unwrap();
    assert!(short.apply(pace).is_err());
    assert!(read(r#"{"mbit":1}"#).is_err());
    assert!(read(r#"{"uplink_mbit":-1}"#).is_err());
}

proptest! {
    /// Whatever the pace and the moments at which somebody looks, packets come
    /// out in order, each no earlier than its latency, and never more of them than
    /// the rate allows.
    #[test]
    fn any_pace(
        mbit in 0u32..200,
        latency in 0u64..50_000,
        buffer in 1usize..100_000,
        burst in 100u64..20_000,
        steps in prop::collection::vec((0u64..5000, 1usize..1500), 1..200),
    ) {
        let pace = Pace { burst: us(burst), ..paced(mbit, latency, buffer) };
        let (mut uplink, mut now) = (Uplink::default(), us(0));
        let (mut sent, mut arrived) = (Vec::new(), 0usize);
        let mut bits = 0u64;
        for (wait, len) in steps {
            now += us(wait);
            if uplink.has_room(&pace) {
                let channel = u8::try_from(sent.len() % 8).unwrap();
                uplink.push(channel, &vec![0; len]);
                sent.push((now, channel, len));
            }
            while let Some((channel, packet)) = uplink.take_due(&pace, now) {
                let (since, from, len) = sent[arrived];
                prop_assert_eq!((channel, packet.len()), (from, len));
                prop_assert!(now >= since + us(latency));
                arrived += 1;
                bits += 8 * len as u64;
            }
            if mbit > 0 {
                let most = u64::from(mbit) * (u64::try_from(now.as_micros()).unwrap() + burst);
                prop_assert!(bits <= most + 1500 * 8, "{bits} of {most}");
            }
        }
    }
}
