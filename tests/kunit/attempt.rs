// SPDX-License-Identifier: GPL-2.0

//! Tests of `src/protocol/handshake/attempt.rs`, run on the host and by `KUnit`.

#[cfg_attr(
    CONFIG_BAM_DMUX_KUNIT_TEST,
    kernel::prelude::kunit_tests(bam_dmux_attempt)
)]
mod cases {
    use super::super::*;

    const ACK: u64 = ACK_TIMEOUT_MS as u64;

    /// Each step has its own time, from the first look that has seen it.
    #[test]
    fn steps_have_their_time() {
        let mut attempt = Attempt::new(100);
        assert_eq!(
            attempt.look(150, WakeStep::Vote),
            Patience::Wait(ACK_TIMEOUT_MS)
        );
        assert_eq!(
            attempt.look(200, WakeStep::AwaitAck),
            Patience::Wait(ACK_TIMEOUT_MS)
        );
        assert_eq!(
            attempt.look(199 + ACK, WakeStep::AwaitAck),
            Patience::Wait(1)
        );
        assert_eq!(
            attempt.look(199 + ACK, WakeStep::AwaitPower),
            Patience::Wait(POWER_TIMEOUT_MS)
        );
        assert_eq!(attempt.waited_ms(1000 + ACK), 801);
    }

    /// A vote that is not acknowledged, or not followed by power, ends the attempt.
    #[test]
    fn silence_ends_it() {
        for step in [WakeStep::AwaitAck, WakeStep::AwaitPower] {
            let mut attempt = Attempt::new(0);
            assert!(matches!(attempt.look(0, step), Patience::Wait(_)));
            assert_eq!(attempt.look(ACK, step), Patience::Over);
        }
    }

    /// The ack of the un-vote before is given up, once, and the attempt goes on.
    #[test]
    fn a_lost_ack_does_not_end_it() {
        let mut attempt = Attempt::new(0);
        assert!(matches!(
            attempt.look(0, WakeStep::AwaitPreviousAck),
            Patience::Wait(_)
        ));
        assert_eq!(
            attempt.look(ACK, WakeStep::AwaitPreviousAck),
            Patience::AckLost
        );
        assert!(matches!(
            attempt.look(ACK, WakeStep::Vote),
            Patience::Wait(_)
        ));
    }

    /// A modem that does each step in time, and undoes it, comes to an end as well.
    #[test]
    fn steps_without_end_come_to_one() {
        let steps = [
            WakeStep::AwaitPreviousAck,
            WakeStep::Vote,
            WakeStep::AwaitAck,
            WakeStep::AwaitPower,
        ];
        let mut attempt = Attempt::new(0);
        let mut now = 0;
        for step in steps.into_iter().cycle() {
            match attempt.look(now, step) {
                Patience::Wait(ms) => now += u64::from(ms.min(100)),
                Patience::AckLost => panic!("no step takes long"),
                Patience::Over => break,
            }
        }
        assert_eq!(now, 2 * ACK + u64::from(POWER_TIMEOUT_MS));
    }
}
