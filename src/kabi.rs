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
#![allow(unsafe_code)]
// A library for the driver, with the visibilities of `rust/kernel/`: it may have more than the driver
// uses today.
#![allow(dead_code, unreachable_pub)]

mod bindings;
pub(crate) mod napi;
pub(crate) mod netdev;
pub(crate) mod skb;
pub(crate) mod sync;
