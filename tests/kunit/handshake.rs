// SPDX-License-Identifier: GPL-2.0

//! Tests of `src/protocol/handshake.rs`, run on the host and by `KUnit`.

#[cfg_attr(
    CONFIG_BAM_DMUX_KUNIT_TEST,
    kernel::prelude::kunit_tests(bam_dmux_handshake)
)]
mod cases {
    use super::super::*;

    /// The modem is down and nothing was ever written.
    fn cold() -> Handshake {
        let lines = Lines {
            power: false,
            ack: false,
        };
        let own = OwnBits {
            vote: false,
            ack: false,
        };
        Handshake::new(lines, own)
    }

    /// Linux voted, the modem answered and the pipes are connected.
    fn up() -> Handshake {
        let mut link = cold();
        link.vote(true, false);
        link.ack_level(true);
        link.power_level(true);
        assert!(link.connected());
        assert_eq!(link.wake_step(), WakeStep::Up);
        link
    }

    /// The whole of a wake-up and of the way back, step by step.
    #[test]
    fn wake_and_idle() {
        let mut link = cold();
        assert_eq!(link.wake_step(), WakeStep::Vote);
        assert_eq!(link.vote(true, false), Some(true));
        assert_eq!(link.wake_step(), WakeStep::AwaitAck);
        assert!(link.awaits_ack());
        assert_eq!(link.ack_level(true), AckSeen::Expected);
        assert!(!link.awaits_ack());
        assert_eq!(link.wake_step(), WakeStep::AwaitPower);
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert_eq!(link.wake_step(), WakeStep::AwaitPower);
        assert!(link.connected());
        assert_eq!(link.wake_step(), WakeStep::Up);

        assert_eq!(link.vote(false, true), Some(false));
        assert_eq!(link.wake_step(), WakeStep::AwaitPreviousAck);
        assert_eq!(link.ack_level(false), AckSeen::Expected);
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        assert!(!link.disconnected());
        assert_eq!(link.wake_step(), WakeStep::Vote);
    }

    /// The modem powers up by itself: the pipes follow, without a vote and not up for sending.
    #[test]
    fn modem_wakes_linux() {
        let mut link = cold();
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert!(link.connected());
        assert!(link.is_connected());
        assert_eq!(link.wake_step(), WakeStep::Vote);
    }

    /// Interrupts without a change, early or doubled, neither connect twice nor flip an ack.
    #[test]
    fn levels_are_idempotent() {
        let mut link = up();
        for _ in 0..3 {
            assert_eq!(link.power_level(true), None);
            assert_eq!(link.ack_level(true), AckSeen::Nothing);
        }
        assert!(link.connected());
        assert_eq!(link.counters.connects, 1);
        assert_eq!(link.wake_step(), WakeStep::Up);
    }

    /// What is due stays due until it was done, and is dropped when the level has gone back.
    #[test]
    fn transitions_stay_due() {
        let mut link = cold();
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        link.connect_failed();
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert_eq!(link.power_level(false), None);
        assert_eq!(link.counters.connect_failures, 1);
        assert!(!link.own.ack);
    }

    /// Acks are the opposite of what the hardware says, whatever a driver before left there.
    #[test]
    fn ack_parity_comes_from_the_hardware() {
        for ack in [false, true] {
            let lines = Lines { power: true, ack };
            let mut link = Handshake::new(lines, OwnBits { vote: false, ack });
            assert_eq!(link.power_level(true), Some(Transition::Connect));
            assert_eq!(link.connected(), !ack);
            assert_eq!(link.power_level(false), Some(Transition::Disconnect));
            assert_eq!(link.disconnected(), ack);
        }
    }

