// SPDX-License-Identifier: GPL-2.0
//! WDS: calls, each of one data channel and one IP family.
//!
//! Limitations: no profiles, no call that the modem starts by itself, no
//! event reports: nothing of what they report ever changes.

mod calls;
mod report;
mod start;

use super::{
    Call as Request,
    Context,
    Effects,
    Failure,
    Id,
    Indication,
    Reply,
    Service,
    RESET, //
};
use crate::clients::Clients;
use crate::counters::Counters;
use crate::network::{
    CallEnd,
    Event,
    Family,
    Network, //
};
use crate::status::CallStatus;
use crate::wire::error::QmiError;
use crate::wire::tlv::{
    Tlvs,
    Writer, //
};
use calls::{
    Call,
    Calls, //
};

const EVENT_REPORT: u16 = 0x0001;
const INDICATION_REGISTER: u16 = 0x0003;
const START_NETWORK: u16 = 0x0020;
const STOP_NETWORK: u16 = 0x0021;
const PACKET_SERVICE_STATUS: u16 = 0x0022;
const GET_PACKET_STATISTICS: u16 = 0x0024;
const GET_CURRENT_SETTINGS: u16 = 0x002d;
const GET_AUTOCONNECT: u16 = 0x0034;
const SET_IP_FAMILY: u16 = 0x004d;
const SET_AUTOCONNECT: u16 = 0x0051;
const BIND_DATA_PORT: u16 = 0x0089;
const BIND_MUX_DATA_PORT: u16 = 0x00a2;

/// SIO port of data channel 0; the others follow.
const FIRST_SIO_PORT: u16 = 0x0e04;
/// How many SIO ports there are.
const SIO_PORTS: u16 = 8;
/// Endpoint type: BAM-DMUX.
const ENDPOINT_BAM_DMUX: u32 = 5;

const DISCONNECTED: u8 = 1;
const CONNECTED: u8 = 2;

/// The call ended because a client wanted it: call end reason and verbose
/// call end reason (3GPP, regular deactivation).
const BY_CLIENT: CallEnd = CallEnd {
    reason: 2,
    verbose_type: 6,
    verbose_reason: 36,
};
/// The call ended because the radio was switched off: no service, and
/// verbose (call manager, offline).
const NO_SERVICE: CallEnd = CallEnd {
    reason: 3,
    verbose_type: 3,
    verbose_reason: 2001,
};

/// The name of a message, if the service knows it.
pub(crate) fn name(message: u16) -> Option<&'static str> {
    Some(match message {
        RESET => "reset",
        EVENT_REPORT => "event report",
        INDICATION_REGISTER => "indication register",
        START_NETWORK => "start network",
        STOP_NETWORK => "stop network",
        PACKET_SERVICE_STATUS => "packet service status",
        GET_PACKET_STATISTICS => "get packet statistics",
        GET_CURRENT_SETTINGS => "get current settings",
        GET_AUTOCONNECT => "get autoconnect",
        SET_IP_FAMILY => "set ip family",
        SET_AUTOCONNECT => "set autoconnect",
        BIND_DATA_PORT => "bind data port",
        BIND_MUX_DATA_PORT => "bind mux data port",
        _ => return None,
    })
}

/// The service.
#[derive(Debug)]
pub(crate) struct Wds {
    clients: Clients<Client>,
    calls: Calls,
}

/// What a client's calls are about.
#[derive(Debug, Default, Clone, Copy)]
struct Client {
    channel: Option<u8>,
    family: Option<Family>,
    /// Of the last call that it has started, which may have ended since.
    handle: Option<u32>,
}

impl Client {
    /// The data channel: 0 if it is not bound to another.
    fn channel(self) -> u8 {
        self.channel.unwrap_or_default()
    }

    /// The IP family: IPv4 unless it has said otherwise.
    fn family(self) -> Family {
        self.family.unwrap_or(Family::V4)
    }
}

impl Wds {
    /// The service, without clients and calls.
    pub(crate) fn new() -> Self {
        Self {
            clients: Clients::new(),
            calls: Calls::new(),
        }
    }

