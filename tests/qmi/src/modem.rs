// SPDX-License-Identifier: GPL-2.0
//! The QMI side as a whole: requests in, responses, indications and events
//! out.

use std::collections::VecDeque;

use crate::counters::Counters;
use crate::identity::{
    Identity,
    Registration, //
};
use crate::network::{
    CallEnd,
    Event,
    Network,
    Refusal, //
};
use crate::outbox::{
    Kind,
    Outbox, //
};
use crate::radio::{
    Mode,
    Radio, //
};
use crate::service::{
    ctl,
    Call,
    Context,
    Effects,
    Failure,
    Id,
    Reply,
    Services, //
};
use crate::status::{
    ClientStatus,
    Status, //
};
use crate::wire::error::QmiError;
use crate::wire::frame::{
    indication,
    Request, //
};
use crate::wire::tlv::{
    Fields,
    Writer, //
};

/// Most events that wait; twice as many as there can be changes of 16 calls.
const MOST_EVENTS: usize = 256;
/// The client number that means all of them.
const ALL_CLIENTS: u8 = 0xff;
/// The TLV that says how a request went.
const RESULT: u8 = 0x02;

/// The QMI side of a modem.
#[derive(Debug)]
pub struct Modem {
    identity: Identity,
    services: Services,
    radio: Radio,
    out: Outbox,
    events: VecDeque<Event>,
    refusal: Option<Refusal>,
    mute: u32,
    counters: Counters,
}

