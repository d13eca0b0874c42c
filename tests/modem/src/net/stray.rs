// SPDX-License-Identifier: GPL-2.0
//! Packets that a network sends unasked: the answer to an echo request that nobody waits for any
//! more. Linux counts it as received and answers nothing.

use std::net::IpAddr;

use super::plan;

/// Identifier of the echo: no program of Linux listens for it.
const IDENTIFIER: u16 = 0xfffe;
const LENGTH: u16 = 64;
const TTL: u8 = 60;

/// An echo reply from the far end of a channel to an address of Linux.
#[must_use]
pub fn late_answer(channel: u8, to: IpAddr, serial: u16) -> Vec<u8> {
    match to {
        IpAddr::V4(to) => {
            let echo = echo(0, 0, serial);
            let from = plan::far_v4(channel);
            let mut packet = vec![0x45, 0];
            packet.extend(LENGTH.to_be_bytes());
            packet.extend([0, 0, 0, 0, TTL, 1, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let sum = checksum(0, &packet);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend(echo);
            packet
        }
        IpAddr::V6(to) => {
            let from = plan::far_v6(channel);
            let payload = LENGTH - 20;
            let mut ends = from.octets().to_vec();
            ends.extend(to.octets());
            // The pseudo-header: both ends, length and protocol.
            let pseudo = sum(u32::from(payload) + 58, &ends);
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(payload.to_be_bytes());
            packet.extend([58, TTL]);
            packet.extend(ends);
            packet.extend(echo(129, pseudo, serial));
            packet
        }
    }
}

/// The ICMP message, with its checksum.
fn echo(kind: u8, pseudo: u32, serial: u16) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(IDENTIFIER.to_be_bytes());
    message.extend(serial.to_be_bytes());
    message.resize(usize::from(LENGTH - 20), 0);
    let sum = checksum(pseudo, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// Adds up 16-bit words, of an even number of bytes.
fn sum(start: u32, bytes: &[u8]) -> u32 {
    bytes.chunks_exact(2).fold(start, |sum, pair| {
        sum + u32::from(u16::from_be_bytes([pair[0], pair[1]]))
    })
}

fn checksum(start: u32, bytes: &[u8]) -> u16 {
    let mut sum = sum(start, bytes);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sum over a message with its checksum is all ones.
    fn holds(start: u32, bytes: &[u8]) -> bool {
        checksum(start, bytes) == 0
    }

    /// Both families have right lengths and checksums, and belong to their channel.
    #[test]
    fn packets_are_right() {
        let v4 = late_answer(3, plan::linux_v4(3).into(), 7);
        assert_eq!(plan::channel_of(&v4), Some(3));
        assert_eq!(v4.len(), 64);
        assert!(holds(0, &v4[..20]) && holds(0, &v4[20..]));
        let v6 = late_answer(1, "fd64:1::1001".parse().unwrap(), 7);
        assert_eq!(plan::channel_of(&v6), Some(1));
        assert_eq!(v6.len(), 84);
        assert!(holds(sum(44 + 58, &v6[8..40]), &v6[40..]));
    }
}
