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
/// The pipe writes to the guest's memory.
const CTRL_DIRECTION: u32 = 1 << 3;
/// Where size and flags are in a descriptor.
const SIZE_AT: u64 = 4;

/// A descriptor as read from the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Bus address of the buffer.
    pub address: u32,
    /// Its size in bytes.
    pub size: u16,
    flags: u16,
}

impl Descriptor {
    fn parse(bytes: [u8; 8]) -> Self {
        let [a0, a1, a2, a3, s0, s1, f0, f1] = bytes;
        Self {
            address: u32::from_le_bytes([a0, a1, a2, a3]),
            size: u16::from_le_bytes([s0, s1]),
            flags: u16::from_le_bytes([f0, f1]),
        }
    }

    /// Whether the guest says that a transfer ends here.
    pub(super) fn ends_transfer(self) -> bool {
        self.flags & FLAG_EOT != 0
    }

    /// Size and flags as they are written back, with `len` bytes in the buffer:
    /// EOT says whether the transfer ends here, all other flags stay.
    fn filled(self, len: u16, eot: bool) -> [u8; 4] {
        let kept = self.flags & !FLAG_EOT;
        let flags = if eot { kept | FLAG_EOT } else { kept };
        let ([s0, s1], [f0, f1]) = (len.to_le_bytes(), flags.to_le_bytes());
        [s0, s1, f0, f1]
    }
}

/// A pipe's own state; the rest is in the registers.
#[derive(Debug)]
pub(super) struct Pipe {
    index: u8,
    /// Byte offset of the next descriptor.
    position: u32,
    /// Bytes of the transfer to the guest that lie in the buffers before.
    pub(super) written: usize,
}

impl Pipe {
    pub(super) fn new(index: u8) -> Self {
        Self {
            index,
            position: 0,
            written: 0,
        }
    }

    pub(super) fn index(&self) -> u8 {
        self.index
    }

    fn reg(&self, reg: PipeReg) -> Reg {
        Reg::Pipe(self.index, reg)
    }

    /// Forgets the ring. The guest frees it after a reset, so that nothing of
    /// it may be touched from here on.
    pub(super) fn reset(&mut self, regs: &mut Block<Reg>) {
        self.position = 0;
        self.written = 0;
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

    /// Transfers of the guest that the modem has not taken.
    pub(super) fn untaken(&self, regs: &Block<Reg>) -> u32 {
        // It may be held in reset already.
        let ctrl = regs.get(self.reg(PipeReg::Ctrl));
        if ctrl & (CTRL_EN | CTRL_DIRECTION) != CTRL_EN || !self.ring_is_sane(regs) {
            return 0;
        }
        let (end, bytes) = (regs.get(self.reg(PipeReg::EvntReg)), self.ring_bytes(regs));
        // The guest may have made the ring smaller since.
        (end + bytes).saturating_sub(self.position) % bytes / DESCRIPTOR
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
        let mut bytes = [0; DESCRIPTOR as usize];
        if memory.read(self.at(regs), &mut bytes).is_err() {
            counters.dma_outside_mapping += 1;
            self.advance(regs, EOT_STATUS);
            return None;
        }
        Some(Descriptor::parse(bytes))
    }

    /// Bus address of the next descriptor.
    fn at(&self, regs: &Block<Reg>) -> u64 {
        u64::from(regs.get(self.reg(PipeReg::DescFifoAddr))) + u64::from(self.position)
    }

    /// The descriptor that [`Pipe::next`] gave has been read to its end.
    pub(super) fn taken(&mut self, regs: &mut Block<Reg>, descriptor: Descriptor) {
        self.done(regs, descriptor, descriptor.ends_transfer());
    }

    /// `len` bytes were written into the buffer of the descriptor that
    /// [`Pipe::next`] gave; with `eot` a transfer ends there. Writes that back
    /// into the ring, as only pipes to the guest do (Qualcomm's sps driver reads
    /// size and flags again from these, and uses its own copy for the others).
    pub(super) fn filled(
        &mut self,
        regs: &mut Block<Reg>,
        memory: &GuestMemory,
        descriptor: Descriptor,
        len: u16,
        eot: bool,
    ) {
        // It was read from there. Before the position, as the guest looks there next.
        let _ = memory.write(self.at(regs) + SIZE_AT, &descriptor.filled(len, eot));
        self.done(regs, descriptor, eot);
    }

    fn done(&mut self, regs: &mut Block<Reg>, descriptor: Descriptor, eot: bool) {
        let mut status = 0;
        if eot {
            status |= EOT_STATUS;
        }
        if descriptor.flags & FLAG_INT != 0 {
            status |= PRCSD_DESC;
        }
        self.advance(regs, status);
    }

    /// Moves on by one descriptor and adds the status that goes with it:
    /// position first, as the guest reads the status first.
    fn advance(&mut self, regs: &mut Block<Reg>, status: u32) {
        let bytes = self.ring_bytes(regs);
        self.position = (self.position + DESCRIPTOR) % bytes.max(DESCRIPTOR);
        regs.set(self.reg(PipeReg::SwOfsts), self.position);
        let stts = self.reg(PipeReg::IrqStts);
        regs.set(stts, regs.get(stts) | status);
    }

    /// Whether the pipe asks for an interrupt.
    pub(super) fn interrupts(&self, regs: &Block<Reg>) -> bool {
        regs.get(self.reg(PipeReg::IrqStts)) & regs.get(self.reg(PipeReg::IrqEn)) != 0
    }
}
