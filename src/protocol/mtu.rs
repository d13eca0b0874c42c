// SPDX-License-Identifier: GPL-2.0

//! What the modem says of buffer sizes in the signal byte of its OPEN, and what Linux answers.
//!
//! | bits | in the modem's OPEN |
//! |---|---|
//! | 0 | the modem wants power transitions to low acknowledged, too (always done) |
//! | 1 | dynamic MTU: buffers above 2048 bytes can be agreed on |
//! | 6-7 | biggest buffer that the modem accepts: 2, 4, 8 or 16 KiB |
//!
//! Source: protocol document 1.3.
//!
//! Limitations:
//! - Linux always answers "not supported" (a signal byte of 0), so buffers stay at 2048 bytes.
//!   Larger ones only help with QMAP aggregation, which needs the length of a DMA transfer.

const DISCONNECT_ACK: u8 = 1 << 0;
const DYNAMIC_MTU: u8 = 1 << 1;
const UPLINK_SHIFT: u8 = 6;

/// What a modem offers when it opens a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The modem asks for an ack when the data path went down.
    pub disconnect_ack: bool,
    /// Whether other sizes than 2048 can be agreed on.
    pub dynamic_mtu: bool,
    /// Biggest frame that the modem accepts, in bytes with header and padding.
    pub uplink_buffer: u16,
}

impl Offer {
    /// Reads the signal byte of the modem's OPEN. Unknown bits are ignored.
    #[must_use]
    pub const fn decode(signal: u8) -> Self {
        let dynamic_mtu = signal & DYNAMIC_MTU != 0;
        Self {
            disconnect_ack: signal & DISCONNECT_ACK != 0,
            dynamic_mtu,
            // The code means nothing when the modem does not negotiate.
            uplink_buffer: if dynamic_mtu {
                2048 << (signal >> UPLINK_SHIFT)
            } else {
                2048
            },
        }
    }
}

#[cfg(any(test, CONFIG_BAM_DMUX_KUNIT_TEST))]
#[path = "../../tests/kunit/mtu.rs"]
mod tests;
