// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of `src/kabi/devlink.rs`.
//!
//! What user space gets to see is tested from there (`tests/e2e/scenarios/health.py`).

use kernel::prelude::*;

#[kunit_tests(bam_dmux_devlink)]
mod cases {
    use kernel::{
        faux,
        str::CString,
        sync::{
            atomic::{
                Atomic,
                Full,
                Relaxed, //
            },
            Arc, //
        },
        time::{
            delay::fsleep,
            Delta, //
        }, //
    };

    use super::super::{
        super::work::{
            impl_has_work,
            Work,
            WorkItem, //
        },
        *,
    };

    /// Where the kernel has devlink, each expectation of a callback is one; elsewhere it is none.
    const fn here(times: i32) -> i32 {
        if cfg!(CONFIG_NET_DEVLINK) {
            times
        } else {
            0
        }
    }

    /// The result that a report has where the kernel has devlink.
    fn gives(result: Result, expected: Result) -> bool {
        result
            == if cfg!(CONFIG_NET_DEVLINK) {
                expected
            } else {
                Ok(())
            }
    }

    /// What the callbacks of a reporter saw.
    struct Seen {
        recoveries: Atomic<i32>,
        dumps: Atomic<i32>,
        /// Sum of the contexts of both.
        contexts: Atomic<i32>,
        dropped: Atomic<i32>,
    }

    impl Seen {
        fn new() -> Result<Arc<Self>> {
            Ok(Arc::new(
                Self {
                    recoveries: Atomic::new(0),
                    dumps: Atomic::new(0),
                    contexts: Atomic::new(0),
                    dropped: Atomic::new(0),
                },
                GFP_KERNEL,
            )?)
        }

        fn is(&self, recoveries: i32, dumps: i32) -> bool {
            self.recoveries.load(Relaxed) == here(recoveries)
                && self.dumps.load(Relaxed) == here(dumps)
        }
    }

    /// A reporter with recovery and dump. `GRACE`: its graceful period in milliseconds.
    struct Card<const GRACE: u64> {
        seen: Arc<Seen>,
        /// What recovery ends with.
        result: Result,
        /// Whether the dump has a string that no message can hold.
        oversized: bool,
    }

    impl<const GRACE: u64> Card<GRACE> {
        fn new(seen: &Arc<Seen>) -> Self {
            Self {
                seen: seen.clone(),
                result: Ok(()),
                oversized: false,
            }
        }

        fn context(&self, context: Option<&i32>) {
            self.seen
                .contexts
                .fetch_add(context.copied().unwrap_or(1000), Full);
        }
    }

    impl<const GRACE: u64> Drop for Card<GRACE> {
        fn drop(&mut self) {
            self.seen.dropped.fetch_add(1, Full);
        }
    }

    #[vtable]
    impl<const GRACE: u64> HealthReporter for Card<GRACE> {
        const NAME: &'static CStr = c"card";
        const GRACEFUL_PERIOD_MS: u64 = GRACE;
        type Context = i32;

        fn recover(&self, context: Option<&i32>) -> Result {
            self.context(context);
            self.seen.recoveries.fetch_add(1, Full);
            self.result
        }

        fn dump(&self, context: Option<&i32>, out: &mut Object<'_>) -> Result {
            self.context(context);
            self.seen.dumps.fetch_add(1, Full);
            out.bool(c"bool", true);
            out.u32(c"u32", u32::MAX);
            out.u64(c"u64", u64::MAX);
            out.text(c"text", fmt!("{:1000}", "longer than the buffer"));
            out.object(c"object", |out| {
                out.array(c"array", |out| {
                    out.u32(1);
                    out.string(c"two");
                    out.object(|out| out.string(c"name", c"value"));
                });
            });
            if self.oversized {
                out.string(c"string", &CString::try_from_fmt(fmt!("{:50000}", "x"))?);
            }
            Ok(())
        }
    }

    /// Reporters of which two work items make use at the same time.
    #[pin_data]
    struct Busy {
        #[pin]
        reporter: Reporter<Narrow>,
        #[pin]
        first: Work<Busy, 1>,
        #[pin]
        second: Work<Busy, 2>,
        done: Atomic<i32>,
    }

    impl_has_work! {
        impl HasWork<Self, 1> for Busy { self.first }
        impl HasWork<Self, 2> for Busy { self.second }
    }

    impl Busy {
        const REPORTS: i32 = 50;

        fn report(&self) {
            for _ in 0..Self::REPORTS {
                if self.reporter.report(c"broken", &()).is_ok() {
                    self.done.fetch_add(1, Full);
                }
            }
        }
    }

    impl WorkItem<1> for Busy {
        fn run(this: Arc<Self>) {
            this.report();
        }
    }

