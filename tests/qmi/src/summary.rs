// SPDX-License-Identifier: GPL-2.0
//! What a frame is, without its contents: for traces.

use serde::Serialize;

use crate::service::{
    self,
    ctl,
    Id, //
};
use crate::wire::frame::{
    FROM_MODEM,
    MARKER, //
};

/// Offset of the TLVs in a message of CTL, and of the other services.
const TLVS: [usize; 2] = [12, 13];
/// The result TLV: its type and length; then result and error, 2 bytes each.
const RESULT: [u8; 3] = [0x02, 4, 0];

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Linux asks.
    Request,
    /// The modem answers.
    Response,
    /// The modem tells something unasked.
    Indication,
}

/// The head of a frame, and for a response how the request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Number of the service.
    pub service: u8,
    /// Number of the client; 0xff is all of them.
    pub client: u8,
    /// What it is.
    pub kind: Kind,
    /// Number of the request in its client; 0 of indications.
    pub transaction: u16,
    /// Number of the message in its service.
    pub message: u16,
    /// QMI's error code of a response; 0 without error.
    pub error: u16,
}

impl Summary {
    /// Reads the head of a frame of either side; `None` if it is no QMUX frame.
    #[must_use]
    pub fn of(frame: &[u8]) -> Option<Self> {
        let (&[marker, _, _, control, service, client, flags, low], rest) =
            frame.split_first_chunk()?;
        if marker != MARKER {
            return None;
        }
        let ctl = service == ctl::SERVICE;
        let (transaction, rest) = if ctl {
            (low.into(), rest)
        } else {
            let (&high, rest) = rest.split_first()?;
            (u16::from_le_bytes([low, high]), rest)
        };
        let message = u16::from_le_bytes(*rest.first_chunk()?);
        let kind = match (control, flags) {
            (FROM_MODEM, 1) if ctl => Kind::Response,
            (FROM_MODEM, 2) if !ctl => Kind::Response,
            (FROM_MODEM, _) => Kind::Indication,
            _ => Kind::Request,
        };
        Some(Self {
            service,
            client,
            kind,
            transaction,
            message,
            error: match kind {
                Kind::Response => error(frame, ctl),
                _ => 0,
            },
        })
    }

    /// The service's name in lower case, if there is such a service.
    #[must_use]
    pub fn service_name(&self) -> Option<&'static str> {
        if self.service == ctl::SERVICE {
            return Some("ctl");
        }
        Id::find(self.service).map(Id::name)
    }

    /// The message's name in lower case, if the service knows it.
    #[must_use]
    pub fn message_name(&self) -> Option<&'static str> {
        let name = if self.service == ctl::SERVICE {
            ctl::name
        } else {
            match Id::find(self.service)? {
                Id::Wds => service::wds::name,
                Id::Dms => service::dms::name,
                Id::Nas => service::nas::name,
                Id::Wda => service::wda::name,
            }
        };
        name(self.message)
    }
}

/// The error of a response, which begins with the result.
fn error(frame: &[u8], ctl: bool) -> u16 {
    let tlvs = frame.get(TLVS[usize::from(!ctl)]..);
    match tlvs.and_then(<[u8]>::first_chunk) {
        Some(&[kind, low, high, _, _, e0, e1]) if [kind, low, high] == RESULT => {
            u16::from_le_bytes([e0, e1])
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A request of a service, and the response that refuses it.
    #[test]
    fn request_and_response() {
        let request = Summary::of(&[1, 12, 0, 0, 2, 3, 0, 0x34, 0x12, 0x25, 0, 0, 0]).unwrap();
        let expected = Summary {
            service: 2,
            client: 3,
            kind: Kind::Request,
            transaction: 0x1234,
            message: 0x25,
            error: 0,
        };
        assert_eq!(request, expected);
        assert_eq!(
            (request.service_name(), request.message_name()),
            (Some("dms"), Some("get ids"))
        );
        let response = [
            1, 19, 0, 0x80, 2, 3, 2, 0x34, 0x12, 0x25, 0, 7, 0, 2, 4, 0, 1, 0, 0x2a, 0,
        ];
        let expected = Summary {
            kind: Kind::Response,
            error: 0x2a,
            ..expected
        };
        assert_eq!(Summary::of(&response), Some(expected));
    }

    /// CTL has transactions of one byte, and flags of its own.
    #[test]
    fn ctl_messages() {
        let response = [
            1, 18, 0, 0x80, 0, 0, 1, 9, 0x22, 0, 7, 0, 2, 4, 0, 1, 0, 5, 0,
        ];
        let summary = Summary::of(&response).unwrap();
        assert_eq!((summary.kind, summary.transaction), (Kind::Response, 9));
        assert_eq!(summary.error, 5);
        assert_eq!(summary.message_name(), Some("allocate client"));
        let sync = Summary::of(&[1, 11, 0, 0x80, 0, 0xff, 2, 0, 0x27, 0, 0, 0]).unwrap();
        assert_eq!((sync.kind, sync.client), (Kind::Indication, 0xff));
        assert_eq!(sync.message_name(), Some("sync"));
    }

    /// Services and messages that nobody knows have no names.
    #[test]
    fn unknown() {
        let summary = Summary::of(&[1, 12, 0, 0, 9, 3, 0, 1, 0, 0x25, 0, 0, 0]).unwrap();
        assert_eq!(summary.service_name(), None);
        assert_eq!(summary.message_name(), None);
        let summary = Summary::of(&[1, 12, 0, 0, 2, 3, 0, 1, 0, 0xee, 0xee, 0, 0]).unwrap();
        assert_eq!(summary.message_name(), None);
        assert_eq!(Summary::of(&[2, 12, 0, 0, 2, 3, 0, 1, 0, 0, 0, 0, 0]), None);
    }

    proptest! {
        /// No bytes panic.
        #[test]
        fn any_bytes(frame in prop::collection::vec(any::<u8>(), 0..30)) {
            let _ = Summary::of(&frame);
        }
    }
}
