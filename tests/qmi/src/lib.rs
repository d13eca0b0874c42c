// SPDX-License-Identifier: GPL-2.0
//! The QMI side of a simulated modem: what `ModemManager` and `qmicli` talk to.
//!
//! Frames from the host go in, frames to the host and events about data calls
//! come out. Nothing here does input or output, waits, or reads a clock: the
//! owner of a [`Modem`] carries its frames over SMD, or over a UNIX socket.
//!
//! - [`modem`]: puts the parts together
//! - [`identity`], [`network`]: what the modem is, and what it is told
//! - [`counters`], [`status`]: what it tells about itself
//! - [`summary`]: what a frame is, for traces

mod clients;
pub mod counters;
pub mod identity;
pub mod modem;
pub mod network;
mod outbox;
mod radio;
mod service;
pub mod status;
pub mod summary;
mod wire;

pub use counters::Counters;
pub use identity::{
    Identity,
    Operator,
    Registration, //
};
pub use modem::Modem;
pub use network::{
    CallEnd,
    Direction,
    Event,
    Family,
    Format,
    LinkCounters,
    Network,
    Refusal,
    Settings,
    V4,
    V6, //
};
pub use status::{
    CallStatus,
    ClientStatus,
    Status, //
};
pub use summary::Summary;
