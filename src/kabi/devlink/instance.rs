// SPDX-License-Identifier: GPL-2.0

//! The devlink instance of a device, and when it is registered.

use core::ptr::NonNull;

use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::super::{
    bindings,
    platform::device_as_raw, //
};

/// The devlink instance of a bound device, seen by user space.
///
/// It is unregistered when the last reference is dropped, or when the device is unbound, whichever is
/// first: the C code uses the device's driver as long as it is registered.
pub struct Registration {
    // Dropped first: whatever happened, the instance is not registered any more afterwards.
    _until_unbound: Devres<Unregister>,
    instance: Arc<Instance>,
}

impl Registration {
    /// Registers a devlink instance for `dev`, called `<bus>/<name of the device>`.
    ///
    /// Process context, sleeps.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(dev: &Device<Bound>) -> Result<Arc<Self>> {
        let instance = Instance::new(dev)?;
        // If anything fails from here on, this is dropped.
        let until_unbound = Devres::new(dev, Unregister(instance.clone()))?;
        let this = Arc::new(
            Self {
                _until_unbound: until_unbound,
                instance,
            },
            GFP_KERNEL,
        )?;
        this.instance.register();
        Ok(this)
    }

    /// Runs `f` on the C object, which is registered as long as that takes. One call at a time.
    ///
    /// # Errors
    ///
    /// `ENODEV`: the device was unbound. What `f` fails with.
    pub(super) fn while_registered<R>(
        &self,
        f: impl FnOnce(*mut bindings::devlink) -> Result<R>,
    ) -> Result<R> {
        let registered = self.instance.registered.lock();
        if *registered {
            f(self.instance.raw.as_ptr())
        } else {
            Err(ENODEV)
        }
    }
}

/// The C object.
///
/// # Invariants
///
/// - `raw` is an instance that [`Instance::new`] allocated, and this object owns it.
/// - `raw` is registered if and only if `registered` holds true. That changes under its lock only.
/// - It is registered only while there is an [`Unregister`] for it.
#[pin_data(PinnedDrop)]
struct Instance {
    raw: NonNull<bindings::devlink>,
    #[pin]
    registered: Mutex<bool>,
}

// SAFETY: A devlink instance is not bound to a thread.
unsafe impl Send for Instance {}

// SAFETY: What is done through a shared reference is done under `registered`, and the C code has locks of
// its own besides.
unsafe impl Sync for Instance {}

impl Instance {
    fn new(dev: &Device<Bound>) -> Result<Arc<Self>> {
        // SAFETY: The device is valid, and has a driver, since it is bound.
        let raw = unsafe { bindings::bam_dmux_helper_devlink_alloc(device_as_raw(dev)) };
        let raw = NonNull::new(raw).ok_or(ENOMEM)?;
        let free = kernel::types::ScopeGuard::new(|| {
            // SAFETY: The instance was allocated above, nobody else has it.
            unsafe { bindings::devlink_free(raw.as_ptr()) };
        });
        // INVARIANT: `raw` was allocated above, and is not registered.
        let this = Arc::pin_init(
            pin_init!(Self {
                raw,
                registered <- new_mutex!(false),
            }),
            GFP_KERNEL,
        )?;
        free.dismiss();
        Ok(this)
    }

    /// To be called once, by whoever has the [`Unregister`].
    fn register(&self) {
        let mut registered = self.registered.lock();
        if !*registered {
            // INVARIANT: `registered` says so below, and the caller has an `Unregister`.
            //
            // SAFETY: By the type invariants, the instance is valid and not registered. The caller has
            // the device bound.
            unsafe { bindings::devlink_register(self.raw.as_ptr()) };
            *registered = true;
        }
    }

    /// Hides the instance from user space. Waits for callbacks that are running; the C code looks for
    /// "registered" under the lock that it calls them with, so that none begins afterwards.
    fn unregister(&self) {
        let mut registered = self.registered.lock();
        if *registered {
            // INVARIANT: `registered` says so below.
            //
            // SAFETY: By the type invariants, the instance is valid and registered.
            unsafe { bindings::devlink_unregister(self.raw.as_ptr()) };
            *registered = false;
        }
    }
}

#[pinned_drop]
impl PinnedDrop for Instance {
    fn drop(self: Pin<&mut Self>) {
        // Whoever looked the instance up at the last moment has a reference to the C object of its own,
        // finds it unregistered, and does nothing with it.
        //
        // SAFETY: By the type invariants, the instance is ours. It is not registered: an `Unregister`
        // holds a reference to `self`, so there is none any more. Reporters hold the `Registration`,
        // which holds `self`, so there is none of those either.
        unsafe { bindings::devlink_free(self.raw.as_ptr()) };
    }
}

/// Unregisters an instance at the latest when its device is unbound.
struct Unregister(Arc<Instance>);

impl Drop for Unregister {
    fn drop(&mut self) {
        self.0.unregister();
    }
}
