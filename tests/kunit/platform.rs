// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of `src/kabi/platform.rs`: a driver that writes down what happens to it, on a platform
//! device made for the test.

use kernel::prelude::*;

#[kunit_tests(bam_dmux_platform)]
mod cases {
    use kernel::{
        sync::atomic::{
            Atomic,
            Relaxed, //
        },
        time::{
            delay::fsleep,
            Delta, //
        }, //
    };

    use super::super::*;

    use crate::kabi::runtime_pm::{
        RuntimePm,
        Status, //
    };

    /// What happened so far, one decimal digit per event, the oldest first.
    static EVENTS: Atomic<u64> = Atomic::new(0);
    /// Whether `start()`, `runtime_resume()` and `suspend()` fail.
    static START_FAILS: Atomic<bool> = Atomic::new(false);
    static SLEEP_FAILS: Atomic<bool> = Atomic::new(false);
    static RESUME_FAILS: Atomic<bool> = Atomic::new(false);

    const PROBE: u64 = 1;
    const START: u64 = 2;
    const RESUME: u64 = 3;
    const SUSPEND: u64 = 4;
    const UNBIND: u64 = 5;
    const DROP: u64 = 6;
    const SLEEP: u64 = 7;
    const WAKE: u64 = 8;

    /// The events of a test do not overlap: the PM core runs one callback at a time, and the tests
    /// wait for each.
    fn note(event: u64) {
        EVENTS.store(EVENTS.load(Relaxed) * 10 + event, Relaxed);
    }

    struct TestDriver;

    struct Data;

    impl Drop for Data {
        fn drop(&mut self) {
            note(DROP);
        }
    }

    impl Driver for TestDriver {
        type IdInfo = ();
        type Data = Data;
        const AUTOSUSPEND_MS: u32 = 10;

