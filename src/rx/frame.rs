// SPDX-License-Identifier: GPL-2.0

//! What is done with one received frame: to an interface, to the channel table, or away.

use kernel::{
    alloc::flags::__GFP_NOWARN,
    prelude::*,
    sync::Arc, //
};

use super::super::{
    dmux::Dmux,
    kabi::{
        napi::Poll,
        skb::SkBuff, //
    },
    protocol::frame::{
        payload_protocol,
        Channel,
        Command,
        Header,
        HeaderError,
        BUFFER_LEN,
        HEADER_LEN, //
    }, //
};

/// Longest payload that is copied to a buffer of its own size, in bytes.
///
/// A socket is charged with the whole buffer that a packet is in. For most small packets, which are
/// acknowledgements and the like, one of [`BUFFER_LEN`] would be out of all proportion.
const COPY_LEN: usize = 256;

/// Whether the modem wrote to a buffer, all zeroes before, that it does not have any more.
pub(super) fn was_written(buffer: &mut SkBuff) -> bool {
    buffer.received(BUFFER_LEN).is_ok()
        && buffer
            .linear()
            .iter()
            .take(HEADER_LEN)
            .any(|byte| *byte != 0)
}

/// Handles one received buffer. Returns it unless the stack got it.
pub(super) fn receive(dmux: &Arc<Dmux>, poll: &Poll<'_>, mut buffer: SkBuff) -> Option<SkBuff> {
    // The whole buffer was zeroed by us or written by the modem.
    if buffer.is_empty() && buffer.received(BUFFER_LEN).is_err() {
        return Some(buffer);
    }
    let header: [u8; HEADER_LEN] = match buffer.linear().first_chunk() {
        Some(bytes) => *bytes,
        None => return Some(buffer),
    };
    match Header::parse(&header) {
        Err(e) => {
            reject(dmux, &header, e);
            Some(buffer)
        }
        Ok(header) => match header.command {
            Command::Data => deliver(dmux, poll, header, buffer),
            command => {
                let open = matches!(command, Command::Open);
                if dmux.ports.remote(header.channel, open, header.signal) {
                    dmux.ports_changed();
                }
                Some(buffer)
            }
        },
    }
}

/// Hands the payload of a data frame to its interface.
fn deliver(
    dmux: &Arc<Dmux>,
    poll: &Poll<'_>,
    header: Header,
    mut buffer: SkBuff,
) -> Option<SkBuff> {
    let interface = dmux.ports.interface(header.channel);
    // While the system is about to sleep interfaces are detached, but what comes is for somebody.
    let resting = dmux.link.is_resting();
    let listening = interface.filter(|i| i.is_running() && (i.is_present() || resting));
    let Some(interface) = listening else {
        dmux.counters.rx_no_listener.inc();
        return Some(buffer);
    };

    if buffer.pull(HEADER_LEN).is_err() {
        return Some(buffer);
    }
    let len = usize::from(header.len);
    buffer.trim(len);
    let (mut packet, free) = shrink(dmux, buffer);
    let Some(first) = packet.linear().first() else {
        return Some(packet);
    };
    packet.set_protocol(payload_protocol(*first).ethertype());
    interface.rx_add(len);
    interface.receive(poll, packet);
    free
}

/// Moves a small packet out of its large buffer. Returns the packet, and the buffer if it is free now.
fn shrink(dmux: &Dmux, buffer: SkBuff) -> (SkBuff, Option<SkBuff>) {
    if buffer.len() > COPY_LEN {
        return (buffer, None);
    }
    match SkBuff::copy_of(buffer.linear(), GFP_ATOMIC | __GFP_NOWARN) {
        Ok(packet) => {
            dmux.counters.rx_copied.inc();
            (packet, Some(buffer))
        }
        // It can go as it is.
        Err(_) => (buffer, None),
    }
}

/// Counts a frame that makes no sense, and says so from time to time.
fn reject(dmux: &Arc<Dmux>, header: &[u8; HEADER_LEN], error: HeaderError) {
    let counters = &dmux.counters;
    match error {
        HeaderError::BadMagic(_) => counters.rx_bad_magic.inc(),
        HeaderError::UnknownCommand(_) => counters.rx_bad_command.inc(),
        HeaderError::ChannelOutOfRange(_) => counters.rx_bad_channel.inc(),
        HeaderError::Empty | HeaderError::TooLong(_) => {
            counters.rx_bad_length.inc();
            // The only fault of the header that can be laid at an interface's door.
            let [_, _, _, _, _, channel, _, _] = *header;
            let interface = Channel::new(channel).and_then(|c| dmux.ports.interface(c));
            if let Some(interface) = interface {
                interface.private().rx_length_errors.inc();
            }
        }
    }
    if dmux.may_log() {
        dev_warn!(
            dmux.dev(),
            "modem sent a frame that makes no sense: {error:?}\n"
        );
    }
}
