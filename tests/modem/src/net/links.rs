// SPDX-License-Identifier: GPL-2.0
//! What goes over each channel, counted for the statistics of calls, and the
//! channels as the QMI side sees them.

use bam_dmux_qmi::{
    Family,
    LinkCounters,
    Network,
    Settings, //
};

use super::plan;
use crate::dmux::channels::{
    Set,
    COUNT, //
};
use crate::dmux::frame::{
    Header,
    DATA,
    HEADER,
    MAGIC, //
};

/// Counters of all channels, since the start of the process.
#[derive(Debug, Default)]
pub struct Links {
    /// For IPv4 and for IPv6, as the calls of a channel are counted apart.
    counters: [[LinkCounters; 2]; COUNT as usize],
}

/// The family that a packet says it is of.
fn family_of(packet: &[u8]) -> Option<Family> {
    match packet.first()? >> 4 {
        4 => Some(Family::V4),
        6 => Some(Family::V6),
        _ => None,
    }
}

impl Links {
    /// A channel's counters; zeros if there is no such channel.
    #[must_use]
    pub fn counters(&self, channel: u8, family: Family) -> LinkCounters {
        let counters = self.counters.get(usize::from(channel)).copied();
        counters.unwrap_or_default()[usize::from(family == Family::V6)]
    }

    /// The counters for a packet, if it is one of an existing channel.
    fn of(&mut self, channel: u8, packet: &[u8]) -> Option<&mut LinkCounters> {
        let [v4, v6] = self.counters.get_mut(usize::from(channel))?;
        family_of(packet).map(|family| match family {
            Family::V4 => v4,
            Family::V6 => v6,
        })
    }

    /// A packet of Linux was passed on, or dropped.
    pub fn uplink(&mut self, channel: u8, packet: &[u8], passed: bool) {
        if let Some(counters) = self.of(channel, packet) {
            if passed {
                counters.tx.packets += 1;
                counters.tx.bytes += packet.len() as u64;
            } else {
                counters.tx.dropped += 1;
            }
        }
    }

    /// A packet to Linux was dropped.
    pub fn downlink_dropped(&mut self, channel: u8, packet: &[u8]) {
        if let Some(counters) = self.of(channel, packet) {
            counters.rx.dropped += 1;
        }
    }

    /// A transfer was given to Linux, with an error if it was cut or lost.
    /// Only those with a packet count.
    pub fn downlink(&mut self, transfer: &[u8], intact: bool) {
        let header = Header::parse(transfer).filter(|h| h.magic == MAGIC && h.cmd == DATA);
        let Some(header) = header else { return };
        let packet = transfer.get(HEADER..).unwrap_or_default();
        if let Some(counters) = self.of(header.channel, packet) {
            if intact {
                counters.rx.packets += 1;
                counters.rx.bytes += u64::from(header.len);
            } else {
                counters.rx.errors += 1;
            }
        }
    }
}

/// The channels as the QMI side sees them.
#[derive(Debug)]
pub struct View<'a> {
    /// Their counters.
    pub links: &'a Links,
    /// Those that exist.
    pub channels: Set,
    /// Longest packet of a call, in bytes.
    pub mtu: u32,
}

impl Network for View<'_> {
    fn has_channel(&self, channel: u8) -> bool {
        self.channels.contains(channel)
    }

    fn settings(&self, channel: u8, serial: u32) -> Settings {
        plan::settings(channel, serial, self.mtu)
    }

    fn counters(&self, channel: u8, family: Family) -> LinkCounters {
        self.links.counters(channel, family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dmux::frame::{
        transfer,
        OPEN, //
    };

    /// Packets and their bytes are counted per channel, family and direction.
    #[test]
    fn counts() {
        let mut links = Links::default();
        links.uplink(1, &[0x45; 100], true);
        links.uplink(1, &[0x45; 50], true);
        links.uplink(1, &[0x45; 70], false);
        links.uplink(1, &[0x60; 48], true);
        links.downlink(&transfer(DATA, 1, &[0x45; 33]), true);
        links.downlink(&transfer(DATA, 1, &[0x45; 33]), false);
        links.downlink(&transfer(DATA, 1, &[0x60; 44]), true);
        links.downlink_dropped(1, &[0x45; 20]);
        let LinkCounters { tx, rx } = links.counters(1, Family::V4);
        assert_eq!(
            (tx.packets, tx.bytes, tx.dropped, tx.errors),
            (2, 150, 1, 0)
        );
        assert_eq!((rx.packets, rx.bytes, rx.dropped, rx.errors), (1, 33, 1, 1));
        let LinkCounters { tx, rx } = links.counters(1, Family::V6);
        assert_eq!((tx.packets, tx.bytes, tx.dropped), (1, 48, 0));
        assert_eq!((rx.packets, rx.bytes, rx.dropped), (1, 44, 0));
        assert_eq!(links.counters(0, Family::V4), LinkCounters::default());
    }

    /// What is no packet of an existing channel is not counted.
    #[test]
    fn no_packets() {
        let mut links = Links::default();
        links.downlink(&transfer(OPEN, 1, b""), true);
        links.downlink(&transfer(DATA, 8, b"\x45"), true);
        links.downlink(&transfer(DATA, 1, b""), true);
        links.downlink(&[0xff; 30], true);
        links.downlink(b"", false);
        links.uplink(9, b"\x45", true);
        links.uplink(1, b"\x15", true);
        links.downlink_dropped(255, b"\x60");
        for channel in 0..COUNT {
            for family in [Family::V4, Family::V6] {
                assert_eq!(links.counters(channel, family), LinkCounters::default());
            }
        }
    }
}
