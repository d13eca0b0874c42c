// SPDX-License-Identifier: GPL-2.0
//! The network, and what it thinks of the modem.

use crate::identity::{
    Identity,
    Operator,
    Registration, //
};
use crate::radio::{
    Mode,
    Radio,
    LTE, //
};
use crate::service::Reply;
use crate::wire::error::QmiError;
use crate::wire::tlv::{
    Fields,
    Tlvs,
    Writer, //
};

/// The cell, and the area that it is in.
const CELL: u32 = 0x0101;
const TRACKING_AREA: u16 = 1;
/// E-UTRA band 1, and a channel in it.
const BAND: u16 = 120;
const CHANNEL: u16 = 300;

const ATTACHED: u8 = 1;
const DETACHED: u8 = 2;
const NETWORK_UNKNOWN: u8 = 0;
const NETWORK_3GPP: u8 = 2;
const ROAMING_OFF: u8 = 1;
const CAPABILITY_LTE: u8 = 0x0b;
/// Service domain: packets.
const DOMAIN_PS: u8 = 2;
/// EMM cause: PLMN not allowed.
const PLMN_NOT_ALLOWED: u8 = 11;
/// Encoding of a name: not said, which is taken for UTF-8.
const ENCODING_UNSPECIFIED: u8 = 0;
const REGISTER_AUTOMATIC: u8 = 1;
const REGISTER_MANUAL: u8 = 2;

/// Response to Get Serving System.
pub(super) fn serving_system(radio: Radio, identity: &Identity) -> Writer {
    with_cell(serving(radio, identity), radio, 0x1d, 0x24)
}

/// The same as an indication, which has other types for the cell.
pub(super) fn serving_system_indication(radio: Radio, identity: &Identity) -> Writer {
    with_cell(serving(radio, identity), radio, 0x1e, 0x25)
}

fn serving(radio: Radio, identity: &Identity) -> Writer {
    if !radio.registered() {
        let state = registration_state(radio);
        return Writer::new().put(0x01, &[state, DETACHED, DETACHED, NETWORK_UNKNOWN, 0]);
    }
    let state = [
        registration_state(radio),
        DETACHED,
        ATTACHED,
        NETWORK_3GPP,
        1,
        LTE,
    ];
    Writer::new()
        .put(0x01, &state)
        .byte(0x10, ROAMING_OFF)
        .put(0x11, &[1, CAPABILITY_LTE])
        .put(0x12, plmn(&identity.operator).bytes())
        .put(0x15, &[1, LTE, ROAMING_OFF])
}

fn with_cell(writer: Writer, radio: Radio, cell: u8, area: u8) -> Writer {
    if radio.registered() {
        writer.word(cell, CELL).short(area, TRACKING_AREA)
    } else {
        writer
    }
}

fn registration_state(radio: Radio) -> u8 {
    match (radio.mode, radio.registration) {
        (Mode::Online, Registration::Home) => 1,
        (Mode::Online, Registration::Searching) => 2,
        (Mode::Online, Registration::Denied) => 3,
        _ => 0,
    }
}

fn plmn(operator: &Operator) -> Fields {
    Fields::new()
        .short(operator.mcc)
        .short(operator.mnc)
        .text(&operator.name)
}

/// System info, response and indication.
pub(super) fn system_info(radio: Radio, identity: &Identity) -> Writer {
    let denied = radio.mode == Mode::Online && radio.registration == Registration::Denied;
    // Status, without and with restrictions; preferred for data.
    let service: [u8; 3] = match (radio.mode, radio.registration) {
        (Mode::Online, Registration::Home) => [2, 2, 1],
        (Mode::Online, Registration::Searching) => [0, 0, 0],
        (Mode::Online, Registration::Denied) => [1, 1, 0],
        // Not even looking for a network.
        _ => [4, 4, 0],
    };
    let reply = Writer::new().put(0x14, &service);
    if !radio.registered() && !denied {
        return reply;
    }
    // Each value behind a byte that says whether it is valid.
    let info = Fields::new()
        .raw(&[1, if denied { 0 } else { DOMAIN_PS }])
        .raw(&[1, DOMAIN_PS])
        .raw(&[u8::from(!denied), 0])
        .raw(&[1, u8::from(denied)])
        .raw(&[0, 0, 0])
        .byte(u8::from(!denied))
        .word(if denied { 0 } else { CELL })
        .raw(&if denied {
            [1, DOMAIN_PS, PLMN_NOT_ALLOWED]
        } else {
            [0; 3]
        })
        .byte(1)
        .raw(&digits(&identity.operator))
        .byte(u8::from(!denied))
        .short(if denied { 0 } else { TRACKING_AREA });
    reply.put(0x19, info.bytes())
}

/// Country and network code in digits; a code of two digits ends in 0xff.
fn digits(operator: &Operator) -> [u8; 6] {
    let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or_default();
    let (mcc, mnc) = (operator.mcc, operator.mnc);
    [
        digit(mcc / 100),
        digit(mcc / 10),
        digit(mcc),
        digit(mnc / 10),
        digit(mnc),
        0xff,
    ]
}

/// The SIM's network, which is the only one.
pub(super) fn home_network(identity: &Identity) -> Writer {
    Writer::new()
        .put(0x01, plmn(&identity.operator).bytes())
        // 3GPP; a network code of two digits.
        .put(0x12, &[1, 0])
}

/// The name of a network, if it is ours.
pub(super) fn plmn_name(tlvs: &Tlvs<'_>, identity: &Identity) -> Reply {
    let [mcc @ .., mnc_low, mnc_high] = tlvs.required::<4>(0x01)?;
    let asked = (
        u16::from_le_bytes(mcc),
        u16::from_le_bytes([mnc_low, mnc_high]),
    );
    let operator = &identity.operator;
    if asked != (operator.mcc, operator.mnc) {
        return Err(QmiError::NoEntry.into());
    }
    let no_initials_no_spare_bits = [0, 0];
    let names = Fields::new()
        .byte(ENCODING_UNSPECIFIED)
        .text(&operator.name)
        .byte(ENCODING_UNSPECIFIED)
        .raw(&no_initials_no_spare_bits)
        .text(&operator.name)
        .byte(ENCODING_UNSPECIFIED)
        .raw(&no_initials_no_spare_bits)
        .text(&operator.name);
    Ok(Writer::new().put(0x10, names.bytes()))
}

/// Band and channel of the cell.
pub(super) fn rf_band(radio: Radio) -> Reply {
    if !radio.registered() {
        return Err(QmiError::InformationUnavailable.into());
    }
    let list = Fields::new().raw(&[1, LTE]).short(BAND).short(CHANNEL);
    Ok(Writer::new().put(0x01, list.bytes()))
}

/// Nothing to do when registered; otherwise the modem is already trying.
pub(super) fn initiate_register(tlvs: &Tlvs<'_>, radio: Radio) -> Reply {
    match tlvs.required_byte(0x01)? {
        REGISTER_AUTOMATIC => {}
        REGISTER_MANUAL => {
            tlvs.required::<5>(0x10)?;
        }
        _ => return Err(QmiError::InvalidArgument.into()),
    }
    if radio.registered() {
        return Err(QmiError::NoEffect.into());
    }
    Ok(Writer::new())
}
