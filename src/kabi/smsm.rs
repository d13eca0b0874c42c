// SPDX-License-Identifier: GPL-2.0

//! Lines that another processor drives through shared memory (SMSM).
//!
//! A line is an interrupt of the SMSM's interrupt controller with a level that can be read at any
//! time. The interrupts are only hints: the controller compares snapshots, so two changes between
//! two snapshots are none, and a change before [`Listener::new()`] is not reported at all. So
//!
//! - look at [`Line::level()`] in the handler, do not count interrupts, and
//! - look at it once after the listener was made.
//!
//! ```ignore
//! let line = Line::get(pdev, c"pc")?;
//! let listener = Listener::new(&line, c"bam-dmux-pc", handler.clone())?;
//! handler.changed();      // what was there before the listener
//! ```
//!
//! Limitations:
//! - A line alone cannot wake the system from sleep: the controller has no such notion (Linux 7.3).
//!   [`Line::parent_irq()`] can, but it stands for all lines of that processor to which somebody listens.
//!
//! C headers: [`include/linux/interrupt.h`](srctree/include/linux/interrupt.h); the controller is
//! [`drivers/soc/qcom/smsm.c`](srctree/drivers/soc/qcom/smsm.c)

use super::{
    bindings,
    platform::device_as_raw, //
};

use core::marker::PhantomPinned;

use kernel::{
    device::Bound,
    error::to_result,
    platform,
    prelude::*,
    sync::Arc, //
};

/// A line of another processor.
pub struct Line {
    irq: u32,
}

impl Line {
    /// Looks up the line that the devicetree node calls `name` (`interrupt-names`).
    ///
    /// Process context, sleeps. Does not subscribe to the line's changes.
    ///
    /// # Errors
    ///
    /// - `EPROBE_DEFER`: the interrupt controller has no driver yet.
    /// - `ENXIO`, `EINVAL`: the node names no such interrupt.
    pub fn get(pdev: &platform::Device<Bound>, name: &CStr) -> Result<Self> {
        let irq = pdev.irq_by_name(name)?.irq();
        Ok(Self { irq })
    }

    /// Looks up the interrupt by which the controller of the line `name` is told of changes: one for
    /// all lines of the other processor. It belongs to the controller, which keeps it for as long as a
    /// device that depends on it is bound.
    ///
    /// Process context, sleeps.
    ///
    /// # Errors
    ///
    /// `ENXIO`, `EINVAL` and others: the controller has no interrupt of its own in the devicetree.
    pub fn parent_irq(pdev: &platform::Device<Bound>, name: &CStr) -> Result<u32> {
        let dev = device_as_raw(pdev.as_ref());
        // SAFETY: `dev` is a valid device, `name` a string.
        let irq = unsafe { bindings::bam_dmux_helper_of_parent_irq(dev, name.as_char_ptr()) };
        to_result(irq)?;
        u32::try_from(irq).map_err(|_| ENXIO)
    }

    /// Reads the level that the other processor drives now.
    ///
    /// Any context but that of a hard interrupt.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: the interrupt controller is gone, or cannot tell levels.
    pub fn level(&self) -> Result<bool> {
        let mut level = false;
        // SAFETY: The function checks the number. `level` is only used during the call.
        to_result(unsafe {
            bindings::irq_get_irqchip_state(
                self.irq,
                bindings::irqchip_irq_state_IRQCHIP_STATE_LINE_LEVEL,
                &mut level,
            )
        })?;
        Ok(level)
    }
}

/// Is told of changes of a line.
pub trait LineHandler: Send + Sync + 'static {
    /// The line has changed, once or more often. What it is now tells [`Line::level()`].
    ///
    /// Runs in the thread of the SMSM, one call at a time. It may sleep, but the changes of all other
    /// lines of the same processor wait for it.
    fn changed(&self);
}

/// A subscription to the changes of a line, in both directions. Dropping it ends the subscription
/// and waits until the handler does not run any more, so it must not be dropped by the handler.
///
/// # Invariants
///
/// The interrupt `irq` is requested with the address of `self` as cookie.
#[pin_data(PinnedDrop)]
pub struct Listener<H: LineHandler> {
    irq: u32,
    handler: Arc<H>,
    /// The interrupt has the address of `self`.
    #[pin]
    _pin: PhantomPinned,
}

impl<H: LineHandler> Listener<H> {
    /// Subscribes `handler` to the changes of `line`. The handler may be called before this returns.
    /// `name` is for `/proc/interrupts`.
    ///
    /// Process context, sleeps.
    ///
    /// # Errors
    ///
    /// - `EBUSY`: there is a listener already.
    /// - `EINVAL`: the interrupt controller is gone.
    /// - `ENOMEM`.
    pub fn new(line: &Line, name: &'static CStr, handler: Arc<H>) -> Result<Pin<KBox<Self>>> {
        let irq = line.irq;
        // Both edges, whatever the devicetree says: the level is what counts, so that a missing edge
        // would be a missed level. Oneshot, since there is no primary handler.
        let flags =
            bindings::IRQF_TRIGGER_RISING | bindings::IRQF_TRIGGER_FALLING | bindings::IRQF_ONESHOT;
        KBox::try_pin_init(
            try_pin_init!(&this in Self {
                irq,
                handler,
                _pin: PhantomPinned,
                // INVARIANT: If this succeeds, the interrupt has the address of `self`.
                _: {
                    // SAFETY: All fields are initialized, so that the handler may be called at once.
                    // `self` is pinned in memory of its own: it stays valid until its destructor
                    // frees the interrupt, or for ever if the destructor does not run. `name` is
                    // static.
                    to_result(unsafe {
                        bindings::request_threaded_irq(
                            *irq,
                            None,
                            Some(Self::thread),
                            flags as c_ulong,
                            name.as_char_ptr(),
                            this.as_ptr().cast(),
                        )
                    })?;
                },
            }? Error),
            GFP_KERNEL,
        )
    }

    /// # Safety
    ///
    /// Only for the interrupt core, as the handler of an interrupt that was requested with a [`Listener<H>`]
    /// as `cookie`.
    unsafe extern "C" fn thread(_irq: c_int, cookie: *mut c_void) -> bindings::irqreturn_t {
        // SAFETY: By this function's requirements, `cookie` is the `Listener` that has requested the
        // interrupt. It stays until `free_irq()` has returned, which waits for this function.
        let this = unsafe { &*cookie.cast::<Self>() };
        this.handler.changed();
        bindings::irqreturn::IRQ_HANDLED
    }
}

#[pinned_drop]
impl<H: LineHandler> PinnedDrop for Listener<H> {
    fn drop(self: Pin<&mut Self>) {
        let cookie = core::ptr::from_ref(&*self).cast_mut().cast();
        // SAFETY: By the type invariant, the interrupt was requested with this cookie.
        unsafe { bindings::free_irq(self.irq, cookie) };
    }
}
