// SPDX-License-Identifier: GPL-2.0
//! The events as JSON in Chrome's Trace Event Format, which Perfetto reads.
//!
//! What lasts is a slice (`B` and `E`), what does not is an instant (`i`), each
//! on a track of its kind; a track is a thread of the one process. Perfetto
//! sorts tracks by name, hence the numbers in front. Slices of one track never
//! overlap. The category (`cat`) tells programs what the words tell people.

use std::io::{
    self,
    Write, //
};
use std::time::Duration;

use bam_dmux_qmi::summary::Kind;
use serde::Serialize;
use serde_json::{
    json,
    Value, //
};

use super::{
    Condition,
    Direction,
    Doorbell,
    Event,
    FrameKind,
    Level,
    Milestone,
    Snapshot,
    State, //
};
use crate::dmux::channels::COUNT;
use crate::msix::Line;

/// The process and its tracks; [`Level`]s have the first ones.
const PROCESS: u32 = 1;
const MODEM: u32 = 6;
const DOORBELLS: u32 = 7;
const INTERRUPTS: u32 = 8;
const QMI: u32 = 9;
const CHANNELS: u32 = 10;
/// Frames whose channel does not exist.
const NO_CHANNEL: u32 = CHANNELS + COUNT as u32;

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    ph: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'static str,
    pid: u32,
    tid: u32,
    /// Microseconds.
    ts: f64,
    /// Scope of an instant: its track.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Value::is_null")]
    args: Value,
}

/// Writes all events. `origin` is when the modem's clock was 0, since 1970.
///
/// # Errors
/// What the writer says.
pub fn write(snapshot: &Snapshot, origin: Duration, out: impl Write) -> io::Result<()> {
    let mut writer = Writer {
        out,
        state: snapshot.before,
        begun: false,
    };
    write!(writer.out, "{{\"displayTimeUnit\":\"ms\",\"otherData\":")?;
    let about = json!({
        "about": "bam-dmux-modem: what passed between Linux and its modem",
        "clock": "microseconds since the start of the simulated modem",
        "start_unix_seconds": origin.as_secs_f64(),
        "amount": snapshot.amount,
    });
    serde_json::to_writer(&mut writer.out, &about)?;
    write!(writer.out, ",\"traceEvents\":[")?;
    writer.tracks(snapshot)?;
    let first = snapshot.events.first();
    writer.what_lasts(first.map_or(Duration::ZERO, |first| first.at))?;
    for stamped in &snapshot.events {
        writer.event(stamped.at, stamped.event)?;
    }
    write!(writer.out, "\n]}}\n")
}

struct Writer<W> {
    out: W,
    /// Before the next event.
    state: State,
    begun: bool,
}

