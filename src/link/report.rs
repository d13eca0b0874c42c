// SPDX-License-Identifier: GPL-2.0

//! What health reports say of the link.

use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::{
    super::{
        kabi::devlink::Object,
        protocol::handshake::WakeStep, //
    },
    Link, //
};

impl Link {
    /// The handshake's state for people.
    pub(crate) fn show(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        let state = self.state.lock();
        writeln!(
            f,
            "link: next={:?} lost={} {:?}",
            state.wake_step(),
            self.lost.load(Relaxed),
            *state
        )
    }

    /// The handshake's state, and what lines and bits say now, for health reports. Process context.
    pub(crate) fn describe(&self, out: &mut Object<'_>) {
        // Copied out: writing it down sleeps.
        let state = self.state.lock().clone();
        let (lines, own, counters) = (state.lines(), state.own_bits(), state.counters());
        out.text(c"next", fmt!("{:?}", state.wake_step()));
        out.bool(c"connected", state.is_connected());
        out.bool(c"stopped", state.is_stopped());
        out.bool(c"lost", self.lost.load(Relaxed));
        out.bool(c"ack_outstanding", state.awaits_ack());
        out.object(c"seen", |out| {
            out.bool(c"power", lines.power);
            out.bool(c"ack", lines.ack);
        });
        out.object(c"written", |out| {
            out.bool(c"vote", own.vote);
            out.bool(c"ack", own.ack);
        });
        // Beside what was seen last: a difference is an edge that got lost.
        out.object(c"now", |out| {
            for (name, level) in [
                (c"power", self.power_line.level()),
                (c"ack", self.ack_line.level()),
                (c"own_vote", self.vote_bit.read()),
                (c"own_ack", self.ack_bit.read()),
            ] {
                match level {
                    Ok(level) => out.bool(name, level),
                    Err(e) => out.text(name, fmt!("{e:?}")),
                }
            }
        });
        out.u64(c"connects", counters.connects);
        out.u64(c"disconnects", counters.disconnects);
        out.u64(c"abandons", counters.abandons);
        out.u64(c"connect_failures", counters.connect_failures);
        out.u64(c"votes", counters.votes);
        out.u64(c"acks", counters.acks);
        out.u64(c"acks_lost", counters.acks_lost);
        out.u64(c"acks_stray", counters.acks_stray);
    }
}

/// What did not come when a step took too long, in words.
pub(super) const fn missing(step: WakeStep) -> &'static CStr {
    match step {
        WakeStep::AwaitPower => c"no power",
        _ => c"no ack",
    }
}