        fn probe<'a>(
            _dev: &'a platform::Device<Core<'_>>,
            _info: Option<&'a ()>,
        ) -> impl PinInit<Data, Error> + 'a {
            note(PROBE);
            Ok::<_, Error>(Data)
        }

        fn start(_dev: &platform::Device<Bound>, _data: Pin<&Data>) -> Result {
            note(START);
            if START_FAILS.load(Relaxed) {
                return Err(EIO);
            }
            Ok(())
        }

        fn unbind(_dev: &platform::Device<Bound>, _data: Pin<&Data>) {
            note(UNBIND);
        }

        fn suspend(_data: Pin<&Data>) -> Result {
            note(SLEEP);
            if SLEEP_FAILS.load(Relaxed) {
                return Err(EBUSY);
            }
            Ok(())
        }

        fn resume(_data: Pin<&Data>) {
            note(WAKE);
        }

        fn runtime_suspend(_data: Pin<&Data>) -> Result {
            note(SUSPEND);
            Ok(())
        }

        fn runtime_resume(_data: Pin<&Data>) -> Result {
            note(RESUME);
            if RESUME_FAILS.load(Relaxed) {
                return Err(ETIMEDOUT);
            }
            Ok(())
        }
    }

    /// A platform device that the driver is for, without a devicetree node.
    struct TestDevice(*mut bindings::platform_device);

    impl TestDevice {
        fn new(name: &'static CStr) -> Result<Self> {
            EVENTS.store(0, Relaxed);
            START_FAILS.store(false, Relaxed);
            RESUME_FAILS.store(false, Relaxed);
            SLEEP_FAILS.store(false, Relaxed);
            let info = bindings::platform_device_info {
                name: name.as_char_ptr(),
                id: -1,
                ..pin_init::zeroed()
            };
            // SAFETY: `info` and what it points to are valid during the call.
            let pdev = unsafe { bindings::platform_device_register_full(&info) };
            Ok(Self(kernel::error::from_err_ptr(pdev)?))
        }

        fn pm(&self) -> RuntimePm {
            // SAFETY: The platform device is valid as long as `self`.
            let dev = unsafe { &raw mut (*self.0).dev };
            // SAFETY: As above.
            RuntimePm::new(unsafe { Device::from_raw(dev) })
        }
    }

    impl TestDevice {
        /// Calls a system sleep callback as the PM core does: through the bus. Nobody binds or unbinds
        /// meanwhile.
        fn sleep_callback(
            &self,
            which: fn(
                &bindings::dev_pm_ops,
            ) -> Option<unsafe extern "C" fn(*mut bindings::device) -> c_int>,
        ) -> Result {
            // SAFETY: The platform device is valid as long as `self`, and on the platform bus, which has
            // PM operations for all of its devices.
            let (dev, ops) = unsafe {
                let dev = &raw mut (*self.0).dev;
                (dev, &*(*(*dev).bus).pm)
            };
            let callback = which(ops).ok_or(ENOENT)?;
            // SAFETY: `dev` is a valid device of the bus.
            to_result(unsafe { callback(dev) })
        }

        fn suspend(&self) -> Result {
            self.sleep_callback(|ops| ops.suspend)
        }

        fn resume(&self) -> Result {
            self.sleep_callback(|ops| ops.resume)
        }
    }

    impl Drop for TestDevice {
        fn drop(&mut self) {
            // SAFETY: `new()` has registered it.
            unsafe { bindings::platform_device_unregister(self.0) };
        }
    }

    /// Registers the driver for devices of that name. Each test has a name of its own: kernels that
    /// look for early frees keep a driver's directory for a while.
    fn register(
        name: &'static CStr,
    ) -> Result<Pin<KBox<driver::Registration<Adapter<TestDriver>>>>> {
        KBox::pin_init(
            driver::Registration::new(name, kernel::module::this_module::<crate::LocalModule>()),
            GFP_KERNEL,
        )
    }

    /// Waits until the device has the status, at most ten seconds.
    fn reaches(pm: &RuntimePm, status: Status) -> bool {
        for _ in 0..1000 {
            if pm.status() == status {
                return true;
            }
            fsleep(Delta::from_millis(10));
        }
        false
    }

    /// The data is there before the first callback and dropped after the last one; the device suspends
    /// by itself when nobody uses it.
    #[test]
    fn order_of_a_driver_s_life() -> Result {
        const NAME: &CStr = c"bam-dmux-kunit-order";
        let dev = TestDevice::new(NAME)?;
        let pm = dev.pm();
        let driver = register(NAME)?;
        assert!(EVENTS.load(Relaxed) == 12);
        let usage = pm.resume_and_get()?;
        assert!(usage.is_active());
        assert!(EVENTS.load(Relaxed) == 123);
        drop(usage);
        assert!(reaches(&pm, Status::Suspended));
        assert!(EVENTS.load(Relaxed) == 1234);
        drop(driver);
        // The driver core resumes the device before it unbinds it.
        assert!(EVENTS.load(Relaxed) % 100 == 56);
        assert!(pm.get().err() == Some(EACCES));
        assert!(pm.usage_count() == 0);
        Ok(())
    }

    /// A request that does not wait is served later, and the proof of being active comes with it.
    #[test]
    fn get_resumes_later() -> Result {
        const NAME: &CStr = c"bam-dmux-kunit-later";
        let dev = TestDevice::new(NAME)?;
        let pm = dev.pm();
        let _driver = register(NAME)?;
        let usage = pm.get()?;
        assert!(reaches(&pm, Status::Active));
        assert!(usage.is_active());
        // With a user it stays active, whatever the autosuspend delay is.
        fsleep(Delta::from_millis(50));
        assert!(usage.is_active());
        assert!(EVENTS.load(Relaxed) == 123);
        Ok(())
    }

    /// A start that fails is undone: unbind, data dropped, runtime PM off.
    #[test]
    fn failed_start_is_undone() -> Result {
        const NAME: &CStr = c"bam-dmux-kunit-start";
        let dev = TestDevice::new(NAME)?;
        let pm = dev.pm();
        START_FAILS.store(true, Relaxed);
        let _driver = register(NAME)?;
        assert!(EVENTS.load(Relaxed) == 1256);
        assert!(pm.get().err() == Some(EACCES));
        assert!(pm.usage_count() == 0);
        Ok(())
    }

    /// A resume that fails leaves no count behind, and the next one may succeed.
    #[test]
    fn failed_resume_can_be_tried_again() -> Result {
        const NAME: &CStr = c"bam-dmux-kunit-resume";
        let dev = TestDevice::new(NAME)?;
        let pm = dev.pm();
        let _driver = register(NAME)?;
        let before = pm.usage_count();
        RESUME_FAILS.store(true, Relaxed);
        assert!(pm.resume_and_get().err() == Some(ETIMEDOUT));
        assert!(pm.usage_count() == before);
        assert!(pm.status() == Status::Suspended);
        RESUME_FAILS.store(false, Relaxed);
        assert!(pm.resume_and_get().is_ok());
        assert!(EVENTS.load(Relaxed) == 1233);
        Ok(())
    }

    /// System sleep reaches the driver while it is bound, whatever its runtime PM status, and leaves the
    /// status alone. A refusal is passed on.
    #[test]
    fn system_sleep_reaches_a_bound_driver() -> Result {
        const NAME: &CStr = c"bam-dmux-kunit-sleep";
        let dev = TestDevice::new(NAME)?;
        let pm = dev.pm();
        // Without a driver there is nobody to tell.
        dev.suspend()?;
        dev.resume()?;
        assert!(EVENTS.load(Relaxed) == 0);
        let driver = register(NAME)?;
        dev.suspend()?;
        dev.resume()?;
        assert!(EVENTS.load(Relaxed) == 1278);
        assert!(pm.status() == Status::Suspended);
        let usage = pm.resume_and_get()?;
        SLEEP_FAILS.store(true, Relaxed);
        assert!(dev.suspend() == Err(EBUSY));
        assert!(EVENTS.load(Relaxed) == 127_837);
        assert!(usage.is_active());
        drop(usage);
        drop(driver);
        let events = EVENTS.load(Relaxed);
        dev.suspend()?;
        assert!(EVENTS.load(Relaxed) == events);
        Ok(())
    }

    /// Nothing calls back after unbinding, though a request for it was made just before.
    #[test]
    fn pending_resume_dies_with_the_driver() -> Result {
        const NAME: &CStr = c"bam-dmux-kunit-pending";
        let _driver = register(NAME)?;
        for _ in 0..20 {
            let dev = TestDevice::new(NAME)?;
            let pm = dev.pm();
            assert!(EVENTS.load(Relaxed) == 12);
            let usage = pm.get();
            drop(dev);
            assert!(EVENTS.load(Relaxed) % 10 == DROP);
            fsleep(Delta::from_millis(5));
            assert!(EVENTS.load(Relaxed) % 10 == DROP);
            drop(usage);
            assert!(pm.usage_count() == 0);
        }
        Ok(())
    }
}
