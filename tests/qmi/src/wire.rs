// SPDX-License-Identifier: GPL-2.0
//! QMI on the wire: frames, TLVs, errors. All that comes from the host is
//! untrusted.

pub(crate) mod error;
pub(crate) mod frame;
pub(crate) mod tlv;
