// SPDX-License-Identifier: GPL-2.0
//! The simulated modem, and guests that do anything.

pub mod control;
mod guest;
pub mod mmio;
pub mod smd;
