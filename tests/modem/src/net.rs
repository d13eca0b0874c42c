// SPDX-License-Identifier: GPL-2.0
//! The network behind the modem: which addresses belong to which channel,
//! what has gone over each,
//! and the TUN device that stands for the other end of all of them.

pub mod links;
pub mod plan;
pub mod stray;
pub mod tun;
