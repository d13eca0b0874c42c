// SPDX-License-Identifier: GPL-2.0
//! The control port and what depends on it: calls, gate, processor.

use super::*;
use crate::mss::Life;
use crate::smd::linux::Linux;
use crate::smd::State;

const SMD_DOORBELL: u32 = 1 << 12;
const MSS_CONTROL: u64 = 0x7_0000;
const MSS_STATUS: u64 = 0x7_0004;

/// A guest with SMD's driver and somebody at the port.
struct Phone {
    guest: Guest,
    linux: Linux,
    interrupts: u64,
}

impl Phone {
    /// Booted, with the port there.
    fn new() -> Self {
        let mut guest = Guest::new();
        guest.boot();
        let linux = Linux::scan(&guest.modem.smem).unwrap();
        let mut phone = Self {
            guest,
            linux,
            interrupts: 0,
        };
        phone.ring();
        phone
    }

    fn ring(&mut self) {
        self.guest.write(0x2_0008, SMD_DOORBELL);
        self.settle();
    }

    /// Serves the interrupts that have come.
    fn settle(&mut self) {
        while self.interrupts != self.guest.modem.counters.smd_irqs {
            self.interrupts = self.guest.modem.counters.smd_irqs;
            let smem = &self.guest.modem.smem;
            if self.linux.interrupt(smem) {
                self.guest.write(0x2_0008, SMD_DOORBELL);
            }
            if self.linux.work(&self.guest.modem.smem) {
                self.set_state(0);
                self.linux.reset(&self.guest.modem.smem);
                self.guest.write(0x2_0008, SMD_DOORBELL);
            }
        }
    }

    fn set_state(&mut self, state: u32) {
        self.linux.set_state(&self.guest.modem.smem, state);
        self.ring();
    }

    fn open(&mut self) {
        self.set_state(1);
        self.set_state(2);
        assert_eq!(self.guest.modem.status().smd, State::Opened);
    }

    /// Sends a frame; returns what came back.
    fn ask(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        assert!(self.linux.send(&self.guest.modem.smem, frame));
        self.ring();
        std::mem::take(&mut self.linux.inbox)
    }

    fn events(&self, name: &str) -> u64 {
        self.guest.modem.events.count(name)
    }

    fn mss(&mut self, run: u32) {
        self.guest.write(MSS_CONTROL, run);
        self.settle();
    }

    fn mss_status(&mut self) -> u32 {
        let mut data = [0; 4];
        self.guest.modem.bar0_read(MSS_STATUS, &mut data);
        u32::from_le_bytes(data)
    }
}

/// The port is there when the modem has started, not before.
#[test]
fn port_appears_on_boot() {
    let mut guest = Guest::new();
    guest.subscribe();
    guest.pass(1000);
    assert!(Linux::scan(&guest.modem.smem).is_none());
    assert_eq!(guest.modem.counters.smd_irqs, 0);
    guest.modem.boot_after(Duration::ZERO);
    assert!(Linux::scan(&guest.modem.smem).is_some());
    assert_eq!(guest.modem.counters.smd_irqs, 1);
}

/// Each packet is a QMUX frame for the QMI side, nonsense too.
#[test]
fn packets_are_frames() {
    let mut phone = Phone::new();
    phone.open();
    assert_eq!(phone.ask(b"no QMUX"), [b""; 0]);
    let all = phone.guest.modem.all_counters();
    assert_eq!(
        (&all["qmi_malformed"], &all["smd_packets_in"]),
        (&1.into(), &1.into())
    );
    phone.guest.modem.reset_counters();
    assert_eq!(phone.guest.modem.all_counters()["qmi_malformed"], 0);
    assert_eq!(phone.guest.violations(), []);
}

/// A request: QMUX header, QMI header, TLVs.
fn request(service: u8, client: u8, message: u16, tlvs: &[u8]) -> Vec<u8> {
    let sdu = [
        // The control service counts transactions in one byte.
        if service == 0 {
            &[0, 9][..]
        } else {
            &[0, 9, 0]
        },
        &message.to_le_bytes(),
        &u16::try_from(tlvs.len()).unwrap().to_le_bytes(),
        tlvs,
    ]
    .concat();
    let len = u16::try_from(sdu.len() + 5).unwrap().to_le_bytes();
    [&[1, len[0], len[1], 0, service, client][..], &sdu].concat()
}

