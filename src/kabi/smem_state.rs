// SPDX-License-Identifier: GPL-2.0

//! Bits in shared memory by which Linux tells other processors its state.
//!
//! A bit is named in the devicetree (`qcom,smem-states`, `qcom,smem-state-names`). Writing it
//! interrupts the processors that have subscribed to it.
//!
//! Limitations:
//! - [`StateBit::read()`] knows the SMSM only (`qcom,smsm`), in which Linux is host 0. That is how
//!   all chips with an SMSM have it.
//!
//! C headers: [`include/linux/soc/qcom/smem_state.h`](srctree/include/linux/soc/qcom/smem_state.h),
//! [`include/linux/soc/qcom/smem.h`](srctree/include/linux/soc/qcom/smem.h)

use super::{
    bindings,
    platform::device_as_raw, //
};

use core::ptr::NonNull;

use kernel::{
    device::Device,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*, //
};

/// The item of shared memory with the state words of the SMSM, one `u32` per host.
const SMEM_SMSM_SHARED_STATE: u32 = 85;

/// "All processors": the item is in the part of shared memory that is common to all.
const SMEM_HOST_ANY: u32 = u32::MAX;

/// Linux' word among the state words.
const LOCAL_HOST: usize = 0;

/// One of our own state bits.
///
/// # Invariants
///
/// - `state` is a reference that `qcom_smem_state_get()` gave to us.
/// - `mask` has exactly one bit.
pub struct StateBit {
    state: NonNull<bindings::qcom_smem_state>,
    mask: u32,
}

// SAFETY: State handles are reference counted, and their functions lock what they change.
unsafe impl Send for StateBit {}

// SAFETY: As above.
unsafe impl Sync for StateBit {}

impl StateBit {
    /// Looks up the bit that the devicetree node of `dev` calls `name`.
    ///
    /// Process context, sleeps. Writes nothing.
    ///
    /// # Errors
    ///
    /// - `EPROBE_DEFER`: the provider has no driver yet.
    /// - `EINVAL`, `ENODATA`, `ENOENT`: the node does not name such a bit, or not a valid one.
    pub fn get(dev: &Device, name: &CStr) -> Result<Self> {
        let mut bit: c_uint = 0;
        // SAFETY: `dev` is a valid device, `name` a string and `bit` a variable, both only used
        // during the call.
        let state = from_err_ptr(unsafe {
            bindings::qcom_smem_state_get(device_as_raw(dev), name.as_char_ptr(), &mut bit)
        })?;
        let mut this = Self {
            state: NonNull::new(state).ok_or(EINVAL)?,
            mask: 0,
        };
        // INVARIANT: A shift by less than 32 leaves exactly one bit. (On the error path, dropping
        // `this` does not use the mask.)
        this.mask = 1u32.checked_shl(bit).ok_or(EINVAL)?;
        Ok(this)
    }

    /// Sets or clears the bit.
    ///
    /// If that changes it, the processors that have subscribed to it are interrupted. If not, nobody
    /// hears of the write: a peer that waits for a *change* is not woken by it.
    ///
    /// Any context, unless a mailbox controller between here and the other processor sleeps.
    ///
    /// # Errors
    ///
    /// - `ENXIO`: the provider is gone.
    pub fn write(&self, on: bool) -> Result {
        let value = if on { self.mask } else { 0 };
        // SAFETY: By the type invariant, the handle is valid.
        to_result(unsafe {
            bindings::qcom_smem_state_update_bits(self.state.as_ptr(), self.mask, value)
        })
    }

    /// Returns the bit as the other processors see it now, whoever has written it last (maybe another
    /// driver, or another kernel before this one).
    ///
    /// Any context.
    ///
    /// # Errors
    ///
    /// - `EPROBE_DEFER`: shared memory has no driver yet.
    /// - `ENOENT`: there are no SMSM state words in shared memory.
    /// - `EINVAL`: shared memory is damaged.
    pub fn read(&self) -> Result<bool> {
        Ok(local_word()? & self.mask != 0)
    }
}

/// Reads the state word of Linux.
fn local_word() -> Result<u32> {
    let mut size: usize = 0;
    // SAFETY: `size` is only used during the call.
    let words = from_err_ptr(unsafe {
        bindings::qcom_smem_get(SMEM_HOST_ANY, SMEM_SMSM_SHARED_STATE, &mut size)
    })?;
    if words.is_null() || size < (LOCAL_HOST + 1) * size_of::<u32>() {
        return Err(EINVAL);
    }
    let word = words.cast::<u32>().wrapping_add(LOCAL_HOST);
    // SAFETY: Items of shared memory are mapped for ever, and this one is large enough.
    Ok(unsafe { bindings::readl(word.cast()) })
}

impl Drop for StateBit {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the reference is ours to give back.
        unsafe { bindings::qcom_smem_state_put(self.state.as_ptr()) };
    }
}

#[cfg(CONFIG_BAM_DMUX_KUNIT_TEST)]
#[kernel::prelude::kunit_tests(bam_dmux_smem_state)]
mod tests {
    use super::*;
    use kernel::{
        device::Bound,
        faux, //
    };

    /// A device without a devicetree node has no state bits: an error, and not a crash.
    #[test]
    fn device_without_node_has_no_bits() -> Result {
        let reg = faux::Registration::new(c"bam-dmux-no-bits", None)?;
        let dev: &faux::Device<Bound> = reg.as_ref();
        assert!(StateBit::get(dev.as_ref(), c"pc").is_err());
        Ok(())
    }
}
