// SPDX-License-Identifier: GPL-2.0
//! The radio: operating mode, registration, signal. One cell of LTE band 1.

use crate::identity::Registration;

/// The radio interface LTE, in DMS and NAS.
pub(crate) const LTE: u8 = 8;

/// RSSI of a modem that has just started, in dBm.
const USUAL_SIGNAL: i16 = -75;

/// What the modem's RSSI can be, in dBm.
const SIGNAL_RANGE: std::ops::RangeInclusive<i8> = -113..=-51;

/// State of the radio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Radio {
    /// Operating mode, as DMS has it.
    pub(crate) mode: Mode,
    /// What the network thinks of the modem, while the radio is on.
    pub(crate) registration: Registration,
    rssi: i8,
}

/// Operating modes that can be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    /// The radio is on.
    Online = 0,
    /// The radio is off.
    LowPower = 1,
    /// The radio is off, and stays so over restarts on a real modem.
    PersistentLowPower = 6,
    /// The radio is off until the host changes it.
    LowPowerUntilSet = 7,
}

/// How well the cell is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal {
    /// Received power in the whole band, in dBm.
    pub(crate) rssi: i8,
    /// Quality, in dB.
    pub(crate) rsrq: i8,
    /// Power of one reference symbol, in dBm.
    pub(crate) rsrp: i16,
    /// Signal to noise, in 0.1 dB.
    pub(crate) snr: i16,
}

impl Default for Radio {
    fn default() -> Self {
        let mut radio = Self {
            mode: Mode::Online,
            registration: Registration::Home,
            rssi: 0,
        };
        radio.set_rssi(USUAL_SIGNAL);
        radio
    }
}

impl Radio {
    /// Sets the RSSI, in dBm; brought into the range that a modem reports.
    pub(crate) fn set_rssi(&mut self, dbm: i16) {
        let nearest = dbm.clamp((*SIGNAL_RANGE.start()).into(), (*SIGNAL_RANGE.end()).into());
        self.rssi = i8::try_from(nearest).unwrap_or(*SIGNAL_RANGE.start());
    }

    /// The RSSI, in dBm, whether there is a cell or not.
    pub(crate) fn rssi(self) -> i8 {
        self.rssi
    }

    /// Whether there is a network, and with it a way for packets.
    pub(crate) fn registered(self) -> bool {
        self.mode == Mode::Online && self.registration == Registration::Home
    }

    /// The signal of the cell, if there is one.
    pub(crate) fn signal(self) -> Option<Signal> {
        self.registered().then_some(Signal {
            rssi: self.rssi,
            // A cell of 10 MHz (50 resource blocks) under full load: the RSSI
            // is 600 times (27.8 dB) the power of one reference symbol, and
            // RSRQ = 50 * RSRP / RSSI.
            rsrq: -11,
            rsrp: i16::from(self.rssi) - 28,
            snr: 120,
        })
    }
}

impl TryFrom<u8> for Mode {
    type Error = ();

    fn try_from(value: u8) -> Result<Self, ()> {
        [
            Self::Online,
            Self::LowPower,
            Self::PersistentLowPower,
            Self::LowPowerUntilSet,
        ]
        .into_iter()
        .find(|&mode| mode as u8 == value)
        .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A modem starts online and at home; without a network it has no signal.
    #[test]
    fn signal() {
        let mut radio = Radio::default();
        assert_eq!(radio.signal().unwrap().rssi, -75);
        radio.set_rssi(-500);
        assert_eq!(radio.signal().unwrap().rssi, -113);
        radio.registration = Registration::Searching;
        assert_eq!(radio.signal(), None);
    }

    /// The radio is off in all modes but one.
    #[test]
    fn modes() {
        assert_eq!(Mode::try_from(6), Ok(Mode::PersistentLowPower));
        assert_eq!(Mode::try_from(4), Err(()));
        let radio = Radio {
            mode: Mode::LowPower,
            ..Radio::default()
        };
        assert!(!radio.registered());
    }
}
