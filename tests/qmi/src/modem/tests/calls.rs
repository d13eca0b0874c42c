// SPDX-License-Identifier: GPL-2.0
//! Calls: up, down, refused, dropped, and what they have moved.

use super::*;
use crate::network::Direction;

const START: u16 = 0x20;
const STOP: u16 = 0x21;
const STATUS: u16 = 0x22;
const STATISTICS: u16 = 0x24;
const SETTINGS: u16 = 0x2d;
const SET_FAMILY: u16 = 0x4d;
const BIND: u16 = 0x89;

const END: CallEnd = CallEnd {
    reason: 1,
    verbose_type: 6,
    verbose_reason: -3,
};

fn apn() -> Writer {
    Writer::new().text(0x14, "internet")
}

impl Bench {
    /// A WDS client on a channel and for a family.
    fn wds(&mut self, channel: u16, family: u8) -> (u8, u8) {
        let client = self.client(WDS);
        let bind = Writer::new().short(1, 0x0e04 + channel);
        assert_eq!(self.error(client, BIND, &bind), 0);
        let family = Writer::new().byte(1, family);
        assert_eq!(self.error(client, SET_FAMILY, &family), 0);
        client
    }

    /// Starts a call; returns its handle.
    fn start(&mut self, client: (u8, u8)) -> [u8; 4] {
        let (response, indications) = self.ask(client, START, &apn());
        assert_eq!(response.error(), 0);
        // The one who has started it hears of it like the others.
        assert!(indications.iter().any(|it| it.client == client.1
            && (it.flags, it.message) == (4, STATUS)
            && it.tlv(1) == Some(&[2, 0])));
        response.tlv(1).unwrap().try_into().unwrap()
    }
}

/// A call comes up with its address, and the event says the same.
#[test]
fn start_and_stop() {
    let mut bench = Bench::new();
    let client = bench.wds(1, 4);
    let handle = bench.start(client);
    assert_ne!(u32::from_le_bytes(handle), 0);
    let settings = bench.network.settings(1, 1);
    assert_eq!(
        bench.events(),
        [Event::CallUp {
            channel: 1,
            family: Family::V4,
            serial: 1,
            settings
        }]
    );
    let status = bench.get(client, STATUS, &Writer::new());
    assert_eq!(status.tlv(1), Some(&[2][..]));

    let wrong = Writer::new().word(1, 7);
    assert_eq!(bench.error(client, STOP, &wrong), 9);
    let right = Writer::new().put(1, &handle);
    let (response, indications) = bench.ask(client, STOP, &right);
    assert_eq!(response.error(), 0);
    assert_eq!(indications[0].tlv(1), Some(&[1, 0][..]));
    assert_eq!(indications[0].tlv(0x10), Some(&[2, 0][..]));
    assert_eq!(
        bench.events(),
        [Event::CallDown {
            channel: 1,
            family: Family::V4
        }]
    );
    // It has ended already.
    assert_eq!(bench.error(client, STOP, &right), 26);
    let any = Writer::new().word(1, u32::MAX);
    assert_eq!(bench.error(client, STOP, &any), 26);
}

/// Settings are those that the mask asks for.
#[test]
fn settings_mask() {
    let mut bench = Bench::new();
    let client = bench.wds(0, 4);
    let all = Writer::new().word(0x10, 0xe330);
    assert_eq!(bench.error(client, SETTINGS, &all), 15);
    bench.start(client);
    let response = bench.get(client, SETTINGS, &all);
    assert_eq!(response.tlv(0x1e), Some(&[1, 0, 64, 10][..]));
    assert_eq!(response.tlv(0x20), Some(&[254, 0, 64, 10][..]));
    assert_eq!(response.tlv(0x21), Some(&[0, 255, 255, 255][..]));
    assert_eq!(response.tlv(0x15), Some(&[253, 0, 64, 10][..]));
    assert_eq!(response.tlv(0x29), Some(&[0x78, 5, 0, 0][..]));
    assert_eq!(response.tlv(0x2b), Some(&[4][..]));
    assert_eq!(response.tlv(0x25), None);
    let mtu = bench.get(client, SETTINGS, &Writer::new().word(0x10, 1 << 13));
    assert_eq!(mtu.tlv(0x1e), None);
    assert!(mtu.tlv(0x29).is_some());
}

