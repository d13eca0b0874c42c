// SPDX-License-Identifier: GPL-2.0
//! What has happened, by name, for those who wait for it.

use std::collections::BTreeMap;
use std::time::Duration;

/// Most events that are recorded with their times.
const MOST_RECORDED: usize = 65536;

/// How often each event has happened.
#[derive(Debug, Default)]
pub struct Events {
    counts: BTreeMap<String, u64>,
    fresh: bool,
    /// The time that new events get.
    pub(super) now: Duration,
    recorded: Option<Vec<(Duration, String)>>,
}

impl Events {
    /// Notes that an event has happened.
    pub fn push(&mut self, name: &str) {
        tracing::debug!(event = name);
        if let Some(count) = self.counts.get_mut(name) {
            *count += 1;
        } else {
            self.counts.insert(name.to_owned(), 1);
        }
        if let Some(recorded) = &mut self.recorded {
            if recorded.len() < MOST_RECORDED {
                recorded.push((self.now, name.to_owned()));
            }
        }
        self.fresh = true;
    }

    /// Starts to keep all events with their times, afresh, or no longer does.
    pub(super) fn record(&mut self, on: bool) {
        self.recorded = on.then(Vec::new);
    }

    /// What has been kept.
    pub(super) fn recorded(&self) -> &[(Duration, String)] {
        self.recorded.as_deref().unwrap_or_default()
    }

    /// How often an event has happened since the start of the process.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// All events so far.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// Whether there are events since the last call.
    pub fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }
}
