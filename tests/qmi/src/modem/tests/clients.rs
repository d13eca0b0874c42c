// SPDX-License-Identifier: GPL-2.0
//! Clients: how they come and go, and what is answered to whom.

use super::*;

/// The version list names the services that clients can be had of, and CTL.
#[test]
fn versions() {
    let mut bench = Bench::new();
    let response = bench.get((CTL, 0), 0x21, &Writer::new());
    let list = response.tlv(1).unwrap();
    assert_eq!(list[0], 5);
    let listed: Vec<u8> = list[1..].chunks_exact(5).map(|it| it[0]).collect();
    assert_eq!(listed, [CTL, WDS, DMS, NAS, WDA]);
    for service in &listed[1..] {
        bench.client(*service);
    }
}

/// A service that does not exist has no clients to give, and none to release.
#[test]
fn unlisted_service() {
    let mut bench = Bench::new();
    for service in [CTL, 0x0b, 0x2a, 0xff] {
        let allocate = Writer::new().byte(1, service);
        assert_eq!(bench.error((CTL, 0), 0x22, &allocate), 31);
        let release = Writer::new().put(1, &[service, 1]);
        assert_eq!(bench.error((CTL, 0), 0x23, &release), 31);
    }
    assert_eq!(bench.error((0x2a, 1), 0x24, &Writer::new()), 31);
    assert_eq!(bench.modem.counters().clients_allocated, 0);
}

/// A client that is not there, or no longer, gets error 7 for all it asks.
#[test]
fn unknown_client() {
    let mut bench = Bench::new();
    assert_eq!(bench.error((DMS, 1), 0x25, &Writer::new()), 7);
    let client = bench.client(DMS);
    assert_eq!(bench.error(client, 0x25, &Writer::new()), 0);
    bench.release(client);
    assert_eq!(bench.error(client, 0x25, &Writer::new()), 7);
    let again = Writer::new().put(1, &[client.0, client.1]);
    assert_eq!(bench.error((CTL, 0), 0x23, &again), 7);
    assert_eq!(bench.modem.counters().unknown_client, 2);
}

/// A service has 64 clients and then says that there are no more.
#[test]
fn exhausted() {
    let mut bench = Bench::new();
    for _ in 0..64 {
        bench.client(NAS);
    }
    assert_eq!(bench.error((CTL, 0), 0x22, &Writer::new().byte(1, NAS)), 5);
    bench.client(DMS);
    assert_eq!(bench.modem.status().clients.len(), 65);
}

/// A missing TLV, one of a wrong size, and TLVs that are none.
#[test]
fn bad_tlvs() {
    let mut bench = Bench::new();
    assert_eq!(bench.error((CTL, 0), 0x22, &Writer::new()), 17);
    assert_eq!(bench.error((CTL, 0), 0x22, &Writer::new().word(1, 1)), 48);
    let overrun = frame((CTL, 0), 9, 0x22, &[1, 9, 0, 1]);
    bench.modem.receive(&overrun, &bench.network);
    assert_eq!(bench.listen()[0].error(), 1);
    assert_eq!(bench.modem.counters().malformed, 1);
}

/// All services say 71 to what they do not know, and it is counted.
#[test]
fn unknown_messages() {
    let mut bench = Bench::new();
    assert_eq!(bench.error((CTL, 0), 0x20, &Writer::new()), 71);
    for service in [WDS, DMS, NAS, WDA] {
        let client = bench.client(service);
        assert_eq!(bench.error(client, 0x5555, &Writer::new()), 71);
    }
    assert_eq!(bench.modem.counters().unknown_message, 5);
}

/// CTL Sync releases all clients and ends their calls.
#[test]
fn sync() {
    let mut bench = Bench::new();
    let wds = bench.client(WDS);
    bench.client(DMS);
    let start = Writer::new().text(0x14, "internet");
    assert_eq!(bench.error(wds, 0x20, &start), 0);
    bench.events();
    assert_eq!(bench.error((CTL, 0), 0x27, &Writer::new()), 0);
    assert_eq!(bench.modem.status().clients, []);
    assert_eq!(
        bench.events(),
        [Event::CallDown {
            channel: 0,
            family: crate::Family::V4
        }]
    );
}

/// Firmware that forgets its clients ends their calls, and does not know them.
#[test]
fn forget_clients() {
    let mut bench = Bench::new();
    let wds = bench.client(WDS);
    let start = Writer::new().text(0x14, "internet");
    assert_eq!(bench.error(wds, 0x20, &start), 0);
    bench.events();
    bench.modem.forget_clients(&TwoChannels::default());
    assert_eq!(bench.listen(), []);
    assert_eq!(bench.events().len(), 1);
    assert_eq!(bench.modem.status().calls, []);
    assert_eq!(bench.error(wds, 0x22, &Writer::new()), 7);
    assert_ne!(
        bench.client(WDS),
        wds,
        "a number is not given out again at once"
    );
}

