// SPDX-License-Identifier: GPL-2.0

//! Frames: the eight bytes in front of every payload, and how much may follow them.
//!
//! ```text
//! byte   0     1     2       3        4    5        6     7
//!      | magic     | signal| command | pad | channel | length    | payload ... | pad 0-3 |
//!      | fc    33  |       |         |     |         | lo    hi  |
//! ```
//!
//! One frame per DMA transfer. `length` is the payload alone, neither header nor padding. What the
//! modem sends is not trusted: [`Header::parse`] is the only way from bytes to a [`Header`], and
//! what it returns is within bounds.
//!
//! Source: protocol document 1.1, 1.2 and 1.4, `drivers/net/wwan/qcom_bam_dmux.c`.
//!
//! Limitations:
//! - A length of 0xffff ("as long as the transfer", used with QMAP aggregation) is refused: the
//!   DMA engine does not say how long a transfer was.

use core::fmt;

/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 8;

/// First two bytes of each frame, as a little endian number.
pub const MAGIC: u16 = 0x33fc;

/// Size of a buffer on either side, in bytes: no transfer is longer.
pub const BUFFER_LEN: usize = 2048;

/// Most payload that a frame can carry, in bytes.
pub const MAX_PAYLOAD: usize = BUFFER_LEN - HEADER_LEN;

/// Number of channels: the modem's data channels RMNET 0 to 7.
pub const CHANNELS: usize = 8;

/// [`MAX_PAYLOAD`] as the header's length field has it.
// CAST: 2040 fits.
#[allow(clippy::cast_possible_truncation)]
const MAX_LEN: u16 = MAX_PAYLOAD as u16;

/// A logical channel.
///
/// # Invariants
///
/// The number is below [`CHANNELS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel(u8);

impl Channel {
    /// The channel with this number, if there is one.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < CHANNELS {
            // INVARIANT: Just checked.
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number, for tables with [`CHANNELS`] entries.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The number as it stands in a header.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// All channels, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map_while(Self::new)
    }
}

/// What a frame is for. All three go both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Carries a payload.
    Data,
    /// The sender opens its half of the channel.
    Open,
    /// The sender closes its half of the channel.
    Close,
}

impl Command {
    /// Command 3: defined by the protocol, never seen on the wire.
    pub const RAW_STATUS: u8 = 3;
    /// Command 4: OPEN by a modem that does not use the power handshake.
    pub const RAW_OPEN_NO_A2_PC: u8 = 4;

    const fn from_raw(raw: u8) -> Option<Self> {
        match raw {
            0 => Some(Self::Data),
            1 => Some(Self::Open),
            2 => Some(Self::Close),
            _ => None,
        }
    }

    const fn raw(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Open => 1,
            Self::Close => 2,
        }
    }
}

/// A header that makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bits about buffer sizes, see [`mtu`](super::mtu). 0 in everything that Linux sends.
    pub signal: u8,
    /// What the frame is for.
    pub command: Command,
    /// Bytes of padding behind the payload, as the sender says. Of no use to the receiver.
    pub pad: u8,
    /// The channel it belongs to.
    pub channel: Channel,
    /// Bytes of payload. In a DATA frame from [`Header::parse`] 1 to [`MAX_PAYLOAD`]; without
    /// meaning in others.
    pub len: u16,
}

impl Header {
    /// The header of a DATA frame with `len` bytes of payload, at most [`MAX_PAYLOAD`].
    ///
    /// The frame has to be followed by [`padding`] zero bytes.
    #[must_use]
    pub const fn data(channel: Channel, len: u16) -> Self {
        Self {
            signal: 0,
            command: Command::Data,
            pad: pad_len(len),
            channel,
            len,
        }
    }

    /// The frame that opens Linux' half of `channel`.
    #[must_use]
    pub const fn open(channel: Channel) -> Self {
        Self::command(channel, Command::Open)
    }

    /// The frame that closes Linux' half of `channel`.
    #[must_use]
    pub const fn close(channel: Channel) -> Self {
        Self::command(channel, Command::Close)
    }

    const fn command(channel: Channel, command: Command) -> Self {
        Self {
            signal: 0,
            command,
            pad: 0,
            channel,
            len: 0,
        }
    }

