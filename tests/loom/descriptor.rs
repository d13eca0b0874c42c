// SPDX-License-Identifier: GPL-2.0

//! A descriptor's mark "done": the callback sets it (`Slot::complete`), whoever reaps looks at it
//! (`Queue::oldest_done`) and uses the slot for the next descriptor (`Queue::free_slot`).

use loom::{
    cell::UnsafeCell,
    sync::{
        atomic::{
            AtomicBool,
            Ordering, //
        },
        Arc,
        Mutex, //
    },
    thread, //
};

struct Slot {
    done: AtomicBool,
    /// What the transfer has left in the buffer.
    buffer: UnsafeCell<u32>,
    /// Descriptors that the DMA engine has; under its lock.
    submitted: Mutex<u32>,
}

impl Slot {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            done: AtomicBool::new(false),
            buffer: UnsafeCell::new(0),
            submitted: Mutex::new(1),
        })
    }

    /// The engine: takes a descriptor if there is one, writes the buffer, calls back.
    fn transfer(&self, value: u32, mark: Ordering) -> bool {
        {
            let mut submitted = self.submitted.lock().unwrap();
            if *submitted == 0 {
                return false;
            }
            *submitted -= 1;
        }
        self.buffer.with_mut(|buffer| {
            // SAFETY: loom checks that nobody else is at it.
            unsafe { *buffer = value }
        });
        self.done.store(true, mark);
        true
    }

    fn reap(&self) -> Option<u32> {
        self.done.load(Ordering::Acquire).then(|| {
            self.buffer.with(|buffer| {
                // SAFETY: As above.
                unsafe { *buffer }
            })
        })
    }

    fn submit(&self) {
        // Ordered by the engine's lock.
        self.done.store(false, Ordering::Relaxed);
        *self.submitted.lock().unwrap() += 1;
    }
}

/// One transfer, and a second one in the same slot after the first was reaped.
fn transfers(mark: Ordering) {
    loom::model(move || {
        let slot = Slot::new();
        let engine = slot.clone();
        let engine = thread::spawn(move || {
            engine.transfer(1, mark);
            engine.transfer(2, mark)
        });
        let first = slot.reap();
        assert!(matches!(first, None | Some(1)), "not the first transfer");
        if first.is_some() {
            slot.submit();
            assert!(matches!(slot.reap(), None | Some(2)), "reaped twice");
        }
        let second = engine.join().unwrap();
        // Unless it was submitted again, and the engine did not come by any more.
        let done = second || first.is_none();
        assert_eq!(slot.reap(), done.then_some(if second { 2 } else { 1 }));
    });
}

/// Who sees the mark sees the buffer, and a slot that is used again is not done before its time.
#[test]
fn a_mark_means_that_the_buffer_is_complete() {
    transfers(Ordering::Release);
}

/// Without the order of the store the buffer may be read while it is written.
#[test]
#[should_panic(expected = "Causality violation")]
fn without_release_it_does_not() {
    transfers(Ordering::Relaxed);
}
