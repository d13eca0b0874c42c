// SPDX-License-Identifier: GPL-2.0

//! The modem's power line: what its level means for the pipes, and when the modem is lost.
//!
//! A modem that crashes leaves its lines as they are, and BAM may lose its power at any time. When
//! it starts anew its power line falls, without waiting for an ack, and later rises. So two things
//! are kept apart for pipes that cannot be used any more:
//!
//! - [`Transition::Disconnect`]: the modem lets go in order and keeps the power until it is
//!   acknowledged. The pipes are taken down, which touches registers.
//! - [`Transition::Abandon`]: nobody knows whether BAM has power. The pipes are put aside as they
//!   are, and are taken down when BAM is known to have power again.
//!
//! | what is seen, with pipes connected | | is it a [`Loss`] |
//! |---|---|---|
//! | the firmware is reported to be stopped | abandon | yes |
//! | power low, our un-vote was acknowledged before, no stray ack | disconnect | no |
//! | power low, our vote stands and is not acknowledged yet, or was at the same moment | abandon | no: the un-vote before |
//! | power low, our un-vote is not acknowledged, or was at the same moment | abandon | no |
//! | power low, our vote stands and was acknowledged | abandon | yes |
//! | power low, an un-vote was never acknowledged, or an ack came that nobody asked for | abandon | yes |
//! | power low and high between two looks | abandon, connect | yes |
//! | power high, an un-vote is not acknowledged in time | abandon | yes |
//!
//! After the last one, and while the firmware is stopped, a power line that is high is *not
//! believed* any more. It is again when it was seen low, when its interrupt says that it was low for a
//! moment, or when the modem acknowledges a vote.
//!
//! In the third case, if the power line had risen under that vote, and in the fourth, if there was no ack
//! at all, the modem may have restarted all the same: [`Handshake::may_have_restarted`].
//!
//! A vote that is not acknowledged while the power line is low, or that is taken back and then
//! acknowledged, is none of these: the wake-up fails, no more.

use super::{
    Handshake,
    Health,
    Loss,
    Pipes,
    Transition, //
};

/// Most changes of the power line that are remembered as seen before their interrupt.
const MAX_AHEAD: u8 = 2;

/// What the power line did since the vote was last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SinceVote {
    /// It was high at the vote and still is: it may be a level from before.
    StillHigh,
    /// It was seen low.
    Low,
    /// It was seen low and then high: the modem can only mean the present vote.
    Rose,
}

impl SinceVote {
    pub(super) const fn at_vote(power: bool) -> Self {
        if power {
            Self::StillHigh
        } else {
            Self::Low
        }
    }

    const fn after(self, power: bool) -> Self {
        match (self, power) {
            (_, false) => Self::Low,
            (Self::Low, true) => Self::Rose,
            (_, true) => self,
        }
    }
}

impl Handshake {
    /// Takes the level of the modem's power line; returns what is due, if anything.
    ///
    /// The same is due again until it was carried out, or until the level has changed back.
    pub fn power_level(&mut self, level: bool) -> Option<Transition> {
        if level != self.power {
            self.ahead = self.ahead.saturating_add(1).min(MAX_AHEAD);
        }
        self.power_seen(level)
    }

    /// As [`Handshake::power_level`], in the handler of the line's interrupt.
    ///
    /// An interrupt says that the line *has changed*. If it is as it was, and no look in between has
    /// seen the change, it has changed back.
    pub fn power_interrupt(&mut self, level: bool) -> Option<Transition> {
        if level == self.power {
            if self.ahead > 0 {
                self.ahead -= 1;
            } else {
                // The way back has an interrupt of its own.
                self.ahead = 1;
                self.blinked |= level && self.is_connected();
                self.owed |= self.blinked;
                if level && self.health == Health::Doubted {
                    // It was low: the line moves, and that it is high means something again.
                    self.health = Health::Well;
                    self.owed = true;
                }
            }
        }
        self.power_seen(level)
    }

    fn power_seen(&mut self, level: bool) -> Option<Transition> {
        self.owed |= self.power != level;
        self.deserted |= !level && self.deserts();
        self.power = level;
        self.since_vote = self.since_vote.after(level);
        if !level && self.health == Health::Doubted {
            self.health = Health::Well;
        }
        match (self.pipes, level) {
            (Pipes::Connected, false) if self.let_go_in_order() => Some(Transition::Disconnect),
            (Pipes::Connected, false) => Some(Transition::Abandon),
            (Pipes::Connected, true) if self.loss().is_some() => Some(Transition::Abandon),
            (Pipes::Abandoned, false) if self.health == Health::Well => {
                Some(Transition::Disconnect)
            }
            (Pipes::Down | Pipes::Abandoned, true) if self.health == Health::Well => {
                Some(Transition::Connect)
            }
            _ => None,
        }
    }

    /// Whether a power line that falls now falls under a vote under which it had risen, or, with the
    /// pipes connected, before our un-vote was acknowledged: a modem that lives does that first.
    fn deserts(&self) -> bool {
        if self.own.vote {
            self.since_vote == SinceVote::Rose
        } else {
            self.is_connected() && self.expected_ack.is_some()
        }
    }

    /// Whether a power line that falls now falls because we let go, and the modem waits for us.
    fn let_go_in_order(&self) -> bool {
        !self.own.vote && self.expected_ack.is_none() && !self.acked_late && self.loss().is_none()
    }

    /// Whether what has been seen means that the modem is lost, and why.
    #[must_use]
    pub const fn loss(&self) -> Option<Loss> {
        let rose = matches!(self.since_vote, SinceVote::Rose);
        // Seen at the same moment as the fall, the ack may be the later of the two.
        let acknowledged = self.expected_ack.is_none() && !self.acked_late || rose;
        match self.health {
            Health::Stopped => Some(Loss::Stopped),
            Health::Doubted => Some(Loss::NoAck),
            Health::Well if !self.is_connected() => None,
            Health::Well if self.blinked => Some(Loss::PowerBlinked),
            Health::Well if self.power => None,
            Health::Well if self.stray || self.unacked || (self.own.vote && acknowledged) => {
                Some(Loss::PowerFell)
            }
            Health::Well => None,
        }
    }
}
