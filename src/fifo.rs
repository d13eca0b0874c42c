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

    /// The oldest item.
    pub(crate) fn front(&self) -> Option<&T> {
        self.slots.get(self.head)?.as_ref()
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

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::macros::kunit_tests(bam_dmux_fifo)]
mod tests {
    use super::*;

    /// Items come out in the order they went in, also when the queue wraps.
    #[test]
    fn keeps_order_across_the_wrap() -> Result {
        let mut fifo = Fifo::new(4, GFP_KERNEL)?;
        let mut next_out = 0;
        for next_in in 0..25 {
            assert!(fifo.push(next_in).is_ok());
            if fifo.len() == 3 {
                assert!(fifo.front() == Some(&next_out));
                assert!(fifo.pop() == Some(next_out));
                next_out += 1;
            }
        }
        assert!(fifo.len() == 2);
        Ok(())
    }

    /// A full queue gives the item back and stays as it was; an empty one has nothing to give.
    #[test]
    fn is_bounded() -> Result {
        let mut fifo = Fifo::new(2, GFP_KERNEL)?;
        assert!(fifo.front().is_none());
        assert!(fifo.pop().is_none());
        assert!(fifo.push(1).is_ok());
        assert!(fifo.push(2).is_ok());
        assert!(fifo.push(3) == Err(3));
        assert!(fifo.pop() == Some(1));
        assert!(fifo.push(4).is_ok());
        assert!(!fifo.is_empty());
        Ok(())
    }

    /// A queue without room takes nothing and does not divide by its length.
    #[test]
    fn may_have_no_room_at_all() -> Result {
        let mut fifo = Fifo::<u8>::new(0, GFP_KERNEL)?;
        assert!(fifo.push(1) == Err(1));
        assert!(fifo.pop().is_none());
        Ok(())
    }
}
