// SPDX-License-Identifier: GPL-2.0

//! What reports say of the transmit ring.

use kernel::fmt;

use super::{
    super::kabi::{
        devlink::Object,
        dmaengine::{
            Parked,
            Pipe, //
        }, //
    },
    Tx, //
};

impl Tx {
    /// The ring's state for health reports. Process context.
    pub(crate) fn describe(&self, out: &mut Object<'_>) {
        // Copied out: writing it down sleeps.
        let (open, connected, parked, stopped, pm, data, waiting, in_flight) = {
            let ring = self.ring.lock();
            (
                ring.open,
                ring.pipe.is_some(),
                ring.parked.as_ref().map_or(0, Parked::in_flight),
                ring.data.is_stopped(),
                ring.pm.is_some(),
                ring.data.len(),
                ring.waiting.len(),
                ring.pipe.as_ref().map_or(0, Pipe::in_flight),
            )
        };
        out.bool(c"open", open);
        out.bool(c"connected", connected);
        out.u64(c"parked", parked as u64);
        out.bool(c"stopped", stopped);
        out.bool(c"pm", pm);
        out.u64(c"data", data as u64);
        out.u64(c"waiting", waiting as u64);
        out.u64(c"in_flight", in_flight as u64);
    }

    /// The ring's state for people.
    pub(crate) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ring = self.ring.lock();
        writeln!(
            f,
            "tx: open={} connected={} parked={} data={} waiting={} in_flight={} stopped={} pm={}",
            ring.open,
            ring.pipe.is_some(),
            ring.parked.as_ref().map_or(0, Parked::in_flight),
            ring.data.len(),
            ring.waiting.len(),
            ring.pipe.as_ref().map_or(0, Pipe::in_flight),
            ring.data.is_stopped(),
            ring.pm.is_some()
        )
    }
}
