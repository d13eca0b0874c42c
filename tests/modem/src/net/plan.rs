// SPDX-License-Identifier: GPL-2.0
//! The address plan: channel `n` is `10.64.n.0/24` and `fd64:n::/64`, Linux
//! is host 2 there and the far end host 1.

use std::net::{
    Ipv4Addr,
    Ipv6Addr, //
};

use crate::dmux::channels::COUNT;

/// The far end's IPv4 address on a channel, prefix length 24.
#[must_use]
pub fn far_v4(channel: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 64, channel, 1)
}

/// The far end's IPv6 address on a channel, prefix length 64.
#[must_use]
pub fn far_v6(channel: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd64, channel.into(), 0, 0, 0, 0, 0, 1)
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

    proptest! {
        /// No packet panics.
        #[test]
        fn any_packet(packet in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = channel_of(&packet);
        }
    }
}
