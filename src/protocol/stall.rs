// SPDX-License-Identifier: GPL-2.0

//! When have frames been in the modem's hands for too long?
//!
//! The caller looks from time to time; nothing has to be told of each frame. What counts is
//! progress: as long as frames get done, at any rate, nothing is stalled.
//!
//! # The bound
//!
//! The modem has no other way to slow Linux down than to leave frames where they are, so a pause is
//! no fault by itself. The protocol gives two limits for [`STALL_MS`]:
//!
//! - It has to be longer than anything that a healthy link does: a wake-up may take three waits of
//!   two seconds each (protocol document, 1.7).
//! - Firmware itself gives up on Linux after some 15 seconds, when it misses an ack. A link that moves
//!   nothing for almost as long is not one that will.
//!
//! A verdict costs little if it is wrong: the modem is asked for a sign of life
//! ([`Handshake`](super::handshake::Handshake), an un-vote and its ack), and if there is one only the
//! frames in the pipe are lost.

/// How long frames may be in the modem's hands without any of them getting done, in milliseconds.
pub const STALL_MS: u64 = 10_000;

/// How often to look while frames are in the modem's hands, in milliseconds.
pub const LOOK_MS: u32 = 1000;

/// What the looks have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    /// Since when nothing has moved, and how many frames were done then.
    still: Option<(u64, u64)>,
}

impl Stall {
    /// Nothing was seen yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { still: None }
    }

    /// Takes what is seen at `now_ms` (any clock that does not go back): whether frames are in the
    /// modem's hands, and how many got done so far, ever. Returns whether they are stalled.
    ///
    /// Starts anew after a verdict, and whenever nothing is in the modem's hands.
    pub fn look(&mut self, now_ms: u64, busy: bool, done: u64) -> bool {
        let since = match self.still {
            _ if !busy => {
                self.still = None;
                return false;
            }
            Some((since, before)) if before == done => since,
            _ => {
                self.still = Some((now_ms, done));
                return false;
            }
        };
        let stalled = now_ms.saturating_sub(since) >= STALL_MS;
        if stalled {
            self.still = None;
        }
        stalled
    }
}

#[cfg(any(test, CONFIG_BAM_DMUX_KUNIT_TEST))]
#[path = "../../tests/kunit/stall.rs"]
mod tests;
