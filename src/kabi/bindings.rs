// SPDX-License-Identifier: GPL-2.0

//! Bindings of C types and functions that the `kernel` crate does not bind.
//!
//! Layered over [`kernel::bindings`]: the generated part holds only what is listed in
//! `bindings/bindgen_parameters`, and everything else comes through the glob import, so that
//! `struct device` or `struct sk_buff` are the same Rust types here and in the `kernel` crate. A
//! type in both places (there an opaque stand-in, here complete) is the one generated here.
//!
//! Only for the abstractions in [`kabi`](super).

#![allow(
    clippy::all,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

use kernel::ffi;
use pin_init::{
    MaybeZeroable,
    Zeroable, //
};

pub use kernel::bindings::*;

// `bindgen_parameters` blocks these, as the kernel's does.
type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

// SAFETY: `__BindgenBitfieldUnit<Storage>` is a newtype around `Storage`.
unsafe impl<Storage> Zeroable for __BindgenBitfieldUnit<Storage> where Storage: Zeroable {}

include!(concat!(
    env!("BAM_DMUX_OBJ"),
    "/bindings/bindings_generated.rs"
));

/// Looks `name` up in the table that the C compiler made (`bindings/layout.c`).
#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
pub(super) fn c_layout(name: &ffi::CStr) -> Option<usize> {
    use kernel::str::CStrExt as _;

    let mut entry = (&raw const bam_dmux_layouts).cast::<bam_dmux_layout>();
    loop {
        // SAFETY: The table ends with an entry without a name, and `entry` was not moved past it.
        let found = unsafe { &*entry };
        if found.name.is_null() {
            return None;
        }
        // SAFETY: Names in the table are C string literals.
        if unsafe { ffi::CStr::from_char_ptr(found.name) } == name {
            return Some(found.value);
        }
        entry = entry.wrapping_add(1);
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_layout)]
mod tests {
    use super::*;
    use core::mem::offset_of;
    use kernel::prelude::*;

    /// `SIZE(type)` and `OFFSET(type, field)` of `bindings/layout.c`, as rustc sees them.
    macro_rules! check {
        ($($type:ident $(. $field:ident)?),* $(,)?) => {
            [$(check!(@one $type $($field)?)),*]
        };
        (@one $type:ident) => {
            (kernel::c_str!(stringify!($type)), size_of::<$type>())
        };
        (@one $type:ident $field:ident) => {
            (
                kernel::c_str!(concat!(stringify!($type), ".", stringify!($field))),
                offset_of!($type, $field),
            )
        };
    }

    /// The C compiler and rustc agree on every type that Rust code embeds or looks into.
    #[test]
    fn c_and_rust_layouts_are_equal() {
        let rust = check![
            net_device,
            net_device.netdev_ops,
            net_device.mtu,
            net_device.dev,
            net_device.dev_port,
            net_device.watchdog_timeo,
            net_device_ops,
            net_device_ops.ndo_start_xmit,
            net_device_ops.ndo_tx_timeout,
            net_device_ops.ndo_get_stats64,
            napi_struct,
            rtnl_link_stats64,
            rtnl_link_stats64.rx_over_errors,
            device_type,
            sk_buff,
            sk_buff.len,
            bam_dmux_netdev_priv,
            spinlock_t,
            platform_driver,
            platform_driver.driver,
            platform_device.dev,
            dev_pm_ops,
            dev_pm_ops.runtime_suspend,
            dev_pm_ops.runtime_resume,
            dma_addr_t,
            notifier_block,
            qcom_ssr_notify_data,
            qcom_ssr_notify_data.crashed,
            devlink_health_reporter_ops,
            devlink_health_reporter_ops.name,
            devlink_health_reporter_ops.recover,
            devlink_health_reporter_ops.dump,
            devlink_health_reporter_ops.diagnose,
            devlink_health_reporter_ops.default_graceful_period,
            work_struct,
            delayed_work,
            delayed_work.work,
            completion,
            ratelimit_state,
        ];
        for (name, value) in rust {
            if c_layout(name) != Some(value) {
                kernel::pr_err!("{:?}: C {:?}, Rust {}\n", name, c_layout(name), value);
            }
            assert!(c_layout(name) == Some(value));
        }
    }

    /// A name that is in no table is not found: the comparison above cannot pass by accident.
    #[test]
    fn unknown_layout_name_is_not_found() {
        assert!(c_layout(c"no_such_type").is_none());
    }
}
