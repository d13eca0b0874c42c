// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of `src/kabi/skb.rs`.

use kernel::prelude::*;

#[kunit_tests(bam_dmux_skb)]
mod cases {
    use core::ptr::NonNull;

    use kernel::error::to_result;

    use super::super::*;

    const CAPACITY: usize = 2048;

    /// A buffer with `bytes` as data and no room to spare on purpose.
    fn filled(bytes: &[u8]) -> Result<SkBuff> {
        let mut skb = SkBuff::alloc(0, bytes.len(), GFP_KERNEL)?;
        skb.push(bytes)?;
        Ok(skb)
    }

    /// A second buffer that uses the same data.
    fn clone(skb: &SkBuff) -> Result<SkBuff> {
        // SAFETY: The buffer is valid.
        let clone = unsafe { bindings::skb_clone(skb.as_raw(), bindings::GFP_KERNEL) };
        let clone = NonNull::new(clone).ok_or(ENOMEM)?;
        // SAFETY: A clone is a buffer of its own, with one user.
        Ok(unsafe { SkBuff::from_raw(clone) })
    }

    /// A buffer of `2 * half.len()` bytes, of which the second half is in a fragment.
    fn fragmented(half: &[u8]) -> Result<SkBuff> {
        let mut error = 0;
        // SAFETY: FFI call; `error` is valid for the call.
        let skb =
            unsafe { bindings::alloc_skb_with_frags(half.len(), half.len(), 0, &mut error, GFP) };
        let raw = NonNull::new(skb).ok_or(ENOMEM)?;
        // SAFETY: New, with one user.
        let skb = unsafe { SkBuff::from_raw(raw) };
        // SAFETY: The buffer has that much tailroom.
        unsafe { bindings::skb_put(raw.as_ptr(), half.len() as c_uint) };
        // SAFETY: The buffer is ours; its fragment has that many bytes.
        unsafe {
            (*raw.as_ptr()).len += half.len() as c_uint;
            (*raw.as_ptr()).data_len += half.len() as c_uint;
        }
        for offset in [0, half.len()] {
            let from = half.as_ptr().cast();
            // SAFETY: The buffer has twice the bytes of `half`.
            to_result(unsafe {
                bindings::skb_store_bits(skb.as_raw(), offset as c_int, from, half.len() as c_int)
            })?;
        }
        Ok(skb)
    }

    const GFP: bindings::gfp_t = bindings::GFP_KERNEL;

    /// Memory that was used before does not show in a new receive buffer.
    #[test]
    fn receive_buffer_is_zeroed() -> Result {
        for _ in 0..16 {
            let mut skb = SkBuff::alloc_rx(CAPACITY, GFP_KERNEL)?;
            skb.received(CAPACITY)?;
            assert!(skb.linear().len() == CAPACITY);
            assert!(skb.linear().iter().all(|&byte| byte == 0));
            // SAFETY: The buffer has that many bytes, and is ours.
            unsafe { skb.data().write_bytes(0xa5, CAPACITY) };
            skb.consume();
        }
        Ok(())
    }

    /// Not one byte more than the device can have written is taken as received.
    #[test]
    fn received_is_bounded_by_the_capacity() -> Result {
        let mut skb = SkBuff::alloc_rx(CAPACITY, GFP_KERNEL)?;

        assert!(skb.received(CAPACITY + 1) == Err(EMSGSIZE));
        assert!(skb.is_empty());
        skb.received(100)?;
        assert!(skb.len() == 100);
        assert!(skb.received(1) == Err(EMSGSIZE));
        assert!(skb.len() == 100);
        Ok(())
    }

    /// A buffer that was not made for receiving has no area to receive into.
    #[test]
    fn plain_buffer_receives_nothing() -> Result {
        let mut skb = SkBuff::alloc(CAPACITY, 0, GFP_KERNEL)?;

        assert!(skb.tailroom() >= CAPACITY);
        assert!(skb.received(1) == Err(EMSGSIZE));
        assert!(skb.rx_area().1 == 0);
        Ok(())
    }

    /// A copy is a buffer of its own, much smaller than one that a device can write to.
    #[test]
    fn copy_is_small() -> Result {
        let mut large = SkBuff::alloc_rx(CAPACITY, GFP_KERNEL)?;
        large.received(CAPACITY)?;
        large.trim(40);
        let small = SkBuff::copy_of(large.linear(), GFP_KERNEL)?;

        assert!(small.linear() == large.linear());
        assert!(small.data() != large.data());
        // SAFETY: Both buffers are valid.
        let (cost, before) = unsafe { ((*small.as_raw()).truesize, (*large.as_raw()).truesize) };
        assert!(cost <= 1024 && 2 * cost <= before);
        assert!(SkBuff::copy_of(&[], GFP_KERNEL)?.is_empty());
        Ok(())
    }

    /// A used receive buffer is as good as new after a reset: place, size and content.
    #[test]
    fn reset_makes_a_receive_buffer_new() -> Result {
        let mut skb = SkBuff::alloc_rx(CAPACITY, GFP_KERNEL)?;
        let area = skb.rx_area();

        skb.received(CAPACITY)?;
        // SAFETY: The buffer has that many bytes, and is ours.
        unsafe { skb.data().write_bytes(0xa5, CAPACITY) };
        skb.pull(8)?;
        skb.trim(0);
        assert!(skb.rx_area().1 == 0);

        skb.reset_rx();
        assert!(skb.is_empty());
        assert!(skb.rx_area() == area);
        skb.received(CAPACITY)?;
        assert!(skb.linear().iter().all(|&byte| byte == 0));
        Ok(())
    }

