// SPDX-License-Identifier: GPL-2.0
//! What is recorded, what is forgotten, and what the files say.

use std::collections::BTreeMap;

use pcap_file::pcapng::blocks::enhanced_packet::{
    EnhancedPacketBlock,
    EnhancedPacketOption, //
};
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::blocks::Block;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::DataLink;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::dmux::frame::transfer;

fn us(count: u64) -> Duration {
    Duration::from_micros(count)
}

fn small(events: usize) -> Trace {
    Trace::new(Size {
        events,
        packets: 1 << 16,
    })
}

fn json(trace: &Trace) -> Value {
    let mut out = Vec::new();
    chrome::write(&trace.snapshot(), us(0), &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn entries(trace: &Trace) -> Vec<Value> {
    json(trace)["traceEvents"].as_array().unwrap().clone()
}

/// Names of what happened on a track, each with its phase.
fn on_track(trace: &Trace, tid: u32) -> Vec<String> {
    entries(trace)
        .iter()
        .filter(|entry| entry["tid"] == tid && entry["ph"] != "M")
        .map(|entry| {
            format!(
                "{} {} {}",
                entry["ts"],
                entry["ph"].as_str().unwrap(),
                entry["name"].as_str().unwrap()
            )
        })
        .collect()
}

/// The ring keeps the latest events in their order, counts the others, and
/// knows how things were when the first of those that are left came.
#[test]
fn bounded_and_in_order() {
    let mut trace = small(3);
    trace.level(us(1), Level::Vote, true);
    trace.level(us(2), Level::Power, true);
    for at in 3..6 {
        trace.record(us(at), Event::Doorbell(Doorbell::Tx));
    }
    let snapshot = trace.snapshot();
    let times: Vec<_> = snapshot.events.iter().map(|event| event.at).collect();
    assert_eq!(times, [us(3), us(4), us(5)]);
    assert_eq!(snapshot.amount.dropped_events, 2);
    assert!(snapshot.before.is_high(Level::Vote) && snapshot.before.is_high(Level::Power));
    assert!(!snapshot.before.is_high(Level::Bam));
    assert_eq!(on_track(&trace, 1), ["3.0 B vote"]);
}

/// A trace of no size records nothing, and says so.
#[test]
fn switched_off() {
    let mut trace = Trace::new(Size {
        events: 0,
        packets: 0,
    });
    trace.level(us(1), Level::Vote, true);
    trace.frame(us(2), Direction::Uplink, &transfer(DATA, 0, b"\x45"));
    let amount = trace.amount();
    assert_eq!((amount.events, amount.packets), (0, 0));
    assert_eq!((amount.dropped_events, amount.dropped_packets), (2, 1));
    assert!(!entries(&trace).is_empty(), "names of tracks");
}

/// After a mark there is only what came later, and how things stood then.
#[test]
fn mark() {
    let mut trace = small(10);
    trace.level(us(1), Level::Power, true);
    trace.frame(us(2), Direction::Downlink, &transfer(DATA, 1, b"\x45"));
    trace.mark();
    assert_eq!(trace.amount().events + trace.amount().packets, 0);
    trace.level(us(7), Level::Power, false);
    assert_eq!(on_track(&trace, 3), ["7.0 B high", "7.0 E high"]);
}

/// A level that has not changed is no news.
#[test]
fn levels_are_edges() {
    let mut trace = small(10);
    let bits = Bits {
        power: true,
        ack: true,
    };
    trace.modem_bits(us(1), bits);
    trace.modem_bits(us(2), bits);
    trace.linux_bits(us(3), Bits::default());
    assert_eq!(
        trace.snapshot().events,
        [
            Stamped {
                at: us(1),
                event: Event::Level(Level::ModemAck, true)
            },
            Stamped {
                at: us(1),
                event: Event::Level(Level::Power, true)
            },
        ]
    );
}

/// A wake-up and what follows, as it is shown: slices of what lasts, and both
/// levels of a toggle.
#[test]
fn wake_up_in_words() {
    let mut trace = small(100);
    trace.level(us(10), Level::Vote, true);
    trace.level(us(1_891), Level::ModemAck, true);
    trace.level(us(2_300), Level::Bam, true);
    trace.level(us(2_300), Level::Power, true);
    trace.record(us(2_300), Event::Interrupt(Line::Smsm));
    trace.level(us(2_852), Level::LinuxAck, true);
    let mut channels = Channels::default();
    channels.modem.insert(3);
    trace.channels(us(3_000), channels);
    channels.host.insert(3);
    trace.channels(us(4_000), channels);
    trace.frame(us(4_000), Direction::Uplink, &transfer(OPEN, 3, b""));
    trace.frame(
        us(5_000),
        Direction::Uplink,
        &transfer(DATA, 3, &[0x45; 99]),
    );
    trace.level(us(9_000), Level::Vote, false);
    trace.milestone(us(9_500), Milestone::Crash);
    trace.milestone(us(9_600), Milestone::Restart);
    assert_eq!(on_track(&trace, 1), ["10.0 B vote", "9000.0 E vote"]);
    assert_eq!(
        on_track(&trace, 2),
        ["10.0 B ack: 0", "1891.0 E ack: 0", "1891.0 B ack: 1"]
    );
    assert_eq!(on_track(&trace, 3), ["2300.0 B high"]);
    assert_eq!(on_track(&trace, 5), ["2300.0 B powered"]);
    assert_eq!(
        on_track(&trace, 6),
        [
            "9500.0 B dead",
            "9500.0 i crash",
            "9600.0 E dead",
            "9600.0 i new firmware"
        ]
    );
    assert_eq!(on_track(&trace, 8), ["2300.0 i SMSM"]);
    assert_eq!(
        on_track(&trace, 13),
        [
            "3000.0 B open on the modem's side",
            "4000.0 E open on the modem's side",
            "4000.0 B open",
            "4000.0 i uplink OPEN",
            "5000.0 i uplink DATA 99",
        ]
    );
}

/// QMI messages have the names of the protocol.
#[test]
fn qmi_in_words() {
    let mut trace = small(10);
    trace.qmi(us(1), &[1, 12, 0, 0, 1, 3, 0, 9, 0, 0x20, 0, 0, 0]);
    trace.qmi(
        us(2),
        &[
            1, 19, 0, 0x80, 1, 3, 2, 9, 0, 0x20, 0, 7, 0, 2, 4, 0, 1, 0, 14, 0,
        ],
    );
    trace.qmi(us(3), &[1, 12, 0, 0, 9, 3, 0, 9, 0, 0x20, 0, 0, 0]);
    trace.qmi(us(4), b"no frame");
    assert_eq!(
        on_track(&trace, 9),
        [
            "1.0 i WDS start network: request",
            "2.0 i WDS start network: refused",
            "3.0 i service 9 0x0020: request",
        ]
    );
}

/// A reset takes all with it.
#[test]
fn reset() {
    let mut trace = small(20);
    let mut channels = Channels::default();
    channels.modem.insert(0);
    trace.channels(us(1), channels);
    trace.level(us(1), Level::Power, true);
    trace.reset(us(2));
    let snapshot = trace.snapshot();
    let mut state = snapshot.before;
    for stamped in &snapshot.events {
        state.apply(stamped.event);
    }
    assert_eq!(state.channels, Channels::default());
    assert!(Level::ALL.iter().all(|&level| !state.is_high(level)));
}

/// The packets come back byte for byte, with channel, direction and time; of
/// each channel there is an interface.
#[test]
fn packets_are_read_back() {
    let mut trace = small(100);
    let packets: Vec<Vec<u8>> = (1..6)
        .map(|n: u8| vec![0x40 | n; usize::from(n) * 7])
        .collect();
    let times: Vec<_> = (1..6).map(|n| us(n * 1_000_001)).collect();
    for (index, packet) in packets.iter().enumerate() {
        let channel = u8::try_from(index).unwrap();
        let direction = [Direction::Uplink, Direction::Downlink][index % 2];
        trace.frame(times[index], direction, &transfer(DATA, channel, packet));
    }
    trace.frame(us(9_000_000), Direction::Uplink, &transfer(OPEN, 3, b""));
    let origin = Duration::from_secs(1_700_000_000);
    let mut file = Vec::new();
    pcapng::write(&trace.snapshot(), origin, &mut file).unwrap();

    let mut reader = PcapNgReader::new(&file[..]).unwrap();
    let (mut names, mut found) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(interface) => {
                assert_eq!(interface.linktype, DataLink::RAW);
                // Without it a reader takes the times for microseconds.
                let exact = InterfaceDescriptionOption::IfTsResol(9);
                assert!(interface.options.contains(&exact));
                names.extend(interface.options.iter().filter_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                }));
            }
            Block::EnhancedPacket(packet) => found.push(packet.into_owned()),
            other => panic!("unexpected {other:?}"),
        }
    }
    let expected: Vec<_> = (0..8).map(|channel| format!("ch{channel}")).collect();
    assert_eq!(names, expected);
    let expected: Vec<_> = (0..5)
        .map(|index| EnhancedPacketBlock {
            interface_id: u32::try_from(index).unwrap(),
            timestamp: origin + times[index],
            original_len: u32::try_from(packets[index].len()).unwrap(),
            data: packets[index].clone().into(),
            options: vec![EnhancedPacketOption::Flags([2, 1][index % 2])],
        })
        .collect();
    assert_eq!(found, expected);
}

