// SPDX-License-Identifier: GPL-2.0
//! Transfers from Linux, checked more strictly than a real modem does.

use super::channels::Channels;
use super::frame::{
    padding,
    Header,
    CLOSE,
    DATA,
    HEADER,
    MAGIC,
    OPEN, //
};
use crate::counters::Counters;

/// What a transfer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A packet on a channel.
    Data(u8, &'a [u8]),
    /// Linux has opened its half of a channel.
    Opened(u8),
    /// Linux has closed its half of a channel.
    Closed(u8),
    /// Not acceptable; counted by what is wrong.
    Rejected,
}

/// Checks one transfer and applies it to the channels.
pub fn accept<'a>(
    transfer: &'a [u8],
    channels: &mut Channels,
    counters: &mut Counters,
) -> Frame<'a> {
    counters.uplink_transfers += 1;
    counters.uplink_bytes += transfer.len() as u64;
    let header = Header::parse(transfer);
    let longest = channels.longest_uplink(header.map_or(0, |h| h.channel));
    // Still looked at: the rest may be right.
    counters.oversize_transfer += u64::from(transfer.len() > longest);
    let Some(header) = header else {
        counters.short_transfer += 1;
        return Frame::Rejected;
    };
    if header.magic != MAGIC {
        counters.bad_magic += 1;
        return Frame::Rejected;
    }
    if header.channel >= super::channels::COUNT {
        counters.bad_channel += 1;
        return Frame::Rejected;
    }
    check_signal(header, *channels, counters);
    match header.cmd {
        DATA => data(header, &transfer[HEADER..], *channels, counters),
        OPEN => {
            check_command(header, transfer, counters);
            counters.uplink_opens += 1;
            counters.double_open += u64::from(!channels.host.insert(header.channel));
            if let Some(answer) = channels.answered.get_mut(usize::from(header.channel)) {
                *answer = header.signal;
            }
            Frame::Opened(header.channel)
        }
        CLOSE => {
            check_command(header, transfer, counters);
            counters.uplink_closes += 1;
            counters.double_close += u64::from(!channels.host.remove(header.channel));
            Frame::Closed(header.channel)
        }
        _ => {
            counters.bad_command += 1;
            Frame::Rejected
        }
    }
}

/// Only an OPEN may say something there, if the modem's has asked for it.
fn check_signal(header: Header, channels: Channels, counters: &mut Counters) {
    let allowed = match header.cmd {
        OPEN => channels.allowed_answer(header.channel),
        _ => 0,
    };
    if header.signal & !allowed != 0 {
        counters.nonzero_signal += 1;
    } else if header.signal != 0 {
        counters.uplink_open_answers += 1;
    }
}

fn check_command(header: Header, transfer: &[u8], counters: &mut Counters) {
    if header.len != 0 || header.pad != 0 || transfer.len() != HEADER {
        counters.command_with_data += 1;
    }
}

fn data<'a>(
    header: Header,
    body: &'a [u8],
    channels: Channels,
    counters: &mut Counters,
) -> Frame<'a> {
    let (len, pad) = (usize::from(header.len), usize::from(header.pad));
    if len + pad != body.len() {
        counters.length_mismatch += 1;
        return Frame::Rejected;
    }
    check_pad(&body[len..], len, counters);
    if len == 0 {
        counters.empty_data += 1;
        return Frame::Rejected;
    }
    if !channels.host.contains(header.channel) {
        counters.data_not_opened += 1;
        return Frame::Rejected;
    }
    if !channels.modem.contains(header.channel) {
        counters.data_modem_closed += 1;
        return Frame::Rejected;
    }
    let payload = &body[..len];
    if !matches!(payload[0] >> 4, 4 | 6) {
        counters.not_ip += 1;
    }
    counters.uplink_frames += 1;
    counters.uplink_payload_bytes += len as u64;
    Frame::Data(header.channel, payload)
}

