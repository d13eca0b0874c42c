// SPDX-License-Identifier: GPL-2.0
//! The QMI side of the modem, and a host that sends anything: each request that is one gets
//! exactly one response, and all that is said is well-formed.

use std::net::{
    Ipv4Addr,
    Ipv6Addr, //
};

use arbitrary::{
    Arbitrary,
    Unstructured, //
};
use bam_dmux_qmi::{
    CallEnd,
    Family,
    Identity,
    LinkCounters,
    Modem,
    Network,
    Refusal,
    Registration,
    Settings,
    V4,
    V6, //
};

/// Services of the modem: CTL, WDS, DMS, NAS, WDA.
const SERVICES: [u8; 5] = [0, 1, 2, 3, 0x1a];
/// Message ids that a service knows are below this, but for a few.
const MESSAGES: u16 = 0x60;
/// Answers to one request: its own, and indications to each client.
const MOST_FRAMES: usize = 2000;

#[derive(Debug, Arbitrary)]
enum Step {
    Raw(Vec<u8>),
    Request {
        service: u8,
        client: u8,
        transaction: u16,
        message: u16,
        tlvs: Vec<Tlv>,
    },
    /// A client of a service, by CTL.
    Allocate(u8),
    Release(u8, u8),
    /// A call: channel and family are the client's.
    Start {
        client: u8,
        family: u8,
    },
    Stop {
        client: u8,
        handle: u32,
    },
    Network(Change),
    /// The host looks away: frames and events stay.
    LookAway,
}

#[derive(Debug, Arbitrary)]
struct Tlv {
    kind: u8,
    value: Vec<u8>,
}

#[derive(Debug, Arbitrary)]
enum Change {
    Restart,
    Close,
    Drop(Option<u8>),
    Refuse(u8),
    Mute(u8),
    Registration(u8),
    Signal(i16),
}

struct Channels;

impl Network for Channels {
    fn has_channel(&self, channel: u8) -> bool {
        channel < 8
    }

    fn settings(&self, channel: u8, serial: u32) -> Settings {
        let [.., host] = serial.to_be_bytes();
        let v4 = |host| Ipv4Addr::new(10, 64, channel, host);
        let v6 = |host: u8| Ipv6Addr::new(0xfd64, channel.into(), 0, 0, 0, 0, 0, host.into());
        Settings {
            v4: V4 {
                address: v4(host),
                gateway: v4(254),
                prefix: 24,
                dns: [v4(253), v4(252)],
            },
            v6: V6 {
                address: v6(host),
                gateway: v6(254),
                prefix: 64,
                dns: [v6(253), v6(252)],
            },
            mtu: 1500,
        }
    }

    fn counters(&self, _channel: u8, _family: Family) -> LinkCounters {
        LinkCounters::default()
    }
}

/// Runs the target.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let mut modem = Modem::new(Identity::default());
    while let Ok(step) = Step::arbitrary(&mut u) {
        let looks = !matches!(step, Step::LookAway);
        apply(&mut modem, step);
        if looks {
            listen(&mut modem);
        }
        if u.is_empty() {
            break;
        }
    }
    let status = modem.status();
    // Eight channels of two families each.
    assert!(status.calls.len() <= 16, "{} calls", status.calls.len());
    listen(&mut modem);
}

fn apply(modem: &mut Modem, step: Step) {
    match step {
        Step::Raw(bytes) => modem.receive(&bytes, &Channels),
        Step::Request {
            service,
            client,
            transaction,
            message,
            tlvs,
        } => {
            let service = pick(service);
            let known = message & 0x8000 == 0;
            let message = if known { message % MESSAGES } else { message };
            ask(modem, (service, client % 4), transaction, message, &tlvs);
        }
        Step::Allocate(service) => control(modem, 0x22, vec![pick(service)]),
        Step::Release(service, client) => control(modem, 0x23, vec![pick(service), client]),
        Step::Start { client, family } => {
            let name = tlv(0x14, b"internet".to_vec());
            let family = tlv(0x19, vec![if family & 1 == 0 { 4 } else { 6 }]);
            ask(modem, (1, client % 4), 1, 0x20, &[name, family]);
        }
        Step::Stop { client, handle } => {
            let handle = tlv(1, handle.to_le_bytes().to_vec());
            ask(modem, (1, client % 4), 1, 0x21, &[handle]);
        }
        Step::Network(change) => alter(modem, &change),
        Step::LookAway => {}
    }
}

