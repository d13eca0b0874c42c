// SPDX-License-Identifier: GPL-2.0
//! QMUX frames, and the messages in them.
//!
//! A frame is marker 1, its length without the marker (2 bytes), control
//! flags (0 from the host, 0x80 from the modem), service, client. In it is one
//! message: flags, transaction (1 byte for CTL, 2 bytes for all others),
//! message id (2 bytes), length of the TLVs (2 bytes), TLVs. Everything is
//! little-endian.

use super::tlv::{
    Tlvs,
    Writer, //
};

/// Longest frame that is taken, in bytes; libqmi's are shorter than 2 KiB.
const LONGEST: usize = 4096;

/// First byte of each frame.
pub(crate) const MARKER: u8 = 1;
/// Control flags of the modem's frames.
pub(crate) const FROM_MODEM: u8 = 0x80;
const CTL: u8 = 0;

/// A message from the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Service that it is for; perhaps there is none of that number.
    pub(crate) service: u8,
    /// Client that it comes from; perhaps there is none of that number.
    pub(crate) client: u8,
    /// To be repeated in the response.
    pub(crate) transaction: u16,
    /// What is asked.
    pub(crate) message: u16,
    /// Its TLVs; `None` if they make no sense.
    pub(crate) tlvs: Option<Tlvs<'a>>,
}

/// Why bytes are no message from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("longer than {LONGEST} bytes")]
    TooLong,
    #[error("shorter than its headers")]
    TooShort,
    #[error("marker {0:#04x} instead of 0x01")]
    Marker(u8),
    #[error("its length says {0}")]
    Length(u16),
    #[error("control flags {0:#04x} are not a host's")]
    ControlFlags(u8),
    #[error("client {0} of CTL")]
    CtlClient(u8),
    #[error("message flags {0:#04x} are not a request's")]
    MessageFlags(u8),
    #[error("the length of its TLVs says {0}")]
    TlvLength(u16),
}

impl<'a> Request<'a> {
    /// Reads a frame.
    pub(crate) fn parse(frame: &'a [u8]) -> Result<Self, Malformed> {
        if frame.len() > LONGEST {
            return Err(Malformed::TooLong);
        }
        let (&[marker, low, high, control, service, client], message) =
            frame.split_first_chunk().ok_or(Malformed::TooShort)?;
        if marker != MARKER {
            return Err(Malformed::Marker(marker));
        }
        let length = u16::from_le_bytes([low, high]);
        if usize::from(length) + 1 != frame.len() {
            return Err(Malformed::Length(length));
        }
        if control != 0 {
            return Err(Malformed::ControlFlags(control));
        }
        if service == CTL && client != 0 {
            return Err(Malformed::CtlClient(client));
        }
        Self::parse_message(service, client, message)
    }

    fn parse_message(service: u8, client: u8, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (flags, transaction, rest) = if service == CTL {
            let (&[flags, transaction], rest) =
                bytes.split_first_chunk().ok_or(Malformed::TooShort)?;
            (flags, u16::from(transaction), rest)
        } else {
            let (&[flags, low, high], rest) =
                bytes.split_first_chunk().ok_or(Malformed::TooShort)?;
            (flags, u16::from_le_bytes([low, high]), rest)
        };
        if flags != 0 {
            return Err(Malformed::MessageFlags(flags));
        }
        let (&[id_low, id_high, low, high], tlvs) =
            rest.split_first_chunk().ok_or(Malformed::TooShort)?;
        let length = u16::from_le_bytes([low, high]);
        if usize::from(length) != tlvs.len() {
            return Err(Malformed::TlvLength(length));
        }
        Ok(Self {
            service,
            client,
            transaction,
            message: u16::from_le_bytes([id_low, id_high]),
            tlvs: Tlvs::parse(tlvs),
        })
    }

    /// The frame that answers it.
    pub(crate) fn answer(&self, tlvs: &Writer) -> Vec<u8> {
        let flags = if self.service == CTL { 1 } else { 2 };
        encode(
            [self.service, self.client],
            flags,
            self.transaction,
            self.message,
            tlvs,
        )
    }
}

/// The frame of an indication; client 0xff is all of them.
pub(crate) fn indication(service: u8, client: u8, message: u16, tlvs: &Writer) -> Vec<u8> {
    let flags = if service == CTL { 2 } else { 4 };
    encode([service, client], flags, 0, message, tlvs)
}

