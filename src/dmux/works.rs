// SPDX-License-Identifier: GPL-2.0

//! What a device does later, or where it may sleep: its work items.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    super::{
        kabi::work::{
            impl_has_work,
            Work,
            WorkItem, //
        },
        protocol::{
            channels::GRACE_MS,
            stall::LOOK_MS, //
        }, //
    },
    Dmux, //
};

/// Interfaces to create, detach or attach.
pub(super) const WORK_PORTS: u64 = 0;
/// Frames wait for the modem to be woken.
pub(super) const WORK_WAKE: u64 = 1;
/// Receive buffers are missing.
pub(super) const WORK_REFILL: u64 = 2;
/// Connecting failed and is to be tried again.
pub(super) const WORK_CONNECT: u64 = 3;
/// The modem owes something: an ack, or frames that it has not taken.
pub(super) const WORK_WATCH: u64 = 4;
/// A modem that was lost is to be asked whether it is back.
pub(super) const WORK_PROBE: u64 = 5;
/// A modem that was lost has had its time to say which channels are open.
pub(super) const WORK_GRACE: u64 = 6;

/// Pause before something that failed for want of memory is tried again, in milliseconds.
const RETRY_MS: u32 = 100;

impl_has_work! {
    impl HasWork<Self, WORK_PORTS> for Dmux { self.ports_work }
    impl HasWork<Self, WORK_WAKE> for Dmux { self.wake_work }
    impl HasWork<Self, WORK_REFILL> for Dmux { self.refill_work }
    impl HasWork<Self, WORK_CONNECT> for Dmux { self.connect_work }
    impl HasWork<Self, WORK_WATCH> for Dmux { self.watch_work }
    impl HasWork<Self, WORK_PROBE> for Dmux { self.probe_work }
    impl HasWork<Self, WORK_GRACE> for Dmux { self.grace_work }
}

impl Dmux {
    /// Connecting failed with `error`: says so and tries again soon. Any context.
    pub(crate) fn connect_failed(self: &Arc<Self>, error: Error) {
        if self.may_log() {
            dev_err!(
                self.dev(),
                "can't set up the DMA pipes ({error:?}), trying again in {RETRY_MS} ms\n"
            );
        }
        self.follow_power_later();
    }

    /// Has the power line looked at once more, soon. Any context.
    pub(crate) fn follow_power_later(self: &Arc<Self>) {
        Work::<Dmux, WORK_CONNECT>::enqueue_delayed(self, RETRY_MS);
    }

    /// A channel was opened or closed: interfaces follow from a work. Any context.
    pub(crate) fn ports_changed(self: &Arc<Self>) {
        Work::<Dmux, WORK_PORTS>::enqueue(self);
    }

    /// An interface could not be created: tries again soon. Any context.
    pub(crate) fn ports_retry(self: &Arc<Self>) {
        Work::<Dmux, WORK_PORTS>::enqueue_delayed(self, RETRY_MS);
    }

    /// Frames wait and nobody is sending them: wakes the modem from a work. Any context.
    pub(crate) fn wake_modem(self: &Arc<Self>) {
        Work::<Dmux, WORK_WAKE>::enqueue(self);
    }

    /// A command could not be sent for want of memory: tries again soon. Any context.
    pub(crate) fn announce_later(self: &Arc<Self>) {
        Work::<Dmux, WORK_WAKE>::enqueue_delayed(self, RETRY_MS);
    }

    /// Receive buffers could not be had at once: a work that may sleep gets them. Any context.
    pub(crate) fn refill_later(self: &Arc<Self>) {
        Work::<Dmux, WORK_REFILL>::enqueue(self);
    }

    /// Has the modem watched, from some time on. Any context.
    pub(crate) fn watch_later(self: &Arc<Self>) {
        Work::<Dmux, WORK_WATCH>::enqueue_delayed(self, LOOK_MS);
    }

    /// Asks a modem that was lost whether it is back, `ms` milliseconds from now. Any context.
    pub(crate) fn probe_later(self: &Arc<Self>, ms: u32) {
        Work::<Dmux, WORK_PROBE>::mod_delayed(self, ms);
    }

    /// Waits until a modem that was lost has had its time to say which channels are open.
    pub(super) fn grace_later(self: &Arc<Self>) {
        Work::<Dmux, WORK_GRACE>::mod_delayed(self, GRACE_MS);
    }

    /// Ends all works; nobody can queue one any more, though runtime PM may still want to. Process
    /// context.
    pub(super) fn disable_works(&self) {
        self.ports_work.disable_sync();
        self.wake_work.disable_sync();
        self.refill_work.disable_sync();
        self.connect_work.disable_sync();
        self.watch_work.disable_sync();
        self.probe_work.disable_sync();
        self.grace_work.disable_sync();
    }
}

impl Dmux {
    /// Undoes one [`Dmux::disable_works`]. What works were asked to do before and since is forgotten.
    pub(super) fn enable_works(&self) {
        self.ports_work.enable();
        self.wake_work.enable();
        self.refill_work.enable();
        self.connect_work.enable();
        self.watch_work.enable();
        self.probe_work.enable();
        self.grace_work.enable();
    }
}

impl WorkItem<WORK_PORTS> for Dmux {
    fn run(this: Arc<Self>) {
        this.ports.follow_channels(&this);
        // The modem may have closed its last channel.
        this.link.listen(&this);
    }
}

impl WorkItem<WORK_WAKE> for Dmux {
    fn run(this: Arc<Self>) {
        // Does not wait: resuming ends up in this very work.
        let Ok(_usage) = this.pm.get() else {
            // Runtime PM is off because the system sleeps.
            if this.tx.is_waiting() {
                this.announce_later();
            }
            return;
        };
        if this.wake().is_err() {
            // Commands that are due go out with the next wake-up.
            return;
        }
        this.tx.announce(&this);
    }
}

impl WorkItem<WORK_REFILL> for Dmux {
    fn run(this: Arc<Self>) {
        if this.rx.refill(&this).is_err() {
            Work::<Dmux, WORK_REFILL>::enqueue_delayed(&this, RETRY_MS);
        }
    }
}

impl WorkItem<WORK_CONNECT> for Dmux {
    fn run(this: Arc<Self>) {
        this.link.follow_power(&this);
    }
}

impl WorkItem<WORK_WATCH> for Dmux {
    fn run(this: Arc<Self>) {
        if let Some(ms) = this.link.watch(&this) {
            Work::<Dmux, WORK_WATCH>::enqueue_delayed(&this, ms);
        }
    }
}

impl WorkItem<WORK_PROBE> for Dmux {
    fn run(this: Arc<Self>) {
        this.link.probe(&this);
    }
}

impl WorkItem<WORK_GRACE> for Dmux {
    fn run(this: Arc<Self>) {
        this.link.found(&this);
    }
}
