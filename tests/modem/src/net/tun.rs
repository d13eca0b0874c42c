// SPDX-License-Identifier: GPL-2.0
//! The TUN device in this process's network namespace, with the far end's
//! addresses of all channels.

use std::fs::{
    File,
    OpenOptions, //
};
use std::io::{
    self,
    Read as _,
    Write as _, //
};
use std::os::fd::{
    AsFd,
    AsRawFd,
    BorrowedFd, //
};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{
    Command,
    Stdio, //
};

use super::plan;
use crate::dmux::channels::COUNT;
use crate::modem::Network;

/// The largest payload of a frame; the device's MTU.
pub const MTU: usize = 2040;
/// Packets that the device keeps while the modem cannot take them.
const QUEUE: u32 = 1000;

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name does not fit.
    #[error("\"{0}\" is no name for a network device: 1 to 15 bytes")]
    Name(String),
    /// No TUN driver, or no permission to open it.
    #[error("cannot open /dev/net/tun: {0}. The kernel needs TUN, and this process root")]
    Open(#[source] io::Error),
    /// The device could not be made.
    #[error("cannot create TUN device {name}: {reason}. This needs root (CAP_NET_ADMIN)")]
    Create {
        /// Name of the device.
        name: String,
        /// What the kernel says.
        reason: io::Error,
    },
    /// `ip` is not there.
    #[error("cannot run \"ip\" to configure {name}: {reason}. Is iproute2 installed?")]
    Run {
        /// Name of the device.
        name: String,
        /// What the kernel says.
        reason: io::Error,
    },
    /// `ip` failed.
    #[error("\"ip\" could not configure {name}: {words}")]
    Configure {
        /// Name of the device.
        name: String,
        /// What `ip` says.
        words: String,
    },
}

/// An open TUN device. It vanishes when the last copy is dropped.
#[derive(Debug)]
pub struct Tun {
    file: File,
}

mod ioctl {
    nix::ioctl_write_ptr_bad!(set_iff, libc::TUNSETIFF, libc::ifreq);
}

impl Tun {
    /// Creates the device, gives it the far end's addresses, and sets it up.
    ///
    /// # Errors
    /// No TUN driver, no permission, no `ip`, or the name is taken.
    pub fn create(name: &str) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")
            .map_err(Error::Open)?;
        let request = request(name).ok_or_else(|| Error::Name(name.to_owned()))?;
        // SAFETY: the descriptor is open and `request` is a whole `ifreq`,
        // which the call only reads and fills.
        unsafe { ioctl::set_iff(file.as_raw_fd(), &raw const request) }.map_err(|errno| {
            Error::Create {
                name: name.to_owned(),
                reason: errno.into(),
            }
        })?;
        configure(name)?;
        Ok(Self { file })
    }

    /// A second handle of the same device.
    ///
    /// # Errors
    /// No free descriptor.
    pub fn try_clone(&self) -> io::Result<Self> {
        let file = self.file.try_clone()?;
        Ok(Self { file })
    }

    /// Reads one packet, `None` if there is none now.
    ///
    /// # Errors
    /// The device is gone.
    pub fn read(&mut self, packet: &mut [u8]) -> io::Result<Option<usize>> {
        match self.file.read(packet) {
            Ok(len) => Ok(Some(len)),
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Network for Tun {
    fn deliver(&mut self, _channel: u8, packet: &[u8]) -> bool {
        // The device takes or drops a packet, it never makes the writer wait.
        self.file.write(packet).is_ok()
    }
}

fn request(name: &str) -> Option<libc::ifreq> {
    let flags = libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).ok()?;
    let mut bytes: [libc::c_char; libc::IFNAMSIZ] = [0; libc::IFNAMSIZ];
    if name.is_empty() || name.len() >= bytes.len() {
        return None;
    }
    for (to, from) in bytes.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    Some(libc::ifreq {
        ifr_name: bytes,
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags },
    })
}

/// The configuration, as a batch for `ip`.
fn batch(name: &str) -> String {
    use std::fmt::Write as _;

    // No link-local address: the device itself shall not send anything.
    let mut batch = format!(
        "link set dev {name} addrgenmode none\n\
         link set dev {name} mtu {MTU} txqueuelen {QUEUE} up\n"
    );
    for channel in 0..COUNT {
        let (v4, v6) = (plan::far_v4(channel), plan::far_v6(channel));
        // Writing to a string cannot fail.
        let _ = writeln!(batch, "addr add {v4}/24 dev {name}");
        let _ = writeln!(batch, "addr add {v6}/64 dev {name} nodad");
    }
    batch
}

fn configure(name: &str) -> Result<(), Error> {
    let run = |reason| Error::Run {
        name: name.to_owned(),
        reason,
    };
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(run)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(batch(name).as_bytes()).map_err(run)?;
    }
    let output = child.wait_with_output().map_err(run)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Configure {
        name: name.to_owned(),
        words: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All channels have both addresses, and the MTU is a frame's.
    #[test]
    fn batch_has_all_addresses() {
        let batch = batch("far0");
        assert!(batch.contains("mtu 2040"));
        assert!(batch.contains("addr add 10.64.0.1/24 dev far0\n"));
        assert!(batch.contains("addr add fd64:7::1/64 dev far0 nodad\n"));
        assert_eq!(batch.lines().count(), 2 + 16);
    }

    /// Names that the kernel would refuse or cut are refused here.
    #[test]
    fn names() {
        assert!(request("").is_none());
        assert!(request("a-name-of-16-byt").is_none());
        assert!(request("a-name-of-15-by").is_some());
    }
}
