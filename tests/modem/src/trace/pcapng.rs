// SPDX-License-Identifier: GPL-2.0
//! The packets as pcapng: an interface per channel, with nothing before the IP
//! header. Times are those of the wall clock. Inbound and outbound are as
//! Linux sees it.

use std::borrow::Cow;
use std::io::{
    self,
    Write, //
};
use std::time::Duration;

use pcap_file::pcapng::blocks::enhanced_packet::{
    EnhancedPacketBlock,
    EnhancedPacketOption, //
};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock,
    InterfaceDescriptionOption, //
};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::{
    DataLink,
    PcapError, //
};

use super::{
    Direction,
    Snapshot, //
};
use crate::dmux::channels::COUNT;

/// Timestamps count nanoseconds: ten to the power of minus this, in seconds.
const NANOSECONDS: u8 = 9;
/// The two lowest bits of `epb_flags`.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// Writes all packets. `origin` is when the modem's clock was 0, since 1970.
///
/// # Errors
/// What the writer says.
pub fn write(snapshot: &Snapshot, origin: Duration, out: impl Write) -> io::Result<()> {
    write_blocks(snapshot, origin, out).map_err(|error| match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    })
}

fn write_blocks(snapshot: &Snapshot, origin: Duration, out: impl Write) -> Result<(), PcapError> {
    let mut writer = PcapNgWriter::new(out)?;
    for channel in 0..COUNT {
        let name = format!("ch{channel}");
        let about = format!("BAM-DMUX channel {channel}");
        writer.write_pcapng_block(InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(name.into()),
                InterfaceDescriptionOption::IfDescription(about.into()),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        })?;
    }
    for packet in snapshot.packets() {
        let data = match packet.parts {
            [whole, []] | [[], whole] => Cow::Borrowed(whole),
            parts => parts.concat().into(),
        };
        let flags = match packet.direction {
            Direction::Uplink => OUTBOUND,
            Direction::Downlink => INBOUND,
        };
        writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: packet.channel.into(),
            timestamp: origin + packet.at,
            // A frame's length has 16 bits.
            original_len: u32::try_from(data.len()).unwrap_or(u32::MAX),
            data,
            options: vec![EnhancedPacketOption::Flags(flags)],
        })?;
    }
    Ok(())
}