fn alter(modem: &mut Modem, change: &Change) {
    let end = CallEnd {
        reason: 1,
        verbose_type: 6,
        verbose_reason: 33,
    };
    match *change {
        Change::Restart => modem.restart(),
        Change::Close => modem.close(),
        Change::Drop(channel) => {
            modem.drop_calls(channel, end);
        }
        Change::Refuse(count) => modem.refuse_calls(Some(Refusal {
            count: count.into(),
            end,
        })),
        Change::Mute(count) => modem.mute(count.into()),
        Change::Registration(state) => modem.set_registration(match state % 3 {
            0 => Registration::Home,
            1 => Registration::Searching,
            _ => Registration::Denied,
        }),
        Change::Signal(dbm) => modem.set_signal(dbm),
    }
}

fn pick(service: u8) -> u8 {
    SERVICES
        .get(usize::from(service % 6))
        .copied()
        .unwrap_or(service)
}

fn tlv(kind: u8, value: Vec<u8>) -> Tlv {
    Tlv { kind, value }
}

fn control(modem: &mut Modem, message: u16, value: Vec<u8>) {
    ask(modem, (0, 0), 1, message, &[tlv(1, value)]);
}

/// Sends a well-formed request and looks for its response.
fn ask(modem: &mut Modem, to: (u8, u8), transaction: u16, message: u16, tlvs: &[Tlv]) {
    listen(modem);
    let to = if to.0 == 0 { (0, 0) } else { to };
    let mut sent = vec![0];
    let [low, high] = transaction.to_le_bytes();
    sent.push(low);
    if to.0 != 0 {
        sent.push(high);
    }
    let mut body = Vec::new();
    for tlv in tlvs {
        let value = &tlv.value[..tlv.value.len().min(300)];
        body.push(tlv.kind);
        body.extend(length(value));
        body.extend(value);
    }
    body.truncate(3000);
    sent.extend(message.to_le_bytes());
    sent.extend(length(&body));
    sent.extend(body);
    let mut frame = vec![1];
    frame.extend(u16::try_from(sent.len() + 5).unwrap_or(0).to_le_bytes());
    frame.extend([0, to.0, to.1]);
    frame.extend(sent);

    let before = modem.counters();
    modem.receive(&frame, &Channels);
    let after = modem.counters();
    assert_eq!(after.requests, before.requests + 1, "{frame:02x?}");
    let answers = (after.responses - before.responses) + (after.muted - before.muted);
    assert_eq!(answers, 1, "{frame:02x?}");
    if after.responses == before.responses {
        return;
    }
    let response = modem.take_frame().unwrap_or_default();
    let id = if to.0 == 0 {
        vec![to.0, to.1, 1, low]
    } else {
        vec![to.0, to.1, 2, low, high]
    };
    assert_eq!(response.get(4..4 + id.len()), Some(&id[..]), "{frame:02x?}");
    well_formed(&response);
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(0).to_le_bytes()
}

/// Takes all that the modem has to say.
fn listen(modem: &mut Modem) {
    for count in 0.. {
        let Some(frame) = modem.take_frame() else {
            break;
        };
        well_formed(&frame);
        assert!(count < MOST_FRAMES, "talks without end");
    }
    for count in 0.. {
        if modem.take_event().is_none() {
            break;
        }
        assert!(count < MOST_FRAMES, "events without end");
    }
}

/// Whether a host can read it: marker, lengths, TLVs.
fn well_formed(frame: &[u8]) {
    let short = |at: usize| usize::from(u16::from_le_bytes([frame[at], frame[at + 1]]));
    assert_eq!((frame[0], frame[3]), (1, 0x80), "{frame:02x?}");
    assert_eq!(short(1) + 1, frame.len(), "{frame:02x?}");
    let message = if frame[4] == 0 { 8 } else { 9 };
    assert_eq!(
        message + 4 + short(message + 2),
        frame.len(),
        "{frame:02x?}"
    );
    let mut at = message + 4;
    while at < frame.len() {
        at += 3 + short(at + 1);
    }
    assert_eq!(at, frame.len(), "{frame:02x?}");
}
