// SPDX-License-Identifier: GPL-2.0
//! Plans, payloads and runs by themselves.

use std::collections::{
    BTreeMap,
    BTreeSet, //
};
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;

use super::item::{
    After,
    Item,
    Kind,
    Rewrite,
    MOST, //
};
use super::log;
use super::payload::{
    Table,
    FIRST,
    REWRITTEN, //
};
use super::plan::Plan;
use super::run::{
    Buffer,
    Order,
    Run,
    Source, //
};
use crate::dmux::frame::{
    Header,
    CLOSE,
    DATA,
    HEADER,
    MAGIC,
    OPEN, //
};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(9));
const BUFFER: Buffer = Buffer {
    address: 0x1000,
    size: 2048,
};

fn plan(seed: u64) -> Plan {
    Plan::new(seed, true, &BTreeMap::new())
}

fn run(items: Vec<Item>) -> Run {
    Run::new(Order {
        source: Source::List(items),
        seed: 1,
        first: 0,
        count: 0,
        log: None,
    })
}

fn item(rewrite: Option<Rewrite>, after: After) -> Item {
    Item {
        kind: Kind::Valid,
        header: Header::new(DATA, 1, 100),
        payload: 100,
        cut: None,
        first: 0x45,
        rewrite,
        after,
    }
}

/// Carries out the next item as if there always were a buffer.
fn write(run: &mut Run, now: Duration) -> bool {
    let (serial, item) = run.next().unwrap();
    let bytes = run.table().transfer(&item, serial, FIRST);
    run.written(&item, &bytes, BUFFER, true, now)
}

/// The same seed gives the same items, from any serial number on; another
/// seed gives others.
#[test]
fn seeds() {
    let (one, again, other) = (plan(1), plan(1), plan(2));
    let backwards: Vec<_> = (0..500).rev().map(|serial| again.item(serial)).collect();
    for (serial, item) in (0..500).zip(backwards.iter().rev()) {
        assert_eq!(one.item(serial), *item);
    }
    assert!((0..50).any(|serial| one.item(serial) != other.item(serial)));
}

/// Each kind comes, and in about the share that it should have.
#[test]
fn kinds() {
    let plan = plan(3);
    let mut counts = BTreeMap::new();
    for serial in 0..20_000 {
        *counts.entry(plan.item(serial).kind).or_insert(0u32) += 1;
    }
    for kind in Kind::ALL {
        assert!(
            counts.get(&kind).is_some_and(|&n| n > 100),
            "{kind:?}: {counts:?}"
        );
    }
    assert!((2_000..9_000).contains(&counts[&Kind::Valid]), "{counts:?}");
    let without = Plan::new(3, false, &BTreeMap::new());
    assert!((0..20_000).all(|serial| without.item(serial).kind != Kind::Late));
    let only = Plan::new(3, false, &BTreeMap::from([(Kind::Tiny, 1)]));
    assert!((0..2_000).all(|serial| only.item(serial).kind == Kind::Tiny));
}

/// A run of the length that tests have does everything else too, whatever its
/// seed: the harness asks for that.
#[test]
fn deeds() {
    for plan in (1..8).map(plan) {
        let after: Vec<_> = (0..20_000).map(|serial| plan.item(serial).after).collect();
        let any = |wanted: fn(&After) -> bool| after.iter().any(wanted);
        assert!(any(|after| matches!(after, After::Interrupt)));
        assert!(any(|after| matches!(after, After::Hold { .. })));
        assert!(any(|after| matches!(after, After::Storm { .. })));
        assert!(any(|after| matches!(after, After::Stall { .. })));
    }
}

