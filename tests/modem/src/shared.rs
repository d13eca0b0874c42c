// SPDX-License-Identifier: GPL-2.0
//! The modem under its lock, shared by the threads of the process.

use std::sync::{
    Condvar,
    Mutex,
    MutexGuard,
    PoisonError, //
};
use std::time::{
    Duration,
    Instant, //
};

use nix::sys::eventfd::{
    EfdFlags,
    EventFd, //
};

use crate::modem::Modem;

/// The modem, and what threads tell each other about it.
pub struct Shared {
    modem: Mutex<Modem>,
    events: Condvar,
    kick: EventFd,
    start: Instant,
}

impl Shared {
    /// Puts a modem under the lock.
    ///
    /// # Errors
    /// No free descriptor.
    pub fn new(modem: Modem) -> std::io::Result<Self> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Self {
            modem: Mutex::new(modem),
            events: Condvar::new(),
            kick: EventFd::from_flags(flags)?,
            start: Instant::now(),
        })
    }

    /// Readable when the worker should look again.
    #[must_use]
    pub fn kick(&self) -> &EventFd {
        &self.kick
    }

    /// Time since the start of the process, the modem's clock.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Modem> {
        // A thread that panicked leaves counters behind, not broken memory.
        let mut modem = self.modem.lock().unwrap_or_else(PoisonError::into_inner);
        modem.set_time(self.elapsed());
        modem
    }

    /// Runs `f` on the modem. Afterwards waiters hear of events, and the
    /// worker is woken if it would otherwise sleep too long.
    pub fn with<R>(&self, f: impl FnOnce(&mut Modem) -> R) -> R {
        let mut modem = self.lock();
        let (deadline, busy) = (modem.deadline(), modem.downlink_is_busy());
        let result = f(&mut modem);
        let earlier = match (deadline, modem.deadline()) {
            (Some(before), Some(after)) => after < before,
            (before, after) => before.is_none() && after.is_some(),
        };
        let room = busy && !modem.downlink_is_busy();
        let fresh = modem.events.take_fresh();
        drop(modem);
        if fresh {
            self.events.notify_all();
        }
        if earlier || room {
            // Fails only if the worker has been kicked more often than it
            // could ever see.
            let _ = self.kick.write(1);
        }
        result
    }

    /// Waits until an event has happened `count` times since the start of
    /// the process, or once more than now if `count` is `None`. False if it
    /// has not within `timeout`.
    #[must_use]
    pub fn wait(&self, event: &str, count: Option<u64>, timeout: Duration) -> bool {
        let modem = self.lock();
        let count = count.unwrap_or_else(|| modem.events.count(event) + 1);
        let missing = |modem: &mut Modem| modem.events.count(event) < count;
        let (_modem, result) = self
            .events
            .wait_timeout_while(modem, timeout, missing)
            .unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }
}
