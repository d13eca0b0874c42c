// SPDX-License-Identifier: GPL-2.0
//! The BAM: a DMA engine with pipes, each a ring of descriptors.
//!
//! The application processors program it; the modem powers it and is the
//! peer of its pipes. Derived from what `drivers/dma/qcom/bam_dma.c` relies on.
//!
//! What goes to the guest is written back into its descriptors: the received
//! size, and EOT where a transfer ends. That hardware does so is known from
//! Qualcomm's driver (`sps_bam.c`), which reads both again from pipes to the
//! guest only. Inferred: a transfer that is longer than its buffer goes on in
//! the next one, and waits for it; the EOT that the guest itself sets in such a
//! descriptor means nothing; flags other than EOT stay as they were.
//!
//! Limitations: system mode only; one execution environment.

pub mod layout;
mod line;
mod pipe;

use crate::counters::Counters;
use crate::dma::GuestMemory;
use crate::register::{
    Block,
    Outcome, //
};
pub use layout::{
    Layout,
    PipeReg,
    Reg, //
};
use line::LevelLine;
pub use pipe::Descriptor;
use pipe::Pipe;

const CTRL_SW_RST: u32 = 1 << 0;
const CTRL_EN: u32 = 1 << 1;
const BAM_SOURCE: u32 = 1 << 31;

/// What a write by the guest asks of the modem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Nothing beyond the register's new value.
    None,
    /// New descriptors on this pipe.
    Doorbell(u8),
    /// This pipe has lost its descriptors.
    PipeReset(u8),
    /// All pipes have lost their descriptors.
    BamReset,
}

/// What became of a downlink transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Produced {
    /// It lies in the guest's memory.
    Done,
    /// No descriptor, or not enough of them; try again with the same transfer at
    /// the next doorbell.
    NoDescriptor,
    /// The descriptor or its buffer is outside of the guest's memory; the
    /// transfer is lost.
    Lost,
}

/// A BAM with its registers and pipes.
#[derive(Debug)]
pub struct Bam {
    size: u64,
    regs: Block<Reg>,
    pipes: Vec<Pipe>,
    powered: bool,
    line: LevelLine,
}

impl Bam {
    /// An unpowered BAM with `pipes` pipes (at most 31).
    #[must_use]
    pub fn new(layout: &Layout, pipes: u8) -> Self {
        let pipes = pipes.min(31);
        Self {
            size: layout.size(pipes),
            regs: Block::new(&layout.registers(pipes)),
            pipes: (0..pipes).map(Pipe::new).collect(),
            powered: false,
            line: LevelLine::default(),
        }
    }

    /// Size of the register space in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the registers work.
    #[must_use]
    pub fn powered(&self) -> bool {
        self.powered
    }

    /// Switches the power. Both directions lose all state.
    pub fn set_power(&mut self, on: bool, counters: &mut Counters) {
        if self.powered != on {
            self.powered = on;
            self.reset_pipes(|_| true, counters);
            self.regs.reset(|_| true);
            self.line = LevelLine::default();
        }
    }

    /// Reads registers. Without power all bits read as 1, as they do from a
    /// bus that nobody drives, and the access is counted.
    pub fn read(&self, offset: u64, data: &mut [u8], counters: &mut Counters) {
        if !self.powered {
            counters.unpowered_access += 1;
            data.fill(0xff);
        } else if !self.regs.read(offset, data) {
            counters.bad_access += 1;
        }
    }

    /// Writes a register; without power nothing happens but a count.
    pub fn write(&mut self, offset: u64, data: &[u8], counters: &mut Counters) -> Event {
        if !self.powered {
            counters.unpowered_access += 1;
            return Event::None;
        }
        match self.regs.write(offset, data) {
            Outcome::Written { id, value } => self.written(id, value, counters),
            Outcome::Unmapped => {
                counters.unmapped_access += 1;
                Event::None
            }
            Outcome::Malformed => {
                counters.bad_access += 1;
                Event::None
            }
        }
    }

    fn written(&mut self, id: Reg, value: u32, counters: &mut Counters) -> Event {
        let event = match id {
            Reg::Ctrl if value & CTRL_SW_RST != 0 => {
                counters.bam_resets += 1;
                self.reset_pipes(|_| true, counters);
                self.regs.reset(|reg| reg != Reg::Ctrl);
                Event::BamReset
            }
            Reg::IrqClr => {
                self.line.cleared();
                Event::None
            }
            Reg::Pipe(pipe, reg) => self.pipe_written(pipe, reg, value, counters),
            _ => Event::None,
        };
        self.refresh();
        event
    }

