// SPDX-License-Identifier: GPL-2.0
//! WDA: what the data channels carry. They carry raw IP, one packet a frame,
//! unless a client asks firmware that can do so for QMAP in both directions.
//!
//! Limitations: one format for all channels, whatever endpoint is named; QMAP
//! without checksums, and one packet a frame.

use super::{
    Call,
    Context,
    Reply,
    Service, //
};
use crate::clients::Clients;
use crate::network::{
    Event,
    Format, //
};
use crate::wire::error::QmiError;
use crate::wire::tlv::{
    Tlvs,
    Writer, //
};

const SET_DATA_FORMAT: u16 = 0x0020;
const GET_DATA_FORMAT: u16 = 0x0021;

/// Link layer protocol: IP packets without a header.
const RAW_IP: u32 = 2;
/// Aggregation protocol: none.
const DISABLED: u32 = 0;
/// Aggregation protocol: QMAP.
const QMAP: u32 = 5;

/// The name of a message, if the service knows it.
pub(crate) fn name(message: u16) -> Option<&'static str> {
    Some(match message {
        SET_DATA_FORMAT => "set data format",
        GET_DATA_FORMAT => "get data format",
        _ => return None,
    })
}

/// The service.
#[derive(Debug)]
pub(crate) struct Wda {
    clients: Clients<()>,
    format: Format,
    /// Whether the firmware can do QMAP.
    qmap: bool,
}

impl Wda {
    /// The service, without clients, of firmware that knows raw IP only.
    pub(crate) fn new() -> Self {
        Self {
            clients: Clients::new(),
            format: Format::default(),
            qmap: false,
        }
    }

    /// What the data channels carry.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Says whether QMAP is granted to those who ask for it from now on.
    pub(crate) fn allow_qmap(&mut self, allowed: bool) {
        self.qmap = allowed;
    }

    /// Grants what the firmware can do; the answer says what that is.
    fn set_data_format(&mut self, tlvs: &Tlvs<'_>, context: &mut Context<'_>) -> Reply {
        tlvs.flag(0x10)?;
        for kind in [0x11, 0x15, 0x16, 0x1b, 0x1c] {
            tlvs.fixed::<4>(kind)?;
        }
        tlvs.fixed::<8>(0x17)?;
        let up = tlvs.fixed(0x12)?.map(u32::from_le_bytes);
        let down = tlvs.fixed(0x13)?.map(u32::from_le_bytes);
        let wanted = if self.qmap && (up, down) == (Some(QMAP), Some(QMAP)) {
            Format::Qmap
        } else {
            Format::RawIp
        };
        if wanted != self.format {
            tracing::info!(format = ?wanted, "another data format");
            self.format = wanted;
            context.effects.events.push(Event::Format(wanted));
        }
        Ok(self.answer_format())
    }

    fn answer_format(&self) -> Writer {
        let protocol = match self.format {
            Format::RawIp => DISABLED,
            Format::Qmap => QMAP,
        };
        Writer::new()
            .byte(0x10, 0)
            .word(0x11, RAW_IP)
            .word(0x12, protocol)
            .word(0x13, protocol)
    }
}

impl Service for Wda {
    fn allocate(&mut self) -> Option<u8> {
        self.clients.allocate()
    }

    fn release(&mut self, client: u8, _context: &mut Context<'_>) -> bool {
        self.clients.release(client)
    }

    fn clients(&self) -> Vec<u8> {
        self.clients.iter().map(|(client, ())| client).collect()
    }

    fn answer(&mut self, call: &Call<'_>, context: &mut Context<'_>) -> Reply {
        match call.message {
            SET_DATA_FORMAT => self.set_data_format(&call.tlvs, context),
            GET_DATA_FORMAT => {
                // The endpoint: all of them have the same format.
                call.tlvs.fixed::<8>(0x10)?;
                Ok(self.answer_format())
            }
            _ => Err(QmiError::InvalidQmiCommand.into()),
        }
    }
}
