// SPDX-License-Identifier: GPL-2.0

//! One attempt to wake the modem: how long its steps may take, and all of them together.
//!
//! Each step has its time-out ([`ACK_TIMEOUT_MS`], [`POWER_TIMEOUT_MS`]). A modem may do each in time,
//! and undo it: it acknowledges a vote, raises its power line and drops it as soon as the pipes are
//! connected, so that it all begins again with the un-vote. Hence a bound for the attempt as a whole.

use super::{
    WakeStep,
    ACK_TIMEOUT_MS,
    POWER_TIMEOUT_MS, //
};

/// What to do about a step that is not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Wait for the modem, at most so many milliseconds (1 at least).
    Wait(u32),
    /// The ack of the last un-vote is lost ([`Handshake::ack_lost`](super::Handshake::ack_lost)), which
    /// is no reason to give up.
    AckLost,
    /// The modem does not answer.
    Over,
}

/// An attempt that is under way.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    began_ms: u64,
    step: WakeStep,
    since_ms: u64,
}

impl Attempt {
    /// How long an attempt may take, in milliseconds: the ack of the un-vote before, that of the vote,
    /// and power.
    pub const MAX_MS: u32 = 2 * ACK_TIMEOUT_MS + POWER_TIMEOUT_MS;

    /// Begins at `now_ms` (any clock that does not go back).
    #[must_use]
    pub const fn new(now_ms: u64) -> Self {
        Self {
            began_ms: now_ms,
            step: WakeStep::Vote,
            since_ms: now_ms,
        }
    }

    /// Takes the step that was due when it was last looked, at `now_ms`. To be called until the step
    /// is [`WakeStep::Up`] or [`WakeStep::Gone`]; after [`WakeStep::Vote`] was carried out.
    pub fn look(&mut self, now_ms: u64, step: WakeStep) -> Patience {
        // The modem's time begins with the vote, however long it took to get there.
        if step != self.step || step == WakeStep::Vote {
            self.step = step;
            self.since_ms = now_ms;
        }
        let whole = left(self.began_ms, now_ms, Self::MAX_MS);
        match left(self.since_ms, now_ms, step_timeout(step)).min(whole) {
            0 if whole == 0 => Patience::Over,
            0 if step == WakeStep::AwaitPreviousAck => Patience::AckLost,
            0 => Patience::Over,
            ms => Patience::Wait(ms),
        }
    }

    /// For how long the present step has been waited for at `now_ms`, in milliseconds.
    #[must_use]
    pub const fn waited_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.since_ms)
    }
}

/// What is left at `now_ms` of `ms` milliseconds from `since_ms` on.
fn left(since_ms: u64, now_ms: u64, ms: u32) -> u32 {
    let gone = u32::try_from(now_ms.saturating_sub(since_ms)).unwrap_or(u32::MAX);
    ms.saturating_sub(gone)
}

/// How long the modem may take for a step, in milliseconds.
const fn step_timeout(step: WakeStep) -> u32 {
    match step {
        WakeStep::AwaitPower => POWER_TIMEOUT_MS,
        _ => ACK_TIMEOUT_MS,
    }
}

#[cfg(any(test, CONFIG_BAM_DMUX_KUNIT_TEST))]
#[path = "../../../tests/kunit/attempt.rs"]
mod tests;
