// SPDX-License-Identifier: GPL-2.0

//! Network devices with one transmit queue.
//!
//! C headers: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h),
//! [`include/net/netdev_queues.h`](srctree/include/net/netdev_queues.h)
//!
//! A driver implements [`Operations`] for the type of its private data. [`NetDev`] owns a device,
//! registered or not; [`Device`] is a borrowed one, which the callbacks get.
//!
//! Limitations:
//! - No netpoll: attaching netconsole to a device is refused with `ENOTSUPP`.
//!
//! # Examples
//!
//! ```ignore
//! struct Channel { /* ... */ }
//!
//! impl Operations for Channel {
//!     fn open(dev: &Device<Self>) -> Result {
//!         dev.start_queue();
//!         Ok(())
//!     }
//!
//!     fn stop(dev: &Device<Self>) {
//!         dev.stop_queue();
//!     }
//!
//!     fn start_xmit(dev: &Device<Self>, skb: SkBuff) -> Xmit {
//!         match dev.private().submit(skb) {
//!             Ok(()) => {
//!                 if !dev.private().has_room() {
//!                     dev.stop_queue();
//!                 }
//!                 Xmit::Ok
//!             }
//!             Err(skb) => {
//!                 dev.tx_dropped();
//!                 skb.drop_reason(DropReason::NoMem);
//!                 Xmit::Ok
//!             }
//!         }
//!     }
//! }
//!
//! let netdev = NetDev::new(&Config::raw_ip_wwan(parent), Channel { /* ... */ })?;
//! netdev.register()?;
//! ```

use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    device,
    error::to_result,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        }, //
    },
    types::Opaque, //
};

use super::{
    bindings,
    napi::Poll,
    skb::{
        DropReason,
        SkBuff, //
    }, //
};

mod config;
mod name;
mod ops;
mod queue;
mod stats;

pub use config::Config;
pub use name::Name;
pub use stats::Stats64;

use ops::Private;

/// What became of a packet given to [`Operations::start_xmit`].
#[must_use]
pub enum Xmit {
    /// The driver has it: it will be sent, or was dropped.
    Ok,
    /// No room; the stack shall keep it and try again. The same packet as was given, not changed.
    ///
    /// A well-behaved driver stops its queue in time and does not need it.
    Busy(SkBuff),
}

/// Callbacks of a network device. The implementing type is the device's private data.
pub trait Operations: Sized + Send + Sync + 'static {
    /// The device is brought up; on an error it stays down.
    ///
    /// Context: task, RTNL is held.
    fn open(dev: &Device<Self>) -> Result;

    /// The device is taken down. No [`start_xmit`](Self::start_xmit) runs any more.
    ///
    /// Context: task, RTNL is held.
    fn stop(dev: &Device<Self>);

    /// A packet is to be sent.
    ///
    /// Context: softirqs are off and interrupts are not, calls do not overlap; must not sleep.
    fn start_xmit(dev: &Device<Self>, skb: SkBuff) -> Xmit;

    /// The queue has been stopped for longer than [`Config::watchdog_ms`].
    ///
    /// Context: timer softirq; must not sleep.
    fn tx_timeout(_dev: &Device<Self>) {}

    /// Adds to the statistics what the driver counts itself. `stats` holds what
    /// [`Device::rx_add`] and its relatives counted.
    ///
    /// Context: task or RCU reader; must not sleep.
    fn stats64(_dev: &Device<Self>, _stats: &mut Stats64) {}
}

/// A network device with private data `T`.
///
/// Methods may be called in tasks and softirqs unless they say otherwise.
///
/// # Invariants
///
/// `dev` is a valid `net_device` that [`NetDev::new`] made: its private area is a [`Private<T>`] whose
/// data is initialised and pinned, its `dstats` are allocated, it has one transmit queue.
#[repr(transparent)]
pub struct Device<T: Operations> {
    dev: Opaque<bindings::net_device>,
    _private: PhantomData<T>,
}

// SAFETY: Only ever used by reference; what is done to the C object may be done by any thread.
unsafe impl<T: Operations> Send for Device<T> {}

// SAFETY: Methods that take `&self` call C functions that do their own synchronisation; `T` is `Sync`.
unsafe impl<T: Operations> Sync for Device<T> {}

