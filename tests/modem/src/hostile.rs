// SPDX-License-Identifier: GPL-2.0
//! What a modem does that means harm: made from a seed, so that it can be
//! done again.
//!
//! What is decided here knows of no registers, lines or memory: it says *what*
//! happens, as plain data, and [`crate::modem`] does it. Each item is made from
//! a seed and a serial number alone, never from what Linux did before or from
//! the time, so that a run can be repeated, and begun at any of its items.
//!
//! - [`frames`]: frames towards Linux, and what is done to them and to the
//!   BAM's interrupt afterwards
//! - [`lines`]: sequences on the lines of the power handshake

pub mod frames;
pub mod lines;

use rand::rngs::ChaCha8Rng;
use rand::{
    RngExt as _,
    SeedableRng as _, //
};

/// What random numbers are used for. Each purpose has numbers of its own, so
/// that more of one thing does not change the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Purpose {
    /// The profile of a run of frames.
    FrameProfile = 1,
    /// A frame.
    Frame = 2,
    /// What payloads are made of.
    Payload = 3,
    /// A sequence on the lines of the handshake.
    Lines = 4,
    /// Times and chances of the power handshake.
    Power = 5,
}

/// Random numbers that a seed, a purpose and a serial number decide. They are
/// the same on every machine.
#[derive(Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The numbers for one item of a run.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, serial: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..10].copy_from_slice(&(purpose as u16).to_le_bytes());
        let mut numbers = ChaCha8Rng::from_seed(key);
        numbers.set_stream(serial);
        Self(numbers)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u32) -> u32 {
        self.0.random_range(0..end.max(1))
    }

    /// A number from `low` to `high`, both included; `low` if that is more.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        self.0.random_range(low..=high.max(low))
    }

    /// True in so many of 100 cases.
    pub fn percent(&mut self, cases: u32) -> bool {
        self.below(100) < cases
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.0.random()
    }

    /// Any 16 bits.
    pub fn word(&mut self) -> u16 {
        self.0.random()
    }

    /// One of these. `None` if there are none.
    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(u32::try_from(items.len()).unwrap_or(u32::MAX));
        items.get(usize::try_from(index).ok()?)
    }

    /// The index of one of these, each as often as its weight says. `None` if
    /// all weights are 0.
    pub fn weighted(&mut self, weights: &[u32]) -> Option<usize> {
        let total = weights.iter().fold(0u32, |sum, &w| sum.saturating_add(w));
        if total == 0 {
            return None;
        }
        let mut left = self.below(total);
        weights.iter().position(|&weight| {
            let here = left < weight;
            left = left.saturating_sub(weight);
            here
        })
    }

    /// Random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.fill(&mut bytes[..]);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same seed, purpose and serial number give the same numbers, for
    /// ever: runs are named by their seed.
    #[test]
    fn numbers_stay_the_same() {
        let mut numbers = Random::new(1, Purpose::Frame, 7);
        let first: Vec<_> = (0..4).map(|_| numbers.below(1000)).collect();
        let mut again = Random::new(1, Purpose::Frame, 7);
        assert_eq!(first, (0..4).map(|_| again.below(1000)).collect::<Vec<_>>());
        assert_eq!(
            first,
            [266, 427, 751, 452],
            "other than in earlier versions"
        );
    }

    /// Seed, purpose and serial number each make other numbers.
    #[test]
    fn all_parts_count() {
        let bytes = |seed, purpose, serial| Random::new(seed, purpose, serial).bytes(16);
        let one = bytes(1, Purpose::Frame, 1);
        assert_ne!(one, bytes(2, Purpose::Frame, 1));
        assert_ne!(one, bytes(1, Purpose::Lines, 1));
        assert_ne!(one, bytes(1, Purpose::Frame, 2));
    }

    /// What has no weight is never chosen, the rest in proportion.
    #[test]
    fn weights() {
        let mut numbers = Random::new(3, Purpose::Frame, 0);
        let mut counts = [0u32; 4];
        for _ in 0..10_000 {
            counts[numbers.weighted(&[1, 0, 3, 6]).unwrap()] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((800..1200).contains(&counts[0]), "{counts:?}");
        assert!((5700..6300).contains(&counts[3]), "{counts:?}");
        assert_eq!(numbers.weighted(&[0, 0]), None);
        assert_eq!(numbers.one_of::<u8>(&[]), None);
        assert_eq!((numbers.below(0), numbers.between(5, 2)), (0, 5));
    }
}
