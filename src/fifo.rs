// SPDX-License-Identifier: GPL-2.0

//! A bounded first-in first-out queue whose memory is reserved up front.
//!
//! The transmit path may not sleep and may not fail half-way: all room that a frame can need is
//! allocated at probe, pushing is a move.

use kernel::prelude::*;

/// A queue of at most `capacity` items.
///
/// # Invariants
///
/// - `head < slots.len()` unless `slots` is empty, `len <= slots.len()`.
/// - The `len` slots from `head` on (wrapping) are `Some`, all others are `None`.
pub(crate) struct Fifo<T> {
    slots: KVec<Option<T>>,
    head: usize,
    len: usize,
}

impl<T> Fifo<T> {
    /// Creates a queue with room for `capacity` items.
    ///
    /// Sleeps when `flags` allow it. Fails with `ENOMEM`.
    pub(crate) fn new(capacity: usize, flags: kernel::alloc::Flags) -> Result<Self> {
        let mut slots = KVec::with_capacity(capacity, flags)?;
        for _ in 0..capacity {
            slots.push(None, flags)?;
        }
        // INVARIANT: All slots are `None` and `len` is 0.
        Ok(Self {
            slots,
            head: 0,
            len: 0,
        })
    }

    /// Number of queued items.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is queued.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of items that can still be pushed.
    pub(crate) fn room(&self) -> usize {
        self.slots.len() - self.len
    }

    /// Appends `item`, or gives it back when the queue is full.
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        let capacity = self.slots.len();
        if self.len == capacity {
            return Err(item);
        }
        let tail = (self.head + self.len) % capacity;
        match self.slots.get_mut(tail) {
            Some(slot) => *slot = Some(item),
            None => return Err(item),
        }
        self.len += 1;
        Ok(())
    }

    /// Takes the oldest item.
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let item = self.slots.get_mut(self.head)?.take();
        self.head = (self.head + 1) % self.slots.len();
        self.len -= 1;
        item
    }
}
