// SPDX-License-Identifier: GPL-2.0

//! Runtime power management from the side of a device's user.
//!
//! [`RuntimePm`] is the handle on a device, [`PmRef`] one count of its usage counter. The callbacks are
//! in [`platform`](super::platform).
//!
//! ```ignore
//! let pm = RuntimePm::new(dev);
//! let usage = pm.get()?;              // asks for a resume, does not wait for it
//! if usage.is_active() {
//!     touch_the_hardware();           // stays resumed as long as `usage` lives
//! }
//! drop(usage);                        // autosuspend timer starts
//! ```
//!
//! Limitations:
//! - `pm_runtime_force_suspend()` suspends a device in spite of its usage counter. What is said of
//!   [`PmRef`] holds only for drivers that do not use it for system sleep.
//!
//! C header: [`include/linux/pm_runtime.h`](srctree/include/linux/pm_runtime.h)

use super::{
    bindings,
    platform::device_as_raw, //
};

use kernel::{
    device::Device,
    error::to_result,
    prelude::*,
    sync::aref::ARef, //
};

/// What runtime PM knows of a device, as `/sys/devices/.../power/runtime_status` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Resumed.
    Active,
    /// The resume callback runs.
    Resuming,
    /// Suspended, also before the first resume.
    Suspended,
    /// The suspend callback runs.
    Suspending,
    /// None of the above: the kernel has blocked runtime PM of this device, or has none.
    Unknown,
}

/// Handle on the runtime PM of a device.
///
/// All methods work in any context, also in softirq and with spinlocks held, unless they say
/// otherwise.
pub struct RuntimePm {
    dev: ARef<Device>,
}

impl RuntimePm {
    /// Makes a handle on `dev`. Whether runtime PM is enabled does not matter yet.
    pub fn new(dev: &Device) -> Self {
        Self { dev: dev.into() }
    }

    /// Counts one more user and, if the device is not active, asks for a resume without waiting
    /// for it. The resume callback runs later, in a work item of the kernel.
    ///
    /// The device does not suspend as long as the returned [`PmRef`] lives. Whether it is active
    /// *now* tells [`PmRef::is_active()`].
    ///
    /// # Errors
    ///
    /// The count is back where it was.
    ///
    /// - `EACCES`: runtime PM is disabled (the driver is not bound, or the system sleeps).
    /// - `EINVAL`: an earlier suspend failed for good.
    pub fn get(&self) -> Result<PmRef> {
        // SAFETY: `self.dev` is a valid device.
        let ret = unsafe { bindings::bam_dmux_helper_pm_runtime_get(device_as_raw(&self.dev)) };
        // 1: is active. 0: the request is queued. EINPROGRESS: a resume is under way, or will
        // follow the suspend that is under way.
        if ret < 0 && ret != EINPROGRESS.to_errno() {
            // `pm_runtime_get()` has raised the counter even though it failed.
            //
            // SAFETY: `self.dev` is a valid device, and this gives back the count from above.
            unsafe { bindings::bam_dmux_helper_pm_runtime_put_noidle(device_as_raw(&self.dev)) };
            return Err(Error::from_errno(ret));
        }
        // INVARIANT: The counter was raised by one, for this object.
        Ok(PmRef {
            dev: self.dev.clone(),
        })
    }

    /// As [`get()`](Self::get), but waits until the device is active.
    ///
    /// Process context, sleeps as long as the resume callback does.
    ///
    /// # Errors
    ///
    /// As [`get()`](Self::get), and the error of the resume callback. The count is back where it
    /// was.
    pub fn resume_and_get(&self) -> Result<PmRef> {
        // SAFETY: `self.dev` is a valid device. The function gives its count back when it fails.
        to_result(unsafe {
            bindings::bam_dmux_helper_pm_runtime_resume_and_get(device_as_raw(&self.dev))
        })?;
        Ok(PmRef {
            dev: self.dev.clone(),
        })
    }

    /// Returns the present status. It may change at once, so it is for messages and statistics;
    /// what must stay active needs a [`PmRef`].
    pub fn status(&self) -> Status {
        status(&self.dev)
    }

    /// Returns the usage counter, for messages and statistics.
    pub fn usage_count(&self) -> i32 {
        // SAFETY: `self.dev` is a valid device.
        unsafe { bindings::bam_dmux_helper_pm_usage_count(device_as_raw(&self.dev)) }
    }
}

