// SPDX-License-Identifier: GPL-2.0
//! TLVs: type (1 byte), length (2 bytes, little-endian), value.

use super::error::QmiError;

/// Longest string that is ever sent, in bytes.
const LONGEST_TEXT: usize = 255;

/// The TLVs of a request, checked to fill their space exactly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tlvs<'a> {
    bytes: &'a [u8],
}

impl<'a> Tlvs<'a> {
    /// Checks that `bytes` is a sequence of whole TLVs.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = split(rest)?.2;
        }
        Some(Self { bytes })
    }

    /// The value of the first TLV of this type.
    pub(crate) fn get(&self, kind: u8) -> Option<&'a [u8]> {
        let mut rest = self.bytes;
        while let Some((found, value, next)) = split(rest) {
            if found == kind {
                return Some(value);
            }
            rest = next;
        }
        None
    }

    /// The value of a TLV of a fixed size; another size makes no sense.
    pub(crate) fn fixed<const N: usize>(&self, kind: u8) -> Result<Option<[u8; N]>, QmiError> {
        self.get(kind)
            .map(|value| value.try_into().map_err(|_| QmiError::InvalidArgument))
            .transpose()
    }

    /// The same for a TLV that must be there.
    pub(crate) fn required<const N: usize>(&self, kind: u8) -> Result<[u8; N], QmiError> {
        self.fixed(kind)?.ok_or(QmiError::MissingArgument)
    }

    /// A TLV of one byte.
    pub(crate) fn byte(&self, kind: u8) -> Result<Option<u8>, QmiError> {
        Ok(self.fixed::<1>(kind)?.map(|[value]| value))
    }

    /// A TLV of one byte that must be there.
    pub(crate) fn required_byte(&self, kind: u8) -> Result<u8, QmiError> {
        self.required::<1>(kind).map(|[value]| value)
    }

    /// A TLV that says yes or no.
    pub(crate) fn flag(&self, kind: u8) -> Result<Option<bool>, QmiError> {
        match self.byte(kind)? {
            None => Ok(None),
            Some(value @ (0 | 1)) => Ok(Some(value == 1)),
            Some(_) => Err(QmiError::InvalidArgument),
        }
    }

    /// A string of at most `longest` bytes.
    pub(crate) fn text(&self, kind: u8, longest: usize) -> Result<Option<&'a str>, QmiError> {
        let Some(value) = self.get(kind) else {
            return Ok(None);
        };
        if value.len() > longest {
            return Err(QmiError::ArgumentTooLong);
        }
        let text = std::str::from_utf8(value).map_err(|_| QmiError::InvalidArgument)?;
        if text.chars().any(char::is_control) {
            return Err(QmiError::InvalidArgument);
        }
        Ok(Some(text))
    }
}

/// Type and value of the first TLV, and what comes after it.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[kind, low, high], rest) = bytes.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(u16::from_le_bytes([low, high]).into())?;
    Some((kind, value, rest))
}

/// TLVs to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// No TLV yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a TLV.
    pub(crate) fn put(mut self, kind: u8, value: &[u8]) -> Self {
        // No value of this modem comes near to 64 KiB.
        let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.bytes.push(kind);
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(value);
        self
    }

    /// Adds a TLV of one byte.
    pub(crate) fn byte(self, kind: u8, value: u8) -> Self {
        self.put(kind, &[value])
    }

    /// Adds a TLV of two bytes.
    pub(crate) fn short(self, kind: u8, value: u16) -> Self {
        self.put(kind, &value.to_le_bytes())
    }

    /// Adds a TLV of four bytes.
    pub(crate) fn word(self, kind: u8, value: u32) -> Self {
        self.put(kind, &value.to_le_bytes())
    }

    /// Adds a TLV of eight bytes.
    pub(crate) fn long(self, kind: u8, value: u64) -> Self {
        self.put(kind, &value.to_le_bytes())
    }

    /// Adds a TLV that is one string.
    pub(crate) fn text(self, kind: u8, text: &str) -> Self {
        self.put(kind, shortened(text).as_bytes())
    }

    /// Adds `more` behind what is there.
    pub(crate) fn append(mut self, more: &Self) -> Self {
        self.bytes.extend(&more.bytes);
        self
    }

    /// The TLVs, as they go over the wire.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A value of several fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    bytes: Vec<u8>,
}

impl Fields {
    /// No field yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Bytes as they are.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    /// One byte.
    pub(crate) fn byte(self, value: u8) -> Self {
        self.raw(&[value])
    }

    /// Two bytes.
    pub(crate) fn short(self, value: u16) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Four bytes.
    pub(crate) fn word(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// A string behind its length in one byte.
    pub(crate) fn text(self, text: &str) -> Self {
        let text = shortened(text);
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        self.byte(length).raw(text.as_bytes())
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// As much of the text as may be sent.
fn shortened(text: &str) -> &str {
    let end = (0..=text.len().min(LONGEST_TEXT))
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is written is read, each by its type, the first of two alike.
    #[test]
    fn round_trip() {
        let writer = Writer::new()
            .byte(1, 7)
            .short(2, 0x1234)
            .text(0x14, "internet")
            .byte(1, 8);
        let tlvs = Tlvs::parse(writer.bytes()).unwrap();
        assert_eq!(tlvs.required_byte(1), Ok(7));
        assert_eq!(tlvs.required(2), Ok([0x34, 0x12]));
        assert_eq!(tlvs.text(0x14, 100), Ok(Some("internet")));
        assert_eq!(tlvs.byte(3), Ok(None));
        assert_eq!(tlvs.required_byte(3), Err(QmiError::MissingArgument));
    }

    /// TLVs that end too early, and bytes that are no TLV, are refused.
    #[test]
    fn overruns() {
        assert!(Tlvs::parse(&[]).is_some());
        assert!(Tlvs::parse(&[1, 0, 0]).is_some());
        assert!(Tlvs::parse(&[1, 1, 0]).is_none());
        assert!(Tlvs::parse(&[1, 0]).is_none());
        assert!(Tlvs::parse(&[1, 0xff, 0xff, 0]).is_none());
        assert!(Tlvs::parse(&[1, 0, 0, 9]).is_none());
    }

    /// A value of the wrong size, a flag that is neither, a string that is
    /// too long or carries control characters: each has its error.
    #[test]
    fn bad_values() {
        let writer = Writer::new()
            .short(1, 2)
            .byte(2, 2)
            .put(3, b"a\nb")
            .put(4, &[0xff]);
        let tlvs = Tlvs::parse(writer.bytes()).unwrap();
        assert_eq!(tlvs.byte(1), Err(QmiError::InvalidArgument));
        assert_eq!(tlvs.flag(2), Err(QmiError::InvalidArgument));
        assert_eq!(tlvs.text(3, 100), Err(QmiError::InvalidArgument));
        assert_eq!(tlvs.text(3, 2), Err(QmiError::ArgumentTooLong));
        assert_eq!(tlvs.text(4, 100), Err(QmiError::InvalidArgument));
    }

    /// Long texts are cut between characters.
    #[test]
    fn long_text() {
        let text = "ä".repeat(200);
        assert_eq!(shortened(&text).len(), 254);
        assert_eq!(Fields::new().text(&text).bytes().len(), 255);
    }

    proptest! {
        /// No bytes panic, and what was accepted can be read.
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64), kind: u8) {
            if let Some(tlvs) = Tlvs::parse(&bytes) {
                let _ = tlvs.get(kind);
                let _ = tlvs.text(kind, 10);
                let _ = tlvs.fixed::<4>(kind);
            }
        }
    }
}
