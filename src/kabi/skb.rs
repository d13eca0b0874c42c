// SPDX-License-Identifier: GPL-2.0

//! Socket buffers.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)
//!
//! A [`SkBuff`] is owned, and leaves by a method that takes it by value and says how it ended:
//! [`consume`](SkBuff::consume) (it served its purpose), [`drop_reason`](SkBuff::drop_reason) (it
//! was lost, and why), [`Device::receive`](super::netdev::Device::receive) (the stack has it).
//!
//! # Examples
//!
//! Sending: a header in front, zeroes behind.
//!
//! ```ignore
//! fn frame(mut skb: SkBuff, header: &[u8; 8], pad: usize) -> Result<SkBuff, SkBuff> {
//!     let done = skb
//!         .make_room(header.len(), pad)
//!         .and_then(|()| skb.put_zeroed(pad))
//!         .and_then(|()| skb.push(header));
//!     if done.is_ok() { Ok(skb) } else { Err(skb) }
//! }
//! ```
//!
//! Receiving from a device that does not tell the length: take all, read the header, cut.
//!
//! ```ignore
//! let mut skb = SkBuff::alloc_rx(2048, GFP_KERNEL)?;
//! // ... the device writes at most 2048 bytes ...
//! skb.received(2048)?;
//! let len = parse(skb.linear())?;
//! skb.trim(8 + len);
//! skb.pull(8)?;
//! ```

use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    },
    slice, //
};

use kernel::{
    alloc::{
        self,
        flags, //
    },
    prelude::*, //
};

use super::bindings;

mod edit;
mod free;

pub use free::DropReason;

/// Upper bound of the lengths that [`SkBuff`] takes: far above any packet, far below the limits of
/// the C functions' integer types.
const MAX_LEN: usize = 1 << 20;

/// The raw value of the allocation flags that make sense for a socket buffer.
///
/// `alloc::Flags` does not give its value away. Without [`GFP_KERNEL`] this never sleeps.
fn gfp(flags: alloc::Flags) -> bindings::gfp_t {
    let base = if flags.contains(flags::GFP_KERNEL) {
        bindings::GFP_KERNEL
    } else if flags.contains(flags::GFP_ATOMIC) {
        bindings::GFP_ATOMIC
    } else {
        bindings::GFP_NOWAIT
    };

    if flags.contains(flags::__GFP_NOWARN) {
        base | bindings::__GFP_NOWARN
    } else {
        base
    }
}

/// Converts a length that is at most [`MAX_LEN`].
fn to_uint(len: usize) -> Result<c_uint> {
    if len > MAX_LEN {
        return Err(EMSGSIZE);
    }
    Ok(len as c_uint)
}

/// An owned `struct sk_buff`.
///
/// Dropping one frees it as lost for an unspecified reason. That is a safety net: say what happened
/// with [`consume`](Self::consume) or [`drop_reason`](Self::drop_reason).
///
/// All methods may be called in any context but where they say otherwise, and none sleeps but
/// allocation with [`GFP_KERNEL`].
///
/// # Invariants
///
/// - `ptr` points to a valid `sk_buff` that is not shared (`users` is 1), and this object owns it.
/// - `rx_capacity` is 0, or the head of the buffer is as [`alloc_rx`](Self::alloc_rx) allocated it:
///   linear, not cloned, with that many bytes behind where its data starts when it is empty.
/// - If `rx_ready` is set, the buffer is empty and these bytes are initialised.
pub struct SkBuff {
    ptr: NonNull<bindings::sk_buff>,
    rx_capacity: c_uint,
    rx_ready: bool,
}

// SAFETY: A socket buffer is not bound to the thread or CPU that allocated it.
unsafe impl Send for SkBuff {}

