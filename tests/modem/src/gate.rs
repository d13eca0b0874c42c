// SPDX-License-Identifier: GPL-2.0
//! The gate: with it on, packets pass a channel only while there is a call
//! of their family, as in a network that knows nobody without one.

use std::net::{
    IpAddr,
    Ipv4Addr,
    Ipv6Addr, //
};

use serde::Serialize;

use crate::dmux::channels::COUNT;

/// What becomes of a packet of Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass,
    /// There is no call of its family on the channel, or it has none.
    NoCall,
    /// It comes from another address than the call's.
    WrongSource,
    /// It is for the link only: multicast, broadcast, or link-local.
    LinkLocal,
}

/// Linux' addresses on a channel, those of the calls that are up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// The IPv4 call's.
    pub v4: Option<Ipv4Addr>,
    /// The IPv6 call's.
    pub v6: Option<Ipv6Addr>,
}

/// The gate. It knows the calls whether or not it is on.
#[derive(Debug, Default)]
pub struct Gate {
    /// Whether it stops anything.
    pub on: bool,
    calls: [Calls; COUNT as usize],
}

/// A packet's ends.
fn ends(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    match packet.first()? >> 4 {
        4 => {
            let source: [u8; 4] = *packet.get(12..)?.first_chunk()?;
            let destination: [u8; 4] = *packet.get(16..)?.first_chunk()?;
            Some((source.into(), destination.into()))
        }
        6 => {
            let source: [u8; 16] = *packet.get(8..)?.first_chunk()?;
            let destination: [u8; 16] = *packet.get(24..)?.first_chunk()?;
            Some((source.into(), destination.into()))
        }
        _ => None,
    }
}

/// Whether a packet is no business of a network.
fn is_link_local(source: IpAddr, destination: IpAddr) -> bool {
    let local = |address| match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let broadcast = destination == IpAddr::V4(Ipv4Addr::BROADCAST);
    destination.is_multicast() || broadcast || local(source) || local(destination)
}

impl Gate {
    /// A gate without calls.
    #[must_use]
    pub fn new(on: bool) -> Self {
        Self {
            on,
            ..Self::default()
        }
    }

    /// A call has come up, with this address of Linux.
    pub fn call_up(&mut self, channel: u8, address: IpAddr) {
        if let Some(calls) = self.calls.get_mut(usize::from(channel)) {
            match address {
                IpAddr::V4(v4) => calls.v4 = Some(v4),
                IpAddr::V6(v6) => calls.v6 = Some(v6),
            }
        }
    }

    /// A call has gone down.
    pub fn call_down(&mut self, channel: u8, v6: bool) {
        if let Some(calls) = self.calls.get_mut(usize::from(channel)) {
            if v6 {
                calls.v6 = None;
            } else {
                calls.v4 = None;
            }
        }
    }

    /// Linux' addresses on a channel.
    #[must_use]
    pub fn calls(&self, channel: u8) -> Calls {
        let calls = self.calls.get(usize::from(channel)).copied();
        calls.unwrap_or_default()
    }

    fn address(&self, channel: u8, like: IpAddr) -> Option<IpAddr> {
        let calls = self.calls(channel);
        match like {
            IpAddr::V4(_) => calls.v4.map(IpAddr::V4),
            IpAddr::V6(_) => calls.v6.map(IpAddr::V6),
        }
    }

    /// Judges a packet of Linux.
    #[must_use]
    pub fn uplink(&self, channel: u8, packet: &[u8]) -> Verdict {
        if !self.on {
            return Verdict::Pass;
        }
        let Some((source, destination)) = ends(packet) else {
            return Verdict::NoCall;
        };
        if is_link_local(source, destination) {
            return Verdict::LinkLocal;
        }
        match self.address(channel, source) {
            None => Verdict::NoCall,
            Some(address) if address == source => Verdict::Pass,
            Some(_) => Verdict::WrongSource,
        }
    }

    /// Whether a packet from the network passes.
    #[must_use]
    pub fn downlink(&self, channel: u8, packet: &[u8]) -> bool {
        let call = |(_, destination)| self.address(channel, destination);
        !self.on || ends(packet).and_then(call).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(source: &str, destination: &str) -> Vec<u8> {
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                [&[0x45; 12][..], &source.octets(), &destination.octets()].concat()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                [&[0x60; 8][..], &source.octets(), &destination.octets()].concat()
            }
            _ => unreachable!("one family"),
        }
    }

    fn gated() -> Gate {
        let mut gate = Gate::new(true);
        gate.call_up(1, "10.64.1.17".parse().unwrap());
        gate.call_up(2, "fd64:2::1001".parse().unwrap());
        gate
    }

    /// Off, it lets everything pass, even what is no packet.
    #[test]
    fn off() {
        let gate = Gate::default();
        assert_eq!(gate.uplink(0, b""), Verdict::Pass);
        assert!(gate.downlink(200, b"\x45"));
    }

    /// Packets of Linux pass with a call of their family on their channel,
    /// from its address.
    #[test]
    fn uplink() {
        let gate = gated();
        let cases = [
            (1, "10.64.1.17", "10.64.1.1", Verdict::Pass),
            (1, "10.64.1.2", "10.64.1.1", Verdict::WrongSource),
            (0, "10.64.1.17", "10.64.1.1", Verdict::NoCall),
            (2, "10.64.1.17", "10.64.1.1", Verdict::NoCall),
            (2, "fd64:2::1001", "fd64:2::1", Verdict::Pass),
            (2, "fd64:2::2", "fd64:2::1", Verdict::WrongSource),
            (1, "fd64:2::1001", "fd64:2::1", Verdict::NoCall),
            (2, "fe80::1", "ff02::2", Verdict::LinkLocal),
            (2, "fe80::1", "fd64:2::1", Verdict::LinkLocal),
            (2, "::", "ff02::16", Verdict::LinkLocal),
            (1, "10.64.1.17", "224.0.0.251", Verdict::LinkLocal),
            (1, "10.64.1.17", "255.255.255.255", Verdict::LinkLocal),
        ];
        for (channel, source, destination, verdict) in cases {
            let packet = packet(source, destination);
            let found = gate.uplink(channel, &packet);
            assert_eq!(found, verdict, "{source} -> {destination} on {channel}");
        }
        assert_eq!(gate.uplink(1, &[0x45; 15]), Verdict::NoCall);
        assert_eq!(gate.uplink(1, &[0x10; 40]), Verdict::NoCall);
    }

    /// Packets of the network pass with a call of their family; a call that
    /// is down lets none pass, and the other one goes on.
    #[test]
    fn downlink() {
        let mut gate = gated();
        gate.call_up(1, "fd64:1::1001".parse().unwrap());
        let v4 = packet("10.64.1.1", "10.64.1.99");
        let v6 = packet("fd64:1::1", "fd64:1::1001");
        assert!(gate.downlink(1, &v4) && gate.downlink(1, &v6));
        assert!(!gate.downlink(2, &v4) && gate.downlink(2, &v6));
        gate.call_down(1, false);
        assert!(!gate.downlink(1, &v4) && gate.downlink(1, &v6));
        gate.call_down(1, true);
        assert!(!gate.downlink(1, &v6));
        assert_eq!(gate.calls(1), Calls::default());
    }

    proptest! {
        /// No packet and no channel panics.
        #[test]
        fn any_packet(channel: u8, packet in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut gate = gated();
            let _ = (gate.uplink(channel, &packet), gate.downlink(channel, &packet));
            gate.call_down(channel, channel % 2 == 0);
        }
    }
}
