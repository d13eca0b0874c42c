// SPDX-License-Identifier: GPL-2.0
//! When the modem starts: its first power-up, followed by its OPENs.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

use super::Modem;
use crate::dmux::channels::COUNT;
use crate::power::Input;
use crate::profile::Kind;
use crate::trace::Milestone;

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
    /// When the firmware that runs has its first power.
    power_at: Option<Duration>,
    /// OPENs that are still to come.
    opens: VecDeque<(Duration, u8)>,
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
            power_at: None,
            opens: VecDeque::new(),
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
        self.power_at = None;
        self.opens.clear();
        self.due = Some(at);
    }

    /// Whether there are OPENs to come.
    pub(super) fn opens(&self) -> bool {
        !self.opens.is_empty()
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
        let look = Some(now + self.look_every());
        let open = self.opens.front().map(|&(at, _)| at);
        let due = [look, self.due, self.power_at, open];
        due.into_iter().flatten().min().unwrap_or(now)
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
            self.trace.milestone(
                self.now,
                if subscribed {
                    Milestone::DriverCame
                } else {
                    Milestone::DriverLeft
                },
            );
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
            let delay = self.power.draws_mut().time(Kind::StartToPower);
            self.boot.power_at = Some(self.now + delay);
        }
        if self.boot.power_at.is_some_and(|at| at <= self.now) {
            self.boot.power_at = None;
            self.boot.started = true;
            self.trace.milestone(self.now, Milestone::Boot);
            self.plan_opens();
            self.step(Input::Start);
            self.offer_port();
        }
        self.send_opens();
    }

    /// When to open which channel, counted from the first power.
    fn plan_opens(&mut self) {
        self.events.push("announce");
        let draws = self.power.draws_mut();
        let first = self.now + draws.time(Kind::PowerToOpen);
        let spread = draws.time(Kind::OpenSpread);
        let gap = spread / u32::from(COUNT - 1);
        for (nth, channel) in (0..).zip(self.channel_plan.list()) {
            self.boot.opens.push_back((first + gap * nth, channel));
        }
    }

    fn send_opens(&mut self) {
        let now = self.now;
        let mut any = false;
        while let Some(&(at, channel)) = self.boot.opens.front() {
            if at > now {
                break;
            }
            self.boot.opens.pop_front();
            self.open_channel(channel);
            any = true;
        }
        if any {
            self.flush();
        }
    }

    /// A driver has asked for the power line's interrupt: the first one
    /// starts the modem. Whether a later one hears of the channels again is
    /// the profile's.
    fn driver_came(&mut self) {
        let again = self.power.draws().profile().announces_again;
        match self.boot.boot {
            _ if self.boot.started && !again => {}
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
