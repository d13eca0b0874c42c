// SPDX-License-Identifier: GPL-2.0

//! Reading the modem's lines and writing our bits.
//!
//! Lines are read under the lock of the state that they are compared with: a level that is older than
//! what another look has seen would be taken for a change.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    super::{
        dmux::Dmux,
        protocol::handshake::{
            AckSeen,
            Handshake,
            Transition, //
        }, //
    },
    Link, //
};

impl Link {
    /// Writes our ack bit: a change of the modem's power was followed.
    pub(super) fn acknowledge(&self, dmux: &Arc<Dmux>, ack: bool) {
        if let Err(e) = self.ack_bit.write(ack) {
            complain(dmux, "acknowledge a power change", e);
        }
    }

    /// Reads the power line and has `look` say what is due, if anything.
    pub(super) fn next_transition(
        &self,
        dmux: &Arc<Dmux>,
        look: fn(&mut Handshake, bool) -> Option<Transition>,
    ) -> Option<Transition> {
        let mut state = self.state.lock();
        match self.power_line.level() {
            Ok(level) => look(&mut state, level),
            Err(e) => {
                complain(dmux, "read the modem's power line", e);
                None
            }
        }
    }

    /// Reads the ack line, and takes note of an ack.
    pub(super) fn look_at_ack(&self, dmux: &Arc<Dmux>) {
        if let Err(e) = self.read_ack() {
            complain(dmux, "read the modem's ack line", e);
        }
    }

    fn read_ack(&self) -> Result {
        let mut state = self.state.lock();
        let seen = state.ack_level(self.ack_line.level()?);
        if seen == AckSeen::Expected && !self.power_line.level()? {
            state.acked_late();
        }
        drop(state);
        if seen != AckSeen::Nothing {
            *self.unanswered.lock() = None;
            self.progress.complete_all();
        }
        Ok(())
    }

    /// Votes, or takes the vote back, if that is a change.
    pub(super) fn vote(&self, dmux: &Arc<Dmux>, on: bool) {
        self.write_vote(dmux, &mut self.state.lock(), on);
    }

    /// Writes the vote bit if it has to change. Under the lock of `state`, so that the ack level
    /// that the vote is measured against is the one before the write.
    pub(super) fn write_vote(&self, dmux: &Arc<Dmux>, state: &mut Handshake, on: bool) {
        let result = self
            .ack_line
            .level()
            .and_then(|ack| match state.vote(on, ack) {
                Some(value) => self.vote_bit.write(value),
                None => Ok(()),
            });
        if let Err(e) = result {
            complain(dmux, "change the vote for the data path", e);
        }
        if !on && state.awaits_ack() {
            dmux.watch_later();
        }
    }
}

/// Says that shared memory could not be used. Who waits for the modem looks again and again.
fn complain(dmux: &Dmux, what: &str, error: Error) {
    if dmux.may_log() {
        dev_err!(dmux.dev(), "can't {what}: {error:?}\n");
    }
}
