// SPDX-License-Identifier: GPL-2.0

use super::*;

use crate::kabi::completion::Completion;

use kernel::{
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

const ONCE: u64 = 0;
const AGAIN: u64 = 1;
const SLOW: u64 = 2;

/// An object with three kinds of work: one that runs and signals, one that queues itself for ever,
/// one that signals and takes its time afterwards.
#[pin_data]
struct Object {
    #[pin]
    once: Work<Object, ONCE>,
    #[pin]
    again: Work<Object, AGAIN>,
    #[pin]
    slow: Work<Object, SLOW>,
    #[pin]
    ran: Completion,
    runs: Atomic<i32>,
}

impl_has_work! {
    impl HasWork<Self, ONCE> for Object { self.once }
    impl HasWork<Self, AGAIN> for Object { self.again }
    impl HasWork<Self, SLOW> for Object { self.slow }
}

impl WorkItem<ONCE> for Object {
    fn run(this: Arc<Self>) {
        this.runs.fetch_add(1, Relaxed);
        this.ran.complete_all();
    }
}

impl WorkItem<AGAIN> for Object {
    fn run(this: Arc<Self>) {
        this.runs.fetch_add(1, Relaxed);
        this.ran.complete_all();
        Work::<Object, AGAIN>::enqueue(&this);
    }
}

impl WorkItem<SLOW> for Object {
    fn run(this: Arc<Self>) {
        this.ran.complete_all();
        fsleep(Delta::from_millis(50));
        this.runs.fetch_add(1, Relaxed);
    }
}

impl Object {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Object {
                once <- Work::new(),
                again <- Work::new(),
                slow <- Work::new(),
                ran <- Completion::new(),
                runs: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    fn runs(&self) -> i32 {
        self.runs.load(Relaxed)
    }
}

/// An object that tells of its end.
#[pin_data(PinnedDrop)]
struct Mortal {
    #[pin]
    work: Work<Mortal, 0>,
    gone: Arc<Completion>,
}

impl_has_work! {
    impl HasWork<Self, 0> for Mortal { self.work }
}

impl WorkItem<0> for Mortal {
    fn run(_this: Arc<Self>) {}
}

#[pinned_drop]
impl PinnedDrop for Mortal {
    fn drop(self: Pin<&mut Self>) {
        self.gone.complete_all();
    }
}

/// Whether `object` is the only reference left.
fn is_last(object: Arc<Object>) -> bool {
    Arc::into_unique_or_drop(object).is_some()
}

#[kernel::prelude::kunit_tests(bam_dmux_work)]
mod cases {
    use super::*;

    /// A queued item runs, once, and its reference is gone afterwards.
    #[test]
    fn enqueued_item_runs_once() -> Result {
        let object = Object::new()?;
        assert!(Work::<Object, ONCE>::enqueue(&object));
        assert!(object.ran.wait_timeout(10_000));
        // Waits for the end of the run.
        assert!(!object.once.cancel_sync());
        assert!(object.runs() == 1);
        assert!(is_last(object));
        Ok(())
    }

    /// An item that is queued already is not queued again, and no reference is lost by trying.
    #[test]
    fn second_enqueue_is_refused() -> Result {
        let object = Object::new()?;
        assert!(Work::<Object, ONCE>::enqueue_delayed(&object, 60_000));
        assert!(!Work::<Object, ONCE>::enqueue_delayed(&object, 0));
        assert!(!Work::<Object, ONCE>::enqueue(&object));
        assert!(object.once.cancel_sync());
        assert!(object.runs() == 0);
        assert!(is_last(object));
        Ok(())
    }

    /// A cancelled item does not run, and its reference is dropped exactly once.
    #[test]
    fn cancelled_item_does_not_run() -> Result {
        let object = Object::new()?;
        assert!(Work::<Object, ONCE>::enqueue_delayed(&object, 30));
        assert!(object.once.cancel_sync());
        assert!(!object.once.cancel_sync());
        assert!(!object.ran.wait_timeout(100));
        assert!(is_last(object));
        Ok(())
    }

    /// Who cancels an item that runs waits for its end.
    #[test]
    fn running_item_is_waited_for() -> Result {
        let object = Object::new()?;
        assert!(Work::<Object, SLOW>::enqueue(&object));
        assert!(object.ran.wait_timeout(10_000));
        assert!(!object.slow.cancel_sync());
        assert!(object.runs() == 1);
        assert!(is_last(object));
        Ok(())
    }

    /// A delayed item runs after its delay, and not at once.
    #[test]
    fn delayed_item_waits() -> Result {
        let object = Object::new()?;
        assert!(Work::<Object, ONCE>::enqueue_delayed(&object, 500));
        assert!(!object.ran.wait_timeout(20));
        assert!(object.ran.wait_timeout(60_000));
        object.once.cancel_sync();
        assert!(is_last(object));
        Ok(())
    }

    /// A new time replaces the old one, and no reference is lost or dropped twice by that.
    #[test]
    fn new_delay_replaces_the_old_one() -> Result {
        let object = Object::new()?;
        assert!(Work::<Object, ONCE>::enqueue_delayed(&object, 600_000));
        assert!(Work::<Object, ONCE>::mod_delayed(&object, 1));
        assert!(object.ran.wait_timeout(60_000));
        object.once.cancel_sync();
        assert!(object.runs() == 1);
        assert!(is_last(object));
        Ok(())
    }

    /// An item that queues itself again and again is at rest after it was cancelled.
    #[test]
    fn self_queueing_item_can_be_cancelled() -> Result {
        let object = Object::new()?;
        assert!(Work::<Object, AGAIN>::enqueue(&object));
        assert!(object.ran.wait_timeout(10_000));
        object.again.cancel_sync();
        let runs = object.runs();
        object.ran.reinit();
        assert!(!object.ran.wait_timeout(50));
        assert!(object.runs() == runs);
        assert!(is_last(object));
        Ok(())
    }

    /// Queueing and cancelling from two tasks as fast as they can leaves no reference too many and
    /// none too few.
    #[test]
    fn enqueue_and_cancel_race() -> Result {
        let object = Object::new()?;
        Work::<Object, AGAIN>::enqueue(&object);
        for i in 0..2000 {
            Work::<Object, ONCE>::enqueue(&object);
            Work::<Object, AGAIN>::enqueue(&object);
            if i % 3 == 0 {
                object.once.cancel_sync();
            }
            if i % 5 == 0 {
                object.again.cancel_sync();
            }
            Work::<Object, ONCE>::mod_delayed(&object, i % 2);
        }
        object.once.cancel_sync();
        object.again.cancel_sync();
        assert!(is_last(object));
        Ok(())
    }

    /// A disabled item is not queued any more.
    #[test]
    fn disabled_item_is_not_queued() -> Result {
        let object = Object::new()?;
        assert!(Work::<Object, ONCE>::enqueue_delayed(&object, 60_000));
        assert!(object.once.disable_sync());
        assert!(!Work::<Object, ONCE>::enqueue(&object));
        assert!(!Work::<Object, ONCE>::mod_delayed(&object, 0));
        assert!(!object.ran.wait_timeout(50));
        assert!(is_last(object));
        Ok(())
    }

    /// Enabled as often as disabled, an item can be queued again; what it was asked before is forgotten.
    #[test]
    fn enabled_item_can_be_queued_again() -> Result {
        let object = Object::new()?;
        object.once.disable_sync();
        object.once.disable_sync();
        object.once.enable();
        assert!(!Work::<Object, ONCE>::enqueue(&object));
        object.once.enable();
        assert!(!object.ran.wait_timeout(50));
        assert!(Work::<Object, ONCE>::enqueue(&object));
        assert!(object.ran.wait_timeout(1000));
        assert!(object.runs() == 1);
        object.once.cancel_sync();
        assert!(is_last(object));
        Ok(())
    }

    /// The last reference may be the queue's: the object lives until the run, and ends with it.
    #[test]
    fn queue_may_hold_the_last_reference() -> Result {
        let gone = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let teller = gone.clone();
        let object = Arc::pin_init(
            pin_init!(Mortal {
                work <- Work::new(),
                gone: teller,
            }),
            GFP_KERNEL,
        )?;
        assert!(Work::<Mortal, 0>::enqueue_delayed(&object, 200));
        drop(object);
        assert!(!gone.is_done());
        assert!(gone.wait_timeout(60_000));
        Ok(())
    }
}
