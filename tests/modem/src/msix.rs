// SPDX-License-Identifier: GPL-2.0
//! Interrupts to the guest: an eventfd per MSI-X vector.

use std::fs::File;
use std::io::Write as _;

/// Number of vectors.
pub const VECTORS: u16 = 8;

/// Which interrupt; the number is the vector's, and the guest's hwirq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// The BAM, a level on a phone.
    Bam = 0,
    /// SMSM: a state word of the modem has changed.
    Smsm = 1,
    /// SMD: a state has changed, or packets have come or gone.
    Smd = 2,
    /// The modem's processor has crashed.
    Mss = 3,
}

/// The vectors that the VMM has connected.
#[derive(Debug, Default)]
pub struct Msix {
    vectors: [Option<File>; VECTORS as usize],
}

impl Msix {
    /// Connects a vector to an eventfd, or disconnects it. False if there is
    /// no such vector.
    pub fn connect(&mut self, vector: u32, eventfd: Option<File>) -> bool {
        let slot = usize::try_from(vector)
            .ok()
            .and_then(|v| self.vectors.get_mut(v));
        slot.map(|slot| *slot = eventfd).is_some()
    }

    /// Whether a vector has an eventfd.
    #[cfg(test)]
    pub(crate) fn is_connected(&self, vector: u32) -> bool {
        let slot = usize::try_from(vector)
            .ok()
            .and_then(|v| self.vectors.get(v));
        slot.is_some_and(Option::is_some)
    }

    /// Disconnects all vectors.
    pub fn disconnect_all(&mut self) {
        *self = Self::default();
    }

    /// Sends an interrupt; without connection it is lost, as on a PCI bus.
    pub fn fire(&self, vector: u32) {
        let eventfd = usize::try_from(vector)
            .ok()
            .and_then(|v| self.vectors.get(v)?.as_ref());
        if let Some(mut eventfd) = eventfd {
            // Fails only if the counter is full: then one is pending anyway.
            let _ = eventfd.write_all(&1u64.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// An interrupt arrives at its own vector's eventfd and no other.
    #[test]
    fn fires_the_right_eventfd() {
        let event = || {
            File::from(std::os::fd::OwnedFd::from(
                nix::sys::eventfd::EventFd::new().unwrap(),
            ))
        };
        let mut fds = [event(), event()];
        let mut msix = Msix::default();
        assert!(msix.connect(0, Some(fds[0].try_clone().unwrap())));
        assert!(msix.connect(1, Some(fds[1].try_clone().unwrap())));
        assert!(!msix.connect(8, None));
        msix.fire(1);
        msix.fire(1);
        msix.fire(7);
        msix.fire(1000);
        fds[0].write_all(&5u64.to_ne_bytes()).unwrap();
        let mut count = [0; 8];
        fds[1].read_exact(&mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 2);
        fds[0].read_exact(&mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 5);
    }
}
