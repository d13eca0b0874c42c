// SPDX-License-Identifier: GPL-2.0
/*
 * C functions for the Rust abstractions in src/kabi. See helpers.h for what each one requires.
 */

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/ratelimit.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/u64_stats_sync.h>
#include <net/devlink.h>
#include <net/gro.h>
#include <net/netdev_queues.h>

#include "helpers.h"

/* --- Rate limits --- */

void bam_dmux_helper_ratelimit_init(struct ratelimit_state *rs)
{
	ratelimit_default_init(rs);
}

/* --- Locks --- */

void bam_dmux_helper_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

void bam_dmux_helper_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

int bam_dmux_helper_spin_trylock_bh(spinlock_t *lock)
{
	return spin_trylock_bh(lock);
}

/* --- sk_buff --- */

unsigned char *bam_dmux_helper_skb_data(const struct sk_buff *skb)
{
	return skb->data;
}

unsigned int bam_dmux_helper_skb_headlen(const struct sk_buff *skb)
{
	return skb_headlen(skb);
}

unsigned int bam_dmux_helper_skb_headroom(const struct sk_buff *skb)
{
	return skb_headroom(skb);
}

int bam_dmux_helper_skb_tailroom(const struct sk_buff *skb)
{
	return skb_tailroom(skb);
}

bool bam_dmux_helper_skb_is_nonlinear(const struct sk_buff *skb)
{
	return skb_is_nonlinear(skb);
}

bool bam_dmux_helper_skb_cloned(const struct sk_buff *skb)
{
	return skb_cloned(skb);
}

bool bam_dmux_helper_skb_header_cloned(const struct sk_buff *skb)
{
	return skb_header_cloned(skb);
}

void bam_dmux_helper_skb_reserve(struct sk_buff *skb, unsigned int len)
{
	skb_reserve(skb, len);
}

int bam_dmux_helper_skb_linearize(struct sk_buff *skb)
{
	return skb_linearize(skb);
}

void bam_dmux_helper_skb_empty(struct sk_buff *skb)
{
	skb->data = skb->head + NET_SKB_PAD;
	skb->len = 0;
	skb_reset_tail_pointer(skb);
}

u16 bam_dmux_helper_skb_protocol(const struct sk_buff *skb)
{
	return ntohs(skb->protocol);
}

void bam_dmux_helper_skb_set_protocol(struct sk_buff *skb, u16 protocol)
{
	skb->protocol = htons(protocol);
}

void bam_dmux_helper_skb_orphan(struct sk_buff *skb)
{
	skb_orphan(skb);
	nf_reset_ct(skb);
}

void bam_dmux_helper_skb_tx_timestamp(struct sk_buff *skb)
{
	if (skb_shinfo(skb)->tx_flags & (SKBTX_SW_TSTAMP | SKBTX_BPF))
		skb_tstamp_tx(skb, NULL);
}

/* --- net_device --- */

netdev_tx_t bam_dmux_ndo_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	const struct bam_dmux_netdev_priv *priv = netdev_priv(dev);

	return priv->start_xmit(skb, dev) ? NETDEV_TX_BUSY : NETDEV_TX_OK;
}

void *bam_dmux_helper_netdev_priv(const struct net_device *dev)
{
	return netdev_priv(dev);
}

/*
 * The device owns its counters. If the core did (pcpu_stat_type), they would exist only between
 * registering and unregistering, and the driver may count outside of that.
 */
int bam_dmux_helper_alloc_dstats(struct net_device *dev)
{
	dev->dstats = netdev_alloc_pcpu_stats(struct pcpu_dstats);
	return dev->dstats ? 0 : -ENOMEM;
}

void bam_dmux_helper_free_dstats(struct net_device *dev)
{
	free_percpu(dev->dstats);
	dev->dstats = NULL;
}

void bam_dmux_helper_random_perm_addr(struct net_device *dev)
{
	dev->addr_assign_type = NET_ADDR_RANDOM;
	eth_random_addr(dev->perm_addr);
}

void bam_dmux_helper_netdev_disable_netpoll(struct net_device *dev)
{
	dev->priv_flags |= IFF_DISABLE_NETPOLL;
}

unsigned int bam_dmux_helper_msecs_to_jiffies(unsigned int ms)
{
	return msecs_to_jiffies(ms);
}

bool bam_dmux_helper_netif_running(const struct net_device *dev)
{
	return netif_running(dev);
}

bool bam_dmux_helper_netif_device_present(const struct net_device *dev)
{
	return netif_device_present(dev);
}

bool bam_dmux_helper_netif_carrier_ok(const struct net_device *dev)
{
	return netif_carrier_ok(dev);
}

/*
 * Link events and the watchdog timer take a reference to the device. On a device that is gone it
 * would come too late for the waiting in unregister_netdevice(). That function lets an RCU grace
 * period pass after it has changed reg_state, so inside a reader a look at it is enough.
 */
static bool netdev_may_hold(const struct net_device *dev)
{
	u8 state = READ_ONCE(dev->reg_state);

	return state == NETREG_UNINITIALIZED || state == NETREG_REGISTERED;
}

void bam_dmux_helper_netif_carrier_on(struct net_device *dev)
{
	guard(rcu)();
	if (netdev_may_hold(dev))
		netif_carrier_on(dev);
}

