// SPDX-License-Identifier: GPL-2.0

//! Starts, stops and crashes of a remote processor ("subsystem restart").
//!
//! The kernel has these notifications only with `CONFIG_QCOM_RPROC_COMMON`, which is mostly a
//! module. [`Notifier::new()`] looks for it at run time, so that this module also loads where it is
//! not there, and returns `None` then.
//!
//! C header: [`include/linux/remoteproc/qcom_rproc.h`](srctree/include/linux/remoteproc/qcom_rproc.h)

use super::{
    bindings,
    platform::device_as_raw, //
};

use core::{
    marker::PhantomPinned,
    ptr::NonNull, //
};

use kernel::{
    device::Device,
    error::from_err_ptr,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    types::Opaque, //
};

/// The name of the modem among the remote processors.
const MODEM: &CStr = c"mpss";

/// How the initializer says that there is nobody to subscribe to. The C function fails with `ENOMEM`
/// only.
const ABSENT: Error = ENOENT;

/// What happens to the remote processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is about to be started.
    BeforePowerup,
    /// It has been started. Its firmware may not be up yet.
    AfterPowerup,
    /// It is about to be stopped.
    BeforeShutdown {
        /// It has crashed, and nothing it promised is kept.
        crashed: bool,
    },
    /// It has been stopped.
    AfterShutdown {
        /// As in the [`BeforeShutdown`](Self::BeforeShutdown) before: the kernel's own notification
        /// has it there only, so it is remembered here.
        crashed: bool,
    },
}

/// Whether the last shutdown that has begun was a crash.
struct Crash(Atomic<bool>);

impl Crash {
    fn new() -> Self {
        Self(Atomic::new(false))
    }

    /// Translates a notification. Those of one processor come one at a time, so there is no order to
    /// keep between CPUs.
    fn event(&self, action: c_ulong, crashed: bool) -> Option<Event> {
        // CAST: The values of the C enumeration are small and positive.
        match action as bindings::qcom_ssr_notify_type {
            bindings::qcom_ssr_notify_type_QCOM_SSR_BEFORE_POWERUP => Some(Event::BeforePowerup),
            bindings::qcom_ssr_notify_type_QCOM_SSR_AFTER_POWERUP => Some(Event::AfterPowerup),
            bindings::qcom_ssr_notify_type_QCOM_SSR_BEFORE_SHUTDOWN => {
                self.0.store(crashed, Relaxed);
                Some(Event::BeforeShutdown { crashed })
            }
            bindings::qcom_ssr_notify_type_QCOM_SSR_AFTER_SHUTDOWN => Some(Event::AfterShutdown {
                crashed: self.0.load(Relaxed),
            }),
            _ => None,
        }
    }
}

/// Is told what happens to the modem.
pub trait SsrHandler: Send + Sync + 'static {
    /// Process context, may sleep; the start or stop of the processor waits for it.
    fn event(&self, event: Event);
}

