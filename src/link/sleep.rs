// SPDX-License-Identifier: GPL-2.0

//! System sleep: the modem is let go of before, and looked at afresh after.
//!
//! While Linux sleeps nobody acknowledges, and nobody looks after the pipes. So they are down, and the
//! modem has let go of the power in order, before Linux sleeps. From then on until the system is awake
//! again nothing is touched but shared memory: the DMA engine may have been put to sleep itself.
//!
//! | state of the link | what is done |
//! |---|---|
//! | power low | nothing |
//! | power high, the modem lets go after our vote | followed, as always |
//! | power high, the modem keeps it | the sleep is refused: it has something to say |
//! | the same, but the modem may not wake Linux | pipes taken down under power; an ack stays owed |
//! | the modem does not answer | it counts as lost, the pipes are put aside |
//!
//! A modem that raises its power line meanwhile has data. If that is heard of before Linux sleeps, the
//! sleep is aborted; after that, the interrupt ends it. Firmware that gets no ack crashes after a while,
//! so that it is answered as soon as Linux is awake, and Linux is kept awake until the modem lets go.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};

use super::{
    super::{
        dmux::Dmux,
        protocol::handshake::{
            Handshake,
            ACK_TIMEOUT_MS, //
        }, //
    },
    Link,
    SHUTDOWN_MS, //
};

/// How long Linux is kept awake after the modem let go, in milliseconds: until a program that got the
/// last packet can say itself that it is busy.
const GRACE_MS: u32 = 500;

/// For how long a sleep that was refused for the modem's sake counts as an event, in milliseconds: until
/// the power line was followed, which keeps Linux awake then.
const ABORT_MS: u32 = 1000;

impl Link {
    /// From here on nobody votes or waits for the modem, and no frame moves: who does so already stops
    /// within [`POLL_MS`](super::POLL_MS). The power line is still followed.
    pub(crate) fn rest(&self, dmux: &Arc<Dmux>) {
        // Under `state`, so that no open_if_up() comes between.
        let _state = self.state.lock();
        self.resting.store(true, Relaxed);
        dmux.tx.close();
        self.progress.complete_all();
    }

    /// Lets go of the modem. From success on the power line is not followed any more.
    ///
    /// Process context; after [`Link::rest`]. Sleeps, at most [`ACK_TIMEOUT_MS`] and [`SHUTDOWN_MS`].
    ///
    /// # Errors
    ///
    /// `EBUSY` when the modem keeps the power, and may wake Linux.
    pub(crate) fn fall_asleep(&self, dmux: &Arc<Dmux>) -> Result {
        let _no_waker = self.wake.lock();
        self.vote(dmux, false);
        let always = |this: &Self| this.is_live();
        let answered = self.wait_while(dmux, ACK_TIMEOUT_MS, always, Self::is_unvote_settled);
        if !answered {
            self.state.lock().ack_lost();
            self.follow_power(dmux);
        }
        let down = self.wait_while(dmux, SHUTDOWN_MS, always, |this| !this.is_connected());
        if !down && dmux.wakeup.may_wake() {
            dmux.wakeup.event(ABORT_MS);
            return Err(EBUSY);
        }

        let _one_at_a_time = self.transition.lock();
        if self.is_connected() {
            if dmux.wakeup.may_wake() {
                // It came up again just now.
                return Err(EBUSY);
            }
            dmux.disconnect();
            self.state.lock().taken_down_early();
        }
        self.asleep.store(true, Relaxed);
        Ok(())
    }

    /// The system is awake: looks at the lines, and does what is due. Process context, sleeps, not for
    /// the modem.
    pub(crate) fn wake_up(&self, dmux: &Arc<Dmux>) {
        self.asleep.store(false, Relaxed);
        self.resting.store(false, Relaxed);
        self.follow_power(dmux);
    }

    /// Whether the link is at rest, for the sake of the system's sleep.
    pub(crate) fn is_resting(&self) -> bool {
        self.resting.load(Relaxed)
    }

    /// An interrupt came while nothing may be done about it. Under `transition`.
    pub(super) fn stir(&self, dmux: &Arc<Dmux>) {
        let followed = self.state.lock().lines().power;
        if self
            .power_line
            .level()
            .is_ok_and(|level| level && !followed)
        {
            dmux.wakeup.abort_sleep(ABORT_MS);
        }
    }

    /// Linux has to stay awake while the modem uses the link for itself: it has raised the power line
    /// though Linux did not vote. Under `transition`.
    pub(super) fn keep_awake(&self, dmux: &Arc<Dmux>, state: &Handshake) {
        if !state.own_bits().vote {
            self.awake.store(true, Relaxed);
            dmux.wakeup.stay_awake();
        }
    }

    /// The modem has let go, or is lost. Under `transition`.
    pub(super) fn may_sleep(&self, dmux: &Arc<Dmux>) {
        if self.awake.xchg(false, Relaxed) {
            dmux.wakeup.event(GRACE_MS);
        }
    }
}
