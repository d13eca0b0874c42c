// SPDX-License-Identifier: GPL-2.0
//! The modem's processor: crash, restart, and Linux' registers for both.

use std::time::Duration;

use super::lines::BOOT;
use super::{
    Boot,
    Faults,
    Modem, //
};
use crate::dmux::channels::Channels;
use crate::msix::Line;
use crate::mss::{
    Life,
    Request, //
};
use crate::power::{
    AckMode,
    Input, //
};
use crate::smsm::Bits;
use crate::trace::Milestone;

impl Modem {
    /// Linux writes to the processor's registers.
    pub(super) fn mss_write(&mut self, offset: u64, data: &[u8]) {
        match self.mss.write(offset, data, &mut self.counters) {
            Some(Request::Stop) => {
                self.halt(Life::Stopped);
                self.trace.milestone(self.now, Milestone::Stop);
                self.events.push("mss-stop");
            }
            Some(Request::Start) => {
                self.events.push("mss-start");
                if self.faults.crashed {
                    self.renew(false, self.options.boot);
                    if self.lines.boots {
                        self.boot_after(BOOT);
                    } else if self.power.draws().profile().boots_when_started
                        && self.options.boot == Boot::Manual
                    {
                        self.boot_after(Duration::ZERO);
                    }
                }
            }
            None => {}
        }
    }

    fn halt(&mut self, life: Life) {
        self.step(Input::Crash);
        self.wakes.end();
        self.faults.crashed = true;
        self.mss.set_life(life);
    }

    /// Stops the modem mid-way: lines frozen, pipes standing still. With
    /// `bam_off` the BAM loses power, too.
    pub fn crash(&mut self, bam_off: bool) {
        self.halt(Life::Crashed);
        self.trace.milestone(self.now, Milestone::Crash);
        if bam_off {
            self.switch_bam(false);
        }
        self.events.push("crash");
    }

    /// Tells Linux that the processor has crashed, as a watchdog does.
    pub fn report_crash(&mut self) {
        self.counters.mss_irqs += 1;
        self.interrupt(Line::Mss);
        self.events.push("crash-told");
    }

    /// A new firmware: no power, all channels closed, no calls, queues empty,
    /// nothing misbehaves. The ack line keeps its level unless `zero`. It
    /// starts after `delay`, or on command.
    pub fn restart(&mut self, zero: bool, delay: Option<Duration>) {
        self.renew(zero, Boot::Manual);
        match delay {
            Some(delay) => self.boot_after(delay),
            None => self.lines.boots = false,
        }
    }

    fn renew(&mut self, zero: bool, boot: Boot) {
        self.faults = Faults::default();
        self.hostile = None;
        // Linux has stopped the old one itself.
        let known = self.mss.life() == Life::Stopped;
        self.mss.set_life(Life::Running);
        self.record.clear();
        self.set_acks(AckMode::Normal);
        self.power.times = self.options.times;
        let profile = self.options.profile.clone();
        self.power.draws_mut().set_profile(profile);
        self.boot.renew(boot, self.now);
        self.channels = Channels::default();
        self.trace.milestone(self.now, Milestone::Restart);
        self.trace.channels(self.now, self.channels);
        self.downlink.clear();
        self.clear_pace();
        self.report_due = None;
        if known {
            self.power_bam(false);
            self.losses.known();
        } else {
            self.switch_bam(false);
        }
        let ack = self.smsm.modem(&self.smem).ack && !zero;
        self.set_bits(Bits { power: false, ack });
        let bits = self.smsm.apps(&self.smem);
        self.step(Input::Restart(bits));
        self.renew_port();
        self.events.push("restart");
    }
}