impl SkBuff {
    /// Allocates an empty buffer with room for `size` bytes of data behind `headroom` bytes.
    ///
    /// # Errors
    ///
    /// - `EMSGSIZE`: more than a megabyte.
    /// - `ENOMEM`
    pub fn alloc(size: usize, headroom: usize, flags: alloc::Flags) -> Result<Self> {
        let headroom = to_uint(headroom)?;
        let size = to_uint(size)?;
        // SAFETY: A null device is allowed: the buffer is not for receiving from one.
        let skb =
            unsafe { bindings::__netdev_alloc_skb(ptr::null_mut(), headroom + size, gfp(flags)) };
        let ptr = NonNull::new(skb).ok_or(ENOMEM)?;
        // SAFETY: The buffer is new, hence empty, and has that much tailroom.
        unsafe { bindings::bam_dmux_helper_skb_reserve(skb, headroom) };

        // INVARIANT: A new buffer has one user, us.
        Ok(Self {
            ptr,
            rx_capacity: 0,
            rx_ready: false,
        })
    }

    /// Allocates an empty buffer that a device can write `capacity` bytes to.
    ///
    /// The area is zeroed: if the device writes less than it claims, nobody sees what the memory held
    /// before.
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc).
    pub fn alloc_rx(capacity: usize, flags: alloc::Flags) -> Result<Self> {
        let rx_capacity = to_uint(capacity)?;
        let mut skb = Self::alloc(capacity, 0, flags)?;

        // INVARIANT: The buffer is new, hence linear, not cloned and of that size.
        skb.rx_capacity = rx_capacity;
        skb.reset_rx();
        Ok(skb)
    }

    /// Allocates a buffer for a copy of `bytes` that is not larger than it has to be.
    ///
    /// # Errors
    ///
    /// As [`alloc`](Self::alloc).
    pub fn copy_of(bytes: &[u8], flags: alloc::Flags) -> Result<Self> {
        let mut skb = Self::alloc(0, bytes.len(), flags)?;

        skb.push(bytes)?;
        Ok(skb)
    }

    /// Empties and zeroes a buffer of [`alloc_rx`](Self::alloc_rx), so that it can be given to the
    /// device again. Any other buffer stays as it is.
    pub fn reset_rx(&mut self) {
        if self.rx_capacity == 0 {
            return;
        }
        // SAFETY: `alloc_rx` got the buffer from `__netdev_alloc_skb` without more headroom, so this
        // restores the state after it. It has no fragments and is not cloned by the invariants.
        unsafe { bindings::bam_dmux_helper_skb_empty(self.as_raw()) };
        // SAFETY: By the invariants that many bytes are there and belong to this buffer.
        unsafe { ptr::write_bytes(self.data(), 0, self.rx_capacity as usize) };
        // INVARIANT: Just emptied and initialised.
        self.rx_ready = true;
    }

    /// Takes ownership of a buffer.
    ///
    /// # Safety
    ///
    /// `ptr` points to a valid `sk_buff` with one user, and the caller gives that reference away.
    pub(super) unsafe fn from_raw(ptr: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By this function's requirements.
        Self {
            ptr,
            rx_capacity: 0,
            rx_ready: false,
        }
    }

    /// Gives ownership to the caller, who must see to it that the buffer is freed.
    pub(super) fn into_raw(self) -> NonNull<bindings::sk_buff> {
        ManuallyDrop::new(self).ptr
    }

    /// The C object. Valid as long as `self`.
    pub(super) fn as_raw(&self) -> *mut bindings::sk_buff {
        self.ptr.as_ptr()
    }

    /// Start of the linear data.
    pub(super) fn data(&self) -> *mut u8 {
        // SAFETY: The buffer is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_skb_data(self.as_raw()) }
    }

    /// What a device may write to: start and length of the empty buffer's receive area.
    ///
    /// The length is 0 if the buffer does not come from [`alloc_rx`](Self::alloc_rx), or was used and
    /// not [reset](Self::reset_rx). The area stays in place and valid as long as `self` is only
    /// moved, not used.
    pub(super) fn rx_area(&mut self) -> (*mut u8, usize) {
        let len = if self.rx_ready {
            self.rx_capacity as usize
        } else {
            0
        };

        (self.data(), len)
    }

    /// Number of bytes of data, fragments included.
    pub fn len(&self) -> usize {
        // SAFETY: The buffer is valid by the type invariants.
        let len = unsafe { (*self.as_raw()).len };

        len as usize
    }

    /// Whether there is no data.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all data is in one piece, the one that [`linear`](Self::linear) returns.
    pub fn is_linear(&self) -> bool {
        // SAFETY: The buffer is valid by the type invariants.
        !unsafe { bindings::bam_dmux_helper_skb_is_nonlinear(self.as_raw()) }
    }

    /// Bytes free in front of the data. Not necessarily writable: see
    /// [`make_room`](Self::make_room).
    pub fn headroom(&self) -> usize {
        // SAFETY: The buffer is valid by the type invariants.
        let room = unsafe { bindings::bam_dmux_helper_skb_headroom(self.as_raw()) };

        room as usize
    }

    /// Bytes free behind the data, 0 unless it is linear. Not necessarily writable: see
    /// [`make_room`](Self::make_room).
    pub fn tailroom(&self) -> usize {
        // SAFETY: The buffer is valid by the type invariants.
        let room = unsafe { bindings::bam_dmux_helper_skb_tailroom(self.as_raw()) };

        usize::try_from(room).unwrap_or(0)
    }

    /// The data, or its first piece if it is in several.
    pub fn linear(&self) -> &[u8] {
        // SAFETY: The buffer is valid by the type invariants.
        let len = unsafe { bindings::bam_dmux_helper_skb_headlen(self.as_raw()) };

        // SAFETY: A buffer's data is initialised memory of that length. Only this object can write to
        // it: clones of a buffer treat common data as read-only.
        unsafe { slice::from_raw_parts(self.data(), len as usize) }
    }

    /// Declares that the first `n` bytes of a buffer of [`alloc_rx`](Self::alloc_rx) are its data.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE`: `n` is larger than the capacity, or the buffer was used and not
    /// [reset](Self::reset_rx), or is of another origin.
    pub fn received(&mut self, n: usize) -> Result {
        let (_, capacity) = self.rx_area();
        if n > capacity {
            return Err(EMSGSIZE);
        }
        self.rx_ready = false;
        // SAFETY: The buffer is linear and empty and has that much room by the type invariants. `n`
        // is not larger than a `c_uint`.
        unsafe { bindings::skb_put(self.as_raw(), n as c_uint) };
        Ok(())
    }

    /// The EtherType of the data, in host byte order.
    pub fn protocol(&self) -> u16 {
        // SAFETY: The buffer is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_skb_protocol(self.as_raw()) }
    }

    /// Sets the EtherType of the data, in host byte order (`ETH_P_IP` 0x0800, `ETH_P_IPV6` 0x86dd).
    pub fn set_protocol(&mut self, protocol: u16) {
        // SAFETY: The buffer is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_skb_set_protocol(self.as_raw(), protocol) };
    }

    /// Detaches the buffer from the socket and the connection that it belongs to, which need not wait
    /// for it any more. For one that the driver will keep for long.
    pub fn orphan(&mut self) {
        // SAFETY: The buffer is valid by the type invariants, and nobody else uses it.
        unsafe { bindings::bam_dmux_helper_skb_orphan(self.as_raw()) };
    }

    /// Gives the socket the software time stamp it asked for, if it did. Call it just before the
    /// device gets the buffer.
    pub fn tx_timestamp(&self) {
        // SAFETY: The buffer is valid by the type invariants.
        unsafe { bindings::bam_dmux_helper_skb_tx_timestamp(self.as_raw()) };
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[path = "../../tests/kunit/skb.rs"]
mod tests;
