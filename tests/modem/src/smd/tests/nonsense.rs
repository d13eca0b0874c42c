// SPDX-License-Identifier: GPL-2.0
//! What a guest may write that Linux never does.

use proptest::prelude::*;

use super::*;
use crate::smem::SIZE;

/// Nonsense is counted and dropped, and the next packet is understood.
#[test]
fn nonsense_is_dropped() {
    type Nonsense = fn(&mut Rig);
    let kinds: [(&str, Nonsense); 5] = [
        ("a packet that no modem takes", |rig| {
            assert!(rig.send(&[0; 4097]));
        }),
        ("a length beyond the FIFO", |rig| {
            let bytes = [&0xffff_fff0u32.to_le_bytes()[..], &[0; 30]].concat();
            rig.linux.as_mut().unwrap().write(&rig.smem, &bytes);
        }),
        ("a header that is none", |rig| {
            rig.linux.as_mut().unwrap().write(&rig.smem, &[1; 40]);
        }),
        ("a position beyond the FIFO", |rig| {
            rig.linux.as_mut().unwrap().claim_head(&rig.smem, u32::MAX);
        }),
        ("a state that does not exist", |rig| {
            rig.linux.as_mut().unwrap().set_state(&rig.smem, 7);
        }),
    ];
    for (what, nonsense) in kinds {
        let mut rig = Rig::opened();
        rig.echo(4000);
        nonsense(&mut rig);
        rig.settle();
        assert_eq!(rig.counters.smd_bad, 1, "{what}");
        assert!(rig.taken.is_empty(), "{what}");
        if rig.smd.state() == State::Opening {
            rig.close();
            rig.open();
        }
        // Linux' own position, had it been sane.
        let (smem, tail) = (&rig.smem, rig.smd.tail);
        rig.linux.as_mut().unwrap().claim_head(smem, tail);
        rig.echo(77);
    }
}

/// A position of Linux' reading that is none costs packets, nothing else.
#[test]
fn nonsense_of_the_reader() {
    let mut rig = Rig::opened();
    rig.linux
        .as_mut()
        .unwrap()
        .claim_tail(&rig.smem, 0x8000_0001);
    rig.smd.send(vec![1; 4], &mut rig.counters);
    rig.modem();
    assert_eq!(rig.counters.smd_bad, 1);
    rig.linux
        .as_mut()
        .unwrap()
        .claim_tail(&rig.smem, rig.smd.head);
    rig.echo(5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the guest writes to the memory, the modem lives, what it
    /// takes is bounded, and a Linux that comes afterwards is served.
    #[test]
    fn any_memory(steps in prop::collection::vec((0u8..6, 0u64..12, any::<u32>(), 0u32..FIFO), 0..200)) {
        let mut rig = Rig::opened();
        let [info, fifo] = [14, 338].map(|item| u64::from(rig.smem.load(0xd0 + item * 16 + 4)));
        for (step, field, value, small) in steps {
            match step {
                0 => rig.smem.store(info + field % 10 * 4, value),
                1 => rig.smem.store(info + field % 10 * 4, small),
                2 => rig.smem.store(info, value % 4),
                3 => rig.smem.store(fifo + u64::from(small) * 2 / 4 * 4, value),
                4 => rig.smem.store((u64::from(value) % SIZE) & !3, small),
                _ => rig.smd.send(vec![0; small as usize % 5000], &mut rig.counters),
            }
            rig.modem();
            prop_assert!(rig.taken.len() <= 500);
            prop_assert!(rig.taken.drain(..).all(|packet| packet.len() <= 4096));
            prop_assert!(rig.smd.queued() <= LIMIT);
        }
        rig.smem.format();
        rig.smd = Smd::create(&rig.smem);
        rig.smd.offer(&rig.smem);
        (rig.linux, rig.counters) = (None, Counters::default());
        rig.settle();
        rig.open();
        rig.echo(100);
        prop_assert_eq!(rig.counters.smd_bad, 0);
    }
}
