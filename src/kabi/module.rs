// SPDX-License-Identifier: GPL-2.0

//! Keeping this module loaded.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use super::bindings;

/// A reference to this module: it cannot be unloaded as long as this lives.
///
/// Not needed for what a driver does while it is bound: unloading unbinds first. It is for what
/// would outlive that.
///
/// # Invariants
///
/// `self` owns one reference to this module.
pub struct Pin(());

impl Pin {
    /// Takes a reference, or returns `None` if the module is being unloaded already. Any context.
    pub fn try_new() -> Option<Self> {
        // SAFETY: FFI call without requirements.
        let taken = unsafe { bindings::bam_dmux_helper_module_get() };
        // INVARIANT: The reference was taken for this object. (Not `then_some()`: that would make, and
        // drop, an object also if there is no reference.)
        taken.then(|| Self(()))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, there is a reference to give back. Code of this module that
        // runs does so because of another one, or of a driver that has not been unregistered yet.
        unsafe { bindings::bam_dmux_helper_module_put() };
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_module)]
mod tests {
    use super::*;

    /// A module that runs can be pinned, as often as one likes.
    #[test]
    fn running_module_can_be_pinned() {
        let first = Pin::try_new();
        let second = Pin::try_new();
        assert!(first.is_some() && second.is_some());
    }
}
