// SPDX-License-Identifier: GPL-2.0
//! Parameters of the requests, and what they are when left out.

use serde::Deserialize;

/// How votes are acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is described in the manual")]
pub enum AckKind {
    Normal,
    Withhold,
    Delay,
}

/// What a restart does to the modem's lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is described in the manual")]
pub enum Smsm {
    #[default]
    Keep,
    Zero,
}

pub(super) fn one() -> u32 {
    1
}

pub(super) fn one_long() -> u64 {
    1
}

/// Call end reason: unspecified.
pub(super) fn refused() -> u16 {
    1
}

/// Call end reason: normal release.
pub(super) fn released() -> u16 {
    5
}

/// Type of the verbose call end reason: one of 3GPP's.
pub(super) fn of_3gpp() -> u16 {
    6
}

/// 3GPP's reason: requested service option not subscribed.
pub(super) fn not_subscribed() -> i16 {
    33
}

/// 3GPP's reason: regular deactivation.
pub(super) fn deactivated() -> i16 {
    36
}
