// SPDX-License-Identifier: GPL-2.0
//! Whatever the host sends: no panic, and one response to each request.

use super::*;
use proptest::prelude::*;

/// Message ids that some service knows, and some that none does.
fn message() -> impl Strategy<Value = u16> {
    prop_oneof![
        0_u16..0x60,
        prop::sample::select(vec![0x6c, 0x89, 0xa2]),
        any::<u16>()
    ]
}

fn service() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => prop::sample::select(vec![CTL, WDS, DMS, NAS, WDA]),
        1 => any::<u8>(),
    ]
}

/// TLVs: well-formed, and often of a size that means something.
fn tlvs() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        prop::collection::vec(0_u8..10, 0..9),
        prop::collection::vec(any::<u8>(), 0..300),
    ];
    let kind = prop_oneof![0_u8..0x1f, any::<u8>()];
    prop::collection::vec((kind, value), 0..5).prop_map(|all| {
        all.into_iter()
            .fold(Writer::new(), |writer, (kind, value)| {
                writer.put(kind, &value)
            })
            .bytes()
            .to_vec()
    })
}

/// A modem with clients 1 and 2 of each service, and a call of the first.
fn busy() -> Bench {
    let mut bench = Bench::new();
    for service in [WDS, DMS, NAS, WDA] {
        bench.client(service);
        bench.client(service);
    }
    let start = Writer::new().text(0x14, "internet");
    assert_eq!(bench.error((WDS, 1), 0x20, &start), 0);
    bench
}

proptest! {
    /// No bytes panic.
    #[test]
    fn bytes(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..8)) {
        let mut bench = busy();
        for frame in frames {
            bench.modem.receive(&frame, &bench.network);
        }
        bench.listen();
    }

    /// A request with bytes changed or cut off does not panic either, and what
    /// is said about it is well-formed.
    #[test]
    fn mutated(
        service in service(),
        message in message(),
        tlvs in tlvs(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bench = busy();
        let mut bytes = frame((service, u8::from(service != CTL)), 7, message, &tlvs);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bench.modem.receive(&bytes, &bench.network);
        let heard = bench.listen();
        let responses = heard.iter().filter(|it| it.transaction != 0).count();
        prop_assert!(responses <= 1, "{:?}", heard);
    }

    /// Each well-formed request gets exactly one response, which is its own
    /// and has a result.
    #[test]
    fn one_response_each(
        requests in prop::collection::vec(
            (service(), 0_u8..4, any::<u8>(), message(), tlvs()), 1..12)
    ) {
        let mut bench = busy();
        for (service, client, transaction, message, tlvs) in requests {
            let client = if service == CTL { 0 } else { client };
            let sent = frame((service, client), transaction, message, &tlvs);
            let before = bench.modem.counters();
            bench.modem.receive(&sent, &bench.network);
            let mut heard = bench.listen();
            let response = heard.remove(0);
            prop_assert_eq!((response.service, response.client), (service, client));
            prop_assert_eq!(response.flags, if service == CTL { 1 } else { 2 });
            prop_assert_eq!(response.transaction, u16::from(transaction));
            prop_assert_eq!(response.message, message);
            response.error();
            prop_assert!(heard.iter().all(|it| it.flags == 4 && it.transaction == 0));
            let after = bench.modem.counters();
            prop_assert_eq!(after.requests, before.requests + 1);
            prop_assert_eq!(after.responses, before.responses + 1);
            prop_assert_eq!(after.indications, before.indications + heard.len() as u64);
            prop_assert_eq!(after.malformed, 0);
        }
        // Two channels of two families each.
        prop_assert!(bench.modem.status().calls.len() <= 4);
    }
}
