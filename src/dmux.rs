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
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};

use super::{
    health::{
        Fault,
        Health, //
    },
    kabi::{
        devlink::Object,
        dmaengine::Notify,
        module,
        napi::{
            Napi,
            Poll,
            Poller, //
        },
        ratelimit::RateLimit,
        runtime_pm::{
            PmRef,
            RuntimePm, //
        },
        smsm::LineHandler,
        wakeup::WakeupSource,
        work::Work, //
    },
    link::Link,
    ports::Ports,
    protocol::handshake::Loss,
    rx::Rx,
    stats::Counters,
    tx::Tx, //
};

mod pipes;
mod sleep;
mod works;

use works::{
    WORK_CONNECT,
    WORK_GRACE,
    WORK_PORTS,
    WORK_PROBE,
    WORK_REFILL,
    WORK_WAKE,
    WORK_WATCH, //
};

/// One BAM-DMUX device.
#[pin_data]
pub(crate) struct Dmux {
    dev: ARef<Device>,
    pub(crate) pm: RuntimePm,
    pub(crate) wakeup: WakeupSource,
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
    #[pin]
    watch_work: Work<Dmux, WORK_WATCH>,
    #[pin]
    probe_work: Work<Dmux, WORK_PROBE>,
    #[pin]
    grace_work: Work<Dmux, WORK_GRACE>,
    #[pin]
    grace_usage: Mutex<Option<PmRef>>,
    /// Held while pipes are put aside that could not be taken down if the driver went now.
    #[pin]
    module: Mutex<Option<module::Pin>>,
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
                wakeup: WakeupSource::new(dev),
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
                watch_work <- Work::new(),
                probe_work <- Work::new(),
                grace_work <- Work::new(),
                grace_usage <- new_mutex!(None),
                module <- new_mutex!(None),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Makes receive and transmit completions live. Process context.
    pub(crate) fn start(self: &Arc<Self>) -> Result {
        self.take_over();
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

    /// Takes the pipes down, or leaves them behind. To be called after [`Dmux::stop`], when no interrupt
    /// of the modem's lines can call in any more. Process context.
    pub(crate) fn take_down(self: &Arc<Self>) {
        // If the modem took the power away after the interrupts were gone, it waits for the ack.
        self.link.follow_power(self);
        self.link.hold_still(|| {
            if self.link.may_touch() {
                self.disconnect();
                self.dispose();
            } else {
                self.leave_behind();
            }
        });
    }

    /// Ends what [`Dmux::stop`] had to leave alive for the sake of those who call in, and breaks the
    /// circles. To be called when nobody can call in any more. Process context.
    pub(crate) fn finish(self: &Arc<Self>) {
        self.napi.stop();
        // After NAPI, which queues works.
        self.disable_works();
        *self.grace_usage.lock() = None;
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

    /// The modem is lost: says so, takes the carrier from all interfaces and drops what waits.
    pub(crate) fn modem_lost(self: &Arc<Self>, loss: Loss) {
        let stopped = loss == Loss::Stopped;
        self.counters.modem_losses.inc();
        if !stopped {
            self.health.fault(Fault::Crash, c"found out by the driver");
        }
        if !stopped && self.may_log() {
            dev_warn!(self.dev(), "modem is lost ({loss:?}), waiting for it\n");
        }
        self.ports.modem_lost(stopped);
        self.tx.drop_waiting(self);
        self.ports_changed();
    }

    /// The modem has power (again), and may say which channels are open. Returns whether that matters.
    pub(crate) fn modem_powered(self: &Arc<Self>) -> bool {
        let held = self.ports.modem_powered();
        if held {
            // Keeps the power on for that long.
            *self.grace_usage.lock() = self.pm.get().ok();
            self.grace_later();
        }
        held
    }

    /// A modem that was lost has had its time to say which channels are open: interfaces follow if it
    /// is there, as it is then known to be. Not beside [`Dmux::modem_powered`].
    pub(crate) fn grace_over(self: &Arc<Self>, is_there: bool) {
        if is_there && self.ports.grace_over() {
            self.ports_changed();
        }
        *self.grace_usage.lock() = None;
    }

    /// Runtime PM wants the link up. Returns at once: whoever asked may hold RTNL, as the network core
    /// does for `ip link set up` of a detached interface and for ethtool, and the modem may take
    /// seconds. Process context.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the device is being unbound.
    pub(crate) fn vote_for_pm(self: &Arc<Self>) -> Result {
        if !self.link.is_live() {
            return Err(ENODEV);
        }
        self.wake_modem();
        Ok(())
    }

    /// Wakes the modem and sends what waits. Sleeps; bounded.
    ///
    /// # Errors
    ///
    /// As [`Link::wake`]; what waited is dropped and counted, unless the system is about to sleep.
    fn wake(self: &Arc<Self>) -> Result {
        self.link.wake(self).inspect_err(|&e| {
            if e != EAGAIN {
                self.tx.drop_waiting(self);
            }
        })
    }

    /// Has the rings polled. Any context.
    pub(crate) fn poll_soon(&self) {
        self.napi.schedule();
    }

    /// Makes the link work for somebody who waits for it. Sleeps; bounded as [`Link::wake`].
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the modem did not answer. What runtime PM says, when the system sleeps.
    pub(crate) fn recover_now(self: &Arc<Self>) -> Result {
        let _usage = self.pm.get()?;
        self.wake()
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

/// Interrupt handler of the modem's power line. Runs in SMSM's thread.
pub(crate) struct PowerLine(pub(crate) Arc<Dmux>);

impl LineHandler for PowerLine {
    fn changed(&self) {
        self.0.link.power_interrupt(&self.0);
    }
}

/// Interrupt handler of the modem's ack line. Runs in SMSM's thread.
pub(crate) struct AckLine(pub(crate) Arc<Dmux>);

impl LineHandler for AckLine {
    fn changed(&self) {
        self.0.link.follow_ack(&self.0);
    }
}
