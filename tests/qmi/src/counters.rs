// SPDX-License-Identifier: GPL-2.0
//! What the QMI side counts.

use serde::Serialize;

/// All counters, since the modem was made; a restart of the firmware keeps
/// them. In JSON a flat map from name to number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Well-formed requests, the muted ones too.
    pub requests: u64,
    /// Responses, with and without error.
    pub responses: u64,
    /// Responses that carried an error.
    pub errors: u64,
    /// Indications.
    pub indications: u64,
    /// Frames that are no QMUX frame, or whose message makes no sense. They
    /// are dropped.
    pub malformed: u64,
    /// Requests that the service does not know.
    pub unknown_message: u64,
    /// Requests of a client that is not allocated.
    pub unknown_client: u64,
    /// Requests swallowed on demand.
    pub muted: u64,
    /// Frames dropped because the host does not fetch them.
    pub queue_full: u64,
    /// Events dropped because nobody fetches them.
    pub events_lost: u64,
    /// Clients allocated.
    pub clients_allocated: u64,
    /// Clients released.
    pub clients_released: u64,
    /// Calls that came up.
    pub calls_started: u64,
    /// Calls that were refused, on demand or for want of an access point name.
    pub calls_refused: u64,
    /// Calls that Linux has ended.
    pub calls_stopped: u64,
    /// Calls that the network has ended.
    pub calls_dropped: u64,
}
