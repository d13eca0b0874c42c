// SPDX-License-Identifier: GPL-2.0
//! What a run of sequences is told, and what it tells.

use std::collections::BTreeMap;

use serde::{
    Deserialize,
    Serialize, //
};

/// What a run of sequences needs to know apart from their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinesPlan {
    /// Longest wait for traffic after each sequence, in milliseconds.
    pub settle_ms: u32,
    /// The same for every fourth, so that many begin with a link that works.
    pub rest_ms: u32,
    /// The modem's idle time, in milliseconds.
    pub idle_ms: u32,
    /// How long the modem waits for Linux' acks, in milliseconds.
    pub ack_ms: u32,
    /// Firmware that gets no ack of its power-up in time starts anew, as that
    /// of phones does.
    pub asserts: bool,
}

impl Default for LinesPlan {
    fn default() -> Self {
        Self {
            settle_ms: 20,
            rest_ms: 200,
            idle_ms: 10,
            ack_ms: 3000,
            asserts: true,
        }
    }
}

/// What has been played.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LinesReport {
    /// Whether there is more to be played, or the traffic of Linux has not
    /// come back after the last.
    pub running: bool,
    /// Number of the sequence that is being played, or comes next.
    pub number: u64,
    /// Sequences that have ended, by how. All but the last get only so much
    /// time until the next begins.
    pub ended: BTreeMap<String, u64>,
    /// After so many there was traffic again before the next.
    pub recovered: u64,
    /// Times that firmware started anew for want of an ack.
    pub asserted: u64,
    /// From the end of the last sequence to traffic, in milliseconds.
    pub recovery_ms: u64,
    /// Deeds done, by kind.
    pub deeds: BTreeMap<String, u64>,
}
