// SPDX-License-Identifier: GPL-2.0
//! The real `qmicli` talks to the modem, over the server that is for use by
//! hand as well. What it prints is what counts.

mod phone;
#[path = "../../examples/bam-dmux-qmi/server.rs"]
mod server;

use std::thread;

use bam_dmux_qmi::{
    CallEnd,
    Direction,
    Identity,
    LinkCounters,
    Refusal,
    Registration, //
};
use phone::Phone;

/// 3GPP: operator determined barring.
const BARRED: CallEnd = CallEnd {
    reason: 1,
    verbose_type: 6,
    verbose_reason: 8,
};

/// The version list names the services that exist, and no other.
#[test]
fn version_info() {
    let said = Phone::new().qmicli(&["--get-service-version-info"]);
    said.expect(&["ctl (", "wds (", "dms (", "nas (", "wda ("]);
    assert_eq!(said.text.matches(" (").count(), 5, "{}", said.text);
}

/// The modem says who it is.
#[test]
fn identity() {
    let phone = Phone::new();
    let who = Identity::default();
    let value = |arg: &str, name: &str| phone.qmicli(&[arg]).value(name).to_owned();
    assert_eq!(value("--dms-get-ids", "IMEI"), who.imei);
    assert_eq!(
        value("--dms-get-manufacturer", "Manufacturer"),
        who.manufacturer
    );
    assert_eq!(value("--dms-get-model", "Model"), who.model);
    assert_eq!(value("--dms-get-revision", "Revision"), who.revision);
    assert_eq!(value("--dms-get-msisdn", "MSISDN"), who.msisdn);
    assert_eq!(value("--dms-uim-get-imsi", "IMSI"), who.imsi);
    assert_eq!(value("--dms-uim-get-iccid", "ICCID"), who.iccid);
    assert_eq!(value("--dms-get-capabilities", "Networks"), "lte");
    assert_eq!(
        value("--dms-get-capabilities", "Max RX channel rate"),
        "150000000"
    );
    assert_eq!(value("--dms-uim-get-pin-status", "Status"), "disabled");
}

/// Registration and signal are what they have been set to.
#[test]
fn registration_and_signal() {
    let phone = Phone::new();
    phone.qmicli(&["--nas-get-serving-system"]).expect(&[
        "Registration state: 'registered'",
        "PS: 'attached'",
        "[0]: 'lte'",
        "Roaming status: 'off'",
        "Description: 'Virtual Network'",
    ]);
    phone.qmicli(&["--nas-get-system-info"]).expect(&[
        "Status: 'available'",
        "Domain: 'ps'",
        "MCC: '001'",
        "MNC: '01'",
    ]);
    phone.server.with(|modem, _| modem.set_signal(-93));
    phone.qmicli(&["--nas-get-signal-info"]).expect(&[
        "RSSI: '-93 dBm'",
        "RSRP: '-121 dBm'",
        "RSRQ: '-11 dB'",
    ]);
    phone
        .qmicli(&["--nas-get-signal-strength"])
        .expect(&["Network 'lte': '-93 dBm'"]);
    phone
        .server
        .with(|modem, _| modem.set_registration(Registration::Denied));
    phone.qmicli(&["--nas-get-serving-system"]).expect(&[
        "Registration state: 'registration-denied'",
        "PS: 'detached'",
    ]);
    phone
        .qmicli(&["--nas-get-system-info"])
        .expect(&["Status: 'limited'", "Forbidden: 'yes'"]);
    phone
        .qmicli(&["--wds-start-network=apn=internet"])
        .expect_error(&["CallFailed", "no-service"]);
}