/// Frames are wrong in what their kind says.
#[test]
fn kinds_are_what_they_say() {
    let plan = plan(4);
    let mut lengths = BTreeSet::new();
    for item in (0..30_000).map(|serial| plan.item(serial)) {
        let header = item.header;
        let right = header.magic == MAGIC && header.cmd == DATA && header.channel < 8;
        let fits = (1..=MOST).contains(&header.len);
        let there = item.payload_transferred();
        match item.kind {
            Kind::Valid => {
                assert!(right && fits && there >= header.len.into());
                lengths.insert(header.len);
            }
            Kind::Signal => assert!(right && fits && header.signal != 0),
            Kind::Command => assert!(header.cmd > CLOSE),
            Kind::Channel => assert!(header.channel >= 8),
            Kind::Length => assert!(!fits),
            Kind::Short => assert!(right && there < header.len.into()),
            Kind::Tiny => assert!((1..8).contains(&item.transferred())),
            Kind::Empty => assert_eq!(item.transferred(), 0),
            Kind::Full => assert_eq!(item.transferred(), 2048),
            Kind::Version => assert!(!matches!(item.first >> 4, 4 | 6)),
            Kind::Flood => assert!(matches!(header.cmd, OPEN | CLOSE)),
            Kind::FetchHeader | Kind::FetchPayload => assert!(item.rewrite.is_some()),
            Kind::Pad | Kind::Magic | Kind::Mixed | Kind::Noise | Kind::Long | Kind::Late => {}
        }
        assert!(item.transferred() <= 2048);
    }
    assert!(lengths.len() > 1700, "{} lengths", lengths.len());
}

/// Only the channels that may be are closed, with whatever header.
#[test]
fn channels_are_spared() {
    let plan = plan(5);
    let mut closed = BTreeSet::new();
    for item in (0..30_000).map(|serial| plan.item(serial)) {
        let other = item.rewrite.and_then(|rewrite| rewrite.header);
        for header in other.into_iter().chain([item.header]) {
            if header.magic == MAGIC && header.cmd == CLOSE && header.channel < 8 {
                closed.insert(header.channel);
            }
        }
    }
    let closable: BTreeSet<_> = plan.closable().iter().copied().collect();
    assert_eq!(closed, closable);
    assert_eq!(closable.len(), 3);
}

