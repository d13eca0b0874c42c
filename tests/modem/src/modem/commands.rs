// SPDX-License-Identifier: GPL-2.0
//! What can be asked of the modem from outside. [`crate::control`] knows how
//! the requests look.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{
    Boot,
    Modem, //
};
use crate::counters::Counters;
use crate::dmux::channels::{
    Set,
    COUNT, //
};
use crate::dmux::downlink::Corruption;
use crate::dmux::frame::DATA;
use crate::hostile::lines::{
    Edge,
    Signal, //
};
use crate::mss::Life;
use crate::pace::Figures;
use crate::power::{
    AckMode,
    Input, //
};
use crate::profile::{
    Force,
    Name, //
};
use crate::smd::State;
use crate::smsm::Bits;

/// Shortest idle time. With its interrupt served, Linux still has to take the
/// frame out of the buffer; if power goes before, the frame is lost, whatever
/// the driver does. A real modem waits much longer.
const SHORTEST_IDLE: Duration = Duration::from_millis(5);

/// Why a command is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The channel does not exist.
    #[error("channel {0} does not exist: there are 0 to 7")]
    NoSuchChannel(u8),
    /// No network has such an MTU.
    #[error("an MTU of {0} bytes: it must be 68 (IPv4) to 2040 (a frame's longest payload)")]
    BadMtu(u32),
    /// The modem has crashed.
    #[error("the modem has crashed: give it \"restart\" first")]
    Crashed,
}

/// The modem's state in words.
#[derive(Debug, Clone, Serialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a line or a fact of its own"
)]
pub struct Status {
    /// The power line.
    pub pc: bool,
    /// The ack line.
    pub ack: bool,
    /// Linux' vote as last seen.
    pub vote: bool,
    /// Linux' ack as last seen.
    pub ap_ack: bool,
    /// Phase of the handshake: off, rising, on, falling, dead.
    pub power: String,
    /// The same, by its other name.
    pub phase: String,
    /// Whether the BAM has power: from the rise of the power line until
    /// Linux has acked its fall.
    pub bam_powered: bool,
    /// Whether Linux has asked for the power line's interrupt.
    pub subscribed: bool,
    /// Whether the modem has started.
    pub booted: bool,
    /// Channels that the modem has opened.
    pub modem_open: Vec<u8>,
    /// Channels that Linux has opened.
    pub host_open: Vec<u8>,
    /// Signal bytes of Linux' OPEN frames, by channel.
    pub answers: [u8; COUNT as usize],
    /// Transfers to Linux that wait.
    pub downlink_queued: usize,
    /// Packets of the network that have not reached the modem.
    pub downlink_in_air: usize,
    /// Packets of Linux that have left the TX pipe and not reached the network.
    pub uplink_in_air: usize,
    /// How long frames take.
    pub pace: Figures,
    /// Version of the BAM.
    pub bam: &'static str,
    /// Whether each pipe runs: TX, RX.
    pub tx_running: bool,
    /// See above.
    pub rx_running: bool,
    /// Whether the TX pipe has transfers that the modem has not taken.
    pub tx_pending: bool,
    /// The modem's end of the control port: closed, opening, opened.
    pub smd: State,
    /// Whether packets need a call.
    pub gate: bool,
    /// The modem's processor: running, stopped, crashed.
    pub mss: Life,
    /// How the firmware behaves, and what its figures are drawn from.
    pub profile: Name,
    /// See above.
    pub seed: u32,
    /// Whether the whole modem stands still.
    pub frozen: bool,
    /// What is still to be made to happen, and how often.
    pub forced: BTreeMap<Force, u32>,
    /// Violations of the protocol so far, by counter.
    pub violations: serde_json::Map<String, serde_json::Value>,
}

impl Modem {
    /// The state now.
    #[must_use]
    pub fn status(&self) -> Status {
        let own = self.smsm.modem(&self.smem);
        let apps = self.power.apps();
        let violations = self.counters.violations().into_iter();
        let phase = format!("{:?}", self.power.phase()).to_lowercase();
        Status {
            pc: own.power,
            ack: own.ack,
            vote: apps.power,
            ap_ack: apps.ack,
            power: phase.clone(),
            phase,
            bam_powered: self.bam.powered(),
            subscribed: self.smsm.subscribed(&self.smem),
            booted: self.boot.started(),
            modem_open: self.channels.modem.list(),
            host_open: self.channels.host.list(),
            answers: self.channels.answered,
            downlink_queued: self.downlink.len(),
            downlink_in_air: self.pacing.downlink_in_air(),
            uplink_in_air: self.pacing.uplink_waiting(),
            pace: self.pace(),
            bam: self.options.bam.version,
            tx_running: self.bam.runs(super::TX_PIPE),
            rx_running: self.bam.runs(super::RX_PIPE),
            tx_pending: self.bam.has_descriptor(super::TX_PIPE),
            smd: self.port.smd.state(),
            gate: self.port.gate.on,
            mss: self.mss.life(),
            profile: self.power.draws().profile().name,
            seed: self.power.draws().seed(),
            frozen: self.power.frozen(),
            forced: self.power.draws().forced().clone(),
            violations: violations
                .filter(|&(_, count)| count > 0)
                .map(|(name, count)| (name.to_owned(), count.into()))
                .collect(),
        }
    }

    /// Starts all counters again from 0.
    pub fn reset_counters(&mut self) {
        self.counters = Counters::default();
        self.port.counted = self.port.qmi.counters();
        self.complaints = 0;
        self.wakes.clear();
    }

    pub(super) fn check_channels(&self, channels: &[u8]) -> Result<(), Refused> {
        if self.faults.crashed {
            return Err(Refused::Crashed);
        }
        match channels.iter().find(|&&channel| channel >= COUNT) {
            Some(&channel) => Err(Refused::NoSuchChannel(channel)),
            None => Ok(()),
        }
    }