    fn pipe_written(
        &mut self,
        pipe: u8,
        reg: PipeReg,
        value: u32,
        counters: &mut Counters,
    ) -> Event {
        match reg {
            PipeReg::Rst if value & 1 != 0 => {
                counters.pipe_resets += 1;
                self.reset_pipes(|p| p == pipe, counters);
                Event::PipeReset(pipe)
            }
            PipeReg::IrqClr => {
                self.line.cleared();
                Event::None
            }
            PipeReg::EvntReg => {
                counters.pipe_misuse += u64::from(!self.enabled(pipe));
                Event::Doorbell(pipe)
            }
            // A pipe that starts again may find descriptors waiting.
            PipeReg::Halt | PipeReg::Ctrl if self.has_descriptor(pipe) => Event::Doorbell(pipe),
            _ => Event::None,
        }
    }

    fn reset_pipes(&mut self, which: impl Fn(u8) -> bool, counters: &mut Counters) {
        for pipe in &mut self.pipes {
            if which(pipe.index()) {
                counters.uplink_lost += u64::from(pipe.untaken(&self.regs));
                pipe.reset(&mut self.regs);
            }
        }
    }

    /// Whether this pipe may be given descriptors; it may be halted.
    #[must_use]
    pub fn enabled(&self, pipe: u8) -> bool {
        let ctrl = self.regs.get(Reg::Ctrl);
        ctrl & (CTRL_EN | CTRL_SW_RST) == CTRL_EN
            && self
                .pipes
                .get(usize::from(pipe))
                .is_some_and(|p| p.enabled(&self.regs))
    }

    /// Whether descriptors of this pipe may be used now.
    #[must_use]
    pub fn runs(&self, pipe: u8) -> bool {
        let halted = |p: &Pipe| p.halted(&self.regs);
        self.powered && self.enabled(pipe) && !self.pipes.get(usize::from(pipe)).is_some_and(halted)
    }

    /// Whether this pipe has a descriptor that is not used yet.
    #[must_use]
    pub fn has_descriptor(&self, pipe: u8) -> bool {
        self.runs(pipe)
            && self
                .pipes
                .get(usize::from(pipe))
                .is_some_and(|p| !p.is_empty(&self.regs))
    }

    /// Takes the next transfer that the guest has queued on `pipe`, into
    /// `data`. False if there is none. A transfer outside of the guest's
    /// memory is counted and comes out empty.
    pub fn consume(
        &mut self,
        pipe: u8,
        memory: &GuestMemory,
        data: &mut Vec<u8>,
        counters: &mut Counters,
    ) -> bool {
        data.clear();
        let Some(index) = self.usable(pipe, counters) else {
            return false;
        };
        let Some(descriptor) = self.pipes[index].next(&mut self.regs, memory, counters) else {
            return false;
        };
        data.resize(usize::from(descriptor.size), 0);
        if memory.read(u64::from(descriptor.address), data).is_err() {
            counters.dma_outside_mapping += 1;
            data.clear();
        }
        self.pipes[index].taken(&mut self.regs, descriptor);
        true
    }

    /// Writes `data` as one transfer to the buffers that the guest has queued on
    /// `pipe`, as many as it takes. What has been written before
    /// [`Produced::NoDescriptor`] stays: the next call goes on from there.
    pub fn produce(
        &mut self,
        pipe: u8,
        memory: &GuestMemory,
        data: &[u8],
        counters: &mut Counters,
    ) -> Produced {
        while let Some(index) = self.usable(pipe, counters) {
            if let Some(end) = self.produce_part(index, memory, data, counters) {
                self.pipes[index].written = 0;
                return end;
            }
        }
        Produced::NoDescriptor
    }

