// SPDX-License-Identifier: GPL-2.0
//! A run of hostile frames: how far it is, and what is due when.

use std::collections::{
    BTreeMap,
    BTreeSet,
    VecDeque, //
};
use std::time::Duration;

use serde::Serialize;

use super::item::{
    After,
    Item,
    Kind, //
};
use super::log::{
    self,
    Log, //
};
use super::payload::{
    Table,
    INTRODUCTION,
    VARYING, //
};
use super::plan::Plan;
use crate::dmux::channels::COUNT;
use crate::dmux::frame::{
    CLOSE,
    HEADER, //
};

/// Rewrites that are later than this are not done: by then Linux may use the
/// memory for something else.
const TOO_LATE: Duration = Duration::from_millis(20);
/// Buffers that are remembered for late writes.
const HISTORY: usize = 512;
/// A buffer that was given back counts so many frames as not yet late: Linux
/// has 32.
const RECENT: usize = 33;
/// Most times that a header is put back.
const MOST_FLIPS: u16 = 1000;
/// Time between the interrupts of a storm.
const STORM_INTERVAL: Duration = Duration::from_micros(50);

/// Where items come from.
#[derive(Debug)]
pub enum Source {
    /// From a seed.
    Plan(Plan),
    /// From a list, in order.
    List(Vec<Item>),
}

/// A run as it is asked for.
#[derive(Debug)]
pub struct Order {
    /// Where its items come from.
    pub source: Source,
    /// Seed of the payloads.
    pub seed: u64,
    /// First serial number.
    pub first: u32,
    /// How many items.
    pub count: u32,
    /// Where each frame is written down.
    pub log: Option<Log>,
}

/// A buffer of Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Bus address.
    pub address: u32,
    /// Bytes.
    pub size: u16,
}

/// A change of a buffer that was completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The buffer.
    pub buffer: Buffer,
    /// Offsets and bytes.
    pub writes: Vec<(usize, Vec<u8>)>,
    /// The header as it was, and how often it is put back.
    pub before: Vec<u8>,
    /// See above.
    pub flips: u16,
    /// What must be there still, at which offset: nothing is changed that is
    /// not this frame any more.
    pub still: (usize, Vec<u8>),
    delay: Option<Duration>,
}

/// What has been done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Frames by kind.
    pub kinds: BTreeMap<Kind, u64>,
    /// Bytes written for them.
    pub bytes: u64,
    /// Rewrites in the last moment before Linux knew.
    pub rewritten_before: u64,
    /// Rewrites some time after Linux knew.
    pub rewritten_after: u64,
    /// Rewrites left out: Linux had used the buffer for something else, or it
    /// was too late to be sure.
    pub rewrites_skipped: u64,
    /// Late writes left out: no buffer had been given back yet.
    pub late_skipped: u64,
    /// Interrupts for nothing.
    pub spurious_interrupts: u64,
    /// Times that interrupts were held back.
    pub holds: u64,
    /// Times that everything stood still.
    pub stalls: u64,
    /// Frames that did not reach Linux' memory as a whole.
    pub damaged: u64,
}

/// How far a run is.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Whether there is something left to do.
    pub active: bool,
    /// Serial number of the next item.
    pub next: u32,
    /// Serial number after the last item.
    pub end: u32,
    /// Channels that are closed now and then.
    pub closable: Vec<u8>,
    /// What has been done so far.
    pub done: Counts,
}

/// Channels that any of these headers closes.
fn closed_by(items: &[Item]) -> Vec<u8> {
    let other = |item: &Item| item.rewrite.and_then(|rewrite| rewrite.header);
    let headers = items
        .iter()
        .flat_map(|item| [Some(item.header), other(item)]);
    let closed: BTreeSet<_> = headers
        .flatten()
        .filter(|header| header.cmd == CLOSE && header.channel < COUNT)
        .map(|header| header.channel)
        .collect();
    closed.into_iter().collect()
}

