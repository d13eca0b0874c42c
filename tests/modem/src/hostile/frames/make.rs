// SPDX-License-Identifier: GPL-2.0
//! How items of each kind are made from random numbers.

use super::super::Random;
use super::item::{
    After,
    Item,
    Kind,
    Rewrite,
    MOST, //
};
use crate::dmux::channels::COUNT;
use crate::dmux::frame::{
    padding,
    Header,
    CLOSE,
    DATA,
    HEADER,
    MAGIC,
    OPEN, //
};

/// Lengths that are more interesting than others.
const EDGES: [u16; 12] = [1, 2, 3, 4, 19, 20, 1499, 1500, 2037, 2038, 2039, 2040];
/// Lengths that no frame can have.
const TOO_LONG: [u16; 10] = [
    2041, 2042, 2047, 2048, 2049, 4096, 0x7fff, 0x8000, 0xfff8, 0xffff,
];
/// Times that a header is changed back and forth: long enough to meet Linux in
/// the middle of looking at it, short enough for a guest that waits.
const FLIPS: u16 = 300;
/// Fields that can be wrong by themselves.
const FIELDS: [Kind; 5] = [
    Kind::Pad,
    Kind::Magic,
    Kind::Command,
    Kind::Channel,
    Kind::Length,
];

/// An item of this kind.
pub(super) fn item(kind: Kind, numbers: &mut Random) -> Item {
    let mut item = valid(numbers);
    match kind {
        Kind::Valid | Kind::Late => {}
        Kind::Signal => item.header.signal = numbers.byte().max(1),
        Kind::Pad | Kind::Magic | Kind::Command | Kind::Channel | Kind::Length => {
            spoil(&mut item.header, kind, numbers);
        }
        Kind::Mixed => mix(&mut item.header, numbers),
        Kind::Noise => item.header = noise(numbers),
        Kind::Short => item.payload = below(item.header.len, numbers),
        Kind::Tiny => item.cut = Some(1 + below(7, numbers)),
        Kind::Empty => item.cut = Some(0),
        Kind::Long => item.payload = (item.payload + 1 + below(MOST, numbers)).min(MOST),
        Kind::Full => item.payload = MOST,
        Kind::Version => item.first = other_version(numbers),
        Kind::Flood => item = command(numbers),
        Kind::FetchHeader => {
            let header = other_header(item.header, numbers);
            fetch(&mut item, Some(header), false, numbers);
        }
        Kind::FetchPayload => {
            let both = numbers.percent(30);
            let header = both.then(|| other_header(item.header, numbers));
            fetch(&mut item, header, true, numbers);
        }
    }
    item.kind = kind;
    item
}

/// What happens after an item: mostly nothing.
pub(super) fn after(numbers: &mut Random) -> After {
    match numbers.below(20_000) {
        0..8 => After::Stall {
            ms: numbers.between(100, 300),
        },
        8..28 => After::Hold {
            us: numbers.between(100, 10_000),
        },
        28..48 => After::Storm {
            count: numbers.between(5, 50),
        },
        48..3000 => After::Interrupt,
        _ => After::Next,
    }
}

/// Below `end`, 0 if that is 0.
fn below(end: u16, numbers: &mut Random) -> u16 {
    u16::try_from(numbers.below(end.into())).unwrap_or(0)
}

fn some_channel(numbers: &mut Random) -> u8 {
    u8::try_from(numbers.below(COUNT.into())).unwrap_or(0)
}

fn some_length(numbers: &mut Random) -> u16 {
    if numbers.percent(15) {
        return numbers.one_of(&EDGES).copied().unwrap_or(1);
    }
    1 + below(MOST, numbers)
}

fn data(channel: u8, len: u16) -> Header {
    let mut header = Header::new(DATA, channel, len);
    // At most 3.
    header.pad = u8::try_from(padding(len.into())).unwrap_or(0);
    header
}