/// A call over the port, on a channel of its choice: it gets an address and
/// opens the gate for it; the network ends it, and says so.
#[test]
fn call() {
    const WDS: u8 = 1;
    let mut phone = Phone::new();
    phone.guest.modem.set_gate(true);
    phone.open();
    let allocated = phone.ask(&request(0, 0, 0x22, &[1, 1, 0, WDS]));
    let client = *allocated[0].last().unwrap();
    let mut ask = |message, tlvs: &[u8]| {
        let answers = phone.ask(&request(WDS, client, message, tlvs));
        let result = [2, 4, 0, 0, 0, 0, 0];
        answers[0].windows(7).any(|bytes| bytes == result)
    };
    assert!(!ask(0x89, &[1, 2, 0, 4 + 7, 14]), "no such channel");
    assert!(ask(0x89, &[1, 2, 0, 4 + 3, 14]));
    assert!(ask(0x20, b"\x14\x01\x00a\x19\x01\x00\x04"));
    assert_eq!(phone.events("call-up:3:4"), 1);
    let status = phone.guest.modem.call_status();
    let address = status.addresses[3].v4.unwrap().octets();
    assert_eq!(
        (status.qmi.calls.len(), address[..3].to_vec()),
        (1, vec![10, 64, 3])
    );
    phone.guest.send(&frame::transfer(frame::OPEN, 3, b""));
    let packet = packet(address, [10, 64, 3, 1]);
    phone.guest.send(&frame::transfer(frame::DATA, 3, &packet));
    let sent = |phone: &Phone| phone.guest.modem.counters.uplink_undelivered;
    assert_eq!(sent(&phone), 1, "past the gate");
    let end = bam_dmux_qmi::CallEnd {
        reason: 5,
        verbose_type: 6,
        verbose_reason: 36,
    };
    assert_eq!(phone.guest.modem.drop_calls(Some(3), end), Ok(1));
    phone.settle();
    assert!(!phone.linux.inbox.is_empty(), "an indication");
    assert_eq!(phone.events("call-down:3:4"), 1);
    phone.guest.send(&frame::transfer(frame::DATA, 3, &packet));
    assert_eq!(
        (sent(&phone), phone.guest.modem.counters.uplink_no_call),
        (1, 1)
    );
    phone.guest.modem.crash(false);
    assert_eq!(
        phone.guest.modem.drop_calls(None, end),
        Err(Refused::Crashed)
    );
}

/// A crash freezes the port; a restart takes it away, and it comes back with
/// the next boot. Over and over, in the same memory.
#[test]
fn crash_and_restart() {
    let mut phone = Phone::new();
    let free = phone.guest.modem.smem.load(0xc8);
    for round in 1..=300 {
        phone.open();
        assert_eq!(phone.events("smd-open"), round);
        phone.guest.modem.crash(false);
        phone.ask(b"into the void");
        assert!(phone.linux.registered, "nobody has told Linux");
        assert_eq!(phone.guest.modem.counters.smd_packets_in, 0);
        phone.guest.modem.restart(true, None);
        phone.settle();
        assert!(!phone.linux.registered);
        assert_eq!(phone.events("smd-close"), round);
        phone.guest.modem.boot_after(Duration::ZERO);
        phone.settle();
        assert!(phone.linux.registered);
    }
    assert_eq!(phone.guest.modem.smem.load(0xc8), free);
    assert_eq!(phone.guest.violations(), []);
}

/// After a reset of the function nothing of the port is left, until the next
/// boot.
#[test]
fn reset() {
    let mut phone = Phone::new();
    phone.open();
    phone.guest.modem.set_gate(true);
    phone.guest.modem.reset();
    assert_eq!(phone.events("smd-close"), 1);
    assert!(Linux::scan(&phone.guest.modem.smem).is_none());
    let status = phone.guest.modem.status();
    assert_eq!((status.smd, status.gate), (State::Closed, true));
    phone.guest.modem.boot_after(Duration::ZERO);
    phone.linux = Linux::scan(&phone.guest.modem.smem).unwrap();
    phone.ring();
    phone.open();
}

fn packet(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    [&[0x45; 12][..], &source, &destination].concat()
}