    impl WorkItem<2> for Busy {
        fn run(this: Arc<Self>) {
            this.report();
        }
    }

    /// A reporter whose callback counts who is in it.
    struct Narrow {
        inside: Atomic<i32>,
        calls: Atomic<i32>,
        collisions: Atomic<i32>,
    }

    #[vtable]
    impl HealthReporter for Narrow {
        const NAME: &'static CStr = c"narrow";
        type Context = ();

        fn recover(&self, _context: Option<&()>) -> Result {
            if self.inside.fetch_add(1, Full) != 0 {
                self.collisions.fetch_add(1, Full);
            }
            fsleep(Delta::from_micros(50));
            self.inside.fetch_sub(1, Full);
            self.calls.fetch_add(1, Full);
            Ok(())
        }
    }

    /// A reporter without callbacks.
    struct Mute;

    #[vtable]
    impl HealthReporter for Mute {
        const NAME: &'static CStr = c"mute";
        type Context = ();
    }

    fn device() -> Result<faux::Registration> {
        faux::Registration::new(c"bam-dmux-kunit-devlink", None)
    }

    fn devlink(device: &faux::Registration) -> Result<Arc<Registration>> {
        let device: &faux::Device<_> = device.as_ref();
        Registration::new(device.as_ref())
    }

    fn reporter<T: HealthReporter>(
        devlink: &Arc<Registration>,
        data: T,
    ) -> Result<Pin<KBox<Reporter<T>>>> {
        KBox::pin_init(
            Reporter::new::<core::convert::Infallible>(devlink.clone(), data),
            GFP_KERNEL,
        )
    }

    /// A report is dumped and recovered once each, with the context of the report, and at the end the
    /// data is dropped once, though the dump is still there.
    #[test]
    fn report_is_dumped_and_recovered() -> Result {
        let device = device()?;
        let seen = Seen::new()?;
        let devlink = devlink(&device)?;
        let card = reporter(&devlink, Card::<0>::new(&seen))?;
        assert!(card.data().result.is_ok());
        assert!(card.report(c"broken", &7).is_ok());
        assert!(seen.is(1, 1));
        assert!(seen.contexts.load(Relaxed) == here(14));

        // The first dump is kept, recovery is tried each time.
        assert!(card.report(c"broken again", &7).is_ok());
        assert!(seen.is(2, 1));

        drop(card);
        assert!(seen.dropped.load(Relaxed) == 1);
        assert!(Arc::into_unique_or_drop(seen).is_some());
        Ok(())
    }

    /// Within the graceful period after a recovery a fault is neither dumped nor recovered.
    #[test]
    fn graceful_period_keeps_recovery_from_looping() -> Result {
        let device = device()?;
        let seen = Seen::new()?;
        let card = reporter(&devlink(&device)?, Card::<3_600_000>::new(&seen))?;
        assert!(card.report(c"broken", &0).is_ok());
        for _ in 0..100 {
            assert!(gives(card.report(c"in a loop", &0), Err(ECANCELED)));
        }
        assert!(seen.is(1, 1));
        Ok(())
    }

    /// A recovery that failed is not tried again until somebody says that the device works.
    #[test]
    fn failed_recovery_stays_an_error_until_recovered() -> Result {
        let device = device()?;
        let seen = Seen::new()?;
        let mut data = Card::<0>::new(&seen);
        data.result = Err(EINPROGRESS);
        let card = reporter(&devlink(&device)?, data)?;
        assert!(gives(card.report(c"broken", &0), Err(EINPROGRESS)));
        assert!(gives(card.report(c"still broken", &0), Err(ECANCELED)));
        assert!(seen.is(1, 1));
        card.recovered();
        assert!(gives(card.report(c"broken anew", &0), Err(EINPROGRESS)));
        assert!(seen.is(2, 1));
        Ok(())
    }

    /// A reporter without callbacks counts reports, and a report without anybody to recover succeeds.
    #[test]
    fn callbacks_are_optional() -> Result {
        let device = device()?;
        let mute = reporter(&devlink(&device)?, Mute)?;
        for _ in 0..3 {
            assert!(mute.report(c"nobody can help", &()).is_ok());
        }
        mute.recovered();
        Ok(())
    }

    /// Two reporters of one instance must have different names; a name is free again when its reporter
    /// was dropped. Data that found no place is dropped.
    #[test]
    fn names_are_unique() -> Result {
        let device = device()?;
        let devlink = devlink(&device)?;
        let seen = Seen::new()?;
        let _mute = reporter(&devlink, Mute)?;
        let first = reporter(&devlink, Card::<0>::new(&seen))?;
        let second = reporter(&devlink, Card::<0>::new(&seen));
        assert!(gives(second.map(drop), Err(EEXIST)));
        assert!(seen.dropped.load(Relaxed) == 1);
        assert!(first.report(c"broken", &0).is_ok());
        assert!(seen.is(1, 1));
        drop(first);
        drop(reporter(&devlink, Card::<0>::new(&seen))?);
        assert!(seen.dropped.load(Relaxed) == 3);
        Ok(())
    }

