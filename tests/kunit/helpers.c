// SPDX-License-Identifier: GPL-2.0
/*
 * C functions for the KUnit tests. See helpers.h.
 */

#include <linux/netdevice.h>
#include <linux/preempt.h>
#include <linux/skbuff.h>

#include "helpers.h"

bool bam_dmux_kunit_in_softirq(void)
{
	return in_softirq();
}

bool bam_dmux_kunit_netpoll_disabled(const struct net_device *dev)
{
	return dev->priv_flags & IFF_DISABLE_NETPOLL;
}

int bam_dmux_kunit_dev_queue_xmit(struct net_device *dev, struct sk_buff *skb)
{
	skb->dev = dev;
	skb_reset_mac_header(skb);

	return dev_queue_xmit(skb);
}
