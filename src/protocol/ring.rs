// SPDX-License-Identifier: GPL-2.0

//! How full a bounded queue is, and when its producers have to stop and may go on.
//!
//! Counts only; the items live elsewhere. Producers are stopped before the queue is full, because
//! some may be sending at that very moment, and are woken when there is room for a good number, so
//! that they do not stop again at once.

/// The fill level of a bounded queue.
///
/// # Invariants
///
/// `len <= capacity`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupancy {
    capacity: usize,
    reserve: usize,
    wake_room: usize,
    len: usize,
    stopped: bool,
}

impl Occupancy {
    /// An empty queue of `capacity` places, of which `reserve` are kept for producers that are
    /// sending while they are stopped; they are woken when `wake_room` places are free.
    ///
    /// A `wake_room` that lies within the reserve or beyond the capacity would never stop or never
    /// wake, and is moved to the nearest value that does.
    #[must_use]
    pub const fn new(capacity: usize, reserve: usize, wake_room: usize) -> Self {
        let wake_room = if wake_room <= reserve {
            reserve + 1
        } else {
            wake_room
        };
        // INVARIANT: 0 is not above `capacity`.
        Self {
            capacity,
            reserve,
            wake_room: if wake_room > capacity {
                capacity
            } else {
                wake_room
            },
            len: 0,
            stopped: false,
        }
    }

    /// Occupied places.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "nobody would call it")]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Free places.
    #[must_use]
    pub const fn room(&self) -> usize {
        // By the invariant this is the difference.
        self.capacity.saturating_sub(self.len)
    }

    /// Occupies a place; returns whether there was one.
    #[must_use = "without a place the item must not be queued"]
    pub fn push(&mut self) -> bool {
        if self.len >= self.capacity {
            return false;
        }
        // INVARIANT: Was below `capacity`.
        self.len += 1;
        true
    }

    /// Frees a place; returns whether one was occupied.
    pub fn pop(&mut self) -> bool {
        let occupied = self.len > 0;
        self.len = self.len.saturating_sub(1);
        occupied
    }

    /// Whether producers have to be stopped now. Remembers that they were.
    #[must_use = "producers that are not stopped overrun the queue"]
    pub fn should_stop(&mut self) -> bool {
        let stop = self.room() <= self.reserve;
        self.stopped |= stop;
        stop
    }

    /// Whether stopped producers may go on: true once for each time they were stopped.
    #[must_use = "it is said only once"]
    pub fn should_wake(&mut self) -> bool {
        let wake = self.stopped && self.room() >= self.wake_room;
        self.stopped &= !wake;
        wake
    }

    /// Whether producers were stopped and not woken since.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.stopped
    }
}

#[cfg(any(test, CONFIG_BAM_DMUX_KUNIT_TEST))]
#[path = "../../tests/kunit/ring.rs"]
mod tests;
