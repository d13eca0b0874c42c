// SPDX-License-Identifier: GPL-2.0

//! What is in flight in a DMA channel: a ring of values, and for each place in it a slot that the
//! completion callback writes to. Knows nothing of DMA.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc, //
    }, //
};

use core::ptr::NonNull;

/// Is told that a transfer has completed.
pub trait Notify: Send + Sync + 'static {
    /// At least one transfer has completed; [`reap()`](super::Pipe::reap) may have something.
    ///
    /// Softirq context (the tasklet of the DMA engine), no lock held. It may submit.
    fn completed(&self);
}

/// What the callback of one descriptor needs.
///
/// It is shared between the CPU that submits and reaps and the one on which the callback runs, so
/// there are only shared references to it.
pub(super) struct Slot {
    done: Atomic<bool>,
    notify: Arc<dyn Notify>,
}

impl Slot {
    /// The completion callback.
    ///
    /// # Safety
    ///
    /// `param` is a [`Slot`], valid until this returns.
    pub(super) unsafe extern "C" fn callback(param: *mut c_void) {
        // SAFETY: By this function's requirements.
        let slot = unsafe { &*param.cast::<Self>() };
        slot.complete();
    }

    fn complete(&self) {
        // Pairs with the load in `pop_completed()`: who sees the mark also sees what came before it.
        self.done.store(true, Release);
        // From here on another CPU may use the slot for its next descriptor. That is no harm: only
        // `notify` is used, which does not change.
        self.notify.completed();
    }
}

/// A ring of at most `depth` values, each with a slot.
///
/// # Invariants
///
/// - `slots` and `values` have the same length and are never resized, so that slots stay where they
///   are.
/// - The `len` places from `head` on, modulo the length, have a value, the others have none.
pub(super) struct Queue<T> {
    slots: KVec<Slot>,
    values: KVec<Option<T>>,
    head: usize,
    len: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(depth: usize, notify: Arc<dyn Notify>) -> Result<Self> {
        if depth == 0 {
            return Err(EINVAL);
        }
        let mut slots = KVec::with_capacity(depth, GFP_KERNEL)?;
        let mut values = KVec::with_capacity(depth, GFP_KERNEL)?;
        for _ in 0..depth {
            let slot = Slot {
                done: Atomic::new(false),
                notify: notify.clone(),
            };
            slots.push(slot, GFP_KERNEL)?;
            values.push(None, GFP_KERNEL)?;
        }
        // INVARIANT: Both have `depth` elements; all places are without a value.
        Ok(Self {
            slots,
            values,
            head: 0,
            len: 0,
        })
    }

    /// A queue that has no place at all.
    pub(super) fn empty() -> Self {
        // INVARIANT: Trivial, there are no places.
        Self {
            slots: KVec::new(),
            values: KVec::new(),
            head: 0,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn room(&self) -> usize {
        self.slots.len() - self.len
    }

    /// The `n`-th place from the oldest value on. There must be places.
    fn place(&self, n: usize) -> usize {
        (self.head + n) % self.slots.len()
    }

    /// Returns the slot of the value that [`push()`](Self::push) will add next, not done yet.
    pub(super) fn free_slot(&self) -> Option<NonNull<Slot>> {
        if self.room() == 0 {
            return None;
        }
        let slot = self.slots.get(self.place(self.len))?;
        // Nobody else looks at it before the descriptor is submitted, which orders this store.
        slot.done.store(false, Relaxed);
        Some(slot.into())
    }

    /// Adds a value. Does nothing (and drops it) if there is no room.
    pub(super) fn push(&mut self, value: T) {
        if self.room() == 0 {
            return;
        }
        let place = self.place(self.len);
        if let Some(v) = self.values.get_mut(place) {
            // INVARIANT: The first place without a value gets one.
            *v = Some(value);
            self.len += 1;
        }
    }

    /// Takes the oldest value out, with whether it is done.
    fn pop(&mut self) -> Option<(T, bool)> {
        if self.len == 0 {
            return None;
        }
        let done = self.oldest_done();
        let place = self.head;
        // INVARIANT: The oldest place loses its value and is not counted any more.
        self.head = self.place(1);
        self.len -= 1;
        self.values.get_mut(place)?.take().map(|v| (v, done))
    }

    fn oldest_done(&self) -> bool {
        // Pairs with the store in `Slot::complete()`.
        self.len > 0
            && self
                .slots
                .get(self.head)
                .is_some_and(|s| s.done.load(Acquire))
    }

    /// Takes the oldest value out if it is done.
    pub(super) fn pop_completed(&mut self) -> Option<T> {
        if !self.oldest_done() {
            return None;
        }
        self.pop().map(|(value, _)| value)
    }

    /// All values, oldest first, each with whether it is done.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&T, bool)> {
        (0..self.len).filter_map(|n| {
            let place = self.place(n);
            let value = self.values.get(place)?.as_ref()?;
            // Pairs with the store in `Slot::complete()`.
            let done = self.slots.get(place)?.done.load(Acquire);
            Some((value, done))
        })
    }

    /// All values, in no order.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.values.iter_mut().flatten()
    }