/// A run.
#[derive(Debug)]
pub struct Run {
    source: Source,
    table: Table,
    first: u32,
    next: u32,
    end: u32,
    given_back: VecDeque<Buffer>,
    unreported: Vec<Change>,
    timed: Vec<(Duration, Change)>,
    stalled_until: Option<Duration>,
    held_until: Option<Duration>,
    storm: Option<(u32, Duration)>,
    log: Option<Log>,
    counts: Counts,
}

impl Run {
    /// A run that has not begun.
    #[must_use]
    pub fn new(order: Order) -> Self {
        let count = match &order.source {
            Source::Plan(_) => order.count,
            Source::List(items) => u32::try_from(items.len()).unwrap_or(u32::MAX),
        };
        Self {
            source: order.source,
            table: Table::new(order.seed),
            first: order.first,
            next: order.first,
            end: order.first.saturating_add(count),
            given_back: VecDeque::with_capacity(HISTORY),
            unreported: Vec::new(),
            timed: Vec::new(),
            stalled_until: None,
            held_until: None,
            storm: None,
            log: order.log,
            counts: Counts::default(),
        }
    }

    /// Payloads of this run.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The next item with its serial number, unless it has to wait.
    #[must_use]
    pub fn next(&self) -> Option<(u32, Item)> {
        if self.next >= self.end || self.stalled_until.is_some() {
            return None;
        }
        let item = match &self.source {
            Source::Plan(plan) => plan.item(self.next),
            Source::List(items) => *items.get((self.next - self.first) as usize)?,
        };
        Some((self.next, item))
    }

    /// The next item is in this buffer, as a whole or not. True if Linux is
    /// to be interrupted now.
    pub fn written(
        &mut self,
        item: &Item,
        bytes: &[u8],
        buffer: Buffer,
        whole: bool,
        now: Duration,
    ) -> bool {
        let serial = self.next;
        self.count(item, bytes.len());
        self.counts.damaged += u64::from(!whole);
        self.note(serial, item, buffer, if whole { 0 } else { log::DAMAGED });
        if whole {
            self.plan_change(serial, item, bytes, buffer);
        }
        if self.given_back.len() >= HISTORY {
            self.given_back.pop_front();
        }
        self.given_back.push_back(buffer);
        self.then(item.after.bounded(), now)
    }

    /// The buffer for a late write, given back a while ago. `None`: there is
    /// none yet, and the item is left out.
    pub fn late_target(&mut self) -> Option<Buffer> {
        let old = self.given_back.len().saturating_sub(RECENT);
        if old == 0 {
            self.next += 1;
            self.counts.late_skipped += 1;
            return None;
        }
        self.given_back.get(self.next as usize % old).copied()
    }

    /// The next item, a late one, is written.
    pub fn written_late(&mut self, item: &Item, bytes: &[u8], buffer: Buffer) {
        self.count(item, bytes.len());
        self.note(self.next - 1, item, buffer, log::LATE);
    }

    fn count(&mut self, item: &Item, len: usize) {
        self.next += 1;
        *self.counts.kinds.entry(item.kind).or_default() += 1;
        self.counts.bytes += len as u64;
    }

    fn note(&mut self, serial: u32, item: &Item, buffer: Buffer, flags: u8) {
        let Some(log) = &mut self.log else {
            return;
        };
        if let Err(error) = log.add(serial, item, buffer.address, flags) {
            tracing::error!("the log of hostile frames ends: {error}");
            self.log = None;
        }
    }

    fn plan_change(&mut self, serial: u32, item: &Item, bytes: &[u8], buffer: Buffer) {
        let writes = self.table.rewrite(item, serial);
        let Some(rewrite) = item.rewrite.filter(|_| !writes.is_empty()) else {
            return;
        };
        // Without its serial number nobody can tell whether it is still there.
        let recognisable = bytes.len() >= HEADER + INTRODUCTION;
        let delay = rewrite.delay_us.filter(|_| recognisable);
        let end = bytes.len().min(HEADER + VARYING);
        self.unreported.push(Change {
            buffer,
            writes,
            before: bytes[..bytes.len().min(HEADER)].to_vec(),
            flips: if delay.is_some() && !rewrite.payload {
                rewrite.flips.min(MOST_FLIPS)
            } else {
                0
            },
            still: (HEADER, bytes.get(HEADER..end).unwrap_or(&[]).to_vec()),
            delay: delay.map(|us| Duration::from_micros(us.into())),
        });
    }

