// SPDX-License-Identifier: GPL-2.0

//! The ways in which a [`SkBuff`] ends.

use super::{
    super::{
        bindings,
        napi::Poll, //
    },
    SkBuff, //
};

/// Why a packet was dropped; `enum skb_drop_reason` as seen by tracing tools (`skb:kfree_skb`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DropReason {
    /// Left over when a queue was emptied.
    QueuePurge = bindings::skb_drop_reason_SKB_DROP_REASON_QUEUE_PURGE,
    /// Shorter than the device can send or the protocol allows.
    PktTooSmall = bindings::skb_drop_reason_SKB_DROP_REASON_PKT_TOO_SMALL,
    /// Longer than the device can send.
    PktTooBig = bindings::skb_drop_reason_SKB_DROP_REASON_PKT_TOO_BIG,
    /// The device was not ready.
    DevReady = bindings::skb_drop_reason_SKB_DROP_REASON_DEV_READY,
    /// Out of memory.
    NoMem = bindings::skb_drop_reason_SKB_DROP_REASON_NOMEM,
}

impl SkBuff {
    /// Frees a buffer that served its purpose: it was sent, or its content was used.
    pub fn consume(self) {
        self.free(bindings::skb_drop_reason_SKB_CONSUMED);
    }

    /// Like [`consume`](Self::consume), for many buffers in a NAPI poll: their memory is recycled.
    pub fn consume_in_poll(self, poll: &Poll<'_>) {
        let skb = self.into_raw();
        // SAFETY: We own the buffer. `poll` proves that this is a NAPI poll with that budget.
        unsafe { bindings::napi_consume_skb(skb.as_ptr(), poll.budget()) };
    }

    /// Frees a buffer whose content was lost because of `reason`.
    pub fn drop_reason(self, reason: DropReason) {
        self.free(reason as bindings::skb_drop_reason);
    }

    /// Frees the buffer, in whatever context.
    fn free(self, reason: bindings::skb_drop_reason) {
        let skb = self.into_raw();
        // SAFETY: We own the buffer.
        unsafe { bindings::dev_kfree_skb_any_reason(skb.as_ptr(), reason) };
    }
}

impl Drop for SkBuff {
    fn drop(&mut self) {
        let reason = bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED;
        // SAFETY: We own the buffer, and it is not used again.
        unsafe { bindings::dev_kfree_skb_any_reason(self.as_raw(), reason) };
    }
}
