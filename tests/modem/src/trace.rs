// SPDX-License-Identifier: GPL-2.0
//! What has happened, with its time, for people to look at.
//!
//! Recording is always on, so it is cheap: an event is a few words in a ring,
//! and nothing is put into words before somebody asks for it. The ring forgets
//! its oldest events, and counts them. Packets are kept in a ring of their own.
//!
//! [`chrome`] writes the events as JSON for <https://ui.perfetto.dev>,
//! [`pcapng`] the packets for Wireshark and tcpdump.

pub mod chrome;
mod packets;
pub mod pcapng;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{
    BufWriter,
    Write as _, //
};
use std::path::Path;
use std::time::{
    Duration,
    SystemTime,
    UNIX_EPOCH, //
};

use bam_dmux_qmi::Summary;
use serde::Serialize;

use crate::dmux::channels::{
    Channels,
    COUNT, //
};
use crate::dmux::frame::{
    Header,
    CLOSE,
    DATA,
    HEADER,
    OPEN, //
};
use crate::msix::Line;
use crate::profile::Kind;
use crate::smsm::Bits;
pub use packets::Packet;
use packets::Packets;

/// Something that is high or low at each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Linux' vote for power.
    Vote,
    /// The modem's ack of votes, a toggle.
    ModemAck,
    /// The modem's power line.
    Power,
    /// Linux' ack of the power line, a toggle.
    LinuxAck,
    /// The BAM's power.
    Bam,
}

impl Level {
    /// All of them, in the order of a wake-up.
    pub const ALL: [Self; 5] = [
        Self::Vote,
        Self::ModemAck,
        Self::Power,
        Self::LinuxAck,
        Self::Bam,
    ];
}

/// Which way a frame or a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From Linux.
    Uplink,
    /// To Linux.
    Downlink,
}

/// Whose half of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Linux' half.
    Linux,
    /// The modem's half.
    Modem,
}

/// What Linux rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doorbell {
    /// The mailbox: a state word of SMSM has changed.
    Smsm,
    /// The mailbox: there is something at the SMD port.
    Smd,
    /// The TX pipe: Linux has transfers for the modem.
    Tx,
    /// The RX pipe: Linux has buffers for the modem.
    Rx,
}

/// What a frame says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A packet.
    Data,
    /// Its sender opens its half of the channel.
    Open,
    /// Its sender closes its half of the channel.
    Close,
    /// No command of the protocol, or too short for a header.
    Nonsense,
}

/// A turn in the life of the modem or of Linux' driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// The function is reset: Linux boots.
    Reset,
    /// Linux' driver has asked for the interrupt of the power line.
    DriverCame,
    /// Linux' driver has given that interrupt back.
    DriverLeft,
    /// The firmware has started, and opens its channels.
    Boot,
    /// The firmware has crashed.
    Crash,
    /// Linux has stopped the firmware.
    Stop,
    /// There is a new firmware, which has not started yet.
    Restart,
    /// The modem stands still for a while.
    Freeze,
    /// It goes on.
    Thaw,
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A level has changed to this.
    Level(Level, bool),
    /// Linux has rung.
    Doorbell(Doorbell),
    /// An interrupt was sent to Linux.
    Interrupt(Line),
    /// A frame went through a pipe.
    Frame {
        /// Which way.
        direction: Direction,
        /// What it is.
        kind: FrameKind,
        /// Channel as its header has it.
        channel: u8,
        /// Payload in bytes as its header has it.
        len: u16,
    },
    /// Half of a channel has been opened or closed.
    Channel {
        /// Which.
        channel: u8,
        /// Whose half.
        side: Side,
        /// Opened or closed.
        open: bool,
    },
    /// A message of the control port.
    Qmi(Summary),
    /// Something of the lives of both sides.
    Milestone(Milestone),
    /// A figure of the profile was drawn.
    Drawn {
        /// Which.
        kind: Kind,
        /// Microseconds, or frames.
        number: u32,
    },
}

/// An event, and when it happened by the modem's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamped {
    /// Time since the start of the process.
    pub at: Duration,
    /// What happened.
    pub event: Event,
}

