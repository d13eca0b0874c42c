/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C functions for the Rust abstractions in src/kabi: what the kernel has as a macro or a static
 * inline, and callbacks whose C prototype Rust cannot spell. bindgen reads this header, helpers.c
 * includes it, so that both see one set of prototypes.
 *
 * A helper does one thing and decides nothing; what it requires is what the wrapped function
 * requires, unless said here.
 */

#ifndef BAM_DMUX_HELPERS_H
#define BAM_DMUX_HELPERS_H

#include <linux/netdevice.h>
#include <linux/ratelimit.h>
#include <linux/skbuff.h>

struct devlink;

/* --- Layout check (layout.c, only with CONFIG_BAM_DMUX_KUNIT_TEST) --- */

/* Size of a type or offset of a field as the C compiler sees it. The last entry has no name. */
struct bam_dmux_layout {
	const char *name;
	size_t value;
};

extern const struct bam_dmux_layout bam_dmux_layouts[];

/* --- Rate limits --- */

void bam_dmux_helper_ratelimit_init(struct ratelimit_state *rs);

/* --- Locks --- */

void bam_dmux_helper_spin_lock_bh(spinlock_t *lock);
void bam_dmux_helper_spin_unlock_bh(spinlock_t *lock);
int bam_dmux_helper_spin_trylock_bh(spinlock_t *lock);

/* --- sk_buff --- */

unsigned char *bam_dmux_helper_skb_data(const struct sk_buff *skb);
unsigned int bam_dmux_helper_skb_headlen(const struct sk_buff *skb);
unsigned int bam_dmux_helper_skb_headroom(const struct sk_buff *skb);
/* 0 unless the buffer is linear. */
int bam_dmux_helper_skb_tailroom(const struct sk_buff *skb);
bool bam_dmux_helper_skb_is_nonlinear(const struct sk_buff *skb);
/* True if another sk_buff uses the same data. */
bool bam_dmux_helper_skb_cloned(const struct sk_buff *skb);
/* True if another sk_buff uses the headroom as well. */
bool bam_dmux_helper_skb_header_cloned(const struct sk_buff *skb);
void bam_dmux_helper_skb_reserve(struct sk_buff *skb, unsigned int len);
int bam_dmux_helper_skb_linearize(struct sk_buff *skb);
/* Back to zero bytes of data, and as much headroom as after __netdev_alloc_skb(). */
void bam_dmux_helper_skb_empty(struct sk_buff *skb);
/* Host byte order in and out. */
u16 bam_dmux_helper_skb_protocol(const struct sk_buff *skb);
void bam_dmux_helper_skb_set_protocol(struct sk_buff *skb, u16 protocol);
/* Detaches it from the socket and the connection that it belongs to. */
void bam_dmux_helper_skb_orphan(struct sk_buff *skb);
/* The software part of skb_tx_timestamp(): it does not look at skb->dev. */
void bam_dmux_helper_skb_tx_timestamp(struct sk_buff *skb);

/* --- net_device --- */

/*
 * Start of the private area of our network devices. ndo_start_xmit returns an enum, which Rust
 * cannot name in a function type; with CFI the types of a callback and of its caller must be the
 * same. So the callback is bam_dmux_ndo_start_xmit(), which calls on through this pointer.
 */
struct bam_dmux_netdev_priv {
	int (*start_xmit)(struct sk_buff *skb, struct net_device *dev);
};

netdev_tx_t bam_dmux_ndo_start_xmit(struct sk_buff *skb, struct net_device *dev);

void *bam_dmux_helper_netdev_priv(const struct net_device *dev);
int bam_dmux_helper_alloc_dstats(struct net_device *dev);
void bam_dmux_helper_free_dstats(struct net_device *dev);
void bam_dmux_helper_random_perm_addr(struct net_device *dev);
/* Only before the device is registered. */
void bam_dmux_helper_netdev_disable_netpoll(struct net_device *dev);
unsigned int bam_dmux_helper_msecs_to_jiffies(unsigned int ms);

bool bam_dmux_helper_netif_running(const struct net_device *dev);
bool bam_dmux_helper_netif_device_present(const struct net_device *dev);
bool bam_dmux_helper_netif_carrier_ok(const struct net_device *dev);
/* These four do nothing on a device that is being unregistered, or was. */
void bam_dmux_helper_netif_carrier_on(struct net_device *dev);
void bam_dmux_helper_netif_carrier_off(struct net_device *dev);
void bam_dmux_helper_netif_device_attach(struct net_device *dev);
void bam_dmux_helper_netif_device_detach(struct net_device *dev);

/* Transmit queue 0, the only one that our devices have. */
void bam_dmux_helper_txq_start(struct net_device *dev);
void bam_dmux_helper_txq_stop(struct net_device *dev);
/* Also works before the device has a qdisc, that is before it is registered. */
void bam_dmux_helper_txq_wake(struct net_device *dev);
bool bam_dmux_helper_txq_stopped(const struct net_device *dev);
bool bam_dmux_helper_txq_sent(struct net_device *dev, unsigned int bytes, bool more);
void bam_dmux_helper_txq_completed(struct net_device *dev, unsigned int pkts, unsigned int bytes);
bool bam_dmux_helper_xmit_more(void);

/* Process context or softirq. */
void bam_dmux_helper_dstats_rx_add(struct net_device *dev, unsigned int bytes);
void bam_dmux_helper_dstats_tx_add(struct net_device *dev, unsigned int pkts, unsigned int bytes);
void bam_dmux_helper_dstats_rx_dropped(struct net_device *dev);
void bam_dmux_helper_dstats_tx_dropped(struct net_device *dev);
/* Adds the per-CPU counters to *s. */
void bam_dmux_helper_dstats_fetch(const struct net_device *dev, struct rtnl_link_stats64 *s);

/* --- NAPI --- */

void bam_dmux_helper_netif_napi_add(struct net_device *dev, struct napi_struct *napi,
				    int (*poll)(struct napi_struct *napi, int budget));
void bam_dmux_helper_netif_napi_del(struct napi_struct *napi);
/* From any context. */
void bam_dmux_helper_napi_schedule(struct napi_struct *napi);
/* Hands all packets that GRO holds back to the stack. Only in the poll function. */
void bam_dmux_helper_napi_gro_flush(struct napi_struct *napi);
/* Sets the device and the headers' offsets of a raw IP packet. Only in the poll function. */
int bam_dmux_helper_napi_gro_receive(struct napi_struct *napi, struct net_device *dev,
				     struct sk_buff *skb);

/* --- devlink --- */

/*
 * An instance in the initial network namespace, without operations and private data, for a device
 * that has a driver. NULL if memory is short. Only with CONFIG_NET_DEVLINK.
 */
struct devlink *bam_dmux_helper_devlink_alloc(struct device *dev);

#endif
