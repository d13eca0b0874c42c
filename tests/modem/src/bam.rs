// SPDX-License-Identifier: GPL-2.0
//! The BAM: a DMA engine with pipes, each a ring of descriptors.
//!
//! The application processors program it; the modem powers it and is the
//! peer of its pipes. Derived from what `drivers/dma/qcom/bam_dma.c` relies on.
//!
//! Limitations: system mode only; completed descriptors are not written back;
//! one execution environment.

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
    /// As far as the guest's buffer reached.
    Truncated,
    /// No descriptor; try again at the next doorbell.
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
    pub fn set_power(&mut self, on: bool) {
        if self.powered != on {
            self.powered = on;
            self.regs.reset(|_| true);
            self.reset_pipes(|_| true);
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
                self.regs.reset(|reg| reg != Reg::Ctrl);
                self.reset_pipes(|_| true);
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
                self.reset_pipes(|p| p == pipe);
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

    fn reset_pipes(&mut self, which: impl Fn(u8) -> bool) {
        for pipe in &mut self.pipes {
            if which(pipe.index()) {
                pipe.reset(&mut self.regs);
            }
        }
    }

    /// Whether this pipe may be given descriptors; it may be halted.
    fn enabled(&self, pipe: u8) -> bool {
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
        self.pipes[index].done(&mut self.regs, descriptor.eot);
        true
    }

    /// Writes `data` to the next buffer that the guest has queued on `pipe`.
    pub fn produce(
        &mut self,
        pipe: u8,
        memory: &GuestMemory,
        data: &[u8],
        counters: &mut Counters,
    ) -> Produced {
        let position = |bam: &Self| bam.pipes.get(usize::from(pipe)).map(Pipe::position);
        let before = position(self);
        let Some((address, size)) = self.lend(pipe, memory, counters) else {
            // A descriptor that could not be read took the transfer with it.
            return if position(self) == before {
                Produced::NoDescriptor
            } else {
                Produced::Lost
            };
        };
        let len = data.len().min(usize::from(size));
        let written = memory.write(u64::from(address), &data[..len]);
        // The end of a transfer is told, whether or not the guest asked.
        self.complete(pipe, true);
        if written.is_err() {
            counters.dma_outside_mapping += 1;
            Produced::Lost
        } else if len < data.len() {
            Produced::Truncated
        } else {
            Produced::Done
        }
    }

    /// Bus address and size of the next buffer that the guest has queued on
    /// `pipe`, if there is one. To be followed by [`Bam::complete`].
    pub fn lend(
        &mut self,
        pipe: u8,
        memory: &GuestMemory,
        counters: &mut Counters,
    ) -> Option<(u32, u16)> {
        let index = self.usable(pipe, counters)?;
        let descriptor = self.pipes[index].next(&mut self.regs, memory, counters)?;
        Some((descriptor.address, descriptor.size))
    }

    /// The buffer of [`Bam::lend`] is done with; with `eot` that ends a
    /// transfer.
    pub fn complete(&mut self, pipe: u8, eot: bool) {
        if let Some(pipe) = self.pipes.get_mut(usize::from(pipe)) {
            pipe.done(&mut self.regs, eot);
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
