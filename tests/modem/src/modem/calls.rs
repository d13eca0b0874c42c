// SPDX-License-Identifier: GPL-2.0
//! What can be asked of the modem's QMI side and its gate from outside.

use bam_dmux_qmi::{
    CallEnd,
    Identity,
    Refusal,
    Registration, //
};
use serde::Serialize;
use serde_json::{
    Map,
    Value, //
};

use super::{
    Modem,
    Refused,
    MTU, //
};
use crate::dmux::channels::COUNT;
use crate::gate::Calls;
use crate::smd::State;

/// Before each name of the QMI side's counters.
const PREFIX: &str = "qmi_";

/// The QMI side's state.
#[derive(Debug, Serialize)]
pub struct CallStatus {
    /// Who the modem says it is.
    pub identity: Identity,
    /// Registration, clients and calls.
    #[serde(flatten)]
    pub qmi: bam_dmux_qmi::Status,
    /// State of the modem's end of the port.
    pub smd: State,
    /// Frames to Linux that wait for room.
    pub smd_queued: usize,
    /// Whether packets need a call.
    pub gate: bool,
    /// Linux' addresses, by channel.
    pub addresses: Vec<Calls>,
}

impl Modem {
    /// The QMI side's state now.
    #[must_use]
    pub fn call_status(&self) -> CallStatus {
        CallStatus {
            identity: self.port.identity.clone(),
            qmi: self.port.qmi.status(),
            smd: self.port.smd.state(),
            smd_queued: self.port.smd.queued(),
            gate: self.port.gate.on,
            addresses: (0..COUNT).map(|c| self.port.gate.calls(c)).collect(),
        }
    }

    /// All counters by name, those of the QMI side with `qmi_` before it.
    #[must_use]
    pub fn all_counters(&self) -> Map<String, Value> {
        let mut all = map(&self.counters);
        let before = map(&self.port.counted);
        for (name, value) in map(&self.port.qmi.counters()) {
            let count = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
            let since = count(Some(&value)).wrapping_sub(count(before.get(&name)));
            all.insert(format!("{PREFIX}{name}"), since.into());
        }
        all
    }

    /// Lets packets pass only while there is a call of their family, or all.
    pub fn set_gate(&mut self, on: bool) {
        self.port.gate.on = on;
    }

    /// Refuses the next `count` calls.
    pub fn refuse_calls(&mut self, count: u32, end: CallEnd) {
        let refusal = Refusal { count, end };
        self.port.qmi.refuse_calls((count > 0).then_some(refusal));
    }

    /// The network ends the calls of a channel, or all of them; returns how
    /// many.
    ///
    /// # Errors
    /// The modem has crashed, or there is no such channel.
    pub fn drop_calls(&mut self, channel: Option<u8>, end: CallEnd) -> Result<usize, Refused> {
        self.check_channels(channel.as_slice())?;
        let dropped = self.port.qmi.drop_calls(channel, end);
        self.run_port();
        Ok(dropped)
    }

    /// The modem has found its network, or lost it.
    ///
    /// # Errors
    /// The modem has crashed.
    pub fn set_registration(&mut self, registration: Registration) -> Result<(), Refused> {
        self.check_channels(&[])?;
        self.port.qmi.set_registration(registration);
        self.run_port();
        Ok(())
    }

    /// The signal has changed, to so many dBm.
    ///
    /// # Errors
    /// The modem has crashed.
    pub fn set_signal(&mut self, dbm: i16) -> Result<(), Refused> {
        self.check_channels(&[])?;
        self.port.qmi.set_signal(dbm);
        self.run_port();
        Ok(())
    }

    /// The network's longest packet is so long from now on, in bytes: it is
    /// told in each later call. No restart of the firmware changes it.
    ///
    /// # Errors
    /// It is not in [`MTU`].
    pub fn set_mtu(&mut self, mtu: u32) -> Result<(), Refused> {
        if !MTU.contains(&mtu) {
            return Err(Refused::BadMtu(mtu));
        }
        self.options.mtu = mtu;
        Ok(())
    }

    /// Whether the firmware grants QMAP to those who ask for it; not after a
    /// restart.
    pub fn allow_qmap(&mut self, allowed: bool) {
        self.port.qmi.allow_qmap(allowed);
    }

    /// The firmware's QMI side is up: Linux may open the port, though the
    /// firmware may be far from opening its channels.
    ///
    /// # Errors
    /// The modem has crashed.
    pub fn start_port(&mut self) -> Result<(), Refused> {
        self.check_channels(&[])?;
        self.offer_port();
        Ok(())
    }

    /// Swallows the next requests of Linux.
    pub fn mute(&mut self, requests: u32) {
        self.port.qmi.mute(requests);
    }
}

/// Counters as a map from name to number.
fn map(counters: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(counters) {
        Ok(Value::Object(map)) => map,
        // Counters are a struct of numbers.
        _ => Map::new(),
    }
}
