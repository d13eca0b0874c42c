// SPDX-License-Identifier: GPL-2.0

//! The C side of [`Operations`]: callbacks and private area.
//!
//! The core calls a callback only between registering and unregistering, so the device meets the
//! invariants of [`Device`] in all of them.

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

use kernel::{
    prelude::*,
    str::as_char_ptr_in_const_context, //
};

use super::{
    super::{
        bindings,
        skb::SkBuff, //
    },
    Device,
    Operations,
    Stats64,
    Xmit, //
};

/// The private area of a device. C finds its callback at the start.
#[repr(C)]
pub(super) struct Private<T> {
    head: bindings::bam_dmux_netdev_priv,
    pub(super) data: T,
}

/// Size of the private area as the C function takes it; checks that the area fits.
pub(super) const fn private_size<T>() -> c_int {
    assert!(
        align_of::<Private<T>>() <= bindings::NETDEV_ALIGN as usize,
        "the private data needs a larger alignment than the private area has"
    );
    assert!(
        size_of::<Private<T>>() <= 1 << 20,
        "the private data is too large"
    );
    size_of::<Private<T>>() as c_int
}

/// Start of the private area.
///
/// # Safety
///
/// `dev` is a valid device whose private area has the size of a [`Private<T>`].
unsafe fn private<T>(dev: *mut bindings::net_device) -> *mut Private<T> {
    // SAFETY: By this function's requirements.
    unsafe { bindings::bam_dmux_helper_netdev_priv(dev) }.cast()
}

/// Initialises the private area. On an error there is nothing to drop.
///
/// # Safety
///
/// `dev` is a new device, allocated with [`private_size::<T>()`](private_size).
pub(super) unsafe fn init_private<T: Operations, E>(
    dev: *mut bindings::net_device,
    init: impl PinInit<T, E>,
) -> Result<(), E> {
    // SAFETY: By this function's requirements.
    let area = unsafe { private::<T>(dev) };

    // SAFETY: The area has room for a `Private<T>`; only the address of its field is taken.
    let head = unsafe { &raw mut (*area).head };
    // SAFETY: As above.
    let data = unsafe { &raw mut (*area).data };

    // SAFETY: The place is valid for writes, and nobody else has the device.
    unsafe {
        head.write(bindings::bam_dmux_netdev_priv {
            start_xmit: Some(start_xmit::<T>),
        })
    };
    // SAFETY: The place is valid for writes. It does not move until `drop_private`.
    unsafe { pin_init::raw_try_init(data, init) }
}

/// Drops the private data.
///
/// # Safety
///
/// [`init_private`] succeeded for `dev` and this `T`; the data is not used any more.
pub(super) unsafe fn drop_private<T: Operations>(dev: *mut bindings::net_device) {
    // SAFETY: By this function's requirements.
    let area = unsafe { private::<T>(dev) };

    // SAFETY: The area is a `Private<T>`; only the address of its field is taken.
    let data = unsafe { &raw mut (*area).data };

    // SAFETY: By this function's requirements.
    unsafe { data.drop_in_place() };
}

/// Called by `alloc_netdev_mqs()` before it allocates the queues.
///
/// # Safety
///
/// `dev` is a device that is being allocated.
pub(super) unsafe extern "C" fn setup(dev: *mut bindings::net_device) {
    // A device without a queue length at this point gets no queue at all, whatever is set later.
    //
    // SAFETY: By this function's requirements.
    unsafe { (*dev).tx_queue_len = 1 };
}

/// A `device_type` that may be shared by threads.
struct StaticType(bindings::device_type);

// SAFETY: Nobody writes to it.
unsafe impl Sync for StaticType {}

static WWAN: StaticType = StaticType(bindings::device_type {
    name: as_char_ptr_in_const_context(c"wwan"),
    ..pin_init::zeroed()
});

/// The type of modems' data channels.
pub(super) fn wwan_type() -> *const bindings::device_type {
    &raw const WWAN.0
}

/// Makes the table of callbacks for `T`.
pub(super) struct Vtable<T>(PhantomData<T>);

