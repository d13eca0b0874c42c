// SPDX-License-Identifier: GPL-2.0

//! The platform driver: wiring only.

use kernel::{
    device::{
        Bound,
        Core,
        Device, //
    },
    new_mutex,
    of,
    platform,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::{
    debugfs::DebugFs,
    dmux::{
        AckLine,
        Dmux,
        PowerLine, //
    },
    kabi::{
        platform as kabi_platform,
        smsm::{
            Line,
            Listener, //
        },
        ssr::Notifier,
        wakeup, //
    },
    link::Link,
    protocol::handshake::AUTOSUSPEND_MS,
    ssr::RestartWatch, //
};

kernel::of_device_table!(OF_TABLE, (), [(of::DeviceId::new(c"qcom,bam-dmux"), ())]);

/// The driver.
pub(crate) struct BamDmux;

/// What can call in from outside, dropped in this order.
struct Callers {
    _wakeup: Option<wakeup::Registration>,
    restarts: Option<Pin<KBox<Notifier<RestartWatch>>>>,
    _power: Pin<KBox<Listener<PowerLine>>>,
    _ack: Pin<KBox<Listener<AckLine>>>,
}

/// Driver data of one bound device.
#[pin_data]
pub(crate) struct Data {
    dmux: Arc<Dmux>,
    #[pin]
    callers: Mutex<Option<Callers>>,
    #[pin]
    debugfs: DebugFs,
}

impl kabi_platform::Driver for BamDmux {
    type IdInfo = ();
    type Data = Data;
    const OF_ID_TABLE: Option<of::IdTable<()>> = Some(&OF_TABLE);
    const AUTOSUSPEND_MS: u32 = AUTOSUSPEND_MS;

    fn probe(
        pdev: &platform::Device<Core<'_>>,
        _info: Option<&Self::IdInfo>,
    ) -> impl PinInit<Self::Data, Error> {
        pin_init::pin_init_scope(move || {
            let dev: &Device = pdev.as_ref();
            let dmux = Dmux::new(dev, Link::new(pdev)?)?;
            Ok(try_pin_init!(Data {
                callers <- new_mutex!(None),
                debugfs <- DebugFs::new(dev, dmux.clone()),
                dmux,
            }? Error))
        })
    }

    fn start(pdev: &platform::Device<Bound>, data: Pin<&Self::Data>) -> Result {
        let dmux = &data.dmux;
        dmux.start()?;
        dmux.health.start(pdev.as_ref(), dmux)?;

        // From here on the modem's edges are heard. Edges of before are not missed: the levels
        // are looked at below.
        let link = &dmux.link;
        let callers = Callers {
            _wakeup: wakeup(pdev),
            _power: Listener::new(
                &link.power_line,
                c"bam-dmux-pc",
                Arc::new(PowerLine(dmux.clone()), GFP_KERNEL)?,
            )?,
            _ack: Listener::new(
                &link.ack_line,
                c"bam-dmux-pc-ack",
                Arc::new(AckLine(dmux.clone()), GFP_KERNEL)?,
            )?,
            restarts: Notifier::new(Arc::new(RestartWatch(dmux.clone()), GFP_KERNEL)?)?,
        };
        if let Some(restarts) = &callers.restarts {
            restarts.with_state(pdev.as_ref(), |stopped| link.found_firmware(stopped));
        }
        *data.callers.lock() = Some(callers);
        link.start(dmux);
        dev_dbg!(pdev, "bound, waiting for the modem to open channels\n");
        Ok(())
    }

    fn unbind(_pdev: &platform::Device<Bound>, data: Pin<&Self::Data>) {
        // First, so that nobody asks for recovery any more.
        data.dmux.health.stop();
        data.dmux.stop();
        let callers = data.callers.lock().take();
        // The lines are not heard any more; waits for handlers that are running. A stop of the firmware
        // still is: who reports it waits until the pipes are down.
        let restarts = callers.and_then(|callers| callers.restarts);
        data.dmux.take_down();
        drop(restarts);
        data.dmux.finish();
    }

    fn suspend(data: Pin<&Self::Data>) -> Result {
        data.dmux.suspend()
    }

    fn resume(data: Pin<&Self::Data>) {
        data.dmux.resume();
    }

    fn runtime_suspend(data: Pin<&Self::Data>) -> Result {
        data.dmux.link.release(&data.dmux)
    }

    fn runtime_resume(data: Pin<&Self::Data>) -> Result {
        data.dmux.vote_for_pm()
    }
}

/// Lets the modem wake the system, by the interrupt behind its power line.
///
/// On by default, unlike a network card's: firmware that raises its power line and is not acknowledged
/// crashes. Where it cannot be done, or user space forbids it, the system sleeps all the same.
fn wakeup(pdev: &platform::Device<Bound>) -> Option<wakeup::Registration> {
    Line::parent_irq(pdev, c"pc")
        .and_then(|irq| wakeup::Registration::new(pdev.as_ref(), irq))
        .inspect_err(|e| dev_info!(pdev, "the modem can't wake the system from sleep ({e:?})\n"))
        .ok()
}
