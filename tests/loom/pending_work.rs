// SPDX-License-Identifier: GPL-2.0

//! A flag that is raised, and then a work that looks at it: `Link::ask_again` and `Link::probe`, in
//! the same way the flags that a work finds under a lock. The work may be queued already, or begin
//! at this very moment; then queueing it does nothing. The flags are `Relaxed`: the order comes from
//! the work's pending bit.

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

struct Work {
    pending: AtomicBool,
    flag: AtomicBool,
}

impl Work {
    /// `queue_work()`: `test_and_set_bit()` is a full barrier. Whether it will run (again).
    fn queue(&self) -> bool {
        fence(Ordering::SeqCst);
        let queued = !self.pending.swap(true, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        queued
    }

    /// `process_one_work()`: the pending bit goes, then a full barrier, then the function. Returns
    /// whether it found the flag.
    fn run(&self, barrier: bool) -> bool {
        self.pending.store(false, Ordering::Release);
        if barrier {
            fence(Ordering::SeqCst);
        }
        let found = self.flag.load(Ordering::Relaxed);
        if found {
            self.flag.store(false, Ordering::Relaxed);
        }
        found
    }
}

fn ask_while_it_begins(barrier: bool) {
    loom::model(move || {
        // Queued earlier, and about to run.
        let work = Arc::new(Work {
            pending: AtomicBool::new(true),
            flag: AtomicBool::new(false),
        });
        let worker = work.clone();
        let worker = thread::spawn(move || worker.run(barrier));
        work.flag.store(true, Ordering::Relaxed);
        let again = work.queue();
        let found = worker.join().unwrap();
        assert!(found || (again && work.run(barrier)), "nobody looks");
    });
}

/// A flag that was raised before the work was queued is found, whether or not it was queued before.
#[test]
fn no_request_is_lost() {
    ask_while_it_begins(true);
}

/// It is the workqueue's barrier that the driver builds on.
#[test]
#[should_panic(expected = "nobody looks")]
fn it_takes_the_barrier_of_the_workqueue() {
    ask_while_it_begins(false);
}
