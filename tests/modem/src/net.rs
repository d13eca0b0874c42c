// SPDX-License-Identifier: GPL-2.0
//! The network behind the modem: which addresses belong to which channel,
//! and the TUN device that stands for the other end of all of them.

pub mod plan;
pub mod tun;
