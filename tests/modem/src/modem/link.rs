// SPDX-License-Identifier: GPL-2.0
//! The data path: handshake, pipes, frames and network brought together.

use bam_dmux_qmi::Format;

use super::{
    Modem,
    RX_PIPE, //
};
use crate::bam::Produced;
use crate::dmux::frame::{
    self,
    CLOSE,
    DATA, //
};
use crate::dmux::uplink::{
    accept,
    Frame, //
};
use crate::hostile::lines::Moment;
use crate::msix::Line;
use crate::net::plan;
use crate::power::{
    Action,
    Input,
    Phase, //
};
use crate::smsm::{
    Bits,
    WITH_POWER, //
};
use crate::trace::{
    Direction,
    Event, //
};

/// Transfers that are kept for `recorded`.
const RECORD_LIMIT: usize = 65536;

impl Modem {
    /// Steps the handshake and does what it asks for.
    pub(super) fn step(&mut self, input: Input) {
        self.power.attached = self.is_attached();
        let mut actions = Vec::new();
        self.power.step(self.now, input, &mut actions);
        for (kind, number) in self.power.draws_mut().take_drawn() {
            self.trace.record(self.now, Event::Drawn { kind, number });
        }
        for action in actions {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        tracing::debug!(?action, phase = ?self.power.phase());
        let mut bits = self.smsm.modem(&self.smem);
        match action {
            Action::ToggleAck => {
                self.counters.acks_sent += 1;
                self.wakes.acked(self.now);
                bits.ack ^= true;
                self.set_bits(bits);
                self.events.push("ack");
            }
            Action::SetPower(on) => self.set_power_line(Bits { power: on, ..bits }),
            Action::SetBam(on) => {
                self.switch_bam(on);
                self.events.push(if on { "bam-on" } else { "bam-off" });
            }
            Action::Connected => {
                if !self.lines.is_playing() {
                    // Linux has seen the line rise, and so whatever it did before.
                    self.acks_due = 0;
                }
                self.events.push("connected");
                self.wakes.connected(self.now);
                self.flush();
            }
            Action::UnsolicitedAck => {
                self.counters.ap_ack_unsolicited += 1;
                self.events.push("unsolicited-ack");
            }
            Action::Vote(true) => {
                self.counters.votes_up += 1;
                self.wakes.vote(self.now, self.power.phase() == Phase::On);
                self.events.push("vote-up");
            }
            Action::Vote(false) => {
                self.counters.votes_down += 1;
                self.wakes.end();
                self.events.push("vote-down");
            }
            Action::VoteBeforeAck => self.counters.vote_before_ack += 1,
            Action::OwnWakeup => self.counters.own_wakeups += 1,
            Action::AckWithheld => self.counters.acks_withheld += 1,
            Action::AckTimeout if self.smsm.subscribed(&self.smem) => {
                self.counters.ap_ack_timeout += 1;
                self.events.push("ack-timeout");
                self.seen.unacked = true;
                self.complain(&"Linux has not acked the power line in time");
            }
            // Nobody is there who could.
            Action::AckTimeout => self.counters.ap_absent += 1,
            other => self.act_firmware(other),
        }
    }

    pub(super) fn set_power_line(&mut self, bits: Bits) {
        if self.set_bits(bits) {
            if bits.power {
                self.counters.power_ups += 1;
                self.wakes.powered(self.now);
            } else {
                self.counters.power_downs += 1;
                self.wakes.end();
            }
            self.events
                .push(if bits.power { "pc-up" } else { "pc-down" });
        }
    }

    /// Writes the modem's bits and tells Linux if they have changed.
    pub(super) fn set_bits(&mut self, bits: Bits) -> bool {
        let changed = self.write_bits(bits);
        if changed {
            self.smsm_interrupt();
        }
        changed
    }

    /// Writes the modem's bits without a word. Says whether they have changed.
    pub(super) fn write_bits(&mut self, bits: Bits) -> bool {
        let mut along = 0;
        if self.smsm.modem(&self.smem).power != bits.power {
            self.acks_due = self.acks_due.saturating_add(1);
            if self.power.draws().profile().bit12 {
                along = WITH_POWER;
            }
        }
        self.trace.modem_bits(self.now, bits);
        self.smsm.set_modem_and(&self.smem, bits, along)
    }

    pub(super) fn smsm_interrupt(&mut self) {
        self.counters.smsm_irqs += 1;
        self.interrupt(Line::Smsm);
    }

    /// Sends the BAM's interrupt if it is due. What Linux has not yet been
    /// able to look at keeps the power up: a frame that lies in its buffer
    /// while power goes is lost, for Linux then resets the pipe. So do transfers
    /// that the modem has not been able to take.
    pub(super) fn bam_interrupt(&mut self) {
        if !self.holds_interrupts() && self.bam.take_interrupt(&mut self.counters) {
            self.interrupt(Line::Bam);
        }
        if self.power.phase() == Phase::On {
            let waits = !self.downlink.is_empty()
                || self.is_hostile()
                || self.boot.opens()
                || self.uplink_waits();
            let quiet = !waits && !self.bam.interrupting();
            if quiet {
                self.losses.served();
            }
            self.step(if quiet { Input::Drained } else { Input::Wake });
        }
    }

    /// Looks at one transfer of Linux.
    pub(super) fn uplink(&mut self, transfer: &[u8]) {
        self.trace.frame(self.now, Direction::Uplink, transfer);
        self.wakes.frame(self.now);
        if self.faults.record {
            if self.record.len() < RECORD_LIMIT {
                self.record.push(transfer.to_vec());
            } else {
                self.counters.record_full += 1;
            }
        }
        match accept(transfer, &mut self.channels, &mut self.counters) {
            Frame::Data(channel, packet) => {
                self.seen.see(Moment::Frame);
                self.uplink_packet(channel, packet);
            }
            Frame::Opened(channel) => self.events.push(&format!("host-open:{channel}")),
            Frame::Closed(channel) => self.events.push(&format!("host-close:{channel}")),
            Frame::Rejected => {
                let head = &transfer[..transfer.len().min(16)];
                let len = transfer.len();
                self.complain(&format_args!(
                    "rejected a transfer of {len} bytes, beginning {head:02x?}"
                ));
            }
        }
        self.trace.channels(self.now, self.channels);
    }

    fn uplink_packet(&mut self, channel: u8, packet: &[u8]) {
        if !self.admit_uplink(channel, packet) {
            self.port.links.uplink(channel, packet, false);
            return;
        }
        if self.port.format == Format::Qmap {
            self.counters.uplink_in_qmap += 1;
            self.port.links.uplink(channel, packet, false);
            return;
        }
        self.send_uplink(channel, packet);
    }

    /// A packet of Linux has reached the network.
    pub(super) fn pass_packet(&mut self, channel: u8, packet: &[u8]) {
        let taken = if self.faults.echo {
            self.counters.echoed += 1;
            self.downlink
                .frame(DATA, channel, packet, &mut self.counters);
            self.give_downlink();
            true
        } else {
            let network = self.network.as_mut();
            network.is_some_and(|n| n.deliver(channel, packet))
        };
        self.counters.uplink_undelivered += u64::from(!taken);
        self.port.links.uplink(channel, packet, taken);
    }

    /// Gives Linux what waits, as far as there are descriptors and the rate
    /// allows. Frames flow only once Linux has acked the power-up. To be followed by
    /// [`Modem::bam_interrupt`].
    pub(super) fn give_downlink(&mut self) {
        self.give_queued();
        self.give_hostile();
    }

    fn give_queued(&mut self) {
        if self.downlink.is_empty() || self.is_still() || self.faults.hold_rx {
            return;
        }
        if self.power.phase() != Phase::On {
            self.step(Input::Wake);
            return;
        }
        let before = self.counters.downlink_frames;
        while self.pacing.allows(self.now) && self.give_next() {}
        if self.counters.downlink_frames != before {
            self.step(Input::Downlink);
        }
    }

    /// Gives Linux the next frame. False if there is none, or no descriptor.
    fn give_next(&mut self) -> bool {
        let Some(bytes) = self.downlink.front() else {
            return false;
        };
        let produced = self
            .bam
            .produce(RX_PIPE, &self.memory, bytes, &mut self.counters);
        if produced == Produced::NoDescriptor {
            self.downlink.starve(&mut self.counters);
            return false;
        }
        self.trace.frame(self.now, Direction::Downlink, bytes);
        self.port.links.downlink(bytes, produced == Produced::Done);
        self.counters.downlink_frames += 1;
        self.counters.downlink_bytes += bytes.len() as u64;
        self.pacing.spend(bytes.len());
        self.note_delivered();
        self.downlink.pop();
        true
    }

    /// Queues a packet that the network has for Linux, if it is for Linux.
    pub(super) fn queue_packet(&mut self, packet: &[u8]) {
        let Some(channel) = plan::channel_of(packet) else {
            self.counters.downlink_unroutable += 1;
            return;
        };
        if !self.channels.host.contains(channel) || !self.channels.modem.contains(channel) {
            self.counters.downlink_channel_closed += 1;
            self.port.links.downlink_dropped(channel, packet);
            return;
        }
        if !self.admit_downlink(channel, packet) {
            self.port.links.downlink_dropped(channel, packet);
            return;
        }
        match self.port.format {
            Format::RawIp => self
                .downlink
                .frame(DATA, channel, packet, &mut self.counters),
            Format::Qmap => {
                let transfer = frame::qmap(channel, packet);
                self.downlink.raw(transfer, &mut self.counters);
            }
        }
    }

    /// Gives Linux what waits and tells it so.
    pub fn flush(&mut self) {
        self.give_downlink();
        self.bam_interrupt();
    }

    /// Opens the modem's half of a channel and tells Linux, with what the command
    /// line or the last command says of the modem.
    pub(super) fn open_channel(&mut self, channel: u8) {
        let signal = self.options.open_signal;
        self.channels.modem.insert(channel);
        self.trace.channels(self.now, self.channels);
        if let Some(offered) = self.channels.offered.get_mut(usize::from(channel)) {
            *offered = signal;
        }
        self.counters.downlink_opens += 1;
        self.downlink.open(channel, signal, &mut self.counters);
    }

    /// Closes the modem's half of a channel and tells Linux.
    pub(super) fn close_channel(&mut self, channel: u8) {
        self.channels.modem.remove(channel);
        self.trace.channels(self.now, self.channels);
        self.counters.downlink_closes += 1;
        self.downlink.frame(CLOSE, channel, &[], &mut self.counters);
    }
}