    /// Opens the modem's half of channels, powering up for it. The signal byte is
    /// that of all OPEN frames from now on; without one it stays.
    ///
    /// # Errors
    /// A channel does not exist, or the modem has crashed.
    pub fn open(&mut self, channels: &[u8], signal: Option<u8>) -> Result<(), Refused> {
        self.check_channels(channels)?;
        self.options.open_signal = signal.unwrap_or(self.options.open_signal);
        for &channel in channels {
            self.channel_plan.insert(channel);
            self.open_channel(channel);
        }
        self.send_now();
        Ok(())
    }

    /// Closes the modem's half of channels, powering up for it.
    ///
    /// # Errors
    /// As [`Modem::open`].
    pub fn close(&mut self, channels: &[u8]) -> Result<(), Refused> {
        self.check_channels(channels)?;
        for &channel in channels {
            self.channel_plan.remove(channel);
            self.close_channel(channel);
        }
        self.send_now();
        Ok(())
    }

    /// Delivers what a command has queued. That wakes Linux even if power
    /// was taken away on request, or the modem has not started.
    pub(super) fn send_now(&mut self) {
        self.step(Input::Force {
            on: true,
            at_once: false,
        });
        self.flush();
    }

    /// Raises or lowers the power line; see [`Input::Force`].
    ///
    /// # Errors
    /// The modem has crashed.
    pub fn force_power(&mut self, on: bool, at_once: bool) -> Result<(), Refused> {
        self.check_channels(&[])?;
        if on {
            self.send_now();
        } else {
            self.step(Input::Force { on, at_once });
        }
        Ok(())
    }

    /// How votes are acked from now on.
    pub fn set_acks(&mut self, mode: AckMode) {
        self.step(Input::Acks(mode));
    }

    /// Power-down after this long without vote and transfer, whatever the profile says, at least
    /// [`SHORTEST_IDLE`]; `None`: never.
    pub fn set_idle(&mut self, idle: Option<Duration>) {
        self.power.times.idle = idle.map(|idle| idle.max(SHORTEST_IDLE));
        self.power.draws_mut().fall_when_idle();
        self.step(Input::Tick);
    }

    /// Moves a line behind the handshake's back.
    pub fn edge(&mut self, signal: Signal, edge: Edge) {
        let flip = |bits: Bits| match signal {
            Signal::Pc => Bits {
                power: !bits.power,
                ..bits
            },
            Signal::Ack => Bits {
                ack: !bits.ack,
                ..bits
            },
        };
        let bits = self.smsm.modem(&self.smem);
        match edge {
            Edge::Toggle => {
                self.set_bits(flip(bits));
            }
            Edge::Double => {
                self.set_bits(flip(bits));
                self.set_bits(bits);
            }
            Edge::Silent => {
                let _ = self.write_bits(flip(bits));
            }
        }
    }

    /// Starts the modem after a delay.
    pub fn boot_after(&mut self, delay: Duration) {
        self.boot.schedule(self.now + delay);
        if delay.is_zero() {
            self.tick();
        }
    }

    /// Starts the modem this long after Linux asks for the power line's
    /// interrupt, or after now if it has asked already.
    pub fn boot_on_subscribe(&mut self, delay: Duration) {
        self.boot.renew(Boot::OnSubscribe(delay), self.now);
    }

    /// Chooses the channels that the modem opens when it starts.
    ///
    /// # Errors
    /// A channel does not exist, or the modem has crashed.
    pub fn plan_channels(&mut self, channels: &[u8]) -> Result<(), Refused> {
        self.check_channels(channels)?;
        self.channel_plan = Set::default();
        for &channel in channels {
            self.channel_plan.insert(channel);
        }
        Ok(())
    }

    /// Sends raw bytes, each time as one transfer.
    ///
    /// # Errors
    /// The modem has crashed.
    pub fn inject(&mut self, bytes: &[u8], repeat: u32) -> Result<(), Refused> {
        self.check_channels(&[])?;
        for _ in 0..self.downlink.admit(repeat, &mut self.counters) {
            self.downlink.raw(bytes.to_vec(), &mut self.counters);
        }
        self.send_now();
        Ok(())
    }

    /// Sends a well-formed DATA frame, whether or not the channel is open.
    ///
    /// # Errors
    /// The modem has crashed. The channel is not checked.
    pub fn send_data(&mut self, channel: u8, payload: &[u8], repeat: u32) -> Result<(), Refused> {
        self.check_channels(&[])?;
        for _ in 0..self.downlink.admit(repeat, &mut self.counters) {
            self.downlink
                .frame(DATA, channel, payload, &mut self.counters);
        }
        self.send_now();
        Ok(())
    }

    /// Alters the next frames to Linux.
    pub fn corrupt(&mut self, corruption: Corruption) {
        self.downlink.set_corruption(corruption);
    }

    /// Stops or resumes taking transfers from the TX pipe.
    pub fn hold_tx(&mut self, on: bool) {
        self.faults.hold_tx = on;
        self.take_uplink();
        self.bam_interrupt();
    }

    /// Stops or resumes giving frames to Linux.
    pub fn hold_rx(&mut self, on: bool) {
        self.faults.hold_rx = on;
        self.flush();
    }

    /// Sends uplink packets back instead of to the network.
    pub fn set_echo(&mut self, on: bool) {
        self.faults.echo = on;
    }

    /// Starts (afresh) or stops keeping uplink transfers.
    pub fn set_record(&mut self, on: bool) {
        if on {
            self.record.clear();
        }
        self.faults.record = on;
    }

    /// Takes the transfers that have been kept.
    pub fn take_recorded(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.record)
    }
}