/// With the gate on, packets need a call, both ways; what it stops is counted
/// in the statistics of the channel.
#[test]
fn gate() {
    let mut guest = Guest::new();
    guest.boot();
    guest.received();
    guest.modem.set_echo(true);
    guest.modem.set_gate(true);
    guest.send(&frame::transfer(frame::OPEN, 3, b""));
    let own = packet([10, 64, 3, 17], [10, 64, 3, 1]);
    let back = packet([10, 64, 3, 1], [10, 64, 3, 17]);
    let send = |guest: &mut Guest| {
        guest.send(&frame::transfer(frame::DATA, 3, &own));
        guest.modem.packet_from_network(&back);
        guest.modem.flush();
        guest.received().len()
    };
    assert_eq!(send(&mut guest), 0);
    guest
        .modem
        .port
        .gate
        .call_up(3, "10.64.3.17".parse().unwrap());
    assert_eq!(send(&mut guest), 2);
    let other = packet([10, 64, 3, 2], [10, 64, 3, 1]);
    let multicast = packet([10, 64, 3, 17], [224, 0, 0, 22]);
    guest.send(&frame::transfer(frame::DATA, 3, &other));
    guest.send(&frame::transfer(frame::DATA, 3, &multicast));
    let counters = &guest.modem.counters;
    assert_eq!((counters.uplink_no_call, counters.downlink_no_call), (1, 1));
    assert_eq!(
        (counters.uplink_wrong_source, counters.uplink_link_local),
        (1, 1)
    );
    let link = guest.modem.port.links.counters(3, bam_dmux_qmi::Family::V4);
    assert_eq!(
        (link.tx.packets, link.tx.bytes, link.tx.dropped),
        (1, 20, 3)
    );
    assert_eq!(
        (link.rx.packets, link.rx.bytes, link.rx.dropped),
        (2, 40, 1)
    );
    guest.modem.restart(true, None);
    assert!(!guest.modem.status().gate, "as the command line has it");
    assert_eq!(guest.violations(), []);
}

/// A program asks for QMAP over the port: packets come as such, with the length
/// that says so, what Linux sends is dropped, and a restart ends it.
#[test]
fn qmap() {
    const WDA: u8 = 0x1a;
    let mut phone = Phone::new();
    phone.open();
    phone.guest.modem.allow_qmap(true);
    let allocated = phone.ask(&request(0, 0, 0x22, &[1, 1, 0, WDA]));
    let client = *allocated[0].last().unwrap();
    let both = [0x12, 4, 0, 5, 0, 0, 0, 0x13, 4, 0, 5, 0, 0, 0];
    phone.ask(&request(WDA, client, 0x20, &both));
    assert_eq!(phone.events("format"), 1);
    let guest = &mut phone.guest;
    guest.send(&frame::transfer(frame::OPEN, 3, b""));
    guest.received();
    let deliver = |guest: &mut Guest| {
        guest
            .modem
            .packet_from_network(&packet([10, 64, 3, 1], [10, 64, 3, 2]));
        guest.modem.flush();
        guest.received()[0].len
    };
    assert_eq!(deliver(guest), 0xffff);
    let own = packet([10, 64, 3, 2], [10, 64, 3, 1]);
    guest.send(&frame::transfer(frame::DATA, 3, &own));
    let counters = &guest.modem.counters;
    assert_eq!(
        (counters.uplink_in_qmap, counters.uplink_undelivered),
        (1, 0)
    );
    guest.modem.restart(true, None);
    guest.modem.boot_after(Duration::ZERO);
    guest.connect(32);
    guest.send(&frame::transfer(frame::OPEN, 3, b""));
    guest.received();
    assert_eq!(deliver(guest), 20);
    assert_eq!(guest.violations(), []);
}

/// Firmware whose QMI side is up before its channels are; and a network of
/// another MTU, which a restart does not change.
#[test]
fn port_before_channels() {
    let mut phone = Phone::new();
    phone.guest.modem.set_mtu(1430).unwrap();
    assert_eq!(phone.guest.modem.set_mtu(2041), Err(Refused::BadMtu(2041)));
    phone.guest.modem.crash(false);
    assert_eq!(phone.guest.modem.start_port(), Err(Refused::Crashed));
    phone.guest.modem.restart(true, None);
    phone.settle();
    phone.guest.modem.start_port().unwrap();
    phone.settle();
    phone.open();
    let status = phone.guest.modem.status();
    assert_eq!((status.pc, status.modem_open), (false, vec![]));
    assert_eq!(phone.guest.modem.options.mtu, 1430);
    phone.guest.modem.boot_after(Duration::ZERO);
    phone.settle();
    assert_eq!(phone.guest.modem.status().smd, State::Opened, "left alone");
}

