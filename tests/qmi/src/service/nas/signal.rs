// SPDX-License-Identifier: GPL-2.0
//! The signal, in the forms that NAS has for it.

use crate::radio::{
    Signal,
    LTE, //
};
use crate::service::Reply;
use crate::wire::error::QmiError;
use crate::wire::tlv::{
    Fields,
    Tlvs,
    Writer, //
};

/// Bits of the request mask.
const RSSI: u16 = 1 << 0;
const RSRQ: u16 = 1 << 5;
const SNR: u16 = 1 << 6;
const RSRP: u16 = 1 << 7;

/// Signal strength, and what the request's mask asks for.
pub(super) fn strength(tlvs: &Tlvs<'_>, signal: Option<Signal>) -> Reply {
    let mask = u16::from_le_bytes(tlvs.fixed(0x10)?.unwrap_or_default());
    let signal = signal.ok_or(QmiError::InformationUnavailable)?;
    let [rssi] = signal.rssi.to_le_bytes();
    let mut reply = Writer::new().put(0x01, &[rssi, LTE]);
    if mask & RSSI != 0 {
        let list = Fields::new().short(1).raw(&[magnitude(signal), LTE]);
        reply = reply.put(0x11, list.bytes());
    }
    if mask & RSRQ != 0 {
        let [rsrq] = signal.rsrq.to_le_bytes();
        reply = reply.put(0x16, &[rsrq, LTE]);
    }
    if mask & SNR != 0 {
        reply = reply.put(0x17, &signal.snr.to_le_bytes());
    }
    if mask & RSRP != 0 {
        reply = reply.put(0x18, &signal.rsrp.to_le_bytes());
    }
    Ok(reply)
}

/// Signal info, response and indication.
pub(super) fn info(signal: Option<Signal>) -> Writer {
    let Some(signal) = signal else {
        return Writer::new();
    };
    let lte = Fields::new()
        .raw(&signal.rssi.to_le_bytes())
        .raw(&signal.rsrq.to_le_bytes())
        .raw(&signal.rsrp.to_le_bytes())
        .raw(&signal.snr.to_le_bytes());
    Writer::new().put(0x14, lte.bytes())
}

/// The event report of a client that wants either, or both.
pub(super) fn event_report(signal: Signal, strength: bool, rssi: bool) -> Option<Writer> {
    let mut report = Writer::new();
    if strength {
        let [value] = signal.rssi.to_le_bytes();
        report = report.put(0x10, &[value, LTE]);
    }
    if rssi {
        report = report.put(0x13, &[magnitude(signal), LTE]);
    }
    (strength || rssi).then_some(report)
}

/// RSSI without its sign.
fn magnitude(signal: Signal) -> u8 {
    signal.rssi.unsigned_abs()
}