/// The data format is raw IP, also when something else is asked for.
#[test]
fn data_format() {
    let phone = Phone::new();
    let raw_ip = [
        "Link layer protocol: 'raw-ip'",
        "Uplink data aggregation protocol: 'disabled'",
        "Downlink data aggregation protocol: 'disabled'",
    ];
    phone.qmicli(&["--wda-get-data-format"]).expect(&raw_ip);
    phone
        .qmicli(&["--wda-set-data-format=raw-ip"])
        .expect(&raw_ip);
    let qmap = "--wda-set-data-format=link-layer-protocol=raw-ip,ul-protocol=qmap,\
                dl-protocol=qmap,dl-max-datagrams=32,dl-datagram-max-size=16384";
    phone.qmicli(&[qmap]).expect(&raw_ip);
}

/// An IPv4 and an IPv6 call of a channel, from the first to the last message.
#[test]
fn calls() {
    let phone = Phone::new();
    let (v4, v6) = (phone.wds_client(2, 4), phone.wds_client(2, 6));
    phone.server.with(|_, channels| {
        channels.counters.tx.packets = 1000;
    });
    let said = phone.qmicli_as(&v4, "--wds-start-network=apn=internet,ip-type=4");
    said.expect(&["Network started"]);
    let handle = said.value("Packet data handle").to_owned();
    phone
        .qmicli_as(&v6, "--wds-start-network=apn=internet,ip-type=6")
        .expect(&["Network started"]);
    phone.qmicli_as(&v4, "--wds-get-current-settings").expect(&[
        "IP Family: IPv4",
        "IPv4 address: 10.64.2.17",
        "IPv4 subnet mask: 255.255.255.0",
        "IPv4 gateway address: 10.64.2.1",
        "IPv4 primary DNS: 10.64.2.1",
        "MTU: 1500",
    ]);
    phone.qmicli_as(&v6, "--wds-get-current-settings").expect(&[
        "IP Family: IPv6",
        "IPv6 address: fd64:2::1011/64",
        "IPv6 gateway address: fd64:2::1/64",
        "IPv6 primary DNS: fd64:2::1\n",
    ]);
    phone.server.with(|_, channels| {
        channels.counters = LinkCounters {
            tx: Direction {
                packets: 1007,
                bytes: 5_000_000_000,
                dropped: 3,
                errors: 2,
            },
            rx: Direction {
                packets: 9,
                bytes: 900,
                dropped: 0,
                errors: 0,
            },
        };
    });
    phone
        .qmicli_as(&v4, "--wds-get-packet-statistics")
        .expect(&[
            "TX packets OK: 7\n",
            "RX packets OK: 9\n",
            "TX packets error: 2\n",
            "TX packets dropped: 3\n",
            "TX bytes OK: 5000000000\n",
            "RX bytes OK: 900\n",
        ]);
    phone
        .qmicli_as(&v4, "--wds-stop-network=12345")
        .expect_error(&["InvalidHandle"]);
    phone
        .qmicli_as(&v4, &format!("--wds-stop-network={handle}"))
        .expect(&["Network stopped"]);
    phone
        .qmicli_as(&v4, "--wds-get-packet-service-status")
        .expect(&["Connection status: 'disconnected'"]);
    phone
        .qmicli_as(&v6, "--wds-get-packet-service-status")
        .expect(&["Connection status: 'connected'"]);
    phone
        .qmicli_as(&v4, "--wds-get-current-settings")
        .expect_error(&["OutOfCall"]);
    phone
        .qmicli_as(&v4, "--wds-get-packet-statistics")
        .expect_error(&["OutOfCall"]);
}

/// A client that goes takes its call with it, and its successor gets a new
/// address.
#[test]
fn release_ends_the_call() {
    let phone = Phone::new();
    let start = "--wds-start-network=apn=internet,ip-type=4";
    phone.qmicli(&[start]).expect(&["Network started"]);
    assert_eq!(phone.calls_up(), 0);
    let said = phone.qmicli(&[start, "--client-no-release-cid"]);
    let client = said.value("CID").to_owned();
    phone
        .qmicli_as(&client, "--wds-get-current-settings")
        .expect(&["IPv4 address: 10.64.0.18"]);
    phone.qmicli(&[start]).expect_error(&["NoEffect"]);
    let client = format!("--client-cid={client}");
    phone.qmicli(&["--wds-noop", &client]).expect(&[]);
    assert_eq!(phone.calls_up(), 0);
}