/// Files that cannot be written are named.
#[test]
fn unwritable() {
    let nowhere = Path::new("/nonexistent/trace.json");
    let error = small(1).snapshot().save(Some(nowhere), None, us(0));
    let words = error.unwrap_err().to_string();
    assert!(
        words.starts_with("cannot write /nonexistent/trace.json: "),
        "{words}"
    );
}

fn any_event() -> impl Strategy<Value = Event> {
    let level = (0..Level::ALL.len(), any::<bool>())
        .prop_map(|(level, high)| Event::Level(Level::ALL[level], high));
    let channel = (0..COUNT, any::<bool>(), any::<bool>()).prop_map(|(channel, linux, open)| {
        Event::Channel {
            channel,
            side: if linux { Side::Linux } else { Side::Modem },
            open,
        }
    });
    let frame = (any::<u8>(), any::<u16>()).prop_map(|(channel, len)| Event::Frame {
        direction: Direction::Downlink,
        kind: FrameKind::Data,
        channel,
        len,
    });
    let milestone = prop::sample::select(vec![
        Milestone::Reset,
        Milestone::DriverCame,
        Milestone::DriverLeft,
        Milestone::Boot,
        Milestone::Crash,
        Milestone::Stop,
        Milestone::Restart,
        Milestone::Freeze,
        Milestone::Thaw,
    ])
    .prop_map(Event::Milestone);
    let drawn = Just(Event::Drawn {
        kind: Kind::UnvoteAck,
        number: 7,
    });
    prop_oneof![level, channel, frame, milestone, drawn]
}