/// The data format is raw IP, and a quality header is refused.
#[test]
fn data_format() {
    let mut bench = Bench::new();
    let wanted = Writer::new().byte(1, 0).short(0x10, 1);
    let response = bench.get((CTL, 0), 0x26, &wanted);
    assert_eq!(response.tlv(0x10), Some(&[2, 0][..]));
    let qos = Writer::new().byte(1, 1);
    assert_eq!(bench.error((CTL, 0), 0x26, &qos), 48);
    let wda = bench.client(WDA);
    let response = bench.get(wda, 0x21, &Writer::new());
    assert_eq!(response.tlv(0x11), Some(&[2, 0, 0, 0][..]));
    assert_eq!(response.tlv(0x12), response.tlv(0x13));
}

/// QMAP is granted by firmware that can do it, to those who want it both ways;
/// the channels' owner hears of each change, and a restart ends it.
#[test]
fn qmap() {
    let format = |up, down| Writer::new().word(0x11, 2).word(0x12, up).word(0x13, down);
    let mut bench = Bench::new();
    let wda = bench.client(WDA);
    let protocols = |heard: &Heard| [0x12, 0x13].map(|kind| heard.tlv(kind).unwrap()[0]);
    let refused = bench.get(wda, 0x20, &format(5, 5));
    assert_eq!((refused.error(), protocols(&refused)), (0, [0, 0]));
    assert_eq!(bench.events(), []);

    bench.modem.allow_qmap(true);
    for (asked, granted, events) in [
        ((5, 0), 0, vec![]),
        ((5, 5), 5, vec![Event::Format(Format::Qmap)]),
        ((5, 5), 5, vec![]),
        ((0, 0), 0, vec![Event::Format(Format::RawIp)]),
    ] {
        let answer = bench.get(wda, 0x20, &format(asked.0, asked.1));
        assert_eq!(protocols(&answer), [granted; 2], "{asked:?}");
        assert_eq!(
            protocols(&bench.get(wda, 0x21, &Writer::new())),
            [granted; 2]
        );
        assert_eq!(bench.events(), events, "{asked:?}");
    }
    bench.get(wda, 0x20, &format(5, 5));
    bench.modem.restart();
    assert_eq!(bench.modem.status().format, Format::RawIp);
    bench.listen();
    let wda = bench.client(WDA);
    assert_eq!(protocols(&bench.get(wda, 0x20, &format(5, 5))), [0, 0]);
}

/// Muted requests are neither answered nor carried out.
#[test]
fn mute() {
    let mut bench = Bench::new();
    bench.modem.mute(2);
    for _ in 0..2 {
        let allocate = frame((CTL, 0), 1, 0x22, &[1, 1, 0, DMS]);
        bench.modem.receive(&allocate, &bench.network);
    }
    assert_eq!(bench.listen(), []);
    assert_eq!(bench.modem.status().clients, []);
    bench.client(DMS);
    let counters = bench.modem.counters();
    assert_eq!((counters.muted, counters.responses), (2, 1));
}

/// After a restart there are no clients and nothing is set; the host hears of
/// it first of all. A closed port loses what is queued, and nothing else.
#[test]
fn restart_and_close() {
    let mut bench = Bench::new();
    bench.client(DMS);
    bench.modem.set_registration(Registration::Denied);
    bench.modem.mute(5);
    bench.modem.restart();
    let heard = bench.listen();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].service, heard[0].client), (CTL, 0xff));
    assert_eq!((heard[0].flags, heard[0].message), (2, 0x27));
    let status = bench.modem.status();
    assert_eq!(status.clients, []);
    assert_eq!((status.mute, status.registration), (0, Registration::Home));

    let client = bench.client(DMS);
    let ids = frame(client, 3, 0x25, &[]);
    bench.modem.receive(&ids, &bench.network);
    bench.modem.close();
    assert_eq!(bench.listen(), []);
    assert_eq!(bench.error(client, 0x25, &Writer::new()), 0);
}

/// A host that does not read costs no more memory than there is for it.
#[test]
fn bounded_queue() {
    let mut bench = Bench::new();
    let versions = frame((CTL, 0), 1, 0x21, &[]);
    for _ in 0..1000 {
        bench.modem.receive(&versions, &bench.network);
    }
    assert_eq!(bench.listen().len(), 256);
    assert_eq!(bench.modem.counters().queue_full, 744);
}