    /// The firmware has restarted: no clients, no calls.
    pub(crate) fn restart(&mut self) {
        self.clients = Clients::new();
        self.calls.restart();
    }

    /// The calls that are up.
    pub(crate) fn calls(&self) -> Vec<CallStatus> {
        self.calls.iter().map(Call::status).collect()
    }

    /// The network ends the calls of a channel, or all of them.
    pub(crate) fn drop_calls(
        &mut self,
        channel: Option<u8>,
        end: CallEnd,
        effects: &mut Effects,
    ) -> usize {
        let ended = self
            .calls
            .end(None, |call| channel.is_none_or(|it| it == call.channel));
        self.ended(&ended, end, effects);
        ended.len()
    }

    /// The radio has been switched off.
    pub(crate) fn lose_service(&mut self, effects: &mut Effects) -> usize {
        self.drop_calls(None, NO_SERVICE, effects)
    }

    /// Ends the calls that a client has started.
    fn end_own(
        &mut self,
        client: u8,
        network: &dyn Network,
        counters: &mut Counters,
        effects: &mut Effects,
    ) {
        let ended = self.calls.end(Some(network), |call| call.owner == client);
        counters.calls_stopped += ended.len() as u64;
        self.ended(&ended, BY_CLIENT, effects);
    }

    /// Tells the owner of the data channels and all clients concerned.
    fn ended(&self, calls: &[Call], end: CallEnd, effects: &mut Effects) {
        for call in calls {
            tracing::info!(
                channel = call.channel,
                family = ?call.family,
                handle = call.handle,
                reason = end.reason,
                "call ended"
            );
            effects.events.push(Event::CallDown {
                channel: call.channel,
                family: call.family,
            });
            self.tell(
                call,
                &end_tlvs(Writer::new().put(0x01, &[DISCONNECTED, 0]), end),
                effects,
            );
        }
    }

    /// Sends a packet service status to the clients of the call's channel and
    /// family.
    fn tell(&self, call: &Call, tlvs: &Writer, effects: &mut Effects) {
        for (client, state) in self.clients.iter() {
            if state.channel() == call.channel && state.family() == call.family {
                effects.indications.push(Indication {
                    service: Id::Wds,
                    client,
                    message: PACKET_SERVICE_STATUS,
                    tlvs: tlvs.clone().byte(0x12, family_number(call.family)),
                });
            }
        }
    }

    fn client(&self, id: u8) -> Client {
        self.clients
            .iter()
            .find(|&(client, _)| client == id)
            .map(|(_, state)| *state)
            .unwrap_or_default()
    }

    fn set_client(&mut self, id: u8, state: Client) {
        if let Some(client) = self.clients.get_mut(id) {
            *client = state;
        }
    }

    fn bind(&mut self, id: u8, channel: Option<u8>, network: &dyn Network) -> Reply {
        let channel = channel
            .filter(|&channel| network.has_channel(channel))
            .ok_or(QmiError::InvalidArgument)?;
        let client = self.client(id);
        // A call stays on its channel.
        if client.channel() != channel && self.calls.iter().any(|call| call.owner == id) {
            return Err(QmiError::InvalidOperation.into());
        }
        self.set_client(
            id,
            Client {
                channel: Some(channel),
                ..client
            },
        );
        Ok(Writer::new())
    }

    fn set_ip_family(&mut self, request: &Request<'_>) -> Reply {
        let family = family(request.tlvs.required_byte(0x01)?)?;
        let client = self.client(request.client);
        self.set_client(request.client, Client { family, ..client });
        Ok(Writer::new())
    }

    fn status(&self, id: u8) -> Writer {
        let connected = self.call_of(id).is_some();
        Writer::new().byte(0x01, if connected { CONNECTED } else { DISCONNECTED })
    }

    /// The call that a client means.
    fn call_of(&self, id: u8) -> Option<&Call> {
        let client = self.client(id);
        self.calls.find(client.channel(), client.family())
    }
}

impl Service for Wds {
    fn allocate(&mut self) -> Option<u8> {
        self.clients.allocate()
    }

