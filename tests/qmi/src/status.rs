// SPDX-License-Identifier: GPL-2.0
//! The state of the QMI side, for people and for tests.

use serde::Serialize;

use crate::identity::Registration;
use crate::network::{
    Family,
    Format,
    Refusal, //
};

/// The state of the QMI side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Whether the modem has found its network.
    pub registration: Registration,
    /// Signal strength, in dBm.
    pub signal_dbm: i16,
    /// The DMS operating mode; 0 is online.
    pub operating_mode: u8,
    /// Calls to be refused.
    pub refusal: Option<Refusal>,
    /// What the data channels carry.
    pub format: Format,
    /// Requests still to be swallowed.
    pub mute: u32,
    /// Allocated clients.
    pub clients: Vec<ClientStatus>,
    /// Calls that are up.
    pub calls: Vec<CallStatus>,
}

/// An allocated client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientStatus {
    /// Name of the service.
    pub service: &'static str,
    /// Number of the client.
    pub client: u8,
}

/// A call that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallStatus {
    /// Data channel.
    pub channel: u8,
    /// IP family.
    pub family: Family,
    /// Packet data handle of the client that started it.
    pub handle: u32,
    /// Access point name, as asked for.
    pub apn: String,
    /// Serial of the call.
    pub serial: u32,
}