/// How the firmware is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Condition {
    /// It runs, or waits for its start.
    #[default]
    Well,
    /// It stands still for a while.
    Frozen,
    /// It has crashed, or was stopped.
    Dead,
}

/// All that lasts from one event to the next.
#[derive(Debug, Clone, Copy, Default)]
pub struct State {
    levels: [bool; Level::ALL.len()],
    /// Open halves of the channels.
    pub channels: Channels,
    /// How the firmware is.
    pub condition: Condition,
}

impl State {
    /// Whether a level is high.
    #[must_use]
    pub fn is_high(&self, level: Level) -> bool {
        self.levels[level as usize]
    }

    /// What an event makes of it.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Level(level, high) => self.levels[level as usize] = high,
            Event::Channel {
                channel,
                side,
                open,
            } => {
                let set = match side {
                    Side::Linux => &mut self.channels.host,
                    Side::Modem => &mut self.channels.modem,
                };
                if open {
                    set.insert(channel);
                } else {
                    set.remove(channel);
                }
            }
            Event::Milestone(milestone) => match milestone {
                Milestone::Reset | Milestone::Restart | Milestone::Thaw => {
                    self.condition = Condition::Well;
                }
                Milestone::Freeze => self.condition = Condition::Frozen,
                Milestone::Crash | Milestone::Stop => self.condition = Condition::Dead,
                Milestone::DriverCame | Milestone::DriverLeft | Milestone::Boot => {}
            },
            Event::Doorbell(_)
            | Event::Interrupt(_)
            | Event::Frame { .. }
            | Event::Qmi(_)
            | Event::Drawn { .. } => {}
        }
    }
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Events; 0 records none.
    pub events: usize,
    /// Bytes of packets; 0 keeps none.
    pub packets: usize,
}

impl Default for Size {
    /// A minute or more of traffic, and less than 25 MB of memory.
    fn default() -> Self {
        Self {
            events: 1 << 17,
            packets: 16 << 20,
        }
    }
}

/// The recorder.
#[derive(Debug)]
pub struct Trace {
    size: Size,
    /// After the last event.
    state: State,
    /// Before the first event that is still there.
    before: State,
    events: VecDeque<Stamped>,
    dropped: u64,
    packets: Packets,
}