    fn release(&mut self, client: u8, context: &mut Context<'_>) -> bool {
        // First the client: it will not listen any more.
        let known = self.clients.release(client);
        self.end_own(client, context.network, context.counters, context.effects);
        known
    }

    fn clients(&self) -> Vec<u8> {
        self.clients.numbers()
    }

    fn answer(&mut self, call: &Request<'_>, context: &mut Context<'_>) -> Reply {
        let (client, tlvs) = (call.client, &call.tlvs);
        match call.message {
            RESET => {
                self.end_own(client, context.network, context.counters, context.effects);
                self.set_client(client, Client::default());
                Ok(Writer::new())
            }
            EVENT_REPORT | INDICATION_REGISTER => Ok(Writer::new()),
            START_NETWORK => self.start(call, context),
            STOP_NETWORK => self.stop(call, context),
            PACKET_SERVICE_STATUS => Ok(self.status(client)),
            GET_PACKET_STATISTICS => self.statistics(call, context.network),
            GET_CURRENT_SETTINGS => self.settings(call),
            // Off, and allowed everywhere.
            GET_AUTOCONNECT => Ok(Writer::new().byte(0x01, 0).byte(0x10, 0)),
            SET_AUTOCONNECT => set_autoconnect(tlvs),
            SET_IP_FAMILY => self.set_ip_family(call),
            BIND_DATA_PORT => self.bind(client, sio_channel(tlvs)?, context.network),
            BIND_MUX_DATA_PORT => self.bind(client, mux_channel(tlvs)?, context.network),
            _ => Err(QmiError::InvalidQmiCommand.into()),
        }
    }
}

/// Adds why a call ended.
fn end_tlvs(writer: Writer, end: CallEnd) -> Writer {
    let [type_low, type_high] = end.verbose_type.to_le_bytes();
    let [low, high] = end.verbose_reason.to_le_bytes();
    writer
        .short(0x10, end.reason)
        .put(0x11, &[type_low, type_high, low, high])
}

/// A call that did not come up.
fn call_failed(end: CallEnd) -> Failure {
    Failure {
        error: QmiError::CallFailed,
        tlvs: end_tlvs(Writer::new(), end),
    }
}

/// An IP family preference; `None` is no preference.
fn family(number: u8) -> Result<Option<Family>, QmiError> {
    match number {
        4 => Ok(Some(Family::V4)),
        6 => Ok(Some(Family::V6)),
        8 => Ok(None),
        _ => Err(QmiError::InvalidArgument),
    }
}

fn family_number(family: Family) -> u8 {
    match family {
        Family::V4 => 4,
        Family::V6 => 6,
    }
}

/// The channel of a SIO port; `None` if there is none of that number.
fn sio_channel(tlvs: &Tlvs<'_>) -> Result<Option<u8>, QmiError> {
    let port = u16::from_le_bytes(tlvs.required(0x01)?);
    Ok(port
        .checked_sub(FIRST_SIO_PORT)
        .filter(|&channel| channel < SIO_PORTS)
        .and_then(|channel| u8::try_from(channel).ok()))
}

/// The channel of an endpoint, without multiplexing in it.
fn mux_channel(tlvs: &Tlvs<'_>) -> Result<Option<u8>, QmiError> {
    let [kind @ .., a, b, c, d] = tlvs.required::<8>(0x10)?;
    let mux_id = tlvs.byte(0x11)?.unwrap_or_default();
    if u32::from_le_bytes(kind) != ENDPOINT_BAM_DMUX || mux_id != 0 {
        return Ok(None);
    }
    Ok(u8::try_from(u32::from_le_bytes([a, b, c, d])).ok())
}

/// The modem does not start calls by itself, and takes no order to do so.
fn set_autoconnect(tlvs: &Tlvs<'_>) -> Reply {
    match tlvs.required_byte(0x01)? {
        0 => Ok(Writer::new()),
        1 | 2 => Err(QmiError::NotSupported.into()),
        _ => Err(QmiError::InvalidArgument.into()),
    }
}
