// SPDX-License-Identifier: GPL-2.0
//! Frames that wait for the host.

use std::collections::VecDeque;

/// Most frames that wait.
const MOST: usize = 256;

/// Frames that wait for the host, oldest first. When there are too many,
/// indications go before responses, and old before new.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: VecDeque<(Kind, Vec<u8>)>,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Somebody waits for it.
    Response,
    /// Nobody does.
    Indication,
}

impl Outbox {
    /// Adds a frame; `true` if another had to go.
    pub(crate) fn push(&mut self, kind: Kind, frame: Vec<u8>) -> bool {
        let full = self.frames.len() >= MOST;
        if full {
            let at = self
                .frames
                .iter()
                .position(|(kind, _)| *kind == Kind::Indication)
                .unwrap_or(0);
            self.frames.remove(at);
        }
        self.frames.push_back((kind, frame));
        full
    }

    /// The oldest frame.
    pub(crate) fn pop(&mut self) -> Option<Vec<u8>> {
        self.frames.pop_front().map(|(_, frame)| frame)
    }

    /// Forgets all frames.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A full outbox loses its oldest indication, then its oldest response.
    #[test]
    fn full() {
        let mut outbox = Outbox::default();
        assert!(!outbox.push(Kind::Response, vec![1]));
        assert!(!outbox.push(Kind::Indication, vec![2]));
        for _ in 2..MOST {
            assert!(!outbox.push(Kind::Response, vec![3]));
        }
        assert!(outbox.push(Kind::Response, vec![4]));
        assert_eq!(outbox.pop(), Some(vec![1]));
        assert_eq!(outbox.pop(), Some(vec![3]));
        assert!(!outbox.push(Kind::Response, vec![5]));
        assert!(!outbox.push(Kind::Response, vec![5]));
        assert!(outbox.push(Kind::Response, vec![6]));
        assert_eq!(std::iter::from_fn(|| outbox.pop()).count(), MOST);
    }
}
