// SPDX-License-Identifier: GPL-2.0

//! A place for what a driver cannot give back when it is unbound, and takes over when it is bound to
//! the same device again.
//!
//! ```ignore
//! static LEFT: Shelf<Pipes> = Shelf::new();
//!
//! LEFT.keep(dev, pipes)?;                 // the driver goes
//! if let Some(pipes) = LEFT.take(dev) { } // it is back
//! ```
//!
//! Limitations:
//! - What is on a shelf when the module is unloaded is leaked. Keep a [`Pin`](super::module::Pin) with
//!   it.

use super::{
    bindings,
    platform::device_as_raw, //
};

use core::cell::UnsafeCell;

use kernel::{
    device::Device,
    prelude::*,
    sync::aref::ARef, //
};

/// Values that belong to devices, in a list.
///
/// # Invariants
///
/// `first` is used only by [`Shelf::with`], that is by one task at a time.
pub struct Shelf<T> {
    first: UnsafeCell<List<T>>,
}

type List<T> = Option<KBox<Item<T>>>;

struct Item<T> {
    dev: ARef<Device>,
    value: T,
    next: List<T>,
}

// SAFETY: By the type invariant, the list is used by one task at a time; what it holds may go from one
// task to another.
unsafe impl<T: Send> Sync for Shelf<T> {}

impl<T: Send> Shelf<T> {
    /// An empty shelf.
    pub const fn new() -> Self {
        // INVARIANT: Nobody uses it yet.
        Self {
            first: UnsafeCell::new(None),
        }
    }

    /// Keeps `value` for the next who asks in the name of `dev`. The device is not freed meanwhile.
    ///
    /// Process context, sleeps.
    ///
    /// # Errors
    ///
    /// `value` is given back when there is no memory.
    pub fn keep(&self, dev: &Device, value: T) -> Result<(), T> {
        let Ok(place) = KBox::new_uninit(GFP_KERNEL) else {
            return Err(value);
        };
        self.with(|first| {
            let item = Item {
                dev: dev.into(),
                value,
                next: first.take(),
            };
            *first = Some(KBox::write(place, item));
        });
        Ok(())
    }

    /// Takes out what was kept for `dev`, the last first.
    ///
    /// Process context, sleeps.
    pub fn take(&self, dev: &Device) -> Option<T> {
        let wanted = device_as_raw(dev);
        let item = self.with(|first| {
            let mut place = first;
            while place
                .as_ref()
                .is_some_and(|item| device_as_raw(&item.dev) != wanted)
            {
                place = &mut place.as_mut()?.next;
            }
            let mut item = place.take()?;
            *place = item.next.take();
            Some(item)
        })?;
        Some(KBox::into_inner(item).value)
    }

    /// Runs `f` on the list, while nobody else uses it nor any other shelf.
    fn with<R>(&self, f: impl FnOnce(&mut List<T>) -> R) -> R {
        // SAFETY: Process context; the lock is not held, since no `f` takes it.
        unsafe { bindings::bam_dmux_helper_shelf_lock() };
        // INVARIANT: The lock excludes all others.
        //
        // SAFETY: By the type invariant.
        let result = f(unsafe { &mut *self.first.get() });
        // SAFETY: The lock was taken above.
        unsafe { bindings::bam_dmux_helper_shelf_unlock() };
        result
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_shelf)]
mod tests {
    use super::*;
    use kernel::{
        device::Bound,
        faux, //
    };

    static SHELF: Shelf<u32> = Shelf::new();

    fn device(reg: &faux::Registration) -> &Device {
        let dev: &faux::Device<Bound> = reg.as_ref();
        dev.as_ref()
    }

    /// Each device gets what is its own, the last first, and nothing twice.
    #[test]
    fn each_device_gets_its_own() -> Result {
        let registrations = [
            faux::Registration::new(c"bam-dmux-shelf-a", None)?,
            faux::Registration::new(c"bam-dmux-shelf-b", None)?,
        ];
        let [a, b] = registrations.each_ref().map(device);
        assert!(SHELF.take(a).is_none());
        assert!(SHELF.keep(a, 1).is_ok());
        assert!(SHELF.keep(b, 2).is_ok());
        assert!(SHELF.keep(a, 3).is_ok());
        assert!(SHELF.take(b) == Some(2));
        assert!(SHELF.take(a) == Some(3));
        assert!(SHELF.take(b).is_none());
        assert!(SHELF.take(a) == Some(1));
        assert!(SHELF.take(a).is_none());
        Ok(())
    }
}
