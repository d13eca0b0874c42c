// SPDX-License-Identifier: GPL-2.0
//! What firmware does by itself or by chance, and what Linux loses by it.

use std::net::IpAddr;

use super::{
    Modem,
    RX_PIPE,
    TX_PIPE, //
};
use crate::bam::Event;
use crate::dmux::channels::COUNT;
use crate::dmux::frame::{
    Header,
    DATA,
    OPEN, //
};
use crate::net::{
    plan,
    stray, //
};
use crate::power::{
    Action,
    Assert,
    Input, //
};
use crate::profile::{
    Force,
    Kind,
    Profile, //
};
use crate::smsm::Bits;
use crate::trace::Milestone;

/// What Linux may have lost with the BAM's power without being able to know.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Pipes that ran when the power went, a bit each, and that Linux has not reset since.
    pipes: u32,
    /// Frames to Linux of which it has not served the interrupt.
    unserved: u64,
}

impl Losses {
    /// Linux has served all interrupts.
    pub(super) fn served(&mut self) {
        self.unserved = 0;
    }

    /// Linux has given all the acks that it owed: it knows.
    pub(super) fn known(&mut self) {
        self.pipes = 0;
    }
}

impl Modem {
    /// Whether nothing is taken from Linux or given to it: dead, or standing still.
    pub(super) fn is_still(&self) -> bool {
        self.faults.crashed || self.power.frozen()
    }

    /// Whether a network could reach Linux: firmware that has started, a driver, and a channel that
    /// both sides have open, with a call if calls are needed.
    pub(super) fn is_attached(&self) -> bool {
        self.boot.started() && self.smsm.subscribed(&self.smem) && self.reachable().is_some()
    }

    pub(super) fn act_firmware(&mut self, action: Action) {
        match action {
            Action::AckAndFall => {
                self.counters.acks_sent += 1;
                self.counters.coalesced_falls += 1;
                let bits = self.smsm.modem(&self.smem);
                self.events.push("ack");
                self.set_power_line(Bits {
                    power: false,
                    ack: !bits.ack,
                });
            }
            Action::PairLost => {
                self.counters.lost_pairs += 1;
                self.events.push("pair-lost");
            }
            Action::VoteUnanswered => {
                self.counters.votes_unanswered += 1;
                self.events.push("vote-unanswered");
            }
            Action::Hung => {
                self.counters.hangs += 1;
                self.events.push("hang");
            }
            Action::SelfWake(frames) => self.self_wake(frames),
            Action::Frozen => {
                self.counters.freezes += 1;
                self.events.push("freeze");
                self.trace.milestone(self.now, Milestone::Freeze);
                tracing::info!("the modem stands still");
            }
            Action::Thawed => {
                self.events.push("thaw");
                self.trace.milestone(self.now, Milestone::Thaw);
                self.take_uplink();
                self.run_port();
                self.flush();
            }
            Action::Assert(why) => self.assert(why),
            // The others are of the handshake, see `act`.
            _ => {}
        }
    }

    fn assert(&mut self, why: Assert) {
        match why {
            Assert::Fall => self.counters.asserts_fall += 1,
            Assert::Hang => {}
            Assert::Fatal => self.counters.fatals += 1,
        }
        tracing::info!(?why, "the firmware crashes");
        self.crash(false);
        self.report_crash_in_time();
    }

    /// Tells Linux of the crash, after the time that this takes.
    pub fn report_crash_in_time(&mut self) {
        let delay = self.power.draws_mut().time(Kind::CrashIrq);
        if delay.is_zero() {
            self.report_crash();
        } else {
            self.report_due = Some(self.now + delay);
        }
    }

    pub(super) fn report_if_due(&mut self) {
        if self.report_due.is_some_and(|at| at <= self.now) {
            self.report_due = None;
            self.report_crash();
        }
    }