/// A refused call says why; the next one comes up.
#[test]
fn refusal() {
    let phone = Phone::new();
    let start = "--wds-start-network=apn=internet,ip-type=4";
    phone.server.with(|modem, _| {
        modem.refuse_calls(Some(Refusal {
            count: 1,
            end: BARRED,
        }));
    });
    phone.qmicli(&[start]).expect_error(&[
        "CallFailed",
        "call end reason (1): generic-unspecified",
        "verbose call end reason (6,8): [3gpp] operator-determined-barring",
    ]);
    phone.qmicli(&[start]).expect(&["Network started"]);
    phone
        .qmicli(&["--wds-start-network=ip-type=4"])
        .expect_error(&["CallFailed", "[3gpp] unknown-apn"]);
}

/// `qmicli` that follows a call sees the network end it.
#[test]
fn network_drop() {
    let phone = Phone::new();
    let said = thread::scope(|scope| {
        let follower = scope.spawn(|| {
            phone.qmicli(&[
                "--wds-start-network=apn=internet,ip-type=4",
                "--wds-follow-network",
            ])
        });
        phone.wait_for_calls(1);
        let dropped = phone
            .server
            .with(|modem, _| modem.drop_calls(Some(0), BARRED));
        assert_eq!(dropped, 1);
        follower.join().unwrap()
    });
    said.mentions(&[
        "Network started",
        "Connection status: 'disconnected'",
        "Stopping after detecting disconnection",
        "NoEffect",
    ]);
}

/// A channel that the modem does not have cannot be bound, and neither can a
/// multiplexed one.
#[test]
fn bad_channels() {
    let phone = Phone::new();
    phone
        .qmicli(&["--wds-bind-mux-data-port=mux-id=0,ep-type=bam-dmux,ep-iface-number=3"])
        .expect(&[]);
    for bad in [
        "mux-id=0,ep-type=bam-dmux,ep-iface-number=9",
        "mux-id=1,ep-type=bam-dmux,ep-iface-number=0",
        "mux-id=0,ep-type=hsusb,ep-iface-number=0",
    ] {
        phone
            .qmicli(&[&format!("--wds-bind-mux-data-port={bad}")])
            .expect_error(&["InvalidArgument"]);
    }
}

/// Switching the radio off ends the calls and the registration.
#[test]
fn radio_off() {
    let phone = Phone::new();
    let client = phone.wds_client(0, 4);
    phone
        .qmicli_as(&client, "--wds-start-network=apn=internet")
        .expect(&["Network started"]);
    phone
        .qmicli(&["--dms-set-operating-mode=low-power"])
        .expect(&[]);
    phone
        .qmicli(&["--dms-get-operating-mode"])
        .expect(&["Mode: 'low-power'"]);
    phone
        .qmicli(&["--nas-get-serving-system"])
        .expect(&["Registration state: 'not-registered'"]);
    assert_eq!(phone.calls_up(), 0);
    phone
        .qmicli(&["--dms-set-operating-mode=reset"])
        .expect_error(&["InvalidTransition"]);
}

/// What the modem does not know it says so, at once.
#[test]
fn unknown_message() {
    let phone = Phone::new();
    for arg in ["--nas-network-scan", "--dms-list-stored-images"] {
        phone.qmicli(&[arg]).expect_error(&["InvalidQmiCommand"]);
    }
    phone.qmicli(&["--voice-noop"]).expect_error(&["voice"]);
    let counters = phone.server.with(|modem, _| modem.counters());
    assert_eq!(counters.unknown_message, 2);
    assert_eq!(counters.malformed, 0);
}
