// SPDX-License-Identifier: GPL-2.0

//! What the callbacks of one BAM-DMUX device share.
//!
//! Interrupts, DMA completions, NAPI, runtime PM, works and network interfaces all end up at one
//! [`Dmux`]. It owns the parts and hands events from one to the other; what an event means is
//! decided in the parts.
//!
//! # Life
//!
//! [`Dmux::start`] makes it live, [`Dmux::stop`] leaves nothing behind that could still call in:
//! interfaces first (no more frames from above), then the link (no more frames from the modem),
//! then NAPI and the works. References between the parts form circles while the device is live
//! (an interface refers to the `Dmux`, which lists the interface); `stop` breaks all of them.

use kernel::{
    device::Device,
    fmt,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::{
    health::Health,
    kabi::{
        devlink::Object,
        dmaengine::Notify,
        napi::{
            Napi,
            Poll,
            Poller, //
        },
        ratelimit::RateLimit,
        runtime_pm::RuntimePm,
        smsm::LineHandler,
        work::{
            impl_has_work,
            Work,
            WorkItem, //
        }, //
    },
    link::Link,
    ports::Ports,
    rx::Rx,
    stats::Counters,
    tx::Tx, //
};

/// Interfaces to create, detach or attach.
const WORK_PORTS: u64 = 0;
/// Frames wait for the modem to be woken.
const WORK_WAKE: u64 = 1;
/// Receive buffers are missing.
const WORK_REFILL: u64 = 2;
/// Connecting failed and is to be tried again.
const WORK_CONNECT: u64 = 3;

/// Pause before something that failed for want of memory is tried again, in milliseconds.
const RETRY_MS: u32 = 100;

/// One BAM-DMUX device.
#[pin_data]
pub(crate) struct Dmux {
    dev: ARef<Device>,
    pub(crate) pm: RuntimePm,
    pub(crate) counters: Counters,
    pub(crate) health: Arc<Health>,
    #[pin]
    log: RateLimit,
    #[pin]
    pub(crate) link: Link,
    #[pin]
    pub(crate) tx: Tx,
    #[pin]
    pub(crate) rx: Rx,
    #[pin]
    pub(crate) ports: Ports,
    #[pin]
    napi: Napi<PollHandler>,
    #[pin]
    ports_work: Work<Dmux, WORK_PORTS>,
    #[pin]
    wake_work: Work<Dmux, WORK_WAKE>,
    #[pin]
    refill_work: Work<Dmux, WORK_REFILL>,
    #[pin]
    connect_work: Work<Dmux, WORK_CONNECT>,
}

impl_has_work! {
    impl HasWork<Self, WORK_PORTS> for Dmux { self.ports_work }
    impl HasWork<Self, WORK_WAKE> for Dmux { self.wake_work }
    impl HasWork<Self, WORK_REFILL> for Dmux { self.refill_work }
    impl HasWork<Self, WORK_CONNECT> for Dmux { self.connect_work }
}

impl Dmux {
    /// Puts the parts together. Nothing is live yet, no hardware is touched.
    ///
    /// Process context. Fails with `ENOMEM`.
    pub(crate) fn new(dev: &Device, link: impl PinInit<Link, Error>) -> Result<Arc<Self>> {
        let tx = Tx::new()?;
        let rx = Rx::new()?;
        let health = Health::new()?;
        Arc::pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                pm: RuntimePm::new(dev),
                counters: Counters::new(),
                health,
                log <- RateLimit::new(),
                link <- link,
                tx <- tx,
                rx <- rx,
                ports <- Ports::new(),
                napi <- Napi::new(),
                ports_work <- Work::new(),
                wake_work <- Work::new(),
                refill_work <- Work::new(),
                connect_work <- Work::new(),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Makes receive and transmit completions live. Process context.
    pub(crate) fn start(self: &Arc<Self>) -> Result {
        self.napi
            .start(Arc::new(PollHandler(self.clone()), GFP_KERNEL)?);
        Ok(())
    }

    /// Takes everything down but the interrupts: interfaces, vote, pipes.
    ///
    /// Process context; bounded: one CLOSE drain and one [`Link::shutdown`].
    pub(crate) fn stop(self: &Arc<Self>) {
        self.ports.close();
        self.tx.drain();
        self.link.shutdown(self);
    }

    /// Ends what [`Dmux::stop`] had to leave alive for the interrupts' sake, and breaks the
    /// circles. To be called when no interrupt can call in any more. Process context.
    pub(crate) fn finish(self: &Arc<Self>) {
        // If the modem took the power away after the interrupts were gone, it waits for the ack.
        self.link.follow_power(self);
        self.disconnect();
        self.napi.stop();
        // After NAPI, which queues works.
        self.ports_work.cancel_sync();
        self.wake_work.cancel_sync();
        self.refill_work.cancel_sync();
        self.connect_work.cancel_sync();
        self.tx.purge(self);
        self.ports.free();
    }

    /// The platform device, for messages and as parent of DMA channels and interfaces.
    pub(crate) fn dev(&self) -> &Device {
        &self.dev
    }

    /// Whether a message about something that the modem can repeat may be logged now.
    pub(crate) fn may_log(&self) -> bool {
        self.log.allow(c"bam-dmux")
    }

    /// Connects both pipes, the receive ring filled. BAM has power. Process context.
    ///
    /// On error neither pipe is connected.
    pub(crate) fn connect(self: &Arc<Self>) -> Result {
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

    /// Wakes the modem on behalf of runtime PM and sends what waits. Sleeps; bounded.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the modem did not answer; what waited is dropped and counted.
    pub(crate) fn resume(self: &Arc<Self>) -> Result {
        self.link
            .wake(self)
            .inspect_err(|_| self.tx.drop_waiting(self))
    }

    /// Has the rings polled. Any context.
    pub(crate) fn poll_soon(&self) {
        self.napi.schedule();
    }

    /// Something went wrong: looks at the lines again, soon. Any context.
    pub(crate) fn recover_later(self: &Arc<Self>) {
        self.follow_power_later();
    }

    /// Makes the link work for somebody who waits for it. Sleeps; bounded as [`Dmux::resume`].
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the modem did not answer. What runtime PM says, when the system sleeps.
    pub(crate) fn recover_now(self: &Arc<Self>) -> Result {
        let _active = self.pm.resume_and_get()?;
        self.resume()
    }

    /// The device's state for health reports, besides that of link and rings. Process context.
    pub(crate) fn describe(&self, out: &mut Object<'_>) {
        self.ports.describe(out);
        out.object(c"counters", |out| self.counters.describe(out));
    }

    /// The device's state for people.
    pub(crate) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.link.show(f)?;
        self.tx.show(f)?;
        self.rx.show(f)?;
        self.ports.show(f)?;
        self.counters.show(f)
    }
}

/// NAPI's way to the device.
pub(crate) struct PollHandler(Arc<Dmux>);

impl Poller for PollHandler {
    fn poll(&self, poll: &Poll<'_>, budget: usize) -> usize {
        self.0.tx.reap(&self.0, poll);
        self.0.rx.poll(&self.0, poll, budget)
    }
}

impl Notify for Dmux {
    fn completed(&self) {
        self.poll_soon();
    }
}

impl WorkItem<WORK_PORTS> for Dmux {
    fn run(this: Arc<Self>) {
        this.ports.follow_channels(&this);
    }
}

impl WorkItem<WORK_WAKE> for Dmux {
    fn run(this: Arc<Self>) {
        let Ok(_active) = this.pm.resume_and_get() else {
            // A wake-up that failed has dropped what waited. What is there all the same came after
            // it, or runtime PM is off because the system sleeps.
            if this.tx.is_waiting() {
                this.announce_later();
            }
            return;
        };
        // Active, but the link may be down all the same: the modem took the power away in spite
        // of the vote.
        if this.tx.is_waiting() && this.resume().is_err() {
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

/// Interrupt handler of the modem's power line. Runs in SMSM's thread.
pub(crate) struct PowerLine(pub(crate) Arc<Dmux>);

impl LineHandler for PowerLine {
    fn changed(&self) {
        self.0.link.follow_power(&self.0);
    }
}

/// Interrupt handler of the modem's ack line. Runs in SMSM's thread.
pub(crate) struct AckLine(pub(crate) Arc<Dmux>);

impl LineHandler for AckLine {
    fn changed(&self) {
        self.0.link.follow_ack(&self.0);
    }
}
