// SPDX-License-Identifier: GPL-2.0

//! The link's health for user space: the devlink reporter "modem".
//!
//! The parts of the driver say what happened, from wherever they are: [`Health::fault`] when something
//! went wrong, [`Health::works`] when the modem does its part again. A work item tells devlink, which
//! takes its lock and may sleep, with none of the driver's locks held. Devlink keeps a dump of the
//! driver's state at the first fault, tells who listens, and calls back:
//!
//! - diagnose: what the link looks like now.
//! - dump: the same with channels, counters, and the fault that led to it.
//! - recover, by itself after a fault: a modem that did not answer is asked once more, a little later.
//!   After the other faults the link is about to do what can be done, without being told to. The state
//!   is "error" until the link is seen to work. For a user: the modem is woken, and the answer is the
//!   result.
//!
//! # Rate
//!
//! A modem that fails all the time must not keep the CPU or a listener busy. Faults are counted and
//! told at most every [`pending::PAUSE_MS`], one report for each kind. While the state is "error", or a
//! recovery is younger than [`GRACEFUL_PERIOD_MS`], devlink neither dumps nor recovers. Nothing is
//! logged here.
//!
//! # Locks
//!
//! `reporter` (slept under) → devlink's → those of the link and the rings. `pending` is innermost.
//!
//! Limitations:
//! - The dump shows the state when the work item ran, a moment after the fault.
//! - Devlink's own count is of reports, not of faults; "faults" in the diagnosis counts those.

use kernel::{
    device::{
        Bound,
        Device, //
    },
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};

use super::{
    dmux::Dmux,
    kabi::{
        devlink::{
            HealthReporter,
            Object,
            Registration,
            Reporter, //
        },
        sync::{
            new_spinlock_bh,
            SpinLockBh, //
        },
        work::{
            impl_has_work,
            Work,
            WorkItem, //
        }, //
    },
    stats::Counter, //
};

mod pending;

pub(crate) use pending::Fault;
use pending::{
    Happened,
    Pending,
    PerFault, //
};

/// Time after a recovery in which a new fault is not worth another dump, in milliseconds: longer than
/// the slowest wake-up that still succeeds (three waits of two seconds).
const GRACEFUL_PERIOD_MS: u64 = 10_000;

/// Collects what happens to the link of one device, and reports it.
#[pin_data]
pub(crate) struct Health {
    #[pin]
    pending: SpinLockBh<Pending>,
    /// There was a fault, and the link was not seen to work since.
    failing: Atomic<bool>,
    /// A user's attempt to recover is under way: its result is the answer.
    recovering: Atomic<bool>,
    faults: PerFault<Counter>,
    recoveries: Counter,
    #[pin]
    reporter: Mutex<Option<Pin<KBox<Reporter<Modem>>>>>,
    #[pin]
    work: Work<Health>,
}

impl_has_work! {
    impl HasWork<Self, 0> for Health { self.work }
}

impl Health {
    /// Nothing has happened; nobody is told until [`Health::start`].
    ///
    /// Process context. Fails with `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                pending <- new_spinlock_bh!(Pending::default()),
                failing: Atomic::new(false),
                recovering: Atomic::new(false),
                faults: PerFault {
                    crash: Counter::new(),
                    wake_timeout: Counter::new(),
                    tx_stall: Counter::new(),
                },
                recoveries: Counter::new(),
                reporter <- new_mutex!(None),
                work <- Work::new(),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Shows the reporter to user space. Its callbacks may come at once. Process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn start(&self, dev: &Device<Bound>, dmux: &Arc<Dmux>) -> Result {
        let reporter = Reporter::new(Registration::new(dev)?, Modem { dmux: dmux.clone() });
        *self.reporter.lock() = Some(KBox::pin_init(reporter, GFP_KERNEL)?);
        Ok(())
    }

    /// Takes the reporter away: no callback runs any more, nobody is told of anything. Process context;
    /// waits for a user's attempt to recover.
    pub(crate) fn stop(&self) {
        self.work.disable_sync();
        let reporter = self.reporter.lock().take();
        // Without the lock, which callbacks do not take, but nobody shall wait for it that long.
        drop(reporter);
    }

    /// Nobody is told of anything until [`Health::go_on`], since the system is to sleep. Process context.
    pub(crate) fn rest(&self) {
        self.work.disable_sync();
    }

    /// Undoes [`Health::rest`], and tells what has happened since.
    pub(crate) fn go_on(self: &Arc<Self>) {
        self.work.enable();
        Work::<Self>::enqueue(self);
    }

