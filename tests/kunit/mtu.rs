// SPDX-License-Identifier: GPL-2.0

//! Tests of `src/protocol/mtu.rs`, run on the host and by `KUnit`.

#[cfg_attr(CONFIG_BAM_DMUX_KUNIT_TEST, kernel::prelude::kunit_tests(bam_dmux_mtu))]
mod cases {
    use super::super::*;

    /// All four sizes are read, and only when the modem negotiates at all.
    #[test]
    fn offers() {
        assert_eq!(Offer::decode(0x02).uplink_buffer, 2048);
        assert_eq!(Offer::decode(0x42).uplink_buffer, 4096);
        assert_eq!(Offer::decode(0x82).uplink_buffer, 8192);
        assert_eq!(Offer::decode(0xc2).uplink_buffer, 16384);
        assert_eq!(Offer::decode(0xc0).uplink_buffer, 2048);
        assert!(Offer::decode(0x01).disconnect_ack);
        assert!(!Offer::decode(0xfe).disconnect_ack);
    }
}