impl Modem {
    /// A modem that has just started.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            services: Services::new(),
            radio: Radio::default(),
            out: Outbox::default(),
            events: VecDeque::new(),
            refusal: None,
            mute: 0,
            counters: Counters::default(),
        }
    }

    /// Takes one QMUX frame from the host, and answers it: see
    /// [`Self::take_frame`] and [`Self::take_event`]. A frame that makes no
    /// sense is dropped and counted.
    pub fn receive(&mut self, frame: &[u8], network: &dyn Network) {
        let request = match Request::parse(frame) {
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(%error, length = frame.len(), "malformed frame");
                self.counters.malformed += 1;
                return;
            }
        };
        self.counters.requests += 1;
        if self.mute > 0 {
            self.mute -= 1;
            self.counters.muted += 1;
            return;
        }
        let mut effects = Effects::default();
        let reply = self.answer(&request, network, &mut effects);
        self.respond(&request, reply);
        self.apply(effects);
    }

    /// The oldest frame for the host.
    pub fn take_frame(&mut self) -> Option<Vec<u8>> {
        self.out.pop()
    }

    /// The oldest event.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The firmware has restarted: no clients, no calls, and all that was set
    /// by hand is as at the start. There are no events of the calls that are
    /// gone; the first frame for the host says that the modem has restarted.
    /// Counters stay.
    pub fn restart(&mut self) {
        self.services.wds.restart();
        let wds = std::mem::replace(&mut self.services, Services::new()).wds;
        self.services.wds = wds;
        self.radio = Radio::default();
        self.out.clear();
        self.events.clear();
        self.refusal = None;
        self.mute = 0;
        let sync = indication(ctl::SERVICE, ALL_CLIENTS, ctl::SYNC, &Writer::new());
        self.send(Kind::Indication, sync);
    }

    /// The host has closed the port: nobody will fetch what is queued. Clients
    /// and calls stay, so that a client may be used again when the port is open
    /// again; see [`Self::forget_clients`] for firmware that does not do so.
    pub fn close(&mut self) {
        self.out.clear();
    }

    /// The firmware forgets all clients, as some does when the host closes the
    /// port: their calls end, and who uses a client again is not known.
    pub fn forget_clients(&mut self, network: &dyn Network) {
        let mut effects = Effects::default();
        let mut context = Context {
            identity: &self.identity,
            radio: &mut self.radio,
            network,
            refusal: &mut self.refusal,
            counters: &mut self.counters,
            effects: &mut effects,
        };
        ctl::release_all(&mut self.services, &mut context);
        self.apply(effects);
        self.out.clear();
    }

    /// Refuses the next calls; `None`: no longer.
    pub fn refuse_calls(&mut self, refusal: Option<Refusal>) {
        self.refusal = refusal.filter(|refusal| refusal.count > 0);
    }

    /// The network ends the calls of a channel, or all of them. Returns how
    /// many there were.
    pub fn drop_calls(&mut self, channel: Option<u8>, end: CallEnd) -> usize {
        let mut effects = Effects::default();
        let dropped = self.services.wds.drop_calls(channel, end, &mut effects);
        self.counters.calls_dropped += dropped as u64;
        self.apply(effects);
        dropped
    }

    /// Whether the firmware can do QMAP, and grants it to those who ask from
    /// now on; a restart takes it back.
    pub fn allow_qmap(&mut self, allowed: bool) {
        self.services.wda.allow_qmap(allowed);
    }

    /// Swallows the next requests.
    pub fn mute(&mut self, requests: u32) {
        self.mute = requests;
    }

    /// The modem has found its network, or lost it. Calls that are up stay so:
    /// it is for the network to end them, see [`Self::drop_calls`].
    pub fn set_registration(&mut self, registration: Registration) {
        if self.radio.registration == registration {
            return;
        }
        self.radio.registration = registration;
        let mut effects = Effects::default();
        self.services
            .nas
            .announce_registration(self.radio, &self.identity, &mut effects);
        self.services.nas.announce_signal(self.radio, &mut effects);
        self.apply(effects);
    }

    /// The signal has changed: RSSI in dBm, brought into -113..=-51.
    pub fn set_signal(&mut self, dbm: i16) {
        let before = self.radio;
        self.radio.set_rssi(dbm);
        if self.radio == before {
            return;
        }
        let mut effects = Effects::default();
        self.services.nas.announce_signal(self.radio, &mut effects);
        self.apply(effects);
    }

    /// The state, for people and for tests.
    #[must_use]
    pub fn status(&self) -> Status {
        let clients = Id::ALL.into_iter().flat_map(|id| {
            let clients = self.services.get(id).clients();
            clients.into_iter().map(move |client| ClientStatus {
                service: id.name(),
                client,
            })
        });
        Status {
            registration: self.radio.registration,
            signal_dbm: self.radio.rssi().into(),
            operating_mode: self.radio.mode as u8,
            refusal: self.refusal,
            format: self.services.wda.format(),
            mute: self.mute,
            clients: clients.collect(),
            calls: self.services.wds.calls(),
        }
    }

    /// What has been counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn answer(
        &mut self,
        request: &Request<'_>,
        network: &dyn Network,
        effects: &mut Effects,
    ) -> Reply {
        let Some(tlvs) = request.tlvs else {
            self.counters.malformed += 1;
            return Err(QmiError::MalformedMessage.into());
        };
        let before = self.radio;
        let mut context = Context {
            identity: &self.identity,
            radio: &mut self.radio,
            network,
            refusal: &mut self.refusal,
            counters: &mut self.counters,
            effects,
        };
        if request.service == ctl::SERVICE {
            return ctl::answer(request.message, &tlvs, &mut self.services, &mut context);
        }
        let id = Id::find(request.service).ok_or(QmiError::InvalidServiceType)?;
        let service = self.services.get_mut(id);
        if !service.clients().contains(&request.client) {
            context.counters.unknown_client += 1;
            return Err(QmiError::InvalidClientId.into());
        }
        let call = Call {
            client: request.client,
            message: request.message,
            tlvs,
        };
        let reply = service.answer(&call, &mut context);
        if self.radio.mode != before.mode {
            self.mode_changed(effects);
        }
        reply
    }

    /// The host has switched the radio on or off.
    fn mode_changed(&mut self, effects: &mut Effects) {
        if self.radio.mode != Mode::Online {
            let lost = self.services.wds.lose_service(effects);
            self.counters.calls_dropped += lost as u64;
        }
        self.services.dms.announce(self.radio, effects);
        self.services
            .nas
            .announce_registration(self.radio, &self.identity, effects);
    }

    fn respond(&mut self, request: &Request<'_>, reply: Reply) {
        let (error, tlvs) = match reply {
            Ok(tlvs) => (None, tlvs),
            Err(Failure { error, tlvs }) => (Some(error), tlvs),
        };
        if let Some(error) = error {
            tracing::debug!(
                service = request.service,
                client = request.client,
                message = format_args!("{:#06x}", request.message),
                %error,
                "request refused"
            );
            self.counters.errors += 1;
            self.counters.unknown_message += u64::from(error == QmiError::InvalidQmiCommand);
        }
        let result = Fields::new()
            .short(error.is_some().into())
            .short(error.map_or(0, QmiError::code));
        let tlvs = Writer::new().put(RESULT, result.bytes()).append(&tlvs);
        self.counters.responses += 1;
        self.send(Kind::Response, request.answer(&tlvs));
    }

    fn apply(&mut self, effects: Effects) {
        for it in effects.indications {
            let frame = indication(it.service as u8, it.client, it.message, &it.tlvs);
            self.send(Kind::Indication, frame);
        }
        for event in effects.events {
            if self.events.len() >= MOST_EVENTS {
                self.events.pop_front();
                self.counters.events_lost += 1;
            }
            self.events.push_back(event);
        }
    }

    fn send(&mut self, kind: Kind, frame: Vec<u8>) {
        self.counters.indications += u64::from(kind == Kind::Indication);
        self.counters.queue_full += u64::from(self.out.push(kind, frame));
    }
}

#[cfg(test)]
mod tests;
