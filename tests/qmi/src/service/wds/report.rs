// SPDX-License-Identifier: GPL-2.0
//! What a call has been given, and what it has moved.

use std::net::Ipv4Addr;

use super::{
    family_number,
    Call,
    Family,
    Network,
    QmiError,
    Reply,
    Request,
    Wds,
    Writer, //
};
use crate::network::{
    LinkCounters,
    V4,
    V6, //
};
use crate::service::Failure;

/// Bits of the mask of Get Current Settings.
mod wanted {
    pub(super) const PDP_TYPE: u32 = 1 << 2;
    pub(super) const APN: u32 = 1 << 3;
    pub(super) const DNS: u32 = 1 << 4;
    pub(super) const ADDRESS: u32 = 1 << 8;
    pub(super) const GATEWAY: u32 = 1 << 9;
    pub(super) const MTU: u32 = 1 << 13;
    pub(super) const FAMILY: u32 = 1 << 15;
}

/// The statistics' greatest value; the next one means that it is not known.
const MOST: u32 = u32::MAX - 1;

impl Wds {
    /// Get Current Settings.
    pub(super) fn settings(&self, request: &Request<'_>) -> Reply {
        let mask = request
            .tlvs
            .fixed(0x10)?
            .map_or(u32::MAX, u32::from_le_bytes);
        let call = self.call_of(request.client).ok_or(QmiError::OutOfCall)?;
        let mut reply = match call.family {
            Family::V4 => v4(&call.settings.v4, mask),
            Family::V6 => v6(&call.settings.v6, mask),
        };
        if mask & wanted::PDP_TYPE != 0 {
            reply = reply.byte(0x11, pdp_type(call));
        }
        if mask & wanted::APN != 0 {
            reply = reply.text(0x14, &call.apn);
        }
        if mask & wanted::MTU != 0 {
            reply = reply.word(0x29, call.settings.mtu);
        }
        if mask & wanted::FAMILY != 0 {
            reply = reply.byte(0x2b, family_number(call.family));
        }
        Ok(reply)
    }

    /// Get Packet Statistics. Without a call it tells of the one before.
    pub(super) fn statistics(&self, request: &Request<'_>, network: &dyn Network) -> Reply {
        let mask = u32::from_le_bytes(request.tlvs.required(0x01)?);
        if let Some(call) = self.call_of(request.client) {
            return Ok(statistics(call.moved(network), mask));
        }
        let client = self.client(request.client);
        let last = self.calls.last(client.channel(), client.family());
        Err(Failure {
            error: QmiError::OutOfCall,
            tlvs: last.map_or_else(Writer::new, |last| {
                Writer::new()
                    .long(0x1b, last.tx.bytes)
                    .long(0x1c, last.rx.bytes)
            }),
        })
    }
}

fn pdp_type(call: &Call) -> u8 {
    match call.family {
        Family::V4 => 0,
        Family::V6 => 2,
    }
}

/// The address as a number, which then goes little-endian as all others.
fn number(address: Ipv4Addr) -> u32 {
    address.to_bits()
}

fn v4(settings: &V4, mask: u32) -> Writer {
    let mut reply = Writer::new();
    if mask & wanted::DNS != 0 {
        let [first, second] = settings.dns;
        reply = reply.word(0x15, number(first)).word(0x16, number(second));
    }
    if mask & wanted::ADDRESS != 0 {
        reply = reply.word(0x1e, number(settings.address));
    }
    if mask & wanted::GATEWAY != 0 {
        let host_bits = 32_u32.saturating_sub(settings.prefix.into());
        let netmask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
        reply = reply
            .word(0x20, number(settings.gateway))
            .word(0x21, netmask);
    }
    reply
}

fn v6(settings: &V6, mask: u32) -> Writer {
    let with_prefix = |address: std::net::Ipv6Addr| {
        let mut value = address.octets().to_vec();
        value.push(settings.prefix);
        value
    };
    let mut reply = Writer::new();
    if mask & wanted::DNS != 0 {
        let [first, second] = settings.dns;
        reply = reply.put(0x27, &first.octets()).put(0x28, &second.octets());
    }
    if mask & wanted::ADDRESS != 0 {
        reply = reply.put(0x25, &with_prefix(settings.address));
    }
    if mask & wanted::GATEWAY != 0 {
        reply = reply.put(0x26, &with_prefix(settings.gateway));
    }
    reply
}

/// What the mask asks for, of what is known. Overflows are counted with the
/// drops.
fn statistics(moved: LinkCounters, mask: u32) -> Writer {
    let short = |value: u64| u32::try_from(value).unwrap_or(MOST).min(MOST);
    let (tx, rx) = (moved.tx, moved.rx);
    let words = [
        (0, 0x10, tx.packets),
        (1, 0x11, rx.packets),
        (2, 0x12, tx.errors),
        (3, 0x13, rx.errors),
        (8, 0x1d, tx.dropped),
        (9, 0x1e, rx.dropped),
    ];
    let longs = [(6, 0x19, tx.bytes), (7, 0x1a, rx.bytes)];
    let asked = |bit: u32| mask & (1 << bit) != 0;
    let reply = words
        .into_iter()
        .filter(|&(bit, ..)| asked(bit))
        .fold(Writer::new(), |reply, (_, kind, value)| {
            reply.word(kind, short(value))
        });
    longs
        .into_iter()
        .filter(|&(bit, ..)| asked(bit))
        .fold(reply, |reply, (_, kind, value)| reply.long(kind, value))
}
