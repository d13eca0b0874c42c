// SPDX-License-Identifier: GPL-2.0
//! The simulated modem of the virtual phone.
//!
//! A vfio-user PCI device that holds what a phone has between Linux and its
//! modem: BAM registers, mailbox, hardware mutexes and shared memory. Behind
//! them sits a modem that keeps to the BAM-DMUX protocol, and breaks it on
//! request. From the outside in:
//!
//! - [`server`], [`pci`], [`msix`]: the PCI device that QEMU talks to
//! - [`worker`]: timers and the network; [`control`]: commands
//! - [`modem`]: puts everything below together
//! - [`bam`], [`tcsr`], [`apcs`], [`mss`], [`smem`], [`smsm`]: the hardware
//! - [`smd`]: the channel of packets that QMI goes through
//! - [`power`]: the power handshake, pure; [`profile`]: its times and chances;
//!   [`replay`]: sequences that were measured
//! - [`dmux`]: frames and channels
//! - [`pace`]: how long frames take, pure
//! - [`gate`]: which packets pass while which calls are up
//! - [`hostile`]: what a modem does that means harm, from a seed
//! - [`net`]: addresses and the TUN device
//! - [`trace`]: what has happened, for people to look at
//! - [`register`], [`dma`], [`counters`]: what the above are made of

pub mod apcs;
pub mod bam;
pub mod control;
pub mod counters;
pub mod dma;
pub mod dmux;
pub mod gate;
pub mod hostile;
pub mod modem;
pub mod msix;
pub mod mss;
pub mod net;
pub mod pace;
pub mod pci;
pub mod power;
pub mod profile;
pub mod register;
pub mod replay;
pub mod server;
pub mod shared;
pub mod smd;
pub mod smem;
pub mod smsm;
pub mod tcsr;
pub mod trace;
pub mod wakes;
pub mod worker;