fn check_pad(pad: &[u8], len: usize, counters: &mut Counters) {
    if pad.len() == 4 && padding(len) == 0 {
        counters.pad4_when_aligned += 1;
    } else if pad.len() != padding(len) {
        counters.bad_pad += 1;
    }
    if pad.iter().any(|&byte| byte != 0) {
        counters.nonzero_pad += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::transfer;
    use super::*;
    use proptest::prelude::*;

    fn opened() -> Channels {
        let mut channels = Channels::default();
        channels.modem.insert(2);
        channels.host.insert(2);
        channels
    }

    fn run(bytes: &[u8]) -> Counters {
        let mut counters = Counters::default();
        accept(bytes, &mut opened(), &mut counters);
        counters
    }

    fn violated(counters: &Counters) -> Vec<&'static str> {
        let all = counters.violations().into_iter();
        all.filter(|&(_, n)| n > 0).map(|(name, _)| name).collect()
    }

    /// A right frame of every length passes without a violation.
    #[test]
    fn right_frames_pass() {
        for len in 1..=2040 {
            let bytes = transfer(DATA, 2, &vec![0x45; len]);
            let mut counters = Counters::default();
            let mut channels = opened();
            let frame = accept(&bytes, &mut channels, &mut counters);
            assert_eq!(frame, Frame::Data(2, &vec![0x45; len][..]));
            assert_eq!(violated(&counters), [""; 0]);
        }
    }

    /// Each mistake has its own counter.
    #[test]
    fn mistakes_are_told_apart() {
        let right = transfer(DATA, 2, b"\x45abcd");
        let with = |at: usize, value: u8| {
            let mut bytes = right.clone();
            bytes[at] = value;
            violated(&run(&bytes))
        };
        assert_eq!(with(0, 0), ["bad_magic"]);
        assert_eq!(with(2, 2), ["nonzero_signal"]);
        assert_eq!(with(3, 3), ["bad_command"]);
        assert_eq!(with(4, 2), ["length_mismatch"]);
        assert_eq!(with(5, 8), ["bad_channel"]);
        assert_eq!(with(5, 1), ["data_not_opened"]);
        assert_eq!(with(6, 9), ["length_mismatch"]);
        assert_eq!(with(8, 0x75), ["not_ip"]);
        assert_eq!(with(14, 1), ["nonzero_pad"]);
        assert_eq!(violated(&run(&right[..7])), ["short_transfer"]);
        assert_eq!(violated(&run(&transfer(DATA, 2, b""))), ["empty_data"]);
        assert_eq!(
            violated(&run(&transfer(OPEN, 1, b"x"))),
            ["command_with_data"]
        );
        let big = transfer(DATA, 2, &[0x45; 2044]);
        assert_eq!(violated(&run(&big)), ["oversize_transfer"]);
    }

    /// Four pad bytes on an aligned frame are a fact, not a violation.
    #[test]
    fn pad_of_four() {
        let mut bytes = transfer(DATA, 2, b"\x45abc");
        bytes[4] = 4;
        bytes.extend([0; 4]);
        let counters = run(&bytes);
        assert_eq!(violated(&counters), [""; 0]);
        assert_eq!(counters.pad4_when_aligned, 1);
        assert_eq!(counters.uplink_frames, 1);
        bytes[4] = 5;
        bytes.push(0);
        assert_eq!(violated(&run(&bytes)), ["bad_pad"]);
    }

    /// Linux may answer what the modem has offered, in an OPEN and with the bits
    /// that are for it; then larger transfers are right.
    #[test]
    fn answers_to_offers() {
        let mut channels = opened();
        channels.offered[2] = 0x42;
        let mut open = transfer(OPEN, 2, b"");
        let count = |bytes: &[u8], channels: &mut Channels| {
            let mut counters = Counters::default();
            accept(bytes, channels, &mut counters);
            let violated = violated(&counters);
            (counters.uplink_open_answers, violated)
        };
        open[2] = 0xd2;
        channels.host.remove(2);
        assert_eq!(count(&open, &mut channels), (1, vec![]));
        assert_eq!(channels.answered[2], 0xd2);
        let long = transfer(DATA, 2, &[0x45; 4088]);
        assert_eq!(count(&long, &mut channels), (0, vec![]));
        let longer = transfer(DATA, 2, &[0x45; 4092]);
        assert_eq!(count(&longer, &mut channels).1, ["oversize_transfer"]);
        let mut data = transfer(DATA, 2, &[0x45]);
        data[2] = 0x02;
        assert_eq!(count(&data, &mut channels), (0, vec!["nonzero_signal"]));
        open[2] = 0xd3;
        channels.host.remove(2);
        assert_eq!(count(&open, &mut channels), (0, vec!["nonzero_signal"]));
    }

    /// OPEN and CLOSE move Linux' half; repeating them is counted.
    #[test]
    fn open_and_close() {
        let mut channels = Channels::default();
        let mut counters = Counters::default();
        let mut send = |cmd| {
            accept(&transfer(cmd, 5, b""), &mut channels, &mut counters);
        };
        send(OPEN);
        send(OPEN);
        send(CLOSE);
        send(CLOSE);
        assert_eq!(violated(&counters), ["double_open", "double_close"]);
        assert!(!channels.host.contains(5));
    }

    proptest! {
        /// No transfer panics, and all are either taken or counted.
        #[test]
        fn any_transfer(mut bytes in prop::collection::vec(any::<u8>(), 0..64), magic: bool) {
            if magic && bytes.len() >= 2 {
                bytes[..2].copy_from_slice(&MAGIC.to_le_bytes());
            }
            let mut counters = Counters::default();
            let frame = accept(&bytes, &mut opened(), &mut counters);
            prop_assert!(frame != Frame::Rejected || !violated(&counters).is_empty());
        }
    }
}
