// SPDX-License-Identifier: GPL-2.0

//! A place for what a driver cannot give back when it is unbound, and takes over when it is bound to
//! the same hardware again.
//!
//! ```ignore
//! static LEFT: Shelf<Pipes> = Shelf::new();
//!
//! LEFT.keep(dev, pipes)?;                 // the driver goes
//! if let Some(pipes) = LEFT.take(dev) { } // it is back
//! ```
//!
//! The hardware is what the firmware describes: two devices made from one node, one after the other, are
//! the same. Whoever makes devices from nodes may do so again at any time: a remoteproc driver that is
//! unbound removes the devices below it, and makes new ones when it is bound. Devices without a node are
//! told apart by themselves.
//!
//! Limitations:
//! - What is on a shelf when the module is unloaded is leaked. Keep a [`Pin`](super::module::Pin) with
//!   it.
//! - The driver core unbinds a device before it takes away what the device uses (device links). It knows
//!   nothing of what is on a shelf: a value that uses another device must keep that there, or trust in
//!   it.

use super::bindings;

use core::{
    cell::UnsafeCell,
    ptr, //
};

use kernel::{
    device::Device,
    prelude::*,
    sync::aref::ARef, //
};

/// Values that belong to hardware, in a list.
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

    /// Keeps `value` for the next who asks in the name of `dev` or of another device with its node. The
    /// device is not freed meanwhile, nor is the node.
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

    /// Takes out what was kept for `dev` or for another device with its node, the last first.
    ///
    /// Process context, sleeps.
    pub fn take(&self, dev: &Device) -> Option<T> {
        let item = self.with(|first| {
            let mut place = first;
            while place
                .as_ref()
                .is_some_and(|item| !same_hardware(&item.dev, dev))
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

/// Whether both have one node. Both have references to theirs, so its address is not used again.
fn same_hardware(a: &Device, b: &Device) -> bool {
    match (a.fwnode(), b.fwnode()) {
        (Some(a), Some(b)) => ptr::eq(a, b),
        _ => ptr::eq(a, b),
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_shelf)]
mod tests {
    use core::mem::MaybeUninit;

    use super::*;
    use kernel::{
        device::Bound,
        faux,
        types::Opaque, //
    };

    use crate::kabi::platform::device_as_raw;

    static SHELF: Shelf<u32> = Shelf::new();

    /// A node of the firmware's description, all zeroes. Nobody but the driver core looks into it.
    struct Node(Opaque<MaybeUninit<bindings::fwnode_handle>>);

    // SAFETY: There is nothing to do with a shared reference but to give its address to a device.
    unsafe impl Sync for Node {}

    static NODES: [Node; 2] = [const { Node(Opaque::new(MaybeUninit::zeroed())) }; 2];

    /// Makes a device from a node.
    fn described(name: &CStr, node: &'static Node) -> Result<faux::Registration> {
        let reg = faux::Registration::new(name, None)?;
        // SAFETY: The device is valid, and nobody else looks for its node. Zeroes are a valid node, which
        // is static.
        unsafe { (*device_as_raw(device(&reg))).fwnode = node.0.get().cast() };
        Ok(reg)
    }

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

    /// A device that is made anew gets what was kept for its predecessor, and one with another node does
    /// not.
    #[test]
    fn node_outlives_its_device() -> Result {
        let old = described(c"bam-dmux-shelf-old", &NODES[0])?;
        assert!(SHELF.keep(device(&old), 1).is_ok());
        drop(old);
        let other = described(c"bam-dmux-shelf-other", &NODES[1])?;
        assert!(SHELF.take(device(&other)).is_none());
        let new = described(c"bam-dmux-shelf-new", &NODES[0])?;
        assert!(SHELF.take(device(&new)) == Some(1));
        Ok(())
    }
}
