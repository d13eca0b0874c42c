// SPDX-License-Identifier: GPL-2.0
//! The data path: handshake, pipes, frames and network brought together.

use super::{
    Modem,
    RX_PIPE,
    TX_PIPE, //
};
use crate::bam::Produced;
use crate::dmux::frame::{
    CLOSE,
    DATA,
    OPEN, //
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
use crate::smsm::Bits;

/// Transfers that are kept for `recorded`.
const RECORD_LIMIT: usize = 65536;

impl Modem {
    /// Steps the handshake and does what it asks for.
    pub(super) fn step(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.power.step(self.now, input, &mut actions);
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
                bits.ack ^= true;
                self.set_bits(bits);
                self.events.push("ack");
            }
            Action::SetPower(on) => self.set_power_line(Bits { power: on, ..bits }),
            Action::SetBam(on) => {
                self.bam.set_power(on);
                self.events.push(if on { "bam-on" } else { "bam-off" });
            }
            Action::Connected => {
                if !self.lines.is_playing() {
                    // Linux has seen the line rise, and so whatever it did before.
                    self.acks_due = 0;
                }
                self.events.push("connected");
                self.flush();
            }
            Action::UnsolicitedAck => {
                self.counters.ap_ack_unsolicited += 1;
                self.events.push("unsolicited-ack");
            }
            Action::Vote(true) => {
                self.counters.votes_up += 1;
                self.events.push("vote-up");
            }
            Action::Vote(false) => {
                self.counters.votes_down += 1;
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
        }
    }

    fn set_power_line(&mut self, bits: Bits) {
        if self.set_bits(bits) {
            if bits.power {
                self.counters.power_ups += 1;
            } else {
                self.counters.power_downs += 1;
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
        if self.smsm.modem(&self.smem).power != bits.power {
            self.acks_due = self.acks_due.saturating_add(1);
        }
        self.smsm.set_modem(&self.smem, bits)
    }

    pub(super) fn smsm_interrupt(&mut self) {
        self.counters.smsm_irqs += 1;
        self.msix.fire(Line::Smsm as u32);
    }

    /// Sends the BAM's interrupt if it is due. What Linux has not yet been
    /// able to look at keeps the power up: a frame that lies in its buffer
    /// while power goes is lost, for Linux then resets the pipe.
    pub(super) fn bam_interrupt(&mut self) {
        if !self.holds_interrupts() && self.bam.take_interrupt(&mut self.counters) {
            self.msix.fire(Line::Bam as u32);
        }
        if self.power.phase() == Phase::On {
            let waits = !self.downlink.is_empty() || self.is_hostile();
            let quiet = !waits && !self.bam.interrupting();
            self.step(if quiet { Input::Drained } else { Input::Wake });
        }
    }

    /// Takes all transfers from the TX pipe, unless told to let them lie.
    pub(super) fn take_uplink(&mut self) {
        if self.faults.hold_tx || self.faults.crashed {
            return;
        }
        let mut transfer = std::mem::take(&mut self.transfer);
        let mut any = false;
        while self
            .bam
            .consume(TX_PIPE, &self.memory, &mut transfer, &mut self.counters)
        {
            any = true;
            self.uplink(&transfer);
        }
        self.transfer = transfer;
        if any {
            self.step(Input::Activity);
            self.bam_interrupt();
        }
    }

    fn uplink(&mut self, transfer: &[u8]) {
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
    }

    fn uplink_packet(&mut self, channel: u8, packet: &[u8]) {
        if !self.admit_uplink(channel, packet) {
            self.port.links.uplink(channel, packet, false);
            return;
        }
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

    /// Gives Linux what waits, as far as there are descriptors. Frames flow
    /// only once Linux has acked the power-up. To be followed by
    /// [`Modem::bam_interrupt`].
    pub(super) fn give_downlink(&mut self) {
        self.give_queued();
        self.give_hostile();
    }

    fn give_queued(&mut self) {
        if self.downlink.is_empty() || self.faults.crashed || self.faults.hold_rx {
            return;
        }
        if self.power.phase() != Phase::On {
            self.step(Input::Wake);
            return;
        }
        while let Some(bytes) = self.downlink.front() {
            let len = bytes.len() as u64;
            let produced = self
                .bam
                .produce(RX_PIPE, &self.memory, bytes, &mut self.counters);
            match produced {
                Produced::NoDescriptor => {
                    self.downlink.starve(&mut self.counters);
                    break;
                }
                Produced::Truncated => self.counters.downlink_truncated += 1,
                Produced::Done | Produced::Lost => {}
            }
            let intact = matches!(produced, Produced::Done);
            self.port.links.downlink(bytes, intact);
            self.counters.downlink_frames += 1;
            self.counters.downlink_bytes += len;
            self.downlink.pop();
        }
    }

    /// Queues and delivers a packet that the network has for Linux.
    pub fn packet_from_network(&mut self, packet: &[u8]) {
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
        self.downlink
            .frame(DATA, channel, packet, &mut self.counters);
    }

    /// Delivers what [`Modem::packet_from_network`] has queued.
    pub fn flush(&mut self) {
        self.give_downlink();
        self.bam_interrupt();
    }

    /// Opens the modem's half of a channel and tells Linux.
    pub(super) fn open_channel(&mut self, channel: u8) {
        self.channels.modem.insert(channel);
        self.counters.downlink_opens += 1;
        self.downlink.frame(OPEN, channel, &[], &mut self.counters);
    }

    /// Closes the modem's half of a channel and tells Linux.
    pub(super) fn close_channel(&mut self, channel: u8) {
        self.channels.modem.remove(channel);
        self.counters.downlink_closes += 1;
        self.downlink.frame(CLOSE, channel, &[], &mut self.counters);
    }
}