    /// A vote that stands already, from before probe too, is not written again: no ack would come.
    #[test]
    fn unchanged_votes_are_not_written() {
        let lines = Lines {
            power: false,
            ack: true,
        };
        let own = OwnBits {
            vote: true,
            ack: false,
        };
        let mut link = Handshake::new(lines, own);
        assert_eq!(link.vote(true, true), None);
        assert_eq!(link.vote(false, true), Some(false));
        assert_eq!(link.wake_step(), WakeStep::AwaitPreviousAck);
        assert_eq!(link.ack_level(false), AckSeen::Expected);
    }

    /// A power line that is still high from before the un-vote does not count as up.
    #[test]
    fn power_about_to_fall_is_not_up() {
        let mut link = up();
        link.vote(false, true);
        link.ack_level(false);
        link.vote(true, false);
        assert_eq!(link.power_level(true), None);
        assert_eq!(link.wake_step(), WakeStep::AwaitAck);

        // The modem acts on the un-vote first, then on the vote; its ack got lost.
        assert_eq!(link.power_level(false), Some(Transition::Abandon));
        assert_eq!(link.loss(), None);
        link.abandoned();
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        assert!(!link.disconnected());
        assert_eq!(link.wake_step(), WakeStep::AwaitAck);
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert!(link.connected());
        assert_eq!(link.wake_step(), WakeStep::Up);
    }

    /// Between the fall of the power line and the end of the pipes nothing may be sent any more.
    #[test]
    fn falling_power_is_not_up() {
        let mut link = up();
        assert_eq!(link.power_level(false), Some(Transition::Abandon));
        assert!(link.is_connected());
        assert_eq!(link.wake_step(), WakeStep::AwaitPower);
    }

    /// A lost ack of an un-vote costs one time-out: the next vote is made all the same.
    #[test]
    fn lost_down_ack_does_not_wedge() {
        let mut link = cold();
        link.vote(true, false);
        link.vote(false, false);
        assert_eq!(link.wake_step(), WakeStep::AwaitPreviousAck);
        link.ack_lost();
        assert_eq!(link.wake_step(), WakeStep::Vote);
        link.vote(true, false);
        assert_eq!(link.ack_level(true), AckSeen::Expected);
        assert_eq!(link.wake_step(), WakeStep::AwaitPower);
        assert_eq!(link.counters.acks_lost, 1);
    }

    /// A vote that is not acknowledged, though the power line is high: nothing is sent; the pipes
    /// stay as they are if the modem acknowledges that the vote is taken back.
    #[test]
    fn lost_up_ack_sends_nothing() {
        let mut link = cold();
        link.power_level(true);
        assert!(link.connected());
        link.vote(true, false);
        assert_eq!(link.wake_step(), WakeStep::AwaitAck);
        link.vote(false, false);
        assert_eq!(link.ack_level(true), AckSeen::Expected);
        assert_eq!(link.power_level(true), None);
        assert_eq!(link.loss(), None);
        assert!(link.is_connected());
    }

    /// A modem that does not acknowledge an un-vote either is dead: its line is not believed, the
    /// pipes are put aside, and the fall of the line is acknowledged when it comes.
    #[test]
    fn a_silent_modem_is_lost() {
        let mut link = up();
        link.vote(false, true);
        link.ack_lost();
        assert_eq!(link.loss(), Some(Loss::NoAck));
        assert_eq!(link.power_level(true), Some(Transition::Abandon));
        link.abandoned();
        assert_eq!(link.power_level(true), None);
        assert!(!link.is_powered());
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        assert!(!link.disconnected());
        assert_eq!(link.counters.disconnects, 0);
        assert_eq!(link.power_level(true), Some(Transition::Connect));
    }

    /// A modem that was only silent for a while is believed again as soon as it acknowledges a vote.
    /// Its line did not move, so there is nothing to acknowledge to it.
    #[test]
    fn a_sign_of_life_is_believed() {
        let mut link = up();
        link.vote(false, true);
        link.ack_lost();
        link.abandoned();
        link.vote(true, true);
        assert_eq!(link.power_level(true), None);
        assert_eq!(link.ack_level(false), AckSeen::Expected);
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert!(link.connected());
        assert_eq!(link.wake_step(), WakeStep::Up);
    }

