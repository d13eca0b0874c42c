// SPDX-License-Identifier: GPL-2.0
//! Errors of the QMI protocol, as they stand in the result TLV.

/// Errors that this modem answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(u16)]
pub(crate) enum QmiError {
    #[error("malformed message")]
    MalformedMessage = 1,
    #[error("all client ids are taken")]
    ClientIdsExhausted = 5,
    #[error("no such client")]
    InvalidClientId = 7,
    #[error("no such packet data handle")]
    InvalidHandle = 9,
    #[error("call failed")]
    CallFailed = 14,
    #[error("no call is up")]
    OutOfCall = 15,
    #[error("a TLV is missing")]
    MissingArgument = 17,
    #[error("a TLV is too long")]
    ArgumentTooLong = 19,
    #[error("nothing to do")]
    NoEffect = 26,
    #[error("no such service")]
    InvalidServiceType = 31,
    #[error("a TLV makes no sense")]
    InvalidArgument = 48,
    #[error("no such entry")]
    NoEntry = 50,
    #[error("not in this operating mode")]
    InvalidTransition = 60,
    #[error("not now")]
    InvalidOperation = 70,
    #[error("no such message")]
    InvalidQmiCommand = 71,
    #[error("not known")]
    InformationUnavailable = 74,
    #[error("not supported")]
    NotSupported = 94,
}

impl QmiError {
    /// The number on the wire.
    pub(crate) fn code(self) -> u16 {
        self as u16
    }
}
