// SPDX-License-Identifier: GPL-2.0

//! The transmit queue of a [`Device`], and its byte queue limits (BQL).
//!
//! The queue above the driver is stopped for two reasons, which add up: the driver's (its ring is
//! full: [`stop_queue`](Device::stop_queue), [`wake_queue`](Device::wake_queue)) and BQL's (enough
//! bytes are on their way: [`sent`](Device::sent), [`completed`](Device::completed)).
//!
//! Each byte that is reported as sent must be reported as completed once: the kernel stops with a `BUG`
//! when more completes than was sent.

use kernel::prelude::*;

use super::{
    super::bindings,
    Device,
    Operations, //
};

/// Converts a number of bytes or packets for C. It never is that large.
fn to_uint(n: usize) -> c_uint {
    c_uint::try_from(n).unwrap_or(c_uint::MAX)
}

impl<T: Operations> Device<T> {
    /// Lets the stack call [`Operations::start_xmit`], from its next packet on. For
    /// [`Operations::open`]; elsewhere, use [`wake_queue`](Self::wake_queue).
    pub fn start_queue(&self) {
        // SAFETY: The device is valid by the type invariants and has this queue.
        unsafe { bindings::bam_dmux_helper_txq_start(self.as_raw()) };
    }

    /// Keeps the stack from calling [`Operations::start_xmit`]. A call on another CPU may be about to
    /// start.
    pub fn stop_queue(&self) {
        // SAFETY: The device is valid by the type invariants and has this queue.
        unsafe { bindings::bam_dmux_helper_txq_stop(self.as_raw()) };
    }

    /// Lets the stack call [`Operations::start_xmit`], and send what has piled up.
    pub fn wake_queue(&self) {
        // SAFETY: The device is valid by the type invariants and has this queue.
        unsafe { bindings::bam_dmux_helper_txq_wake(self.as_raw()) };
    }

    /// Whether the driver stopped the queue.
    pub fn queue_stopped(&self) -> bool {
        // SAFETY: The device is valid by the type invariants and has this queue.
        unsafe { bindings::bam_dmux_helper_txq_stopped(self.as_raw()) }
    }

    /// Reports to BQL that the driver's ring took `bytes`; BQL stops the queue when that is enough.
    /// Returns whether the device has to be told now. With `more` ([`xmit_more`](Self::xmit_more)) it
    /// can wait for the next packet, unless the queue is stopped and there may be none.
    ///
    /// Only in [`Operations::start_xmit`], which does not overlap with itself.
    pub fn sent(&self, bytes: usize, more: bool) -> bool {
        // SAFETY: The device is valid by the type invariants and has this queue.
        unsafe { bindings::bam_dmux_helper_txq_sent(self.as_raw(), to_uint(bytes), more) }
    }

    /// Reports to BQL that what was [`sent`](Self::sent) has left the ring, whatever became of it.
    ///
    /// Calls must not overlap: make them under a lock, or from NAPI only.
    pub fn completed(&self, packets: usize, bytes: usize) {
        // SAFETY: The device is valid by the type invariants and has this queue.
        unsafe {
            bindings::bam_dmux_helper_txq_completed(self.as_raw(), to_uint(packets), to_uint(bytes))
        };
    }

    /// Whether the stack has more packets for this CPU, so that the doorbell may wait.
    ///
    /// Only in [`Operations::start_xmit`].
    pub fn xmit_more(&self) -> bool {
        // SAFETY: FFI call without requirements.
        unsafe { bindings::bam_dmux_helper_xmit_more() }
    }
}