    /// A silent modem whose line falls and rises before anybody looks is there again, by the interrupt
    /// of that: it has begun anew, and waits for the ack of the rise.
    #[test]
    fn a_line_that_moves_is_believed() {
        let mut link = up();
        assert_eq!(link.power_interrupt(true), None);
        let ack = link.own_bits().ack;
        link.vote(false, true);
        link.ack_lost();
        link.abandoned();
        assert_eq!(link.power_level(true), None);
        assert_eq!(link.power_interrupt(true), Some(Transition::Connect));
        assert_ne!(link.connected(), ack);
        // The interrupt of the way back.
        assert_eq!(link.power_interrupt(true), None);
    }

    /// A silent modem without power is nothing to worry about: there are no pipes.
    #[test]
    fn silence_without_power_is_no_loss() {
        let mut link = cold();
        link.vote(true, false);
        link.vote(false, false);
        link.ack_lost();
        assert_eq!(link.loss(), None);
        assert_eq!(link.power_level(true), Some(Transition::Connect));
    }

    /// Power that falls under an acknowledged vote: the pipes are not touched, the fall is
    /// acknowledged.
    #[test]
    fn power_falls_without_our_having_let_go() {
        let mut link = up();
        assert_eq!(link.power_level(false), Some(Transition::Abandon));
        assert_eq!(link.loss(), Some(Loss::PowerFell));
        link.abandoned();
        link.vote(false, true);
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        assert!(!link.disconnected());
        assert_eq!(link.power_level(false), None);
        assert_eq!(link.counters.abandons, 1);
    }

    /// An ack that nobody asked for, and then the power line falls: firmware that cleared its bits.
    #[test]
    fn a_stray_ack_spoils_the_next_fall() {
        let mut link = cold();
        link.power_level(true);
        assert!(link.connected());
        assert_eq!(link.ack_level(true), AckSeen::Stray);
        // One more makes it no better.
        assert_eq!(link.ack_level(false), AckSeen::Stray);
        assert_eq!(link.power_level(true), None);
        assert_eq!(link.power_level(false), Some(Transition::Abandon));
        assert_eq!(link.loss(), Some(Loss::PowerFell));
    }

    /// An ack that was given up, and comes after all, spoils nothing: the next fall is in order.
    #[test]
    fn a_late_ack_spoils_nothing() {
        let mut link = cold();
        link.vote(true, false);
        link.power_level(true);
        assert!(link.connected());
        link.ack_lost();
        assert_eq!(link.ack_level(true), AckSeen::Stray);
        link.vote(false, true);
        assert_eq!(link.ack_level(false), AckSeen::Expected);
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
    }

    /// Power that fell and rose before anybody looked: its interrupt tells. The rise is acknowledged
    /// once, and the interrupt of the way back means nothing.
    #[test]
    fn power_blinks() {
        let mut link = up();
        // The interrupt of the rise that a waiter had seen before.
        assert_eq!(link.power_interrupt(true), None);
        assert_eq!(link.power_interrupt(true), Some(Transition::Abandon));
        assert_eq!(link.loss(), Some(Loss::PowerBlinked));
        link.abandoned();
        assert_eq!(link.power_interrupt(true), Some(Transition::Connect));
        assert!(!link.connected());
        assert_eq!(link.power_interrupt(true), Some(Transition::Abandon));
    }

    /// Power that blinks again before anything was done about it is no less of a loss.
    #[test]
    fn power_blinks_twice() {
        let mut link = up();
        link.power_interrupt(true);
        for _ in 0..2 {
            // The fall, which nobody saw, and the way back.
            link.power_interrupt(true);
            link.power_interrupt(true);
            assert_eq!(link.loss(), Some(Loss::PowerBlinked));
        }
        link.abandoned();
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        // One ack for all of it.
        assert!(!link.connected());
    }