fn status(dev: &Device) -> Status {
    // SAFETY: `dev` is a valid device.
    match unsafe { bindings::bam_dmux_helper_pm_runtime_status(device_as_raw(dev)) } {
        bindings::rpm_status_RPM_ACTIVE => Status::Active,
        bindings::rpm_status_RPM_RESUMING => Status::Resuming,
        bindings::rpm_status_RPM_SUSPENDED => Status::Suspended,
        bindings::rpm_status_RPM_SUSPENDING => Status::Suspending,
        _ => Status::Unknown,
    }
}

/// One count of a device's usage counter: the device is not suspended as long as this lives.
///
/// Dropping it gives the count back, restarts the autosuspend delay and, if it was the last one,
/// starts the autosuspend timer. Works in any context.
///
/// # Invariants
///
/// `self` owns exactly one count of the usage counter of `dev`.
#[must_use = "dropping it at once lets the device suspend again"]
pub struct PmRef {
    dev: ARef<Device>,
}

impl PmRef {
    /// Returns whether the device is resumed. Once `true`, it stays so as long as `self` lives.
    pub fn is_active(&self) -> bool {
        // By the type invariant, the usage counter is not zero as long as `self` lives. The PM core
        // checks the counter and changes the status under one lock, which the get that made `self` has
        // taken after it had raised the counter: a suspend that came before is visible in the status, and
        // none comes after.
        status(&self.dev) == Status::Active
    }
}

impl Drop for PmRef {
    fn drop(&mut self) {
        // The result only tells whether a suspend could be scheduled: with other users it is not,
        // and with runtime PM disabled neither. The count is given back in any case.
        //
        // SAFETY: By the type invariant, there is a count to give back.
        unsafe { bindings::bam_dmux_helper_pm_runtime_put_autosuspend(device_as_raw(&self.dev)) };
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_runtime_pm)]
mod tests {
    use super::*;
    use kernel::{
        device::Bound,
        faux, //
    };

    fn device(reg: &faux::Registration) -> &Device {
        let dev: &faux::Device<Bound> = reg.as_ref();
        dev.as_ref()
    }

    /// Enables runtime PM of a device that has no callbacks, for one test.
    struct Enabled<'a>(&'a Device);

    impl<'a> Enabled<'a> {
        fn new(dev: &'a Device) -> Self {
            // SAFETY: `dev` is a valid device; `Drop` disables runtime PM again.
            unsafe { bindings::pm_runtime_enable(device_as_raw(dev)) };
            Self(dev)
        }
    }

    impl Drop for Enabled<'_> {
        fn drop(&mut self) {
            // SAFETY: `new()` has enabled runtime PM of this valid device.
            unsafe { bindings::__pm_runtime_disable(device_as_raw(self.0), false) };
        }
    }

    /// With runtime PM disabled, a get fails with EACCES and leaves no count behind.
    #[test]
    fn get_while_disabled_leaves_no_count() -> Result {
        let reg = faux::Registration::new(c"bam-dmux-pm-off", None)?;
        let pm = RuntimePm::new(device(&reg));
        let before = pm.usage_count();
        assert!(pm.get().err() == Some(EACCES));
        assert!(pm.usage_count() == before);
        Ok(())
    }

    /// One get is one count, one drop gives one back.
    #[test]
    fn one_count_per_reference() -> Result {
        let reg = faux::Registration::new(c"bam-dmux-pm-count", None)?;
        let dev = device(&reg);
        let pm = RuntimePm::new(dev);
        let _enabled = Enabled::new(dev);
        let before = pm.usage_count();
        let first = pm.get()?;
        let second = pm.get()?;
        assert!(pm.usage_count() == before + 2);
        drop(first);
        assert!(pm.usage_count() == before + 1);
        drop(second);
        assert!(pm.usage_count() == before);
        Ok(())
    }

    /// A device is active after a resume, and not before.
    #[test]
    fn active_only_after_resume() -> Result {
        let reg = faux::Registration::new(c"bam-dmux-pm-active", None)?;
        let dev = device(&reg);
        let pm = RuntimePm::new(dev);
        assert!(pm.status() == Status::Suspended);
        let _enabled = Enabled::new(dev);
        let usage = pm.resume_and_get()?;
        assert!(usage.is_active());
        assert!(pm.status() == Status::Active);
        Ok(())
    }
}
