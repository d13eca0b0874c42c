// SPDX-License-Identifier: GPL-2.0

//! Pipes of a DMA engine that may have lost its power.

use super::{
    super::dma::{
        Direction,
        Mapped, //
    },
    Drained,
    Pipe, //
};

use core::mem::ManuallyDrop;

/// A [`Pipe`] that was put aside: the channel keeps its owner, and the buffers stay mapped, until it is
/// [shut down](Self::shutdown).
///
/// Dropping it leaks all of that, since shutting down touches the registers of the DMA engine. It also
/// leaks the receiver of the notifications. Callbacks may still come then, so the module must not be
/// unloaded any more ([`Pin`](super::super::module::Pin)).
#[must_use = "dropping it leaks a channel and its buffers"]
pub struct Parked<D: Direction, M>(ManuallyDrop<Pipe<D, M>>);

impl<D: Direction, M> Parked<D, M> {
    /// What was in flight, oldest first, each with whether its transfer has completed so far.
    pub fn contents(&self) -> impl Iterator<Item = (&M, bool)> {
        self.0.queue.iter().map(|((_, m), done)| (m, done))
    }

    /// How many buffers are in it.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight()
    }

    /// As [`Pipe::shutdown()`]. The DMA engine has power again.
    pub fn shutdown(self) -> Drained<(Mapped<D>, M)> {
        ManuallyDrop::into_inner(self.0).shutdown()
    }
}

impl<D: Direction, M> Pipe<D, M> {
    /// Puts the pipe aside as it is, for a DMA engine that may have lost its power: no register is
    /// touched. The engine may go on with what it has; nothing new can be submitted.
    ///
    /// Buffers are detached from their sockets, since they may stay for long.
    ///
    /// Any context.
    pub fn park(mut self) -> Parked<D, M> {
        for (mapped, _) in self.queue.values_mut() {
            mapped.orphan();
        }
        Parked(ManuallyDrop::new(self))
    }
}