    /// Header in front, payload, zeroes behind: what a driver does to a packet.
    #[test]
    fn header_and_padding_frame_the_data() -> Result {
        let mut skb = filled(b"payload")?;

        skb.make_room(4, 3)?;
        skb.put_zeroed(3)?;
        skb.push(b"head")?;
        assert!(skb.linear() == b"headpayload\0\0\0");
        assert!(skb.is_linear());
        skb.pull(4)?;
        skb.trim(7);
        assert!(skb.linear() == b"payload");
        Ok(())
    }

    /// More room than the buffer was allocated with: the data moves unchanged.
    #[test]
    fn make_room_keeps_the_data() -> Result {
        let mut skb = filled(b"payload")?;
        let (head, tail) = (skb.headroom() + 500, skb.tailroom() + 500);

        skb.make_room(head, tail)?;
        assert!(skb.headroom() >= head);
        assert!(skb.tailroom() >= tail);
        assert!(skb.linear() == b"payload");
        Ok(())
    }

    /// Data in several pieces becomes one piece, in order.
    #[test]
    fn make_room_makes_linear() -> Result {
        let mut skb = fragmented(b"0123456789")?;

        assert!(!skb.is_linear());
        assert!(skb.linear() == b"0123456789");
        assert!(skb.put_zeroed(1) == Err(ENOBUFS));
        assert!(skb.pull(11) == Err(EMSGSIZE));
        skb.make_room(8, 3)?;
        assert!(skb.is_linear());
        assert!(skb.linear() == b"01234567890123456789");
        assert!(skb.headroom() >= 8);
        assert!(skb.tailroom() >= 3);
        Ok(())
    }

    /// What another buffer uses as well is not written to, before and after making room.
    #[test]
    fn writing_leaves_a_clone_alone() -> Result {
        let mut skb = filled(b"payload")?;
        skb.make_room(8, 8)?;
        let other = clone(&skb)?;

        assert!(skb.push(b"head") == Err(ENOBUFS));
        assert!(skb.put_zeroed(1) == Err(ENOBUFS));
        skb.make_room(4, 1)?;
        skb.push(b"head")?;
        skb.put_zeroed(1)?;
        assert!(skb.data() != other.data());
        assert!(skb.linear() == b"headpayload\0");
        assert!(other.linear() == b"payload");
        Ok(())
    }

    /// Requests that do not fit fail and change nothing.
    #[test]
    fn what_does_not_fit_is_refused() -> Result {
        let mut skb = filled(b"payload")?;
        let room = skb.headroom();
        let bytes = KVec::from_elem(1u8, room + 1, GFP_KERNEL)?;

        assert!(skb.push(&bytes) == Err(ENOBUFS));
        assert!(skb.put_zeroed(skb.tailroom() + 1) == Err(ENOBUFS));
        assert!(skb.pull(8) == Err(EMSGSIZE));
        assert!(skb.make_room(usize::MAX, 0) == Err(EMSGSIZE));
        assert!(skb.make_room(0, usize::MAX) == Err(EMSGSIZE));
        skb.trim(100);
        assert!(skb.linear() == b"payload");
        assert!(SkBuff::alloc(usize::MAX, 0, GFP_KERNEL).err() == Some(EMSGSIZE));
        assert!(SkBuff::alloc_rx(usize::MAX, GFP_KERNEL).err() == Some(EMSGSIZE));
        Ok(())
    }

    /// A buffer that got another head is not mistaken for a receive buffer.
    #[test]
    fn moved_buffer_receives_nothing() -> Result {
        let mut skb = SkBuff::alloc_rx(CAPACITY, GFP_KERNEL)?;

        skb.make_room(skb.headroom() + 1, 0)?;
        assert!(skb.rx_area().1 == 0);
        skb.reset_rx();
        assert!(skb.received(1) == Err(EMSGSIZE));
        Ok(())
    }

    /// The protocol is in host byte order on this side.
    #[test]
    fn protocol_is_in_host_order() -> Result {
        let mut skb = filled(b"payload")?;

        skb.set_protocol(0x86dd);
        assert!(skb.protocol() == 0x86dd);
        // The field's path in Rust depends on the configuration.
        let offset = bindings::c_layout(c"sk_buff.protocol").ok_or(ENOENT)?;
        // SAFETY: That is where the buffer's protocol is, a `__be16`.
        let raw = unsafe { skb.as_raw().byte_add(offset).cast::<u16>().read() };
        assert!(raw == 0x86ddu16.to_be());
        Ok(())
    }

    /// Each way out gives the memory back: the clone becomes the only user.
    #[test]
    fn every_way_out_frees_the_buffer() -> Result {
        let ways: [fn(SkBuff); 4] = [
            SkBuff::consume,
            |skb| skb.drop_reason(DropReason::QueuePurge),
            |skb| skb.drop_reason(DropReason::PktTooBig),
            drop,
        ];
        for way in ways {
            let skb = filled(b"payload")?;
            let other = clone(&skb)?;
            assert!(!other.is_private());
            way(skb);
            assert!(other.is_private());
            assert!(other.linear() == b"payload");
        }
        Ok(())
    }
}