impl<W: Write> Writer<W> {
    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let comma = if self.begun { "," } else { "" };
        self.begun = true;
        writeln!(self.out, "{comma}")?;
        serde_json::to_writer(&mut self.out, entry)?;
        Ok(())
    }

    fn meta(&mut self, name: &str, tid: u32, args: Value) -> io::Result<()> {
        self.entry(&Entry {
            name,
            ph: "M",
            cat: "",
            pid: PROCESS,
            tid,
            ts: 0.0,
            s: None,
            args,
        })
    }

    fn tracks(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        self.meta("process_name", 1, json!({"name": "BAM-DMUX"}))?;
        let levels = Level::ALL.map(|level| (track(level), level_words(level).to_owned()));
        let others = [
            (MODEM, "modem: life, figures drawn (us)"),
            (DOORBELLS, "doorbells of Linux"),
            (INTERRUPTS, "interrupts to Linux"),
            (QMI, "QMI"),
        ];
        let channels = (0..COUNT)
            .filter(|&channel| is_used(snapshot, channel))
            .map(|channel| {
                (
                    CHANNELS + u32::from(channel),
                    format!("channel {channel}: frames"),
                )
            });
        let nowhere = snapshot.events.iter().any(
            |stamped| matches!(stamped.event, Event::Frame { channel, .. } if channel >= COUNT),
        );
        let nowhere = nowhere.then(|| (NO_CHANNEL, "frames for no channel".to_owned()));
        let named = others.map(|(tid, name)| (tid, name.to_owned()));
        for (tid, name) in levels
            .into_iter()
            .chain(named)
            .chain(channels)
            .chain(nowhere)
        {
            self.meta(
                "thread_name",
                tid,
                json!({"name": format!("{tid:02} {name}")}),
            )?;
            self.meta("thread_sort_index", tid, json!({"sort_index": tid}))?;
        }
        Ok(())
    }

    /// Begins the slices of what was so already before the first event.
    fn what_lasts(&mut self, at: Duration) -> io::Result<()> {
        let earlier = json!({"since": "before this trace"});
        for level in Level::ALL {
            if let Some(name) = slice(level, self.state.is_high(level)) {
                self.begin(at, track(level), category(level), name, earlier.clone())?;
            }
        }
        for channel in 0..COUNT {
            if let Some(name) = openness(&self.state, channel) {
                let tid = CHANNELS + u32::from(channel);
                self.begin(at, tid, "channel", name, earlier.clone())?;
            }
        }
        if let Some(name) = ailment(self.state.condition) {
            self.begin(at, MODEM, "life", name, earlier)?;
        }
        Ok(())
    }

    fn event(&mut self, at: Duration, event: Event) -> io::Result<()> {
        let before = self.state;
        self.state.apply(event);
        let after = self.state;
        match event {
            Event::Level(level, high) => self.turn(
                at,
                track(level),
                category(level),
                slice(level, before.is_high(level)),
                slice(level, high),
            ),
            Event::Channel { channel, .. } => self.turn(
                at,
                CHANNELS + u32::from(channel),
                "channel",
                openness(&before, channel),
                openness(&after, channel),
            ),
            Event::Milestone(milestone) => {
                let (was, is) = (ailment(before.condition), ailment(after.condition));
                if was != is {
                    self.turn(at, MODEM, "life", was, is)?;
                }
                self.instant(at, MODEM, "life", milestone_words(milestone), Value::Null)
            }
            Event::Drawn { kind, number } => {
                let name = format!("drawn: {kind:?} {number}");
                self.instant(at, MODEM, "drawn", &name, Value::Null)
            }
            Event::Doorbell(doorbell) => {
                let name = match doorbell {
                    Doorbell::Smsm => "SMSM",
                    Doorbell::Smd => "SMD",
                    Doorbell::Tx => "TX pipe",
                    Doorbell::Rx => "RX pipe",
                };
                self.instant(at, DOORBELLS, "doorbell", name, Value::Null)
            }
            Event::Interrupt(line) => {
                let name = match line {
                    Line::Bam => "BAM",
                    Line::Smsm => "SMSM",
                    Line::Smd => "SMD",
                    Line::Mss => "MSS: crashed",
                };
                self.instant(at, INTERRUPTS, "interrupt", name, Value::Null)
            }
            Event::Frame {
                direction,
                kind,
                channel,
                len,
            } => self.frame(at, direction, kind, channel, len),
            Event::Qmi(message) => self.qmi(at, message),
        }
    }

    fn frame(
        &mut self,
        at: Duration,
        direction: Direction,
        kind: FrameKind,
        channel: u8,
        len: u16,
    ) -> io::Result<()> {
        let way = match direction {
            Direction::Uplink => "uplink",
            Direction::Downlink => "downlink",
        };
        let what = match kind {
            FrameKind::Data => "DATA",
            FrameKind::Open => "OPEN",
            FrameKind::Close => "CLOSE",
            FrameKind::Nonsense => "nonsense",
        };
        let name = match kind {
            FrameKind::Data => format!("{way} {what} {len}"),
            _ => format!("{way} {what}"),
        };
        let args = json!({
            "direction": way,
            "kind": what,
            "channel": channel,
            "payload_bytes": len,
        });
        let tid = (CHANNELS + u32::from(channel)).min(NO_CHANNEL);
        self.instant(at, tid, "frame", &name, args)
    }

    fn qmi(&mut self, at: Duration, message: bam_dmux_qmi::Summary) -> io::Result<()> {
        let number = format!("{:#06x}", message.message);
        let service = message
            .service_name()
            .map_or_else(|| format!("service {}", message.service), str::to_uppercase);
        let what = message.message_name().unwrap_or(&number);
        let kind = match message.kind {
            Kind::Request => "request",
            Kind::Response if message.error == 0 => "response",
            Kind::Response => "refused",
            Kind::Indication => "indication",
        };
        let args = json!({
            "kind": message.kind,
            "service": message.service,
            "message": number,
            "client": message.client,
            "transaction": message.transaction,
            "error": message.error,
        });
        self.instant(at, QMI, "qmi", &format!("{service} {what}: {kind}"), args)
    }

    /// A slice ends, another begins.
    fn turn(
        &mut self,
        at: Duration,
        tid: u32,
        cat: &'static str,
        was: Option<&str>,
        is: Option<&str>,
    ) -> io::Result<()> {
        if let Some(name) = was {
            self.point(at, tid, cat, name, "E", Value::Null)?;
        }
        match is {
            Some(name) => self.begin(at, tid, cat, name, Value::Null),
            None => Ok(()),
        }
    }

    fn begin(
        &mut self,
        at: Duration,
        tid: u32,
        cat: &'static str,
        name: &str,
        args: Value,
    ) -> io::Result<()> {
        self.point(at, tid, cat, name, "B", args)
    }

    fn instant(
        &mut self,
        at: Duration,
        tid: u32,
        cat: &'static str,
        name: &str,
        args: Value,
    ) -> io::Result<()> {
        self.point(at, tid, cat, name, "i", args)
    }

    fn point(
        &mut self,
        at: Duration,
        tid: u32,
        cat: &'static str,
        name: &str,
        ph: &'static str,
        args: Value,
    ) -> io::Result<()> {
        self.entry(&Entry {
            name,
            ph,
            cat,
            pid: PROCESS,
            tid,
            ts: microseconds(at),
            s: (ph == "i").then_some("t"),
            args,
        })
    }
}

