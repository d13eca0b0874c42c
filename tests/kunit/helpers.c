// SPDX-License-Identifier: GPL-2.0
/*
 * C functions for the KUnit tests. See helpers.h.
 */

#include <linux/netdevice.h>

#include "helpers.h"

bool bam_dmux_kunit_netpoll_disabled(const struct net_device *dev)
{
	return dev->priv_flags & IFF_DISABLE_NETPOLL;
}