/// A frame without fault, for a start.
fn valid(numbers: &mut Random) -> Item {
    let header = data(some_channel(numbers), some_length(numbers));
    let version = if numbers.percent(70) { 0x40 } else { 0x60 };
    let low = if numbers.percent(50) {
        5
    } else {
        numbers.byte() & 15
    };
    Item {
        kind: Kind::Valid,
        header,
        // The pad is part of the transfer, and Linux has to cut it off.
        payload: (header.len + u16::from(header.pad)).min(MOST),
        cut: None,
        first: version | low,
        rewrite: None,
        after: After::Next,
    }
}

fn spoil(header: &mut Header, field: Kind, numbers: &mut Random) {
    match field {
        Kind::Magic => {
            let flipped = MAGIC ^ (1 << numbers.below(16));
            let choice = [0, u16::MAX, MAGIC.swap_bytes(), flipped, numbers.word()];
            header.magic = numbers.one_of(&choice).copied().unwrap_or(0);
        }
        Kind::Command => header.cmd = numbers.byte().max(3),
        Kind::Channel => header.channel = numbers.byte().max(COUNT),
        Kind::Length => {
            let any = u16::try_from(numbers.between(2041, 65535)).unwrap_or(0);
            let edge = numbers.one_of(&TOO_LONG).copied().unwrap_or(0);
            header.len = numbers.one_of(&[0, any, edge]).copied().unwrap_or(0);
        }
        _ => header.pad = numbers.byte().max(4),
    }
}

fn mix(header: &mut Header, numbers: &mut Random) {
    for _ in 0..numbers.between(2, 4) {
        let field = numbers.one_of(&FIELDS).copied().unwrap_or(Kind::Pad);
        spoil(header, field, numbers);
    }
    header.signal = numbers.byte();
}

fn noise(numbers: &mut Random) -> Header {
    let mut header = Header::parse(&numbers.bytes(HEADER)).unwrap_or_default();
    if numbers.percent(60) {
        header.magic = MAGIC;
    }
    if numbers.percent(40) {
        header.cmd &= 3;
        header.channel &= 15;
    }
    header
}

fn other_version(numbers: &mut Random) -> u8 {
    let versions = [0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let version = numbers.one_of(&versions).copied().unwrap_or(0);
    version << 4 | numbers.byte() & 15
}

fn command(numbers: &mut Random) -> Item {
    let cmd = if numbers.percent(55) { OPEN } else { CLOSE };
    let mut item = Item {
        header: Header::new(cmd, some_channel(numbers), 0),
        payload: 0,
        ..valid(numbers)
    };
    if numbers.percent(20) {
        item.header.channel = numbers.byte();
    }
    if numbers.percent(20) {
        item.header.signal = numbers.byte();
        item.header.len = numbers.word();
    }
    if numbers.percent(20) {
        item.payload = some_length(numbers);
    }
    item
}

/// What the header is rewritten to: mostly one more that Linux could take.
fn other_header(header: Header, numbers: &mut Random) -> Header {
    let mut other = header;
    match numbers.below(6) {
        0 => other.channel = some_channel(numbers),
        1 => other.len = some_length(numbers),
        2 => other = data(some_channel(numbers), some_length(numbers)),
        3 => spoil(&mut other, Kind::Length, numbers),
        4 => spoil(&mut other, Kind::Channel, numbers),
        _ => other = noise(numbers),
    }
    other
}

fn fetch(item: &mut Item, header: Option<Header>, payload: bool, numbers: &mut Random) {
    let mut header = header;
    if let Some(other) = header.as_mut().filter(|_| numbers.percent(30)) {
        // The wrong one may be the first.
        std::mem::swap(other, &mut item.header);
    }
    let delay = 1 << numbers.below(14);
    item.rewrite = Some(Rewrite {
        header,
        payload,
        delay_us: numbers.percent(75).then(|| delay + numbers.below(delay)),
        flips: FLIPS * u16::from(!payload && numbers.percent(60)),
    });
}
