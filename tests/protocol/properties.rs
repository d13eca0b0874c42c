// SPDX-License-Identifier: GPL-2.0

//! Properties of frames, channels and ring accounting over arbitrary input.

use std::mem;

use bam_dmux_protocol::{
    channels::ChannelTable,
    frame::{
        padding,
        Channel,
        Command,
        Header,
        BUFFER_LEN,
        CHANNELS,
        HEADER_LEN,
        MAGIC,
        MAX_PAYLOAD, //
    },
    ring::Occupancy,
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

/// What a modem and a user can do to the channels.
#[derive(Debug, Clone)]
enum Event {
    RemoteOpen(Channel, u8),
    RemoteClose(Channel),
    Wanted(Channel, bool),
    /// Gives all due commands to the pipe.
    Send,
    /// The modem takes the commands in the pipe.
    Deliver,
    /// The power goes: commands in the pipe are lost.
    Lose,
    Restart,
    /// The modem restarts and Linux is not told: it sees the power go, perhaps, and come back. It
    /// sends what is due before it hears of the channels, perhaps.
    SilentRestart {
        noticed: bool,
        early: bool,
    },
    /// The power goes and comes back; Linux takes it for a loss, perhaps, but it is none.
    PowerCycle {
        suspected: bool,
    },
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

/// The modem's idea of our halves, and the commands on their way to it.
#[derive(Default)]
struct Peer {
    ours_open: [bool; CHANNELS],
    theirs_open: [bool; CHANNELS],
    pipe: Vec<(Channel, Command)>,
    wanted: [bool; CHANNELS],
    /// Whether a CLOSE got lost: the next OPEN may come twice.
    close_lost: [bool; CHANNELS],
    /// OPENs for channels that were open.
    doubled: usize,
}

impl Peer {
    fn send(&mut self, table: &mut ChannelTable) {
        while let Some((channel, command)) = table.peek_command() {
            table.command_sent(channel, command);
            self.pipe.push((channel, command));
        }
    }

    fn deliver(&mut self) {
        for (channel, command) in self.pipe.drain(..) {
            let open = command == Command::Open;
            let excused = mem::take(&mut self.close_lost[channel.index()]);
            let was_open = mem::replace(&mut self.ours_open[channel.index()], open);
            self.doubled += usize::from(open && was_open && !excused);
        }
    }

    fn lose(&mut self, table: &mut ChannelTable) {
        for (channel, command) in self.pipe.drain(..) {
            table.command_lost(channel, command);
            self.close_lost[channel.index()] |= command == Command::Close;
        }
    }

    fn apply(&mut self, table: &mut ChannelTable, event: &Event) {
        match *event {
            Event::RemoteOpen(channel, signal) => {
                // A modem that is awake opens what is closed.
                if !self.theirs_open[channel.index()] {
                    table.remote_open(channel, signal);
                }
                self.theirs_open[channel.index()] = true;
            }
            Event::RemoteClose(channel) => {
                self.theirs_open[channel.index()] = false;
                table.remote_close(channel);
            }
            Event::Wanted(channel, on) => {
                self.wanted[channel.index()] = on;
                table.set_wanted(channel, on);
            }
            Event::Send => self.send(table),
            Event::Deliver => self.deliver(),
            Event::Lose => self.lose(table),
            Event::Restart => self.restart(table),
            // Nothing can show that: see the limitations of the table.
            Event::SilentRestart { .. } if self.theirs_open == [false; CHANNELS] => {
                self.restart(table);
            }
            Event::SilentRestart { noticed, early } => {
                self.ours_open = [false; CHANNELS];
                self.power_cycle(table, noticed);
                if early {
                    self.send(table);
                }
                // Firmware opens its channels first of all.
                for channel in Channel::all() {
                    if self.theirs_open[channel.index()] {
                        table.remote_open(channel, 0);
                    }
                }
                table.release_all();
            }
            Event::PowerCycle { suspected } => {
                self.power_cycle(table, suspected);
                table.release_all();
            }
        }
    }

    fn restart(&mut self, table: &mut ChannelTable) {
        // As the driver has it: the restart is known before the pipe is taken down.
        table.forget_all();
        self.lose(table);
        self.ours_open = [false; CHANNELS];
        self.theirs_open = [false; CHANNELS];
        table.powered();
    }

    fn power_cycle(&mut self, table: &mut ChannelTable, suspected: bool) {
        if suspected {
            table.hold_all();
        }
        self.lose(table);
        table.powered();
    }
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
