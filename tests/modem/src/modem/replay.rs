// SPDX-License-Identifier: GPL-2.0
//! Plays sequences that were measured: sets the profile, forces what is to happen, and listens.

use super::Modem;
use crate::power::Phase;
use crate::profile::Profile;
use crate::replay::{
    judge,
    Replay,
    Report, //
};

/// A replay that goes on.
#[derive(Debug)]
pub(super) struct Playing {
    replay: Replay,
    /// What was in force before.
    before: (Profile, u32),
}

impl Modem {
    /// Begins a replay; ends the one before.
    ///
    /// # Errors
    /// There is none of this number, or the modem is not in the state that it begins in. In words.
    pub fn play_replay(&mut self, number: u32) -> Result<(), String> {
        let replay = Replay::find(number)?;
        let profile = replay.profile().map_err(|error| error.to_string())?;
        if self.power.phase() == Phase::Dead {
            return Err("the modem has crashed: give it \"restart\" first".to_owned());
        }
        self.end_replay();
        let before = self.profile();
        let seed = before.1;
        self.events.record(true);
        let (force, crash) = (replay.force.clone(), replay.crash);
        self.replay = Some(Playing { replay, before });
        self.set_profile(profile, seed);
        for what in force {
            self.force(what, 1);
        }
        if crash {
            self.crash(false);
            self.report_crash_in_time();
        }
        Ok(())
    }

    /// How the replay goes, or went.
    ///
    /// # Errors
    /// There is none. In words.
    pub fn replay_report(&self) -> Result<Report, String> {
        let playing = self.replay.as_ref();
        let playing = playing.ok_or("no replay is played: give \"replay\" first")?;
        Ok(judge(&playing.replay, self.events.recorded()))
    }

    /// Ends the replay: the profile is what it was before.
    pub fn end_replay(&mut self) {
        if let Some(Playing { before, .. }) = self.replay.take() {
            self.events.record(false);
            self.set_profile(before.0, before.1);
        }
    }
}