/// The IPv6 call of a channel has the IPv4 call's serial, but addresses and
/// family of its own; another channel has another serial.
#[test]
fn dual_stack() {
    let mut bench = Bench::new();
    let (v4, v6) = (bench.wds(0, 4), bench.wds(0, 6));
    bench.start(v4);
    bench.start(v6);
    let calls = bench.modem.status().calls;
    assert_eq!((calls[0].serial, calls[1].serial), (1, 1));
    assert_ne!(calls[0].handle, calls[1].handle);
    let response = bench.get(v6, SETTINGS, &Writer::new());
    let address = response.tlv(0x25).unwrap();
    assert_eq!((&address[..4], address[16]), (&[0xfd, 0x64, 0, 0][..], 64));
    assert_eq!(response.tlv(0x1e), None);
    bench.release(v4);
    assert_eq!(bench.modem.status().calls.len(), 1);
    let again = bench.wds(0, 4);
    bench.start(again);
    assert_eq!(bench.modem.status().calls[1].serial, 1);
    let elsewhere = bench.wds(1, 4);
    bench.start(elsewhere);
    assert_eq!(bench.modem.status().calls[2].serial, 2);
}

/// What is up cannot be started again, but be used and stopped by another
/// client of the channel.
#[test]
fn already_up() {
    let mut bench = Bench::new();
    let (first, second) = (bench.wds(0, 4), bench.wds(0, 4));
    bench.start(first);
    assert_eq!(bench.error(first, START, &apn()), 26);
    assert_eq!(bench.error(second, START, &apn()), 26);
    assert_eq!(bench.error(second, SETTINGS, &Writer::new()), 0);
    let any = Writer::new().word(1, u32::MAX);
    let (response, indications) = bench.ask(second, STOP, &any);
    assert_eq!(response.error(), 0);
    assert_eq!(indications.len(), 2);
}

/// A client's release ends its call; the others of the channel hear of it.
#[test]
fn release() {
    let mut bench = Bench::new();
    let (owner, other, elsewhere) = (bench.wds(0, 4), bench.wds(0, 4), bench.wds(1, 4));
    bench.start(owner);
    let heard = bench.release(owner);
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].service, heard[0].client), other);
    assert_eq!(bench.error(elsewhere, STATUS, &Writer::new()), 0);
    assert_eq!(bench.modem.status().calls, []);
    assert_eq!(bench.modem.counters().calls_stopped, 1);
}

/// Refused calls carry both reasons, as many as asked for.
#[test]
fn refusals() {
    let mut bench = Bench::new();
    let client = bench.wds(0, 4);
    let refusal = Refusal { count: 2, end: END };
    bench.modem.refuse_calls(Some(refusal));
    for _ in 0..2 {
        let response = bench.get(client, START, &apn());
        assert_eq!(response.error(), 14);
        assert_eq!(response.tlv(0x10), Some(&[1, 0][..]));
        assert_eq!(response.tlv(0x11), Some(&[6, 0, 0xfd, 0xff][..]));
    }
    assert_eq!(bench.modem.status().refusal, None);
    bench.start(client);
    assert_eq!(bench.modem.counters().calls_refused, 2);
}

/// No call without an access point name, none with a bad one, and none
/// without a network.
#[test]
fn bad_starts() {
    let mut bench = Bench::new();
    let client = bench.wds(0, 4);
    for (order, error) in [
        (Writer::new(), 14),
        (Writer::new().text(0x14, ""), 14),
        (Writer::new().put(0x14, b"a\x1b[2Jb"), 48),
        (Writer::new().put(0x14, &[0xc0, 0x80]), 48),
        (Writer::new().put(0x14, &[b'a'; 101]), 19),
        (Writer::new().text(0x14, "a").byte(0x19, 5), 48),
        (Writer::new().text(0x14, "a").byte(0x16, 9), 48),
    ] {
        assert_eq!(bench.error(client, START, &order), error, "{order:?}");
    }
    bench.modem.set_registration(Registration::Searching);
    assert_eq!(bench.error(client, START, &apn()), 14);
    assert_eq!(bench.events(), []);
}

/// The network ends the calls of a channel: those who have them hear why, and
/// nobody else hears anything.
#[test]
fn drops() {
    let mut bench = Bench::new();
    let (here, there) = (bench.wds(0, 6), bench.wds(1, 6));
    bench.wds(0, 4);
    bench.start(here);
    bench.start(there);
    bench.events();
    assert_eq!(bench.modem.drop_calls(Some(0), END), 1);
    let heard = bench.listen();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].service, heard[0].client), here);
    assert_eq!((heard[0].flags, heard[0].transaction), (4, 0));
    assert_eq!(heard[0].tlv(1), Some(&[1, 0][..]));
    assert_eq!(heard[0].tlv(0x10), Some(&[1, 0][..]));
    assert_eq!(heard[0].tlv(0x11), Some(&[6, 0, 0xfd, 0xff][..]));
    assert_eq!(heard[0].tlv(0x12), Some(&[6][..]));
    assert_eq!(
        bench.events(),
        [Event::CallDown {
            channel: 0,
            family: Family::V6
        }]
    );
    assert_eq!(bench.modem.drop_calls(None, END), 1);
    assert_eq!(bench.modem.drop_calls(None, END), 0);
    assert_eq!(bench.modem.counters().calls_dropped, 2);
}

