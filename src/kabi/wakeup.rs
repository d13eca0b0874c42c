// SPDX-License-Identifier: GPL-2.0

//! Devices that wake the system from sleep.
//!
//! [`Registration`] makes a device one of them, for as long as its driver is bound; user space has the
//! last word in `power/wakeup`. [`WakeupSource`] is the handle by which the driver says that something
//! happened for which the system has to be awake.
//!
//! ```ignore
//! let registration = Registration::new(dev, irq)?;    // `irq` ends a sleep
//! let source = WakeupSource::new(dev);
//! source.event(500);          // keeps the system awake for half a second
//! ```
//!
//! Limitations:
//! - The interrupt is one that somebody has requested; there is no dedicated wake-up interrupt.
//!
//! C headers: [`include/linux/pm_wakeup.h`](srctree/include/linux/pm_wakeup.h),
//! [`include/linux/pm_wakeirq.h`](srctree/include/linux/pm_wakeirq.h)

use super::{
    bindings,
    platform::device_as_raw, //
};

use kernel::{
    device::{
        Bound,
        Device, //
    },
    error::to_result,
    prelude::*,
    sync::aref::ARef, //
};

/// Makes a device a wake-up source. Dropping it ends that.
///
/// # Invariants
///
/// `dev` is wake-up capable, and has a wake-up interrupt, because of `self`.
pub struct Registration {
    dev: ARef<Device>,
}

impl Registration {
    /// Lets `irq` wake the system from sleep in the name of `dev`, unless user space says otherwise.
    ///
    /// While the system sleeps, the interrupt is not handled: it ends the sleep, and is handled when
    /// interrupts are on again. It need not be an interrupt of `dev`, but whoever has requested it must
    /// keep it for as long as `self` lives: the interrupt is only marked, not held.
    ///
    /// Process context, sleeps. One at a time for each device.
    ///
    /// # Errors
    ///
    /// - `ENXIO`: the interrupt's controller lets it wake nobody.
    /// - `EEXIST`: `dev` has a wake-up interrupt already. That is a bug, and warned about.
    /// - `ENOMEM`.
    pub fn new(dev: &Device<Bound>, irq: u32) -> Result<Self> {
        let raw = device_as_raw(dev);
        let number = c_int::try_from(irq).map_err(|_| EINVAL)?;
        // SAFETY: The function checks the number.
        to_result(unsafe { bindings::bam_dmux_helper_irq_can_wake(irq) })?;
        // SAFETY: `dev` is a valid device.
        to_result(unsafe { bindings::bam_dmux_helper_device_init_wakeup(raw, true) })?;
        // SAFETY: `dev` is a valid device. The number was checked above, and is only a number to the
        // PM core until the system sleeps.
        let attached =
            to_result(unsafe { bindings::bam_dmux_helper_dev_pm_set_wake_irq(raw, number) });
        if let Err(e) = attached {
            // SAFETY: `dev` is a valid device.
            unsafe { bindings::bam_dmux_helper_device_init_wakeup(raw, false) };
            return Err(e);
        }
        // INVARIANT: Both were done just now.
        let dev: &Device = dev;
        Ok(Self { dev: dev.into() })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let raw = device_as_raw(&self.dev);
        // SAFETY: `self.dev` is a valid device; the interrupt is the one of `new()`.
        unsafe { bindings::bam_dmux_helper_dev_pm_clear_wake_irq(raw) };
        // SAFETY: `self.dev` is a valid device. Disabling cannot fail.
        unsafe { bindings::bam_dmux_helper_device_init_wakeup(raw, false) };
    }
}

/// Handle on a device as a wake-up source. Does nothing for a device that is none, or that user space
/// has forbidden to be one.
///
/// All methods work in any context.
pub struct WakeupSource {
    dev: ARef<Device>,
}

impl WakeupSource {
    /// Makes a handle on `dev`. Whether it is a wake-up source does not matter yet.
    pub fn new(dev: &Device) -> Self {
        Self { dev: dev.into() }
    }

    /// Whether the device may wake the system now.
    pub fn may_wake(&self) -> bool {
        // SAFETY: `self.dev` is a valid device.
        unsafe { bindings::bam_dmux_helper_device_may_wakeup(device_as_raw(&self.dev)) }
    }

    /// Something has begun for which the system has to stay awake. It ends with the time given in the
    /// next [`event()`](Self::event).
    pub fn stay_awake(&self) {
        // SAFETY: `self.dev` is a valid device.
        unsafe { bindings::bam_dmux_helper_pm_stay_awake(device_as_raw(&self.dev)) };
    }

    /// Something has happened; the system has to stay awake for another `ms` milliseconds.
    ///
    /// This is for those who ask before they let the system sleep (autosleep, or user space with
    /// `/sys/power/wakeup_count`). A sleep that was ordered outright does not heed it.
    pub fn event(&self, ms: u32) {
        self.report(ms, false);
    }

    /// As [`event()`](Self::event), and a system that is about to sleep, or does, wakes up in any
    /// case.
    pub fn abort_sleep(&self, ms: u32) {
        self.report(ms, true);
    }

    fn report(&self, ms: u32, hard: bool) {
        // SAFETY: `self.dev` is a valid device.
        unsafe {
            bindings::bam_dmux_helper_pm_wakeup_event(device_as_raw(&self.dev), ms, hard);
        }
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_wakeup)]
mod tests {
    use super::*;
    use kernel::faux;

    /// An interrupt that does not exist wakes nobody, and leaves no wake-up source behind.
    #[test]
    fn no_interrupt_no_wakeup() -> Result {
        let reg = faux::Registration::new(c"bam-dmux-wakeup", None)?;
        let dev: &faux::Device<Bound> = reg.as_ref();
        let source = WakeupSource::new(dev.as_ref());
        assert!(Registration::new(dev.as_ref(), u32::MAX).is_err());
        assert!(Registration::new(dev.as_ref(), 0x7fff_ffff).is_err());
        assert!(!source.may_wake());
        // Nothing to report to: no effect.
        source.stay_awake();
        source.event(1);
        source.abort_sleep(1);
        Ok(())
    }
}
