// SPDX-License-Identifier: GPL-2.0
//! Hostile frames against a guest that does what the kernel's drivers do.

use std::collections::BTreeMap;
use std::time::Duration;

use super::guest::Guest;
use crate::hostile::frames::item::{
    Item,
    Kind, //
};
use crate::hostile::frames::plan::Plan;
use crate::hostile::frames::run::{
    Order,
    Source, //
};

fn order(source: Source, count: u32) -> Order {
    Order {
        source,
        seed: 1,
        first: 0,
        count,
        log: None,
    }
}

fn plan(late: bool) -> Source {
    Source::Plan(Plan::new(1, late, &BTreeMap::new()))
}

fn list(lines: &[&str]) -> Source {
    let parse = |line: &&str| serde_json::from_str::<Item>(line).unwrap();
    Source::List(lines.iter().map(parse).collect())
}

/// Takes all frames and posts as many buffers again, until the run is over.
fn serve(guest: &mut Guest) -> usize {
    let mut taken = 0;
    for _ in 0..20_000 {
        guest.clear();
        let new = guest.received().len();
        taken += new;
        guest.post(u32::try_from(new).unwrap());
        guest.pass(1);
        if !guest.modem.hostile_status().unwrap().active {
            break;
        }
    }
    taken + guest.received().len()
}

/// All frames arrive, power stays up meanwhile and goes afterwards, and no
/// byte is written outside of the buffers.
#[test]
fn run_of_all_kinds() {
    let mut guest = Guest::new();
    guest.boot();
    guest.received();
    let before = guest.outside_of_buffers();
    guest.modem.start_hostile(order(plan(true), 5_000)).unwrap();
    let taken = serve(&mut guest);
    let status = guest.modem.hostile_status().unwrap();
    assert!(!status.active);
    let sent: u64 = status.done.kinds.values().sum();
    let late = status.done.kinds[&Kind::Late];
    assert_eq!(sent + status.done.late_skipped, 5_000);
    assert_eq!(taken as u64, sent - late);
    assert!(status.done.rewritten_before > 50 && status.done.rewritten_after > 50);
    assert!(late > 100 && status.done.damaged == 0);
    assert!(
        before == guest.outside_of_buffers(),
        "memory outside of the buffers changed"
    );
    assert_eq!(guest.modem.events.count("hostile-done"), 1);
    assert!(guest.modem.status().bam_powered);
    guest.pass(600);
    assert_eq!(guest.modem.status().power, "falling");
    assert_eq!(guest.violations(), []);
}

/// A header changes in the last moment before Linux learns of the frame.
#[test]
fn rewrite_before_report() {
    let mut guest = Guest::new();
    guest.boot();
    guest.received();
    let line = r#"{"kind":"fetch_header","header":{"channel":3,"len":9},"payload":12,
        "rewrite":{"header":{"channel":200,"len":65535}}}"#;
    guest.modem.start_hostile(order(list(&[line]), 0)).unwrap();
    let got = guest.received();
    assert_eq!((got[0].channel, got[0].len), (200, 65535));
}

/// A rewrite that comes when Linux has the buffer in use again is left out.
#[test]
fn rewrite_of_a_reused_buffer() {
    let mut guest = Guest::new();
    guest.boot();
    guest.received();
    let line = r#"{"kind":"fetch_header","header":{"len":90},"payload":92,
        "rewrite":{"header":{"channel":200},"delay_us":1000}}"#;
    guest
        .modem
        .start_hostile(order(list(&[line, line]), 0))
        .unwrap();
    let at = guest.next_buffer();
    guest.received();
    // Linux zeroes the first, and is slow with the second.
    guest.modem.memory.write(at, &[0; 100]).unwrap();
    guest.pass(2);
    let done = guest.modem.hostile_status().unwrap().done;
    assert_eq!((done.rewritten_after, done.rewrites_skipped), (1, 1));
    let mut head = [0; 8];
    guest.modem.memory.read(at, &mut head).unwrap();
    assert_eq!(head, [0; 8]);
}

/// A header that flips back and forth ends as what it was to become.
#[test]
fn flips() {
    let mut guest = Guest::new();
    guest.boot();
    guest.received();
    let line = r#"{"kind":"fetch_header","header":{"len":90},"payload":92,
        "rewrite":{"header":{"channel":3,"len":20},"delay_us":500,"flips":9}}"#;
    guest.modem.start_hostile(order(list(&[line]), 0)).unwrap();
    let at = guest.next_buffer();
    guest.received();
    guest.pass(1);
    let mut head = [0; 8];
    guest.modem.memory.read(at, &mut head).unwrap();
    assert_eq!((head[5], head[6]), (3, 20));
    let done = guest.modem.hostile_status().unwrap().done;
    assert_eq!(done.rewritten_after, 1);
}

/// While interrupts are held back Linux hears of nothing, then of all.
#[test]
fn held_interrupts() {
    let mut guest = Guest::new();
    guest.boot();
    guest.received();
    let irqs = |guest: &Guest| guest.modem.counters.bam_irqs;
    let before = irqs(&guest);
    let hold = r#"{"kind":"valid","header":{"len":4},"payload":4,"after":{"hold":{"us":5000}}}"#;
    let next = r#"{"kind":"valid","header":{"len":4},"payload":4}"#;
    guest
        .modem
        .start_hostile(order(list(&[hold, next]), 0))
        .unwrap();
    guest.pass(1);
    assert_eq!(irqs(&guest), before);
    guest.pass(5);
    assert_eq!(irqs(&guest), before + 1);
    assert_eq!(guest.received().len(), 2);
}

/// A run that is stopped, or whose modem crashes, leaves nothing behind.
#[test]
fn stopped() {
    let mut guest = Guest::new();
    guest.boot();
    guest
        .modem
        .start_hostile(order(plan(false), 1_000_000))
        .unwrap();
    guest.modem.stop_hostile();
    assert!(!guest.modem.hostile_status().unwrap().active);
    guest
        .modem
        .start_hostile(order(plan(false), 1_000_000))
        .unwrap();
    guest.modem.crash(false);
    guest.pass(100);
    assert!(guest.modem.start_hostile(order(plan(false), 1)).is_err());
    guest.modem.restart(true, Some(Duration::ZERO));
    assert!(guest.modem.hostile_status().is_none());
}
