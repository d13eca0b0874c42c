// SPDX-License-Identifier: GPL-2.0
//! The vfio-user side: regions, interrupts, DMA mappings and reset.
//! What the `vfio_user` crate leaves to its user is in `workarounds`.

mod workarounds;

use std::fs::File;
use std::io;
use std::os::fd::{
    OwnedFd,
    RawFd, //
};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use vfio_bindings::bindings::vfio::{
    vfio_region_info,
    VFIO_IRQ_INFO_EVENTFD,
    VFIO_IRQ_SET_ACTION_TRIGGER,
    VFIO_PCI_BAR0_REGION_INDEX,
    VFIO_PCI_BAR2_REGION_INDEX,
    VFIO_PCI_BAR4_REGION_INDEX,
    VFIO_PCI_CONFIG_REGION_INDEX,
    VFIO_PCI_INTX_IRQ_INDEX,
    VFIO_PCI_MSIX_IRQ_INDEX,
    VFIO_PCI_NUM_IRQS,
    VFIO_PCI_NUM_REGIONS,
    VFIO_REGION_INFO_FLAG_MMAP,
    VFIO_REGION_INFO_FLAG_READ,
    VFIO_REGION_INFO_FLAG_WRITE, //
};
use vfio_user::{
    DmaMapFlags,
    DmaUnmapFlags,
    IrqInfo,
    Server,
    ServerBackend,
    ServerRegion, //
};

use crate::modem::Modem;
use crate::msix::VECTORS;
use crate::pci;
use crate::shared::Shared;

