// SPDX-License-Identifier: GPL-2.0

//! The end: the driver is unbound.

use kernel::sync::{
    atomic::Relaxed,
    Arc, //
};

use super::{
    super::{
        dmux::Dmux,
        protocol::handshake::WakeStep, //
    },
    Link,
    SHUTDOWN_MS, //
};

/// How long unbinding waits for the modem to power the BAM once more, for pipes that could not be taken
/// down when the power went.
const ONCE_MORE_MS: u32 = 2000;

impl Link {
    /// Leaves the link in order, as far as the modem takes part: vote gone, power line low and
    /// acknowledged, no pipe put aside. Nothing connects or wakes any more. Sleeps up to
    /// [`SHUTDOWN_MS`] twice and [`ONCE_MORE_MS`] once.
    pub(crate) fn shutdown(&self, dmux: &Arc<Dmux>) {
        // A waker sees this within one step of its wait.
        self.live.store(false, Relaxed);
        self.progress.complete_all();
        let _no_waker = self.wake.lock();
        dmux.tx.close();
        self.let_go(dmux);
        if dmux.is_parked() && !self.may_touch() {
            // The power went before the modem had acknowledged that it may, which looks like a crash.
            self.have_powered(dmux);
            self.let_go(dmux);
        }
    }

    /// Runs `f` while no transition is under way. Who reports meanwhile that the firmware stops, and the
    /// power goes, waits for its end. Process context.
    pub(crate) fn hold_still(&self, f: impl FnOnce()) {
        let _one_at_a_time = self.transition.lock();
        f();
    }

    /// Takes the vote back and waits until nothing is connected.
    fn let_go(&self, dmux: &Arc<Dmux>) {
        self.vote(dmux, false);
        self.wait_while(dmux, SHUTDOWN_MS, |_| true, |this| !this.is_connected());
    }

    /// Votes until the modem has powered the BAM, and what was put aside is taken down.
    fn have_powered(&self, dmux: &Arc<Dmux>) {
        self.leaving.store(true, Relaxed);
        let ms = ONCE_MORE_MS;
        self.wait_while(
            dmux,
            ms,
            |_| true,
            |this| {
                let step = this.state.lock().wake_step();
                if step == WakeStep::Vote {
                    this.vote(dmux, true);
                }
                step == WakeStep::Gone || !dmux.is_parked()
            },
        );
    }
}
