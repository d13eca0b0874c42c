// SPDX-License-Identifier: GPL-2.0
//! Who the modem is, and where it is registered.

use serde::{
    Deserialize,
    Serialize, //
};

/// What the modem says about itself, its SIM card and its operator.
///
/// The default belongs to no real device: an IMEI with the test body
/// identifier 00, and the network codes 001/01 that are set aside for tests
/// (ITU-T E.212).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Maker of the modem.
    pub manufacturer: String,
    /// Model of the modem.
    pub model: String,
    /// Revision of its firmware.
    pub revision: String,
    /// Revision of its hardware.
    pub hardware_revision: String,
    /// 15 decimal digits.
    pub imei: String,
    /// 15 decimal digits, the first five are the SIM's network.
    pub imsi: String,
    /// 19 or 20 decimal digits.
    pub iccid: String,
    /// The SIM's telephone number.
    pub msisdn: String,
    /// The network that the modem is registered in.
    pub operator: Operator,
}

/// A mobile network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// Mobile country code, up to 999.
    pub mcc: u16,
    /// Mobile network code of two digits, up to 99.
    pub mnc: u16,
    /// Its name, as shown to people.
    pub name: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            manufacturer: "BAM-DMUX".into(),
            model: "Virtual modem".into(),
            revision: "VIRTUAL.1.0".into(),
            hardware_revision: "10000".into(),
            imei: "004402000000014".into(),
            imsi: "001010123456789".into(),
            iccid: "8988211000000123456".into(),
            msisdn: "+15550100".into(),
            operator: Operator {
                mcc: 1,
                mnc: 1,
                name: "Virtual Network".into(),
            },
        }
    }
}

/// Whether the modem has found its network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Registered at home, with the packet domain attached.
    #[default]
    Home,
    /// Looking for a network.
    Searching,
    /// The network has turned the modem away.
    Denied,
}
