// SPDX-License-Identifier: GPL-2.0
//! What the modem says about itself and its network, asked and unasked.

use super::*;

const REGISTER: u16 = 0x03;
const SERVING_SYSTEM: u16 = 0x24;
const SYSTEM_INFO: u16 = 0x4d;

/// Registration, circuit-switched and packet attach, kind of network.
fn status(heard: &Heard) -> [u8; 4] {
    heard.tlv(1).unwrap()[..4].try_into().unwrap()
}

/// The strings of the identity are where they belong.
#[test]
fn identity() {
    let mut bench = Bench::new();
    let dms = bench.client(DMS);
    let who = Identity::default();
    for (message, kind, text) in [
        (0x21, 0x01, &who.manufacturer),
        (0x22, 0x01, &who.model),
        (0x23, 0x01, &who.revision),
        (0x24, 0x01, &who.msisdn),
        (0x25, 0x11, &who.imei),
        (0x2c, 0x01, &who.hardware_revision),
        (0x3c, 0x01, &who.iccid),
        (0x43, 0x01, &who.imsi),
    ] {
        let response = bench.get(dms, message, &Writer::new());
        assert_eq!(response.tlv(kind), Some(text.as_bytes()));
    }
}

/// Capabilities, PIN and locks of an LTE modem with an open SIM.
#[test]
fn capabilities() {
    let mut bench = Bench::new();
    let dms = bench.client(DMS);
    let response = bench.get(dms, 0x20, &Writer::new());
    assert_eq!(&response.tlv(1).unwrap()[8..], [3, 2, 1, 8]);
    let pin = bench.get(dms, 0x2b, &Writer::new());
    assert_eq!(pin.tlv(0x11), Some(&[3, 3, 10][..]));
    assert_eq!(bench.error(dms, 0x40, &Writer::new().byte(1, 4)), 0);
    assert_eq!(bench.error(dms, 0x40, &Writer::new().byte(1, 5)), 48);
}

/// The serving system follows the registration, and those who have asked for
/// it hear of each change, once.
#[test]
fn registration() {
    let mut bench = Bench::new();
    let (nas, deaf) = (bench.client(NAS), bench.client(NAS));
    let flags = Writer::new().byte(0x13, 1).byte(0x18, 1).byte(0x19, 0);
    assert_eq!(bench.error(nas, REGISTER, &flags), 0);
    let response = bench.get(nas, SERVING_SYSTEM, &Writer::new());
    assert_eq!(status(&response), [1, 2, 1, 2]);
    assert_eq!(&response.tlv(0x12).unwrap()[..5], [1, 0, 1, 0, 15]);

    bench.modem.set_registration(Registration::Searching);
    bench.modem.set_registration(Registration::Searching);
    let heard = bench.listen();
    assert_eq!(heard.len(), 2);
    assert!(heard.iter().all(|it| it.client == nas.1 && it.flags == 4));
    assert_eq!((heard[0].message, heard[1].message), (0x24, 0x4e));
    assert_eq!(status(&heard[0]), [2, 2, 2, 0]);
    assert_eq!(heard[1].tlv(0x14), Some(&[0, 0, 0][..]));

    bench.modem.set_registration(Registration::Denied);
    assert_eq!(status(&bench.listen()[0])[0], 3);
    let response = bench.get(deaf, SYSTEM_INFO, &Writer::new());
    assert_eq!(response.tlv(0x14), Some(&[1, 1, 0][..]));
    let info = response.tlv(0x19).unwrap();
    let (forbidden, reject) = (&info[6..8], &info[16..19]);
    assert_eq!((forbidden, reject), (&[1, 1][..], &[1, 2, 11][..]));
    assert_eq!(&info[19..26], b"\x0100101\xff");
}

