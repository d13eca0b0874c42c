// SPDX-License-Identifier: GPL-2.0
//! The clients of a service.

use std::collections::BTreeMap;

use crate::wire::error::QmiError;

/// Most clients that a service has at a time.
pub(crate) const MOST: usize = 64;

/// The last number that is given to a client; 0xff is all of them.
const LAST: u8 = 0xfe;

/// The clients of a service, each with its state.
#[derive(Debug)]
pub(crate) struct Clients<T> {
    table: BTreeMap<u8, T>,
    next: u8,
}

impl<T: Default> Clients<T> {
    /// No client yet.
    pub(crate) fn new() -> Self {
        Self {
            table: BTreeMap::new(),
            next: 1,
        }
    }

    /// A number for a new client: not one that has just been released, so
    /// that a client that outlives its release is noticed. `None` if there are
    /// too many.
    pub(crate) fn allocate(&mut self) -> Option<u8> {
        if self.table.len() >= MOST {
            return None;
        }
        while self.table.contains_key(&self.next) {
            self.step();
        }
        let id = self.next;
        self.table.insert(id, T::default());
        self.step();
        Some(id)
    }

    fn step(&mut self) {
        self.next = if self.next == LAST { 1 } else { self.next + 1 };
    }

    /// Forgets a client. `false` if there is none of this number.
    pub(crate) fn release(&mut self, id: u8) -> bool {
        self.table.remove(&id).is_some()
    }

    /// A client's state.
    pub(crate) fn get_mut(&mut self, id: u8) -> Option<&mut T> {
        self.table.get_mut(&id)
    }

    /// The state of the client that a request came from.
    pub(crate) fn state(&mut self, id: u8) -> Result<&mut T, QmiError> {
        self.get_mut(id).ok_or(QmiError::InvalidClientId)
    }

    /// The numbers of all clients.
    pub(crate) fn numbers(&self) -> Vec<u8> {
        self.table.keys().copied().collect()
    }

    /// All clients, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, &T)> {
        self.table.iter().map(|(&id, state)| (id, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers are not used again at once, and 0 and 255 never.
    #[test]
    fn numbers() {
        let mut clients = Clients::<()>::new();
        assert_eq!(clients.allocate(), Some(1));
        assert!(clients.release(1) && !clients.release(1));
        assert_eq!(clients.allocate(), Some(2));
        for _ in 0..600 {
            let id = clients.allocate().unwrap();
            assert!((1..=LAST).contains(&id) && id != 2);
            assert!(clients.release(id));
        }
        assert_eq!(clients.iter().count(), 1);
    }

    /// There is a bound.
    #[test]
    fn bound() {
        let mut clients = Clients::<()>::new();
        assert!((0..MOST).all(|_| clients.allocate().is_some()));
        assert_eq!(clients.allocate(), None);
        assert!(clients.release(7));
        assert!(clients.allocate().is_some());
    }
}
