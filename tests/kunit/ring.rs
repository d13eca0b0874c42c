// SPDX-License-Identifier: GPL-2.0

//! Tests of `src/protocol/ring.rs`, run on the host and by `KUnit`.

#[cfg_attr(
    CONFIG_BAM_DMUX_KUNIT_TEST,
    kernel::prelude::kunit_tests(bam_dmux_ring)
)]
mod cases {
    use super::super::*;

    /// Eight places, two of them kept, producers woken when four are free.
    fn ring() -> Occupancy {
        Occupancy::new(8, 2, 4)
    }

    fn fill(ring: &mut Occupancy, count: usize) {
        for _ in 0..count {
            assert!(ring.push());
        }
    }

    /// Producers stop while the reserve is still free, and the reserve can be used.
    #[test]
    fn stops_before_it_is_full() {
        let mut ring = ring();
        fill(&mut ring, 5);
        assert!(!ring.should_stop());
        fill(&mut ring, 1);
        assert!(ring.should_stop());
        assert_eq!(ring.room(), 2);
        fill(&mut ring, 2);
        assert_eq!(ring.len(), 8);
    }

    /// A full ring takes nothing more, an empty one gives nothing.
    #[test]
    fn refuses_beyond_its_bounds() {
        let mut ring = ring();
        fill(&mut ring, 8);
        assert!(!ring.push());
        assert_eq!(ring.len(), 8);
        for _ in 0..8 {
            assert!(ring.pop());
        }
        assert!(!ring.pop());
        assert_eq!(ring.len(), 0);
        assert_eq!(ring.room(), 8);
    }

    /// Producers are woken once for each time they were stopped, and only with enough room.
    #[test]
    fn wakes_once_with_room() {
        let mut ring = ring();
        assert!(!ring.should_wake());
        assert!(!ring.is_stopped());
        fill(&mut ring, 6);
        // One producer after the other finds it full.
        assert!(ring.should_stop());
        assert!(ring.should_stop());
        assert!(ring.is_stopped());
        assert!(ring.pop());
        assert!(!ring.should_wake());
        assert!(ring.pop());
        assert!(ring.should_wake());
        assert!(!ring.is_stopped());
        assert!(!ring.should_wake());
    }

    /// With thresholds that contradict each other a stopped ring still wakes when it is empty.
    #[test]
    fn odd_thresholds_do_not_wedge() {
        for (reserve, wake_room) in [(0, 0), (2, 1), (2, 100), (8, 8)] {
            let mut ring = Occupancy::new(8, reserve, wake_room);
            fill(&mut ring, 8);
            assert!(ring.should_stop());
            while ring.pop() {}
            assert!(ring.should_wake());
        }
    }
}
