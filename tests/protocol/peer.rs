// SPDX-License-Identifier: GPL-2.0

//! The table of channels and the modem on its other side: what the host's tests and the fuzz
//! targets drive.

use std::mem;

use bam_dmux_protocol::{
    channels::ChannelTable,
    frame::{
        Channel,
        Command,
        CHANNELS, //
    }, //
};

/// What a modem and a user can do to the channels.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    RemoteOpen(Channel, u8),
    RemoteClose(Channel),
    Wanted(Channel, bool),
    /// Gives all due commands to the pipe.
    Send,
    /// The modem takes the commands in the pipe.
    Deliver,
    /// The power goes: commands in the pipe are lost.
    Lose,
    Restart,
    /// The modem restarts and Linux is not told: it sees the power go, perhaps, and come back. It
    /// sends what is due before it hears of the channels, perhaps.
    SilentRestart {
        noticed: bool,
        early: bool,
    },
    /// The power goes and comes back; Linux takes it for a loss, perhaps, but it is none.
    PowerCycle {
        suspected: bool,
    },
}

/// The modem's idea of our halves, and the commands on their way to it.
#[derive(Default)]
pub(crate) struct Peer {
    pub(crate) ours_open: [bool; CHANNELS],
    pub(crate) theirs_open: [bool; CHANNELS],
    pipe: Vec<(Channel, Command)>,
    pub(crate) wanted: [bool; CHANNELS],
    /// Whether a CLOSE got lost: the next OPEN may come twice.
    close_lost: [bool; CHANNELS],
    /// OPENs for channels that were open.
    pub(crate) doubled: usize,
}

impl Peer {
    pub(crate) fn send(&mut self, table: &mut ChannelTable) {
        while let Some((channel, command)) = table.peek_command() {
            table.command_sent(channel, command);
            self.pipe.push((channel, command));
        }
    }

    pub(crate) fn deliver(&mut self) {
        for (channel, command) in self.pipe.drain(..) {
            let open = command == Command::Open;
            let excused = mem::take(&mut self.close_lost[channel.index()]);
            let was_open = mem::replace(&mut self.ours_open[channel.index()], open);
            self.doubled += usize::from(open && was_open && !excused);
        }
    }

    fn lose(&mut self, table: &mut ChannelTable) {
        for (channel, command) in self.pipe.drain(..) {
            table.command_lost(channel, command);
            self.close_lost[channel.index()] |= command == Command::Close;
        }
    }

    pub(crate) fn apply(&mut self, table: &mut ChannelTable, event: &Event) {
        match *event {
            Event::RemoteOpen(channel, signal) => {
                // A modem that is awake opens what is closed.
                if !self.theirs_open[channel.index()] {
                    table.remote_open(channel, signal);
                }
                self.theirs_open[channel.index()] = true;
            }
            Event::RemoteClose(channel) => {
                self.theirs_open[channel.index()] = false;
                table.remote_close(channel);
            }
            Event::Wanted(channel, on) => {
                self.wanted[channel.index()] = on;
                table.set_wanted(channel, on);
            }
            Event::Send => self.send(table),
            Event::Deliver => self.deliver(),
            Event::Lose => self.lose(table),
            Event::Restart => self.restart(table),
            // Nothing can show that: see the limitations of the table.
            Event::SilentRestart { .. } if self.theirs_open == [false; CHANNELS] => {
                self.restart(table);
            }
            Event::SilentRestart { noticed, early } => {
                self.ours_open = [false; CHANNELS];
                self.power_cycle(table, noticed);
                if early {
                    self.send(table);
                }
                // Firmware opens its channels first of all.
                for channel in Channel::all() {
                    if self.theirs_open[channel.index()] {
                        table.remote_open(channel, 0);
                    }
                }
                table.release_all();
            }
            Event::PowerCycle { suspected } => {
                self.power_cycle(table, suspected);
                table.release_all();
            }
        }
    }

    fn restart(&mut self, table: &mut ChannelTable) {
        // As the driver has it: the restart is known before the pipe is taken down.
        table.forget_all();
        self.lose(table);
        self.ours_open = [false; CHANNELS];
        self.theirs_open = [false; CHANNELS];
        table.powered();
    }

    fn power_cycle(&mut self, table: &mut ChannelTable, suspected: bool) {
        if suspected {
            table.hold_all();
        }
        self.lose(table);
        table.powered();
    }
}
