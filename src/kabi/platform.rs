// SPDX-License-Identifier: GPL-2.0

//! Platform drivers with power management.
//!
//! `kernel::platform` registers a driver without `dev_pm_ops`. This is an adapter of its own for
//! the same bus and the same device type, with the callbacks of runtime PM and of system sleep, and a
//! place in the order of events where they may start:
//!
//! ```text
//! probe()              private data is made; nothing can call back into the driver yet
//!   data is stored in the device
//!   runtime PM enabled: runtime_resume(), runtime_suspend() may run from here on
//! start()              the driver registers what calls back (interrupts, network devices, ...)
//!   ... device is bound ...
//!     suspend()          the system goes to sleep; user space stands still
//!     resume()           the system has woken up, or did not sleep after all
//! unbind()             the driver stops all of that; runtime PM callbacks may still come
//!   runtime PM disabled: none runs any more
//!   private data is dropped
//! ```
//!
//! If `start()` fails, `unbind()` and what follows it happen at once, so that it needs no error
//! path of its own.
//!
//! Limitations:
//! - System sleep is suspend, to RAM or to idle. There are no callbacks for hibernation: a driver is not
//!   told that it runs on a machine that was switched off in between.
//! - No `shutdown()`, no callbacks of the late and "noirq" phases.
//! - Devices are matched by devicetree or by name.
//!
//! C header: [`include/linux/platform_device.h`](srctree/include/linux/platform_device.h)

use super::bindings;

use core::{
    marker::PhantomData,
    mem::offset_of, //
};

use kernel::{
    acpi,
    device::{
        self,
        Bound,
        Core,
        Device, //
    },
    driver,
    error::{
        from_result,
        to_result, //
    },
    of,
    platform,
    prelude::*,
    types::Opaque,
    ThisModule, //
};

/// Returns the `struct device` behind `dev`. It is valid as long as `dev` is.
pub(super) fn device_as_raw<Ctx: device::DeviceContext>(
    dev: &Device<Ctx>,
) -> *mut bindings::device {
    // CAST: `Device` is a transparent wrapper of `Opaque<bindings::device>`, whose contents may be
    // written through a shared reference.
    core::ptr::from_ref(dev).cast_mut().cast()
}

/// A platform driver with power management. See the [module](self) for the order of calls.
///
/// `probe()`, `start()` and `unbind()` run in process context with the device lock held and may
/// sleep. So may the runtime PM callbacks, which run in process context, never two of them at a time
/// for one device.
pub trait Driver: 'static {
    /// What the driver knows of a kind of device, one value per entry of [`OF_ID_TABLE`].
    ///
    /// [`OF_ID_TABLE`]: Self::OF_ID_TABLE
    type IdInfo: 'static;

    /// The private data of one device.
    type Data: Send + Sync + 'static;

    /// The devicetree nodes that the driver is for. `None`: devices with the driver's name.
    const OF_ID_TABLE: Option<of::IdTable<Self::IdInfo>> = None;

    /// The device suspends when it was not in use for this long, in milliseconds. User space may
    /// change it in `power/autosuspend_delay_ms`.
    const AUTOSUSPEND_MS: u32;

    /// Makes the private data. What it acquires, it gives back in `Drop`.
    ///
    /// # Errors
    ///
    /// Any; `EPROBE_DEFER` if something is missing that may come later. The data is not made, and no
    /// other function is called.
    fn probe<'a>(
        dev: &'a platform::Device<Core<'_>>,
        info: Option<&'a Self::IdInfo>,
    ) -> impl PinInit<Self::Data, Error> + 'a;

    /// Starts what calls back into the driver.
    ///
    /// # Errors
    ///
    /// As [`probe()`](Self::probe). [`unbind()`](Self::unbind) is called and the data dropped.
    fn start(dev: &platform::Device<Bound>, data: Pin<&Self::Data>) -> Result;

    /// Stops what [`start()`](Self::start) has started, as far as it came, and turns the hardware
    /// off, whatever the runtime PM status is: nobody asks for a suspend afterwards.
    ///
    /// Runtime PM callbacks may run beside this and after it. A resume must then fail.
    fn unbind(dev: &platform::Device<Bound>, data: Pin<&Self::Data>);

    /// Turns the hardware off after it was idle.
    ///
    /// # Errors
    ///
    /// `EBUSY` and `EAGAIN`: not now, the device stays active. With any other error runtime PM is
    /// stuck until the driver is bound anew.
    fn runtime_suspend(data: Pin<&Self::Data>) -> Result;

    /// Prepares the device for a sleep of the system, whatever its runtime PM status is.
    ///
    /// Process context with the device lock held, may sleep. User space is frozen; kernel threads, works
    /// and interrupts are not yet. Devices that this one uses, as far as the kernel knows of it, still
    /// work. Runtime PM does not suspend the device before `resume()` has returned, and neither
    /// suspends nor resumes it from some time after this call until some time before that.
    ///
    /// # Errors
    ///
    /// Any: the system stays awake. `resume()` is not called, so that everything has to be as before.
    fn suspend(data: Pin<&Self::Data>) -> Result;

    /// The system is awake again, after a successful [`suspend()`](Self::suspend): it has slept, or
    /// another device refused to.
    ///
    /// Process context with the device lock held, may sleep. User space is still frozen. Interrupts
    /// came before this.
    fn resume(data: Pin<&Self::Data>);

    /// Turns the hardware on for somebody.
    ///
    /// # Errors
    ///
    /// Any. The device stays suspended; the next request tries again.
    fn runtime_resume(data: Pin<&Self::Data>) -> Result;
}

