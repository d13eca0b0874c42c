// SPDX-License-Identifier: GPL-2.0

//! Health reporters: the C side of [`HealthReporter`].

use core::{
    marker::PhantomPinned,
    ptr::NonNull, //
};

use kernel::{
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    prelude::*,
    str::as_char_ptr_in_const_context,
    sync::Arc, //
};

use super::{
    super::bindings,
    fmsg::Object,
    instance::Registration,
    HealthReporter, //
};

/// A health reporter of a devlink instance. Dropping it waits for a callback that is running; none is
/// called any more afterwards, and a dump that was kept is freed.
///
/// # Invariants
///
/// `raw` is a reporter of the instance behind `devlink`, with the address of `data` as its private
/// pointer and the callbacks of [`Vtable<T>`](Vtable); this object owns it.
#[pin_data(PinnedDrop)]
pub struct Reporter<T: HealthReporter> {
    raw: NonNull<bindings::devlink_health_reporter>,
    #[pin]
    data: T,
    devlink: Arc<Registration>,
    /// The C object has the address of `data`.
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: A reporter is not bound to a thread; `T` is `Send` and `Sync`.
unsafe impl<T: HealthReporter> Send for Reporter<T> {}

// SAFETY: What is done through a shared reference to the C object is done one at a time, see
// `Registration::while_registered()`; `T` is `Sync`.
unsafe impl<T: HealthReporter> Sync for Reporter<T> {}

impl<T: HealthReporter> Reporter<T> {
    /// Creates a reporter. Callbacks may come before it is there.
    ///
    /// Process context, sleeps.
    ///
    /// # Errors
    ///
    /// - `EEXIST`: the instance has a reporter of that name.
    /// - `ENODEV`: the device was unbound.
    /// - `ENOMEM`
    /// - What `data` fails with.
    pub fn new<E>(devlink: Arc<Registration>, data: impl PinInit<T, E>) -> impl PinInit<Self, Error>
    where
        Error: From<E>,
    {
        try_pin_init!(&this in Self {
            data <- data,
            devlink,
            _pin: PhantomPinned,
            // Last, so that the callbacks may come at once.
            // INVARIANT: If this succeeds, the C object is as it should be.
            raw: {
                // SAFETY: `this` is valid; only the address of its field is taken.
                let data = unsafe { &raw mut (*this.as_ptr()).data };
                let raw = devlink.while_registered(|instance| {
                    // SAFETY: The instance is valid, the table of callbacks is static. `data` is
                    // initialized and pinned: it stays until the destructor has destroyed the
                    // reporter, or for ever if that does not run.
                    from_err_ptr(unsafe {
                        bindings::devlink_health_reporter_create(
                            instance,
                            Vtable::<T>::ops(),
                            data.cast(),
                        )
                    })
                })?;
                NonNull::new(raw).ok_or(ENOMEM)?
            },
        }? Error)
    }

    /// The data that the callbacks work on.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// Reports an error: counts it, tells user space, and, unless the last one was not recovered yet or
    /// the last recovery is younger than the graceful period, has it [dumped](HealthReporter::dump) and
    /// [recovered](HealthReporter::recover). User space can turn either off.
    ///
    /// `message` is for the trace event only; nothing is written to the log.
    ///
    /// Process context, sleeps; calls for one instance wait for each other.
    ///
    /// # Errors
    ///
    /// - `ECANCELED`: counted, but there were reasons not to recover, see above.
    /// - `ENODEV`: the device was unbound, nobody was told.
    /// - What [`HealthReporter::recover`] fails with.
    pub fn report(&self, message: &CStr, context: &T::Context) -> Result {
        self.devlink.while_registered(|_| {
            // SAFETY: By the type invariants, the reporter is valid; its instance is registered as long
            // as this takes. The callbacks that this leads to take the context for a `T::Context`, which
            // it is; it is valid during the call, and only read.
            to_result(unsafe {
                bindings::devlink_health_report(
                    self.raw.as_ptr(),
                    message.as_char_ptr(),
                    core::ptr::from_ref(context).cast_mut().cast(),
                )
            })
        })
    }

