// SPDX-License-Identifier: GPL-2.0

//! Both pipes together: connected, taken down, put aside, left behind.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    super::{
        kabi::{
            module,
            shelf::Shelf, //
        },
        rx,
        tx, //
    },
    Dmux, //
};

/// Pipes that could not be taken down when the driver went.
struct LeftBehind {
    tx: Option<tx::ParkedPipe>,
    rx: Option<rx::ParkedPipe>,
    /// They may still call into the module.
    module: module::Pin,
}

/// Kept for the next time that the driver is bound to their device.
static LEFT_BEHIND: Shelf<LeftBehind> = Shelf::new();

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

    /// Whether a pipe was put aside.
    pub(crate) fn is_parked(&self) -> bool {
        self.tx.is_parked() || self.rx.is_parked()
    }

    /// Takes down pipes that were put aside. BAM has power. Process context.
    pub(crate) fn dispose(self: &Arc<Self>) {
        self.tx.dispose();
        self.rx.dispose(self);
        *self.module.lock() = None;
    }

    /// The driver goes, and the BAM must not be touched: leaves to the next one what cannot be given
    /// back.
    pub(super) fn leave_behind(self: &Arc<Self>) {
        self.abandon();
        let (tx, rx) = (self.tx.give_away(), self.rx.give_away());
        if tx.is_none() && rx.is_none() {
            return;
        }
        let buffers = tx.as_ref().map_or(0, tx::ParkedPipe::in_flight)
            + rx.as_ref().map_or(0, rx::ParkedPipe::in_flight);
        let pin = self.module.lock().take().or_else(module::Pin::try_new);
        let kept = pin.is_some_and(|module| {
            let left = LeftBehind { tx, rx, module };
            LEFT_BEHIND
                .keep(self.dev(), left)
                // The module stays: what is lost may still call into it.
                .map_err(core::mem::forget)
                .is_ok()
        });
        if kept {
            dev_warn!(
                self.dev(),
                "the modem is down, so its DMA channels and {buffers} buffers can't be given back; \
                 they are kept until the driver is bound again and the modem is back\n"
            );
        } else {
            dev_err!(
                self.dev(),
                "the modem is down, so its DMA channels and {buffers} buffers can't be given back, \
                 nor kept; restart the phone before the driver is used again\n"
            );
        }
    }

    /// Takes over what was left behind when the driver was bound to this device before. It is taken
    /// down as soon as BAM has power. Process context, before anything may connect.
    pub(super) fn take_over(&self) {
        if let Some(LeftBehind { tx, rx, module }) = LEFT_BEHIND.take(self.dev()) {
            self.tx.take_over(tx);
            self.rx.take_over(rx);
            *self.module.lock() = Some(module);
        }
    }

    /// Keeps the module loaded while pipes are put aside that `cannot` be taken down now.
    pub(crate) fn pin_module(&self, cannot: bool) {
        let needed = cannot && self.is_parked();
        let mut module = self.module.lock();
        if needed && module.is_none() {
            *module = module::Pin::try_new();
        } else if !needed {
            *module = None;
        }
    }
}
