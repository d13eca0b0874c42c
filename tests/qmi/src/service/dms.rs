// SPDX-License-Identifier: GPL-2.0
//! DMS: the modem itself and its SIM card. The SIM has no PIN and no locks.

use super::{
    Call,
    Context,
    Effects,
    Id,
    Indication,
    Reply,
    Service,
    RESET, //
};
use crate::clients::Clients;
use crate::radio::{
    Mode,
    Radio,
    LTE, //
};
use crate::wire::error::QmiError;
use crate::wire::tlv::{
    Fields,
    Tlvs,
    Writer, //
};

const EVENT_REPORT: u16 = 0x0001;
const GET_CAPABILITIES: u16 = 0x0020;
const GET_MANUFACTURER: u16 = 0x0021;
const GET_MODEL: u16 = 0x0022;
const GET_REVISION: u16 = 0x0023;
const GET_MSISDN: u16 = 0x0024;
const GET_IDS: u16 = 0x0025;
const GET_PIN_STATUS: u16 = 0x002b;
const GET_HARDWARE_REVISION: u16 = 0x002c;
const GET_OPERATING_MODE: u16 = 0x002d;
const SET_OPERATING_MODE: u16 = 0x002e;
const GET_ICCID: u16 = 0x003c;
const GET_CK_STATUS: u16 = 0x0040;
const GET_IMSI: u16 = 0x0043;
const GET_UIM_STATE: u16 = 0x0044;
const GET_BAND_CAPABILITIES: u16 = 0x0045;

/// Fastest rates of an LTE modem of category 4, in bit/s.
const TX_RATE: u32 = 50_000_000;
const RX_RATE: u32 = 150_000_000;
/// Data services: packets, and calls at the same time.
const SIMULTANEOUS: u8 = 3;
const SIM_SUPPORTED: u8 = 2;

/// There is a PIN, and it is switched off.
const PIN_DISABLED: u8 = 3;
/// The facility lock is off.
const LOCK_OFF: u8 = 0;
/// How often a PIN may be tried, and a PUK.
const RETRIES: [u8; 2] = [3, 10];
/// The last of the facilities that can be locked.
const LAST_FACILITY: u8 = 4;
const UIM_READY: u8 = 0;

/// LTE band 1.
const LTE_BANDS: u64 = 1;

/// The name of a message, if the service knows it.
pub(crate) fn name(message: u16) -> Option<&'static str> {
    Some(match message {
        RESET => "reset",
        EVENT_REPORT => "event report",
        GET_CAPABILITIES => "get capabilities",
        GET_MANUFACTURER => "get manufacturer",
        GET_MODEL => "get model",
        GET_REVISION => "get revision",
        GET_MSISDN => "get msisdn",
        GET_IDS => "get ids",
        GET_PIN_STATUS => "get pin status",
        GET_HARDWARE_REVISION => "get hardware revision",
        GET_OPERATING_MODE => "get operating mode",
        SET_OPERATING_MODE => "set operating mode",
        GET_ICCID => "get iccid",
        GET_CK_STATUS => "get ck status",
        GET_IMSI => "get imsi",
        GET_UIM_STATE => "get uim state",
        GET_BAND_CAPABILITIES => "get band capabilities",
        _ => return None,
    })
}

/// The service.
#[derive(Debug)]
pub(crate) struct Dms {
    clients: Clients<Client>,
}

#[derive(Debug, Default)]
struct Client {
    /// Wants to hear of the operating mode.
    reports_mode: bool,
}

impl Dms {
    /// The service, without clients.
    pub(crate) fn new() -> Self {
        Self {
            clients: Clients::new(),
        }
    }

    /// Tells those who want to know that the operating mode has changed.
    pub(crate) fn announce(&self, radio: Radio, effects: &mut Effects) {
        for (client, state) in self.clients.iter() {
            if state.reports_mode {
                effects.indications.push(Indication {
                    service: Id::Dms,
                    client,
                    message: EVENT_REPORT,
                    tlvs: Writer::new().byte(0x14, radio.mode as u8),
                });
            }
        }
    }

    fn set_event_report(&mut self, call: &Call<'_>) -> Reply {
        let mode = call.tlvs.flag(0x14)?;
        let state = self.clients.state(call.client)?;
        if let Some(wanted) = mode {
            state.reports_mode = wanted;
        }
        Ok(Writer::new())
    }
}

impl Service for Dms {
    fn allocate(&mut self) -> Option<u8> {
        self.clients.allocate()
    }

    fn release(&mut self, client: u8, _context: &mut Context<'_>) -> bool {
        self.clients.release(client)
    }

    fn clients(&self) -> Vec<u8> {
        self.clients.numbers()
    }

    fn answer(&mut self, call: &Call<'_>, context: &mut Context<'_>) -> Reply {
        let who = context.identity;
        let text = |text: &str| Ok(Writer::new().text(0x01, text));
        match call.message {
            RESET => {
                *self.clients.state(call.client)? = Client::default();
                Ok(Writer::new())
            }
            EVENT_REPORT => self.set_event_report(call),
            GET_CAPABILITIES => Ok(capabilities()),
            GET_MANUFACTURER => text(&who.manufacturer),
            GET_MODEL => text(&who.model),
            GET_REVISION => text(&who.revision),
            GET_MSISDN => text(&who.msisdn),
            // An ESN is what CDMA modems have; this is how others say none.
            GET_IDS => Ok(Writer::new().text(0x10, "0").text(0x11, &who.imei)),
            GET_PIN_STATUS => Ok(pin_status()),
            GET_HARDWARE_REVISION => text(&who.hardware_revision),
            GET_OPERATING_MODE => Ok(Writer::new().byte(0x01, context.radio.mode as u8)),
            SET_OPERATING_MODE => set_operating_mode(&call.tlvs, context.radio),
            GET_ICCID => text(&who.iccid),
            GET_CK_STATUS => ck_status(&call.tlvs),
            GET_IMSI => text(&who.imsi),
            GET_UIM_STATE => Ok(Writer::new().byte(0x01, UIM_READY)),
            // No bands of GSM and UMTS.
            GET_BAND_CAPABILITIES => Ok(Writer::new().long(0x01, 0).long(0x10, LTE_BANDS)),
            _ => Err(QmiError::InvalidQmiCommand.into()),
        }
    }
}

fn capabilities() -> Writer {
    let info = Fields::new()
        .word(TX_RATE)
        .word(RX_RATE)
        .byte(SIMULTANEOUS)
        .byte(SIM_SUPPORTED)
        .raw(&[1, LTE]);
    Writer::new().put(0x01, info.bytes())
}

fn pin_status() -> Writer {
    let [pin, puk] = RETRIES;
    let status = [PIN_DISABLED, pin, puk];
    Writer::new().put(0x11, &status).put(0x12, &status)
}

fn ck_status(tlvs: &Tlvs<'_>) -> Reply {
    let facility = tlvs.required_byte(0x01)?;
    if facility > LAST_FACILITY {
        return Err(QmiError::InvalidArgument.into());
    }
    let [pin, puk] = RETRIES;
    Ok(Writer::new().put(0x01, &[LOCK_OFF, pin, puk]))
}

fn set_operating_mode(tlvs: &Tlvs<'_>, radio: &mut Radio) -> Reply {
    let number = tlvs.required_byte(0x01)?;
    // Offline, reset and the like end in a restart of the modem.
    if matches!(number, 2..=5) {
        return Err(QmiError::InvalidTransition.into());
    }
    radio.mode = Mode::try_from(number).map_err(|()| QmiError::InvalidArgument)?;
    Ok(Writer::new())
}
