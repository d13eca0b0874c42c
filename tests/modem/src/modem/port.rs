// SPDX-License-Identifier: GPL-2.0
//! The control port: SMD carries frames between Linux and the QMI side, and
//! the calls that come of it open the gate of the data channels.

use bam_dmux_qmi::{
    Event,
    Family,
    Format,
    Identity, //
};

use super::Modem;
use crate::gate::{
    Gate,
    Verdict, //
};
use crate::msix::Line;
use crate::net::links::{
    Links,
    View, //
};
use crate::smd::layout::{
    FIFO,
    PACKET_HEADER, //
};
use crate::smd::{
    Change,
    Smd, //
};
use crate::smem::Smem;

/// Packets that fit into the FIFO, and are taken at one doorbell: another
/// vCPU could write more without end.
const MOST_PACKETS: u32 = FIFO / PACKET_HEADER;

/// The control port and what it decides about.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) smd: Smd,
    pub(super) qmi: bam_dmux_qmi::Modem,
    pub(super) gate: Gate,
    pub(super) format: Format,
    pub(super) links: Links,
    pub(super) identity: Identity,
    /// The QMI side's counters when ours were last set to 0.
    pub(super) counted: bam_dmux_qmi::Counters,
}

impl Port {
    pub(super) fn new(smem: &Smem, gate: bool) -> Self {
        let identity = Identity::default();
        Self {
            smd: Smd::create(smem),
            qmi: bam_dmux_qmi::Modem::new(identity.clone()),
            gate: Gate::new(gate),
            format: Format::default(),
            links: Links::default(),
            identity,
            counted: bam_dmux_qmi::Counters::default(),
        }
    }
}

impl Modem {
    /// The modem has started: Linux may open the port.
    pub(super) fn offer_port(&mut self) {
        self.port.smd.offer(&self.smem);
        self.run_port();
    }

    /// The firmware is new: it knows of no calls, and takes the port away
    /// until it has started.
    pub(super) fn renew_port(&mut self) {
        self.port.qmi.restart();
        self.port.gate = Gate::new(self.options.gate);
        self.port.format = Format::default();
        let change = self.port.smd.withdraw(&self.smem);
        self.note_port(change);
        self.run_port();
    }

    /// SMEM has been formatted: nothing in it is as it was.
    pub(super) fn rebuild_port(&mut self) {
        if self.port.smd.state() == crate::smd::State::Opened {
            self.note_port(Some(Change::Closed));
        }
        self.port.smd = Smd::create(&self.smem);
        self.port.qmi.restart();
        self.port.gate = Gate::new(self.port.gate.on);
        self.port.format = Format::default();
    }

    /// Does what there is to do at the port: after a doorbell of Linux, or
    /// when the QMI side may have something to say.
    pub(super) fn run_port(&mut self) {
        if self.is_still() {
            return;
        }
        let change = self.port.smd.look(&self.smem, &mut self.counters);
        self.note_port(change);
        self.carry_frames();
        for _ in 0..MOST_PACKETS {
            let Some(packet) = self.port.smd.receive(&self.smem, &mut self.counters) else {
                break;
            };
            let view = View {
                links: &self.port.links,
                channels: self.channel_plan,
                mtu: self.options.mtu,
            };
            self.trace.qmi(self.now, &packet);
            self.port.qmi.receive(&packet, &view);
            self.carry_frames();
        }
        if self.port.smd.take_interrupt() {
            self.counters.smd_irqs += 1;
            self.interrupt(Line::Smd);
        }
    }

    /// Takes frames and events from the QMI side.
    fn carry_frames(&mut self) {
        while let Some(frame) = self.port.qmi.take_frame() {
            self.trace.qmi(self.now, &frame);
            self.port.smd.send(frame, &mut self.counters);
        }
        while let Some(event) = self.port.qmi.take_event() {
            self.note_event(event);
        }
        self.port.smd.flush(&self.smem, &mut self.counters);
    }

    fn note_port(&mut self, change: Option<Change>) {
        match change {
            Some(Change::Opened) => self.events.push("smd-open"),
            Some(Change::Closed) => {
                self.events.push("smd-close");
                if self.power.draws().profile().forgets_clients {
                    self.forget_clients();
                }
            }
            None => {}
        }
    }

    /// The port is closed, and with it go its clients and their calls.
    fn forget_clients(&mut self) {
        let view = View {
            links: &self.port.links,
            channels: self.channel_plan,
            mtu: self.options.mtu,
        };
        self.port.qmi.forget_clients(&view);
        while let Some(event) = self.port.qmi.take_event() {
            self.note_event(event);
        }
    }

    fn note_event(&mut self, event: Event) {
        let (what, channel, family) = match event {
            Event::CallUp {
                channel,
                family,
                settings,
                ..
            } => {
                let address = match family {
                    Family::V4 => settings.v4.address.into(),
                    Family::V6 => settings.v6.address.into(),
                };
                self.port.gate.call_up(channel, address);
                ("call-up", channel, family)
            }
            Event::CallDown { channel, family } => {
                self.port.gate.call_down(channel, family == Family::V6);
                ("call-down", channel, family)
            }
            Event::Format(format) => {
                self.port.format = format;
                self.events.push("format");
                return;
            }
        };
        let family = match family {
            Family::V4 => 4,
            Family::V6 => 6,
        };
        self.events.push(&format!("{what}:{channel}:{family}"));
    }

    /// Whether a packet of Linux passes the gate; counts those that do not.
    pub(super) fn admit_uplink(&mut self, channel: u8, packet: &[u8]) -> bool {
        match self.port.gate.uplink(channel, packet) {
            Verdict::Pass => return true,
            Verdict::NoCall => self.counters.uplink_no_call += 1,
            Verdict::WrongSource => self.counters.uplink_wrong_source += 1,
            Verdict::LinkLocal => self.counters.uplink_link_local += 1,
        }
        false
    }

    /// Whether a packet from the network passes the gate; counts those that
    /// do not.
    pub(super) fn admit_downlink(&mut self, channel: u8, packet: &[u8]) -> bool {
        let passes = self.port.gate.downlink(channel, packet);
        self.counters.downlink_no_call += u64::from(!passes);
        passes
    }
}
