// SPDX-License-Identifier: GPL-2.0
//! How a call comes up, and how a client ends it.

use super::{
    call_failed,
    family,
    Call,
    CallEnd,
    Client,
    Context,
    Event,
    Family,
    QmiError,
    Reply,
    Request,
    Wds,
    Writer,
    BY_CLIENT,
    CONNECTED,
    NO_SERVICE, //
};
use crate::network::Refusal;
use crate::wire::tlv::Tlvs;

/// Longest access point name, in bytes (3GPP TS 23.003).
const LONGEST_APN: usize = 100;
/// Longest user name and password, in bytes.
const LONGEST_SECRET: usize = 127;
/// Last of the authentication preferences: both PAP and CHAP.
const LAST_AUTHENTICATION: u8 = 3;

/// Stops the client's call, whatever its handle is.
const ANY_HANDLE: u32 = u32::MAX;

/// There is no access point of that name: not specified, and verbose (3GPP,
/// unknown APN).
const UNKNOWN_APN: CallEnd = CallEnd {
    reason: 1,
    verbose_type: 6,
    verbose_reason: 27,
};

impl Wds {
    /// Start Network.
    pub(super) fn start(&mut self, request: &Request<'_>, context: &mut Context<'_>) -> Reply {
        let order = Order::read(&request.tlvs)?;
        let mut client = self.client(request.client);
        client.family = order.family.or(client.family);
        let key = (client.channel(), client.family());
        if !context.network.has_channel(client.channel()) {
            return Err(QmiError::InvalidOperation.into());
        }
        if self.calls.find(client.channel(), client.family()).is_some() {
            // The client of ModemManager will go on with the call that is up.
            self.set_client(request.client, client);
            return Err(QmiError::NoEffect.into());
        }
        let refused = if context.radio.registered() {
            take_refusal(context.refusal).or(order.apn.is_empty().then_some(UNKNOWN_APN))
        } else {
            Some(NO_SERVICE)
        };
        if let Some(end) = refused {
            context.counters.calls_refused += 1;
            tracing::info!(channel = key.0, family = ?key.1, apn = ?order.apn, reason = end.reason,
                "call refused");
            return Err(call_failed(end));
        }
        Ok(self.bring_up(key, order.apn, (request.client, client), context))
    }

    fn bring_up(
        &mut self,
        key: (u8, Family),
        apn: &str,
        (id, client): (u8, Client),
        context: &mut Context<'_>,
    ) -> Writer {
        let call = self.calls.start(key, apn, id, context.network);
        self.set_client(
            id,
            Client {
                handle: Some(call.handle),
                ..client
            },
        );
        context.counters.calls_started += 1;
        tracing::info!(channel = call.channel, family = ?call.family, apn = ?call.apn,
            handle = call.handle, serial = call.serial, "call up");
        context.effects.events.push(Event::CallUp {
            channel: call.channel,
            family: call.family,
            serial: call.serial,
            settings: call.settings,
        });
        let connected = Writer::new().put(0x01, &[CONNECTED, 0]);
        self.tell(&call, &connected, context.effects);
        Writer::new().word(0x01, call.handle)
    }

    /// Stop Network. A call may be stopped by all clients of its channel.
    pub(super) fn stop(&mut self, request: &Request<'_>, context: &mut Context<'_>) -> Reply {
        let handle = u32::from_le_bytes(request.tlvs.required(0x01)?);
        let client = self.client(request.client);
        let wanted = |call: &Call| {
            call.channel == client.channel()
                && if handle == ANY_HANDLE {
                    call.family == client.family()
                } else {
                    call.handle == handle
                }
        };
        let ended = self.calls.end(Some(context.network), wanted);
        if ended.is_empty() {
            // The network may have ended it first.
            let known = handle == ANY_HANDLE || client.handle == Some(handle);
            return Err(if known {
                QmiError::NoEffect.into()
            } else {
                QmiError::InvalidHandle.into()
            });
        }
        context.counters.calls_stopped += ended.len() as u64;
        self.ended(&ended, BY_CLIENT, context.effects);
        Ok(Writer::new())
    }
}

/// What Start Network asks for.
struct Order<'a> {
    apn: &'a str,
    family: Option<Family>,
}

impl<'a> Order<'a> {
    fn read(tlvs: &Tlvs<'a>) -> Result<Self, QmiError> {
        let preference = tlvs.byte(0x19)?;
        let authentication = tlvs.byte(0x16)?;
        if authentication.is_some_and(|it| it > LAST_AUTHENTICATION) {
            return Err(QmiError::InvalidArgument);
        }
        // All users are let in; but what they say must be sane.
        for kind in [0x17, 0x18] {
            tlvs.text(kind, LONGEST_SECRET)?;
        }
        Ok(Self {
            apn: tlvs.text(0x14, LONGEST_APN)?.unwrap_or_default(),
            family: preference.map(family).transpose()?.flatten(),
        })
    }
}

/// Uses up one of the refusals.
fn take_refusal(refusal: &mut Option<Refusal>) -> Option<CallEnd> {
    let left = refusal.take()?;
    if left.count > 1 {
        *refusal = Some(Refusal {
            count: left.count - 1,
            ..left
        });
    }
    (left.count > 0).then_some(left.end)
}