    fn then(&mut self, after: After, now: Duration) -> bool {
        match after {
            After::Next => return false,
            After::Interrupt => return true,
            After::Hold { us } => {
                self.counts.holds += 1;
                self.held_until = Some(now + Duration::from_micros(us.into()));
            }
            After::Storm { count } => self.storm = Some((count, now)),
            After::Stall { ms } => {
                self.counts.stalls += 1;
                self.stalled_until = Some(now + Duration::from_millis(ms.into()));
            }
        }
        false
    }

    /// Linux asks now which buffers are done: what is to be rewritten before
    /// it gets the answer. Other rewrites become due later.
    pub fn reported(&mut self, now: Duration) -> Vec<Change> {
        let (later, before): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unreported)
            .into_iter()
            .partition(|change| change.delay.is_some());
        let due = |change: Change| (now + change.delay.unwrap_or_default(), change);
        self.timed.extend(later.into_iter().map(due));
        self.counts.rewritten_before += before.len() as u64;
        before
    }

    /// The rewrites that are due.
    pub fn due(&mut self, now: Duration) -> Vec<Change> {
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.timed)
            .into_iter()
            .partition(|&(at, _)| at <= now);
        self.timed = later;
        let (fresh, old): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|&(at, _)| now < at + TOO_LATE);
        self.counts.rewrites_skipped += old.len() as u64;
        fresh.into_iter().map(|(_, change)| change).collect()
    }

    /// What became of a rewrite that was due.
    pub fn rewritten(&mut self, done: bool) {
        self.counts.rewritten_after += u64::from(done);
        self.counts.rewrites_skipped += u64::from(!done);
    }

    /// Whether an interrupt of a storm is due; it counts as sent.
    pub fn storm_is_due(&mut self, now: Duration) -> bool {
        let Some((left, at)) = self.storm.filter(|&(_, at)| at <= now) else {
            return false;
        };
        self.storm = (left > 1).then_some((left - 1, now.max(at) + STORM_INTERVAL));
        self.counts.spurious_interrupts += u64::from(left > 0);
        left > 0
    }

    /// Ends stalls and holds that are over. True if there was one.
    pub fn resume(&mut self, now: Duration) -> bool {
        let over = |until: Duration| until <= now;
        let stall = self.stalled_until.is_some_and(over);
        let hold = self.held_until.is_some_and(over);
        if stall {
            self.stalled_until = None;
        }
        if hold {
            self.held_until = None;
        }
        stall || hold
    }

    /// Whether interrupts are held back.
    #[must_use]
    pub fn holds_interrupts(&self) -> bool {
        self.held_until.is_some()
    }

    /// When something is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let timed = self.timed.iter().map(|&(at, _)| at);
        let storm = self.storm.map(|(_, at)| at);
        let waits = [self.stalled_until, self.held_until, storm];
        timed.chain(waits.into_iter().flatten()).min()
    }

    /// Whether there is something left to do.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.next < self.end || !self.unreported.is_empty() || self.deadline().is_some()
    }

    /// Leaves out what has not been done yet.
    pub fn stop(&mut self) {
        self.end = self.next;
        self.unreported.clear();
        self.timed.clear();
        self.storm = None;
        self.stalled_until = None;
        self.held_until = None;
        self.finish();
    }

    /// Brings the log to its file.
    pub fn finish(&mut self) {
        if let Some(Err(error)) = self.log.as_mut().map(Log::flush) {
            tracing::error!("the log of hostile frames is not complete: {error}");
        }
    }

    /// How far it is.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            active: self.is_active(),
            next: self.next,
            end: self.end,
            closable: match &self.source {
                Source::Plan(plan) => plan.closable().to_vec(),
                Source::List(items) => closed_by(items),
            },
            done: self.counts.clone(),
        }
    }
}
