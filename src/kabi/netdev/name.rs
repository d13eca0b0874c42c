// SPDX-License-Identifier: GPL-2.0

//! Names of devices.

use kernel::{
    fmt,
    prelude::*, //
};

use super::super::bindings;

/// A copy of a device's name.
pub struct Name(pub(super) [c_char; bindings::IFNAMSIZ as usize]);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0.iter().take_while(|&&byte| byte != 0) {
            fmt::Write::write_char(f, char::from(byte))?;
        }
        Ok(())
    }
}