impl<T: Operations> Vtable<T> {
    const OPS: bindings::net_device_ops = bindings::net_device_ops {
        ndo_open: Some(open::<T>),
        ndo_stop: Some(stop::<T>),
        ndo_start_xmit: Some(bindings::bam_dmux_ndo_start_xmit),
        ndo_tx_timeout: Some(tx_timeout::<T>),
        ndo_get_stats64: Some(get_stats64::<T>),
        ..pin_init::zeroed()
    };

    /// The table. It lives as long as the module.
    pub(super) const fn ops() -> &'static bindings::net_device_ops {
        &Self::OPS
    }
}

/// # Safety
///
/// Only for the core, as `ndo_open` of a registered [`Device<T>`].
unsafe extern "C" fn open<T: Operations>(dev: *mut bindings::net_device) -> c_int {
    // SAFETY: By this function's requirements.
    let dev = unsafe { Device::<T>::from_raw(dev) };

    match T::open(dev) {
        Ok(()) => 0,
        Err(e) => e.to_errno(),
    }
}

/// # Safety
///
/// Only for the core, as `ndo_stop` of a registered [`Device<T>`].
unsafe extern "C" fn stop<T: Operations>(dev: *mut bindings::net_device) -> c_int {
    // SAFETY: By this function's requirements.
    let dev = unsafe { Device::<T>::from_raw(dev) };

    T::stop(dev);
    0
}

/// Returns whether the stack keeps the packet.
///
/// # Safety
///
/// Only for `bam_dmux_ndo_start_xmit()`, with a registered [`Device<T>`]. `skb` is a valid buffer that
/// the caller gives away if the result is 0. (The device does not have `IFF_TX_SKB_SHARING`, so the
/// buffer has one user.)
unsafe extern "C" fn start_xmit<T: Operations>(
    skb: *mut bindings::sk_buff,
    dev: *mut bindings::net_device,
) -> c_int {
    // SAFETY: By this function's requirements.
    let dev = unsafe { Device::<T>::from_raw(dev) };
    // SAFETY: By this function's requirements it is not null.
    let given = unsafe { NonNull::new_unchecked(skb) };
    // SAFETY: By this function's requirements. If the stack keeps the packet, ownership is given up
    // below.
    let packet = unsafe { SkBuff::from_raw(given) };

    match T::start_xmit(dev, packet) {
        Xmit::Ok => 0,
        Xmit::Busy(packet) if packet.as_raw() == skb => {
            // The stack takes it back.
            let _ = packet.into_raw();
            1
        }
        // Another packet: then the given one is gone, and the stack must not use it again.
        Xmit::Busy(_) => 0,
    }
}

/// # Safety
///
/// Only for the core, as `ndo_tx_timeout` of a registered [`Device<T>`].
unsafe extern "C" fn tx_timeout<T: Operations>(dev: *mut bindings::net_device, _queue: c_uint) {
    // SAFETY: By this function's requirements.
    let dev = unsafe { Device::<T>::from_raw(dev) };

    T::tx_timeout(dev);
}

/// # Safety
///
/// Only for the core, as `ndo_get_stats64` of a registered [`Device<T>`]. `storage` is valid for writes;
/// it may be less aligned than its type, since rtnetlink hands out a place in a message.
unsafe extern "C" fn get_stats64<T: Operations>(
    dev: *mut bindings::net_device,
    storage: *mut bindings::rtnl_link_stats64,
) {
    // All counters of our own are added to this aligned copy. What the core put there is zeroes.
    let mut stats = Stats64::new();
    // SAFETY: By this function's requirements; the copy is valid for writes.
    unsafe { bindings::bam_dmux_helper_dstats_fetch(dev, stats.as_raw()) };
    // SAFETY: By this function's requirements.
    let dev = unsafe { Device::<T>::from_raw(dev) };

    T::stats64(dev, &mut stats);
    // SAFETY: By this function's requirements; a write of any alignment.
    unsafe { storage.write_unaligned(stats.into_raw()) };
}
