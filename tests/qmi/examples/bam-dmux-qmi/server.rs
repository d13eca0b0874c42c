// SPDX-License-Identifier: GPL-2.0
//! A modem behind a UNIX socket. libqmi takes a socket for a QMI port if its
//! path contains `qmux_socket`.
//!
//! Limitations: one host at a time, the next one waits until the first has
//! gone. There are no data channels behind it; what they count is set by hand.

use std::io::{
    self,
    ErrorKind,
    Read as _,
    Write as _, //
};
use std::net::{
    Ipv4Addr,
    Ipv6Addr, //
};
use std::os::unix::net::{
    UnixListener,
    UnixStream, //
};
use std::sync::{
    Mutex,
    MutexGuard,
    PoisonError, //
};
use std::time::Duration;

use bam_dmux_qmi::{
    Family,
    LinkCounters,
    Modem,
    Network,
    Settings,
    V4,
    V6, //
};

/// Data channels, as on a phone.
const CHANNELS: u8 = 8;
/// How long the host may leave frames unread.
const PATIENCE: Duration = Duration::from_secs(2);

/// Data channels that only exist on paper: channel `n` is `10.64.n.0/24` and
/// `fd64:n::/64`.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Channels {
    /// What has gone over each of them.
    pub(crate) counters: LinkCounters,
}

impl Network for Channels {
    fn has_channel(&self, channel: u8) -> bool {
        channel < CHANNELS
    }

    fn settings(&self, channel: u8, serial: u32) -> Settings {
        let host = u8::try_from(16 + serial % 200).unwrap_or(16);
        let v6 = |host: u16| Ipv6Addr::new(0xfd64, channel.into(), 0, 0, 0, 0, 0, host);
        let gateway = Ipv4Addr::new(10, 64, channel, 1);
        Settings {
            v4: V4 {
                address: Ipv4Addr::new(10, 64, channel, host),
                gateway,
                prefix: 24,
                dns: [gateway, gateway],
            },
            v6: V6 {
                address: v6(0x1000 + u16::from(host)),
                gateway: v6(1),
                prefix: 64,
                dns: [v6(1), v6(1)],
            },
            mtu: 1500,
        }
    }

    fn counters(&self, _channel: u8, _family: Family) -> LinkCounters {
        self.counters
    }
}

/// A modem, its channels, and the host that is connected.
#[derive(Debug)]
pub(crate) struct Server {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    modem: Modem,
    channels: Channels,
    host: Option<UnixStream>,
}

impl Server {
    /// A server that nobody is connected to.
    #[must_use]
    pub(crate) fn new(modem: Modem) -> Self {
        Self {
            state: Mutex::new(State {
                modem,
                channels: Channels::default(),
                host: None,
            }),
        }
    }

    /// Does something with the modem; what it has to say goes to the host.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Modem, &mut Channels) -> T) -> T {
        let mut state = self.lock();
        let State {
            modem, channels, ..
        } = &mut *state;
        let result = act(modem, channels);
        state.flush();
        result
    }

    /// Serves one host after the other, for ever.
    ///
    /// # Errors
    /// The socket cannot be listened on any more.
    pub(crate) fn serve(&self, listener: &UnixListener) -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept()?;
            if let Err(error) = self.serve_host(stream) {
                tracing::warn!(%error, "host lost");
            }
            let mut state = self.lock();
            state.host = None;
            state.modem.close();
        }
    }

    fn serve_host(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_write_timeout(Some(PATIENCE))?;
        {
            let mut state = self.lock();
            state.host = Some(stream.try_clone()?);
            // What the modem had to say before.
            state.flush();
        }
        while let Some(frame) = read_frame(&mut stream)? {
            self.with(|modem, channels| modem.receive(&frame, channels));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sends what waits, if there is a host; one that does not read is let go.
    fn flush(&mut self) {
        while let Some(host) = &mut self.host {
            let Some(frame) = self.modem.take_frame() else {
                break;
            };
            if let Err(error) = host.write_all(&frame) {
                tracing::warn!(%error, "the host does not read");
                // Its reader sees the end, and all the rest follows.
                let _ = host.shutdown(std::net::Shutdown::Both);
                self.host = None;
            }
        }
        while let Some(event) = self.modem.take_event() {
            tracing::info!(?event, "event");
        }
    }
}

/// One frame of a stream, by the length in its header. `None` at the end.
fn read_frame(stream: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; 3];
    match stream.read_exact(&mut header) {
        Ok(()) => {}
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let [marker, low, high] = header;
    let rest = usize::from(u16::from_le_bytes([low, high])).checked_sub(2);
    let Some(rest) = rest.filter(|_| marker == 1) else {
        let words = "what the host sends is no QMUX frame";
        return Err(io::Error::new(ErrorKind::InvalidData, words));
    };
    let mut frame = header.to_vec();
    frame.resize(header.len() + rest, 0);
    if let Some(body) = frame.get_mut(header.len()..) {
        stream.read_exact(body)?;
    }
    Ok(Some(frame))
}