/// The link between a [`Driver`] and the C platform bus.
///
/// Not used directly: [`module_platform_driver!`] does.
pub struct Adapter<T: Driver>(PhantomData<T>);

// SAFETY:
// - `bindings::platform_driver` is `repr(C)`.
// - The data stored by `probe_callback()` is of the type `T::Data`.
// - `DEVICE_DRIVER_OFFSET` is where `struct platform_driver` has its `struct device_driver`.
unsafe impl<T: Driver> driver::DriverLayout for Adapter<T> {
    type DriverType = bindings::platform_driver;
    type DriverData<'bound> = T::Data;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(Self::DriverType, driver);
}

// SAFETY: `unregister()` undoes exactly what a successful `register()` did.
unsafe impl<T: Driver> driver::RegistrationOps for Adapter<T> {
    unsafe fn register(
        pdrv: &Opaque<Self::DriverType>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        let raw = pdrv.get();

        // SAFETY: Nobody else knows the driver before it is registered.
        let drv = unsafe { &mut *raw };
        drv.driver.name = name.as_char_ptr();
        drv.driver.pm = Self::pm_ops();
        drv.driver.of_match_table = T::OF_ID_TABLE.map_or(core::ptr::null(), |t| t.as_ptr());
        drv.probe = Some(Self::probe_callback);
        drv.remove = Some(Self::remove_callback);

        // SAFETY: `raw` is initialized and, by this function's requirements, stays where it is
        // until it is unregistered. All that it points to is static.
        to_result(unsafe {
            bindings::__platform_driver_register(raw, module.as_ptr(), name.as_char_ptr())
        })
    }

    unsafe fn unregister(pdrv: &Opaque<Self::DriverType>) {
        // SAFETY: By this function's requirements, the driver is registered.
        unsafe { bindings::platform_driver_unregister(pdrv.get()) };
    }
}

impl<T: Driver> driver::Adapter for Adapter<T> {
    type IdInfo = T::IdInfo;

    fn acpi_id_table() -> Option<acpi::IdTable<Self::IdInfo>> {
        None
    }

    fn of_id_table() -> Option<of::IdTable<Self::IdInfo>> {
        T::OF_ID_TABLE
    }
}

impl<T: Driver> Adapter<T> {
    const PM_OPS: bindings::dev_pm_ops = bindings::dev_pm_ops {
        runtime_suspend: Some(Self::runtime_suspend_callback),
        runtime_resume: Some(Self::runtime_resume_callback),
        suspend: Some(Self::suspend_callback),
        resume: Some(Self::resume_callback),
        ..pin_init::zeroed()
    };