/// Statistics count from the start of the call, by mask; after it they tell of
/// the last call.
#[test]
fn statistics() {
    let mut bench = Bench::new();
    let client = bench.wds(0, 4);
    bench.network.counters.tx.bytes = 50;
    bench.start(client);
    bench.network.counters.tx = Direction {
        packets: 1 << 40,
        bytes: 150,
        dropped: 4,
        errors: 5,
    };
    let all = Writer::new().word(1, u32::MAX);
    let response = bench.get(client, STATISTICS, &all);
    // More than fits, but not the value that says that it is not known.
    assert_eq!(response.tlv(0x10), Some(&[0xfe, 0xff, 0xff, 0xff][..]));
    assert_eq!(response.tlv(0x12), Some(&[5, 0, 0, 0][..]));
    assert_eq!(response.tlv(0x1d), Some(&[4, 0, 0, 0][..]));
    assert_eq!(response.tlv(0x19), Some(&[100, 0, 0, 0, 0, 0, 0, 0][..]));
    let some = bench.get(client, STATISTICS, &Writer::new().word(1, 1 << 6));
    assert_eq!(some.tlv(0x10), None);
    assert_eq!(bench.error(client, STATISTICS, &Writer::new()), 17);
    bench.ask(client, STOP, &Writer::new().word(1, u32::MAX));
    let last = bench.get(client, STATISTICS, &all);
    assert_eq!(last.error(), 15);
    assert_eq!(last.tlv(0x1b), Some(&[100, 0, 0, 0, 0, 0, 0, 0][..]));
}

/// The IPv4 and the IPv6 call of a channel do not count each other's packets.
#[test]
fn statistics_of_a_family() {
    let mut bench = Bench::new();
    let (v4, v6) = (bench.wds(0, 4), bench.wds(0, 6));
    bench.network.counters6.rx.packets = 40;
    bench.start(v4);
    bench.start(v6);
    bench.network.counters.rx.packets = 2;
    bench.network.counters6.rx.packets = 43;
    let received = Writer::new().word(1, 1 << 1);
    let of_v4 = bench.get(v4, STATISTICS, &received);
    assert_eq!(of_v4.tlv(0x11), Some(&[2, 0, 0, 0][..]));
    let of_v6 = bench.get(v6, STATISTICS, &received);
    assert_eq!(of_v6.tlv(0x11), Some(&[3, 0, 0, 0][..]));
}

/// Only channels that exist can be bound, and a client with a call stays
/// where it is.
#[test]
fn binding() {
    let mut bench = Bench::new();
    let client = bench.client(WDS);
    for port in [0x0e06_u16, 0x0e0c, 0x0e03, 0] {
        assert_eq!(bench.error(client, BIND, &Writer::new().short(1, port)), 48);
    }
    let mux = |interface: u8, mux: u8| {
        let endpoint = [5, 0, 0, 0, interface, 0, 0, 0];
        Writer::new().put(0x10, &endpoint).byte(0x11, mux)
    };
    assert_eq!(bench.error(client, 0xa2, &mux(2, 0)), 48);
    assert_eq!(bench.error(client, 0xa2, &mux(1, 1)), 48);
    assert_eq!(bench.error(client, 0xa2, &mux(1, 0)), 0);
    bench.start(client);
    assert_eq!(bench.modem.status().calls[0].channel, 1);
    let elsewhere = Writer::new().short(1, 0x0e04);
    assert_eq!(bench.error(client, BIND, &elsewhere), 70);
}

/// A restart ends all calls without a word, and serials go on.
#[test]
fn restart() {
    let mut bench = Bench::new();
    let client = bench.wds(0, 4);
    bench.start(client);
    bench.events();
    bench.modem.restart();
    bench.listen();
    assert_eq!(bench.events(), []);
    assert_eq!(bench.modem.status().calls, []);
    let client = bench.wds(0, 4);
    bench.start(client);
    assert_eq!(bench.modem.status().calls[0].serial, 2);
}
