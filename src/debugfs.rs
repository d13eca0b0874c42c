// SPDX-License-Identifier: GPL-2.0

//! The device's state for people: `/sys/kernel/debug/bam_dmux/<device>/state`.
//!
//! Not an interface for programs: names and order may change at any time.

use kernel::{
    debugfs::{
        Dir,
        File, //
    },
    device::Device,
    fmt,
    prelude::*,
    sync::Arc, //
};

use super::dmux::Dmux;

/// The directory and file of one device; they vanish when it is dropped.
#[pin_data]
pub(crate) struct DebugFs {
    #[pin]
    state: File<Arc<Dmux>>,
    // Dropped after the files in it.
    _device: Dir,
    _root: Dir,
}

impl DebugFs {
    /// Creates the files. Process context.
    ///
    /// Never fails for debugfs' own reasons: the driver works without it.
    pub(crate) fn new(dev: &Device, dmux: Arc<Dmux>) -> impl PinInit<Self, Error> + '_ {
        let root = Dir::new(c"bam_dmux");
        let device = root.subdir(dev.name());
        pin_init::pin_init_scope(move || {
            let dir = device.clone();
            Ok(try_pin_init!(Self {
                state <- dir.read_callback_file(c"state", dmux, &show),
                _device: device,
                _root: root,
            }? Error))
        })
    }
}

fn show(dmux: &Arc<Dmux>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    dmux.show(f)
}
