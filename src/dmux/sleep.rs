// SPDX-License-Identifier: GPL-2.0

//! System sleep of one device: in which order its parts come to rest and go on.
//!
//! ```text
//! suspend   no wake-up any more        frames that come from now on wait in the ring
//!           works disabled             waits for those that run
//!           interfaces detached        the stack keeps what it wants to send
//!           frames in flight           the modem takes them, or the sleep is refused
//!           vote taken back            `link/sleep.rs`
//! resume    works enabled              what they were asked to do meanwhile is not lost:
//!           interfaces attached        all that may be due is looked for
//!           power line followed
//!           the rest
//! ```
//!
//! Interfaces stay up, with their carrier: user space notices nothing. A queue that is only stopped would
//! not do, since there are machines on which timers go on in suspend to idle, the network watchdog's too.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    super::kabi::runtime_pm::Status,
    Dmux, //
};

impl Dmux {
    /// The system goes to sleep. Process context; bounded by one drain and `Link::fall_asleep`.
    ///
    /// # Errors
    ///
    /// `EBUSY` when the modem has not taken the frames that it was given, or has something to say.
    /// Everything goes on as before. Frames that it does not take for as long as it takes to call that a
    /// stall are no reason: nobody else would find out, if the system tries to sleep again and again.
    pub(crate) fn suspend(self: &Arc<Self>) -> Result {
        self.link.rest(self);
        self.disable_works();
        self.health.rest();
        self.ports.rest();
        let result = if self.tx.drain_pipe() || self.link.look_for_stall(self).1 {
            self.link.fall_asleep(self)
        } else {
            Err(EBUSY)
        };
        result.inspect_err(|_| {
            self.counters.sleeps_refused.inc();
            self.resume();
        })
    }

    /// The system is awake, or did not sleep. Process context.
    pub(crate) fn resume(self: &Arc<Self>) {
        self.enable_works();
        self.health.go_on();
        // Before the first frame can come, and at once: user space may want to bring an interface up
        // before the work runs.
        self.ports.go_on(self);
        self.link.wake_up(self);
        // Commands and frames that wait have the modem woken.
        self.tx.announce(self);
        self.ports_changed();
        self.refill_later();
        self.watch_later();
        self.link.go_on(self);
        // The PM core itself counts as one user until the system has resumed.
        if self.pm.status() == Status::Active && self.pm.usage_count() > 1 {
            self.wake_modem();
        }
    }

    /// A modem that was lost has power: gives it its time to say which channels are open, or not,
    /// once more.
    pub(crate) fn grace_again(self: &Arc<Self>, has_power: bool) {
        if has_power {
            self.grace_later();
        } else {
            *self.grace_usage.lock() = None;
        }
    }
}