    /// Interrupts of changes that a look has seen before are no blinks, nor are those that see it
    /// themselves.
    #[test]
    fn late_interrupts_are_no_blinks() {
        let mut link = cold();
        assert_eq!(link.power_interrupt(true), Some(Transition::Connect));
        assert!(link.connected());
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        assert!(!link.disconnected());
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert!(link.connected());
        assert_eq!(link.power_interrupt(true), None);
        assert_eq!(link.power_interrupt(true), None);
    }

    /// While the firmware is stopped a power line that is high means nothing; nor does it after the
    /// start, until it was low.
    #[test]
    fn a_stopped_modem_is_not_believed() {
        let mut link = up();
        link.stopped();
        assert_eq!(link.power_level(true), Some(Transition::Abandon));
        link.abandoned();
        assert_eq!(link.vote(false, true), Some(false));
        assert_eq!(link.power_level(true), None);
        // Nor if it moves: the first interrupt is that of a change which was seen.
        for _ in 0..3 {
            assert_eq!(link.power_interrupt(true), None);
        }
        assert_eq!(link.wake_step(), WakeStep::Gone);
        link.starting();
        assert_eq!(link.power_level(true), None);
        assert_eq!(link.wake_step(), WakeStep::Vote);
        assert_eq!(link.power_level(false), None);
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        // One ack for the connection, none for the way there.
        assert!(!link.connected());
    }

    /// New firmware whose line falls and rises unseen is believed when it acknowledges a vote, and gets
    /// the ack of that rise.
    #[test]
    fn a_start_that_nobody_saw_is_acknowledged() {
        let mut link = up();
        let ack = link.own_bits().ack;
        link.stopped();
        assert_eq!(link.power_level(true), Some(Transition::Abandon));
        link.abandoned();
        link.vote(false, true);
        link.starting();
        assert_eq!(link.power_level(true), None);
        link.vote(true, true);
        assert_eq!(link.ack_level(false), AckSeen::Expected);
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert_ne!(link.connected(), ack);
    }

    /// A stop and a start with the power line low all along change nothing.
    #[test]
    fn a_sleeping_modem_restarts() {
        let mut link = cold();
        link.stopped();
        assert_eq!(link.power_level(false), None);
        link.starting();
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert!(link.connected());
    }

    /// An ack that is first seen when the next vote is made still counts as the one it is.
    #[test]
    fn ack_seen_with_the_next_vote() {
        let mut link = up();
        link.vote(false, true);
        link.vote(true, false);
        assert_eq!(link.counters.acks, 2);
        assert_eq!(link.wake_step(), WakeStep::AwaitAck);
        assert_eq!(link.ack_level(true), AckSeen::Expected);
    }

    /// An ack after it was given up is a stray, and the one after the next vote is recognised.
    #[test]
    fn late_acks_are_strays() {
        let mut link = up();
        link.vote(false, true);
        link.ack_lost();
        assert_eq!(link.ack_level(false), AckSeen::Stray);
        link.vote(true, false);
        assert_eq!(link.ack_level(false), AckSeen::Nothing);
        assert_eq!(link.wake_step(), WakeStep::AwaitAck);
        assert_eq!(link.ack_level(true), AckSeen::Expected);
    }

    /// A modem that restarts with cleared bits is followed down and up again.
    #[test]
    fn restart_with_cleared_bits() {
        let mut link = up();
        link.ack_level(false);
        assert_eq!(link.power_level(false), Some(Transition::Abandon));
        link.abandoned();
        link.vote(false, false);
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        assert!(!link.disconnected());
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert!(link.connected());
        assert_eq!(link.ack_level(true), AckSeen::Expected);
        link.vote(true, true);
        assert_eq!(link.ack_level(false), AckSeen::Expected);
        assert_eq!(link.wake_step(), WakeStep::Up);
        assert_eq!(link.counters.connects, 2);
    }

