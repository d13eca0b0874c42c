// SPDX-License-Identifier: GPL-2.0

//! Driver for Qualcomm's BAM Data Multiplexer, the data path to the modem of MSM8916, MSM8974
//! and their relatives.
//!
//! The modem and Linux share one pair of DMA pipes (a Bus Access Manager, BAM) that the *modem*
//! powers. Frames of up to eight logical channels go through it, each channel is one Raw-IP
//! network interface. Two pairs of level-signalled lines in shared memory negotiate when the BAM
//! may be touched.
//!
//! # Map of the crate
//!
//! | module | knows | does not know |
//! |---|---|---|
//! | `protocol` | frames, the power handshake, channels | the kernel |
//! | `kabi` | one C subsystem per file | BAM-DMUX |
//! | `driver` | probe, unbind: wiring only | |
//! | `dmux` | what the callbacks of one device share | |
//! | `link` | power: votes, acks, connect and disconnect | frames |
//! | `tx`, `rx` | the two rings | power lines |
//! | `ports` | which channel has which interface | |
//! | `netdev` | the network interface of a channel | other channels |
//! | `ssr` | restarts of the modem, as reported | |
//! | `health` | what went wrong, told to user space | |
//! | `stats`, `debugfs` | what is counted, and showing it | |
//!
//! `kabi` is the only module in which the compiler lets code vouch for itself: everywhere else such
//! code is an error, see Kbuild.
//!
//! Data flows one way: `netdev` → `tx` → `kabi::dmaengine`, `kabi::dmaengine` → `rx` →
//! `netdev`; power flows from `link` to the rings.
//!
//! Limitations:
//! - One data pipe pair per device, at most eight channels (as the modem's firmware has it).
//! - No dynamic MTU: buffers are 2048 bytes, the largest payload 2040.
//! - A modem that asks for operation without power control (OPEN_NO_A2_PC) is not supported.

mod debugfs;
mod dmux;
mod driver;
mod fifo;
mod health;
mod kabi;
mod link;
mod netdev;
mod ports;
mod protocol;
mod rx;
mod ssr;
mod stats;
mod tx;

kabi::platform::module_platform_driver! {
    type: driver::BamDmux,
    name: "bam-dmux",
    authors: ["The bam-dmux developers"],
    description: "Qualcomm BAM-DMUX WWAN network driver",
    license: "GPL",
}
