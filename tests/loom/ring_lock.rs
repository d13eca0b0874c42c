// SPDX-License-Identifier: GPL-2.0

//! The transmit ring's flow control, as `src/tx.rs` has it: the count is under the ring's lock, and
//! so is stopping a queue; waking is decided under the lock and done without it.

use bam_dmux_protocol::ring::Occupancy;
use loom::{
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

struct Tx {
    ring: Mutex<Occupancy>,
    stopped: AtomicBool,
}

impl Tx {
    /// `Tx::send`; `inside`: the queue is stopped under the lock, as it has to be.
    fn send(&self, inside: bool) {
        let mut ring = self.ring.lock().unwrap();
        assert!(ring.push(), "overrun");
        let stop = ring.should_stop();
        if stop && inside {
            self.stopped.store(true, Ordering::Relaxed);
        }
        drop(ring);
        if stop && !inside {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }

    /// `Tx::reap` with one frame: `take_completed`, `wake_queues`.
    fn reap(&self) -> bool {
        let reaped = self.ring.lock().unwrap().pop();
        let wake = self.ring.lock().unwrap().should_wake();
        if wake {
            self.stopped.store(false, Ordering::Relaxed);
        }
        reaped
    }
}

/// An interface sends two frames into a ring with room for one and a reserve of one; both complete.
fn two_frames(inside: bool) {
    loom::model(move || {
        let tx = Arc::new(Tx {
            ring: Mutex::new(Occupancy::new(2, 1, 2)),
            stopped: AtomicBool::new(false),
        });
        let sender = tx.clone();
        let sender = thread::spawn(move || sender.send(inside));
        let early = tx.reap();
        sender.join().unwrap();
        if !early {
            tx.reap();
        }
        // The ring is empty, and nothing will complete any more.
        assert!(!tx.stopped.load(Ordering::Relaxed), "stopped for good");
    });
}

/// When the last frame is done no queue stays stopped.
#[test]
fn an_empty_ring_has_woken_its_queues() {
    two_frames(true);
}

/// A queue that is stopped after the lock was given up may miss the wake.
#[test]
#[should_panic(expected = "stopped for good")]
fn stopping_belongs_under_the_lock() {
    two_frames(false);
}
