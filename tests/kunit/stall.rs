// SPDX-License-Identifier: GPL-2.0

//! Tests of `src/protocol/stall.rs`, run on the host and by `KUnit`.

#[cfg_attr(
    CONFIG_BAM_DMUX_KUNIT_TEST,
    kernel::prelude::kunit_tests(bam_dmux_stall)
)]
mod cases {
    use super::super::*;

    /// Frames that do not move are stalled at the bound, and not before.
    #[test]
    fn stands_still_until_the_bound() {
        let mut stall = Stall::new();
        assert!(!stall.look(500, true, 7));
        assert!(!stall.look(500 + STALL_MS - 1, true, 7));
        assert!(stall.look(500 + STALL_MS, true, 7));
    }

    /// One frame done in the meantime starts the time anew, however slow the link is.
    #[test]
    fn any_progress_counts() {
        let mut stall = Stall::new();
        for done in 0..20 {
            assert!(!stall.look(done * (STALL_MS - 1), true, done));
        }
    }

    /// An idle link is never stalled, and its idle time is not held against the next frame.
    #[test]
    fn idle_time_does_not_count() {
        let mut stall = Stall::new();
        assert!(!stall.look(0, true, 3));
        assert!(!stall.look(STALL_MS / 2, false, 3));
        assert!(!stall.look(STALL_MS, true, 3));
        assert!(!stall.look(STALL_MS + STALL_MS / 2, true, 3));
        assert!(stall.look(2 * STALL_MS, true, 3));
    }

    /// After a verdict the modem gets the whole time again; a clock that jumps back is no verdict.
    #[test]
    fn a_verdict_starts_anew() {
        let mut stall = Stall::new();
        stall.look(0, true, 0);
        assert!(stall.look(STALL_MS, true, 0));
        assert!(!stall.look(STALL_MS, true, 0));
        assert!(!stall.look(0, true, 0));
        assert!(stall.look(2 * STALL_MS, true, 0));
    }
}
