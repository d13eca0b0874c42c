// SPDX-License-Identifier: GPL-2.0
//! A pace as the command line and the control socket ask for it.

use std::time::Duration;

use clap::Args;
use serde::{
    Deserialize,
    Serialize, //
};

use super::{
    Pace,
    Rate, //
};

/// Shortest and longest step of the radio, in us.
const BURST_US: std::ops::RangeInclusive<u64> = 100..=1_000_000;

/// A pace by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// [`Pace::instant`]
    Instant,
    /// [`Pace::msm8916`]
    Msm8916,
}

/// Figures to be changed; those that are left out stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// How long frames take: all figures of this name, before the others
    #[arg(long = "pace", value_name = "NAME")]
    pub base: Option<Base>,
    /// Mbit/s from Linux to the network; 0 for no limit
    #[arg(long, value_name = "RATE")]
    pub uplink_mbit: Option<Rate>,
    /// Time from the modem's buffer to the network
    #[arg(long, value_name = "US")]
    pub uplink_latency_us: Option<u32>,
    /// Bytes that the modem takes from Linux before the radio has sent them
    #[arg(long, value_name = "BYTES")]
    pub uplink_buffer: Option<u32>,
    /// Mbit/s from the network to Linux; 0 for no limit
    #[arg(long, value_name = "RATE")]
    pub downlink_mbit: Option<Rate>,
    /// Time from the network to the modem
    #[arg(long, value_name = "US")]
    pub downlink_latency_us: Option<u32>,
    /// The radio's step: what a rate allows in it comes at once
    #[arg(long, value_name = "US", value_parser = clap::value_parser!(u64).range(BURST_US))]
    pub burst_us: Option<u64>,
}

/// A step that is too short or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a burst of {0} us cannot be: give 100 to 1000000")]
pub struct WrongBurst(u64);

impl Change {
    /// The pace that it makes of another.
    ///
    /// # Errors
    /// The burst is too short or too long.
    pub fn apply(&self, pace: Pace) -> Result<Pace, WrongBurst> {
        let mut pace = match self.base {
            None => pace,
            Some(Base::Instant) => Pace::instant(),
            Some(Base::Msm8916) => Pace::msm8916(),
        };
        let us = |us: u32| Duration::from_micros(us.into());
        set(&mut pace.uplink.rate, self.uplink_mbit);
        set(&mut pace.uplink.latency, self.uplink_latency_us.map(us));
        set(&mut pace.downlink.rate, self.downlink_mbit);
        set(&mut pace.downlink.latency, self.downlink_latency_us.map(us));
        let bytes = self.uplink_buffer.map(|bytes| bytes.max(1) as usize);
        set(&mut pace.uplink_buffer, bytes);
        if let Some(us) = self.burst_us {
            if !BURST_US.contains(&us) {
                return Err(WrongBurst(us));
            }
            pace.burst = Duration::from_micros(us);
        }
        Ok(pace)
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// A pace in figures, named as [`Change`] names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "see Change")]
pub struct Figures {
    pub uplink_mbit: Rate,
    pub uplink_latency_us: u128,
    pub uplink_buffer: usize,
    pub downlink_mbit: Rate,
    pub downlink_latency_us: u128,
    pub burst_us: u128,
}

impl From<Pace> for Figures {
    fn from(pace: Pace) -> Self {
        Self {
            uplink_mbit: pace.uplink.rate,
            uplink_latency_us: pace.uplink.latency.as_micros(),
            uplink_buffer: pace.uplink_buffer,
            downlink_mbit: pace.downlink.rate,
            downlink_latency_us: pace.downlink.latency.as_micros(),
            burst_us: pace.burst.as_micros(),
        }
    }
}