/// With the nanoseconds behind the point.
#[allow(clippy::cast_precision_loss, reason = "2^53 ns are 104 days")]
fn microseconds(at: Duration) -> f64 {
    at.as_nanos() as f64 / 1000.0
}

fn is_used(snapshot: &Snapshot, wanted: u8) -> bool {
    openness(&snapshot.before, wanted).is_some()
        || snapshot.events.iter().any(|stamped| {
            matches!(
                stamped.event,
                Event::Frame { channel, .. } | Event::Channel { channel, .. } if channel == wanted
            )
        })
}

fn track(level: Level) -> u32 {
    match level {
        Level::Vote => 1,
        Level::ModemAck => 2,
        Level::Power => 3,
        Level::LinuxAck => 4,
        Level::Bam => 5,
    }
}

fn level_words(level: Level) -> &'static str {
    match level {
        Level::Vote => "Linux: vote",
        Level::ModemAck => "modem: ack of the vote (each change is one)",
        Level::Power => "modem: power line",
        Level::LinuxAck => "Linux: ack of the power line (each change is one)",
        Level::Bam => "power of the BAM",
    }
}

fn category(level: Level) -> &'static str {
    match level {
        Level::Vote => "vote",
        Level::ModemAck => "modem-ack",
        Level::Power => "power",
        Level::LinuxAck => "linux-ack",
        Level::Bam => "bam",
    }
}

/// The slice of a level. A toggle has one at both levels: its edges are what
/// counts.
fn slice(level: Level, high: bool) -> Option<&'static str> {
    match (level, high) {
        (Level::ModemAck | Level::LinuxAck, true) => Some("ack: 1"),
        (Level::ModemAck | Level::LinuxAck, false) => Some("ack: 0"),
        (Level::Vote, true) => Some("vote"),
        (Level::Power, true) => Some("high"),
        (Level::Bam, true) => Some("powered"),
        (_, false) => None,
    }
}

/// The slice of a channel.
fn openness(state: &State, channel: u8) -> Option<&'static str> {
    let modem = state.channels.modem.contains(channel);
    match (modem, state.channels.host.contains(channel)) {
        (true, true) => Some("open"),
        (true, false) => Some("open on the modem's side"),
        (false, true) => Some("open on Linux' side"),
        (false, false) => None,
    }
}

/// The slice of a modem that does not run.
fn ailment(condition: Condition) -> Option<&'static str> {
    match condition {
        Condition::Well => None,
        Condition::Frozen => Some("stands still"),
        Condition::Dead => Some("dead"),
    }
}

fn milestone_words(milestone: Milestone) -> &'static str {
    match milestone {
        Milestone::Reset => "reset of the function",
        Milestone::DriverCame => "driver came",
        Milestone::DriverLeft => "driver left",
        Milestone::Boot => "firmware started",
        Milestone::Crash => "crash",
        Milestone::Stop => "stopped by Linux",
        Milestone::Restart => "new firmware",
        Milestone::Freeze => "freeze",
        Milestone::Thaw => "goes on",
    }
}