    /// Makes the values available in order. No callback may run any more.
    pub(super) fn into_drained(self) -> Drained<T> {
        Drained(self)
    }
}

/// What was in flight when a [`Pipe`](super::Pipe) was shut down: buffer, value, and whether the
/// transfer had completed. What is not taken out is dropped.
pub struct Drained<T>(Queue<T>);

impl<B, M> Iterator for Drained<(B, M)> {
    type Item = (B, M, bool);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.pop().map(|((buffer, m), done)| (buffer, m, done))
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_dma_queue)]
mod tests {
    use super::*;

    struct Count(Atomic<i32>);

    impl Notify for Count {
        fn completed(&self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    type TestQueue = Queue<(u32, ())>;

    fn queue(depth: usize) -> Result<(TestQueue, Arc<Count>)> {
        let notify = Arc::new(Count(Atomic::new(0)), GFP_KERNEL)?;
        Ok((Queue::new(depth, notify.clone())?, notify))
    }

    /// Adds `value` as `Pipe::submit()` does and returns its slot.
    fn add(q: &mut TestQueue, value: u32) -> Option<NonNull<Slot>> {
        let slot = q.free_slot()?;
        q.push((value, ()));
        Some(slot)
    }

    fn complete(slot: Option<NonNull<Slot>>) {
        if let Some(slot) = slot {
            // SAFETY: The queue of the test has not given up the slot.
            unsafe { Slot::callback(slot.as_ptr().cast()) };
        }
    }

    /// Transfers that complete out of order come out in order, and no sooner than the oldest one.
    #[test]
    fn out_of_order_completions_come_out_in_order() -> Result {
        let (mut q, notify) = queue(4)?;
        let first = add(&mut q, 1);
        let second = add(&mut q, 2);
        complete(second);
        assert!(q.pop_completed().is_none());
        complete(first);
        assert!(q.pop_completed() == Some((1, ())));
        assert!(q.pop_completed() == Some((2, ())));
        assert!(q.pop_completed().is_none());
        assert!(notify.0.load(Relaxed) == 2);
        Ok(())
    }

    /// A full queue gives out no slot, and has one again after the oldest value was taken out.
    #[test]
    fn full_queue_has_no_slot() -> Result {
        let (mut q, _notify) = queue(2)?;
        let first = add(&mut q, 1);
        add(&mut q, 2);
        assert!(q.room() == 0);
        assert!(q.free_slot().is_none());
        complete(first);
        assert!(q.pop_completed().is_some());
        assert!(q.room() == 1);
        assert!(q.free_slot().is_some());
        Ok(())
    }

    /// A slot that is used again is not done from its last use, also after many rounds.
    #[test]
    fn reused_slot_starts_not_done() -> Result {
        let (mut q, _notify) = queue(3)?;
        for i in 0..20 {
            let slot = add(&mut q, i);
            assert!(q.pop_completed().is_none());
            complete(slot);
            assert!(q.pop_completed() == Some((i, ())));
        }
        assert!(q.len() == 0);
        Ok(())
    }

    /// After a stop, everything in flight comes out in order, and tells whether it had completed.
    #[test]
    fn drained_tells_what_had_completed() -> Result {
        let (mut q, _notify) = queue(4)?;
        add(&mut q, 1);
        complete(add(&mut q, 2));
        add(&mut q, 3);
        let mut drained = q.into_drained();
        assert!(drained.next() == Some((1, (), false)));
        assert!(drained.next() == Some((2, (), true)));
        assert!(drained.next() == Some((3, (), false)));
        assert!(drained.next().is_none());
        Ok(())
    }

    /// A look at what is in flight changes nothing and goes by age.
    #[test]
    fn contents_are_listed_by_age() -> Result {
        let (mut q, _notify) = queue(2)?;
        complete(add(&mut q, 1));
        q.pop_completed();
        add(&mut q, 2);
        complete(add(&mut q, 3));
        let mut seen = q.iter().map(|((value, ()), done)| (*value, done));
        assert!(seen.next() == Some((2, false)));
        assert!(seen.next() == Some((3, true)));
        assert!(seen.next().is_none());
        assert!(q.len() == 2);
        Ok(())
    }

    /// The slots hold the receiver of the notifications, and give it up with the queue.
    #[test]
    fn dropped_queue_gives_up_its_receiver() -> Result {
        let (mut q, notify) = queue(4)?;
        add(&mut q, 1);
        drop(q);
        assert!(Arc::into_unique_or_drop(notify).is_some());
        Ok(())
    }

    /// A queue without places is refused.
    #[test]
    fn depth_zero_is_refused() -> Result {
        let notify = Arc::new(Count(Atomic::new(0)), GFP_KERNEL)?;
        assert!(Queue::<u32>::new(0, notify).err() == Some(EINVAL));
        Ok(())
    }
}
