// SPDX-License-Identifier: GPL-2.0

//! Properties of frames, channels and ring accounting over arbitrary input.

#[path = "peer.rs"]
mod peer;

use bam_dmux_protocol::{
    channels::ChannelTable,
    frame::{
        padding,
        Channel,
        Command,
        Header,
        HeaderError,
        BUFFER_LEN,
        CHANNELS,
        HEADER_LEN,
        MAGIC,
        MAX_PAYLOAD, //
    },
    ring::Occupancy,
};
use peer::{
    Event,
    Peer, //
};
use proptest::prelude::*;

fn channel() -> impl Strategy<Value = Channel> {
    channel_below(CHANNELS)
}

fn channel_below(end: usize) -> impl Strategy<Value = Channel> {
    (0..end).prop_filter_map("a channel", |n| Channel::new(u8::try_from(n).ok()?))
}

/// Few, so that much happens to each.
fn busy_channel() -> impl Strategy<Value = Channel> {
    channel_below(3)
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (busy_channel(), any::<u8>()).prop_map(|(c, s)| Event::RemoteOpen(c, s)),
        busy_channel().prop_map(Event::RemoteClose),
        (busy_channel(), any::<bool>()).prop_map(|(c, on)| Event::Wanted(c, on)),
        Just(Event::Send),
        Just(Event::Deliver),
        Just(Event::Lose),
        Just(Event::Restart),
        any::<(bool, bool)>().prop_map(|(noticed, early)| Event::SilentRestart { noticed, early }),
        any::<bool>().prop_map(|suspected| Event::PowerCycle { suspected }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// No header is accepted that a receiver could not act on, and what is accepted is written
    /// back as the same bytes.
    #[test]
    fn parsed_headers_are_within_bounds(mut bytes: [u8; HEADER_LEN], magic in any::<bool>(), command in 0..4_u8, channel in 0..9_u8) {
        if magic {
            bytes[..2].copy_from_slice(&MAGIC.to_le_bytes());
            bytes[3] = command;
            bytes[5] = channel;
        }
        if let Ok(header) = Header::parse(&bytes) {
            prop_assert!(header.channel.index() < CHANNELS);
            if header.command == Command::Data {
                prop_assert!((1..=MAX_PAYLOAD).contains(&usize::from(header.len)));
            }
            prop_assert_eq!(header.encode(), bytes);
        }
    }

    /// Each data frame that Linux can send is read back as it was meant, with true padding.
    #[test]
    fn data_headers_round_trip(channel in channel(), len in 1..=2040_u16) {
        let header = Header::data(channel, len);
        prop_assert_eq!(Header::parse(&header.encode()), Ok(header));
        prop_assert_eq!(usize::from(header.pad), padding(usize::from(len)));
        prop_assert!(HEADER_LEN + usize::from(len) + usize::from(header.pad) <= BUFFER_LEN);
    }

    /// After any history, once commands arrive the modem knows exactly the channels that are up
    /// and that it has open itself; and none of its firmwares got OPEN for an open channel.
    #[test]
    fn channels_reconcile(history in prop::collection::vec(event(), 0..80)) {
        let mut table = ChannelTable::new();
        let mut peer = Peer::default();
        for event in history {
            peer.apply(&mut table, &event);
        }
        peer.send(&mut table);
        peer.deliver();
        prop_assert!(table.peek_command().is_none());
        prop_assert_eq!(peer.doubled, 0);

        for channel in Channel::all() {
            let wanted = peer.wanted[channel.index()];
            let open = peer.ours_open[channel.index()];
            if table.is_remote_open(channel) {
                prop_assert_eq!(open, wanted);
                prop_assert_eq!(table.accepts_data(channel), wanted);
            } else {
                prop_assert!(!open || wanted);
                prop_assert!(!table.accepts_data(channel));
            }
        }
    }

    /// The count is that of an ordinary queue, and producers who obey the ring never find it full
    /// nor sleep on an empty one.
    #[test]
    fn occupancy_counts(pushes in prop::collection::vec(any::<bool>(), 0..400), reserve in 0..8_usize, wake in 0..70_usize) {
        let mut ring = Occupancy::new(64, reserve, wake);
        let mut len = 0_usize;
        for push in pushes {
            if push && !ring.is_stopped() {
                prop_assert!(ring.push());
                len += 1;
                let _ = ring.should_stop();
            } else {
                prop_assert_eq!(ring.pop(), len > 0);
                len = len.saturating_sub(1);
                let _ = ring.should_wake();
            }
            prop_assert_eq!(ring.len(), len);
            prop_assert_eq!(ring.room(), 64 - len);
            prop_assert!(!ring.is_stopped() || ring.len() > 0);
        }
    }
}

/// The log says of each kind of bad header what is wrong with it, with the number that was read.
#[test]
fn errors_are_told_in_words() {
    for (error, words) in [
        (
            HeaderError::BadMagic(0x1234),
            "magic 0x1234 instead of 0x33fc",
        ),
        (HeaderError::UnknownCommand(3), "command 3 (STATUS)"),
        (
            HeaderError::UnknownCommand(4),
            "command 4 (OPEN_NO_A2_PC): operation without power control is not supported",
        ),
        (HeaderError::UnknownCommand(0x77), "unknown command 119"),
        (HeaderError::ChannelOutOfRange(21), "channel 21 of 8"),
        (HeaderError::Empty, "data frame of length 0"),
        (
            HeaderError::TooLong(u16::MAX),
            "length 0xffff (QMAP aggregation) is not supported",
        ),
        (HeaderError::TooLong(2041), "length 2041 is above 2040"),
    ] {
        assert_eq!(format!("{error:?}"), words);
    }
}
