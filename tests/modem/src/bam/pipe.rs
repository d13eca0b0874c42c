// SPDX-License-Identifier: GPL-2.0
//! One pipe: its position in the ring of descriptors.

use super::layout::{
    PipeReg,
    Reg, //
};
use crate::counters::Counters;
use crate::dma::GuestMemory;
use crate::register::Block;

/// Bytes of a descriptor.
const DESCRIPTOR: u32 = 8;
const FLAG_EOT: u16 = 0x4000;
const FLAG_INT: u16 = 0x8000;
const CTRL_EN: u32 = 1 << 1;
/// Interrupt status: a descriptor that asked for it was processed.
const PRCSD_DESC: u32 = 1 << 0;
/// Interrupt status: a transfer ended.
const EOT_STATUS: u32 = 1 << 5;

/// A descriptor as read from the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// Bus address of the buffer.
    pub(super) address: u32,
    /// Its size in bytes.
    pub(super) size: u16,
    /// Whether its end is the end of a transfer.
    pub(super) eot: bool,
    int: bool,
}

impl Descriptor {
    fn parse(bytes: [u8; 8]) -> Self {
        let [a0, a1, a2, a3, s0, s1, f0, f1] = bytes;
        let flags = u16::from_le_bytes([f0, f1]);
        Self {
            address: u32::from_le_bytes([a0, a1, a2, a3]),
            size: u16::from_le_bytes([s0, s1]),
            eot: flags & FLAG_EOT != 0,
            int: flags & FLAG_INT != 0,
        }
    }
}

/// A pipe's own state; the rest is in the registers.
#[derive(Debug)]
pub(super) struct Pipe {
    index: u8,
    /// Byte offset of the next descriptor.
    position: u32,
    int: bool,
}

impl Pipe {
    pub(super) fn new(index: u8) -> Self {
        Self {
            index,
            position: 0,
            int: false,
        }
    }

    pub(super) fn index(&self) -> u8 {
        self.index
    }

    pub(super) fn position(&self) -> u32 {
        self.position
    }

    fn reg(&self, reg: PipeReg) -> Reg {
        Reg::Pipe(self.index, reg)
    }

    /// Forgets the ring. The guest frees it after a reset, so that nothing of
    /// it may be touched from here on.
    pub(super) fn reset(&mut self, regs: &mut Block<Reg>) {
        self.position = 0;
        let index = self.index;
        regs.reset(|reg| matches!(reg, Reg::Pipe(i, which) if i == index && which != PipeReg::Rst));
    }

    /// Whether the pipe is enabled and not held in reset.
    pub(super) fn enabled(&self, regs: &Block<Reg>) -> bool {
        regs.get(self.reg(PipeReg::Ctrl)) & CTRL_EN != 0
            && regs.get(self.reg(PipeReg::Rst)) & 1 == 0
    }

    pub(super) fn halted(&self, regs: &Block<Reg>) -> bool {
        regs.get(self.reg(PipeReg::Halt)) & 1 != 0
    }

    pub(super) fn is_empty(&self, regs: &Block<Reg>) -> bool {
        self.position == regs.get(self.reg(PipeReg::EvntReg))
    }

    fn ring_bytes(&self, regs: &Block<Reg>) -> u32 {
        regs.get(self.reg(PipeReg::FifoSizes)) & 0xffff
    }

    /// Whether the doorbell names a descriptor of the ring. Otherwise the
    /// position would never reach it.
    pub(super) fn ring_is_sane(&self, regs: &Block<Reg>) -> bool {
        let end = regs.get(self.reg(PipeReg::EvntReg));
        let bytes = self.ring_bytes(regs);
        end < bytes && end.is_multiple_of(DESCRIPTOR) && bytes.is_multiple_of(DESCRIPTOR)
    }

    /// Reads the next descriptor. None if it lies outside of the guest's
    /// memory: it is then skipped, so that the ring does not hang.
    pub(super) fn next(
        &mut self,
        regs: &mut Block<Reg>,
        memory: &GuestMemory,
        counters: &mut Counters,
    ) -> Option<Descriptor> {
        let base = u64::from(regs.get(self.reg(PipeReg::DescFifoAddr)));
        let mut bytes = [0; DESCRIPTOR as usize];
        if memory
            .read(base + u64::from(self.position), &mut bytes)
            .is_err()
        {
            counters.dma_outside_mapping += 1;
            self.int = false;
            self.done(regs, true);
            return None;
        }
        let descriptor = Descriptor::parse(bytes);
        self.int = descriptor.int;
        Some(descriptor)
    }

    /// Moves on by one descriptor and sets the status that goes with it:
    /// position first, as the guest reads the status first.
    pub(super) fn done(&mut self, regs: &mut Block<Reg>, eot: bool) {
        let bytes = self.ring_bytes(regs);
        self.position = (self.position + DESCRIPTOR) % bytes.max(DESCRIPTOR);
        regs.set(self.reg(PipeReg::SwOfsts), self.position);
        let stts = self.reg(PipeReg::IrqStts);
        let mut status = regs.get(stts);
        if eot {
            status |= EOT_STATUS;
        }
        if self.int {
            status |= PRCSD_DESC;
        }
        regs.set(stts, status);
    }

    /// Whether the pipe asks for an interrupt.
    pub(super) fn interrupts(&self, regs: &Block<Reg>) -> bool {
        regs.get(self.reg(PipeReg::IrqStts)) & regs.get(self.reg(PipeReg::IrqEn)) != 0
    }
}
