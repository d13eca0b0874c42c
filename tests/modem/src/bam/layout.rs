// SPDX-License-Identifier: GPL-2.0
//! Where the registers of a BAM version are, and what they do.
//!
//! Source of the offsets: `drivers/dma/qcom/bam_dma.c`. A further version of
//! the hardware is one more [`Layout`].

use crate::register::{
    Access,
    Register, //
};

/// Registers of the whole BAM and of each pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reg {
    /// Reset and enable of the whole BAM.
    Ctrl,
    /// Bytes after which a descriptor counts as used.
    DescCntTrshld,
    /// Version.
    Revision,
    /// Number of pipes.
    NumPipes,
    /// Sources of interrupts, all execution environments.
    IrqSrcs,
    /// Mask of these.
    IrqSrcsMsk,
    /// Sources before the mask.
    IrqSrcsUnmasked,
    /// Status of the BAM's own interrupts.
    IrqStts,
    /// Clears [`Reg::IrqStts`].
    IrqClr,
    /// Enables of the BAM's own interrupts.
    IrqEn,
    /// Hardware options.
    CnfgBits,
    /// Sources of interrupts for execution environment 0.
    IrqSrcsEe,
    /// Mask of these.
    IrqSrcsMskEe,
    /// A register of a pipe.
    Pipe(u8, PipeReg),
}

/// Registers that each pipe has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PipeReg {
    /// Enable, direction, mode.
    Ctrl,
    /// 1 holds the pipe in reset.
    Rst,
    /// 1 halts the pipe.
    Halt,
    /// Status of the pipe's interrupts.
    IrqStts,
    /// Clears [`PipeReg::IrqStts`].
    IrqClr,
    /// Enables of the pipe's interrupts.
    IrqEn,
    /// Byte offset of the first descriptor that is not done.
    SwOfsts,
    /// Doorbell: byte offset behind the last descriptor given.
    EvntReg,
    /// Bus address of the descriptor ring.
    DescFifoAddr,
    /// Size of the ring in bytes (low half).
    FifoSizes,
    /// Bus address of a data FIFO; not used in system mode.
    DataFifoAddr,
    /// Threshold of events; not used in system mode.
    EvntGenTrshld,
    /// Destination of events; not used in system mode.
    EvntDest,
}

/// Offsets that differ between versions of the hardware.
#[derive(Debug)]
pub struct Layout {
    /// Name in the devicetree.
    pub compatible: &'static str,
    /// Value of the revision register.
    revision_value: u32,
    revision: u64,
    num_pipes: u64,
    irq_srcs: [u64; 3],
    irq_srcs_ee: u64,
    pipes: u64,
}

/// BAM v1.7.0, as in MSM8916.
pub const V1_7_0: Layout = Layout {
    compatible: "qcom,bam-v1.7.0",
    revision_value: 0x0001_0007,
    revision: 0x1000,
    num_pipes: 0x1008,
    irq_srcs: [0x3010, 0x3014, 0x3018],
    irq_srcs_ee: 0x3000,
    pipes: 0x13000,
};

const PIPE_STRIDE: u64 = 0x1000;

impl Layout {
    /// Size in bytes of the register space of a BAM with `pipes` pipes.
    #[must_use]
    pub fn size(&self, pipes: u8) -> u64 {
        self.pipes + u64::from(pipes) * PIPE_STRIDE
    }

    /// The table of all registers of a BAM with `pipes` pipes.
    #[must_use]
    pub fn registers(&self, pipes: u8) -> Vec<Register<Reg>> {
        let rw = Access::ReadWrite(u32::MAX);
        let ro = Access::ReadOnly;
        let mut table = vec![
            register(Reg::Ctrl, 0x0, Access::ReadWrite(0x3), 0),
            register(Reg::DescCntTrshld, 0x8, rw, 0),
            register(Reg::Revision, self.revision, ro, self.revision_value),
            register(Reg::NumPipes, self.num_pipes, ro, u32::from(pipes)),
            register(Reg::IrqSrcs, self.irq_srcs[0], ro, 0),
            register(Reg::IrqSrcsMsk, self.irq_srcs[1], rw, 0),
            register(Reg::IrqSrcsUnmasked, self.irq_srcs[2], ro, 0),
            register(Reg::IrqStts, 0x14, ro, 0),
            register(Reg::IrqClr, 0x18, Access::Clears(Reg::IrqStts), 0),
            register(Reg::IrqEn, 0x1c, rw, 0),
            register(Reg::CnfgBits, 0x7c, rw, 0),
            register(Reg::IrqSrcsEe, self.irq_srcs_ee, ro, 0),
            register(Reg::IrqSrcsMskEe, self.irq_srcs_ee + 4, rw, 0),
        ];
        for pipe in 0..pipes {
            table.extend(self.pipe_registers(pipe));
        }
        table
    }

    fn pipe_registers(&self, pipe: u8) -> Vec<Register<Reg>> {
        let rw = Access::ReadWrite(u32::MAX);
        let stts = Reg::Pipe(pipe, PipeReg::IrqStts);
        let base = self.pipes + u64::from(pipe) * PIPE_STRIDE;
        [
            (PipeReg::Ctrl, 0x0, rw),
            (PipeReg::Rst, 0x4, Access::ReadWrite(1)),
            (PipeReg::Halt, 0x8, Access::ReadWrite(1)),
            (PipeReg::IrqStts, 0x10, Access::ReadOnly),
            (PipeReg::IrqClr, 0x14, Access::Clears(stts)),
            (PipeReg::IrqEn, 0x18, rw),
            (PipeReg::SwOfsts, 0x800, Access::ReadOnly),
            (PipeReg::EvntReg, 0x818, Access::ReadWrite(0xffff)),
            (PipeReg::DescFifoAddr, 0x81c, rw),
            (PipeReg::FifoSizes, 0x820, rw),
            (PipeReg::DataFifoAddr, 0x824, rw),
            (PipeReg::EvntGenTrshld, 0x828, rw),
            (PipeReg::EvntDest, 0x82c, rw),
        ]
        .map(|(reg, offset, access)| register(Reg::Pipe(pipe, reg), base + offset, access, 0))
        .to_vec()
    }
}

fn register(id: Reg, offset: u64, access: Access<Reg>, reset: u32) -> Register<Reg> {
    Register {
        id,
        offset,
        access,
        reset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(pipes: u8, id: Reg) -> u64 {
        V1_7_0
            .registers(pipes)
            .iter()
            .find(|r| r.id == id)
            .unwrap()
            .offset
    }

    /// Offsets as `bam_dma.c` has them for v1.7.0.
    #[test]
    fn v1_7_0_offsets() {
        assert_eq!(V1_7_0.size(6), 0x19000);
        assert_eq!(offset(6, Reg::IrqSrcsMskEe), 0x3004);
        assert_eq!(offset(6, Reg::Pipe(5, PipeReg::Ctrl)), 0x18000);
        assert_eq!(offset(6, Reg::Pipe(4, PipeReg::SwOfsts)), 0x17800);
        assert_eq!(offset(6, Reg::Pipe(4, PipeReg::EvntReg)), 0x17818);
        assert_eq!(offset(6, Reg::Pipe(4, PipeReg::FifoSizes)), 0x17820);
    }

    /// No two registers share an offset, and none lies outside.
    #[test]
    fn offsets_are_unique_and_inside() {
        let table = V1_7_0.registers(6);
        let mut offsets: Vec<_> = table.iter().map(|r| r.offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        assert_eq!(offsets.len(), table.len());
        assert!(offsets.iter().all(|&o| o + 4 <= V1_7_0.size(6)));
    }
}