proptest! {
    /// Whatever happens, and however much is forgotten: the JSON is well-formed
    /// with its events in the order of time, and slices of a track never overlap.
    #[test]
    fn any_events(
        size in 1_usize..40,
        events in prop::collection::vec((0_u64..3, any_event()), 0..100),
    ) {
        let mut trace = small(size);
        let mut now = 0;
        for (step, event) in &events {
            now += step;
            match *event {
                Event::Level(level, high) => trace.level(us(now), level, high),
                event => trace.record(us(now), event),
            }
        }
        prop_assert!(trace.amount().events <= size);
        let mut last = 0.0;
        let mut open = BTreeMap::new();
        for entry in entries(&trace).iter().filter(|entry| entry["ph"] != "M") {
            let at = entry["ts"].as_f64().unwrap();
            prop_assert!(at >= last);
            last = at;
            let track = entry["tid"].as_u64().unwrap();
            let name = entry["name"].as_str().unwrap().to_owned();
            match entry["ph"].as_str().unwrap() {
                "B" => prop_assert_eq!(open.insert(track, name), None),
                "E" => prop_assert_eq!(open.remove(&track), Some(name)),
                other => prop_assert_eq!(other, "i"),
            }
        }
    }

    /// The ring of packets keeps to its bytes, and what is in it is whole.
    #[test]
    fn any_packets(
        limit in 0_usize..400,
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..90), 0..30),
    ) {
        let mut trace = Trace::new(Size { events: 1, packets: limit });
        for packet in &packets {
            trace.frame(us(1), Direction::Uplink, &transfer(DATA, 0, packet));
        }
        let snapshot = trace.snapshot();
        let kept: Vec<Vec<u8>> = snapshot.packets().map(|packet| packet.parts.concat()).collect();
        let bytes: usize = kept.iter().map(Vec::len).sum();
        prop_assert!(bytes <= limit);
        prop_assert_eq!(kept.len() as u64 + snapshot.amount.dropped_packets, packets.len() as u64);
        for packet in &kept {
            prop_assert!(packets.contains(packet));
        }
        if limit > 0 && kept.len() == packets.len() {
            prop_assert_eq!(&kept, &packets);
        }
    }
}