/// Firmware that forgets its clients when the port closes ends their calls.
#[test]
fn forgets_clients() {
    const WDS: u8 = 1;
    for (forgets, left) in [(false, 1), (true, 0)] {
        let mut phone = Phone::new();
        let set = serde_json::json!({"forgets_clients": forgets});
        let profile = Profile::instant().with(set.as_object().unwrap()).unwrap();
        phone.guest.modem.set_profile(profile, 1);
        phone.open();
        let allocated = phone.ask(&request(0, 0, 0x22, &[1, 1, 0, WDS]));
        let client = *allocated[0].last().unwrap();
        phone.ask(&request(
            WDS,
            client,
            0x20,
            b"\x14\x01\x00a\x19\x01\x00\x04",
        ));
        assert_eq!(phone.events("call-up:0:4"), 1);
        phone.set_state(0);
        let qmi = phone.guest.modem.call_status().qmi;
        assert_eq!((qmi.clients.len(), qmi.calls.len()), (left, left));
        assert_eq!(phone.events("call-down:0:4"), u64::from(forgets));
    }
}

/// Linux stops the processor dead, and starts it with new firmware that
/// boots by itself. Told so by an interrupt, it does the same after a crash.
#[test]
fn processor() {
    let mut phone = Phone::new();
    phone.open();
    assert_eq!(phone.mss_status(), 1);
    phone.mss(1);
    assert!(phone.guest.modem.status().booted, "it ran already");
    phone.mss(0);
    assert_eq!(
        (phone.mss_status(), phone.guest.modem.status().mss),
        (0, Life::Stopped)
    );
    assert!(phone.guest.modem.status().pc, "lines stand still");
    phone.guest.modem.options.boot = Boot::OnSubscribe(Duration::from_millis(50));
    phone.mss(1);
    assert_eq!(phone.mss_status(), 1);
    assert!(!phone.guest.modem.status().pc && !phone.linux.registered);
    phone.guest.pass(50);
    phone.settle();
    assert!(phone.guest.modem.status().pc && phone.linux.registered);
    phone.guest.modem.crash(false);
    phone.guest.modem.report_crash();
    assert_eq!(
        (phone.mss_status(), phone.guest.modem.counters.mss_irqs),
        (2, 1)
    );
    phone.mss(1);
    assert_eq!(phone.mss_status(), 2, "a start needs a stop");
    phone.mss(0);
    phone.mss(1);
    assert_eq!(phone.mss_status(), 1);
    assert_eq!(
        (phone.events("mss-start"), phone.events("mss-stop")),
        (3, 2)
    );
    phone.guest.modem.crash(false);
    phone.guest.modem.restart(true, None);
    assert_eq!(phone.mss_status(), 1, "whatever Linux thinks");
    phone.mss(0);
    phone.guest.modem.reset();
    assert_eq!(phone.mss_status(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever somebody writes to the port, the modem lives, and what it
    /// answers fits.
    #[test]
    fn any_packets(packets in prop::collection::vec(
        (prop::collection::vec(any::<u8>(), 0..80), any::<bool>(), 0u8..4, 0u8..4), 0..60))
    {
        let mut phone = Phone::new();
        phone.open();
        for (mut packet, framed, service, client) in packets {
            if framed {
                // Past the first check: a QMUX header with the right length.
                let len = u16::try_from(packet.len() + 5).unwrap().to_le_bytes();
                packet.splice(..0, [1, len[0], len[1], 0, service, client]);
            }
            let answers = phone.ask(&packet);
            prop_assert!(answers.iter().all(|answer| answer.len() <= 4096));
        }
        prop_assert_eq!(phone.guest.violations(), []);
    }
}

/// The trace has what was asked at the port, and what was answered.
#[test]
fn trace_of_the_port() {
    use crate::trace::Doorbell;
    use bam_dmux_qmi::summary::Kind;

    let mut phone = Phone::new();
    phone.open();
    phone.guest.modem.trace.mark();
    // CTL, get version info.
    phone.ask(&[1, 11, 0, 0, 0, 0, 0, 9, 0x21, 0, 0, 0]);
    let snapshot = phone.guest.modem.trace.snapshot();
    let found: Vec<_> = snapshot
        .events
        .iter()
        .map(|stamped| stamped.event)
        .collect();
    let messages: Vec<_> = found
        .iter()
        .filter_map(|event| match event {
            Event::Qmi(message) => Some((message.kind, message.message, message.transaction)),
            _ => None,
        })
        .collect();
    assert_eq!(
        messages,
        [(Kind::Request, 0x21, 9), (Kind::Response, 0x21, 9)]
    );
    assert!(found.contains(&Event::Doorbell(Doorbell::Smd)));
    assert!(found.contains(&Event::Interrupt(Line::Smd)));
}
