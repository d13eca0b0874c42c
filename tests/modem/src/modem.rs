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
mod hostile;
mod life;
mod lines;
mod link;
mod mmio;
mod port;

use std::time::Duration;

use crate::bam::layout::V1_7_0;
use crate::bam::Bam;
use crate::counters::Counters;
use crate::dma::GuestMemory;
use crate::dmux::channels::{
    Channels,
    Set, //
};
use crate::dmux::downlink::Downlink;
use crate::hostile::frames::run::Run;
use crate::msix::Msix;
use crate::mss::Mss;
use crate::pci::Config;
use crate::power::{
    Power,
    Times, //
};
use crate::smem::Smem;
use crate::smsm::{
    Bits,
    Smsm, //
};
use crate::tcsr::Tcsr;

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
    /// Times of the handshake.
    pub times: Times,
    /// Whether packets pass only while there is a call.
    pub gate: bool,
    /// Longest packet of a call, in bytes.
    pub mtu: u32,
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
    network: Option<Box<dyn Network>>,
    faults: Faults,
    hostile: Option<Run>,
    record: Vec<Vec<u8>>,
    boot: boot::Plan,
    lines: lines::Lines,
    seen: lines::Seen,
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
        let power = Power::new(options.times, Bits::default());
        let mut channel_plan = Set::default();
        for &channel in &options.channels {
            channel_plan.insert(channel);
        }
        let mut modem = Self {
            memory: GuestMemory::new(),
            msix: Msix::default(),
            counters: Counters::default(),
            events: Events::default(),
            config: Config::new(),
            boot: boot::Plan::new(options.boot, Duration::ZERO),
            options,
            channel_plan,
            smem,
            smsm: Smsm::default(),
            tcsr: Tcsr::default(),
            mss: Mss::default(),
            bam: Bam::new(&V1_7_0, PIPES),
            port,
            power,
            channels: Channels::default(),
            downlink: Downlink::default(),
            network,
            faults: Faults::default(),
            hostile: None,
            record: Vec::new(),
            lines: lines::Lines::default(),
            seen: lines::Seen::default(),
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
    }

    /// The function is reset: the guest (re)boots. Only mappings, interrupt
    /// connections, counters and what commands have set stay.
    pub fn reset(&mut self) {
        self.counters.device_resets += 1;
        self.rebuild();
        self.events.push("reset");
    }

    fn rebuild(&mut self) {
        self.smem.format();
        self.smsm = Smsm::create(&self.smem);
        self.rebuild_port();
        self.tcsr = Tcsr::default();
        self.mss = Mss::default();
        self.bam = Bam::new(&V1_7_0, PIPES);
        self.config = Config::new();
        let acks = self.power.acks();
        self.power = Power::new(self.power.times, Bits::default());
        self.step(crate::power::Input::Acks(acks));
        self.channels = Channels::default();
        self.downlink.clear();
        self.faults.crashed = false;
        self.lines.stop();
        self.hostile = None;
        self.acks_due = 0;
        self.boot = boot::Plan::new(self.options.boot, self.now);
    }

    /// Does what is due. To be called at [`Modem::deadline`], and after
    /// anything that the modem cannot see by itself.
    pub fn tick(&mut self) {
        self.check_boot();
        self.step(crate::power::Input::Tick);
        self.play_lines();
        self.tick_hostile();
    }

    /// When [`Modem::tick`] is due; `None`: not before something happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let boot = (!self.faults.crashed).then(|| self.boot.deadline(self.now));
        let hostile = self.hostile.as_ref().and_then(Run::deadline);
        let due = [boot, self.lines.deadline(), hostile, self.power.deadline()];
        due.into_iter().flatten().min()
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
        self.downlink.is_busy()
    }
}

#[cfg(test)]
mod tests;
