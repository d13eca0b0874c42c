// SPDX-License-Identifier: GPL-2.0
//! One hostile frame as data. In JSON it is a line of a corpus file.

use serde::{
    Deserialize,
    Serialize, //
};

use crate::dmux::frame::{
    Header,
    HEADER, //
};

/// Size of Linux' buffers in bytes: no transfer is longer.
pub const BUFFER: u16 = 2048;
/// Longest payload that fits behind a header.
pub const MOST: u16 = 2040;
const _: () = assert!(MOST as usize + HEADER == BUFFER as usize);
/// Longest time that an item may ask for, in milliseconds.
const LONGEST_MS: u32 = 1000;
/// Most interrupts that an item may ask for.
const MOST_INTERRUPTS: u32 = 10_000;

/// What is wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Kind {
    /// Nothing.
    Valid,
    /// The signal byte is not 0.
    Signal,
    /// The pad does not fit the length.
    Pad,
    /// The magic.
    Magic,
    /// The command does not exist.
    Command,
    /// The channel does not exist.
    Channel,
    /// The length is 0 or above the buffer.
    Length,
    /// Several fields.
    Mixed,
    /// The header is random.
    Noise,
    /// Less is transferred than the header says.
    Short,
    /// Less than a header is transferred.
    Tiny,
    /// Nothing is transferred.
    Empty,
    /// More is transferred than the header says.
    Long,
    /// The whole buffer is transferred, whatever the header says.
    Full,
    /// The payload is neither IPv4 nor IPv6.
    Version,
    /// OPEN or CLOSE, wanted or not.
    Flood,
    /// The header changes after the completion.
    FetchHeader,
    /// The payload changes after the completion.
    FetchPayload,
    /// A whole frame, written to a buffer that was given back.
    Late,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 19] = [
        Self::Valid,
        Self::Signal,
        Self::Pad,
        Self::Magic,
        Self::Command,
        Self::Channel,
        Self::Length,
        Self::Mixed,
        Self::Noise,
        Self::Short,
        Self::Tiny,
        Self::Empty,
        Self::Long,
        Self::Full,
        Self::Version,
        Self::Flood,
        Self::FetchHeader,
        Self::FetchPayload,
        Self::Late,
    ];
}

/// A change of the buffer after its completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// The header that replaces the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// Whether the payload is replaced, beyond its first bytes.
    #[serde(default)]
    pub payload: bool,
    /// So many microseconds after Linux has asked which descriptors are done.
    /// `None`: in the last moment before it gets the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_us: Option<u32>,
    /// So many times the header is changed back and forth before. Only with a
    /// delay, and without a change of the payload.
    #[serde(default)]
    pub flips: u16,
}

/// What happens once the frame is in its buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum After {
    /// Nothing: the next frame.
    #[default]
    Next,
    /// The interrupt, before the next frame.
    Interrupt,
    /// No interrupt for so many microseconds, while frames go on.
    Hold {
        /// Microseconds.
        us: u32,
    },
    /// So many interrupts, most of them for nothing.
    Storm {
        /// How many.
        count: u32,
    },
    /// Nothing at all for so many milliseconds.
    Stall {
        /// Milliseconds.
        ms: u32,
    },
}

impl After {
    /// The same with nothing beyond the limits.
    #[must_use]
    pub fn bounded(self) -> Self {
        match self {
            Self::Hold { us } => Self::Hold {
                us: us.min(LONGEST_MS * 1000),
            },
            Self::Storm { count } => Self::Storm {
                count: count.min(MOST_INTERRUPTS),
            },
            Self::Stall { ms } => Self::Stall {
                ms: ms.min(LONGEST_MS),
            },
            other => other,
        }
    }
}

/// One frame, and what is done to it and to Linux afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What it is counted as.
    pub kind: Kind,
    /// Its header.
    #[serde(default)]
    pub header: Header,
    /// Bytes behind the header.
    #[serde(default)]
    pub payload: u16,
    /// Only so many bytes of it all are transferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<u16>,
    /// First byte of the payload.
    #[serde(default = "ipv4")]
    pub first: u8,
    /// What changes after the completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Rewrite>,
    /// What happens then.
    #[serde(default)]
    pub after: After,
}

fn ipv4() -> u8 {
    0x45
}

impl Item {
    /// Bytes of the transfer, header included, at most [`BUFFER`].
    #[must_use]
    pub fn transferred(&self) -> usize {
        let whole = usize::from(self.payload.min(MOST)) + HEADER;
        self.cut.map_or(whole, |cut| whole.min(usize::from(cut)))
    }

    /// Bytes of the payload that are transferred.
    #[must_use]
    pub fn payload_transferred(&self) -> usize {
        self.transferred().saturating_sub(HEADER)
    }
}