/// Items go to JSON and back: that is how a corpus is made.
#[test]
fn items_as_json() {
    let plan = plan(6);
    for item in (0..2_000).map(|serial| plan.item(serial)) {
        let text = serde_json::to_string(&item).unwrap();
        assert_eq!(serde_json::from_str::<Item>(&text).unwrap(), item);
    }
    let short: Item = serde_json::from_str(r#"{"kind":"valid","header":{"len":9}}"#).unwrap();
    assert_eq!(
        (short.header.magic, short.header.len, short.first),
        (MAGIC, 9, 0x45)
    );
    assert!(serde_json::from_str::<Item>(r#"{"kind":"valid","pay":9}"#).is_err());
}

/// A payload says what it is, and variants differ where they may.
#[test]
fn payloads() {
    let table = Table::new(1);
    let item = item(None, After::Next);
    let (a, b) = (
        table.transfer(&item, 0x0102_0304, FIRST),
        table.transfer(&item, 0x0102_0304, REWRITTEN),
    );
    assert_eq!(a.len(), 108);
    assert_eq!(a[8..20], [0x45, 0, 4, 3, 2, 1, 59, 1, 100, 0, 100, 0]);
    assert_eq!((a[9], b[9]), (0, 1));
    assert_eq!((&a[10..48], &a[..9]), (&b[10..48], &b[..9]));
    assert_ne!(a[48..], b[48..]);
    let other = table.transfer(&item, 0x0102_0305, FIRST);
    assert_ne!(a[20..], other[20..]);
}

/// A log's record has everything in its place.
#[test]
fn record() {
    let mut item = item(None, After::Next);
    item.rewrite = Some(Rewrite {
        header: Some(Header::new(DATA, 2, 7)),
        payload: true,
        delay_us: None,
        flips: 0,
    });
    let bytes = log::record(0x0403_0201, &item, 0x0807_0605, log::DAMAGED);
    assert_eq!(bytes[..12], [1, 2, 3, 4, 5, 6, 7, 8, 0, 1 | 2 | 8, 0x45, 0]);
    assert_eq!(bytes[12..16], [108, 0, 0, 0]);
    assert_eq!(bytes[16..24], item.header.bytes());
    assert_eq!(bytes[24..], Header::new(DATA, 2, 7).bytes());
}

/// Rewrites become due when Linux has asked, and are dropped when they are
/// too late.
#[test]
fn rewrites() {
    let ms = Duration::from_millis;
    let rewrite = |delay_us| Rewrite {
        header: None,
        payload: true,
        delay_us,
        flips: 0,
    };
    let items =
        [None, Some(500), Some(40_000)].map(|delay| item(Some(rewrite(delay)), After::Next));
    let mut run = run(items.to_vec());
    for _ in 0..3 {
        assert!(!write(&mut run, ms(1)));
    }
    assert!(run.due(ms(100)).is_empty(), "Linux has not asked yet");
    assert!(run.is_active());
    assert_eq!(run.reported(ms(200)).len(), 1);
    assert_eq!(run.deadline(), Some(Duration::from_micros(200_500)));
    assert!(run.due(ms(200)).is_empty());
    assert_eq!(run.due(ms(201)).len(), 1);
    assert!(run.due(ms(300)).is_empty(), "too late");
    assert_eq!(run.status().done.rewrites_skipped, 1);
    assert!(!run.is_active());
}

/// Stalls keep frames, holds keep interrupts, storms take their time.
#[test]
fn stalls_holds_and_storms() {
    let ms = Duration::from_millis;
    let afters = [
        After::Interrupt,
        After::Hold { us: 3_000 },
        After::Stall { ms: 100 },
        After::Storm { count: 2 },
    ];
    let mut run = run(afters.map(|after| item(None, after)).to_vec());
    assert!(write(&mut run, ms(0)), "an interrupt is asked for");
    assert!(!write(&mut run, ms(0)));
    assert!(run.holds_interrupts());
    write(&mut run, ms(0));
    assert!(run.next().is_none(), "it stalls");
    assert!(!run.resume(ms(2)));
    assert!(run.resume(ms(3)) && !run.holds_interrupts() && run.next().is_none());
    assert!(run.resume(ms(100)));
    write(&mut run, ms(100));
    assert!(run.storm_is_due(ms(100)) && !run.storm_is_due(ms(100)));
    assert!(run.storm_is_due(ms(101)) && !run.is_active());
}

/// There is no late write before a buffer was given back.
#[test]
fn late_writes_wait_for_a_buffer() {
    let mut late = item(None, After::Next);
    late.kind = Kind::Late;
    let mut items = vec![item(None, After::Next); 50];
    items.insert(10, late);
    items.push(late);
    let mut run = run(items);
    for _ in 0..10 {
        write(&mut run, Duration::ZERO);
    }
    assert_eq!(run.late_target(), None);
    assert_eq!(run.next().unwrap().0, 11, "it is left out");
    for _ in 0..40 {
        write(&mut run, Duration::ZERO);
    }
    assert_eq!(run.late_target(), Some(BUFFER));
}

proptest! {
    /// Whatever an item says, nothing is written beyond a buffer, and a
    /// rewrite stays within what was transferred.
    #[test]
    fn bounds(serial: u32, payload: u16, cut: Option<u16>, len: u16, kind in 0usize..19, other: bool, change: bool) {
        let rewrite = Rewrite {
            header: other.then(|| Header::new(DATA, 1, len)),
            payload: change,
            delay_us: None,
            flips: 0,
        };
        let item = Item {
            kind: Kind::ALL[kind],
            header: Header::new(DATA, 1, len),
            payload,
            cut,
            first: 0,
            rewrite: Some(rewrite),
            after: After::Next,
        };
        let table = &*TABLE;
        let bytes = table.transfer(&item, serial, FIRST);
        prop_assert_eq!(bytes.len(), item.transferred());
        prop_assert!(bytes.len() <= 2048 && item.payload_transferred() <= 2048 - HEADER);
        for (offset, part) in table.rewrite(&item, serial) {
            prop_assert!(offset + part.len() <= bytes.len());
        }
    }
}
