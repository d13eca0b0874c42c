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
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// Version, as the command line and the devicetree name it.
    pub version: &'static str,
    /// Value of the revision register.
    revision_value: u32,
    revision: u64,
    num_pipes: u64,
    irq_srcs: [u64; 3],
    irq_srcs_ee: u64,
    pipes: u64,
}

/// BAM v1.4.0, as in MSM8974. The value of its revision register is inferred:
/// `bam_dma.c` does not look at it if the devicetree says how many execution
/// environments there are.
pub const V1_4_0: Layout = Layout {
    version: "1.4.0",
    revision_value: 0x0001_0004,
    revision: 0x4,
    num_pipes: 0x3c,
    irq_srcs: [0xc, 0x10, 0x30],
    irq_srcs_ee: 0x800,
    pipes: 0x1000,
};

/// BAM v1.7.0, as in MSM8916.
pub const V1_7_0: Layout = Layout {
    version: "1.7.0",
    revision_value: 0x0001_0007,
    revision: 0x1000,
    num_pipes: 0x1008,
    irq_srcs: [0x3010, 0x3014, 0x3018],
    irq_srcs_ee: 0x3000,
    pipes: 0x13000,
};

/// All versions that there are.
pub const ALL: [&Layout; 2] = [&V1_4_0, &V1_7_0];

const PIPE_STRIDE: u64 = 0x1000;

/// A version without a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no BAM of version \"{0}\" is known: there are 1.4.0 and 1.7.0")]
pub struct UnknownVersion(String);

impl Layout {
    /// The layout of a version, "1.4.0" or "1.7.0".
    ///
    /// # Errors
    /// No such version.
    pub fn of(version: &str) -> Result<&'static Self, UnknownVersion> {
        let mut all = ALL.into_iter();
        all.find(|layout| layout.version == version)
            .ok_or_else(|| UnknownVersion(version.to_owned()))
    }

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

    fn offset(layout: &Layout, id: Reg) -> u64 {
        let table = layout.registers(6);
        table.iter().find(|r| r.id == id).unwrap().offset
    }

    /// Offsets as `bam_dma.c` has them, version by version.
    #[test]
    fn offsets() {
        use PipeReg::{
            Ctrl,
            DescFifoAddr,
            EvntReg,
            FifoSizes,
            Halt,
            IrqClr,
            IrqEn,
            IrqStts,
            Rst,
            SwOfsts, //
        };
        let known = [
            (Reg::Ctrl, [0x0, 0x0]),
            (Reg::Revision, [0x4, 0x1000]),
            (Reg::NumPipes, [0x3c, 0x1008]),
            (Reg::DescCntTrshld, [0x8, 0x8]),
            (Reg::IrqSrcs, [0xc, 0x3010]),
            (Reg::IrqSrcsMsk, [0x10, 0x3014]),
            (Reg::IrqSrcsUnmasked, [0x30, 0x3018]),
            (Reg::IrqStts, [0x14, 0x14]),
            (Reg::IrqClr, [0x18, 0x18]),
            (Reg::IrqEn, [0x1c, 0x1c]),
            (Reg::CnfgBits, [0x7c, 0x7c]),
            (Reg::IrqSrcsEe, [0x800, 0x3000]),
            (Reg::IrqSrcsMskEe, [0x804, 0x3004]),
            (Reg::Pipe(0, Ctrl), [0x1000, 0x13000]),
            (Reg::Pipe(5, Ctrl), [0x6000, 0x18000]),
            (Reg::Pipe(4, Rst), [0x5004, 0x17004]),
            (Reg::Pipe(4, Halt), [0x5008, 0x17008]),
            (Reg::Pipe(4, IrqStts), [0x5010, 0x17010]),
            (Reg::Pipe(4, IrqClr), [0x5014, 0x17014]),
            (Reg::Pipe(4, IrqEn), [0x5018, 0x17018]),
            (Reg::Pipe(4, SwOfsts), [0x5800, 0x17800]),
            (Reg::Pipe(4, EvntReg), [0x5818, 0x17818]),
            (Reg::Pipe(4, DescFifoAddr), [0x581c, 0x1781c]),
            (Reg::Pipe(4, FifoSizes), [0x5820, 0x17820]),
        ];
        for (id, [v1_4_0, v1_7_0]) in known {
            assert_eq!(offset(&V1_4_0, id), v1_4_0, "{id:?} of 1.4.0");
            assert_eq!(offset(&V1_7_0, id), v1_7_0, "{id:?} of 1.7.0");
        }
        assert_eq!((V1_4_0.size(6), V1_7_0.size(6)), (0x7000, 0x1_9000));
    }

    /// No two registers of a version share an offset, and none lies outside.
    #[test]
    fn offsets_are_unique_and_inside() {
        for layout in ALL {
            let table = layout.registers(6);
            let mut offsets: Vec<_> = table.iter().map(|r| r.offset).collect();
            offsets.sort_unstable();
            offsets.dedup();
            assert_eq!(offsets.len(), table.len());
            assert!(offsets.iter().all(|&o| o + 4 <= layout.size(6)));
        }
    }

    /// Each version is found by its name, and no other.
    #[test]
    fn versions() {
        for layout in ALL {
            assert_eq!(Layout::of(layout.version), Ok(layout));
        }
        assert!(Layout::of("1.7").is_err());
    }
}
