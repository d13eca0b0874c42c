// SPDX-License-Identifier: GPL-2.0

//! Restarts of the modem (subsystem restart, SSR).
//!
//! Firmware that starts anew knows nothing of the channels that were open before: what both
//! halves remembered is void.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    dmux::Dmux,
    health::Fault,
    kabi::ssr::{
        Event,
        SsrHandler, //
    },
};

/// Tells one device of the restarts of its modem.
pub(crate) struct RestartWatch(pub(crate) Arc<Dmux>);

impl SsrHandler for RestartWatch {
    fn event(&self, event: Event) {
        if let Event::AfterShutdown { crashed } = event {
            let dmux = &self.0;
            dev_info!(
                dmux.dev(),
                "modem {}, channels are closed until it is back\n",
                if crashed { "crashed" } else { "stopped" }
            );
            dmux.counters.modem_restarts.inc();
            if crashed {
                dmux.health.fault(Fault::Crash, c"reported by remoteproc");
            }
            dmux.ports.forget_all();
            dmux.ports_changed();
        }
    }
}
