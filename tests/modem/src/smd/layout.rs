// SPDX-License-Identifier: GPL-2.0
//! Where SMD's parts lie in SMEM. Source: `drivers/rpmsg/qcom_smd.c`.

use crate::smem::Smem;

/// Bytes of the FIFO of one direction, a power of two. Linux takes the size
/// from the item.
pub const FIFO: u32 = 8192;
/// Bytes before each packet: its length, then four words that are 0.
pub const PACKET_HEADER: u32 = 20;
/// Longest packet that Linux can take if it wraps: its bounce buffer.
pub const LONGEST_PACKET: u32 = 4096;

const ITEM_TABLE: u32 = 13;
const ITEM_INFO: u32 = 14;
const ITEM_FIFO: u32 = 338;
const TABLE_ENTRIES: u32 = 64;
const TABLE_ENTRY: u32 = 32;
const NAME: usize = 20;
const CID: u64 = 20;
const FLAGS: u64 = 24;
const REF_COUNT: u64 = 28;
/// A channel of packets; the low byte is the edge, 0 for the modem's.
const FLAGS_PACKET: u32 = 1 << 9;
/// Bytes of a half with flags of one byte. The form with words takes only
/// packets of whole words, which QMUX frames are not.
const HALF: u32 = 0x14;

/// One side's half of the channel info. The side writes `state`, `head` and
/// the modem lines; its peer moves `tail` and clears what it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Half(u64);

/// A flag of a half, one byte; the number is its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// Data set ready, as the next two a line of a serial port.
    Dsr = 4,
    /// Clear to send.
    Cts = 5,
    /// Carrier detect.
    Cd = 6,
    /// The owner has moved `head`.
    Head = 8,
    /// The peer has moved `tail`.
    Tail = 9,
    /// The owner has changed `state`.
    State = 10,
    /// The owner needs no interrupt when the peer has read.
    BlockReadIntr = 11,
}

impl Half {
    const STATE: u64 = 0;
    const TAIL: u64 = 0x0c;
    const HEAD: u64 = 0x10;

    /// A flag's value.
    #[must_use]
    pub fn flag(self, smem: &Smem, flag: Flag) -> bool {
        smem.load_byte(self.0 + flag as u64) != 0
    }

    /// Writes a flag.
    pub fn set_flag(self, smem: &Smem, flag: Flag, value: bool) {
        smem.store_byte(self.0 + flag as u64, value.into());
    }

    /// The owner's state, as a number of any size.
    #[must_use]
    pub fn state(self, smem: &Smem) -> u32 {
        smem.load(self.0 + Self::STATE)
    }

    /// Writes the owner's state.
    pub fn set_state(self, smem: &Smem, state: u32) {
        smem.store(self.0 + Self::STATE, state);
    }

    /// Where the peer reads next; any number.
    #[must_use]
    pub fn tail(self, smem: &Smem) -> u32 {
        smem.load(self.0 + Self::TAIL)
    }

    /// Writes where the peer reads next.
    pub fn set_tail(self, smem: &Smem, tail: u32) {
        smem.store(self.0 + Self::TAIL, tail);
    }

    /// Where the owner writes next; any number.
    #[must_use]
    pub fn head(self, smem: &Smem) -> u32 {
        smem.load(self.0 + Self::HEAD)
    }

    /// Writes where the owner writes next.
    pub fn set_head(self, smem: &Smem, head: u32) {
        smem.store(self.0 + Self::HEAD, head);
    }
}

/// The FIFO of one direction: [`FIFO`] bytes, of which one stays free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fifo(u64);

impl Fifo {
    /// An index, or what a position beyond the end wraps to.
    #[must_use]
    pub fn wrap(position: u32) -> u32 {
        position & (FIFO - 1)
    }

    /// Bytes from `tail` to `head`.
    #[must_use]
    pub fn used(head: u32, tail: u32) -> u32 {
        Self::wrap(head.wrapping_sub(tail))
    }

    /// Bytes that can be written.
    #[must_use]
    pub fn room(head: u32, tail: u32) -> u32 {
        FIFO - 1 - Self::used(head, tail)
    }

    /// Fills `bytes` from `at` on.
    pub fn read(self, smem: &Smem, at: u32, bytes: &mut [u8]) {
        let (first, rest) = bytes.split_at_mut(Self::before_end(at, bytes.len()));
        smem.read(self.0 + u64::from(Self::wrap(at)), first);
        for part in rest.chunks_mut(FIFO as usize) {
            smem.read(self.0, part);
        }
    }

    /// Copies `bytes` to `at` and on.
    pub fn write(self, smem: &Smem, at: u32, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(Self::before_end(at, bytes.len()));
        smem.write(self.0 + u64::from(Self::wrap(at)), first);
        for part in rest.chunks(FIFO as usize) {
            smem.write(self.0, part);
        }
    }

