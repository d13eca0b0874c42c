// SPDX-License-Identifier: GPL-2.0
/*
 * A DMA engine that moves nothing. See fake_dma.h.
 *
 * It behaves as drivers/dma/qcom/bam_dma.c does towards its clients: callbacks come from a tasklet,
 * terminating frees all descriptors under the lock under which the tasklet takes them, and there is
 * no device_synchronize.
 */

#include <linux/device/faux.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "fake_dma.h"

struct fake_desc {
	struct dma_async_tx_descriptor tx;
	struct list_head node;
};

struct bam_dmux_fake_dma {
	struct dma_device dma;
	struct dma_chan chan;
	struct faux_device *provider;
	struct faux_device *client;
	struct dma_slave_map map;
	struct tasklet_struct tasklet;
	bool starve;

	/* Protects the lists. */
	spinlock_t lock;
	struct list_head prepared;
	struct list_head submitted;
	struct list_head issued;
	struct list_head completed;
};

static struct bam_dmux_fake_dma *to_fake(struct dma_chan *chan)
{
	return container_of(chan, struct bam_dmux_fake_dma, chan);
}

static void fake_free(struct list_head *head)
{
	struct fake_desc *desc, *tmp;

	list_for_each_entry_safe(desc, tmp, head, node)
		kfree(desc);
}

static dma_cookie_t fake_submit(struct dma_async_tx_descriptor *tx)
{
	struct fake_desc *desc = container_of(tx, struct fake_desc, tx);
	struct bam_dmux_fake_dma *fake = to_fake(tx->chan);

	guard(spinlock_irqsave)(&fake->lock);
	list_move_tail(&desc->node, &fake->submitted);
	tx->cookie = ++fake->chan.cookie;

	return tx->cookie;
}

static struct dma_async_tx_descriptor *
fake_prep(struct dma_chan *chan, struct scatterlist *sgl, unsigned int sg_len,
	  enum dma_transfer_direction direction, unsigned long flags, void *context)
{
	struct bam_dmux_fake_dma *fake = to_fake(chan);
	struct fake_desc *desc;

	if (fake->starve)
		return NULL;

	desc = kzalloc_obj(*desc, GFP_NOWAIT);
	if (!desc)
		return NULL;

	dma_async_tx_descriptor_init(&desc->tx, chan);
	desc->tx.flags = flags;
	desc->tx.tx_submit = fake_submit;

	guard(spinlock_irqsave)(&fake->lock);
	list_add_tail(&desc->node, &fake->prepared);

	return &desc->tx;
}

static void fake_issue_pending(struct dma_chan *chan)
{
	struct bam_dmux_fake_dma *fake = to_fake(chan);

	guard(spinlock_irqsave)(&fake->lock);
	list_splice_tail_init(&fake->submitted, &fake->issued);
}

static int fake_terminate_all(struct dma_chan *chan)
{
	struct bam_dmux_fake_dma *fake = to_fake(chan);
	LIST_HEAD(head);

	scoped_guard(spinlock_irqsave, &fake->lock) {
		list_splice_tail_init(&fake->prepared, &head);
		list_splice_tail_init(&fake->submitted, &head);
		list_splice_tail_init(&fake->issued, &head);
		list_splice_tail_init(&fake->completed, &head);
	}
	fake_free(&head);

	return 0;
}

static int fake_config(struct dma_chan *chan, struct dma_slave_config *config)
{
	return 0;
}

static enum dma_status fake_tx_status(struct dma_chan *chan, dma_cookie_t cookie,
				      struct dma_tx_state *state)
{
	return DMA_IN_PROGRESS;
}

static void fake_tasklet(struct tasklet_struct *t)
{
	struct bam_dmux_fake_dma *fake = from_tasklet(fake, t, tasklet);
	struct fake_desc *desc, *tmp;
	LIST_HEAD(head);

	scoped_guard(spinlock_irqsave, &fake->lock)
		list_splice_tail_init(&fake->completed, &head);

	list_for_each_entry_safe(desc, tmp, &head, node) {
		desc->tx.callback(desc->tx.callback_param);
		kfree(desc);
	}
}

static bool fake_filter(struct dma_chan *chan, void *param)
{
	return chan->device == param;
}

