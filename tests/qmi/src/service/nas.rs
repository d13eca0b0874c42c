// SPDX-License-Identifier: GPL-2.0
//! NAS: registration and signal. One network, one LTE cell.
//!
//! Limitations: there is no network to scan for or to choose; who asks for
//! reports of the signal gets one at each change, whatever the thresholds.

mod preference;
mod signal;
mod system;

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
use crate::identity::Identity;
use crate::radio::Radio;
use crate::wire::error::QmiError;
use crate::wire::tlv::{
    Tlvs,
    Writer, //
};

const EVENT_REPORT: u16 = 0x0002;
const REGISTER_INDICATIONS: u16 = 0x0003;
const GET_SIGNAL_STRENGTH: u16 = 0x0020;
const INITIATE_REGISTER: u16 = 0x0022;
const SERVING_SYSTEM: u16 = 0x0024;
const GET_HOME_NETWORK: u16 = 0x0025;
const GET_TECHNOLOGY_PREFERENCE: u16 = 0x002b;
const GET_RF_BAND: u16 = 0x0031;
const SET_SELECTION_PREFERENCE: u16 = 0x0033;
const GET_SELECTION_PREFERENCE: u16 = 0x0034;
const GET_PLMN_NAME: u16 = 0x0044;
const GET_SYSTEM_INFO: u16 = 0x004d;
const SYSTEM_INFO: u16 = 0x004e;
const GET_SIGNAL_INFO: u16 = 0x004f;
const CONFIG_SIGNAL_INFO: u16 = 0x0050;
const SIGNAL_INFO: u16 = 0x0051;
const CONFIG_SIGNAL_INFO_V2: u16 = 0x006c;

/// The name of a message, if the service knows it.
pub(crate) fn name(message: u16) -> Option<&'static str> {
    Some(match message {
        RESET => "reset",
        EVENT_REPORT => "event report",
        REGISTER_INDICATIONS => "register indications",
        GET_SIGNAL_STRENGTH => "get signal strength",
        INITIATE_REGISTER => "initiate register",
        SERVING_SYSTEM => "serving system",
        GET_HOME_NETWORK => "get home network",
        GET_TECHNOLOGY_PREFERENCE => "get technology preference",
        GET_RF_BAND => "get rf band",
        SET_SELECTION_PREFERENCE => "set selection preference",
        GET_SELECTION_PREFERENCE => "get selection preference",
        GET_PLMN_NAME => "get plmn name",
        GET_SYSTEM_INFO => "get system info",
        SYSTEM_INFO => "system info",
        GET_SIGNAL_INFO => "get signal info",
        CONFIG_SIGNAL_INFO => "config signal info",
        SIGNAL_INFO => "signal info",
        _ => return None,
    })
}

/// The service.
#[derive(Debug)]
pub(crate) struct Nas {
    clients: Clients<Client>,
    manual_selection: bool,
}

/// What a client wants to hear of.
#[derive(Debug, Default, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of a message")]
struct Client {
    signal_strength: bool,
    rssi: bool,
    serving_system: bool,
    system_info: bool,
    signal_info: bool,
}

impl Nas {
    /// The service, without clients.
    pub(crate) fn new() -> Self {
        Self {
            clients: Clients::new(),
            manual_selection: false,
        }
    }

    /// Tells those who want to know that the registration has changed.
    pub(crate) fn announce_registration(
        &self,
        radio: Radio,
        identity: &Identity,
        effects: &mut Effects,
    ) {
        self.tell(effects, SERVING_SYSTEM, |client| {
            client
                .serving_system
                .then(|| system::serving_system_indication(radio, identity))
        });
        self.tell(effects, SYSTEM_INFO, |client| {
            client
                .system_info
                .then(|| system::system_info(radio, identity))
        });
    }

    /// Tells those who want to know that the signal has changed.
    pub(crate) fn announce_signal(&self, radio: Radio, effects: &mut Effects) {
        let Some(signal) = radio.signal() else {
            return;
        };
        self.tell(effects, EVENT_REPORT, |client| {
            signal::event_report(signal, client.signal_strength, client.rssi)
        });
        self.tell(effects, SIGNAL_INFO, |client| {
            client.signal_info.then(|| signal::info(Some(signal)))
        });
    }

    fn tell(&self, effects: &mut Effects, message: u16, what: impl Fn(&Client) -> Option<Writer>) {
        for (client, state) in self.clients.iter() {
            if let Some(tlvs) = what(state) {
                effects.indications.push(Indication {
                    service: Id::Nas,
                    client,
                    message,
                    tlvs,
                });
            }
        }
    }

    fn set_event_report(&mut self, call: &Call<'_>) -> Reply {
        let strength = leading_flag(&call.tlvs, 0x10)?;
        let rssi = leading_flag(&call.tlvs, 0x13)?;
        let client = self.clients.state(call.client)?;
        set(&mut client.signal_strength, strength);
        set(&mut client.rssi, rssi);
        Ok(Writer::new())
    }

    fn register(&mut self, call: &Call<'_>) -> Reply {
        let serving_system = call.tlvs.flag(0x13)?;
        let system_info = call.tlvs.flag(0x18)?;
        let signal_info = call.tlvs.flag(0x19)?;
        let client = self.clients.state(call.client)?;
        set(&mut client.serving_system, serving_system);
        set(&mut client.system_info, system_info);
        set(&mut client.signal_info, signal_info);
        Ok(Writer::new())
    }
}

impl Service for Nas {
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
        let radio = *context.radio;
        let who = context.identity;
        match call.message {
            RESET => {
                *self.clients.state(call.client)? = Client::default();
                Ok(Writer::new())
            }
            EVENT_REPORT => self.set_event_report(call),
            REGISTER_INDICATIONS => self.register(call),
            GET_SIGNAL_STRENGTH => signal::strength(&call.tlvs, radio.signal()),
            INITIATE_REGISTER => system::initiate_register(&call.tlvs, radio),
            SERVING_SYSTEM => Ok(system::serving_system(radio, who)),
            GET_HOME_NETWORK => Ok(system::home_network(who)),
            GET_TECHNOLOGY_PREFERENCE => Ok(preference::technology()),
            GET_RF_BAND => system::rf_band(radio),
            SET_SELECTION_PREFERENCE => {
                preference::set_selection(&call.tlvs, who, &mut self.manual_selection)
            }
            GET_SELECTION_PREFERENCE => Ok(preference::selection(who, self.manual_selection)),
            GET_PLMN_NAME => system::plmn_name(&call.tlvs, who),
            GET_SYSTEM_INFO => Ok(system::system_info(radio, who)),
            GET_SIGNAL_INFO => Ok(signal::info(radio.signal())),
            // Thresholds, which do not matter here.
            CONFIG_SIGNAL_INFO | CONFIG_SIGNAL_INFO_V2 => Ok(Writer::new()),
            _ => Err(QmiError::InvalidQmiCommand.into()),
        }
    }
}

fn set(field: &mut bool, value: Option<bool>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// A flag that thresholds may follow.
fn leading_flag(tlvs: &Tlvs<'_>, kind: u8) -> Result<Option<bool>, QmiError> {
    match tlvs.get(kind).map(<[u8]>::first) {
        None => Ok(None),
        Some(Some(&value @ (0 | 1))) => Ok(Some(value == 1)),
        Some(_) => Err(QmiError::InvalidArgument),
    }
}
