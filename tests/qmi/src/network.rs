// SPDX-License-Identifier: GPL-2.0
//! What the QMI side needs to know about the data channels, and what it tells
//! whoever owns them.

use std::net::{
    Ipv4Addr,
    Ipv6Addr, //
};

use serde::Serialize;

/// The data channels, as the rest of the modem has them.
pub trait Network {
    /// Whether there is a data channel of this number.
    fn has_channel(&self, channel: u8) -> bool;
    /// The addresses of a call. `serial` counts the calls of the modem; the
    /// IPv4 and the IPv6 call of a channel share one while either is up.
    fn settings(&self, channel: u8, serial: u32) -> Settings;
    /// What packets of a family have gone over the channel since whenever it
    /// began to count. `ModemManager` adds up what the IPv4 and the IPv6 call
    /// of a bearer have moved, so nothing may be in both.
    fn counters(&self, channel: u8, family: Family) -> LinkCounters;
}

/// Addresses of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// For IPv4.
    pub v4: V4,
    /// For IPv6.
    pub v6: V6,
    /// Longest packet, in bytes.
    pub mtu: u32,
}

/// IPv4 addresses of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct V4 {
    /// Linux' address.
    pub address: Ipv4Addr,
    /// The router.
    pub gateway: Ipv4Addr,
    /// Length of the network's prefix, up to 32.
    pub prefix: u8,
    /// Name servers.
    pub dns: [Ipv4Addr; 2],
}

/// IPv6 addresses of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct V6 {
    /// Linux' address.
    pub address: Ipv6Addr,
    /// The router.
    pub gateway: Ipv6Addr,
    /// Length of the network's prefix, up to 128.
    pub prefix: u8,
    /// Name servers.
    pub dns: [Ipv6Addr; 2],
}

/// What has gone over a channel for one family. Cumulative, may wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LinkCounters {
    /// From Linux.
    pub tx: Direction,
    /// To Linux.
    pub rx: Direction,
}

/// One direction of [`LinkCounters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Direction {
    /// Packets that went through.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets dropped for want of a place or of a call.
    pub dropped: u64,
    /// Packets that made no sense.
    pub errors: u64,
}

/// The IP family of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Family {
    /// IPv4.
    #[serde(rename = "4")]
    V4,
    /// IPv6.
    #[serde(rename = "6")]
    V6,
}

/// What the data channels carry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// An IP packet a frame.
    #[default]
    RawIp,
    /// QMAP: packets with a header each, several of them a frame.
    Qmap,
}

/// What became of a call or of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Packets of this family may flow, from and to the address of `settings`.
    CallUp {
        /// Data channel.
        channel: u8,
        /// IP family.
        family: Family,
        /// Serial of the call.
        serial: u32,
        /// The call's addresses, of both families.
        settings: Settings,
    },
    /// Packets of this family may no longer flow.
    CallDown {
        /// Data channel.
        channel: u8,
        /// IP family.
        family: Family,
    },
    /// From now on all data channels carry this.
    Format(Format),
}

/// Why a call ended or never began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CallEnd {
    /// Call end reason, TLV 0x10.
    pub reason: u16,
    /// Type of the verbose call end reason, TLV 0x11; 6 is 3GPP.
    pub verbose_type: u16,
    /// Verbose call end reason; its meaning depends on the type.
    pub verbose_reason: i16,
}

/// The next calls are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// How many calls.
    pub count: u32,
    /// With this reason.
    pub end: CallEnd,
}