    /// Sends answers that come too late to whoever asked: what a network does that has not heard
    /// that a transfer is over. Linux counts them as received, and nobody answers.
    fn self_wake(&mut self, frames: u32) {
        self.counters.self_wakeups += 1;
        self.events.push("self-wake");
        if let Some((channel, to)) = self.reachable() {
            for serial in 0..frames {
                let serial = u16::try_from(serial).unwrap_or(u16::MAX);
                let packet = stray::late_answer(channel, to, serial);
                self.counters.self_wakeup_frames += 1;
                self.downlink
                    .frame(DATA, channel, &packet, &mut self.counters);
            }
        }
        self.step(Input::Wake);
    }

    /// The first channel that both sides have open, and Linux' address there: that of its call, or
    /// the one that is configured by hand if no calls are needed.
    fn reachable(&self) -> Option<(u8, IpAddr)> {
        let open = |&c: &u8| self.channels.host.contains(c) && self.channels.modem.contains(c);
        (0..COUNT).filter(open).find_map(|channel| {
            let to = if self.port.gate.on {
                let calls = self.port.gate.calls(channel);
                let v6 = calls.v6.map(IpAddr::V6);
                calls.v4.map(IpAddr::V4).or(v6)?
            } else {
                IpAddr::V4(plan::linux_v4(channel))
            };
            Some((channel, to))
        })
    }

    /// Switches the BAM's power. What Linux loses by it without being able to know is counted.
    pub(super) fn switch_bam(&mut self, on: bool) {
        if !on && self.bam.powered() && self.is_unaware() {
            for pipe in [TX_PIPE, RX_PIPE] {
                if self.bam.runs(pipe) {
                    self.losses.pipes |= 1 << pipe;
                }
            }
            let lying = self.bam.pending(TX_PIPE);
            self.counters.uplink_lost_unaware += u64::from(lying);
            self.counters.downlink_lost_unaware += self.losses.unserved;
        }
        self.losses.served();
        self.power_bam(on);
    }

    /// Whether Linux cannot know that the BAM has no power: the line is high, or Linux has not acked
    /// its fall.
    pub(super) fn is_unaware(&self) -> bool {
        self.smsm.modem(&self.smem).power || self.acks_due > 0
    }

    /// Judges a doorbell of a pipe that does not run, by the rule for registers without power.
    pub(super) fn note_misuse(&mut self, event: Event) {
        match event {
            Event::Doorbell(pipe) if self.losses.pipes & 1 << pipe != 0 => {
                self.counters.pipe_misuse_unaware += 1;
                self.counters.uplink_lost_unaware += u64::from(pipe == TX_PIPE);
            }
            _ => {}
        }
    }

    /// Linux has made a pipe anew: what it does from now on is its own doing.
    pub(super) fn note_reset(&mut self, event: Event) {
        match event {
            Event::PipeReset(pipe) => self.losses.pipes &= !(1 << pipe),
            Event::BamReset => self.losses.known(),
            Event::Doorbell(_) | Event::None => {}
        }
    }

    /// A frame of the queue has been given to Linux.
    pub(super) fn note_delivered(&mut self) {
        self.losses.unserved += 1;
        let header = self.downlink.front().and_then(Header::parse);
        if let Some(header) = header.filter(|header| header.cmd == OPEN) {
            self.events.push(&format!("open:{}", header.channel));
        }
    }

    /// The profile and its seed.
    #[must_use]
    pub fn profile(&self) -> (Profile, u32) {
        (self.options.profile.clone(), self.options.seed)
    }

    /// Other figures from now on and after restarts, and another seed, which begins anew.
    pub fn set_profile(&mut self, profile: Profile, seed: u32) {
        tracing::info!(name = ?profile.name, seed, "profile");
        self.options.profile = profile.clone();
        self.options.seed = seed;
        self.power.set_draws(self.now, profile, seed);
        self.step(Input::Tick);
    }

    /// Makes something happen at its next `count` opportunities.
    pub fn force(&mut self, what: Force, count: u32) {
        self.power.draws_mut().force(what, count);
        self.step(Input::Tick);
    }
}