    /// The power rises under a vote, without an ack, and falls: no loss, but perhaps a restart. With the
    /// pipes connected anew that is over.
    #[test]
    fn a_vote_can_be_deserted() {
        let mut link = cold();
        link.vote(true, false);
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert!(link.connected());
        assert_eq!(link.wake_step(), WakeStep::Up);
        assert!(!link.may_have_restarted());
        assert_eq!(link.power_level(false), Some(Transition::Abandon));
        assert_eq!(link.loss(), None);
        assert!(link.may_have_restarted());
        link.abandoned();
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert!(link.may_have_restarted());
        // One ack for all that the line did meanwhile.
        assert!(!link.connected());
        assert!(!link.may_have_restarted());
    }

    /// A fall without the ack of the un-vote may be that of firmware that starts anew; with the ack, even
    /// if that is seen at the same moment, it is not.
    #[test]
    fn an_unvote_can_be_deserted() {
        for acked in [false, true] {
            let mut link = up();
            link.vote(false, true);
            if acked {
                assert_eq!(link.ack_level(false), AckSeen::Expected);
                link.acked_late();
            }
            // As often as somebody looks, until it is followed.
            for _ in 0..2 {
                assert_eq!(link.power_level(false), Some(Transition::Abandon));
            }
            assert_eq!(link.loss(), None);
            assert_eq!(link.may_have_restarted(), !acked);
        }
    }

    /// A fall that belongs to the un-vote before says nothing of a restart.
    #[test]
    fn a_late_fall_is_no_desertion() {
        let mut link = up();
        link.vote(false, true);
        link.vote(true, true);
        assert_eq!(link.power_level(false), Some(Transition::Abandon));
        assert_eq!(link.loss(), None);
        assert!(!link.may_have_restarted());
    }

    /// A vote that crosses the fall of the line: the modem acknowledges it after it has let go, and
    /// Linux sees both at once. Nothing is lost, and the power comes back under the same vote; a fall
    /// after that is a loss again.
    #[test]
    fn a_vote_that_crosses_the_fall_is_no_loss() {
        let mut link = up();
        link.vote(false, true);
        assert_eq!(link.ack_level(false), AckSeen::Expected);
        assert_eq!(link.vote(true, false), Some(true));
        assert_eq!(link.ack_level(true), AckSeen::Expected);
        link.acked_late();
        assert_eq!(link.power_level(false), Some(Transition::Abandon));
        assert_eq!(link.loss(), None);
        link.abandoned();
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        let _ = link.disconnected();
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        let _ = link.connected();
        assert_eq!(link.wake_step(), WakeStep::Up);
        assert_eq!(link.power_level(false), Some(Transition::Abandon));
        assert_eq!(link.loss(), Some(Loss::PowerFell));
    }

    /// The system sleeps though the modem keeps the power: its fall is acknowledged afterwards, without a
    /// register being touched for pipes that are not there.
    #[test]
    fn power_falls_while_nobody_looks() {
        let mut link = up();
        link.vote(false, true);
        assert_eq!(link.ack_level(false), AckSeen::Expected);
        link.taken_down_early();
        assert!(!link.is_connected());
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        // The toggle after that of the rise.
        assert!(!link.disconnected());
        assert_eq!(link.power_level(false), None);
        assert_eq!(link.counters.disconnects, 1);
    }

    /// The same, and the modem still keeps it when Linux looks again: the pipes are connected, and there
    /// is nothing to acknowledge.
    #[test]
    fn power_stays_while_nobody_looks() {
        let mut link = up();
        let ack = link.own_bits().ack;
        link.vote(false, true);
        assert_eq!(link.ack_level(false), AckSeen::Expected);
        link.taken_down_early();
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert_eq!(link.connected(), ack);
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        assert_ne!(link.disconnected(), ack);
    }
}
