// SPDX-License-Identifier: GPL-2.0
//! The address plan: channel `n` is `10.64.n.0/24` and `fd64:n::/64`, the far
//! end is host 1 there. Linux is host 2 if it is configured by hand, and a
//! different one for each call of the modem.

use std::net::{
    Ipv4Addr,
    Ipv6Addr, //
};

use bam_dmux_qmi::{
    Settings,
    V4,
    V6, //
};

use crate::dmux::channels::COUNT;

/// First of the hosts that calls get over IPv4.
const FIRST_V4: u8 = 16;
/// How many there are before they come again.
const HOSTS_V4: u32 = 200;
/// The host before the first one that calls get over IPv6.
const BASE_V6: u32 = 0x1000;

/// The far end's IPv4 address on a channel, prefix length 24.
#[must_use]
pub fn far_v4(channel: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 64, channel, 1)
}

/// Linux' IPv4 address on a channel, if it is configured by hand.
#[must_use]
pub fn linux_v4(channel: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 64, channel, 2)
}

/// The far end's IPv6 address on a channel, prefix length 64.
#[must_use]
pub fn far_v6(channel: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd64, channel.into(), 0, 0, 0, 0, 0, 1)
}

/// What the network tells Linux in the modem's call number `serial`, counted
/// from 1 on: each gets another address. The far end is router and name
/// server.
#[must_use]
pub fn settings(channel: u8, serial: u32, mtu: u32) -> Settings {
    // Below 200.
    let host = u8::try_from(serial % HOSTS_V4).unwrap_or(0) + FIRST_V4;
    let [high, low] = words(BASE_V6.wrapping_add(serial));
    Settings {
        v4: V4 {
            address: Ipv4Addr::new(10, 64, channel, host),
            gateway: far_v4(channel),
            prefix: 24,
            dns: [far_v4(channel); 2],
        },
        v6: V6 {
            address: Ipv6Addr::new(0xfd64, channel.into(), 0, 0, 0, 0, high, low),
            gateway: far_v6(channel),
            prefix: 64,
            dns: [far_v6(channel); 2],
        },
        mtu,
    }
}

/// The halves of a word, the high one first.
fn words(value: u32) -> [u16; 2] {
    let [a, b, c, d] = value.to_be_bytes();
    [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]
}

/// The channel that a packet to Linux belongs to, by its destination.
#[must_use]
pub fn channel_of(packet: &[u8]) -> Option<u8> {
    let channel = match packet.first()? >> 4 {
        4 => match packet.get(16..20)? {
            &[10, 64, channel, _] => u16::from(channel),
            _ => return None,
        },
        6 => match packet.get(24..28)? {
            &[0xfd, 0x64, high, low] => u16::from_be_bytes([high, low]),
            _ => return None,
        },
        _ => return None,
    };
    u8::try_from(channel).ok().filter(|&c| c < COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v4(to: [u8; 4]) -> Vec<u8> {
        let mut packet = vec![0x45; 20];
        packet[16..20].copy_from_slice(&to);
        packet
    }

    fn v6(to: Ipv6Addr) -> Vec<u8> {
        let mut packet = vec![0x60; 40];
        packet[24..40].copy_from_slice(&to.octets());
        packet
    }

    /// Each channel's addresses lead to it, all others nowhere.
    #[test]
    fn destinations() {
        for channel in 0..COUNT {
            assert_eq!(channel_of(&v4([10, 64, channel, 2])), Some(channel));
            assert_eq!(channel_of(&v6(far_v6(channel))), Some(channel));
        }
        assert_eq!(channel_of(&v4([10, 64, 8, 2])), None);
        assert_eq!(channel_of(&v4([10, 65, 0, 2])), None);
        assert_eq!(channel_of(&v6("fd64:100::2".parse().unwrap())), None);
        assert_eq!(channel_of(&v6("ff02::1".parse().unwrap())), None);
        assert_eq!(far_v4(3).to_string(), "10.64.3.1");
        assert_eq!(far_v6(0).to_string(), "fd64::1");
        assert_eq!(far_v6(7).to_string(), "fd64:7::1");
    }

    /// Each call gets an address of its own that leads to its channel, never
    /// the far end's.
    #[test]
    fn addresses_of_calls() {
        let first = settings(3, 1, 1500);
        assert_eq!(first.v4.address.to_string(), "10.64.3.17");
        assert_eq!(first.v6.address.to_string(), "fd64:3::1001");
        assert_eq!((first.v4.gateway, first.v6.gateway), (far_v4(3), far_v6(3)));
        assert_eq!(
            (first.v4.prefix, first.v6.prefix, first.mtu),
            (24, 64, 1500)
        );
        for serial in [1, 183, 184, 199, 200, u32::MAX] {
            let call = settings(3, serial, 1500);
            assert_eq!(channel_of(&v4(call.v4.address.octets())), Some(3));
            assert_eq!(channel_of(&v6(call.v6.address)), Some(3));
            assert!((16..=215).contains(&call.v4.address.octets()[3]));
            let next = settings(3, serial.wrapping_add(1), 1500);
            assert_ne!(call.v4.address, next.v4.address);
            assert_ne!(call.v6.address, next.v6.address);
        }
    }

    proptest! {
        /// No packet panics.
        #[test]
        fn any_packet(packet in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = channel_of(&packet);
        }
    }
}
