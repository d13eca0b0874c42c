// SPDX-License-Identifier: GPL-2.0
//! The worker: timers of the modem, and packets from the network.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{
    ppoll,
    PollFd,
    PollFlags, //
};
use nix::sys::time::TimeSpec;

use crate::net::tun::{
    Tun,
    MTU, //
};
use crate::shared::Shared;

/// Packets taken at once: the guest's register accesses wait for the lock.
const BATCH: usize = 32;
/// The worker looks at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Runs timers and the network for ever; to be called in a thread of its own.
///
/// # Errors
/// The TUN device is gone, or the kernel refuses to poll.
pub fn run(shared: &Arc<Shared>, mut tun: Option<Tun>) -> std::io::Result<()> {
    // Otherwise the kernel adds 50 us to each sleep, and there are starts to
    // be timed more finely.
    let _ = nix::sys::prctl::set_timerslack(1);
    loop {
        let (sleep, busy) = shared.with(|modem| {
            modem.tick();
            let sleep = modem
                .deadline()
                .map_or(LONGEST_SLEEP, |at| at.saturating_sub(shared.elapsed()));
            (sleep.min(LONGEST_SLEEP), modem.downlink_is_busy())
        });
        let network = wait(shared, tun.as_ref().filter(|_| !busy), sleep)?;
        if let Some(tun) = tun.as_mut().filter(|_| network) {
            take_packets(shared, tun)?;
        }
    }
}

/// Sleeps until there is something to do; says whether there are packets.
fn wait(shared: &Shared, tun: Option<&Tun>, sleep: Duration) -> std::io::Result<bool> {
    let mut fds = vec![PollFd::new(shared.kick().as_fd(), PollFlags::POLLIN)];
    fds.extend(tun.map(|tun| PollFd::new(tun.as_fd(), PollFlags::POLLIN)));
    match ppoll(&mut fds, Some(TimeSpec::from_duration(sleep)), None) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
    if fds.first().is_some_and(ready) {
        // Nonblocking; its count does not matter.
        let _ = shared.kick().read();
    }
    Ok(fds.get(1).is_some_and(ready))
}

fn take_packets(shared: &Shared, tun: &mut Tun) -> std::io::Result<()> {
    shared.with(|modem| {
        let mut packet = [0; MTU];
        for _ in 0..BATCH {
            if modem.downlink_is_busy() {
                break;
            }
            match tun.read(&mut packet)? {
                Some(len) => modem.packet_from_network(&packet[..len]),
                None => break,
            }
        }
        modem.flush();
        Ok(())
    })
}