    /// Something went wrong; `detail` says more about it in a few words. Any context but hard
    /// interrupts.
    pub(crate) fn fault(self: &Arc<Self>, fault: Fault, detail: &'static CStr) {
        self.faults.of(fault).inc();
        let delay = {
            let mut pending = self.pending.lock();
            pending.fault(fault, detail);
            self.failing.store(true, Relaxed);
            pending.delay()
        };
        Work::<Self>::enqueue_delayed(self, delay);
    }

    /// The modem did its part: the link works, as far as can be seen. Any context but hard interrupts;
    /// cheap unless there was a fault before.
    pub(crate) fn works(self: &Arc<Self>) {
        if !self.failing.load(Relaxed) || self.recovering.load(Relaxed) {
            return;
        }
        let delay = {
            let mut pending = self.pending.lock();
            pending.works = true;
            self.failing.store(false, Relaxed);
            pending.delay()
        };
        self.recoveries.inc();
        Work::<Self>::enqueue_delayed(self, delay);
    }

    /// Wakes the modem for a user. Sleeps, as long as a wake-up may take.
    fn recover(&self, dmux: &Arc<Dmux>) -> Result {
        self.recovering.store(true, Relaxed);
        let result = dmux.recover_now();
        if result.is_ok() {
            let mut pending = self.pending.lock();
            pending.works = false;
            self.failing.store(false, Relaxed);
            self.recoveries.inc();
        }
        self.recovering.store(false, Relaxed);
        result
    }

    fn describe(&self, out: &mut Object<'_>) {
        out.bool(c"failing", self.failing.load(Relaxed));
        out.object(c"faults", |out| {
            for fault in Fault::ALL {
                out.u64(fault.name(), self.faults.of(fault).get());
            }
        });
        out.u64(c"recoveries", self.recoveries.get());
    }
}

impl WorkItem for Health {
    fn run(this: Arc<Self>) {
        let reporter = this.reporter.lock();
        let Some(reporter) = &*reporter else {
            return;
        };
        let news = this.pending.lock().take();
        for fault in Fault::ALL {
            let happened = *news.faults.of(fault);
            if happened.times > 0 {
                // Whether it is recovered by now is told below, or later.
                let _ = reporter.report(fault.message(), &Cause { fault, happened });
            }
        }
        if news.works {
            reporter.recovered();
        }
    }
}

/// What a report is about: a fault, and how it happened since the report before.
struct Cause {
    fault: Fault,
    happened: Happened,
}

/// The reporter's callbacks. Devlink's lock is held in all of them.
struct Modem {
    dmux: Arc<Dmux>,
}

#[vtable]
impl HealthReporter for Modem {
    const NAME: &'static CStr = c"modem";
    const GRACEFUL_PERIOD_MS: u64 = GRACEFUL_PERIOD_MS;
    type Context = Cause;

    fn recover(&self, cause: Option<&Cause>) -> Result {
        match cause {
            Some(cause) => {
                if cause.fault == Fault::WakeTimeout {
                    self.dmux.link.ask_again(&self.dmux);
                }
                Err(EINPROGRESS)
            }
            None => self.dmux.health.recover(&self.dmux),
        }
    }

    fn dump(&self, cause: Option<&Cause>, out: &mut Object<'_>) -> Result {
        if let Some(cause) = cause {
            out.string(c"fault", cause.fault.name());
            out.string(c"detail", cause.happened.detail);
            out.u32(c"times", cause.happened.times);
        }
        self.diagnose(out)?;
        self.dmux.describe(out);
        Ok(())
    }

    fn diagnose(&self, out: &mut Object<'_>) -> Result {
        let dmux = &self.dmux;
        dmux.health.describe(out);
        out.object(c"link", |out| dmux.link.describe(out));
        out.object(c"tx", |out| dmux.tx.describe(out));
        out.object(c"rx", |out| dmux.rx.describe(out));
        Ok(())
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_health)]
mod tests {
    use super::*;

    /// Without a reporter nothing is told, and nothing is lost or left behind.
    #[test]
    fn nobody_to_tell() -> Result {
        let health = Health::new()?;
        health.works();
        assert!(health.recoveries.get() == 0);
        health.fault(Fault::Crash, c"");
        health.works();
        health.works();
        assert!(health.recoveries.get() == 1);
        health.stop();
        health.fault(Fault::Crash, c"");
        assert!(health.faults.of(Fault::Crash).get() == 2);
        assert!(Arc::into_unique_or_drop(health).is_some());
        Ok(())
    }
}
