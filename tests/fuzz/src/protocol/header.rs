// SPDX-License-Identifier: GPL-2.0
//! Frame headers: what the driver accepts, against the rules in words, and against the modem's own
//! codec, which was written apart from it.

use arbitrary::{
    Arbitrary,
    Unstructured, //
};
use bam_dmux_modem::counters::Counters;
use bam_dmux_modem::dmux::channels::Channels;
use bam_dmux_modem::dmux::frame;
use bam_dmux_modem::dmux::uplink::{
    accept,
    Frame, //
};
use bam_dmux_protocol::frame::{
    padding,
    payload_protocol,
    Channel,
    Command,
    Header,
    HeaderError, //
};
use bam_dmux_protocol::mtu::Offer;

#[derive(Debug, Arbitrary)]
enum Input {
    /// Bytes of the modem.
    Raw([u8; 8]),
    /// The same, with much of it right.
    Near {
        signal: u8,
        command: u8,
        pad: u8,
        channel: u8,
        len: u16,
    },
    /// A frame of Linux.
    Data {
        channel: u8,
        payload: Vec<u8>,
    },
    Command {
        channel: u8,
        open: bool,
    },
}

/// Runs the target.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    while let Ok(input) = Input::arbitrary(&mut u) {
        match input {
            Input::Raw(bytes) => received(bytes),
            Input::Near {
                signal,
                command,
                pad,
                channel,
                len,
            } => {
                let [low, high] = len.to_le_bytes();
                let bytes = [
                    0xfc,
                    0x33,
                    signal,
                    command % 8,
                    pad,
                    channel % 16,
                    low,
                    high,
                ];
                received(bytes);
            }
            Input::Data { channel, payload } => sent_data(channel, &payload),
            Input::Command { channel, open } => sent_command(channel, open),
        }
        if u.is_empty() {
            break;
        }
    }
}

/// What the protocol document says of eight bytes, not how the driver says it.
fn verdict(b: [u8; 8]) -> Result<(), HeaderError> {
    let len = usize::from(b[6]) | usize::from(b[7]) << 8;
    let len16 = u16::from(b[6]) | u16::from(b[7]) << 8;
    if (b[0], b[1]) != (0xfc, 0x33) {
        return Err(HeaderError::BadMagic(
            u16::from(b[1]) << 8 | u16::from(b[0]),
        ));
    }
    if b[3] > 2 {
        return Err(HeaderError::UnknownCommand(b[3]));
    }
    if b[5] > 7 {
        return Err(HeaderError::ChannelOutOfRange(b[5]));
    }
    match (b[3], len) {
        (0, 0) => Err(HeaderError::Empty),
        // Eight bytes of the buffer's 2048 are the header itself.
        (0, 2041..) => Err(HeaderError::TooLong(len16)),
        _ => Ok(()),
    }
}

fn received(bytes: [u8; 8]) {
    let parsed = Header::parse(&bytes);
    assert_eq!(parsed.map(|_| ()), verdict(bytes));
    let theirs = frame::Header::parse(&bytes);
    match (parsed, theirs) {
        (Ok(ours), Some(theirs)) => {
            assert_eq!(ours.encode(), bytes);
            assert_eq!(
                (ours.signal, ours.pad, ours.channel.number(), ours.len),
                (theirs.signal, theirs.pad, theirs.channel, theirs.len)
            );
            assert_eq!(ours.channel.index(), usize::from(theirs.channel));
            let offer = Offer::decode(ours.signal);
            assert!([2048, 4096, 8192, 16384].contains(&offer.uplink_buffer));
            assert!(offer.dynamic_mtu || offer.uplink_buffer == 2048);
        }
        (Err(error), _) => assert!(!format!("{error:?}").is_empty()),
        (Ok(_), None) => unreachable!("eight bytes are a header to the modem"),
    }
    let protocol = payload_protocol(bytes[0]).ethertype();
    let expected = match bytes[0] {
        0x40..=0x4f => 0x0800,
        0x60..=0x6f => 0x86dd,
        _ => 0x00f9,
    };
    assert_eq!(protocol, expected);
}

/// A frame as Linux sends it is one that a strict modem has nothing to say against.
fn sent_data(channel: u8, payload: &[u8]) {
    let payload = &payload[..payload.len().min(2040)];
    let Some(channel) = Channel::new(channel % 8) else {
        unreachable!("there are eight");
    };
    let Ok(len) = u16::try_from(payload.len()) else {
        unreachable!("cut above");
    };
    let header = Header::data(channel, len);
    let pad = padding(payload.len());
    assert_eq!(usize::from(header.pad), pad);
    assert_eq!((payload.len() + pad) % 4, 0);
    let mut transfer = header.encode().to_vec();
    transfer.extend(payload);
    transfer.resize(transfer.len() + pad, 0);
    assert!(transfer.len() <= 2048);

    let mut channels = Channels::default();
    channels.modem.insert(channel.number());
    channels.host.insert(channel.number());
    let mut counters = Counters::default();
    let frame = accept(&transfer, &mut channels, &mut counters);
    let complaints: Vec<_> = counters
        .violations()
        .into_iter()
        .filter(|&(name, count)| count > 0 && name != "not_ip")
        .collect();
    if payload.is_empty() {
        assert_eq!(complaints, [("empty_data", 1)]);
    } else {
        assert_eq!(frame, Frame::Data(channel.number(), payload));
        assert_eq!(complaints, []);
    }
}

fn sent_command(channel: u8, open: bool) {
    let Some(channel) = Channel::new(channel % 8) else {
        unreachable!("there are eight");
    };
    let number = channel.number();
    let header = if open {
        Header::open(channel)
    } else {
        Header::close(channel)
    };
    let mut channels = Channels::default();
    if !open {
        channels.host.insert(number);
    }
    let mut counters = Counters::default();
    let transfer = header.encode();
    let frame = accept(&transfer, &mut channels, &mut counters);
    let (expected, command) = if open {
        (Frame::Opened(number), Command::Open)
    } else {
        (Frame::Closed(number), Command::Close)
    };
    assert_eq!(frame, expected);
    assert_eq!(header.command, command);
    assert_eq!(channels.host.contains(number), open);
    assert!(counters.violations().iter().all(|&(_, count)| count == 0));
}
