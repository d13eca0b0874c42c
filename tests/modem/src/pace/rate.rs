// SPDX-License-Identifier: GPL-2.0
//! A rate, as people write it.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use serde::{
    Deserialize,
    Serialize, //
};

/// Fastest rate, in Mbit/s: more than any modem of this kind has.
const FASTEST: f64 = 10_000.0;
/// Slowest rate, in Mbit/s.
const SLOWEST: f64 = 0.001;
const MEGA: f64 = 1e6;

/// Bits per second, or no limit. Written in Mbit/s, 0 for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rate(Option<NonZeroU64>);

/// A rate that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no rate: give Mbit/s from 0.001 to 10000, or 0 for no limit")]
pub struct WrongRate(String);

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self(None);

    /// So many Mbit/s; 0 is no limit.
    #[must_use]
    pub const fn mbit(mbit: u32) -> Self {
        Self(NonZeroU64::new(mbit as u64 * 1_000_000))
    }

    /// Bits that pass in this time, at least 1; `None`: any number.
    #[must_use]
    pub fn bits_in(self, time: Duration) -> Option<i64> {
        let bits = u128::from(self.0?.get()) * time.as_nanos() / 1_000_000_000;
        Some(i64::try_from(bits).unwrap_or(i64::MAX).max(1))
    }

    /// Bytes that pass in this time; `None`: any number.
    #[must_use]
    pub fn bytes_in(self, time: Duration) -> Option<usize> {
        let bits = self.bits_in(time)?;
        Some(usize::try_from(bits / 8).unwrap_or(usize::MAX))
    }
}

impl TryFrom<f64> for Rate {
    type Error = WrongRate;

    fn try_from(mbit: f64) -> Result<Self, WrongRate> {
        if mbit == 0.0 {
            return Ok(Self::UNLIMITED);
        }
        if !(SLOWEST..=FASTEST).contains(&mbit) {
            return Err(WrongRate(mbit.to_string()));
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1000 and 10^10"
        )]
        let bits = (mbit * MEGA).round() as u64;
        Ok(Self(NonZeroU64::new(bits)))
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "at most 10^10")]
        let bits = rate.0.map_or(0, NonZeroU64::get) as Self;
        bits / MEGA
    }
}

impl FromStr for Rate {
    type Err = WrongRate;

    fn from_str(text: &str) -> Result<Self, WrongRate> {
        let mbit: f64 = text.parse().map_err(|_| WrongRate(text.to_owned()))?;
        mbit.try_into()
    }
}
