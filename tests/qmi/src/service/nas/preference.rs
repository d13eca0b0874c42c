// SPDX-License-Identifier: GPL-2.0
//! What the modem may register with. It is an LTE modem with one network, so
//! there is little to choose.

use crate::identity::Identity;
use crate::radio::LTE;
use crate::service::Reply;
use crate::wire::error::QmiError;
use crate::wire::tlv::{
    Fields,
    Tlvs,
    Writer, //
};

/// The mode preference's bit of LTE.
const MODE_LTE: u16 = 1 << 4;
/// LTE band 1.
const LTE_BANDS: u64 = 1;
const ROAMING_ANY: u16 = 0xff;
const SELECTION_AUTOMATIC: u8 = 0;
const SELECTION_MANUAL: u8 = 1;
/// Service domain: packets only.
const DOMAIN_PS: u32 = 1;
/// Usage: data before voice.
const DATA_CENTRIC: u32 = 2;
const TECHNOLOGY_AUTOMATIC: u16 = 0;
const PERMANENT: u8 = 0;

/// Technology preference.
pub(super) fn technology() -> Writer {
    let active = Fields::new().short(TECHNOLOGY_AUTOMATIC).byte(PERMANENT);
    Writer::new()
        .put(0x01, active.bytes())
        .short(0x10, TECHNOLOGY_AUTOMATIC)
}

/// System selection preference.
pub(super) fn selection(identity: &Identity, manual: bool) -> Writer {
    let reply = Writer::new()
        .byte(0x10, 0)
        .short(0x11, MODE_LTE)
        .short(0x14, ROAMING_ANY)
        .long(0x15, LTE_BANDS)
        .byte(
            0x16,
            if manual {
                SELECTION_MANUAL
            } else {
                SELECTION_AUTOMATIC
            },
        )
        .word(0x18, DOMAIN_PS)
        .put(0x1c, &[1, LTE])
        .word(0x1f, DATA_CENTRIC);
    if !manual {
        return reply;
    }
    let chosen = Fields::new()
        .short(identity.operator.mcc)
        .short(identity.operator.mnc)
        .byte(0);
    reply.put(0x1b, chosen.bytes())
}

/// Takes what leaves the modem with its network; refuses all else.
pub(super) fn set_selection(tlvs: &Tlvs<'_>, identity: &Identity, manual: &mut bool) -> Reply {
    let mode = tlvs.fixed(0x11)?.map(u16::from_le_bytes);
    let bands = tlvs.fixed(0x15)?.map(u64::from_le_bytes);
    if mode.is_some_and(|mode| mode & MODE_LTE == 0)
        || bands.is_some_and(|bands| bands & LTE_BANDS == 0)
    {
        return Err(QmiError::NotSupported.into());
    }
    if let Some([how, mcc @ .., mnc_low, mnc_high]) = tlvs.fixed::<5>(0x16)? {
        let plmn = (
            u16::from_le_bytes(mcc),
            u16::from_le_bytes([mnc_low, mnc_high]),
        );
        *manual = match how {
            SELECTION_AUTOMATIC => false,
            SELECTION_MANUAL if plmn == (identity.operator.mcc, identity.operator.mnc) => true,
            SELECTION_MANUAL => return Err(QmiError::NotSupported.into()),
            _ => return Err(QmiError::InvalidArgument.into()),
        };
    }
    Ok(Writer::new())
}
