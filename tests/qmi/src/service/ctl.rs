// SPDX-License-Identifier: GPL-2.0
//! CTL, the service that hands out clients of the others.

use super::{
    Context,
    Id,
    Reply,
    Services, //
};
use crate::wire::error::QmiError;
use crate::wire::tlv::{
    Fields,
    Tlvs,
    Writer, //
};

/// The service's number.
pub(crate) const SERVICE: u8 = 0x00;
/// The indication that the modem has restarted.
pub(crate) const SYNC: u16 = 0x0027;

const GET_VERSION_INFO: u16 = 0x0021;
const ALLOCATE_CID: u16 = 0x0022;
const RELEASE_CID: u16 = 0x0023;
const SET_DATA_FORMAT: u16 = 0x0026;

/// Link layer protocol: IP packets without a header.
const RAW_IP: u16 = 2;

/// Versions that the services say they have: number, major, minor.
const VERSIONS: [(u8, u16, u16); 5] = [
    (SERVICE, 1, 5),
    (Id::Wds as u8, 1, 67),
    (Id::Dms as u8, 1, 14),
    (Id::Nas as u8, 1, 25),
    (Id::Wda as u8, 1, 16),
];

/// The name of a message, if the service knows it.
pub(crate) fn name(message: u16) -> Option<&'static str> {
    Some(match message {
        SYNC => "sync",
        GET_VERSION_INFO => "get version info",
        ALLOCATE_CID => "allocate client",
        RELEASE_CID => "release client",
        SET_DATA_FORMAT => "set data format",
        _ => return None,
    })
}

/// Answers a message.
pub(crate) fn answer(
    message: u16,
    tlvs: &Tlvs<'_>,
    services: &mut Services,
    context: &mut Context<'_>,
) -> Reply {
    match message {
        GET_VERSION_INFO => Ok(versions()),
        ALLOCATE_CID => allocate(tlvs, services, context),
        RELEASE_CID => release(tlvs, services, context),
        SET_DATA_FORMAT => set_data_format(tlvs),
        SYNC => {
            release_all(services, context);
            Ok(Writer::new())
        }
        _ => Err(QmiError::InvalidQmiCommand.into()),
    }
}

fn versions() -> Writer {
    let count = u8::try_from(VERSIONS.len()).unwrap_or(u8::MAX);
    let list = VERSIONS
        .iter()
        .fold(Fields::new().byte(count), |list, &(id, major, minor)| {
            list.byte(id).short(major).short(minor)
        });
    Writer::new().put(0x01, list.bytes())
}

fn allocate(tlvs: &Tlvs<'_>, services: &mut Services, context: &mut Context<'_>) -> Reply {
    let number = tlvs.required_byte(0x01)?;
    let id = Id::find(number).ok_or(QmiError::InvalidServiceType)?;
    let client = services
        .get_mut(id)
        .allocate()
        .ok_or(QmiError::ClientIdsExhausted)?;
    context.counters.clients_allocated += 1;
    Ok(Writer::new().put(0x01, &[number, client]))
}

fn release(tlvs: &Tlvs<'_>, services: &mut Services, context: &mut Context<'_>) -> Reply {
    let [number, client] = tlvs.required(0x01)?;
    let id = Id::find(number).ok_or(QmiError::InvalidServiceType)?;
    if !services.get_mut(id).release(client, context) {
        return Err(QmiError::InvalidClientId.into());
    }
    context.counters.clients_released += 1;
    Ok(Writer::new().put(0x01, &[number, client]))
}

/// All clients go: the host has started anew, or the firmware forgets them.
pub(crate) fn release_all(services: &mut Services, context: &mut Context<'_>) {
    for id in Id::ALL {
        let service = services.get_mut(id);
        for client in service.clients() {
            if service.release(client, context) {
                context.counters.clients_released += 1;
            }
        }
    }
}

/// The channels carry raw IP, whatever is asked for; the answer says so.
fn set_data_format(tlvs: &Tlvs<'_>) -> Reply {
    let qos_header = tlvs.required_byte(0x01)?;
    tlvs.fixed::<2>(0x10)?;
    if qos_header != 0 {
        return Err(QmiError::InvalidArgument.into());
    }
    Ok(Writer::new().short(0x10, RAW_IP))
}
