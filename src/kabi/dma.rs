// SPDX-License-Identifier: GPL-2.0

//! Socket buffers mapped for a device.
//!
//! A [`Mapped`] buffer belongs to the device side: the CPU cannot get at its bytes, because there is
//! no method for it. [`Mapped::into_skb()`] gives the buffer back to the CPU and takes it from the
//! device, in one step.
//!
//! ```ignore
//! let mapped = Mapped::<FromDevice>::map(skb, pipe.mapper()).map_err(|(e, _skb)| e)?;
//! // ... the device writes ...
//! let skb = mapped.into_skb();
//! ```
//!
//! Limitations:
//! - Only linear buffers, one piece per buffer.
//!
//! C header: [`include/linux/dma-mapping.h`](srctree/include/linux/dma-mapping.h)

use super::{
    bindings,
    platform::device_as_raw,
    skb::SkBuff, //
};

use core::{
    marker::PhantomData,
    ptr, //
};

use kernel::{
    device::Device,
    error::to_result,
    prelude::*,
    sync::aref::ARef, //
};

mod private {
    pub trait Sealed {}
}

/// Which way the bytes of a mapped buffer go: [`ToDevice`] or [`FromDevice`].
pub trait Direction: private::Sealed + Send + Sync + 'static {
    /// For the mapping functions.
    #[doc(hidden)]
    const MAP: bindings::dma_data_direction;

    /// For the DMA engine.
    #[doc(hidden)]
    const TRANSFER: bindings::dma_transfer_direction;

    /// The bytes of `skb` that the device gets: where they start, and how many they are.
    #[doc(hidden)]
    fn area(skb: &mut SkBuff) -> (*mut u8, usize);
}

/// The device reads: the data of the buffer is mapped.
pub struct ToDevice;

/// The device writes: the receive area of a buffer of [`SkBuff::alloc_rx()`] is mapped, all of it.
pub struct FromDevice;

impl private::Sealed for ToDevice {}
impl private::Sealed for FromDevice {}

impl Direction for ToDevice {
    const MAP: bindings::dma_data_direction = bindings::dma_data_direction::DMA_TO_DEVICE;
    const TRANSFER: bindings::dma_transfer_direction =
        bindings::dma_transfer_direction_DMA_MEM_TO_DEV;

    fn area(skb: &mut SkBuff) -> (*mut u8, usize) {
        (skb.data(), skb.linear().len())
    }
}

impl Direction for FromDevice {
    // The buffer is zeroed before it is mapped, and what the device does not write must read as
    // zeroes. With DMA_FROM_DEVICE some machines (32-bit Arm) throw the zeroes away while they are
    // still in the cache, and the memory's former content shows.
    const MAP: bindings::dma_data_direction = bindings::dma_data_direction::DMA_BIDIRECTIONAL;
    const TRANSFER: bindings::dma_transfer_direction =
        bindings::dma_transfer_direction_DMA_DEV_TO_MEM;

    fn area(skb: &mut SkBuff) -> (*mut u8, usize) {
        skb.rx_area()
    }
}

/// Maps buffers for one device: the one that does the transfers, not the one that wants them done.
/// [`Pipe::mapper()`](super::dmaengine::Pipe::mapper) has the one for a pipe.
#[derive(Clone)]
pub struct Mapper {
    dev: ARef<Device>,
}

impl Mapper {
    /// Makes a mapper for transfers that `dev` itself does.
    pub fn new(dev: &Device) -> Self {
        Self { dev: dev.into() }
    }
}

/// A live streaming mapping. Dropping it ends it.
///
/// # Invariants
///
/// `addr` is a mapping of `len` bytes in direction `D` for the device of `mapper`, and the bytes
/// behind it stay allocated as long as `self` lives.
struct Mapping<D: Direction> {
    mapper: Mapper,
    addr: bindings::dma_addr_t,
    len: usize,
    _direction: PhantomData<D>,
}

impl<D: Direction> Drop for Mapping<D> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, this is a mapping with these parameters.
        unsafe {
            bindings::bam_dmux_helper_dma_unmap_single(
                device_as_raw(&self.mapper.dev),
                self.addr,
                self.len,
                D::MAP,
            )
        };
    }
}

/// A socket buffer mapped for a device. Dropping it ends the mapping and frees the buffer.
///
/// # Invariants
///
/// `mapping` covers bytes of `skb`, whose data area is neither moved nor freed before the mapping
/// has ended.
pub struct Mapped<D: Direction> {
    // The order of the fields is the order of their drops: the mapping ends first.
    mapping: Mapping<D>,
    skb: SkBuff,
}

impl<D: Direction> Mapped<D> {
    /// Maps `skb`: its data for [`ToDevice`], its receive area for [`FromDevice`].
    ///
    /// Any context.
    ///
    /// # Errors
    ///
    /// The buffer is returned with the error.
    ///
    /// - `EINVAL`: the buffer is not linear, or there is nothing to map (for [`FromDevice`]: the
    ///   buffer has another origin, or was used and not reset).
    /// - `ENOMEM`: the device cannot reach the buffer, or no bounce buffer is free.
    pub fn map(mut skb: SkBuff, mapper: &Mapper) -> Result<Self, (Error, SkBuff)> {
        let (start, len) = D::area(&mut skb);
        if !skb.is_linear() || len == 0 {
            return Err((EINVAL, skb));
        }
        let dev = device_as_raw(&mapper.dev);

        // SAFETY: The device is valid, and `start` and `len` are memory of the linear area of the
        // buffer, which comes from the kernel's allocator.
        let addr =
            unsafe { bindings::bam_dmux_helper_dma_map_single(dev, start.cast(), len, D::MAP) };
        // SAFETY: The device is valid.
        if to_result(unsafe { bindings::bam_dmux_helper_dma_mapping_error(dev, addr) }).is_err() {
            return Err((ENOMEM, skb));
        }

        // INVARIANT: The mapping is live, and `skb` is owned by the same object, which gives out no
        // reference to it.
        Ok(Self {
            mapping: Mapping {
                mapper: mapper.clone(),
                addr,
                len,
                _direction: PhantomData,
            },
            skb,
        })
    }

    /// Ends the mapping and returns the buffer. What the device wrote is visible from now on.
    ///
    /// Any context.
    pub fn into_skb(self) -> SkBuff {
        let Self { mapping, skb } = self;
        drop(mapping);
        skb
    }

    /// Detaches the buffer from its socket, see [`SkBuff::orphan()`]. Its bytes stay as they are.
    pub(super) fn orphan(&mut self) {
        self.skb.orphan();
    }

    /// Whether the mapping is for the device of `mapper`.
    pub(super) fn is_for(&self, mapper: &Mapper) -> bool {
        ptr::eq::<Device>(&*self.mapping.mapper.dev, &*mapper.dev)
    }

    /// The number of mapped bytes.
    pub fn len(&self) -> usize {
        self.mapping.len
    }

    /// The address that the device uses.
    pub(super) fn addr(&self) -> bindings::dma_addr_t {
        self.mapping.addr
    }
}
