// SPDX-License-Identifier: GPL-2.0
//! When the modem starts: its first power-up, followed by its OPENs.

use std::str::FromStr;
use std::time::Duration;

use super::Modem;

/// When the modem starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// On command only.
    Manual,
    /// This long after the function's reset, ready or not.
    After(Duration),
    /// This long after Linux has asked for the interrupt of the power line.
    OnSubscribe(Duration),
}

/// A start that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is none of manual, after:<ms>, on-subscribe:<us>")]
pub struct ParseBootError(String);

impl FromStr for Boot {
    type Err = ParseBootError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseBootError(text.to_owned());
        if text == "manual" {
            return Ok(Self::Manual);
        }
        let (kind, number) = text.split_once(':').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        match kind {
            "after" => Ok(Self::After(Duration::from_millis(number))),
            "on-subscribe" => Ok(Self::OnSubscribe(Duration::from_micros(number))),
            _ => Err(wrong()),
        }
    }
}

/// Longest interval between two looks at the subscription. It lies in memory
/// that Linux writes without the modem being told.
const SLOW_LOOK: Duration = Duration::from_millis(2);
/// Shortest, for starts that shall fall into the first microseconds.
const FAST_LOOK: Duration = Duration::from_micros(20);

/// Progress of the start.
#[derive(Debug)]
pub(super) struct Plan {
    boot: Boot,
    due: Option<Duration>,
    started: bool,
    subscribed: bool,
}

impl Plan {
    pub(super) fn new(boot: Boot, now: Duration) -> Self {
        Self {
            boot,
            due: match boot {
                Boot::After(delay) => Some(now + delay),
                _ => None,
            },
            started: false,
            subscribed: false,
        }
    }

    /// A new plan that knows what the old one has seen of Linux.
    pub(super) fn renew(&mut self, boot: Boot, now: Duration) {
        let subscribed = self.subscribed;
        *self = Self::new(boot, now);
        self.subscribed = subscribed;
        if let (Boot::OnSubscribe(delay), true) = (boot, subscribed) {
            self.due = Some(now + delay);
        }
    }

    pub(super) fn schedule(&mut self, at: Duration) {
        self.started = false;
        self.due = Some(at);
    }

    pub(super) fn started(&self) -> bool {
        self.started
    }

    fn look_every(&self) -> Duration {
        match self.boot {
            Boot::OnSubscribe(delay) if !self.started => (delay / 4).clamp(FAST_LOOK, SLOW_LOOK),
            _ => SLOW_LOOK,
        }
    }

    pub(super) fn deadline(&self, now: Duration) -> Duration {
        let look = now + self.look_every();
        self.due.map_or(look, |due| due.min(look))
    }
}

impl Modem {
    /// Looks whether Linux' driver has come, and starts when it is time.
    pub(super) fn check_boot(&mut self) {
        if self.faults.crashed {
            return;
        }
        let subscribed = self.smsm.subscribed(&self.smem);
        if subscribed != self.boot.subscribed {
            self.boot.subscribed = subscribed;
            self.events.push(if subscribed {
                "subscribed"
            } else {
                "unsubscribed"
            });
            if subscribed {
                self.driver_came();
            }
        }
        if self.boot.due.is_some_and(|due| due <= self.now) {
            self.boot.due = None;
            self.boot.started = true;
            self.announce();
            self.offer_port();
        }
    }

    /// A driver has asked for the power line's interrupt: the first one
    /// starts the modem, a later one must hear of the channels again.
    fn driver_came(&mut self) {
        match self.boot.boot {
            Boot::OnSubscribe(delay) => self.boot.schedule(self.now + delay),
            _ if self.boot.started => self.announce(),
            _ => {}
        }
    }

    /// Opens the planned channels towards Linux, powering up for it.
    pub(super) fn announce(&mut self) {
        self.events.push("announce");
        for channel in self.channel_plan.list() {
            self.open_channel(channel);
        }
        self.send_now();
    }
}
