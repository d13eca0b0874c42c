// SPDX-License-Identifier: GPL-2.0
//! What the `vfio_user` crate (0.1.7) leaves to its user. Each function goes when
//! upstream has what is said there.
//!
//! Without a workaround: a malformed version message ends the connection, and the
//! process with it. Upstream: answer it with an error, as other requests.

use std::fmt::Display;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{
    poll,
    PollFd,
    PollFlags,
    PollTimeout, //
};
use vfio_bindings::bindings::vfio::vfio_region_sparse_mmap_area;
use vfio_user::SparseArea;

use crate::modem::Modem;
use crate::msix::{
    Msix,
    VECTORS, //
};

/// Waits until somebody connects; false if nobody does in time.
///
/// `Server::run` accepts the connection itself, and waits for ever. Upstream: a
/// `run` for a stream that is connected already.
///
/// # Errors
/// The socket cannot be waited for.
pub(super) fn wait_for_vmm(listener: &UnixListener, patience: Duration) -> Result<bool, Errno> {
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, timeout).map(|ready| ready > 0)
}

/// Logs and counts what a request should have failed with.
///
/// A request that the backend fails is answered with errno 0, which QEMU takes
/// for success; so none may fail. Upstream: the errno of `Error::Backend`.
pub(super) fn count_failure(modem: &mut Modem, what: &dyn Display) {
    modem.counters.backend_errors += 1;
    tracing::error!("{what}");
}

/// Connects vectors to eventfds; no vectors at all disconnect all of them.
///
/// The server announces that it takes one descriptor per message, so QEMU
/// connects vectors one by one; `count` 0 without descriptors takes all away.
/// Upstream: `max_msg_fds` of the server's capabilities for its user to choose.
pub(super) fn set_vectors(msix: &mut Msix, start: u32, count: u32, fds: Vec<File>) {
    if count == 0 {
        msix.disconnect_all();
        return;
    }
    let mut fds = fds.into_iter();
    for vector in start..start.saturating_add(count).min(u32::from(VECTORS)) {
        msix.connect(vector, fds.next());
    }
}

/// The areas of a region that can be mapped as a whole.
///
/// The server sends a region's file only if the region has a sparse area.
/// Upstream: send it with the plain answer, too.
pub(super) fn whole_region(size: u64) -> Vec<SparseArea> {
    let area = vfio_region_sparse_mmap_area { offset: 0, size };
    vec![SparseArea { area }]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vector without a descriptor is disconnected, those beyond the last are
    /// ignored, and no vectors are all of them.
    #[test]
    fn vectors() {
        let event = || {
            File::from(std::os::fd::OwnedFd::from(
                nix::sys::eventfd::EventFd::new().unwrap(),
            ))
        };
        let mut msix = Msix::default();
        set_vectors(&mut msix, 1, 1, vec![event()]);
        set_vectors(&mut msix, u32::from(VECTORS) - 1, 9, vec![event(), event()]);
        assert_eq!(connected(&msix), [1, 7]);
        set_vectors(&mut msix, 1, 1, vec![]);
        assert_eq!(connected(&msix), [7]);
        set_vectors(&mut msix, 0, 0, vec![]);
        assert_eq!(connected(&msix), [0; 0]);
    }

    fn connected(msix: &Msix) -> Vec<u32> {
        (0..32).filter(|&v| msix.is_connected(v)).collect()
    }
}
