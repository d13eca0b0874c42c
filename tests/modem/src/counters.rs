// SPDX-License-Identifier: GPL-2.0
//! What the modem counts: each counter once, with its meaning.

use serde::Serialize;

/// Declares [`Counters`]: first what Linux must never make the modem count,
/// then what is merely counted.
macro_rules! counters {
    (
        violations { $( $(#[doc = $vdoc:literal])+ $violation:ident, )+ }
        facts { $( $(#[doc = $fdoc:literal])+ $fact:ident, )+ }
    ) => {
        /// All counters, from the start of the process or the last
        /// `reset_counters`. In JSON a flat map from name to number.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
        pub struct Counters {
            $( $(#[doc = $vdoc])+ pub $violation: u64, )+
            $( $(#[doc = $fdoc])+ pub $fact: u64, )+
        }

        impl Counters {
            /// Names and values of the counters that stay 0 with a driver
            /// that keeps to the protocol.
            #[must_use]
            pub fn violations(&self) -> Vec<(&'static str, u64)> {
                vec![ $( (stringify!($violation), self.$violation), )+ ]
            }

            /// Each counter's name and its meaning, for the manual.
            #[must_use]
            pub fn meanings() -> Vec<(&'static str, &'static str)> {
                vec![
                    $( (stringify!($violation), concat!($($vdoc),+)), )+
                    $( (stringify!($fact), concat!($($fdoc),+)), )+
                ]
            }
        }
    };
}

counters! {
    violations {
        /// BAM registers touched while the BAM had no power.
        unpowered_access,
        /// DMA (descriptor or buffer) outside of what the guest has mapped.
        dma_outside_mapping,
        /// Doorbell register written with an offset that is no descriptor of the ring.
        bad_evnt,
        /// Doorbell of a pipe that is reset or not enabled.
        pipe_misuse,
        /// Register access that is not an aligned 32-bit one.
        bad_access,
        /// Access to an offset of BAR 0 where nothing is.
        unmapped_access,
        /// Mutex released by writing 0 while it was free.
        mutex_release_free,
        /// Transfers shorter than a frame header.
        short_transfer,
        /// Transfers longer than the modem's buffer: 2048 bytes, or what OPEN frames
        /// of both sides have agreed on.
        oversize_transfer,
        /// Frames whose magic is not 0x33fc.
        bad_magic,
        /// Frames with a command other than DATA, OPEN and CLOSE.
        bad_command,
        /// Frames for a channel above 7.
        bad_channel,
        /// Frames whose signal byte is not 0, and no answer to what the modem's OPEN
        /// has offered.
        nonzero_signal,
        /// Frames whose length and pad do not add up to the transfer.
        length_mismatch,
        /// Frames whose pad is above 4 or leaves the transfer unaligned.
        bad_pad,
        /// Frames with pad bytes other than 0: the sender's old memory.
        nonzero_pad,
        /// OPEN or CLOSE frames that carry bytes.
        command_with_data,
        /// DATA frames without a byte.
        empty_data,
        /// DATA frames on a channel that Linux has not opened.
        data_not_opened,
        /// DATA frames on a channel that the modem has not opened.
        data_modem_closed,
        /// OPEN for a channel that Linux had already opened.
        double_open,
        /// CLOSE for a channel that Linux had not opened.
        double_close,
        /// DATA frames that do not start as IPv4 or IPv6 do.
        not_ip,
        /// Linux' driver did not ack a change of the power line in time.
        ap_ack_timeout,
        /// Falls of the power line that Linux acked with a pipe still enabled: it says
        /// "disconnected" and is not.
        acked_connected,
        /// Firmware asserted because Linux did not ack a fall of the power line.
        asserts_fall,
        /// SMD states, positions and packets of Linux that make no sense.
        smd_bad,
    }
    facts {
        /// Of the unpowered accesses, those while the power line was high or
        /// its fall not acked, and those by the handler of the BAM's interrupt:
        /// Linux could not know.
        unpowered_unaware,
        /// Of the misused pipes, those that were reset because the BAM lost its power, since when
        /// Linux could not know, by the same rule.
        pipe_misuse_unaware,
        /// Frames of Linux that lay in the TX pipe when the BAM lost its power, or were put there before
        /// Linux could know.
        uplink_lost_unaware,
        /// Frames to Linux whose interrupt it had not served when the BAM lost its power, of which it
        /// could not know.
        downlink_lost_unaware,
        /// Acks of Linux, for whatever.
        acks_seen,
        /// Changes of the power line that no driver was there to ack.
        ap_absent,
        /// Acks of Linux when no change of the power line was waiting for one.
        ap_ack_unsolicited,
        /// Votes of Linux that rose.
        votes_up,
        /// Votes of Linux that fell.
        votes_down,
        /// Votes that changed before the one before was acked.
        vote_before_ack,
        /// Power line raised.
        power_ups,
        /// Power line lowered.
        power_downs,
        /// Power-ups that the modem began by itself.
        own_wakeups,
        /// Acks of Linux' votes.
        acks_sent,
        /// Acks of Linux' votes that were swallowed on request.
        acks_withheld,
        /// Falls of the power line in the same write as the ack of the un-vote.
        coalesced_falls,
        /// Hasty pairs of votes of which neither was acked.
        lost_pairs,
        /// Votes that waited for Linux' ack of a fall.
        votes_unanswered,
        /// Times that the modem hung at an un-vote, and crashed.
        hangs,
        /// Crashes by the timer of the profile.
        fatals,
        /// Times that the whole modem stood still for a while.
        freezes,
        /// Wake-ups by chance, with frames that nobody asked for.
        self_wakeups,
        /// These frames.
        self_wakeup_frames,
        /// Resets of the PCI function.
        device_resets,
        /// Software resets of the whole BAM.
        bam_resets,
        /// Resets of a single pipe.
        pipe_resets,
        /// Interrupts of the BAM.
        bam_irqs,
        /// Of these, sent again because a clear left the line high.
        bam_irqs_again,
        /// Interrupts of SMSM.
        smsm_irqs,
        /// Doorbells of Linux' SMSM.
        smsm_doorbells,
        /// Doorbells of Linux' SMD.
        smd_doorbells,
        /// Interrupts of SMD.
        smd_irqs,
        /// SMD packets from Linux.
        smd_packets_in,
        /// SMD packets to Linux.
        smd_packets_out,
        /// SMD packets to Linux that were dropped: nobody had the channel open, or took them.
        smd_undelivered,
        /// Doorbells of mailboxes that the modem does not have.
        other_doorbells,
        /// Writes of the TX pipe's doorbell register.
        tx_doorbells,
        /// Writes of the RX pipe's doorbell register.
        rx_doorbells,
        /// Transfers taken from the TX pipe.
        uplink_transfers,
        /// Their bytes.
        uplink_bytes,
        /// Well-formed DATA frames from Linux.
        uplink_frames,
        /// Payload bytes of these.
        uplink_payload_bytes,
        /// OPEN frames from Linux.
        uplink_opens,
        /// Of these, answers to what the modem's OPEN has offered.
        uplink_open_answers,
        /// CLOSE frames from Linux.
        uplink_closes,
        /// Frames with 4 pad bytes although they were aligned.
        pad4_when_aligned,
        /// Uplink packets that no network took, or that a restart found on their way.
        uplink_undelivered,
        /// Transfers of Linux that still lay in the TX pipe when the pipe was reset or
        /// its power went.
        uplink_lost,
        /// Frames written to the RX pipe.
        downlink_frames,
        /// Their bytes.
        downlink_bytes,
        /// OPEN frames to Linux.
        downlink_opens,
        /// CLOSE frames to Linux.
        downlink_closes,
        /// Transfers to Linux that were longer than the RX buffer and went on in
        /// the next.
        downlink_continued,
        /// Times that frames had to wait for an RX descriptor.
        rx_starved,
        /// Frames dropped because the downlink queue was full.
        downlink_queue_full,
        /// Packets from the network for a channel that is not open.
        downlink_channel_closed,
        /// Packets of Linux stopped by the gate: no call of their family on the channel.
        uplink_no_call,
        /// Packets of Linux stopped by the gate: not from the call's address.
        uplink_wrong_source,
        /// Packets of Linux stopped by the gate: multicast, broadcast or link-local.
        uplink_link_local,
        /// Frames of Linux that the modem took for no QMAP, after a program had asked for that.
        uplink_in_qmap,
        /// Packets from the network stopped by the gate: no call of their family on the channel.
        downlink_no_call,
        /// Packets from the network that are for no channel.
        downlink_unroutable,
        /// Frames altered on request.
        corrupted,
        /// Frames sent back on request.
        echoed,
        /// Recorded frames dropped because the record was full.
        record_full,
        /// Interrupts that report a crash of the modem's processor.
        mss_irqs,
        /// Commands that the backend could not carry out.
        backend_errors,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In JSON the counters are one flat map of numbers.
    #[test]
    fn flat_json() {
        let counters = Counters {
            unpowered_access: 3,
            ..Counters::default()
        };
        let value = serde_json::to_value(&counters).unwrap();
        assert_eq!(value["unpowered_access"], 3);
        assert_eq!(value.as_object().unwrap().len(), Counters::meanings().len());
        assert!(value
            .as_object()
            .unwrap()
            .values()
            .all(serde_json::Value::is_u64));
    }

    /// The harness finds each violation by name.
    #[test]
    fn violations_are_counters() {
        let counters = Counters {
            bad_magic: 1,
            uplink_frames: 7,
            ..Counters::default()
        };
        let raised: Vec<_> = counters
            .violations()
            .into_iter()
            .filter(|&(_, n)| n > 0)
            .collect();
        assert_eq!(raised, [("bad_magic", 1)]);
    }
}