    const fn pm_ops() -> &'static bindings::dev_pm_ops {
        &Self::PM_OPS
    }

    /// # Safety
    ///
    /// Only for the bus, as `probe` of this driver.
    unsafe extern "C" fn probe_callback(pdev: *mut bindings::platform_device) -> c_int {
        // SAFETY: The bus calls this with a valid device that stays valid during the call.
        let pdev = unsafe { &*pdev.cast::<platform::Device<device::CoreInternal<'_>>>() };
        // SAFETY: The match data of the table that the driver registered is a `T::IdInfo`.
        let info = unsafe { <Self as driver::Adapter>::id_info(pdev.as_ref()) };

        from_result(|| {
            pdev.as_ref().set_drvdata(T::probe(pdev, info))?;
            // SAFETY: A `T::Data` was stored just now.
            let data = unsafe { pdev.as_ref().drvdata_borrow::<T::Data>() };

            // Not before the data is there, which the callbacks use.
            Self::enable_pm(pdev);
            if let Err(e) = T::start(pdev, data) {
                // The driver core does not call `remove_callback()` for a failed probe. It does drop
                // the data.
                Self::stop(pdev, data);
                return Err(e);
            }
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Only for the bus, as `remove` of this driver, after [`Self::probe_callback`] has succeeded.
    unsafe extern "C" fn remove_callback(pdev: *mut bindings::platform_device) {
        // SAFETY: The bus calls this with a valid device that stays valid during the call.
        let pdev = unsafe { &*pdev.cast::<platform::Device<device::CoreInternal<'_>>>() };
        // SAFETY: The bus calls this only after a successful `probe_callback()`, which has stored a
        // `T::Data`. The driver core drops it after this function.
        let data = unsafe { pdev.as_ref().drvdata_borrow::<T::Data>() };

        Self::stop(pdev, data);
    }

    fn enable_pm(pdev: &platform::Device<Bound>) {
        let delay = i32::try_from(T::AUTOSUSPEND_MS).unwrap_or(i32::MAX);
        // SAFETY: The device is valid. `stop()` disables runtime PM before the callbacks' data goes.
        unsafe {
            bindings::bam_dmux_helper_pm_runtime_enable_autosuspend(
                device_as_raw(pdev.as_ref()),
                delay,
            )
        };
    }

    /// Undoes `start()` and `enable_pm()`. No callback runs any more when it returns.
    fn stop(pdev: &platform::Device<Bound>, data: Pin<&T::Data>) {
        T::unbind(pdev, data);
        // SAFETY: The device is valid and runtime PM was enabled by `enable_pm()`.
        unsafe {
            bindings::bam_dmux_helper_pm_runtime_disable_autosuspend(device_as_raw(pdev.as_ref()))
        };
    }

    /// # Safety
    ///
    /// Only for the PM core, with a device that is bound to this driver.
    unsafe extern "C" fn runtime_suspend_callback(dev: *mut bindings::device) -> c_int {
        // SAFETY: The PM core calls this with a valid device, and only while runtime PM is enabled,
        // that is between `enable_pm()` and the end of `stop()`.
        let data = unsafe { Self::data(dev) };
        from_result(|| T::runtime_suspend(data).map(|()| 0))
    }

    /// # Safety
    ///
    /// As [`Self::runtime_suspend_callback`].
    unsafe extern "C" fn runtime_resume_callback(dev: *mut bindings::device) -> c_int {
        // SAFETY: As in `runtime_suspend_callback()`.
        let data = unsafe { Self::data(dev) };
        from_result(|| T::runtime_resume(data).map(|()| 0))
    }

    /// # Safety
    ///
    /// As [`Self::runtime_suspend_callback`].
    unsafe extern "C" fn suspend_callback(dev: *mut bindings::device) -> c_int {
        // SAFETY: The PM core calls this with a valid device and its device lock held, through the bus,
        // which looks whether a driver is bound. Binding and unbinding take that lock too, so that this
        // is after `probe_callback()` has succeeded, and before `remove_callback()`.
        let data = unsafe { Self::data(dev) };
        from_result(|| T::suspend(data).map(|()| 0))
    }

    /// # Safety
    ///
    /// As [`Self::runtime_suspend_callback`].
    unsafe extern "C" fn resume_callback(dev: *mut bindings::device) -> c_int {
        // SAFETY: As in `suspend_callback()`.
        let data = unsafe { Self::data(dev) };
        T::resume(data);
        0
    }

    /// Returns the driver's data of a device.
    ///
    /// # Safety
    ///
    /// `dev` must be a valid device whose data `probe_callback()` has stored, and the data must not
    /// be dropped while the returned reference is in use.
    unsafe fn data<'a>(dev: *mut bindings::device) -> Pin<&'a T::Data> {
        // SAFETY: By this function's requirements, `dev` is valid; a device with data is bound.
        let dev = unsafe { &*dev.cast::<Device<device::BoundInternal>>() };
        // SAFETY: By this function's requirements, a `T::Data` is stored and stays.
        unsafe { dev.drvdata_borrow::<T::Data>() }
    }
}

/// Declares a module that is one platform driver with power management.
///
/// Takes what `kernel::module_platform_driver!` takes; `type` is a [`Driver`] of this module.
macro_rules! module_platform_driver {
    ($($f:tt)*) => {
        kernel::module_driver!(<T>, $crate::kabi::platform::Adapter<T>, { $($f)* });
    };
}
pub(crate) use module_platform_driver;

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[path = "../../tests/kunit/platform.rs"]
mod tests;
