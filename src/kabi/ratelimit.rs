// SPDX-License-Identifier: GPL-2.0

//! Rate limits for log messages.
//!
//! C header: [`include/linux/ratelimit.h`](srctree/include/linux/ratelimit.h)

use kernel::{
    prelude::*,
    types::Opaque, //
};

use super::bindings;

/// Allows a burst of ten events in five seconds, the kernel's default.
///
/// # Invariants
///
/// `state` is an initialised `struct ratelimit_state`.
#[pin_data]
pub struct RateLimit {
    #[pin]
    state: Opaque<bindings::ratelimit_state>,
}

// SAFETY: `struct ratelimit_state` has a lock of its own and no tie to a thread.
unsafe impl Send for RateLimit {}

// SAFETY: `struct ratelimit_state` has a lock of its own.
unsafe impl Sync for RateLimit {}

impl RateLimit {
    /// Creates a limit. Any context.
    pub fn new() -> impl PinInit<Self> {
        // INVARIANT: The helper initialises `state`.
        pin_init!(Self {
            // SAFETY: `ffi_init` hands out memory that is valid for writes, all the helper needs.
            state <- Opaque::ffi_init(|ptr| unsafe {
                bindings::bam_dmux_helper_ratelimit_init(ptr)
            }),
        })
    }

    /// Whether the caller may log now. Counts the event, and from time to time logs by itself how
    /// many were suppressed, with `who` in front. Any context.
    pub fn allow(&self, who: &CStr) -> bool {
        // SAFETY: By the type invariant `state` is initialised; `who` is a C string.
        unsafe { bindings::___ratelimit(self.state.get(), who.as_char_ptr()) != 0 }
    }
}