    /// The registration lives as long as a reporter needs it.
    #[test]
    fn reporter_keeps_the_instance_registered() -> Result {
        let device = device()?;
        let seen = Seen::new()?;
        let devlink = devlink(&device)?;
        let card = reporter(&devlink, Card::<0>::new(&seen))?;
        drop(devlink);
        assert!(card.report(c"broken", &0).is_ok());
        assert!(seen.is(1, 1));
        Ok(())
    }

    /// When the device is unbound before the reporter is dropped, nobody is called any more, reports and
    /// new reporters fail, and everything can still be dropped in order.
    #[test]
    fn unbound_device_ends_reports() -> Result {
        let device = device()?;
        let seen = Seen::new()?;
        let devlink = devlink(&device)?;
        let card = reporter(&devlink, Card::<0>::new(&seen))?;
        assert!(card.report(c"broken", &0).is_ok());
        drop(device);
        assert!(gives(card.report(c"gone", &0), Err(ENODEV)));
        card.recovered();
        assert!(gives(reporter(&devlink, Mute).map(drop), Err(ENODEV)));
        assert!(seen.is(1, 1));
        drop(card);
        assert!(seen.dropped.load(Relaxed) == 1);
        drop(devlink);
        Ok(())
    }

    /// A dump that no message can hold is given up as a whole, and the report goes on; the next one is
    /// dumped again.
    #[test]
    fn oversized_dump_is_given_up() -> Result {
        let device = device()?;
        let seen = Seen::new()?;
        let mut data = Card::<0>::new(&seen);
        data.oversized = true;
        let card = reporter(&devlink(&device)?, data)?;
        for reports in 1..=3 {
            assert!(card.report(c"broken", &0).is_ok());
            assert!(seen.is(reports, reports));
        }
        Ok(())
    }

    /// Reports of two tasks are all made, one at a time; then the reporter can be dropped.
    #[test]
    fn reports_do_not_overlap() -> Result {
        let device = device()?;
        let narrow = Narrow {
            inside: Atomic::new(0),
            calls: Atomic::new(0),
            collisions: Atomic::new(0),
        };
        let reporter = Reporter::new::<core::convert::Infallible>(devlink(&device)?, narrow);
        let busy = Arc::pin_init(
            try_pin_init!(Busy {
                reporter <- reporter,
                first <- Work::new(),
                second <- Work::new(),
                done: Atomic::new(0),
            }? Error),
            GFP_KERNEL,
        )?;
        Work::<Busy, 1>::enqueue(&busy);
        Work::<Busy, 2>::enqueue(&busy);
        for _ in 0..1000 {
            if busy.done.load(Relaxed) == 2 * Busy::REPORTS {
                break;
            }
            fsleep(Delta::from_millis(5));
        }
        busy.first.cancel_sync();
        busy.second.cancel_sync();
        let narrow = busy.reporter.data();
        assert!(busy.done.load(Relaxed) == 2 * Busy::REPORTS);
        assert!(narrow.calls.load(Relaxed) == here(2 * Busy::REPORTS));
        assert!(narrow.collisions.load(Relaxed) == 0);
        assert!(Arc::into_unique_or_drop(busy).is_some());
        Ok(())
    }

    /// How many references to a device there are.
    fn references(device: &faux::Registration) -> i32 {
        let device: &faux::Device<_> = device.as_ref();
        let raw = super::super::super::platform::device_as_raw(device.as_ref());
        // SAFETY: The device is valid. Others may change the count, but any value of it is valid.
        unsafe { (&raw const (*raw).kobj.kref.refcount.refs.counter).read_volatile() }
    }

    /// A device can be given instances one after the other, each with reports, a hundred times. None of
    /// them is left: each would hold a reference to the device.
    #[test]
    fn instances_come_and_go() -> Result {
        let device = device()?;
        let before = references(&device);
        let seen = Seen::new()?;
        for round in 1..=100 {
            let card = reporter(&devlink(&device)?, Card::<0>::new(&seen))?;
            assert!(card.report(c"broken", &0).is_ok());
            assert!(seen.is(round, round));
        }
        assert!(seen.dropped.load(Relaxed) == 100);
        // They are freed after an RCU grace period.
        for _ in 0..1000 {
            if references(&device) == before {
                return Ok(());
            }
            fsleep(Delta::from_millis(5));
        }
        kernel::pr_err!("references: {before}, then {}\n", references(&device));
        Err(EBUSY)
    }
}
