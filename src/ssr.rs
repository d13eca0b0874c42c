// SPDX-License-Identifier: GPL-2.0

//! Restarts of the modem (subsystem restart, SSR), as remoteproc reports them.
//!
//! Firmware that starts anew knows nothing of the channels that were open before: what both
//! halves remembered is void. Nor does it keep what its lines promised: between the report that it is
//! being stopped and the report that it is started they mean nothing.

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
        let dmux = &self.0;
        match event {
            Event::BeforeShutdown { crashed } => {
                dev_info!(
                    dmux.dev(),
                    "modem {}, channels are closed until it is back\n",
                    if crashed { "crashed" } else { "stops" }
                );
                dmux.counters.modem_restarts.inc();
                if crashed {
                    dmux.health.fault(Fault::Crash, c"reported by remoteproc");
                }
                dmux.link.stopped(dmux);
            }
            // Not only at the end of the start: the firmware may power the BAM up before that.
            Event::BeforePowerup => dmux.link.starting(dmux),
            Event::AfterPowerup => dmux.link.started(dmux),
            // Also the end of a start that failed, which nothing else tells of.
            Event::AfterShutdown { .. } => {
                if dmux.link.start_failed(dmux) {
                    dev_warn!(dmux.dev(), "modem failed to start\n");
                    dmux.counters.modem_restarts.inc();
                }
            }
        }
    }
}
