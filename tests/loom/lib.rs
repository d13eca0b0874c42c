// SPDX-License-Identifier: GPL-2.0

//! The driver's steps that rely on the order of memory accesses, not on a lock, as models for loom,
//! which runs them in all interleavings and lets loads see all old values that the memory model of
//! C++ allows.
//!
//! Each model says which code it mirrors. Where an order matters, there is a second test with that
//! order left out, which loom has to refute: a model that cannot fail shows nothing.
//!
//! | model | mirrors |
//! |---|---|
//! | `descriptor` | `src/kabi/dmaengine/queue.rs`: a completion callback and who reaps |
//! | `stop_wake` | `src/kabi/netdev/queue.rs`: stop and wake without a lock |
//! | `ring_lock` | `src/tx.rs` with the real `protocol::ring`: stop and wake with one |
//! | `pending_work` | `src/link/watch.rs`, `src/health.rs`: a flag, then a work that looks at it |
//!
//! Limitations:
//! - The kernel's primitives are stand-ins: `smp_mb()` is a sequentially consistent fence, a work's
//!   pending bit an atomic one. The kernel's own code is not looked at.
//! - loom's read-modify-write operations always see the newest value, so that `xchg()` is modelled
//!   as a load and a store where it may see an old one.

#[cfg(test)]
mod descriptor;
#[cfg(test)]
mod pending_work;
#[cfg(test)]
mod ring_lock;
#[cfg(test)]
mod stop_wake;
