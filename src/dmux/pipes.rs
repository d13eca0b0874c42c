// SPDX-License-Identifier: GPL-2.0

//! Both pipes together: connected, taken down, put aside, left behind.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    super::kabi::module,
    Dmux, //
};

impl Dmux {
    /// Connects both pipes, the receive ring filled. BAM has power. Process context.
    ///
    /// Takes down what was put aside before. On error neither pipe is connected.
    pub(crate) fn connect(self: &Arc<Self>) -> Result {
        self.dispose();
        self.rx.connect(self)?;
        self.tx
            .connect(self)
            .inspect_err(|_| self.rx.disconnect(self))
    }

    /// Disconnects both pipes. BAM still has power. Process context.
    pub(crate) fn disconnect(self: &Arc<Self>) {
        self.tx.disconnect(self);
        self.rx.disconnect(self);
    }

    /// Puts both pipes aside: BAM may be without power, and is not touched. Process context.
    pub(crate) fn abandon(self: &Arc<Self>) {
        self.tx.abandon(self);
        self.rx.abandon(self);
    }

    /// Takes down pipes that were put aside. BAM has power. Process context.
    pub(super) fn dispose(self: &Arc<Self>) {
        self.tx.dispose();
        self.rx.dispose(self);
        *self.module.lock() = None;
    }

    /// The driver goes, and the BAM must not be touched: gives up what cannot be given back.
    pub(super) fn leave_behind(self: &Arc<Self>) {
        self.abandon();
        let tx = self.tx.leave_behind();
        let rx = self.rx.leave_behind();
        if tx.is_none() && rx.is_none() {
            return;
        }
        dev_err!(
            self.dev(),
            "the modem is down, so its DMA channels and {} buffers can't be given back; \
             restart the phone before the driver is used again\n",
            tx.unwrap_or(0) + rx.unwrap_or(0)
        );
        // What was left behind may still call into the module.
        core::mem::forget(self.module.lock().take());
    }

    /// Keeps the module loaded while pipes are put aside that `cannot` be taken down now.
    pub(crate) fn pin_module(&self, cannot: bool) {
        let needed = cannot && (self.tx.is_parked() || self.rx.is_parked());
        let mut module = self.module.lock();
        if needed && module.is_none() {
            *module = module::Pin::try_new();
        } else if !needed {
            *module = None;
        }
    }
}