static int fake_register(struct bam_dmux_fake_dma *fake)
{
	struct dma_device *dma = &fake->dma;

	dma_cap_set(DMA_SLAVE, dma->cap_mask);
	dma_cap_set(DMA_PRIVATE, dma->cap_mask);
	dma->dev = &fake->provider->dev;
	dma->directions = BIT(DMA_MEM_TO_DEV) | BIT(DMA_DEV_TO_MEM);
	dma->device_prep_slave_sg = fake_prep;
	dma->device_config = fake_config;
	dma->device_issue_pending = fake_issue_pending;
	dma->device_terminate_all = fake_terminate_all;
	dma->device_tx_status = fake_tx_status;

	fake->map.devname = dev_name(&fake->client->dev);
	fake->map.slave = "fake";
	fake->map.param = dma;
	dma->filter.fn = fake_filter;
	dma->filter.map = &fake->map;
	dma->filter.mapcnt = 1;

	INIT_LIST_HEAD(&dma->channels);
	fake->chan.device = dma;
	list_add_tail(&fake->chan.device_node, &dma->channels);

	return dma_async_device_register(dma);
}

struct bam_dmux_fake_dma *bam_dmux_fake_dma_create(void)
{
	struct bam_dmux_fake_dma *fake = kzalloc_obj(*fake);

	if (!fake)
		return NULL;

	spin_lock_init(&fake->lock);
	INIT_LIST_HEAD(&fake->prepared);
	INIT_LIST_HEAD(&fake->submitted);
	INIT_LIST_HEAD(&fake->issued);
	INIT_LIST_HEAD(&fake->completed);
	tasklet_setup(&fake->tasklet, fake_tasklet);

	fake->provider = faux_device_create("bam-dmux-fake-dma", NULL, NULL);
	if (!fake->provider)
		goto err_free;
	fake->client = faux_device_create("bam-dmux-fake-dma-client", NULL, NULL);
	if (!fake->client)
		goto err_provider;

	/* The client can have buffers mapped for itself too. */
	if (dma_coerce_mask_and_coherent(&fake->provider->dev, DMA_BIT_MASK(64)) ||
	    dma_coerce_mask_and_coherent(&fake->client->dev, DMA_BIT_MASK(64)) ||
	    fake_register(fake))
		goto err_client;

	return fake;

err_client:
	faux_device_destroy(fake->client);
err_provider:
	faux_device_destroy(fake->provider);
err_free:
	kfree(fake);
	return NULL;
}

void bam_dmux_fake_dma_destroy(struct bam_dmux_fake_dma *fake)
{
	dma_async_device_unregister(&fake->dma);
	tasklet_kill(&fake->tasklet);
	bam_dmux_fake_dma_remove_client(fake);
	faux_device_destroy(fake->provider);
	kfree(fake);
}

struct device *bam_dmux_fake_dma_client(struct bam_dmux_fake_dma *fake)
{
	return fake->client ? &fake->client->dev : NULL;
}

void bam_dmux_fake_dma_remove_client(struct bam_dmux_fake_dma *fake)
{
	if (!fake->client)
		return;

	/* It may stay in memory, but its name may not. */
	fake->map.devname = "";
	faux_device_destroy(fake->client);
	fake->client = NULL;
}

void bam_dmux_fake_dma_complete(struct bam_dmux_fake_dma *fake, unsigned int n)
{
	struct fake_desc *desc, *tmp;

	scoped_guard(spinlock_irqsave, &fake->lock) {
		list_for_each_entry_safe(desc, tmp, &fake->issued, node) {
			if (!n--)
				break;
			list_move_tail(&desc->node, &fake->completed);
		}
	}
	tasklet_schedule(&fake->tasklet);
}

void bam_dmux_fake_dma_starve(struct bam_dmux_fake_dma *fake, bool on)
{
	fake->starve = on;
}

unsigned int bam_dmux_fake_dma_submitted(struct bam_dmux_fake_dma *fake)
{
	guard(spinlock_irqsave)(&fake->lock);
	return list_count_nodes(&fake->submitted);
}

unsigned int bam_dmux_fake_dma_issued(struct bam_dmux_fake_dma *fake)
{
	guard(spinlock_irqsave)(&fake->lock);
	return list_count_nodes(&fake->issued);
}