void bam_dmux_helper_netif_carrier_off(struct net_device *dev)
{
	guard(rcu)();
	if (netdev_may_hold(dev))
		netif_carrier_off(dev);
}

void bam_dmux_helper_netif_device_attach(struct net_device *dev)
{
	guard(rcu)();
	if (netdev_may_hold(dev))
		netif_device_attach(dev);
}

void bam_dmux_helper_netif_device_detach(struct net_device *dev)
{
	guard(rcu)();
	if (netdev_may_hold(dev))
		netif_device_detach(dev);
}

void bam_dmux_helper_txq_start(struct net_device *dev)
{
	netif_tx_start_queue(netdev_get_tx_queue(dev, 0));
}

void bam_dmux_helper_txq_stop(struct net_device *dev)
{
	netif_tx_stop_queue(netdev_get_tx_queue(dev, 0));
}

void bam_dmux_helper_txq_wake(struct net_device *dev)
{
	struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);

	if (rcu_access_pointer(txq->qdisc))
		netif_tx_wake_queue(txq);
	else
		netif_tx_start_queue(txq);
}

bool bam_dmux_helper_txq_stopped(const struct net_device *dev)
{
	return netif_tx_queue_stopped(netdev_get_tx_queue(dev, 0));
}

bool bam_dmux_helper_txq_sent(struct net_device *dev, unsigned int bytes, bool more)
{
	return __netdev_tx_sent_queue(netdev_get_tx_queue(dev, 0), bytes, more);
}

void bam_dmux_helper_txq_completed(struct net_device *dev, unsigned int pkts, unsigned int bytes)
{
	netdev_tx_completed_queue(netdev_get_tx_queue(dev, 0), pkts, bytes);
}

bool bam_dmux_helper_xmit_more(void)
{
	return netdev_xmit_more();
}

/*
 * A softirq on the same CPU must not come between the two halves of an update, so softirqs are off
 * whatever the caller's context is.
 */
void bam_dmux_helper_dstats_rx_add(struct net_device *dev, unsigned int bytes)
{
	local_bh_disable();
	dev_dstats_rx_add(dev, bytes);
	local_bh_enable();
}

void bam_dmux_helper_dstats_tx_add(struct net_device *dev, unsigned int pkts, unsigned int bytes)
{
	struct pcpu_dstats *stats;

	local_bh_disable();
	stats = this_cpu_ptr(dev->dstats);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->tx_packets, pkts);
	u64_stats_add(&stats->tx_bytes, bytes);
	u64_stats_update_end(&stats->syncp);
	local_bh_enable();
}

void bam_dmux_helper_dstats_rx_dropped(struct net_device *dev)
{
	local_bh_disable();
	dev_dstats_rx_dropped(dev);
	local_bh_enable();
}

void bam_dmux_helper_dstats_tx_dropped(struct net_device *dev)
{
	local_bh_disable();
	dev_dstats_tx_dropped(dev);
	local_bh_enable();
}

void bam_dmux_helper_dstats_fetch(const struct net_device *dev, struct rtnl_link_stats64 *s)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct pcpu_dstats *stats = per_cpu_ptr(dev->dstats, cpu);
		u64 rxp, rxb, rxd, txp, txb, txd;
		unsigned int start;

		do {
			start = u64_stats_fetch_begin(&stats->syncp);
			rxp = u64_stats_read(&stats->rx_packets);
			rxb = u64_stats_read(&stats->rx_bytes);
			rxd = u64_stats_read(&stats->rx_drops);
			txp = u64_stats_read(&stats->tx_packets);
			txb = u64_stats_read(&stats->tx_bytes);
			txd = u64_stats_read(&stats->tx_drops);
		} while (u64_stats_fetch_retry(&stats->syncp, start));

		s->rx_packets += rxp;
		s->rx_bytes += rxb;
		s->rx_dropped += rxd;
		s->tx_packets += txp;
		s->tx_bytes += txb;
		s->tx_dropped += txd;
	}
}

/* --- NAPI --- */

void bam_dmux_helper_netif_napi_add(struct net_device *dev, struct napi_struct *napi,
				    int (*poll)(struct napi_struct *napi, int budget))
{
	netif_napi_add(dev, napi, poll);
}

void bam_dmux_helper_netif_napi_del(struct napi_struct *napi)
{
	netif_napi_del(napi);
}

void bam_dmux_helper_napi_schedule(struct napi_struct *napi)
{
	/*
	 * From a task, the softirq is only raised; nobody would run it until the next interrupt.
	 * local_bh_enable() does, but must not be called with interrupts off.
	 */
	if (in_hardirq() || irqs_disabled()) {
		napi_schedule(napi);
		return;
	}
	local_bh_disable();
	napi_schedule(napi);
	local_bh_enable();
}

void bam_dmux_helper_napi_gro_flush(struct napi_struct *napi)
{
	napi_gro_flush(napi, false);
}

int bam_dmux_helper_napi_gro_receive(struct napi_struct *napi, struct net_device *dev,
				     struct sk_buff *skb)
{
	skb->dev = dev;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	return napi_gro_receive(napi, skb);
}

/* --- devlink --- */

#if IS_ENABLED(CONFIG_NET_DEVLINK)
struct devlink *bam_dmux_helper_devlink_alloc(struct device *dev)
{
	static const struct devlink_ops no_ops;

	return devlink_alloc(&no_ops, 0, dev);
}
#endif
