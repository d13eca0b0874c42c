// SPDX-License-Identifier: GPL-2.0
//! Frames take time: what is on its way between the pipes and the network, and
//! when it goes on.

use std::time::Duration;

use super::{
    Modem,
    TX_PIPE, //
};
use crate::pace::{
    Air,
    Budget,
    Change,
    Figures,
    Pace,
    Uplink,
    WrongBurst, //
};
use crate::power::{
    Input,
    Phase, //
};

/// Bytes from the network that may be on their way without a rate.
const LEAST_IN_AIR: usize = 64 << 10;

/// Frames on their way, and how long they take.
#[derive(Debug)]
pub(super) struct Pacing {
    pace: Pace,
    /// Linux has rung since the TX pipe was last seen empty.
    rung: bool,
    uplink: Uplink,
    downlink: Air<Vec<u8>>,
    downlink_bytes: usize,
    budget: Budget,
}

impl Pacing {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            rung: false,
            uplink: Uplink::default(),
            downlink: Air::default(),
            downlink_bytes: 0,
            budget: Budget::default(),
        }
    }

    pub(super) fn set(&mut self, pace: Pace) {
        self.pace = pace;
        self.budget = Budget::default();
        self.uplink.renew_budget();
    }

    pub(super) fn pace(&self) -> Pace {
        self.pace
    }

    /// Packets between the modem's buffer and the network.
    pub(super) fn uplink_waiting(&self) -> usize {
        self.uplink.len()
    }

    /// Packets of the network that have not reached the modem.
    pub(super) fn downlink_in_air(&self) -> usize {
        self.downlink.len()
    }

    /// Whether the rate lets the next frame to Linux go.
    pub(super) fn allows(&mut self, now: Duration) -> bool {
        let pace = self.pace;
        self.budget.allows(pace.downlink.rate, pace.burst, now)
    }

    /// A frame of so many bytes has gone to Linux.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.budget.spend(bytes);
    }

    /// Whether as much as the rate can carry is on its way from the network.
    pub(super) fn air_is_full(&self) -> bool {
        let Pace {
            downlink, burst, ..
        } = self.pace;
        let most = downlink.rate.bytes_in(downlink.latency + 2 * burst);
        self.downlink_bytes >= most.unwrap_or(0).max(LEAST_IN_AIR)
    }
}

impl Modem {
    /// How long frames take, in figures.
    #[must_use]
    pub fn pace(&self) -> Figures {
        self.pacing.pace().into()
    }

    /// Changes how long frames take; those that are on their way as well.
    ///
    /// # Errors
    /// A figure cannot be.
    pub fn change_pace(&mut self, change: &Change) -> Result<(), WrongBurst> {
        let pace = change.apply(self.pacing.pace)?;
        self.pacing.set(pace);
        self.run_pace();
        Ok(())
    }

    /// Frames that are on their way to the network or from it are lost.
    pub(super) fn clear_pace(&mut self) {
        let lost = self.pacing.uplink.len() as u64;
        self.counters.uplink_undelivered += lost;
        self.pacing = Pacing::new(self.pacing.pace());
    }

    /// Linux may have queued transfers: takes them, or lets the worker do so. The
    /// vCPU that has rung waits for the return. To be followed by
    /// [`Modem::bam_interrupt`].
    pub(super) fn take_uplink(&mut self) {
        self.pacing.rung = true;
        if self.pacing.pace.uplink.is_instant() {
            self.run_uplink();
        }
    }

    /// Lets frames go on whose time has come.
    pub(super) fn tick_pace(&mut self) {
        if self.pace_deadline().is_some_and(|at| at <= self.now) {
            self.run_pace();
        }
    }

    /// Lets all frames go on, as far as the pace allows, and tells Linux.
    fn run_pace(&mut self) {
        self.run_uplink();
        self.land_packets();
        self.flush();
    }

    /// Takes transfers and passes packets on, as far as the pace allows.
    fn run_uplink(&mut self) {
        if self.is_still() {
            return;
        }
        let mut taken = false;
        loop {
            self.pass_due();
            if !self.take_waiting() {
                break;
            }
            taken = true;
        }
        if taken {
            self.step(Input::Activity);
        }
        self.bam_interrupt();
    }

    /// Whether there are transfers in the TX pipe that the modem will take.
    pub(super) fn uplink_waits(&self) -> bool {
        self.pacing.rung && !self.faults.hold_tx && self.bam.has_descriptor(TX_PIPE)
    }

    /// Takes transfers from the TX pipe while there is room. True if any.
    fn take_waiting(&mut self) -> bool {
        let mut transfer = std::mem::take(&mut self.transfer);
        let mut any = false;
        while self.may_take() {
            let (memory, counters) = (&self.memory, &mut self.counters);
            if !self.bam.consume(TX_PIPE, memory, &mut transfer, counters) {
                self.pacing.rung = false;
                break;
            }
            any = true;
            self.uplink(&transfer);
        }
        self.transfer = transfer;
        any
    }

    fn may_take(&self) -> bool {
        let pacing = &self.pacing;
        pacing.rung && !self.faults.hold_tx && pacing.uplink.has_room(&pacing.pace)
    }

    /// A packet of Linux leaves the TX pipe for the network.
    pub(super) fn send_uplink(&mut self, channel: u8, packet: &[u8]) {
        if self.pacing.pace.uplink.is_instant() {
            self.pass_packet(channel, packet);
        } else {
            self.pacing.uplink.push(channel, packet);
        }
    }

    fn pass_due(&mut self) {
        let pace = self.pacing.pace;
        while let Some((channel, packet)) = self.pacing.uplink.take_due(&pace, self.now) {
            self.pass_packet(channel, &packet);
        }
    }

    /// A packet of the network sets out for Linux. To be followed by
    /// [`Modem::flush`].
    pub fn packet_from_network(&mut self, packet: &[u8]) {
        if self.pacing.pace.downlink.latency.is_zero() && self.pacing.downlink.is_empty() {
            self.queue_packet(packet);
        } else {
            self.pacing.downlink_bytes += packet.len();
            self.pacing.downlink.push(self.now, packet.to_vec());
        }
    }

    /// Packets of the network reach the modem, unless too many wait there.
    fn land_packets(&mut self) {
        let latency = self.pacing.pace.downlink.latency;
        while !self.downlink.is_busy() {
            let Some(packet) = self.pacing.downlink.take_due(latency, self.now) else {
                break;
            };
            self.pacing.downlink_bytes -= packet.len();
            self.queue_packet(&packet);
        }
    }

    /// When [`Modem::run_pace`] is due.
    pub(super) fn pace_deadline(&self) -> Option<Duration> {
        if self.is_still() {
            return None;
        }
        let (pacing, now) = (&self.pacing, self.now);
        let pace = &pacing.pace;
        let take = self.may_take().then_some(now);
        let pass = pacing.uplink.deadline(pace, now);
        let lands = pacing.downlink.deadline(pace.downlink.latency);
        let land = lands.filter(|_| !self.downlink.is_busy());
        let give = self
            .gives()
            .then(|| pacing.budget.next(pace.downlink.rate, pace.burst, now));
        [take, pass, land, give].into_iter().flatten().min()
    }

    /// Whether only the rate keeps frames from Linux.
    fn gives(&self) -> bool {
        let on = self.power.phase() == Phase::On && !self.faults.hold_rx;
        on && !self.downlink.is_empty() && !self.downlink.is_starved()
    }
}
