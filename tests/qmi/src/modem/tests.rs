// SPDX-License-Identifier: GPL-2.0
//! Tests of the modem as a whole, through its frames.

mod any;
mod calls;
mod clients;
mod reports;

use std::net::{
    Ipv4Addr,
    Ipv6Addr, //
};

use super::*;
use crate::network::{
    Family,
    Format,
    LinkCounters,
    Settings,
    V4,
    V6, //
};
use crate::wire::tlv::Tlvs;

const CTL: u8 = 0;
const WDS: u8 = 1;
const DMS: u8 = 2;
const NAS: u8 = 3;
const WDA: u8 = 0x1a;

/// Two channels whose counters are set by hand.
#[derive(Debug, Default)]
struct TwoChannels {
    /// For IPv4.
    counters: LinkCounters,
    /// For IPv6.
    counters6: LinkCounters,
}

impl Network for TwoChannels {
    fn has_channel(&self, channel: u8) -> bool {
        channel < 2
    }

    fn settings(&self, channel: u8, serial: u32) -> Settings {
        let host = u8::try_from(serial % 256).unwrap();
        let v4 = |host| Ipv4Addr::new(10, 64, channel, host);
        let v6 = |host| Ipv6Addr::new(0xfd64, channel.into(), 0, 0, 0, 0, 0, host);
        Settings {
            v4: V4 {
                address: v4(host),
                gateway: v4(254),
                prefix: 24,
                dns: [v4(253), v4(252)],
            },
            v6: V6 {
                address: v6(host.into()),
                gateway: v6(0xffff),
                prefix: 64,
                dns: [v6(0xfffe), v6(0xfffd)],
            },
            mtu: 1400,
        }
    }

    fn counters(&self, _channel: u8, family: Family) -> LinkCounters {
        match family {
            Family::V4 => self.counters,
            Family::V6 => self.counters6,
        }
    }
}

/// A modem and the host that talks to it.
struct Bench {
    modem: Modem,
    network: TwoChannels,
    transaction: u8,
}

/// A frame from the modem, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    service: u8,
    client: u8,
    flags: u8,
    transaction: u16,
    message: u16,
    tlvs: Vec<u8>,
}

impl Heard {
    fn parse(frame: &[u8]) -> Self {
        assert_eq!(frame[0], 1);
        let length = u16::from_le_bytes([frame[1], frame[2]]);
        assert_eq!(usize::from(length) + 1, frame.len());
        assert_eq!(frame[3], 0x80);
        let (service, client) = (frame[4], frame[5]);
        let (transaction, rest) = if service == CTL {
            (frame[7].into(), &frame[8..])
        } else {
            (u16::from_le_bytes([frame[7], frame[8]]), &frame[9..])
        };
        let length = u16::from_le_bytes([rest[2], rest[3]]);
        assert_eq!(usize::from(length) + 4, rest.len());
        assert!(Tlvs::parse(&rest[4..]).is_some());
        Self {
            service,
            client,
            flags: frame[6],
            transaction,
            message: u16::from_le_bytes([rest[0], rest[1]]),
            tlvs: rest[4..].to_vec(),
        }
    }

    fn tlv(&self, kind: u8) -> Option<&[u8]> {
        Tlvs::parse(&self.tlvs).unwrap().get(kind)
    }

    /// The error in the result; 0 is success.
    fn error(&self) -> u16 {
        let result = self.tlv(RESULT).unwrap();
        let (status, error) = (&result[..2], u16::from_le_bytes([result[2], result[3]]));
        assert_eq!(status, [u8::from(error != 0), 0]);
        error
    }
}

/// The frame of a request.
fn frame(to: (u8, u8), transaction: u8, message: u16, tlvs: &[u8]) -> Vec<u8> {
    let mut sdu = vec![0, transaction];
    if to.0 != CTL {
        sdu.push(0);
    }
    sdu.extend(message.to_le_bytes());
    sdu.extend(u16::try_from(tlvs.len()).unwrap().to_le_bytes());
    sdu.extend(tlvs);
    let mut frame = vec![1];
    frame.extend(u16::try_from(sdu.len() + 5).unwrap().to_le_bytes());
    frame.extend([0, to.0, to.1]);
    frame.extend(sdu);
    frame
}

impl Bench {
    fn new() -> Self {
        Self {
            modem: Modem::new(Identity::default()),
            network: TwoChannels::default(),
            transaction: 0,
        }
    }

    /// All that the modem has to say.
    fn listen(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.modem.take_frame())
            .map(|frame| Heard::parse(&frame))
            .collect()
    }

    /// All that has become of calls.
    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.modem.take_event()).collect()
    }

    /// Sends a request; returns its response and what comes after it.
    fn ask(&mut self, to: (u8, u8), message: u16, tlvs: &Writer) -> (Heard, Vec<Heard>) {
        self.transaction = self.transaction % 250 + 1;
        let sent = frame(to, self.transaction, message, tlvs.bytes());
        self.modem.receive(&sent, &self.network);
        let mut heard = self.listen();
        let response = heard.remove(0);
        assert_eq!((response.service, response.client), to);
        assert_eq!(response.flags, if to.0 == CTL { 1 } else { 2 });
        assert_eq!(response.transaction, u16::from(self.transaction));
        assert_eq!(response.message, message);
        (response, heard)
    }

    /// Sends a request that has nothing to follow.
    fn get(&mut self, to: (u8, u8), message: u16, tlvs: &Writer) -> Heard {
        let (response, more) = self.ask(to, message, tlvs);
        assert_eq!(more, []);
        response
    }

    /// The error of a request.
    fn error(&mut self, to: (u8, u8), message: u16, tlvs: &Writer) -> u16 {
        self.ask(to, message, tlvs).0.error()
    }

    /// A new client.
    fn client(&mut self, service: u8) -> (u8, u8) {
        let response = self.get((CTL, 0), 0x22, &Writer::new().byte(1, service));
        assert_eq!(response.error(), 0);
        let &[of, client] = response.tlv(1).unwrap() else {
            panic!("{response:?}");
        };
        assert_eq!(of, service);
        (of, client)
    }

    /// Releases a client; returns what the others hear.
    fn release(&mut self, client: (u8, u8)) -> Vec<Heard> {
        let info = [client.0, client.1];
        let (response, more) = self.ask((CTL, 0), 0x23, &Writer::new().put(1, &info));
        assert_eq!(response.error(), 0);
        assert_eq!(response.tlv(1), Some(&info[..]));
        more
    }
}
