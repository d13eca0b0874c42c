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

    const TWO: Channel = match Channel::new(2) {
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
        assert_eq!(table.repeated(), 2);
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
        // Found in a buffer of before.
        assert_eq!(table.remote_open(ONE, 0), Change::Repeated);
        assert!(!table.is_remote_open(ONE));
        table.powered();
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

    /// The interface goes up only after the loss: the CLOSE may have arrived, or, lost together with
    /// the OPEN before it, was never needed. Either way the modem has to be told.
    #[test]
    fn lost_close_does_not_hide_a_later_open() {
        let mut table = opened();
        table.set_wanted(ONE, false);
        table.command_sent(ONE, Command::Close);
        table.command_lost(ONE, Command::Open);
        table.command_lost(ONE, Command::Close);
        assert_eq!(table.peek_command(), Some((ONE, Command::Close)));
        table.set_wanted(ONE, true);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
        table.command_sent(ONE, Command::Open);
        assert_eq!(table.peek_command(), None);
    }

    /// CLOSE and OPEN lost together, or one after the other, and the interface goes down again: the
    /// modem may have our half open all the time.
    #[test]
    fn lost_open_does_not_hide_a_lost_close() {
        for apart in [false, true] {
            let mut table = opened();
            table.set_wanted(ONE, false);
            table.command_sent(ONE, Command::Close);
            table.set_wanted(ONE, true);
            if apart {
                table.command_lost(ONE, Command::Close);
            }
            table.command_sent(ONE, Command::Open);
            if !apart {
                table.command_lost(ONE, Command::Close);
            }
            table.command_lost(ONE, Command::Open);
            assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
            table.set_wanted(ONE, false);
            assert_eq!(table.peek_command(), Some((ONE, Command::Close)));
            table.command_sent(ONE, Command::Close);
            assert_eq!(table.peek_command(), None);
        }
    }

    /// A CLOSE that was in flight to a modem which restarted is not owed to the new one.
    #[test]
    fn a_restarted_modem_gets_no_old_close() {
        let mut table = opened();
        table.set_wanted(ONE, false);
        table.command_sent(ONE, Command::Close);
        table.forget_all();
        table.command_lost(ONE, Command::Close);
        table.powered();
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

    /// Power comes and goes, and nothing is said: the channels are as they were.
    #[test]
    fn channels_outlive_the_power() {
        let mut table = opened();
        table.powered();
        assert!(table.accepts_data(ONE));
        assert_eq!(table.peek_command(), None);
    }

    /// An OPEN of an open channel, the first since power came back: new firmware. Our half is announced
    /// to it; a further OPEN is just repeated.
    #[test]
    fn a_silent_restart_announces_again() {
        let mut table = opened();
        table.powered();
        assert_eq!(table.remote_open(ONE, 0), Change::Reopened);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
        table.command_sent(ONE, Command::Open);
        assert_eq!(table.remote_open(ONE, 0), Change::Repeated);
        assert_eq!(table.peek_command(), None);
    }

    /// The power comes while OPEN is due, and it goes out before the modem's own: it went to the new
    /// firmware, which must not get a second one. Unless it did not arrive.
    #[test]
    fn an_early_open_is_not_repeated() {
        let mut table = opened();
        table.command_lost(ONE, Command::Open);
        table.powered();
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
        table.command_sent(ONE, Command::Open);
        assert_eq!(table.remote_open(ONE, 0), Change::Reopened);
        assert_eq!(table.peek_command(), None);
        table.command_lost(ONE, Command::Open);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
    }

    /// The same with a CLOSE behind it: that is owed to the new firmware, too.
    #[test]
    fn an_early_open_is_closed_again() {
        let mut table = opened();
        table.command_lost(ONE, Command::Open);
        table.powered();
        table.command_sent(ONE, Command::Open);
        table.set_wanted(ONE, false);
        table.command_sent(ONE, Command::Close);
        assert_eq!(table.remote_open(ONE, 0), Change::Reopened);
        table.command_lost(ONE, Command::Close);
        assert_eq!(table.peek_command(), Some((ONE, Command::Close)));
    }

    /// New firmware shows itself by one channel: what was announced on the others is void as well,
    /// also where the modem had closed its half.
    #[test]
    fn a_restart_voids_all_channels() {
        let mut table = opened();
        table.remote_close(ONE);
        table.remote_open(TWO, 0);
        table.powered();
        assert_eq!(table.remote_open(TWO, 0), Change::Reopened);
        assert_eq!(table.remote_open(ONE, 0), Change::Opened);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
    }

    /// Channels of a modem that was lost and has restarted, which it did not open again, are closed.
    #[test]
    fn a_restart_closes_what_is_not_opened() {
        let mut table = opened();
        table.remote_open(TWO, 0);
        table.hold_all();
        table.powered();
        assert_eq!(table.remote_open(TWO, 0), Change::Reopened);
        assert!(table.release_all());
        assert!(table.is_remote_open(TWO));
        assert!(!table.is_remote_open(ONE));
        assert_eq!(table.remote_open(ONE, 0), Change::Opened);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
    }

    /// What was sent to firmware of before the power came counts for nothing.
    #[test]
    fn an_open_of_before_is_repeated() {
        let mut table = opened();
        table.powered();
        table.set_wanted(ONE, false);
        table.command_sent(ONE, Command::Close);
        table.set_wanted(ONE, true);
        table.command_sent(ONE, Command::Open);
        table.powered();
        assert_eq!(table.remote_open(ONE, 0), Change::Reopened);
        assert_eq!(table.peek_command(), Some((ONE, Command::Open)));
    }

    /// A channel of a modem that was lost moves nothing until the modem opens it again.
    #[test]
    fn held_until_opened() {
        let mut table = opened();
        table.hold_all();
        assert!(table.is_held(ONE));
        assert!(!table.is_held(TWO));
        assert!(!table.is_remote_open(ONE));
        assert!(!table.accepts_data(ONE));
        table.set_wanted(ONE, false);
        assert_eq!(table.peek_command(), None);
        table.set_wanted(ONE, true);
        table.powered();
        assert_eq!(table.remote_open(ONE, 0), Change::Reopened);
        assert!(!table.is_held(ONE));
        assert!(table.accepts_data(ONE));
        assert!(!table.release_all());
    }

    /// A modem that was lost and does not open its channels has not restarted: nothing is announced
    /// twice.
    #[test]
    fn held_until_the_time_is_over() {
        let mut table = opened();
        table.hold_all();
        table.powered();
        assert!(table.release_all());
        assert!(table.accepts_data(ONE));
        assert_eq!(table.peek_command(), None);
    }

    /// What was closed while it was held stays closed.
    #[test]
    fn a_held_channel_can_be_closed() {
        let mut table = opened();
        table.hold_all();
        assert_eq!(table.remote_close(ONE), Change::Closed);
        assert!(!table.release_all());
        assert!(!table.accepts_data(ONE));
    }
}
