// SPDX-License-Identifier: GPL-2.0

//! Headers as bytes and what they mean: the same table for the tests on the host and in the kernel.
//!
//! The bytes are written out by hand from protocol document 1.1, not by the code under test.

use super::frame::{
    Channel,
    Command,
    Header,
    HeaderError,
    HEADER_LEN, //
};

/// The bytes of one header and what has to be made of them.
pub(super) struct Vector {
    /// What goes over the wire.
    pub(super) bytes: [u8; HEADER_LEN],
    /// The fields (signal, command, pad, channel, length), or what is wrong.
    pub(super) meaning: Result<(u8, Command, u8, u8, u16), HeaderError>,
}

impl Vector {
    const fn good(
        bytes: [u8; HEADER_LEN],
        signal: u8,
        command: Command,
        pad: u8,
        channel: u8,
        len: u16,
    ) -> Self {
        Self {
            bytes,
            meaning: Ok((signal, command, pad, channel, len)),
        }
    }

    const fn bad(bytes: [u8; HEADER_LEN], error: HeaderError) -> Self {
        Self {
            bytes,
            meaning: Err(error),
        }
    }

    /// The expected header, or the expected error.
    pub(super) fn expected(&self) -> Result<Header, HeaderError> {
        let (signal, command, pad, channel, len) = self.meaning?;
        Ok(Header {
            signal,
            command,
            pad,
            channel: Channel::new(channel).ok_or(HeaderError::ChannelOutOfRange(channel))?,
            len,
        })
    }
}

/// All vectors: first what makes sense, then each way not to.
pub(super) const VECTORS: &[Vector] = &[
    // Data: the shortest, an ICMP echo, the longest that needs padding, the longest.
    Vector::good([0xfc, 0x33, 0, 0, 3, 0, 1, 0], 0, Command::Data, 3, 0, 1),
    Vector::good([0xfc, 0x33, 0, 0, 0, 0, 84, 0], 0, Command::Data, 0, 0, 84),
    Vector::good(
        [0xfc, 0x33, 0, 0, 3, 5, 0xf5, 7],
        0,
        Command::Data,
        3,
        5,
        2037,
    ),
    Vector::good(
        [0xfc, 0x33, 0, 0, 0, 7, 0xf8, 7],
        0,
        Command::Data,
        0,
        7,
        2040,
    ),
    // Padding that makes no sense does no harm: only the payload counts.
    Vector::good(
        [0xfc, 0x33, 0, 0, 255, 1, 0xf8, 7],
        0,
        Command::Data,
        255,
        1,
        2040,
    ),
    // Large buffers announced with data: a bit that is carried, and ignored.
    Vector::good([0xfc, 0x33, 2, 0, 0, 0, 4, 0], 2, Command::Data, 0, 0, 4),
    // Commands, plain and with signal bits, and with a length, which means nothing in them.
    Vector::good([0xfc, 0x33, 0, 1, 0, 0, 0, 0], 0, Command::Open, 0, 0, 0),
    Vector::good(
        [0xfc, 0x33, 0xc3, 1, 0, 7, 0, 0],
        0xc3,
        Command::Open,
        0,
        7,
        0,
    ),
    Vector::good([0xfc, 0x33, 0, 2, 0, 3, 0, 0], 0, Command::Close, 0, 3, 0),
    Vector::good(
        [0xfc, 0x33, 0, 1, 0, 0, 0xff, 0xff],
        0,
        Command::Open,
        0,
        0,
        0xffff,
    ),
    // The magic: a cleared buffer, the bytes swapped, off by one bit.
    Vector::bad([0; HEADER_LEN], HeaderError::BadMagic(0)),
    Vector::bad(
        [0x33, 0xfc, 0, 0, 0, 0, 4, 0],
        HeaderError::BadMagic(0xfc33),
    ),
    Vector::bad(
        [0xfc, 0x32, 0, 0, 0, 0, 4, 0],
        HeaderError::BadMagic(0x32fc),
    ),
    // Commands: the two that exist but are not supported, and nonsense.
    Vector::bad(
        [0xfc, 0x33, 0, 3, 0, 0, 0, 0],
        HeaderError::UnknownCommand(3),
    ),
    Vector::bad(
        [0xfc, 0x33, 0, 4, 0, 0, 0, 0],
        HeaderError::UnknownCommand(4),
    ),
    Vector::bad(
        [0xfc, 0x33, 0, 255, 0, 0, 4, 0],
        HeaderError::UnknownCommand(255),
    ),
    // Channels: the first that Linux does not have, and the last that a byte can name.
    Vector::bad(
        [0xfc, 0x33, 0, 0, 0, 8, 4, 0],
        HeaderError::ChannelOutOfRange(8),
    ),
    Vector::bad(
        [0xfc, 0x33, 0, 1, 0, 255, 0, 0],
        HeaderError::ChannelOutOfRange(255),
    ),
    // Lengths: nothing, one too many, and "as long as the transfer".
    Vector::bad([0xfc, 0x33, 0, 0, 0, 0, 0, 0], HeaderError::Empty),
    Vector::bad(
        [0xfc, 0x33, 0, 0, 0, 0, 0xf9, 7],
        HeaderError::TooLong(2041),
    ),
    Vector::bad(
        [0xfc, 0x33, 0, 0, 0, 0, 0xff, 0xff],
        HeaderError::TooLong(0xffff),
    ),
    // Everything wrong at once: the magic is looked at first.
    Vector::bad([0xff; HEADER_LEN], HeaderError::BadMagic(0xffff)),
];
