// SPDX-License-Identifier: GPL-2.0

//! Bringing the pipes in step with the modem's power line.

use kernel::sync::{
    atomic::Relaxed,
    Arc, //
};

use super::{
    super::{
        dmux::Dmux,
        kabi::runtime_pm::Status,
        protocol::handshake::{
            Handshake,
            Transition, //
        }, //
    },
    Link, //
};

/// Power changes followed at a time: a modem that does nothing else must not keep a waker waiting.
/// (Three for one that went and came back: abandon, acknowledge, connect.)
const MAX_CHANGES: usize = 3;

impl Link {
    /// Brings the rings in step with the modem's power line.
    ///
    /// Called at start, and by everybody who waits. Sleeps (DMA channels are allocated). Returns
    /// whether the data path is connected now.
    pub(crate) fn follow_power(&self, dmux: &Arc<Dmux>) -> bool {
        self.follow_power_from(dmux, Handshake::power_level)
    }

    /// As [`Link::follow_power`], in the handler of the power line's interrupt.
    pub(crate) fn power_interrupt(&self, dmux: &Arc<Dmux>) {
        self.follow_power_from(dmux, Handshake::power_interrupt);
        self.progress.complete_all();
    }

    fn follow_power_from(
        &self,
        dmux: &Arc<Dmux>,
        first: fn(&mut Handshake, bool) -> Option<Transition>,
    ) -> bool {
        let _one_at_a_time = self.transition.lock();
        if self.asleep.load(Relaxed) {
            self.stir(dmux);
            return false;
        }
        // An ack that came before the fall puts it in order.
        self.look_at_ack(dmux);

        let mut changes = 0;
        let mut moved = false;
        let mut look = first;
        while let Some(transition) = self.next_transition(dmux, look) {
            look = Handshake::power_level;
            if changes == MAX_CHANGES {
                dmux.follow_power_later();
                break;
            }
            changes += 1;
            if !self.carry_out(dmux, transition) {
                break;
            }
            moved = true;
        }
        dmux.pin_module(!self.may_touch());

        // Frames may go out as soon as the modem is known to have seen the vote; that may be the
        // case here, when the line rose again under a vote that still stands.
        if !self.open_if_up(dmux) && changes > 0 {
            self.take_up_again(dmux);
        }
        if moved {
            // Not otherwise: who waits looks by himself, and would never come to wait.
            self.progress.complete_all();
        }
        self.state.lock().is_connected()
    }

    /// Moves the pipes. Returns whether that could be done.
    fn carry_out(&self, dmux: &Arc<Dmux>, transition: Transition) -> bool {
        *self.unanswered.lock() = None;
        match transition {
            Transition::Connect => self.connect(dmux),
            Transition::Disconnect => {
                dmux.disconnect();
                let ack = self.state.lock().disconnected();
                self.acknowledge(dmux, ack);
                self.may_sleep(dmux);
                true
            }
            Transition::Abandon => {
                self.abandon(dmux);
                self.may_sleep(dmux);
                true
            }
        }
    }

    fn connect(&self, dmux: &Arc<Dmux>) -> bool {
        if !self.live.load(Relaxed) {
            return self.connect_nothing(dmux);
        }
        if self.suspicious.xchg(false, Relaxed) {
            dmux.ports.hold();
        }
        // Before the first frame can come, and before the modem is told that it may send one.
        let held = dmux.modem_powered();
        if let Err(e) = dmux.connect() {
            self.state.lock().connect_failed();
            dmux.connect_failed(e);
            return false;
        }
        self.lost.store(held, Relaxed);
        let ack = {
            let mut state = self.state.lock();
            self.keep_awake(dmux, &state);
            state.connected()
        };
        self.acknowledge(dmux, ack);
        dmux.health.works();
        self.listen(dmux);
        true
    }

    /// The driver goes, or is not there yet, and the BAM has power. If that is for pipes that were put
    /// aside they are taken down, and it is acknowledged, so that the modem lets go in order.
    fn connect_nothing(&self, dmux: &Arc<Dmux>) -> bool {
        if !self.leaving.load(Relaxed) {
            self.state.lock().connect_failed();
            return false;
        }
        dmux.dispose();
        let ack = self.state.lock().connected();
        self.acknowledge(dmux, ack);
        true
    }

    /// The power line changed and the link is not up: somebody may want it to be.
    fn take_up_again(&self, dmux: &Arc<Dmux>) {
        // A command may be due since a wake-up that failed: the modem is there again.
        dmux.tx.announce(dmux);
        if self.live.load(Relaxed)
            && self.state.lock().is_connected()
            && dmux.pm.status() == Status::Active
        {
            // The vote was taken back when the modem was lost.
            dmux.wake_modem();
        }
    }
}
