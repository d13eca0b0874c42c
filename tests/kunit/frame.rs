// SPDX-License-Identifier: GPL-2.0

//! Tests of `src/protocol/frame.rs`, run on the host and by `KUnit`.

#[cfg_attr(
    CONFIG_BAM_DMUX_KUNIT_TEST,
    kernel::prelude::kunit_tests(bam_dmux_frame)
)]
mod cases {
    use super::super::super::vectors::VECTORS;
    use super::super::*;

    /// Every header of the table is read as the table says, good ones and bad ones.
    #[test]
    fn parse_follows_the_vectors() {
        for vector in VECTORS {
            assert_eq!(Header::parse(&vector.bytes), vector.expected());
        }
    }

    /// Every good header of the table is written with exactly its bytes.
    #[test]
    fn encode_follows_the_vectors() {
        let mut written = 0;
        for vector in VECTORS {
            if let Ok(header) = vector.expected() {
                assert_eq!(header.encode(), vector.bytes);
                written += 1;
            }
        }
        assert!(written > 0);
    }

    /// What Linux sends, as bytes: data with its padding, OPEN and CLOSE with signal 0.
    #[test]
    fn linux_frames_have_these_bytes() {
        for channel in Channel::all() {
            let number = channel.number();
            let data = [0xfc, 0x33, 0, 0, 2, number, 0xde, 0x05];
            assert_eq!(Header::data(channel, 1502).encode(), data);
            let open = [0xfc, 0x33, 0, 1, 0, number, 0, 0];
            assert_eq!(Header::open(channel).encode(), open);
            let close = [0xfc, 0x33, 0, 2, 0, number, 0, 0];
            assert_eq!(Header::close(channel).encode(), close);
        }
    }

    /// A frame of any length is a multiple of four and fits into the modem's buffer.
    #[test]
    fn no_frame_is_longer_than_a_buffer() {
        for len in 1..=MAX_PAYLOAD {
            let total = HEADER_LEN + len + padding(len);
            assert!(total <= BUFFER_LEN);
            assert_eq!(total % 4, 0);
            assert!(padding(len) <= 3);
        }
    }

    /// Lengths that cannot be sent get no padding either.
    #[test]
    fn padding_of_nonsense_is_nothing() {
        assert_eq!(padding(MAX_PAYLOAD + 1), 0);
        assert_eq!(padding(usize::MAX), 0);
    }

    /// There are eight channels, in order, and no ninth.
    #[test]
    fn channels_are_bounded() {
        assert!(Channel::all().map(Channel::index).eq(0..CHANNELS));
        assert!(Channel::new(8).is_none());
        assert!(Channel::new(u8::MAX).is_none());
    }

    /// The first byte of a payload decides which protocol the stack is told.
    #[test]
    fn payload_protocols() {
        assert_eq!(payload_protocol(0x45).ethertype(), 0x0800);
        assert_eq!(payload_protocol(0x60).ethertype(), 0x86dd);
        assert_eq!(payload_protocol(0x00).ethertype(), 0x00f9);
        assert_eq!(payload_protocol(0x80), Protocol::Map);
    }
}
