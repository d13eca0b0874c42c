// SPDX-License-Identifier: GPL-2.0
//! Bytes as hexadecimal digits.

/// Two digits for each byte.
pub(super) fn encode(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Pairs of digits, with spaces wherever somebody likes them.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()),
        _ => Err("\"hex\" must be pairs of hexadecimal digits".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hexadecimal goes both ways; spaces are allowed, halves are not.
    #[test]
    fn hex() {
        assert_eq!(decode("fc33 0001").unwrap(), [0xfc, 0x33, 0, 1]);
        assert_eq!(encode(&[0xfc, 0x0a]), "fc0a");
        assert!(decode("abc").is_err() && decode("zz").is_err());
    }
}
