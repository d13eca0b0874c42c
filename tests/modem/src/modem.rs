// SPDX-License-Identifier: GPL-2.0
//! The modem as a whole: hardware, handshake and DMUX peer, wired together.
//!
//! A [`Modem`] is plain data under one lock. Whoever holds it (a register
//! access of the guest, the worker, a command) runs it to its next rest;
//! nothing in here waits.

mod boot;
mod calls;
mod commands;
mod events;
mod firmware;
mod hostile;
mod life;
mod lines;
mod link;
mod mmio;
mod pacing;
mod port;
mod replay;

use std::time::Duration;

use crate::bam::layout::V1_7_0;
use crate::bam::{
    Bam,
    Layout, //
};
use crate::counters::Counters;
use crate::dma::GuestMemory;
use crate::dmux::channels::{
    Channels,
    Set,
    COUNT, //
};
use crate::dmux::downlink::Downlink;
use crate::hostile::frames::run::Run;
use crate::msix::{
    Line,
    Msix, //
};
use crate::mss::Mss;
use crate::pace::Pace;
use crate::pci::Config;
use crate::power::{
    Power,
    Times, //
};
use crate::profile::{
    Draws,
    Profile, //
};
use crate::smem::Smem;
use crate::smsm::{
    Bits,
    Smsm, //
};
use crate::tcsr::Tcsr;
use crate::trace::{
    Event,
    Level,
    Size,
    Trace, //
};
use crate::wakes::Wakes;

pub use boot::{
    Boot,
    ParseBootError, //
};
pub use calls::CallStatus;
pub use commands::{
    Refused,
    Status, //
};
pub use events::Events;
pub use lines::{
    LinesPlan,
    LinesReport, //
};

/// Pipes of the BAM.
pub const PIPES: u8 = 6;
/// The pipe that Linux sends on.
pub const TX_PIPE: u8 = 4;
/// The pipe that Linux receives on.
pub const RX_PIPE: u8 = 5;

/// What the MTU of a call can be, in bytes: from IPv4's shortest to the longest
/// payload of a frame.
pub const MTU: std::ops::RangeInclusive<u32> = 68..=2040;

/// Complaints about the guest that are logged.
const COMPLAINTS: u32 = 200;

/// Takes the packets that Linux sends.
pub trait Network: Send {
    /// Delivers one packet, without waiting. False if it was dropped.
    fn deliver(&mut self, channel: u8, packet: &[u8]) -> bool;
}

/// What the command line decides.
#[derive(Debug, Clone)]
pub struct Options {
    /// Channels that the modem opens after it has started.
    pub channels: Vec<u8>,
    /// When the modem starts.
    pub boot: Boot,
    /// Times of the handshake that no profile has.
    pub times: Times,
    /// How the firmware behaves.
    pub profile: Profile,
    /// What its figures are drawn from.
    pub seed: u32,
    /// Whether packets pass only while there is a call.
    pub gate: bool,
    /// Longest packet of a call, in bytes.
    pub mtu: u32,
    /// How long frames take.
    pub pace: Pace,
    /// Version of the BAM.
    pub bam: &'static Layout,
    /// Signal byte of OPEN frames to Linux.
    pub open_signal: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            channels: (0..COUNT).collect(),
            boot: Boot::Manual,
            times: Times::default(),
            profile: Profile::instant(),
            seed: 1,
            gate: false,
            mtu: 1500,
            pace: Pace::instant(),
            bam: &V1_7_0,
            open_signal: 0,
        }
    }
}

/// Ways in which the modem misbehaves or helps, on request.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
struct Faults {
    hold_tx: bool,
    hold_rx: bool,
    echo: bool,
    record: bool,
    crashed: bool,
}

/// The modem.
pub struct Modem {
    /// The guest's memory; mapped and unmapped by the server.
    pub memory: GuestMemory,
    /// Interrupts; connected by the server.
    pub msix: Msix,
    /// What has been counted.
    pub counters: Counters,
    /// What has happened.
    pub events: Events,
    /// PCI configuration space.
    pub config: Config,
    /// What has happened, for people to look at.
    pub trace: Trace,
    options: Options,
    channel_plan: Set,
    smem: Smem,
    smsm: Smsm,
    tcsr: Tcsr,
    mss: Mss,
    bam: Bam,
    port: port::Port,
    power: Power,
    channels: Channels,
    downlink: Downlink,
    pacing: pacing::Pacing,
    network: Option<Box<dyn Network>>,
    faults: Faults,
    hostile: Option<Run>,
    record: Vec<Vec<u8>>,
    boot: boot::Plan,
    lines: lines::Lines,
    seen: lines::Seen,
    /// Wake-ups that Linux asked for.
    pub wakes: Wakes,
    losses: firmware::Losses,
    replay: Option<replay::Playing>,
    /// When the processor's crash is reported.
    report_due: Option<Duration>,
    /// Acks that Linux may still have to give for changes of the power line.
    acks_due: u32,
    scratch: u32,
    complaints: u32,
    now: Duration,
    transfer: Vec<u8>,
}