/// The signal is reported in all its forms; without a network there is none.
#[test]
fn signal() {
    let mut bench = Bench::new();
    let nas = bench.client(NAS);
    let mask = Writer::new().short(0x10, 0xff);
    let response = bench.get(nas, 0x20, &mask);
    assert_eq!(response.tlv(0x01), Some(&[181, 8][..]));
    assert_eq!(response.tlv(0x11), Some(&[1, 0, 75, 8][..]));
    let response = bench.get(nas, 0x4f, &Writer::new());
    // -75 dBm, -11 dB, -103 dBm, 12 dB.
    assert_eq!(response.tlv(0x14), Some(&[181, 245, 153, 255, 120, 0][..]));

    let thresholds = Writer::new().put(0x10, &[1, 2, 200, 220]);
    assert_eq!(bench.error(nas, 0x02, &thresholds), 0);
    let flags = Writer::new().byte(0x19, 1);
    assert_eq!(bench.error(nas, REGISTER, &flags), 0);
    bench.modem.set_signal(-90);
    bench.modem.set_signal(-90);
    let heard = bench.listen();
    assert_eq!(heard.len(), 2);
    assert_eq!((heard[0].message, heard[1].message), (0x02, 0x51));
    assert_eq!(heard[0].tlv(0x10), Some(&[166, 8][..]));

    bench.modem.set_registration(Registration::Searching);
    assert_eq!(bench.error(nas, 0x20, &mask), 74);
    let response = bench.get(nas, 0x4f, &Writer::new());
    assert_eq!(response.tlv(0x14), None);
}

/// Switching the radio off ends calls and registration, and all hear of it.
#[test]
fn operating_mode() {
    let mut bench = Bench::new();
    let (dms, nas, wds) = (bench.client(DMS), bench.client(NAS), bench.client(WDS));
    let start = Writer::new().text(0x14, "internet");
    assert_eq!(bench.error(wds, 0x20, &start), 0);
    assert_eq!(bench.error(dms, 0x01, &Writer::new().byte(0x14, 1)), 0);
    assert_eq!(bench.error(nas, REGISTER, &Writer::new().byte(0x13, 1)), 0);
    let (response, heard) = bench.ask(dms, 0x2e, &Writer::new().byte(1, 1));
    assert_eq!(response.error(), 0);
    let from: Vec<u8> = heard.iter().map(|it| it.service).collect();
    assert_eq!(from, [WDS, DMS, NAS]);
    assert_eq!(heard[1].tlv(0x14), Some(&[1][..]));
    assert_eq!(status(&heard[2])[0], 0);
    let mode = bench.get(dms, 0x2d, &Writer::new());
    assert_eq!(mode.tlv(1), Some(&[1][..]));
    for (mode, error) in [(4, 60), (9, 48), (0, 0)] {
        assert_eq!(bench.error(dms, 0x2e, &Writer::new().byte(1, mode)), error);
    }
    let response = bench.get(nas, SERVING_SYSTEM, &Writer::new());
    assert_eq!(status(&response)[0], 1);
}

/// A network has a name if it is ours; there is no other to register in.
#[test]
fn networks() {
    let mut bench = Bench::new();
    let nas = bench.client(NAS);
    let ours = Writer::new().put(1, &[1, 0, 1, 0]);
    let response = bench.get(nas, 0x44, &ours);
    let name = response.tlv(0x10).unwrap();
    assert_eq!(&name[1..17], b"\x0fVirtual Network");
    let other = Writer::new().put(1, &[1, 0, 2, 0]);
    assert_eq!(bench.error(nas, 0x44, &other), 50);

    let manual = |mnc| Writer::new().put(0x16, &[1, 1, 0, mnc, 0]);
    assert_eq!(bench.error(nas, 0x33, &manual(2)), 94);
    assert_eq!(bench.error(nas, 0x33, &manual(1)), 0);
    let response = bench.get(nas, 0x34, &Writer::new());
    assert_eq!(response.tlv(0x16), Some(&[1][..]));
    assert_eq!(response.tlv(0x11), Some(&[0x10, 0][..]));
    let gsm = Writer::new().short(0x11, 1 << 2);
    assert_eq!(bench.error(nas, 0x33, &gsm), 94);
    assert_eq!(bench.error(nas, 0x22, &Writer::new().byte(1, 1)), 26);
    bench.modem.set_registration(Registration::Searching);
    assert_eq!(bench.error(nas, 0x22, &Writer::new().byte(1, 1)), 0);
}
