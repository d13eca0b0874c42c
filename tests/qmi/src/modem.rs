// SPDX-License-Identifier: GPL-2.0
//! The QMI side as a whole.

use std::collections::VecDeque;

use crate::counters::Counters;
use crate::identity::{
    Identity,
    Registration, //
};
use crate::network::{
    CallEnd,
    Event,
    Network,
    Refusal, //
};
use crate::status::Status;

/// The QMI side of a modem.
#[derive(Debug)]
pub struct Modem {
    identity: Identity,
    out: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    registration: Registration,
    signal_dbm: i16,
    refusal: Option<Refusal>,
    mute: u32,
    counters: Counters,
}

impl Modem {
    /// A modem that has just started.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            out: VecDeque::new(),
            events: VecDeque::new(),
            registration: Registration::Home,
            signal_dbm: -75,
            refusal: None,
            mute: 0,
            counters: Counters::default(),
        }
    }

    /// Takes one QMUX frame from the host, and answers it: see
    /// [`Self::take_frame`] and [`Self::take_event`].
    pub fn receive(&mut self, frame: &[u8], network: &dyn Network) {
        let _ = (frame, network, &self.identity);
        self.counters.malformed += 1;
    }

    /// The oldest frame for the host.
    pub fn take_frame(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// The oldest event.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The firmware has restarted: no clients, no calls, nothing queued, and
    /// all that was set by hand is as at the start. Counters stay.
    pub fn restart(&mut self) {
        self.out.clear();
        self.events.clear();
        self.registration = Registration::Home;
        self.signal_dbm = -75;
        self.refusal = None;
        self.mute = 0;
    }

    /// Refuses the next calls; `None`: no longer.
    pub fn refuse_calls(&mut self, refusal: Option<Refusal>) {
        self.refusal = refusal;
    }

    /// The network ends the calls of a channel, or all of them. Returns how
    /// many there were.
    pub fn drop_calls(&mut self, channel: Option<u8>, end: CallEnd) -> usize {
        let _ = (channel, end);
        0
    }

    /// Swallows the next requests.
    pub fn mute(&mut self, requests: u32) {
        self.mute = requests;
    }

    /// The modem has found its network, or lost it.
    pub fn set_registration(&mut self, registration: Registration) {
        self.registration = registration;
    }

    /// The signal has changed.
    pub fn set_signal(&mut self, dbm: i16) {
        self.signal_dbm = dbm;
    }

    /// The state, for people and for tests.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            registration: self.registration,
            signal_dbm: self.signal_dbm,
            operating_mode: 0,
            refusal: self.refusal,
            mute: self.mute,
            clients: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// What has been counted.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
