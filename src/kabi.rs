// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over the C interfaces that a BAM-DMUX driver needs and the `kernel` crate
//! does not have yet.
//!
//! One file per C subsystem, each written as if it were to go to `rust/kernel/`: nothing in here
//! knows BAM-DMUX. All `unsafe` code of the driver is here.
//!
//! | module | C interface |
//! |---|---|
//! | [`skb`] | `struct sk_buff` |
//! | [`netdev`] | `struct net_device`, its transmit queue and statistics |
//! | [`napi`] | NAPI on a dummy network device, GRO |
//! | [`sync`] | spin locks that also exclude softirqs, expedited RCU |
//! | [`platform`] | `struct platform_driver` with power management |
//! | [`runtime_pm`] | users of a device's runtime PM |
//! | [`wakeup`] | devices that wake the system from sleep |
//! | [`dma`] | streaming mappings of socket buffers |
//! | [`dmaengine`] | `struct dma_chan` as a queue of mapped buffers |
//! | [`smem_state`] | our own state bits in shared memory |
//! | [`smsm`] | state lines of other processors: interrupt and level |
//! | [`ssr`] | restarts of the modem |
//! | [`devlink`] | devlink instances with health reporters |
//! | [`module`] | this module's reference count |
//! | [`shelf`] | none: what outlives a driver's time with a device |
//! | [`work`] | work items with delay and cancellation |
//! | [`completion`] | `struct completion` with a bounded wait |
#![allow(unsafe_code)]
// A library for the driver, with the visibilities of `rust/kernel/`.
#![allow(unreachable_pub)]
// A few things are for the tests only. What nothing uses is found when these are built in.
#![cfg_attr(not(CONFIG_BAM_DMUX_KUNIT_TEST), allow(dead_code))]

mod bindings;
pub(crate) mod completion;
pub(crate) mod devlink;
pub(crate) mod dma;
pub(crate) mod dmaengine;
pub(crate) mod module;
pub(crate) mod napi;
pub(crate) mod netdev;
pub(crate) mod platform;
pub(crate) mod ratelimit;
pub(crate) mod runtime_pm;
pub(crate) mod shelf;
pub(crate) mod skb;
pub(crate) mod smem_state;
pub(crate) mod smsm;
pub(crate) mod ssr;
pub(crate) mod sync;
pub(crate) mod wakeup;
pub(crate) mod work;
