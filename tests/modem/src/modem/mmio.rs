// SPDX-License-Identifier: GPL-2.0
//! BAR 0: which register space an offset belongs to.

use super::{
    Modem,
    RX_PIPE,
    TX_PIPE, //
};
use crate::bam::Event;
use crate::hostile::lines::Moment;
use crate::power::{
    Input,
    Phase, //
};
use crate::trace::Doorbell;
use crate::{
    apcs,
    mss,
    tcsr,
    trace, //
};

const APCS: u64 = 0x2_0000;
const TCSR: u64 = 0x4_0000;
const TEST: u64 = 0x6_0000;
const TEST_SIZE: u64 = 0x10;
const MSS: u64 = 0x7_0000;

/// First test register: reads as "DMUX".
const TEST_ID: u32 = u32::from_le_bytes(*b"DMUX");

/// The register spaces of BAR 0, with the offset inside.
enum Space {
    Bam(u64),
    Apcs(u64),
    Tcsr(u64),
    /// 0: an identification, 4: a word to write and read back, 8: fires the
    /// vector whose number is written.
    Test(u64),
    Mss(u64),
    Nothing,
}

impl Modem {
    fn space(&self, offset: u64) -> Space {
        let within = |base: u64, size: u64| offset.checked_sub(base).filter(|&at| at < size);
        if let Some(at) = within(0, self.bam.size()) {
            Space::Bam(at)
        } else if let Some(at) = within(APCS, apcs::SIZE) {
            Space::Apcs(at)
        } else if let Some(at) = within(TCSR, tcsr::SIZE) {
            Space::Tcsr(at)
        } else if let Some(at) = within(TEST, TEST_SIZE) {
            Space::Test(at)
        } else if let Some(at) = within(MSS, mss::SIZE) {
            Space::Mss(at)
        } else {
            Space::Nothing
        }
    }

    /// The guest reads registers.
    pub fn bar0_read(&mut self, offset: u64, data: &mut [u8]) {
        match self.space(offset) {
            Space::Bam(at) => {
                self.note_unpowered("read", at);
                if self.bam.reports(RX_PIPE, at) {
                    self.hostile_reported();
                }
                self.bam.read(at, data, &mut self.counters);
            }
            // Write-only registers.
            Space::Apcs(_) => data.fill(0),
            Space::Tcsr(at) => self.tcsr.read(at, data, &mut self.counters),
            Space::Test(at) => {
                let value = match at {
                    0 => TEST_ID,
                    4 => self.scratch,
                    _ => 0,
                };
                data.fill(0);
                let bytes = value.to_le_bytes();
                data.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            }
            Space::Mss(at) => self.mss.read(at, data, &mut self.counters),
            Space::Nothing => {
                self.counters.unmapped_access += 1;
                data.fill(0);
            }
        }
    }

    /// The guest writes a register. The vCPU waits for the return, so that
    /// nothing here may wait for the guest.
    pub fn bar0_write(&mut self, offset: u64, data: &[u8]) {
        match self.space(offset) {
            Space::Bam(at) => {
                self.note_unpowered("write", at);
                let misuse = self.counters.pipe_misuse;
                let event = self.bam.write(at, data, &mut self.counters);
                if self.counters.pipe_misuse > misuse {
                    self.note_misuse(event);
                }
                self.note_reset(event);
                self.bam_event(event);
            }
            Space::Apcs(at) => {
                let rung = apcs::rung(at, data, &mut self.counters);
                if rung.smsm {
                    self.doorbell(Doorbell::Smsm);
                    self.check_boot();
                    self.see_apps();
                    // Read again: a hostile modem may have changed them.
                    let bits = self.smsm.apps(&self.smem);
                    self.step(Input::Apps(bits));
                }
                if rung.smd {
                    self.doorbell(Doorbell::Smd);
                    self.run_port();
                }
            }
            Space::Tcsr(at) => self.tcsr.write(at, data, &mut self.counters),
            Space::Test(at) => {
                let value = data
                    .first_chunk()
                    .map_or(0, |bytes| u32::from_le_bytes(*bytes));
                match at {
                    4 => self.scratch = value,
                    8 => self.msix.fire(value),
                    _ => {}
                }
            }
            Space::Mss(at) => self.mss_write(at, data),
            Space::Nothing => self.counters.unmapped_access += 1,
        }
    }

    fn doorbell(&mut self, doorbell: Doorbell) {
        self.trace
            .record(self.now, trace::Event::Doorbell(doorbell));
    }

    /// Linux has rung: looks what it has changed, before the modem acts on it.
    fn see_apps(&mut self) {
        let (new, old) = (self.smsm.apps(&self.smem), self.power.apps());
        self.trace.linux_bits(self.now, new);
        if new.ack != old.ack {
            self.counters.acks_seen += 1;
            self.acks_due = self.acks_due.saturating_sub(1);
            self.see_disconnected();
            if self.acks_due == 0 {
                self.losses.known();
            }
            self.seen.see(Moment::Ack);
            self.events.push("linux-ack");
        }
        match (old.power, new.power) {
            (false, true) => self.seen.see(Moment::Vote),
            (true, false) => self.seen.see(Moment::Unvote),
            _ => {}
        }
        self.play_lines();
    }

    /// Linux has acked a change of the power line: if it is the fall, and no older change is
    /// without its ack, both pipes have to be at rest.
    fn see_disconnected(&mut self) {
        let of_fall = self.power.phase() == Phase::Falling && self.acks_due == 0;
        if of_fall && (self.bam.enabled(TX_PIPE) || self.bam.enabled(RX_PIPE)) {
            self.counters.acked_connected += 1;
            self.complain(&"Linux acked the fall of the power line with a pipe still enabled");
        }
    }

    fn note_unpowered(&mut self, what: &str, offset: u64) {
        if !self.bam.powered() {
            let phase = self.power.phase();
            let words =
                format!("{what} of BAM register {offset:#x} without power (phase {phase:?})");
            let unaware = self.is_unaware();
            // It may run on another processor while the driver is told that the
            // power goes, and nothing of the DMA engine's can keep it from that.
            if unaware || self.bam.is_for_handler(offset) {
                self.counters.unpowered_unaware += 1;
                tracing::debug!("{words}; Linux could not know");
            } else {
                self.complain(&words);
            }
        }
    }

    fn bam_event(&mut self, event: Event) {
        match event {
            Event::Doorbell(TX_PIPE) => {
                self.counters.tx_doorbells += 1;
                self.doorbell(Doorbell::Tx);
                self.take_uplink();
            }
            Event::Doorbell(RX_PIPE) => {
                self.counters.rx_doorbells += 1;
                self.doorbell(Doorbell::Rx);
                self.give_downlink();
            }
            Event::BamReset => self.events.push("bam-reset"),
            Event::Doorbell(_) | Event::PipeReset(_) | Event::None => {}
        }
        self.bam_interrupt();
        self.play_lines();
    }
}
