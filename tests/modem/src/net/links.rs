// SPDX-License-Identifier: GPL-2.0
//! What goes over each channel, counted for the statistics of calls, and the
//! channels as the QMI side sees them.

use bam_dmux_qmi::{
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
    MAGIC, //
};

/// Counters of all channels, since the start of the process.
#[derive(Debug, Default)]
pub struct Links {
    counters: [LinkCounters; COUNT as usize],
}

impl Links {
    /// A channel's counters; zeros if there is no such channel.
    #[must_use]
    pub fn counters(&self, channel: u8) -> LinkCounters {
        let counters = self.counters.get(usize::from(channel)).copied();
        counters.unwrap_or_default()
    }

    /// A packet of Linux was passed on, or dropped.
    pub fn uplink(&mut self, channel: u8, len: usize, passed: bool) {
        if let Some(counters) = self.counters.get_mut(usize::from(channel)) {
            if passed {
                counters.tx.packets += 1;
                counters.tx.bytes += len as u64;
            } else {
                counters.tx.dropped += 1;
            }
        }
    }

    /// A packet to Linux was dropped.
    pub fn downlink_dropped(&mut self, channel: u8) {
        if let Some(counters) = self.counters.get_mut(usize::from(channel)) {
            counters.rx.dropped += 1;
        }
    }

    /// A transfer was given to Linux, with an error if it was cut or lost.
    /// Only those with a packet count.
    pub fn downlink(&mut self, transfer: &[u8], intact: bool) {
        let header = Header::parse(transfer).filter(|h| h.magic == MAGIC && h.cmd == DATA);
        let Some(header) = header else { return };
        if let Some(counters) = self.counters.get_mut(usize::from(header.channel)) {
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

    fn counters(&self, channel: u8) -> LinkCounters {
        self.links.counters(channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dmux::frame::{
        transfer,
        OPEN, //
    };

    /// Packets and their bytes are counted per channel and direction.
    #[test]
    fn counts() {
        let mut links = Links::default();
        links.uplink(1, 100, true);
        links.uplink(1, 50, true);
        links.uplink(1, 70, false);
        links.downlink(&transfer(DATA, 1, &[0x45; 33]), true);
        links.downlink(&transfer(DATA, 1, &[0x45; 33]), false);
        links.downlink_dropped(1);
        let LinkCounters { tx, rx } = links.counters(1);
        assert_eq!(
            (tx.packets, tx.bytes, tx.dropped, tx.errors),
            (2, 150, 1, 0)
        );
        assert_eq!((rx.packets, rx.bytes, rx.dropped, rx.errors), (1, 33, 1, 1));
        assert_eq!(links.counters(0), LinkCounters::default());
    }

    /// What is no packet of an existing channel is not counted.
    #[test]
    fn no_packets() {
        let mut links = Links::default();
        links.downlink(&transfer(OPEN, 1, b""), true);
        links.downlink(&transfer(DATA, 8, b"\x45"), true);
        links.downlink(&[0xff; 30], true);
        links.downlink(b"", false);
        links.uplink(9, 1, true);
        links.downlink_dropped(255);
        for channel in 0..=COUNT {
            assert_eq!(links.counters(channel), LinkCounters::default());
        }
    }
}
