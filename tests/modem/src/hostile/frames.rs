// SPDX-License-Identifier: GPL-2.0
//! Hostile frames towards Linux.
//!
//! - [`item`]: one frame, and what is done to it and to Linux afterwards
//! - [`plan`]: which items a seed stands for
//! - [`payload`]: payloads that say which frame they belong to
//! - [`run`]: how far a run is, and what is due
//! - [`log`]: a record of each frame, for whoever checks what Linux delivers
//!
//! Limitations: `P_SW_OFSTS`, the register that tells Linux how many descriptors
//! are done, always tells the truth. `bam_dma.c` bounds what it makes of a lie
//! by its list of descriptors, so that it survives, but completes buffers that
//! the modem still has, and its idea of the ring is wrong until the pipe is
//! reset: no driver above it can notice or repair that.

pub mod item;
pub mod log;
mod make;
pub mod payload;
pub mod plan;
pub mod run;

#[cfg(test)]
mod tests;