    /// How many of `len` bytes lie before the FIFO's end.
    fn before_end(at: u32, len: usize) -> usize {
        len.min((FIFO - Self::wrap(at)) as usize)
    }
}

/// The parts of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    entry: u64,
    /// Linux' half of the info.
    pub linux: Half,
    /// The modem's half of the info.
    pub own: Half,
    /// Packets of Linux.
    pub from_linux: Fifo,
    /// Packets of the modem.
    pub to_linux: Fifo,
}

impl Channel {
    /// Allocates the table and the parts of its only channel, in a freshly
    /// formatted SMEM. Linux does not see the channel before
    /// [`Channel::publish`].
    #[must_use]
    pub fn allocate(smem: &Smem) -> Self {
        let entry = smem.allocate(ITEM_TABLE, TABLE_ENTRIES * TABLE_ENTRY);
        let info = smem.allocate(ITEM_INFO, 2 * HALF);
        let fifo = smem.allocate(ITEM_FIFO, 2 * FIFO);
        Self {
            entry,
            linux: Half(info),
            own: Half(info + u64::from(HALF)),
            from_linux: Fifo(fifo),
            to_linux: Fifo(fifo + u64::from(FIFO)),
        }
    }

    /// Enters the channel into the table, from which it never goes again.
    pub fn publish(&self, smem: &Smem, name: &str) {
        let mut field = [0; NAME];
        // One byte stays 0, the end of the name.
        let bytes = name.bytes().take(NAME - 1);
        field
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = from);
        smem.write(self.entry, &field);
        smem.store(self.entry + CID, 0);
        smem.store(self.entry + FLAGS, FLAGS_PACKET);
        smem.store(self.entry + REF_COUNT, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rig() -> (Smem, Channel) {
        let smem = Smem::new().unwrap();
        smem.format();
        let channel = Channel::allocate(&smem);
        (smem, channel)
    }

    /// The items have the numbers and sizes by which Linux knows them.
    #[test]
    fn items() {
        let (smem, channel) = rig();
        for (item, bytes) in [(13, 64 * 32), (14, 40), (338, 16384)] {
            let entry = 0xd0 + item * 16;
            assert_eq!(smem.load(entry), 1, "item {item}");
            assert_eq!(smem.load(entry + 8), bytes, "item {item}");
        }
        let table = u64::from(smem.load(0xd0 + 13 * 16 + 4));
        assert_eq!(smem.load(table + 28), 0, "not yet");
        channel.publish(&smem, "DATA5_CNTL");
        let mut name = [0; 20];
        smem.read(table, &mut name);
        assert_eq!(&name, b"DATA5_CNTL\0\0\0\0\0\0\0\0\0\0");
        let words = [20, 24, 28].map(|at| smem.load(table + at));
        assert_eq!(words, [0, 0x200, 1]);
    }

    /// Linux' half comes first; flags are single bytes that leave others be.
    #[test]
    fn halves() {
        let (smem, channel) = rig();
        let info = u64::from(smem.load(0xd0 + 14 * 16 + 4));
        channel.linux.set_state(&smem, 2);
        channel.own.set_state(&smem, 1);
        channel.own.set_tail(&smem, 7);
        channel.own.set_head(&smem, 9);
        let words = [0, 0x14, 0x20, 0x24].map(|at| smem.load(info + at));
        assert_eq!(words, [2, 1, 7, 9]);
        smem.store(info + 8, 0xffff_ffff);
        channel.linux.set_flag(&smem, Flag::State, false);
        assert_eq!(smem.load(info + 8), 0xff00_ffff);
        assert!(channel.linux.flag(&smem, Flag::BlockReadIntr));
    }

    proptest! {
        /// What is written anywhere is read back, also around the end, and
        /// the other direction's FIFO stays as it is.
        #[test]
        fn fifo(at: u32, bytes in prop::collection::vec(1u8.., 0..FIFO as usize)) {
            let (smem, channel) = rig();
            let mut back = vec![0; bytes.len()];
            channel.from_linux.write(&smem, at, &bytes);
            channel.from_linux.read(&smem, at, &mut back);
            prop_assert_eq!(&back, &bytes);
            let mut other = vec![1; FIFO as usize];
            channel.to_linux.read(&smem, 0, &mut other);
            prop_assert!(other.iter().all(|&byte| byte == 0));
        }

        /// Room and use add up, and no index escapes the FIFO.
        #[test]
        fn arithmetic(head: u32, tail: u32) {
            prop_assert_eq!(Fifo::used(head, tail) + Fifo::room(head, tail), FIFO - 1);
            prop_assert!(Fifo::wrap(head) < FIFO);
        }
    }
}