impl Modem {
    /// A modem that has not started, with SMEM formatted.
    ///
    /// # Errors
    /// There is no memory for SMEM.
    pub fn new(
        options: Options,
        network: Option<Box<dyn Network>>,
    ) -> Result<Self, crate::smem::Error> {
        let smem = Smem::new()?;
        smem.format();
        let port = port::Port::new(&smem, options.gate);
        let draws = Draws::new(options.profile.clone(), options.seed);
        let power = Power::new(options.times, draws, Bits::default());
        let mut channel_plan = Set::default();
        for &channel in &options.channels {
            channel_plan.insert(channel);
        }
        let bam = Bam::new(options.bam, PIPES);
        let pacing = pacing::Pacing::new(options.pace);
        let mut modem = Self {
            memory: GuestMemory::new(),
            msix: Msix::default(),
            counters: Counters::default(),
            events: Events::default(),
            config: Config::new(),
            trace: Trace::new(Size::default()),
            boot: boot::Plan::new(options.boot, Duration::ZERO),
            options,
            channel_plan,
            smem,
            smsm: Smsm::default(),
            tcsr: Tcsr::default(),
            mss: Mss::default(),
            bam,
            port,
            power,
            channels: Channels::default(),
            downlink: Downlink::default(),
            pacing,
            network,
            faults: Faults::default(),
            hostile: None,
            record: Vec::new(),
            lines: lines::Lines::default(),
            seen: lines::Seen::default(),
            wakes: Wakes::default(),
            losses: firmware::Losses::default(),
            replay: None,
            report_due: None,
            acks_due: 0,
            scratch: 0,
            complaints: 0,
            now: Duration::ZERO,
            transfer: Vec::new(),
        };
        modem.rebuild();
        Ok(modem)
    }

    /// The file behind SMEM, for the VMM to map.
    #[must_use]
    pub fn smem_fd(&self) -> std::os::fd::RawFd {
        self.smem.fd()
    }

    /// Moves the clock; time never goes back.
    pub fn set_time(&mut self, now: Duration) {
        self.now = self.now.max(now);
        self.events.now = self.now;
    }

    /// The function is reset: the guest (re)boots. Only mappings, interrupt
    /// connections, counters and what commands have set stay.
    pub fn reset(&mut self) {
        self.counters.device_resets += 1;
        self.rebuild();
        self.trace.reset(self.now);
        self.events.push("reset");
    }

    fn rebuild(&mut self) {
        self.smem.format();
        self.smsm = Smsm::create(&self.smem);
        self.rebuild_port();
        self.tcsr = Tcsr::default();
        self.mss = Mss::default();
        self.bam = Bam::new(self.options.bam, PIPES);
        self.config = Config::new();
        self.power.reset(Bits::default());
        self.channels = Channels::default();
        self.downlink.clear();
        self.clear_pace();
        self.faults.crashed = false;
        self.lines.stop();
        self.hostile = None;
        self.acks_due = 0;
        self.wakes.end();
        self.losses = firmware::Losses::default();
        self.report_due = None;
        self.boot = boot::Plan::new(self.options.boot, self.now);
    }

    /// Does what is due. To be called at [`Modem::deadline`], and after
    /// anything that the modem cannot see by itself.
    pub fn tick(&mut self) {
        self.report_if_due();
        self.check_boot();
        self.step(crate::power::Input::Tick);
        self.play_lines();
        self.tick_hostile();
        self.tick_pace();
    }

    /// When [`Modem::tick`] is due; `None`: not before something happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let boot = (!self.faults.crashed).then(|| self.boot.deadline(self.now));
        let hostile = self.hostile.as_ref().and_then(Run::deadline);
        let due = [
            boot,
            self.lines.deadline(),
            hostile,
            self.power.deadline(),
            self.report_due,
            self.pace_deadline(),
        ];
        due.into_iter().flatten().min()
    }

    /// Sends an interrupt to Linux.
    fn interrupt(&mut self, line: Line) {
        self.trace.record(self.now, Event::Interrupt(line));
        self.msix.fire(line as u32);
    }

    /// Switches the BAM's power.
    fn power_bam(&mut self, on: bool) {
        self.bam.set_power(on, &mut self.counters);
        self.trace.level(self.now, Level::Bam, on);
    }

    /// Logs what the guest does wrong. It could do so without end, so the log
    /// stops while the counters go on.
    fn complain(&mut self, words: &dyn std::fmt::Display) {
        self.complaints = self.complaints.saturating_add(1);
        match self.complaints {
            1..COMPLAINTS => tracing::warn!("{words}"),
            COMPLAINTS => tracing::warn!("{words}; no more of these, see the counters"),
            _ => tracing::debug!("{words}"),
        }
    }

    /// Whether the network should keep its packets for now.
    #[must_use]
    pub fn downlink_is_busy(&self) -> bool {
        self.downlink.is_busy() || self.pacing.air_is_full()
    }
}

#[cfg(test)]
mod tests;
