// SPDX-License-Identifier: GPL-2.0

//! Structured messages for user space: objects of named values, and arrays.
//!
//! Whatever is begun is ended by construction. The C code remembers the first error (`ENOMEM`, or
//! `EMSGSIZE` for a string that no netlink message can hold) and then drops the message as a whole, so
//! that nothing here has to fail.

use core::{
    fmt::Write,
    marker::PhantomData,
    ptr::NonNull, //
};

use kernel::{
    fmt,
    prelude::*,
    str::NullTerminatedFormatter, //
};

use super::super::bindings;

/// Longest text of [`Object::text`], with its end.
const TEXT_LEN: usize = 128;

/// The inside of an object: names and values. Process context, sleeps.
///
/// # Invariants
///
/// `raw` is a valid message in which an object was begun, and nobody else writes to it for `'a`.
pub struct Object<'a> {
    raw: NonNull<bindings::devlink_fmsg>,
    _message: PhantomData<&'a mut bindings::devlink_fmsg>,
}

impl Object<'_> {
    /// Wraps a message.
    ///
    /// # Safety
    ///
    /// `raw` meets the type invariants for the lifetime that the caller gives it.
    pub(super) unsafe fn from_raw(raw: *mut bindings::devlink_fmsg) -> Self {
        // INVARIANT: By this function's requirements.
        Self {
            // SAFETY: By this function's requirements, it is valid, so it is not null.
            raw: unsafe { NonNull::new_unchecked(raw) },
            _message: PhantomData,
        }
    }

    /// A truth value.
    pub fn bool(&mut self, name: &CStr, value: bool) {
        // SAFETY: By the type invariants. The name is copied.
        unsafe {
            bindings::devlink_fmsg_bool_pair_put(self.raw.as_ptr(), name.as_char_ptr(), value)
        };
    }

    /// A number of 32 bits.
    pub fn u32(&mut self, name: &CStr, value: u32) {
        // SAFETY: By the type invariants. The name is copied.
        unsafe {
            bindings::devlink_fmsg_u32_pair_put(self.raw.as_ptr(), name.as_char_ptr(), value)
        };
    }

    /// A number of 64 bits.
    pub fn u64(&mut self, name: &CStr, value: u64) {
        // SAFETY: By the type invariants. The name is copied.
        unsafe {
            bindings::devlink_fmsg_u64_pair_put(self.raw.as_ptr(), name.as_char_ptr(), value)
        };
    }

    /// A string.
    pub fn string(&mut self, name: &CStr, value: &CStr) {
        // SAFETY: By the type invariants. Name and value are copied.
        unsafe {
            bindings::devlink_fmsg_string_pair_put(
                self.raw.as_ptr(),
                name.as_char_ptr(),
                value.as_char_ptr(),
            )
        };
    }

    /// A string made of `value`, of which the parts beyond the 127th byte are left out.
    pub fn text(&mut self, name: &CStr, value: fmt::Arguments<'_>) {
        let mut buffer = [0; TEXT_LEN];
        if let Some(mut formatter) = NullTerminatedFormatter::new(&mut buffer) {
            // It fails when there is no room any more, and keeps what had.
            let _ = formatter.write_fmt(value);
        }
        if let Ok(text) = CStr::from_bytes_until_nul(&buffer) {
            self.string(name, text);
        }
    }

    /// An object, whose inside is what `fill` writes.
    pub fn object(&mut self, name: &CStr, fill: impl FnOnce(&mut Object<'_>)) {
        let raw = self.raw.as_ptr();
        // SAFETY: By the type invariants. The name is copied.
        unsafe { bindings::devlink_fmsg_pair_nest_start(raw, name.as_char_ptr()) };
        in_object(self.raw, fill);
        // SAFETY: By the type invariants.
        unsafe { bindings::devlink_fmsg_pair_nest_end(raw) };
    }

    /// An array, whose elements are what `fill` writes.
    pub fn array(&mut self, name: &CStr, fill: impl FnOnce(&mut Array<'_>)) {
        let raw = self.raw.as_ptr();
        // SAFETY: By the type invariants. The name is copied.
        unsafe { bindings::devlink_fmsg_arr_pair_nest_start(raw, name.as_char_ptr()) };
        // INVARIANT: An array was begun, and `self` is not used as long as this is.
        fill(&mut Array {
            raw: self.raw,
            _message: PhantomData,
        });
        // SAFETY: By the type invariants.
        unsafe { bindings::devlink_fmsg_arr_pair_nest_end(raw) };
    }
}

/// The inside of an array: values without names. Process context, sleeps.
///
/// # Invariants
///
/// `raw` is a valid message in which an array was begun, and nobody else writes to it for `'a`.
pub struct Array<'a> {
    raw: NonNull<bindings::devlink_fmsg>,
    _message: PhantomData<&'a mut bindings::devlink_fmsg>,
}

impl Array<'_> {
    /// A number.
    pub fn u32(&mut self, value: u32) {
        // SAFETY: By the type invariants.
        unsafe { bindings::devlink_fmsg_u32_put(self.raw.as_ptr(), value) };
    }

    /// A string.
    pub fn string(&mut self, value: &CStr) {
        // SAFETY: By the type invariants. The value is copied.
        unsafe { bindings::devlink_fmsg_string_put(self.raw.as_ptr(), value.as_char_ptr()) };
    }

    /// An object, whose inside is what `fill` writes.
    pub fn object(&mut self, fill: impl FnOnce(&mut Object<'_>)) {
        in_object(self.raw, fill);
    }
}

/// Writes an object to a message that its caller does not use meanwhile.
fn in_object(raw: NonNull<bindings::devlink_fmsg>, fill: impl FnOnce(&mut Object<'_>)) {
    // SAFETY: The callers have it from a type that says that it is valid.
    unsafe { bindings::devlink_fmsg_obj_nest_start(raw.as_ptr()) };
    // INVARIANT: An object was begun, and the callers have `raw` for themselves.
    fill(&mut Object {
        raw,
        _message: PhantomData,
    });
    // SAFETY: As above.
    unsafe { bindings::devlink_fmsg_obj_nest_end(raw.as_ptr()) };
}
