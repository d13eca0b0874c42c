// SPDX-License-Identifier: GPL-2.0

//! The BAM-DMUX protocol core: what can be decided without a kernel.
//!
//! | module | decides |
//! |---|---|
//! | [`frame`] | what the eight bytes of a header mean, and whether they make sense |
//! | [`handshake`] | when pipes are connected, what is acknowledged, when frames may be sent |
//! | [`channels`] | which channels are open, which OPEN and CLOSE commands are due |
//! | [`ring`] | when a queue is full |
//! | [`stall`] | when frames have been in the modem's hands for too long |
//! | [`mtu`] | what the modem says of buffer sizes |
//!
//! Everything is a function from state and event to state and action: no I/O, no time, no locks,
//! no allocation, nothing that panics, and no block that the compiler cannot check. The caller locks.
//!
//! The same source is built twice: as a module of the kernel driver, and as the crate
//! `bam-dmux-protocol`, on which the simulated modem and the host's tests stand. So only `core` is
//! used, and paths between the modules are relative.

// Public for the host crate; in the driver, the parent module is private.
#![allow(unreachable_pub)]

// Where a crate root's modules are and where a module's are differs: the paths are given for both.
#[path = "protocol/channels.rs"]
pub mod channels;
#[path = "protocol/frame.rs"]
pub mod frame;
#[path = "protocol/handshake.rs"]
pub mod handshake;
#[path = "protocol/mtu.rs"]
pub mod mtu;
#[path = "protocol/ring.rs"]
pub mod ring;
#[path = "protocol/stall.rs"]
pub mod stall;
#[cfg(any(test, CONFIG_BAM_DMUX_KUNIT_TEST))]
#[path = "protocol/vectors.rs"]
mod vectors;