    /// Reads a header.
    ///
    /// Takes a copy, not the buffer itself: bytes that the modem can still change must not be
    /// looked at twice.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, in the order of [`HeaderError`]'s variants. The length is
    /// checked in DATA frames only.
    pub const fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Self, HeaderError> {
        let [magic_lo, magic_hi, signal, command, pad, channel, len_lo, len_hi] = *bytes;

        let magic = u16::from_le_bytes([magic_lo, magic_hi]);
        if magic != MAGIC {
            return Err(HeaderError::BadMagic(magic));
        }
        let Some(command) = Command::from_raw(command) else {
            return Err(HeaderError::UnknownCommand(command));
        };
        let Some(channel) = Channel::new(channel) else {
            return Err(HeaderError::ChannelOutOfRange(channel));
        };
        let len = u16::from_le_bytes([len_lo, len_hi]);
        match command {
            Command::Data if len == 0 => Err(HeaderError::Empty),
            Command::Data if len > MAX_LEN => Err(HeaderError::TooLong(len)),
            _ => Ok(Self {
                signal,
                command,
                pad,
                channel,
                len,
            }),
        }
    }

    /// The header as it goes over the wire.
    #[must_use]
    pub const fn encode(&self) -> [u8; HEADER_LEN] {
        let [magic_lo, magic_hi] = MAGIC.to_le_bytes();
        let [len_lo, len_hi] = self.len.to_le_bytes();
        [
            magic_lo,
            magic_hi,
            self.signal,
            self.command.raw(),
            self.pad,
            self.channel.number(),
            len_lo,
            len_hi,
        ]
    }
}

/// What is wrong with a header. `Debug` says it in words, for the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// Not the protocol's magic but this.
    BadMagic(u16),
    /// A command that does not exist, or that the driver does not know.
    UnknownCommand(u8),
    /// A channel beyond those that Linux has.
    ChannelOutOfRange(u8),
    /// A DATA frame without data.
    Empty,
    /// A DATA frame with more payload than fits into a buffer.
    TooLong(u16),
}

impl fmt::Debug for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BadMagic(magic) => write!(f, "magic {magic:#06x} instead of {MAGIC:#06x}"),
            Self::UnknownCommand(Command::RAW_STATUS) => write!(f, "command 3 (STATUS)"),
            Self::UnknownCommand(Command::RAW_OPEN_NO_A2_PC) => write!(
                f,
                "command 4 (OPEN_NO_A2_PC): operation without power control is not supported"
            ),
            Self::UnknownCommand(raw) => write!(f, "unknown command {raw}"),
            Self::ChannelOutOfRange(raw) => write!(f, "channel {raw} of {CHANNELS}"),
            Self::Empty => write!(f, "data frame of length 0"),
            Self::TooLong(u16::MAX) => {
                write!(f, "length 0xffff (QMAP aggregation) is not supported")
            }
            Self::TooLong(len) => write!(f, "length {len} is above {MAX_PAYLOAD}"),
        }
    }
}

/// Bytes of padding behind a payload of `len` bytes: 0 to 3, up to a multiple of four.
///
/// Header, payload and padding together never exceed [`BUFFER_LEN`], because [`MAX_PAYLOAD`] is a
/// multiple of four itself; for a `len` above it, which cannot be sent, the answer is 0.
#[must_use]
pub const fn padding(len: usize) -> usize {
    if len > MAX_PAYLOAD {
        return 0;
    }
    (4 - len % 4) % 4
}

/// [`padding`] for the header's field.
const fn pad_len(len: u16) -> u8 {
    match padding(len as usize) {
        0 => 0,
        1 => 1,
        2 => 2,
        _ => 3,
    }
}

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// An IPv4 packet.
    Ipv4,
    /// An IPv6 packet.
    Ipv6,
    /// Neither: taken for Qualcomm's multiplexing protocol, which `rmnet` takes apart.
    Map,
}

impl Protocol {
    /// The protocol's number in the kernel (`ETH_P_IP`, `ETH_P_IPV6`, `ETH_P_MAP`), in host order.
    #[must_use]
    pub const fn ethertype(self) -> u16 {
        match self {
            Self::Ipv4 => 0x0800,
            Self::Ipv6 => 0x86dd,
            Self::Map => 0x00f9,
        }
    }
}

/// Tells from its first byte what a payload is: IP has its version in the upper four bits.
#[must_use]
pub const fn payload_protocol(first_byte: u8) -> Protocol {
    match first_byte >> 4 {
        4 => Protocol::Ipv4,
        6 => Protocol::Ipv6,
        _ => Protocol::Map,
    }
}

#[cfg(any(test, CONFIG_BAM_DMUX_KUNIT_TEST))]
#[path = "../../tests/kunit/frame.rs"]
mod tests;
