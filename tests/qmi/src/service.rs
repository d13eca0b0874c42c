// SPDX-License-Identifier: GPL-2.0
//! The services, and what they have in common.

pub(crate) mod ctl;
pub(crate) mod dms;
pub(crate) mod nas;
pub(crate) mod wda;
pub(crate) mod wds;

use crate::counters::Counters;
use crate::identity::Identity;
use crate::network::{
    Event,
    Network,
    Refusal, //
};
use crate::radio::Radio;
use crate::wire::error::QmiError;
use crate::wire::tlv::{
    Tlvs,
    Writer, //
};

/// The message that sets a client's state back, in most services.
pub(crate) const RESET: u16 = 0x0000;

/// Services that clients can be had of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Id {
    /// Wireless Data Service: calls.
    Wds = 0x01,
    /// Device Management Service: the modem itself, and its SIM.
    Dms = 0x02,
    /// Network Access Service: registration and signal.
    Nas = 0x03,
    /// Wireless Data Administrative Service: format of the data channels.
    Wda = 0x1a,
}

impl Id {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Wds, Self::Dms, Self::Nas, Self::Wda];

    /// The service of this number.
    pub(crate) fn find(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&id| id as u8 == number)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wds => "wds",
            Self::Dms => "dms",
            Self::Nas => "nas",
            Self::Wda => "wda",
        }
    }
}

/// A message for a service, from a client that exists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// Who asks.
    pub(crate) client: u8,
    /// What is asked.
    pub(crate) message: u16,
    /// With what.
    pub(crate) tlvs: Tlvs<'a>,
}

/// The TLVs of a response, without the result.
pub(crate) type Reply = Result<Writer, Failure>;

/// A response that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Why.
    pub(crate) error: QmiError,
    /// TLVs that say more.
    pub(crate) tlvs: Writer,
}

impl From<QmiError> for Failure {
    fn from(error: QmiError) -> Self {
        Self {
            error,
            tlvs: Writer::new(),
        }
    }
}

/// What a service can see and do while it answers.
pub(crate) struct Context<'a> {
    /// Who the modem is.
    pub(crate) identity: &'a Identity,
    /// The radio.
    pub(crate) radio: &'a mut Radio,
    /// The data channels.
    pub(crate) network: &'a dyn Network,
    /// Calls to be refused.
    pub(crate) refusal: &'a mut Option<Refusal>,
    /// What is counted.
    pub(crate) counters: &'a mut Counters,
    /// What else follows from the request.
    pub(crate) effects: &'a mut Effects,
}

/// What follows from a request beside its response.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// To be sent after the response.
    pub(crate) indications: Vec<Indication>,
    /// What became of calls.
    pub(crate) events: Vec<Event>,
}

/// A message that nobody asked for.
#[derive(Debug)]
pub(crate) struct Indication {
    /// From which service.
    pub(crate) service: Id,
    /// To which client.
    pub(crate) client: u8,
    /// What it is.
    pub(crate) message: u16,
    /// With what.
    pub(crate) tlvs: Writer,
}

/// A service that clients can be had of.
pub(crate) trait Service {
    /// A new client; `None` if there are too many.
    fn allocate(&mut self) -> Option<u8>;
    /// Forgets a client and ends what it has going; `false` if there is none
    /// of this number.
    fn release(&mut self, client: u8, context: &mut Context<'_>) -> bool;
    /// The numbers of all clients.
    fn clients(&self) -> Vec<u8>;
    /// Answers a message of a client that exists.
    fn answer(&mut self, call: &Call<'_>, context: &mut Context<'_>) -> Reply;
}

/// All services that clients can be had of.
#[derive(Debug)]
pub(crate) struct Services {
    /// Calls.
    pub(crate) wds: wds::Wds,
    /// The modem itself.
    pub(crate) dms: dms::Dms,
    /// Registration and signal.
    pub(crate) nas: nas::Nas,
    /// Data format.
    pub(crate) wda: wda::Wda,
}

impl Services {
    /// Services without clients.
    pub(crate) fn new() -> Self {
        Self {
            wds: wds::Wds::new(),
            dms: dms::Dms::new(),
            nas: nas::Nas::new(),
            wda: wda::Wda::new(),
        }
    }

    /// The service of this number.
    pub(crate) fn get_mut(&mut self, id: Id) -> &mut dyn Service {
        match id {
            Id::Wds => &mut self.wds,
            Id::Dms => &mut self.dms,
            Id::Nas => &mut self.nas,
            Id::Wda => &mut self.wda,
        }
    }

    /// The same, to look at.
    pub(crate) fn get(&self, id: Id) -> &dyn Service {
        match id {
            Id::Wds => &self.wds,
            Id::Dms => &self.dms,
            Id::Nas => &self.nas,
            Id::Wda => &self.wda,
        }
    }
}
