// SPDX-License-Identifier: GPL-2.0
//! The table of channels: with a modem that keeps to the protocol, as the property tests have it,
//! and with one that says anything at any time.

use arbitrary::{
    Arbitrary,
    Unstructured, //
};
use bam_dmux_protocol::channels::{
    Change,
    ChannelTable, //
};
use bam_dmux_protocol::frame::{
    Channel,
    Command,
    CHANNELS, //
};

#[path = "../../../protocol/peer.rs"]
mod peer;

use peer::{
    Event,
    Peer, //
};

/// Runs the target.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(hostile) = bool::arbitrary(&mut u) else {
        return;
    };
    if hostile {
        any_calls(&mut u);
    } else {
        reconciles(&mut u);
    }
}

fn channel(u: &mut Unstructured<'_>) -> arbitrary::Result<Channel> {
    let number = u.int_in_range(0..=7)?;
    Channel::new(number).ok_or(arbitrary::Error::IncorrectFormat)
}

fn event(u: &mut Unstructured<'_>) -> arbitrary::Result<Event> {
    Ok(match u.int_in_range(0..=8)? {
        0 => Event::RemoteOpen(channel(u)?, u.arbitrary()?),
        1 => Event::RemoteClose(channel(u)?),
        2 => Event::Wanted(channel(u)?, u.arbitrary()?),
        3 => Event::Send,
        4 => Event::Deliver,
        5 => Event::Lose,
        6 => Event::Restart,
        7 => Event::SilentRestart {
            noticed: u.arbitrary()?,
            early: u.arbitrary()?,
        },
        _ => Event::PowerCycle {
            suspected: u.arbitrary()?,
        },
    })
}

/// After any history, once commands arrive the modem knows exactly the channels that are up and
/// that it has open itself, and none of its firmwares got OPEN for an open channel.
fn reconciles(u: &mut Unstructured<'_>) {
    let mut table = ChannelTable::new();
    let mut peer = Peer::default();
    let mut history = Vec::new();
    while !u.is_empty() {
        let Ok(event) = event(u) else { break };
        peer.apply(&mut table, &event);
        history.push(event);
    }
    peer.send(&mut table);
    peer.deliver();
    assert_eq!(table.peek_command(), None, "{history:?}");
    assert_eq!(peer.doubled, 0, "{history:?}");
    for channel in Channel::all() {
        let wanted = peer.wanted[channel.index()];
        let open = peer.ours_open[channel.index()];
        let accepts = table.accepts_data(channel);
        let right = if table.is_remote_open(channel) {
            (open, accepts) == (wanted, wanted)
        } else {
            (!open || wanted) && !accepts
        };
        assert!(
            right,
            "{channel:?}: wanted {wanted}, open {open}, accepts {accepts}: {history:?}"
        );
    }
}

/// Any calls in any order: commands come to an end, data goes only where both halves are open,
/// and a channel that is held is left alone.
fn any_calls(u: &mut Unstructured<'_>) {
    let mut table = ChannelTable::new();
    let mut wanted = [false; CHANNELS];
    while !u.is_empty() {
        if call(u, &mut table, &mut wanted).is_err() {
            break;
        }
        for channel in Channel::all() {
            let state = table.state(channel);
            assert_eq!(state.wanted, wanted[channel.index()]);
            let accepts = state.remote_open && state.wanted && !state.held;
            assert_eq!(table.accepts_data(channel), accepts);
            assert_eq!(table.is_held(channel), state.held);
        }
        if let Some((channel, command)) = table.peek_command() {
            let state = table.state(channel);
            assert!(!state.held);
            match command {
                Command::Open => assert!(state.wanted && state.remote_open),
                Command::Close => assert!(!state.wanted),
                Command::Data => unreachable!("data is no command"),
            }
        }
    }
    // Each channel owes one command at most.
    let mut due = 0;
    while let Some((channel, command)) = table.peek_command() {
        table.command_sent(channel, command);
        due += 1;
        assert!(due <= CHANNELS, "commands without end");
    }
}

fn call(
    u: &mut Unstructured<'_>,
    table: &mut ChannelTable,
    wanted: &mut [bool; CHANNELS],
) -> arbitrary::Result<()> {
    match u.int_in_range(0..=8)? {
        0 => {
            let channel = channel(u)?;
            let repeated = table.repeated();
            let change = table.remote_open(channel, u.arbitrary()?);
            assert_ne!(change, Change::Closed);
            assert!(table.repeated() - repeated <= 1);
        }
        1 => {
            let channel = channel(u)?;
            let change = table.remote_close(channel);
            assert!(matches!(change, Change::Closed | Change::Repeated));
            assert!(!table.is_remote_open(channel));
        }
        2 => {
            let channel = channel(u)?;
            let up = u.arbitrary()?;
            table.set_wanted(channel, up);
            wanted[channel.index()] = up;
        }
        3 => {
            if let Some((channel, command)) = table.peek_command() {
                table.command_sent(channel, command);
                assert_ne!(table.peek_command(), Some((channel, command)));
            }
        }
        4 => {
            let command = *u.choose(&[Command::Open, Command::Close, Command::Data])?;
            table.command_lost(channel(u)?, command);
        }
        5 => {
            table.forget_all();
            assert!(!Channel::all().any(|channel| table.is_remote_open(channel)));
            assert_eq!(table.peek_command(), None);
        }
        6 => {
            table.hold_all();
            assert!(!Channel::all().any(|channel| table.is_remote_open(channel)));
        }
        7 => table.powered(),
        _ => {
            let held = table.holds_any();
            assert_eq!(table.release_all(), held);
            assert!(!table.holds_any());
        }
    }
    Ok(())
}