    /// The device works again, other than by a [`HealthReporter::recover`] that said so: counts that and
    /// tells user space. Does nothing when the device was unbound.
    ///
    /// Process context, sleeps.
    pub fn recovered(&self) {
        // There is nobody to be told if it fails.
        let _ = self.devlink.while_registered(|instance| {
            // SAFETY: The instance is valid.
            unsafe { bindings::devl_lock(instance) };
            // SAFETY: By the type invariants, the reporter is valid.
            unsafe { bindings::devlink_health_reporter_recovery_done(self.raw.as_ptr()) };
            // SAFETY: As above; the instance is registered, as the notification that this sends requires.
            unsafe {
                bindings::devlink_health_reporter_state_update(
                    self.raw.as_ptr(),
                    bindings::devlink_health_reporter_state_DEVLINK_HEALTH_REPORTER_STATE_HEALTHY,
                )
            };
            // SAFETY: The lock was taken above.
            unsafe { bindings::devl_unlock(instance) };
            Ok(())
        });
    }
}

#[pinned_drop]
impl<T: HealthReporter> PinnedDrop for Reporter<T> {
    fn drop(self: Pin<&mut Self>) {
        // Takes the lock that the callbacks are called with, and the reporter out of the list in which
        // they look for it under that lock. `report()` borrows `self`, so it does not run.
        //
        // SAFETY: By the type invariants, the reporter is valid and ours. Its instance is not freed
        // before `devlink` is dropped.
        unsafe { bindings::devlink_health_reporter_destroy(self.raw.as_ptr()) };
    }
}

/// Makes the table of callbacks for `T`.
struct Vtable<T>(core::marker::PhantomData<T>);

impl<T: HealthReporter> Vtable<T> {
    const OPS: bindings::devlink_health_reporter_ops = {
        assert!(
            T::GRACEFUL_PERIOD_MS == 0 || T::HAS_RECOVER,
            "a graceful period makes no sense without recovery"
        );
        bindings::devlink_health_reporter_ops {
            // The C code does not write to it.
            name: as_char_ptr_in_const_context(T::NAME).cast_mut(),
            recover: if T::HAS_RECOVER {
                Some(recover::<T>)
            } else {
                None
            },
            dump: if T::HAS_DUMP { Some(dump::<T>) } else { None },
            diagnose: if T::HAS_DIAGNOSE {
                Some(diagnose::<T>)
            } else {
                None
            },
            default_graceful_period: T::GRACEFUL_PERIOD_MS,
            ..pin_init::zeroed()
        }
    };

    /// The table. It lives as long as the module.
    const fn ops() -> &'static bindings::devlink_health_reporter_ops {
        &Self::OPS
    }
}

/// The data of a reporter.
///
/// # Safety
///
/// `raw` is the C object of a [`Reporter<T>`], which is not dropped before the returned reference has
/// been used for the last time.
unsafe fn data<'a, T: HealthReporter>(raw: *mut bindings::devlink_health_reporter) -> &'a T {
    // SAFETY: By this function's requirements, `raw` is valid.
    let data = unsafe { bindings::devlink_health_reporter_priv(raw) };
    // SAFETY: By the type invariants of `Reporter`, this is the address of its data. There are only
    // shared references to it.
    unsafe { &*data.cast::<T>() }
}

/// # Safety
///
/// Only for devlink, as `recover` of a [`Reporter<T>`]. `context` is null or what `report()` was given,
/// which waits for this function.
unsafe extern "C" fn recover<T: HealthReporter>(
    raw: *mut bindings::devlink_health_reporter,
    context: *mut c_void,
    _extack: *mut bindings::netlink_ext_ack,
) -> c_int {
    // SAFETY: By this function's requirements. It is called under the lock that the destructor has to
    // take first.
    let data = unsafe { data::<T>(raw) };
    // SAFETY: By this function's requirements, null or valid until it returns.
    let context = unsafe { context.cast::<T::Context>().as_ref() };
    from_result(|| data.recover(context).map(|()| 0))
}

/// # Safety
///
/// Only for devlink, as `dump` of a [`Reporter<T>`], with a message in which an object was begun.
/// `context` as in [`recover()`].
unsafe extern "C" fn dump<T: HealthReporter>(
    raw: *mut bindings::devlink_health_reporter,
    message: *mut bindings::devlink_fmsg,
    context: *mut c_void,
    _extack: *mut bindings::netlink_ext_ack,
) -> c_int {
    // SAFETY: As in `recover()`.
    let data = unsafe { data::<T>(raw) };
    // SAFETY: As in `recover()`.
    let context = unsafe { context.cast::<T::Context>().as_ref() };
    // SAFETY: By this function's requirements; the message is handed out for this call.
    let mut out = unsafe { Object::from_raw(message) };
    from_result(|| data.dump(context, &mut out).map(|()| 0))
}

/// # Safety
///
/// Only for devlink, as `diagnose` of a [`Reporter<T>`], with a message in which an object was begun.
unsafe extern "C" fn diagnose<T: HealthReporter>(
    raw: *mut bindings::devlink_health_reporter,
    message: *mut bindings::devlink_fmsg,
    _extack: *mut bindings::netlink_ext_ack,
) -> c_int {
    // SAFETY: As in `recover()`.
    let data = unsafe { data::<T>(raw) };
    // SAFETY: As in `dump()`.
    let mut out = unsafe { Object::from_raw(message) };
    from_result(|| data.diagnose(&mut out).map(|()| 0))
}