    /// Fills the next buffer; says how the transfer ended if it did.
    fn produce_part(
        &mut self,
        index: usize,
        memory: &GuestMemory,
        data: &[u8],
        counters: &mut Counters,
    ) -> Option<Produced> {
        let pipe = &mut self.pipes[index];
        // A descriptor that cannot be read takes the transfer with it.
        let Some(descriptor) = pipe.next(&mut self.regs, memory, counters) else {
            return Some(Produced::Lost);
        };
        let rest = data.get(pipe.written..).unwrap_or_default();
        // Below the size of the buffer.
        let len = u16::try_from(rest.len()).map_or(descriptor.size, |len| len.min(descriptor.size));
        let part = &rest[..len.into()];
        if memory.write(descriptor.address.into(), part).is_err() {
            counters.dma_outside_mapping += 1;
            pipe.filled(&mut self.regs, memory, descriptor, 0, true);
            return Some(Produced::Lost);
        }
        let ends = part.len() == rest.len();
        pipe.filled(&mut self.regs, memory, descriptor, len, ends);
        counters.downlink_continued += u64::from(ends && pipe.written > 0);
        pipe.written += part.len();
        ends.then_some(Produced::Done)
    }

    /// The next buffer that the guest has queued on `pipe`, if there is one. To
    /// be followed by [`Bam::complete`].
    pub fn lend(
        &mut self,
        pipe: u8,
        memory: &GuestMemory,
        counters: &mut Counters,
    ) -> Option<Descriptor> {
        let index = self.usable(pipe, counters)?;
        self.pipes[index].next(&mut self.regs, memory, counters)
    }

    /// The buffer of [`Bam::lend`] has a whole transfer of `len` bytes.
    pub fn complete(&mut self, pipe: u8, memory: &GuestMemory, descriptor: Descriptor, len: u16) {
        if let Some(pipe) = self.pipes.get_mut(usize::from(pipe)) {
            pipe.filled(&mut self.regs, memory, descriptor, len, true);
        }
    }

    /// Whether a read at this offset tells the guest how far `pipe` is.
    #[must_use]
    pub fn reports(&self, pipe: u8, offset: u64) -> bool {
        self.powered && self.regs.at(offset) == Some(Reg::Pipe(pipe, PipeReg::SwOfsts))
    }

    /// Whether only an interrupt handler uses what is at this offset: that of
    /// Linux' driver for the BAM looks at all pipes once it has been called.
    #[must_use]
    pub fn is_for_handler(&self, offset: u64) -> bool {
        use PipeReg::{
            IrqClr,
            IrqStts,
            SwOfsts, //
        };
        matches!(
            self.regs.at(offset),
            Some(
                Reg::IrqSrcsEe
                    | Reg::IrqStts
                    | Reg::IrqClr
                    | Reg::Pipe(_, IrqStts | IrqClr | SwOfsts)
            )
        )
    }

    /// Descriptors of this pipe that have not been used yet; 0 if it does not run.
    #[must_use]
    pub fn pending(&self, pipe: u8) -> u32 {
        if !self.has_descriptor(pipe) {
            return 0;
        }
        let pending = |p: &Pipe| p.untaken(&self.regs);
        self.pipes.get(usize::from(pipe)).map_or(0, pending)
    }

    fn usable(&self, pipe: u8, counters: &mut Counters) -> Option<usize> {
        let index = usize::from(pipe);
        if !self.runs(pipe) || self.pipes[index].is_empty(&self.regs) {
            return None;
        }
        if !self.pipes[index].ring_is_sane(&self.regs) {
            counters.bad_evnt += 1;
            return None;
        }
        Some(index)
    }

    /// Whether the interrupt line is high: Linux has not cleared it since the
    /// last transfer.
    #[must_use]
    pub fn interrupting(&self) -> bool {
        self.regs.get(Reg::IrqSrcsEe) & self.regs.get(Reg::IrqSrcsMskEe) != 0
    }

    /// Whether the interrupt must be sent now. To be called after each batch
    /// of transfers and each write by the guest.
    pub fn take_interrupt(&mut self, counters: &mut Counters) -> bool {
        self.refresh();
        let fire = self.line.update(self.interrupting());
        counters.bam_irqs += u64::from(fire.is_some());
        counters.bam_irqs_again += u64::from(fire == Some(line::Fire::Again));
        fire.is_some()
    }

    /// Brings the source registers in line with the status of the pipes.
    fn refresh(&mut self) {
        let own = self.regs.get(Reg::IrqStts) & self.regs.get(Reg::IrqEn);
        let mut sources = if own == 0 { 0 } else { BAM_SOURCE };
        for pipe in &self.pipes {
            sources |= u32::from(pipe.interrupts(&self.regs)) << pipe.index();
        }
        self.regs.set(Reg::IrqSrcsEe, sources);
        self.regs.set(Reg::IrqSrcs, sources);
        self.regs.set(Reg::IrqSrcsUnmasked, sources);
    }
}

#[cfg(test)]
mod tests;
