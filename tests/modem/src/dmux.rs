// SPDX-License-Identifier: GPL-2.0
//! The modem's end of BAM-DMUX: frames, channels and the queue to Linux.
//! Nothing here knows of registers, lines or networks.

pub mod channels;
pub mod downlink;
pub mod frame;
pub mod uplink;
