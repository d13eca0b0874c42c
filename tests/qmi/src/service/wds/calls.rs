// SPDX-License-Identifier: GPL-2.0
//! The calls that are up, at most one of a data channel and family.

use std::collections::BTreeMap;

use crate::network::{
    Direction,
    Family,
    LinkCounters,
    Network,
    Settings, //
};
use crate::status::CallStatus;

/// First packet data handle: a modem's handles look like addresses.
const FIRST_HANDLE: u32 = 0x8001_0000;
/// How far they are apart.
const HANDLE_STEP: u32 = 0x40;

/// A call that is up.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Data channel.
    pub(super) channel: u8,
    /// IP family.
    pub(super) family: Family,
    /// Counts the calls of the modem; both families of a channel have the
    /// same.
    pub(super) serial: u32,
    /// Packet data handle, given to the client.
    pub(super) handle: u32,
    /// Access point name.
    pub(super) apn: String,
    /// The client that has started it.
    pub(super) owner: u8,
    /// Its addresses.
    pub(super) settings: Settings,
    since: LinkCounters,
}

/// The calls that are up, and what is remembered of those that are not.
#[derive(Debug)]
pub(super) struct Calls {
    up: Vec<Call>,
    last: BTreeMap<(u8, Family), LinkCounters>,
    handle: u32,
    serial: u32,
}

impl Calls {
    /// No calls yet.
    pub(super) fn new() -> Self {
        Self {
            up: Vec::new(),
            last: BTreeMap::new(),
            handle: FIRST_HANDLE,
            serial: 0,
        }
    }

    /// Forgets all calls; handles and serials go on, so that what was
    /// before the restart is not taken for what comes after.
    pub(super) fn restart(&mut self) {
        self.up.clear();
        self.last.clear();
    }

    /// All calls, in the order in which they came up.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Call> {
        self.up.iter()
    }

    /// The call of a channel and family.
    pub(super) fn find(&self, channel: u8, family: Family) -> Option<&Call> {
        self.up
            .iter()
            .find(|call| call.channel == channel && call.family == family)
    }

    /// Brings up a call that is not up yet.
    pub(super) fn start(
        &mut self,
        (channel, family): (u8, Family),
        apn: &str,
        owner: u8,
        network: &dyn Network,
    ) -> Call {
        let other = self.up.iter().find(|call| call.channel == channel);
        let serial = if let Some(call) = other {
            call.serial
        } else {
            self.serial = self.serial.wrapping_add(1);
            self.serial
        };
        let call = Call {
            channel,
            family,
            serial,
            handle: self.next_handle(),
            apn: apn.to_owned(),
            owner,
            settings: network.settings(channel, serial),
            since: network.counters(channel, family),
        };
        self.up.push(call.clone());
        call
    }

    /// Handles are neither 0 nor `u32::MAX`, which mean no and any call.
    fn next_handle(&mut self) -> u32 {
        let handle = self.handle;
        self.handle = handle.checked_add(HANDLE_STEP).unwrap_or(FIRST_HANDLE);
        handle
    }

    /// Ends the calls that `which` picks. What they have moved is remembered
    /// if there is a network to ask.
    pub(super) fn end(
        &mut self,
        network: Option<&dyn Network>,
        which: impl Fn(&Call) -> bool,
    ) -> Vec<Call> {
        let (ended, up) = std::mem::take(&mut self.up).into_iter().partition(which);
        self.up = up;
        for call in &ended {
            let key = (call.channel, call.family);
            match network {
                Some(network) => self.last.insert(key, call.moved(network)),
                None => self.last.remove(&key),
            };
        }
        ended
    }

    /// What the last call of a channel and family has moved.
    pub(super) fn last(&self, channel: u8, family: Family) -> Option<LinkCounters> {
        self.last.get(&(channel, family)).copied()
    }
}

impl Call {
    /// What packets of its family have gone over the channel since the call
    /// came up.
    pub(super) fn moved(&self, network: &dyn Network) -> LinkCounters {
        let now = network.counters(self.channel, self.family);
        LinkCounters {
            tx: difference(now.tx, self.since.tx),
            rx: difference(now.rx, self.since.rx),
        }
    }

    /// The call, for people and for tests.
    pub(super) fn status(&self) -> CallStatus {
        CallStatus {
            channel: self.channel,
            family: self.family,
            handle: self.handle,
            apn: self.apn.clone(),
            serial: self.serial,
        }
    }
}

fn difference(now: Direction, before: Direction) -> Direction {
    Direction {
        packets: now.packets.wrapping_sub(before.packets),
        bytes: now.bytes.wrapping_sub(before.bytes),
        dropped: now.dropped.wrapping_sub(before.dropped),
        errors: now.errors.wrapping_sub(before.errors),
    }
}
