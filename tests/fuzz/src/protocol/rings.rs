// SPDX-License-Identifier: GPL-2.0
//! The accounting of rings, against an ordinary queue, and the verdict that frames are stalled,
//! against what was looked at.

use std::collections::VecDeque;

use arbitrary::{
    Arbitrary,
    Unstructured, //
};
use bam_dmux_protocol::ring::Occupancy;
use bam_dmux_protocol::stall::{
    Stall,
    STALL_MS, //
};

#[derive(Debug, Arbitrary)]
enum Step {
    Push,
    Pop,
    /// A producer that looks whether it has to stop.
    Stop,
    /// The consumer looks whether producers may go on.
    Wake,
    /// Time passes; the watch looks.
    Look {
        ms: u16,
        busy: bool,
        done: u8,
    },
}

/// Runs the target.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok((capacity, reserve, wake)) = <(u8, u8, u8)>::arbitrary(&mut u) else {
        return;
    };
    let [capacity, reserve, wake] = [capacity, reserve, wake].map(usize::from);
    let mut ring = Occupancy::new(capacity, reserve, wake);
    let mut queue = VecDeque::new();
    let mut stopped = false;
    let mut watch = Watch::default();
    while let Ok(step) = Step::arbitrary(&mut u) {
        match step {
            Step::Push => {
                let room = queue.len() < capacity;
                assert_eq!(ring.push(), room);
                if room {
                    queue.push_back(());
                }
            }
            Step::Pop => assert_eq!(ring.pop(), queue.pop_front().is_some()),
            Step::Stop => {
                let stop = ring.should_stop();
                assert_eq!(stop, capacity - queue.len() <= reserve);
                stopped |= stop;
            }
            Step::Wake => {
                let woken = ring.should_wake();
                assert!(!woken || stopped, "woken without having been stopped");
                // A queue that has run empty wakes, whatever its thresholds are.
                assert!(woken || !stopped || !queue.is_empty());
                // Nobody is woken who would have to stop at once, if that can be had.
                assert!(!woken || capacity <= reserve || capacity - queue.len() > reserve);
                stopped &= !woken;
            }
            Step::Look { ms, busy, done } => watch.look(ms.into(), busy, done.into()),
        }
        assert_eq!(ring.len(), queue.len());
        assert_eq!(ring.room(), capacity - queue.len());
        assert_eq!(ring.is_stopped(), stopped);
        if u.is_empty() {
            break;
        }
    }
}

#[derive(Default)]
struct Watch {
    stall: Stall,
    now: u64,
    done: u64,
    /// When something last moved, or was given, or a verdict was passed.
    last: Option<u64>,
}

impl Watch {
    fn look(&mut self, ms: u64, busy: bool, done: u64) {
        self.now += ms;
        self.done += done;
        let verdict = self.stall.look(self.now, busy, self.done);
        let still = self.last.filter(|_| busy && done == 0);
        let expected = still.is_some_and(|since| self.now - since >= STALL_MS);
        assert_eq!(verdict, expected);
        self.last = match still {
            _ if !busy || verdict => None,
            None => Some(self.now),
            since => since,
        };
    }
}