/// Why serving ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody connected.
    #[error("no VMM connected within {0:?}")]
    NoConnection(Duration),
    /// The listening socket failed.
    #[error("waiting for a VMM failed: {0}")]
    Wait(#[source] io::Error),
    /// The connection broke.
    #[error("the connection to the VMM broke: {0}")]
    Broken(#[source] vfio_user::Error),
}

/// Serves one VMM from `listener` until it disconnects.
///
/// # Errors
/// Nobody connects within `patience`, or the connection breaks.
pub fn serve(
    shared: &Arc<Shared>,
    listener: UnixListener,
    patience: Duration,
) -> Result<(), Error> {
    match workarounds::wait_for_vmm(&listener, patience) {
        Ok(true) => {}
        Ok(false) => return Err(Error::NoConnection(patience)),
        Err(errno) => return Err(Error::Wait(errno.into())),
    }
    let smem = shared.with(|modem| modem.smem_fd());
    let server = Server::from_owned_fd(OwnedFd::from(listener), true, irqs(), regions(smem));
    let mut backend = Backend {
        shared: Arc::clone(shared),
    };
    server.run(&mut backend).map_err(Error::Broken)
}

fn irqs() -> Vec<IrqInfo> {
    (0..VFIO_PCI_NUM_IRQS)
        .map(|index| {
            let count = match index {
                // QEMU asks for it because there is a pin; never used.
                VFIO_PCI_INTX_IRQ_INDEX => 1,
                VFIO_PCI_MSIX_IRQ_INDEX => VECTORS.into(),
                _ => 0,
            };
            let flags = if count == 0 { 0 } else { VFIO_IRQ_INFO_EVENTFD };
            IrqInfo {
                index,
                flags,
                count,
            }
        })
        .collect()
}

fn regions(smem: RawFd) -> Vec<ServerRegion> {
    (0..VFIO_PCI_NUM_REGIONS)
        .map(|index| region(index, smem))
        .collect()
}

fn region(index: u32, smem: RawFd) -> ServerRegion {
    let size = match index {
        VFIO_PCI_BAR0_REGION_INDEX => pci::BAR0_SIZE.into(),
        VFIO_PCI_BAR2_REGION_INDEX => pci::BAR2_SIZE.into(),
        VFIO_PCI_BAR4_REGION_INDEX => pci::BAR4_SIZE.into(),
        VFIO_PCI_CONFIG_REGION_INDEX => pci::CONFIG_SIZE as u64,
        _ => 0,
    };
    let mut region_info = vfio_region_info {
        argsz: u32::try_from(size_of::<vfio_region_info>()).unwrap_or(0),
        index,
        size,
        ..Default::default()
    };
    if size != 0 {
        region_info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
    }
    let mapped = index == VFIO_PCI_BAR2_REGION_INDEX;
    let mut sparse_areas = Vec::new();
    if mapped {
        region_info.flags |= VFIO_REGION_INFO_FLAG_MMAP;
        sparse_areas = workarounds::whole_region(size);
    }
    ServerRegion {
        region_info,
        sparse_areas,
        mmap_fd: mapped.then_some(smem),
    }
}

struct Backend {
    shared: Arc<Shared>,
}

impl ServerBackend for Backend {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        self.shared.with(|modem| match region {
            VFIO_PCI_BAR0_REGION_INDEX => modem.bar0_read(offset, data),
            VFIO_PCI_CONFIG_REGION_INDEX => modem.config.read(offset, data),
            // SMEM is mapped, the MSI-X table is QEMU's own.
            _ => data.fill(0),
        });
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        self.shared.with(|modem| match region {
            VFIO_PCI_BAR0_REGION_INDEX => modem.bar0_write(offset, data),
            VFIO_PCI_CONFIG_REGION_INDEX => modem.config.write(offset, data),
            _ => {}
        });
        Ok(())
    }

    fn dma_map(
        &mut self,
        _flags: DmaMapFlags,
        offset: u64,
        address: u64,
        size: u64,
        fd: Option<File>,
    ) -> io::Result<()> {
        let Some(file) = fd else {
            // Our own mapped BAR comes back like this, without a file.
            tracing::debug!("mapping of {size:#x} bytes at {address:#x} without a file ignored");
            return Ok(());
        };
        tracing::debug!("DMA mapping of {size:#x} bytes at {address:#x}");
        self.shared.with(|modem| {
            if let Err(error) = modem.memory.map(file, offset, address, size) {
                workarounds::count_failure(modem, &error);
            }
        });
        Ok(())
    }

    fn dma_unmap(&mut self, flags: DmaUnmapFlags, address: u64, size: u64) -> io::Result<()> {
        self.shared.with(|modem| {
            if flags.contains(DmaUnmapFlags::UNMAP_ALL) {
                modem.memory.unmap_all();
            } else if let Err(error) = modem.memory.unmap(address, size) {
                // Of mappings without a file there is nothing to remove.
                tracing::debug!("unmap ignored: {error}");
            }
        });
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        tracing::info!("device reset");
        self.shared.with(Modem::reset);
        Ok(())
    }

    fn set_irqs(
        &mut self,
        index: u32,
        flags: u32,
        start: u32,
        count: u32,
        fds: Vec<File>,
    ) -> io::Result<()> {
        if index != VFIO_PCI_MSIX_IRQ_INDEX || flags & VFIO_IRQ_SET_ACTION_TRIGGER == 0 {
            return Ok(());
        }
        self.shared
            .with(|modem| workarounds::set_vectors(&mut modem.msix, start, count, fds));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each region is where QEMU looks for it; only SMEM can be mapped.
    #[test]
    fn region_table() {
        let table = regions(7);
        assert_eq!(table.len(), VFIO_PCI_NUM_REGIONS as usize);
        let sizes: Vec<_> = table.iter().map(|r| r.region_info.size).collect();
        assert_eq!(sizes, [0x8_0000, 0, 0x20_0000, 0, 0x1000, 0, 0, 256, 0]);
        let mapped: Vec<_> = table.iter().filter_map(|r| r.mmap_fd).collect();
        assert_eq!(mapped, [7]);
        assert_eq!(table[2].sparse_areas.len(), 1);
    }
}
