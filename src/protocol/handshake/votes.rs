// SPDX-License-Identifier: GPL-2.0

//! Votes and their acks: what Linux asks for, and whether the modem has heard it.

use super::{
    power::SinceVote,
    AckSeen,
    Handshake,
    Health,
    Pipes,
    WakeStep, //
};

impl Handshake {
    /// Changes the vote. `ack_now` is the level of the modem's ack line, read just before.
    ///
    /// Returns the value to write to the vote bit, or `None` when the bit already has it; then
    /// the modem would see no change and send no ack.
    pub fn vote(&mut self, on: bool, ack_now: bool) -> Option<bool> {
        if self.own.vote == on {
            return None;
        }
        self.ack_level(ack_now);
        self.acked_late = false;
        self.own.vote = on;
        self.expected_ack = if self.is_stopped() {
            None
        } else {
            Some(!ack_now)
        };
        self.since_vote = SinceVote::at_vote(self.power);
        self.counters.votes = self.counters.votes.wrapping_add(1);
        Some(on)
    }

    /// Takes the level of the modem's ack line.
    pub fn ack_level(&mut self, level: bool) -> AckSeen {
        let changed = self.ack != level;
        self.ack = level;

        if self.expected_ack == Some(level) {
            self.expected_ack = None;
            self.unacked = false;
            if self.health == Health::Doubted {
                self.health = Health::Well;
            }
            self.counters.acks = self.counters.acks.wrapping_add(1);
            AckSeen::Expected
        } else if changed {
            // After one that was given up it is the late one; otherwise nobody can have caused it
            // but a firmware that started anew, with its bits cleared.
            self.stray |= !self.unacked && self.is_connected();
            self.unacked = false;
            self.counters.acks_stray = self.counters.acks_stray.wrapping_add(1);
            AckSeen::Stray
        } else {
            AckSeen::Nothing
        }
    }

    /// The power line was low when it was read right after an ack that was [`AckSeen::Expected`].
    ///
    /// A firmware that starts anew with its bits cleared changes both at once; that looks like an
    /// ack, and is not taken for one that puts the fall in order.
    pub fn acked_late(&mut self) {
        self.acked_late = true;
    }

    /// Gives up waiting for an ack, after a time-out.
    ///
    /// A modem that does not even acknowledge that the vote was taken back is dead, and its power
    /// line is not believed any more.
    pub fn ack_lost(&mut self) {
        if self.expected_ack.take().is_none() {
            return;
        }
        self.counters.acks_lost = self.counters.acks_lost.wrapping_add(1);
        self.unacked = true;
        if !self.own.vote && self.power && self.health == Health::Well {
            self.health = Health::Doubted;
            if self.pipes == Pipes::Down {
                // Nothing is put aside, but the fall of the line will have to be acknowledged.
                self.pipes = Pipes::Abandoned;
            }
        }
    }

    /// Whether the modem has not acknowledged the last change of the vote, and still may.
    #[must_use]
    pub const fn awaits_ack(&self) -> bool {
        self.expected_ack.is_some()
    }

    /// What has to happen next for frames to be sent.
    #[must_use]
    pub const fn wake_step(&self) -> WakeStep {
        let rose = matches!(self.since_vote, SinceVote::Rose);
        match (self.own.vote, self.expected_ack.is_some()) {
            _ if self.is_stopped() => WakeStep::Gone,
            (false, true) if !rose => WakeStep::AwaitPreviousAck,
            (false, _) => WakeStep::Vote,
            (true, true) if !rose => WakeStep::AwaitAck,
            (true, _) if self.is_connected() && self.is_powered() => WakeStep::Up,
            (true, _) => WakeStep::AwaitPower,
        }
    }
}
