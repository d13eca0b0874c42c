// SPDX-License-Identifier: GPL-2.0
//! The frame header, written and read on the modem's side.
//!
//! This codec is the modem's own and shares nothing with the driver's: a
//! mistake in one would otherwise be the same mistake in both, and the driver's
//! cannot express wrong frames. The tests hold the two against each other.

use serde::{
    Deserialize,
    Serialize, //
};

/// Bytes of a header.
pub const HEADER: usize = 8;
/// First field of each header.
pub const MAGIC: u16 = 0x33fc;
/// Command: payload.
pub const DATA: u8 = 0;
/// Command: this side opens its half of the channel.
pub const OPEN: u8 = 1;
/// Command: this side closes its half of the channel.
pub const CLOSE: u8 = 2;

/// A header, field by field. In JSON, what is left out is as in an empty DATA
/// frame for channel 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: u16,
    /// Signal bits.
    pub signal: u8,
    /// [`DATA`], [`OPEN`] or [`CLOSE`].
    pub cmd: u8,
    /// Bytes after the payload.
    pub pad: u8,
    /// Channel.
    pub channel: u8,
    /// Bytes of payload.
    pub len: u16,
}

impl Default for Header {
    fn default() -> Self {
        Self::new(DATA, 0, 0)
    }
}

impl Header {
    /// The header of a well-formed frame.
    #[must_use]
    pub fn new(cmd: u8, channel: u8, len: u16) -> Self {
        Self {
            magic: MAGIC,
            signal: 0,
            cmd,
            pad: 0,
            channel,
            len,
        }
    }

    /// Reads the header at the start of a transfer.
    #[must_use]
    pub fn parse(transfer: &[u8]) -> Option<Self> {
        let &[m0, m1, signal, cmd, pad, channel, l0, l1] = transfer.first_chunk()?;
        Some(Self {
            magic: u16::from_le_bytes([m0, m1]),
            signal,
            cmd,
            pad,
            channel,
            len: u16::from_le_bytes([l0, l1]),
        })
    }

    /// The header's bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; HEADER] {
        let [m0, m1] = self.magic.to_le_bytes();
        let [l0, l1] = self.len.to_le_bytes();
        [
            m0,
            m1,
            self.signal,
            self.cmd,
            self.pad,
            self.channel,
            l0,
            l1,
        ]
    }
}

/// The pad that brings a payload of `len` bytes to a multiple of 4.
#[must_use]
pub fn padding(len: usize) -> usize {
    len.wrapping_neg() & 3
}

/// An OPEN, with what the modem says of itself in the signal byte.
#[must_use]
pub fn open(channel: u8, signal: u8) -> Vec<u8> {
    let header = Header {
        signal,
        ..Header::new(OPEN, channel, 0)
    };
    header.bytes().to_vec()
}

/// A whole transfer: header, payload (cut at 65535 bytes) and pad.
#[must_use]
pub fn transfer(cmd: u8, channel: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let payload = &payload[..usize::from(len)];
    let pad = padding(payload.len());
    let mut header = Header::new(cmd, channel, len);
    // At most 3.
    header.pad = u8::try_from(pad).unwrap_or(0);
    let mut bytes = Vec::with_capacity(HEADER + payload.len() + pad);
    bytes.extend_from_slice(&header.bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(HEADER + payload.len() + pad, 0);
    bytes
}

/// Length of a frame that is as long as its transfer: what QMAP makes of it.
pub const AS_TRANSFER: u16 = 0xffff;
/// The link that QMAP's packets belong to.
const MUX: u8 = 1;

/// A whole transfer with one packet in QMAP: header, QMAP's header (bytes of pad,
/// link, length with the pad, big-endian), packet and pad. A packet beyond 65532
/// bytes is cut.
#[must_use]
pub fn qmap(channel: u8, packet: &[u8]) -> Vec<u8> {
    let packet = &packet[..packet.len().min(usize::from(u16::MAX) - 3)];
    let pad = padding(packet.len());
    // The sum is at most 65535, the pad at most 3.
    let len = u16::try_from(packet.len() + pad).unwrap_or(u16::MAX);
    let [high, low] = len.to_be_bytes();
    let mut bytes = Header::new(DATA, channel, AS_TRANSFER).bytes().to_vec();
    bytes.extend_from_slice(&[u8::try_from(pad).unwrap_or(0), MUX, high, low]);
    bytes.extend_from_slice(packet);
    bytes.resize(bytes.len() + pad, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A packet in QMAP, byte by byte.
    #[test]
    fn qmap_bytes() {
        let bytes = qmap(3, &[0x45; 5]);
        let head = [0xfc, 0x33, 0, 0, 0, 3, 0xff, 0xff];
        assert_eq!(bytes[..8], head);
        assert_eq!(
            bytes[8..],
            [3, 1, 0, 8, 0x45, 0x45, 0x45, 0x45, 0x45, 0, 0, 0]
        );
        assert_eq!(qmap(0, &[0x60; 8])[8..12], [0, 1, 0, 8]);
    }

    /// A frame's bytes as the protocol document has them.
    #[test]
    fn bytes_on_the_wire() {
        assert_eq!(
            transfer(DATA, 3, b"hello"),
            b"\xfc\x33\x00\x00\x03\x03\x05\x00hello\0\0\0"
        );
        assert_eq!(transfer(OPEN, 0, b""), b"\xfc\x33\0\x01\0\0\0\0");
        assert_eq!(open(0, 0), transfer(OPEN, 0, b""));
        assert_eq!(open(4, 0xc3), b"\xfc\x33\xc3\x01\0\x04\0\0");
    }

    /// The driver's protocol core reads each right frame of the modem's, and
    /// the modem each header of the core's, with the same meaning.
    #[test]
    fn agrees_with_the_driver() {
        use bam_dmux_protocol::frame;

        for channel in frame::Channel::all() {
            for len in 1..=frame::MAX_PAYLOAD {
                let bytes = transfer(DATA, channel.number(), &vec![0; len]);
                assert_eq!(bytes.len(), HEADER + len + frame::padding(len));
                let theirs = frame::Header::data(channel, u16::try_from(len).unwrap());
                assert_eq!(
                    frame::Header::parse(bytes.first_chunk().unwrap()),
                    Ok(theirs)
                );
                assert_eq!(theirs.encode(), bytes[..HEADER]);
            }
            let pairs = [
                (OPEN, frame::Header::open(channel)),
                (CLOSE, frame::Header::close(channel)),
            ];
            for (cmd, theirs) in pairs {
                assert_eq!(
                    theirs.encode()[..],
                    transfer(cmd, channel.number(), b"")[..]
                );
            }
        }
    }

    proptest! {
        /// What is written is read back, and transfers are aligned.
        #[test]
        fn round_trip(cmd: u8, channel: u8, payload in prop::collection::vec(any::<u8>(), 0..3000)) {
            let bytes = transfer(cmd, channel, &payload);
            let header = Header::parse(&bytes).unwrap();
            prop_assert_eq!((header.cmd, header.channel), (cmd, channel));
            prop_assert_eq!(usize::from(header.len), payload.len());
            prop_assert!(header.pad < 4 && bytes.len().is_multiple_of(4));
            prop_assert_eq!(&bytes[8..8 + payload.len()], &payload[..]);
        }

        /// No bytes panic the parser.
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            prop_assert_eq!(Header::parse(&bytes).is_some(), bytes.len() >= 8);
        }
    }
}
