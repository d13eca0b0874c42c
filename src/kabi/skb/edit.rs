// SPDX-License-Identifier: GPL-2.0

//! Changes of a [`SkBuff`]'s data.

use core::ptr;

use kernel::{
    error::to_result,
    prelude::*, //
};

use super::{
    super::bindings,
    to_uint,
    SkBuff, //
};

impl SkBuff {
    /// Makes the data linear, and room for `head` bytes in front of and `tail` bytes behind it that
    /// may be written. Copies only if it must.
    ///
    /// Atomic: does not sleep.
    ///
    /// # Errors
    ///
    /// - `EMSGSIZE`: more than a megabyte asked for.
    /// - `ENOMEM`: the data is unchanged.
    pub fn make_room(&mut self, head: usize, tail: usize) -> Result {
        let more_head = to_uint(head)?.saturating_sub(to_uint(self.headroom())?);

        // SAFETY: The buffer is valid and not shared by the type invariants.
        to_result(unsafe { bindings::bam_dmux_helper_skb_linearize(self.as_raw()) })?;
        // Only now: a buffer with fragments has no tailroom to speak of.
        let more_tail = to_uint(tail)?.saturating_sub(to_uint(self.tailroom())?);

        if more_head == 0
            && more_tail == 0
            && self.head_is_private()
            && (tail == 0 || self.is_private())
        {
            return Ok(());
        }
        // The buffer gets another head.
        self.rx_capacity = 0;
        self.rx_ready = false;
        // SAFETY: The buffer is valid and not shared by the type invariants. The sum of the lengths
        // fits in an `int`, as each is at most `MAX_LEN`.
        to_result(unsafe {
            bindings::pskb_expand_head(
                self.as_raw(),
                more_head as c_int,
                more_tail as c_int,
                bindings::GFP_ATOMIC,
            )
        })
    }

    /// Whether nobody else uses the memory of the data.
    pub(super) fn is_private(&self) -> bool {
        // SAFETY: The buffer is valid by the type invariants.
        !unsafe { bindings::bam_dmux_helper_skb_cloned(self.as_raw()) }
    }

    /// Whether nobody else uses the memory in front of the data. TCP keeps a clone of what it sends,
    /// but leaves the headroom to the buffer that goes down.
    fn head_is_private(&self) -> bool {
        // SAFETY: The buffer is valid by the type invariants.
        !unsafe { bindings::bam_dmux_helper_skb_header_cloned(self.as_raw()) }
    }

    /// Puts `bytes` in front of the data.
    ///
    /// # Errors
    ///
    /// `ENOBUFS`: no room, or others use it as well; call [`make_room`](Self::make_room) before.
    pub fn push(&mut self, bytes: &[u8]) -> Result {
        if bytes.len() > self.headroom() || !self.head_is_private() {
            return Err(ENOBUFS);
        }
        self.rx_ready = false;
        // SAFETY: The buffer is valid by the type invariants and has the room.
        let start = unsafe { bindings::skb_push(self.as_raw(), bytes.len() as c_uint) };
        // SAFETY: The new bytes of the buffer are not used by another one, and `bytes` is not part of
        // them, since `self` is borrowed mutably.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), start.cast(), bytes.len()) };
        Ok(())
    }

    /// Adds `n` zero bytes behind the data.
    ///
    /// # Errors
    ///
    /// `ENOBUFS`: no room, or others use it as well; call [`make_room`](Self::make_room) before.
    pub fn put_zeroed(&mut self, n: usize) -> Result {
        if n == 0 {
            return Ok(());
        }
        if n > self.tailroom() || !self.is_private() {
            return Err(ENOBUFS);
        }
        self.rx_ready = false;
        // SAFETY: The buffer is valid by the type invariants, linear (it has tailroom) and has the
        // room.
        let start = unsafe { bindings::skb_put(self.as_raw(), n as c_uint) };
        // SAFETY: The new bytes of the buffer are not used by another one.
        unsafe { ptr::write_bytes(start.cast::<u8>(), 0, n) };
        Ok(())
    }

    /// Removes `n` bytes from the start of the data.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE`: the first piece of the data is shorter; it is unchanged.
    pub fn pull(&mut self, n: usize) -> Result {
        if n > self.linear().len() {
            return Err(EMSGSIZE);
        }
        // SAFETY: The buffer is valid by the type invariants, and its linear part long enough.
        unsafe { bindings::skb_pull(self.as_raw(), n as c_uint) };
        Ok(())
    }

    /// Cuts the data to its first `n` bytes; it stays as it is if it is shorter, or not linear.
    pub fn trim(&mut self, n: usize) {
        if n < self.len() && self.is_linear() {
            // SAFETY: The buffer is valid by the type invariants, and linear.
            unsafe { bindings::skb_trim(self.as_raw(), n as c_uint) };
        }
    }
}