impl<T: Operations> Device<T> {
    /// Borrows a device.
    ///
    /// # Safety
    ///
    /// `dev` meets the type invariants for the lifetime `'a`.
    unsafe fn from_raw<'a>(dev: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By this function's requirements; the type is transparent.
        unsafe { &*dev.cast() }
    }

    /// The C object.
    fn as_raw(&self) -> *mut bindings::net_device {
        self.dev.get()
    }

    /// The driver's private data.
    pub fn private(&self) -> &T {
        // SAFETY: The device is valid by the type invariants.
        let private = unsafe { bindings::bam_dmux_helper_netdev_priv(self.as_raw()) };

        // SAFETY: By the type invariants the area is of that type and its data initialised. There are
        // only shared references to it before it is dropped.
        unsafe { &(*private.cast::<Private<T>>()).data }
    }

    /// The name at this moment; user space may change it. A pattern until the device is registered.
    pub fn name(&self) -> Name {
        // SAFETY: The device is valid by the type invariants; only the address of its field is taken.
        let name = unsafe { &raw const (*self.as_raw()).name };

        // SAFETY: As above. The name may change while it is copied; it is an array of bytes, for which
        // any mixture is a valid value.
        Name(unsafe { name.read_volatile() })
    }

    /// Whether the device is up, from just before [`Operations::open`] to just before
    /// [`Operations::stop`].
    pub fn is_running(&self) -> bool {
        // SAFETY: The device is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_netif_running(self.as_raw()) }
    }

    /// Whether the device is attached, see [`detach`](Self::detach).
    pub fn is_present(&self) -> bool {
        // SAFETY: The device is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_netif_device_present(self.as_raw()) }
    }

    /// Tells the stack that the hardware is not there, and stops the queue. It stays as it is in all
    /// else; bringing it up fails with `ENODEV` until [`attach`](Self::attach).
    pub fn detach(&self) {
        // SAFETY: The device is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_netif_device_detach(self.as_raw()) };
    }

    /// Tells the stack that the hardware is there again, and wakes the queue if the device is up.
    pub fn attach(&self) {
        // SAFETY: The device is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_netif_device_attach(self.as_raw()) };
    }

    /// Gives the stack a received packet whose data starts with the network layer's header, and whose
    /// [protocol](SkBuff::set_protocol) is set. If the device is down, it is dropped and counted.
    pub fn receive(&self, poll: &Poll<'_>, skb: SkBuff) {
        // The packet will point to the device without a reference. Taking a running device down waits
        // for RCU readers, and a poll is one.
        if !self.is_running() {
            self.rx_dropped();
            skb.drop_reason(DropReason::DevReady);
            return;
        }
        let skb = skb.into_raw();
        // SAFETY: `poll` proves that this is a poll of that instance. The device is valid by the type
        // invariants, and stays so as long as the stack has the packet, see above. We own the packet
        // and give it away.
        unsafe {
            bindings::bam_dmux_helper_napi_gro_receive(poll.as_raw(), self.as_raw(), skb.as_ptr())
        };
    }

    /// Whether there is a link.
    pub fn carrier_ok(&self) -> bool {
        // SAFETY: The device is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_netif_carrier_ok(self.as_raw()) }
    }

    /// Tells the stack that there is a link.
    pub fn carrier_on(&self) {
        // SAFETY: The device is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_netif_carrier_on(self.as_raw()) };
    }

    /// Tells the stack that there is no link.
    pub fn carrier_off(&self) {
        // SAFETY: The device is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_netif_carrier_off(self.as_raw()) };
    }
}

/// [`NetDev::state`]: not registered yet.
const NEW: i32 = 0;
/// [`NetDev::state`]: [`NetDev::register`] has it.
const REGISTERING: i32 = 1;
/// [`NetDev::state`]: registered.
const REGISTERED: i32 = 2;
/// [`NetDev::state`]: registering failed, or it is not registered any more or not much longer.
const GONE: i32 = 3;

/// An owned network device.
///
/// Drop unregisters it if it is registered, drops the private data, then frees the device. That
/// sleeps and takes RTNL: the last reference must not be dropped in a softirq, nor in a callback of the
/// device.
///
/// # Invariants
///
/// - `dev` points to a device that meets the invariants of [`Device<T>`], and this object owns it.
/// - If `state` is [`NEW`] the device was never registered, and if it is [`REGISTERED`] it is. Whoever
///   changes the one to [`REGISTERING`] has the right to register the device, and whoever changes the
///   other to [`GONE`] to unregister it.
pub struct NetDev<T: Operations> {
    dev: NonNull<bindings::net_device>,
    state: Atomic<i32>,
    /// The device points to it.
    _parent: ARef<device::Device>,
    _private: PhantomData<T>,
}

// SAFETY: A network device is not bound to a thread; `T` is `Send` and `Sync`.
unsafe impl<T: Operations> Send for NetDev<T> {}

// SAFETY: `&NetDev` gives `&Device`, which is `Sync`, and `register` and `unregister`, which exclude
// each other by `state`.
unsafe impl<T: Operations> Sync for NetDev<T> {}

