// SPDX-License-Identifier: GPL-2.0
//! The protocol core of the driver.

pub mod channels;
pub mod handshake;
pub mod header;
pub mod lines;
pub mod rings;
