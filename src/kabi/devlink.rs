// SPDX-License-Identifier: GPL-2.0

//! Devlink instances with health reporters.
//!
//! A driver reports errors of its device; user space is told (`devlink monitor`), sees how many there
//! were (`devlink health show`), finds the state that the device had at the first one
//! (`devlink health dump show`), can ask for the present one (`devlink health diagnose`) and for another
//! try (`devlink health recover`).
//!
//! A [`Registration`] is the device's devlink instance, a [`Reporter`] one kind of health, with the
//! callbacks of [`HealthReporter`] on the driver's data.
//!
//! ```ignore
//! struct Firmware(Arc<Card>);
//!
//! #[vtable]
//! impl HealthReporter for Firmware {
//!     const NAME: &'static CStr = c"fw";
//!     type Context = u32;
//!
//!     fn dump(&self, code: Option<&u32>, out: &mut Object<'_>) -> Result {
//!         if let Some(code) = code {
//!             out.u32(c"code", *code);
//!         }
//!         out.array(c"queues", |out| {
//!             for queue in self.0.queues() {
//!                 out.object(|out| out.u64(c"packets", queue.packets()));
//!             }
//!         });
//!         Ok(())
//!     }
//! }
//!
//! let devlink = Registration::new(pdev.as_ref())?;
//! let reporter = KBox::pin_init(Reporter::new(devlink, Firmware(card)), GFP_KERNEL)?;
//! // From a work item, for it sleeps:
//! let _ = reporter.report(c"firmware stopped", &code);
//! ```
//!
//! # Order of events
//!
//! A reporter holds the registration, so what is done last is undone first: instance allocated,
//! registered, reporter created; reporter destroyed, instance unregistered, freed. When the device is
//! unbound before that, the instance is unregistered then, and reports fail with `ENODEV`.
//!
//! # Locks
//!
//! The C code calls the callbacks under the lock of the instance, from netlink and from
//! [`Reporter::report`]. Creating and destroying a reporter take the same lock. So:
//!
//! - Callbacks never run at the same time for one instance, and none runs, nor will, when a reporter
//!   was dropped.
//! - Neither the methods nor the destructors of this module may be called by a callback, nor under a
//!   lock that a callback takes, nor under RTNL (which comes after the instance's lock). Nor may a
//!   callback take the lock of the device, which is held while it is unbound. Lockdep sees it if that
//!   is done; memory stays safe.
//!
//! # Without devlink
//!
//! The kernel has devlink only if some driver selects `CONFIG_NET_DEVLINK`. Without it all of this is
//! there and does nothing: reports succeed, no callback is called.
//!
//! Limitations:
//! - No ports, and none of devlink's other objects.
//! - The instance stays in the initial network namespace: it cannot be reloaded.
//!
//! C header: [`include/net/devlink.h`](srctree/include/net/devlink.h)

use kernel::{
    error::VTABLE_DEFAULT_ERROR,
    prelude::*, //
};

#[cfg(CONFIG_NET_DEVLINK)]
mod fmsg;
#[cfg(CONFIG_NET_DEVLINK)]
mod health;
#[cfg(CONFIG_NET_DEVLINK)]
mod instance;

// A name for functions that write an array for their caller.
#[allow(unused_imports)]
#[cfg(CONFIG_NET_DEVLINK)]
pub use {
    fmsg::{
        Array,
        Object, //
    },
    health::Reporter,
    instance::Registration, //
};

#[cfg(not(CONFIG_NET_DEVLINK))]
mod absent;

#[allow(unused_imports)]
#[cfg(not(CONFIG_NET_DEVLINK))]
pub use absent::{
    Array,
    Object,
    Registration,
    Reporter, //
};

/// One kind of health of a device: its name, and what the kernel may ask of it. The implementing type
/// is the data that the callbacks work on.
///
/// All callbacks run in process context, may sleep, and are optional. See the [module](self) for the
/// locks.
#[vtable]
pub trait HealthReporter: Send + Sync + 'static {
    /// The reporter's name, unique within a devlink instance.
    const NAME: &'static CStr;

    /// Time after a recovery in which a new error is not recovered by itself, nor dumped, in
    /// milliseconds. User space may change it.
    const GRACEFUL_PERIOD_MS: u64 = 0;

    /// What [`Reporter::report`] hands to the callbacks that it leads to.
    type Context;

    /// Tries to make the device work again: after a report, or for user space, then without a context.
    ///
    /// # Errors
    ///
    /// Any; the reporter stays in the state "error". `EINPROGRESS` if the end of the recovery will be
    /// told by [`Reporter::recovered`].
    fn recover(&self, _context: Option<&Self::Context>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Writes down what is needed to understand an error: at a report, or for user space, then without a
    /// context. It is kept until user space clears it; as long as it is, no other is asked for.
    ///
    /// # Errors
    ///
    /// Any; then there is no dump.
    fn dump(&self, _context: Option<&Self::Context>, _out: &mut Object<'_>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Writes down the present state for user space.
    ///
    /// # Errors
    ///
    /// Any; user space gets it.
    fn diagnose(&self, _out: &mut Object<'_>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[path = "../../tests/kunit/devlink.rs"]
mod tests;