/// A subscription to the events of the modem. Dropping it ends the subscription and waits until the
/// handler does not run any more, so it must not be dropped by the handler.
///
/// # Invariants
///
/// - `nb` is registered with the notifier chain behind `cookie`.
/// - `nb` is the `nb` of a `Self`.
#[pin_data(PinnedDrop)]
pub struct Notifier<H: SsrHandler> {
    #[pin]
    nb: Opaque<bindings::notifier_block>,
    cookie: NonNull<c_void>,
    handler: Arc<H>,
    crash: Crash,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A notifier chain has its own lock and may be changed by any task; `H` is `Send` and `Sync`.
unsafe impl<H: SsrHandler> Send for Notifier<H> {}

// SAFETY: There is nothing to do with a shared reference.
unsafe impl<H: SsrHandler> Sync for Notifier<H> {}

impl<H: SsrHandler> Notifier<H> {
    /// Subscribes `handler` to the events of the modem. `None`: this kernel does not have them, or the
    /// module that sends them is not loaded (then no remoteproc driver is either).
    ///
    /// Process context, sleeps. The handler may be called before this returns.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(handler: Arc<H>) -> Result<Option<Pin<KBox<Self>>>> {
        let init = try_pin_init!(&this in Self {
            nb <- Opaque::ffi_init(|nb: *mut bindings::notifier_block| {
                let value = bindings::notifier_block {
                    notifier_call: Some(Self::callback),
                    ..pin_init::zeroed()
                };
                // SAFETY: `nb` is valid for writes.
                unsafe { nb.write(value) };
            }),
            handler,
            crash: Crash::new(),
            _pin: PhantomPinned,
            // Last, so that the callback may run at once.
            cookie: {
                // SAFETY: `this` is valid; only the address of its field is taken.
                let nb = unsafe { Opaque::cast_into(&raw const (*this.as_ptr()).nb) };
                // SAFETY: `nb` is initialized and pinned in memory of its own. It stays valid until
                // the destructor unregisters it, or for ever if that does not run.
                let cookie = from_err_ptr(unsafe {
                    bindings::bam_dmux_helper_ssr_register(MODEM.as_char_ptr(), nb)
                })?;
                // INVARIANT: A cookie stands for a registration.
                NonNull::new(cookie).ok_or(ABSENT)?
            },
        }? Error);
        match KBox::try_pin_init(init, GFP_KERNEL) {
            Ok(this) => Ok(Some(this)),
            Err(ABSENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// # Safety
    ///
    /// Only for the notifier chain, as the function of the `nb` of a [`Notifier<H>`], with what remoteproc
    /// sends in it.
    unsafe extern "C" fn callback(
        nb: *mut bindings::notifier_block,
        action: c_ulong,
        data: *mut c_void,
    ) -> c_int {
        // CAST: `Opaque` is transparent.
        //
        // SAFETY: By this function's requirements, `nb` is the field of a `Self`. It stays until it has
        // been unregistered, which waits for this function. The fields used here do not change.
        let this = unsafe { kernel::container_of!(nb.cast::<Opaque<_>>(), Self, nb) };
        // SAFETY: As above.
        let handler = unsafe { &(*this).handler };
        // SAFETY: As above.
        let crash = unsafe { &(*this).crash };
        // SAFETY: The senders of these events pass a pointer to this type, valid during the call.
        let data = unsafe { data.cast::<bindings::qcom_ssr_notify_data>().as_ref() };
        if let Some(event) = crash.event(action, data.is_some_and(|d| d.crashed)) {
            handler.event(event);
        }
        // CAST: NOTIFY_OK is 1.
        bindings::NOTIFY_OK as c_int
    }
}

impl<H: SsrHandler> Notifier<H> {
    /// Tells `f` whether the remote processor whose driver has made `dev` is stopped, or has crashed
    /// and is not started yet. No event comes while `f` runs: one that said so came before this
    /// subscription, the one that says that it is started will come. `false` if `dev` has another
    /// origin.
    ///
    /// Process context, sleeps; waits for a start or stop that is under way. Not to be called by the
    /// handler, nor with a lock held that it takes.
    pub fn with_state<R>(&self, dev: &Device, f: impl FnOnce(bool) -> R) -> R {
        let mut stopped = false;
        // SAFETY: `dev` is a valid device. `stopped` is only used during the call.
        let rproc =
            unsafe { bindings::bam_dmux_helper_rproc_lock(device_as_raw(dev), &mut stopped) };
        let result = f(stopped);
        // SAFETY: It was locked above, if there is one.
        unsafe { bindings::bam_dmux_helper_rproc_unlock(rproc) };
        result
    }
}

#[pinned_drop]
impl<H: SsrHandler> PinnedDrop for Notifier<H> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant, `nb` is registered with this cookie.
        unsafe { bindings::bam_dmux_helper_ssr_unregister(self.cookie.as_ptr(), self.nb.get()) };
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_ssr)]
mod tests {
    use super::*;

    struct Ignore;

    impl SsrHandler for Ignore {
        fn event(&self, _event: Event) {}
    }

    /// With or without remoteproc, subscribing and its end leave no reference to the handler behind.
    #[test]
    fn subscription_leaves_no_reference() -> Result {
        let handler = Arc::new(Ignore, GFP_KERNEL)?;
        drop(Notifier::new(handler.clone())?);
        assert!(Arc::into_unique_or_drop(handler).is_some());
        Ok(())
    }

    /// The four events of the C header are told apart, an unknown one is none.
    #[test]
    fn events_are_told_apart() {
        let crash = Crash::new();
        assert!(crash.event(0, false) == Some(Event::BeforePowerup));
        assert!(crash.event(1, false) == Some(Event::AfterPowerup));
        assert!(crash.event(2, true) == Some(Event::BeforeShutdown { crashed: true }));
        assert!(crash.event(4, false).is_none());
    }

    /// The end of a crash is one too, and that of the next orderly stop is not.
    #[test]
    fn crash_is_remembered_until_the_next_shutdown() {
        let crash = Crash::new();
        crash.event(2, true);
        assert!(crash.event(3, false) == Some(Event::AfterShutdown { crashed: true }));
        crash.event(2, false);
        assert!(crash.event(3, false) == Some(Event::AfterShutdown { crashed: false }));
    }
}
