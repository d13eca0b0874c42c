// SPDX-License-Identifier: GPL-2.0

//! Statistics of a [`Device`].
//!
//! Packets, bytes and drops are counted per CPU, in 64 bits on all machines, and exist as long as the
//! device. Rarer things are the driver's to count; it adds them in
//! [`Operations::stats64`](super::Operations::stats64).

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
    /// Counts a received packet of `bytes`.
    pub fn rx_add(&self, bytes: usize) {
        // SAFETY: The device and its counters are valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_dstats_rx_add(self.as_raw(), to_uint(bytes)) };
    }

    /// Counts `packets` that were sent, of `bytes` altogether.
    pub fn tx_add(&self, packets: usize, bytes: usize) {
        // SAFETY: The device and its counters are valid by the type invariants.
        unsafe {
            bindings::bam_dmux_helper_dstats_tx_add(self.as_raw(), to_uint(packets), to_uint(bytes))
        };
    }

    /// Counts a packet that was received, and dropped for want of something.
    pub fn rx_dropped(&self) {
        // SAFETY: The device and its counters are valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_dstats_rx_dropped(self.as_raw()) };
    }

    /// Counts a packet that was to be sent, and dropped for want of something.
    pub fn tx_dropped(&self) {
        // SAFETY: The device and its counters are valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_dstats_tx_dropped(self.as_raw()) };
    }
}

/// `struct rtnl_link_stats64`, what user space is told.
///
/// The methods add. Where C has a total and a detail, they add to both.
#[repr(transparent)]
pub struct Stats64(bindings::rtnl_link_stats64);

impl Stats64 {
    /// All counters at zero.
    pub(super) fn new() -> Self {
        Self(pin_init::zeroed())
    }

    /// The C object, for C to add to.
    pub(super) fn as_raw(&mut self) -> *mut bindings::rtnl_link_stats64 {
        &raw mut self.0
    }

    /// The C object itself.
    pub(super) fn into_raw(self) -> bindings::rtnl_link_stats64 {
        self.0
    }

    /// Received with a length that makes no sense.
    pub fn add_rx_length_errors(&mut self, n: u64) {
        self.0.rx_errors += n;
        self.0.rx_length_errors += n;
    }

    /// Could not be sent for a reason that has no method of its own.
    pub fn add_tx_errors(&mut self, n: u64) {
        self.0.tx_errors += n;
    }
}