fn encode(to: [u8; 2], flags: u8, transaction: u16, message: u16, tlvs: &Writer) -> Vec<u8> {
    let [low, high] = transaction.to_le_bytes();
    let mut sdu = vec![flags, low];
    if to[0] != CTL {
        sdu.push(high);
    }
    sdu.extend(message.to_le_bytes());
    // Replies are made of a few dozen bytes and texts of up to 255.
    let length = u16::try_from(tlvs.bytes().len()).unwrap_or(u16::MAX);
    sdu.extend(length.to_le_bytes());
    sdu.extend(tlvs.bytes());
    let length = u16::try_from(sdu.len() + 5).unwrap_or(u16::MAX);
    let mut frame = vec![MARKER];
    frame.extend(length.to_le_bytes());
    frame.push(FROM_MODEM);
    frame.extend(to);
    frame.extend(sdu);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CTL_SYNC: [u8; 12] = [1, 11, 0, 0, 0, 0, 0, 9, 0x27, 0, 0, 0];
    const DMS_IDS: [u8; 13] = [1, 12, 0, 0, 2, 3, 0, 0x34, 0x12, 0x25, 0, 0, 0];

    /// A request to CTL has a transaction of one byte, and so has its answer.
    #[test]
    fn ctl() {
        let request = Request::parse(&CTL_SYNC).unwrap();
        assert_eq!((request.service, request.client), (0, 0));
        assert_eq!((request.transaction, request.message), (9, 0x27));
        assert_eq!(
            request.answer(&Writer::new()),
            [1, 11, 0, 0x80, 0, 0, 1, 9, 0x27, 0, 0, 0]
        );
    }

    /// All other services have two.
    #[test]
    fn service() {
        let request = Request::parse(&DMS_IDS).unwrap();
        assert_eq!((request.service, request.client), (2, 3));
        assert_eq!((request.transaction, request.message), (0x1234, 0x25));
        assert_eq!(
            request.answer(&Writer::new().byte(1, 5)),
            [1, 16, 0, 0x80, 2, 3, 2, 0x34, 0x12, 0x25, 0, 4, 0, 1, 1, 0, 5]
        );
    }

    /// Indications have transaction 0.
    #[test]
    fn indications() {
        assert_eq!(
            indication(0, 0xff, 0x27, &Writer::new()),
            [1, 11, 0, 0x80, 0, 0xff, 2, 0, 0x27, 0, 0, 0]
        );
        assert_eq!(
            indication(1, 2, 0x22, &Writer::new()),
            [1, 12, 0, 0x80, 1, 2, 4, 0, 0, 0x22, 0, 0, 0]
        );
    }

    /// Each way to be malformed has its own words.
    #[test]
    fn malformed() {
        let change = |at: usize, value: u8| {
            let mut frame = DMS_IDS;
            frame[at] = value;
            Request::parse(&frame).err()
        };
        assert_eq!(change(0, 2), Some(Malformed::Marker(2)));
        assert_eq!(change(1, 13), Some(Malformed::Length(13)));
        assert_eq!(change(3, 0x80), Some(Malformed::ControlFlags(0x80)));
        assert_eq!(change(6, 2), Some(Malformed::MessageFlags(2)));
        assert_eq!(change(11, 1), Some(Malformed::TlvLength(1)));
        assert_eq!(Request::parse(&[]).err(), Some(Malformed::TooShort));
        let long = vec![1; LONGEST + 1];
        assert_eq!(Request::parse(&long).err(), Some(Malformed::TooLong));
        let mut ctl = CTL_SYNC;
        ctl[5] = 1;
        assert_eq!(Request::parse(&ctl).err(), Some(Malformed::CtlClient(1)));
    }

    proptest! {
        /// No bytes panic.
        #[test]
        fn any_bytes(frame in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Request::parse(&frame);
        }

        /// A frame with one bit changed is read, or refused; never a panic.
        #[test]
        fn any_bit(at in 0_usize..13, bit in 0_u8..8) {
            let mut frame = DMS_IDS;
            frame[at] ^= 1 << bit;
            let _ = Request::parse(&frame);
        }
    }
}
