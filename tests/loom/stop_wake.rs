// SPDX-License-Identifier: GPL-2.0

//! `Device::stop_unless` and `Device::wake_if`: a producer that finds no room stops its queue and
//! looks again; the consumer makes room and wakes a queue that is stopped. No lock, two barriers.

use loom::{
    sync::{
        atomic::{
            fence,
            AtomicBool,
            Ordering, //
        },
        Arc, //
    },
    thread, //
};

struct Queue {
    room: AtomicBool,
    stopped: AtomicBool,
}

fn barrier(on: bool) {
    if on {
        fence(Ordering::SeqCst);
    }
}

impl Queue {
    fn has_room(&self) -> bool {
        self.room.load(Ordering::Relaxed)
    }

    fn stop_unless(&self, barriers: bool) {
        if self.has_room() {
            return;
        }
        self.stopped.store(true, Ordering::Relaxed);
        barrier(barriers);
        if self.has_room() {
            self.stopped.store(false, Ordering::Relaxed);
        }
    }

    fn wake_if(&self, barriers: bool) {
        barrier(barriers);
        if self.stopped.load(Ordering::Relaxed) && self.has_room() {
            self.stopped.store(false, Ordering::Relaxed);
        }
    }
}

fn last_frame_completes(producer_has: bool, consumer_has: bool) {
    loom::model(move || {
        let queue = Arc::new(Queue {
            room: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let producer = queue.clone();
        let producer = thread::spawn(move || producer.stop_unless(producer_has));
        queue.room.store(true, Ordering::Relaxed);
        queue.wake_if(consumer_has);
        producer.join().unwrap();
        // Nothing else will ever complete.
        assert!(!queue.stopped.load(Ordering::Relaxed), "stopped for good");
    });
}

/// Whatever comes first, a queue with room does not stay stopped.
#[test]
fn no_wake_is_lost() {
    last_frame_completes(true, true);
}

/// Without the producer's barrier its second look may see what was before the room.
#[test]
#[should_panic(expected = "stopped for good")]
fn the_producer_needs_its_barrier() {
    last_frame_completes(false, true);
}

/// Without the consumer's it may see a queue that runs.
#[test]
#[should_panic(expected = "stopped for good")]
fn the_consumer_needs_its_barrier() {
    last_frame_completes(true, false);
}
