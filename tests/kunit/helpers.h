/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C functions that only KUnit tests need. As bindings/helpers.h in all else.
 */

#ifndef BAM_DMUX_KUNIT_HELPERS_H
#define BAM_DMUX_KUNIT_HELPERS_H

#include <linux/types.h>

struct net_device;
struct sk_buff;

bool bam_dmux_kunit_in_softirq(void);
/* Whether netconsole and its like are refused. */
bool bam_dmux_kunit_netpoll_disabled(const struct net_device *dev);
/* Sends a packet without a link layer's header through the stack. It consumes the packet. */
int bam_dmux_kunit_dev_queue_xmit(struct net_device *dev, struct sk_buff *skb);

#endif
