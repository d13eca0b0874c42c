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
        assert_eq!(link.ack_level(true), AckSeen::Expected);
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
            let mut link = Handshake::new(lines, OwnBits { vote: true, ack });
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
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        assert!(link.is_connected());
        assert_eq!(link.wake_step(), WakeStep::AwaitPower);
    }

    /// A lost ack of an un-vote costs one time-out: the next vote is made all the same.
    #[test]
    fn lost_down_ack_does_not_wedge() {
        let mut link = up();
        link.vote(false, true);
        assert_eq!(link.wake_step(), WakeStep::AwaitPreviousAck);
        link.ack_lost();
        assert_eq!(link.wake_step(), WakeStep::Vote);
        link.vote(true, true);
        assert_eq!(link.ack_level(false), AckSeen::Expected);
        assert_eq!(link.wake_step(), WakeStep::Up);
        assert_eq!(link.counters.acks_lost, 1);
    }

    /// A lost ack of a vote costs one time-out when the power line says that the path is there.
    #[test]
    fn lost_up_ack_does_not_wedge() {
        let mut link = cold();
        link.power_level(true);
        assert!(link.connected());
        link.vote(true, false);
        assert_eq!(link.wake_step(), WakeStep::AwaitAck);
        link.ack_lost();
        assert_eq!(link.wake_step(), WakeStep::Up);
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
        assert_eq!(link.power_level(false), Some(Transition::Disconnect));
        assert!(!link.disconnected());
        assert_eq!(link.wake_step(), WakeStep::AwaitPower);
        assert_eq!(link.power_level(true), Some(Transition::Connect));
        assert!(link.connected());
        assert_eq!(link.wake_step(), WakeStep::Up);
        assert_eq!(link.counters.connects, 2);
        assert_eq!(link.counters.disconnects, 1);
    }
}
