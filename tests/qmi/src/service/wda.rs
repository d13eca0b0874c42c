// SPDX-License-Identifier: GPL-2.0
//! WDA: what the data channels carry. They carry raw IP, one packet a frame.

use super::{
    Call,
    Context,
    Reply,
    Service, //
};
use crate::clients::Clients;
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

/// The service.
#[derive(Debug)]
pub(crate) struct Wda {
    clients: Clients<()>,
}

impl Wda {
    /// The service, without clients.
    pub(crate) fn new() -> Self {
        Self {
            clients: Clients::new(),
        }
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

    fn answer(&mut self, call: &Call<'_>, _context: &mut Context<'_>) -> Reply {
        match call.message {
            SET_DATA_FORMAT => set_data_format(&call.tlvs),
            GET_DATA_FORMAT => {
                // The endpoint: all of them have the same format.
                call.tlvs.fixed::<8>(0x10)?;
                Ok(format())
            }
            _ => Err(QmiError::InvalidQmiCommand.into()),
        }
    }
}

/// Takes the request for what it is: the answer says what the modem does.
fn set_data_format(tlvs: &Tlvs<'_>) -> Reply {
    tlvs.flag(0x10)?;
    for kind in [0x11, 0x12, 0x13, 0x15, 0x16, 0x1b, 0x1c] {
        tlvs.fixed::<4>(kind)?;
    }
    tlvs.fixed::<8>(0x17)?;
    Ok(format())
}

fn format() -> Writer {
    Writer::new()
        .byte(0x10, 0)
        .word(0x11, RAW_IP)
        .word(0x12, DISABLED)
        .word(0x13, DISABLED)
}
