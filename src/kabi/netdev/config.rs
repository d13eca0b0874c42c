// SPDX-License-Identifier: GPL-2.0

//! What a new [`Device`](super::Device) is to be like.

use core::ptr;

use kernel::{
    device,
    prelude::*, //
};

use super::{
    super::bindings,
    ops::{
        self,
        Vtable, //
    },
    Operations, //
};

/// What a new device is to be like.
pub struct Config<'a> {
    /// Name, or pattern with one `%d`; shorter than 16 bytes.
    pub name: &'a CStr,
    /// Tells user space that the kernel chose the number in the name (`NET_NAME_ENUM`).
    pub enumerated: bool,
    /// Number of the port on the parent, as user space sees it.
    pub dev_port: u16,
    /// The device that this one is part of.
    pub parent: &'a device::Device,
    /// Initial MTU, in bytes.
    pub mtu: u32,
    /// Smallest MTU that user space may set, in bytes.
    pub min_mtu: u32,
    /// Largest MTU that user space may set, in bytes.
    pub max_mtu: u32,
    /// Room in front of each packet that the driver wants, in bytes.
    pub needed_headroom: u16,
    /// Room behind each packet that the driver wants, in bytes.
    pub needed_tailroom: u16,
    /// Length of the queue above the driver, in packets.
    pub tx_queue_len: u32,
    /// Link type, one of the `ARPHRD_` constants.
    pub hw_type: u16,
    /// `IFF_` flags.
    pub flags: u32,
    /// Tells user space that it is a mobile modem's data channel (`DEVTYPE=wwan` in the uevent).
    pub wwan: bool,
    /// Gives the device a random permanent address (but no current one: `addr_len` is 0). IPv6 makes
    /// its interface identifier from it.
    pub random_perm_addr: bool,
    /// Time after which a stopped queue is reported to [`Operations::tx_timeout`], in milliseconds.
    /// 0: the kernel's default, five seconds.
    pub watchdog_ms: u32,
}

impl<'a> Config<'a> {
    /// A modem's channel that carries bare IP packets, `wwan%d`.
    pub fn raw_ip_wwan(parent: &'a device::Device) -> Self {
        Self {
            name: c"wwan%d",
            enumerated: true,
            dev_port: 0,
            parent,
            mtu: bindings::ETH_DATA_LEN,
            min_mtu: 0,
            max_mtu: bindings::ETH_DATA_LEN,
            needed_headroom: 0,
            needed_tailroom: 0,
            tx_queue_len: 1000,
            hw_type: bindings::ARPHRD_RAWIP as u16,
            flags: bindings::net_device_flags_IFF_POINTOPOINT
                | bindings::net_device_flags_IFF_NOARP,
            wwan: true,
            random_perm_addr: true,
            watchdog_ms: 0,
        }
    }

    /// Writes it to a new device.
    ///
    /// # Safety
    ///
    /// `dev` is valid, not registered, and only the caller has it.
    pub(super) unsafe fn apply<T: Operations>(&self, dev: *mut bindings::net_device) {
        // SAFETY: By this function's requirements.
        let fields = unsafe { &mut *dev };

        fields.netdev_ops = Vtable::<T>::ops();
        fields.dev_port = self.dev_port;
        fields.mtu = self.mtu;
        fields.min_mtu = self.min_mtu;
        fields.max_mtu = self.max_mtu;
        fields.needed_headroom = self.needed_headroom;
        fields.needed_tailroom = self.needed_tailroom;
        fields.tx_queue_len = self.tx_queue_len;
        fields.type_ = self.hw_type;
        fields.flags = self.flags;
        fields.dev.parent = ptr::from_ref(self.parent).cast_mut().cast();
        fields.dev.type_ = if self.wwan {
            ops::wwan_type()
        } else {
            ptr::null()
        };
        // SAFETY: FFI call without requirements.
        let watchdog = unsafe { bindings::bam_dmux_helper_msecs_to_jiffies(self.watchdog_ms) };
        fields.watchdog_timeo = c_int::try_from(watchdog).unwrap_or(c_int::MAX);

        // Netpoll calls `ndo_start_xmit` with interrupts disabled but softirqs not, in whatever context
        // somebody prints: also in an interrupt that came while a `SpinLockBh` was held, which
        // `Operations::start_xmit()` may take.
        //
        // SAFETY: By this function's requirements. `fields` is not used any more.
        unsafe { bindings::bam_dmux_helper_netdev_disable_netpoll(dev) };

        if self.random_perm_addr {
            // SAFETY: By this function's requirements.
            unsafe { bindings::bam_dmux_helper_random_perm_addr(dev) };
        }
    }
}
