// SPDX-License-Identifier: GPL-2.0
//! Carries out runs of hostile frames: into Linux' buffers, past the queue.
//!
//! Frames go out while Linux has descriptors, at its doorbells and whenever
//! the worker looks. The power stays up until the run is over.

use super::{
    Modem,
    Refused,
    RX_PIPE, //
};
use crate::hostile::frames::item::{
    Item,
    Kind, //
};
use crate::hostile::frames::payload::{
    FIRST,
    LATE, //
};
use crate::hostile::frames::run::{
    Buffer,
    Change,
    Order,
    Run,
    Status, //
};
use crate::msix::Line;
use crate::power::{
    Input,
    Phase, //
};
use crate::trace::{
    Direction,
    Event, //
};

/// Items that are written at once: the guest waits for the lock.
const BATCH: usize = 64;

impl Modem {
    /// Begins a run, in place of one before, and wakes Linux for it.
    ///
    /// # Errors
    /// The modem has crashed.
    pub fn start_hostile(&mut self, order: Order) -> Result<(), Refused> {
        self.check_channels(&[])?;
        self.hostile = Some(Run::new(order));
        self.send_now();
        Ok(())
    }

    /// Ends a run, whatever is left of it.
    pub fn stop_hostile(&mut self) {
        if let Some(run) = &mut self.hostile {
            run.stop();
            self.flush();
        }
    }

    /// How far the run is, if there has been one.
    #[must_use]
    pub fn hostile_status(&self) -> Option<Status> {
        self.hostile.as_ref().map(Run::status)
    }

    pub(super) fn is_hostile(&self) -> bool {
        self.hostile.as_ref().is_some_and(Run::is_active)
    }

    /// Whether the run wants Linux to hear nothing for now.
    pub(super) fn holds_interrupts(&self) -> bool {
        self.hostile.as_ref().is_some_and(Run::holds_interrupts)
    }

    /// Fills Linux' buffers. To be followed by [`Modem::bam_interrupt`].
    pub(super) fn give_hostile(&mut self) {
        if !self.is_hostile() || self.faults.crashed || self.faults.hold_rx {
            return;
        }
        if self.power.phase() != Phase::On {
            self.step(Input::Wake);
            return;
        }
        for _ in 0..BATCH {
            let Some((serial, item)) = self.hostile.as_ref().and_then(Run::next) else {
                break;
            };
            let given = if item.kind == Kind::Late {
                self.write_late(serial, &item)
            } else {
                self.write_frame(serial, &item)
            };
            if !given {
                break;
            }
        }
    }

    /// False if there is no descriptor.
    fn write_frame(&mut self, serial: u32, item: &Item) -> bool {
        let lent = self.bam.lend(RX_PIPE, &self.memory, &mut self.counters);
        let (Some(descriptor), Some(run)) = (lent, &mut self.hostile) else {
            return false;
        };
        let (address, size) = (descriptor.address, descriptor.size);
        let bytes = run.table().transfer(item, serial, FIRST);
        // Each item has one buffer, so that the run knows which.
        let len = u16::try_from(bytes.len()).map_or(size, |len| len.min(size));
        let part = &bytes[..len.into()];
        let written = self.memory.write(address.into(), part);
        self.bam.complete(RX_PIPE, &self.memory, descriptor, len);
        self.counters.dma_outside_mapping += u64::from(written.is_err());
        self.trace
            .frame(self.now, Direction::Downlink, &bytes[..usize::from(len)]);
        self.counters.downlink_frames += 1;
        self.counters.downlink_bytes += u64::from(len);
        let whole = written.is_ok() && part.len() == bytes.len();
        let buffer = Buffer { address, size };
        if run.written(item, &bytes, buffer, whole, self.now) {
            self.bam_interrupt();
        }
        true
    }

    /// Always true: no descriptor is needed.
    fn write_late(&mut self, serial: u32, item: &Item) -> bool {
        let Some(run) = &mut self.hostile else {
            return true;
        };
        if let Some(buffer) = run.late_target() {
            let mut bytes = run.table().transfer(item, serial, LATE);
            bytes.truncate(buffer.size.into());
            // Linux may have unmapped it for good.
            let _ = self.memory.write(buffer.address.into(), &bytes);
            run.written_late(item, &bytes, buffer);
        }
        true
    }

    /// Linux asks which receive descriptors are done.
    pub(super) fn hostile_reported(&mut self) {
        let Some(run) = &mut self.hostile else {
            return;
        };
        for change in run.reported(self.now) {
            self.apply(&change);
        }
    }

    /// False if the buffer is something else by now.
    fn apply(&mut self, change: &Change) -> bool {
        let address = u64::from(change.buffer.address);
        for _ in 0..change.flips {
            if !self.apply_once(change) {
                return false;
            }
            // It was mapped a moment ago.
            let _ = self.memory.write(address, &change.before);
        }
        self.apply_once(change)
    }

    fn apply_once(&mut self, change: &Change) -> bool {
        let address = u64::from(change.buffer.address);
        let (offset, expected) = &change.still;
        let mut present = vec![0; expected.len()];
        let read = self.memory.read(address + *offset as u64, &mut present);
        if read.is_err() || present != *expected {
            return false;
        }
        let size = usize::from(change.buffer.size);
        for (offset, bytes) in &change.writes {
            if offset + bytes.len() <= size {
                // It was mapped a moment ago.
                let _ = self.memory.write(address + *offset as u64, bytes);
            }
        }
        true
    }

    /// Does what is due of the run.
    pub(super) fn tick_hostile(&mut self) {
        let Some(run) = &mut self.hostile else {
            return;
        };
        let was_active = run.is_active();
        for change in run.due(self.now) {
            let done = self.apply(&change);
            if let Some(run) = &mut self.hostile {
                run.rewritten(done);
            }
        }
        let Some(run) = &mut self.hostile else {
            return;
        };
        if run.storm_is_due(self.now) {
            self.trace.record(self.now, Event::Interrupt(Line::Bam));
            self.msix.fire(Line::Bam as u32);
        }
        if run.resume(self.now) {
            self.flush();
        }
        if was_active && !self.is_hostile() {
            self.hostile_over();
        }
    }

    fn hostile_over(&mut self) {
        if let Some(run) = &mut self.hostile {
            run.finish();
        }
        self.events.push("hostile-done");
        self.bam_interrupt();
    }
}