impl Trace {
    /// An empty trace of a modem as it is at power-on.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self {
            size,
            state: State::default(),
            before: State::default(),
            events: VecDeque::new(),
            dropped: 0,
            packets: Packets::new(size.packets),
        }
    }

    /// Records an event.
    pub fn record(&mut self, at: Duration, event: Event) {
        self.state.apply(event);
        if self.events.len() >= self.size.events {
            self.dropped += 1;
            match self.events.pop_front() {
                Some(oldest) => self.before.apply(oldest.event),
                // Nothing is to be recorded.
                None => return,
            }
        }
        self.events.push_back(Stamped { at, event });
    }

    /// Records a turn in the life of the modem or of Linux' driver.
    pub fn milestone(&mut self, at: Duration, milestone: Milestone) {
        self.record(at, Event::Milestone(milestone));
    }

    /// Records what a level is now, if that is news.
    pub fn level(&mut self, at: Duration, level: Level, high: bool) {
        if self.state.is_high(level) != high {
            self.record(at, Event::Level(level, high));
        }
    }

    /// Records Linux' bits as they are now, as far as they are news.
    pub fn linux_bits(&mut self, at: Duration, bits: Bits) {
        self.level(at, Level::Vote, bits.power);
        self.level(at, Level::LinuxAck, bits.ack);
    }

    /// Records the modem's bits as they are now, as far as they are news.
    pub fn modem_bits(&mut self, at: Duration, bits: Bits) {
        self.level(at, Level::ModemAck, bits.ack);
        self.level(at, Level::Power, bits.power);
    }

    /// Records which channels are open now, as far as that is news.
    pub fn channels(&mut self, at: Duration, now: Channels) {
        let was = self.state.channels;
        if was == now {
            return;
        }
        for channel in 0..COUNT {
            let sides = [
                (Side::Modem, was.modem, now.modem),
                (Side::Linux, was.host, now.host),
            ];
            for (side, was, now) in sides {
                let open = now.contains(channel);
                if was.contains(channel) != open {
                    self.record(
                        at,
                        Event::Channel {
                            channel,
                            side,
                            open,
                        },
                    );
                }
            }
        }
    }

    /// Records a frame, and keeps its packet if it has one.
    pub fn frame(&mut self, at: Duration, direction: Direction, transfer: &[u8]) {
        let header = Header::parse(transfer);
        let kind = match header.map(|header| header.cmd) {
            Some(DATA) => FrameKind::Data,
            Some(OPEN) => FrameKind::Open,
            Some(CLOSE) => FrameKind::Close,
            _ => FrameKind::Nonsense,
        };
        let (channel, len) = header.map_or((0, 0), |header| (header.channel, header.len));
        self.record(
            at,
            Event::Frame {
                direction,
                kind,
                channel,
                len,
            },
        );
        if kind == FrameKind::Data && channel < COUNT {
            let payload = &transfer[HEADER..];
            let payload = &payload[..payload.len().min(len.into())];
            self.packets.push(at, direction, channel, payload);
        }
    }

    /// Records a message of the control port.
    pub fn qmi(&mut self, at: Duration, frame: &[u8]) {
        if let Some(summary) = Summary::of(frame) {
            self.record(at, Event::Qmi(summary));
        }
    }

    /// Records that the function is reset, and with it all levels and channels.
    pub fn reset(&mut self, at: Duration) {
        self.milestone(at, Milestone::Reset);
        for level in Level::ALL {
            self.level(at, level, false);
        }
        self.channels(at, Channels::default());
    }

    /// Forgets all events and packets so far, and how many were dropped.
    pub fn mark(&mut self) {
        self.before = self.state;
        self.events.clear();
        self.dropped = 0;
        self.packets = Packets::new(self.size.packets);
    }

    /// How much there is.
    #[must_use]
    pub fn amount(&self) -> Amount {
        Amount {
            events: self.events.len(),
            dropped_events: self.dropped,
            packets: self.packets.len(),
            dropped_packets: self.packets.dropped(),
        }
    }

    /// A copy of all there is, to be written when nobody waits.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            before: self.before,
            events: self.events.iter().copied().collect(),
            packets: self.packets.clone(),
            amount: self.amount(),
        }
    }
}

/// How much a trace holds, and how much it has lost for want of room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Events that are there.
    pub events: usize,
    /// Older events that are not.
    pub dropped_events: u64,
    /// Packets that are there.
    pub packets: usize,
    /// Older packets that are not.
    pub dropped_packets: u64,
}

/// A trace up to some moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// How things were before the first event.
    pub before: State,
    /// Oldest first.
    pub events: Vec<Stamped>,
    packets: Packets,
    /// How much it holds.
    pub amount: Amount,
}

impl Snapshot {
    /// The packets, oldest first.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        self.packets.iter()
    }

    /// Writes the events to one file and the packets to the other, as far as
    /// they are asked for. `clock` is what the modem's clock says now.
    ///
    /// # Errors
    /// In words that name the file.
    pub fn save(
        &self,
        json: Option<&Path>,
        pcap: Option<&Path>,
        clock: Duration,
    ) -> Result<(), SaveError> {
        let now = SystemTime::now();
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let origin = since_epoch.saturating_sub(clock);
        if let Some(path) = json {
            save(path, |out| chrome::write(self, origin, out))?;
        }
        if let Some(path) = pcap {
            save(path, |out| pcapng::write(self, origin, out))?;
        }
        Ok(())
    }
}

/// A file of a trace that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {error}")]
pub struct SaveError {
    path: String,
    error: std::io::Error,
}

fn save(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), SaveError> {
    let result = File::create(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    result.map_err(|error| SaveError {
        path: path.display().to_string(),
        error,
    })
}

#[cfg(test)]
mod tests;
