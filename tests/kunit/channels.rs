// SPDX-License-Identifier: GPL-2.0

//! Tests of `src/protocol/channels.rs`, run on the host and by `KUnit`.

#[cfg_attr(
    CONFIG_BAM_DMUX_KUNIT_TEST,
    kernel::prelude::kunit_tests(bam_dmux_channels)
)]
mod cases {
    use super::super::*;

    const ONE: Channel = match Channel::new(1) {
        Some(channel) => channel,
        None => unreachable!(),
    };

    /// The modem has channel 1 open and its interface is up; OPEN was sent.
    fn opened() -> ChannelTable {
        let mut table = ChannelTable::new();
        table.remote_open(ONE, 0);
        table.set_wanted(ONE, true);
        table.command_sent(ONE, Command::Open);
        table
    }

    /// An interface that goes up and down sends OPEN and CLOSE, each once.
    #[test]
    fn open_and_close_are_sent_once() {
        let mut table = ChannelTable::new();
        table.remote_open(ONE, 0);
        table.set_wanted(ONE, true);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
        table.command_sent(ONE, Command::Open);
        assert_eq!(table.peek_command(), None);
        table.set_wanted(ONE, false);
        assert_eq!(table.peek_command(), Some((ONE, Command::Close)));
        table.command_sent(ONE, Command::Close);
        assert_eq!(table.peek_command(), None);
    }

    /// Up and down again before anything could be sent: the modem need not know.
    #[test]
    fn a_short_up_costs_no_command() {
        let mut table = ChannelTable::new();
        table.remote_open(ONE, 0);
        table.set_wanted(ONE, true);
        table.set_wanted(ONE, false);
        assert_eq!(table.peek_command(), None);
    }

    /// Commands of several channels are independent and come in the channels' order.
    #[test]
    fn each_channel_has_its_own_state() {
        let mut table = ChannelTable::new();
        for channel in Channel::all() {
            table.remote_open(channel, 0);
            table.set_wanted(channel, true);
        }
        table.remote_close(ONE);
        let mut sent = 0;
        while let Some((channel, command)) = table.peek_command() {
            assert_eq!(command, Command::Open);
            assert!(channel != ONE);
            table.command_sent(channel, command);
            sent += 1;
        }
        assert_eq!(sent, CHANNELS - 1);
    }

    /// The modem is told of its own open halves only: OPEN waits for the modem's.
    #[test]
    fn open_waits_for_the_modem() {
        let mut table = ChannelTable::new();
        table.set_wanted(ONE, true);
        assert_eq!(table.peek_command(), None);
        assert!(!table.accepts_data(ONE));
        table.remote_open(ONE, 0);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
        assert!(table.accepts_data(ONE));
    }

    /// Repeated OPEN and CLOSE of the modem change nothing and are counted.
    #[test]
    fn repeated_commands_are_harmless() {
        let mut table = ChannelTable::new();
        assert_eq!(table.remote_close(ONE), Change::Repeated);
        assert!(table.remote_open(ONE, 0).needs_interface());
        assert!(!table.remote_open(ONE, 2).needs_interface());
        assert!(table.is_remote_open(ONE));
        assert!(table.remote_close(ONE).needs_interface());
        assert!(!table.is_remote_open(ONE));
        assert_eq!(table.repeated, 2);
    }

    /// A CLOSE of the modem stops data; its next OPEN lets it flow without a command of ours.
    #[test]
    fn our_half_outlives_the_modems() {
        let mut table = opened();
        table.remote_close(ONE);
        assert!(!table.accepts_data(ONE));
        table.remote_open(ONE, 0);
        assert!(table.accepts_data(ONE));
        assert_eq!(table.peek_command(), None);
    }

    /// After a restart of the modem OPEN is due again, as soon as the modem has the channel.
    #[test]
    fn a_restart_announces_again() {
        let mut table = opened();
        table.forget_all();
        assert!(!table.is_remote_open(ONE));
        assert_eq!(table.peek_command(), None);
        assert_eq!(table.remote_open(ONE, 0), Change::Opened);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
    }

    /// Commands that were lost with the power are due again.
    #[test]
    fn lost_commands_are_repeated() {
        let mut table = opened();
        table.command_lost(ONE, Command::Open);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));

        let mut table = opened();
        table.set_wanted(ONE, false);
        table.command_sent(ONE, Command::Close);
        table.command_lost(ONE, Command::Close);
        assert_eq!(table.peek_command(), Some((ONE, Command::Close)));
    }

    /// CLOSE and OPEN lost together: OPEN is due, whichever of them the modem saw.
    #[test]
    fn lost_close_does_not_hide_an_open() {
        let mut table = opened();
        table.set_wanted(ONE, false);
        table.command_sent(ONE, Command::Close);
        table.set_wanted(ONE, true);
        table.command_lost(ONE, Command::Close);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
    }

    /// A CLOSE that was in flight to a modem which restarted is not owed to the new one.
    #[test]
    fn a_restarted_modem_gets_no_old_close() {
        let mut table = opened();
        table.set_wanted(ONE, false);
        table.command_sent(ONE, Command::Close);
        table.forget_all();
        table.command_lost(ONE, Command::Close);
        table.remote_open(ONE, 0);
        assert_eq!(table.peek_command(), None);
    }

    /// What the modem said of its buffers can be looked up, until it restarts.
    #[test]
    fn offers_are_kept() {
        let mut table = ChannelTable::new();
        table.remote_open(ONE, 0x42);
        assert_eq!(table.state(ONE).offer.uplink_buffer, 4096);
        table.forget_all();
        assert_eq!(table.state(ONE).offer.uplink_buffer, 2048);
    }
}