impl<T: Operations> NetDev<T> {
    /// Makes a device that nobody sees yet.
    ///
    /// Context: task; sleeps.
    ///
    /// # Errors
    ///
    /// - `ENAMETOOLONG`: the name has more than 15 bytes.
    /// - `ENOMEM`
    /// - What `private` fails with.
    pub fn new<E>(config: &Config<'_>, private: impl PinInit<T, E>) -> Result<Self>
    where
        Error: From<E>,
    {
        // The C function takes it for a bug in the kernel.
        if config.name.to_bytes_with_nul().len() > bindings::IFNAMSIZ as usize {
            return Err(ENAMETOOLONG);
        }
        let assign_type = if config.enumerated {
            bindings::NET_NAME_ENUM
        } else {
            bindings::NET_NAME_UNKNOWN
        };
        // SAFETY: The name is a string of allowed length, and copied.
        let dev = unsafe {
            bindings::alloc_netdev_mqs(
                const { ops::private_size::<T>() },
                config.name.as_char_ptr(),
                assign_type as u8,
                Some(ops::setup),
                1,
                1,
            )
        };
        let dev = NonNull::new(dev).ok_or(ENOMEM)?;
        // Frees the device if one of the steps below fails.
        let guard = kernel::types::ScopeGuard::new(|| {
            // SAFETY: The counters are not there, or allocated by us and not in use.
            unsafe { bindings::bam_dmux_helper_free_dstats(dev.as_ptr()) };
            // SAFETY: The device is not registered, and nobody else has it.
            unsafe { bindings::free_netdev(dev.as_ptr()) };
        });

        // SAFETY: The device is new.
        to_result(unsafe { bindings::bam_dmux_helper_alloc_dstats(dev.as_ptr()) })?;
        // SAFETY: The device is new, and has a private area for `T`.
        unsafe { ops::init_private(dev.as_ptr(), private) }?;
        // SAFETY: The device is new, nobody else has it.
        unsafe { config.apply::<T>(dev.as_ptr()) };

        guard.dismiss();
        // INVARIANT: All parts were set up above.
        Ok(Self {
            dev,
            state: Atomic::new(NEW),
            _parent: config.parent.into(),
            _private: PhantomData,
        })
    }

    /// Shows the device to the stack and to user space. Callbacks may come before it returns.
    ///
    /// Context: task; takes RTNL, sleeps.
    ///
    /// # Errors
    ///
    /// - `EALREADY`: it was called before. A device can be registered once.
    /// - What `register_netdev()` fails with, among it `ENFILE` (no free number for the name),
    ///   `EEXIST`, `ENOMEM`, `EINTR`.
    pub fn register(&self) -> Result {
        if self.state.cmpxchg(NEW, REGISTERING, Relaxed).is_err() {
            return Err(EALREADY);
        }
        // SAFETY: By the type invariants, the device is valid and was never registered, and it is for us
        // to do so.
        let result = to_result(unsafe { bindings::register_netdev(self.dev.as_ptr()) });
        let state = if result.is_ok() { REGISTERED } else { GONE };
        // INVARIANT: So it is. Nobody else changes the state meanwhile. Pairs with `unregister()`.
        self.state.store(state, Release);
        result
    }

    /// Takes the device away from the stack and from user space; takes it down before if it is up. No
    /// callback comes after it has returned. Does nothing unless the device is registered: also not while
    /// [`register`](Self::register) runs, after which the device is registered.
    ///
    /// Must not be called under a lock that a callback takes.
    ///
    /// Context: task; takes RTNL, sleeps.
    pub fn unregister(&self) {
        // Pairs with `register()`, which has ended.
        if self.state.cmpxchg(REGISTERED, GONE, Acquire).is_ok() {
            // SAFETY: By the type invariants, the device is valid and registered, and it is for us to
            // end that.
            unsafe { bindings::unregister_netdev(self.dev.as_ptr()) };
        }
    }
}

impl<T: Operations> Deref for NetDev<T> {
    type Target = Device<T>;

    fn deref(&self) -> &Device<T> {
        // SAFETY: By the type invariants, which hold as long as `self`.
        unsafe { Device::from_raw(self.dev.as_ptr()) }
    }
}

impl<T: Operations> Drop for NetDev<T> {
    fn drop(&mut self) {
        self.unregister();

        let dev = self.dev.as_ptr();
        // SAFETY: No callback comes any more, so nobody uses the data. It is not used again.
        unsafe { ops::drop_private::<T>(dev) };
        // SAFETY: Statistics are not asked for any more.
        unsafe { bindings::bam_dmux_helper_free_dstats(dev) };
        // The last reference to the C object may be someone else's, held beyond the end of this module:
        // leave no pointer into it.
        //
        // SAFETY: The device is valid until freed, and nobody reads these fields any more.
        unsafe { (*dev).dev.type_ = ptr::null() };
        // SAFETY: The device is not registered: `register()` does not run, since we have the only
        // reference to `self`, and if it has registered the device, that was undone above. We own it.
        unsafe { bindings::free_netdev(dev) };
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[path = "../../tests/kunit/netdev.rs"]
mod tests;
