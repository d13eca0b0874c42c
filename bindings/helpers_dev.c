// SPDX-License-Identifier: GPL-2.0
/*
 * C functions for the Rust abstractions of devices, DMA and power. See helpers_dev.h.
 *
 * Those marked with ALLOW_ERROR_INJECTION() can be made to fail by the kernel's fail_function, for
 * tests; where it is not configured, the mark is nothing.
 */

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/err.h>
#include <linux/error-injection.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/of_irq.h>
#include <linux/pm_runtime.h>
#include <linux/pm_wakeirq.h>
#include <linux/pm_wakeup.h>
#include <linux/remoteproc.h>
#include <linux/remoteproc/qcom_rproc.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "helpers_dev.h"

/* --- Runtime PM --- */

int bam_dmux_helper_pm_runtime_get(struct device *dev)
{
	return pm_runtime_get(dev);
}

int bam_dmux_helper_pm_runtime_resume_and_get(struct device *dev)
{
	return pm_runtime_resume_and_get(dev);
}

void bam_dmux_helper_pm_runtime_put_autosuspend(struct device *dev)
{
	pm_runtime_put_autosuspend(dev);
}

void bam_dmux_helper_pm_runtime_put_noidle(struct device *dev)
{
	pm_runtime_put_noidle(dev);
}

int bam_dmux_helper_pm_runtime_status(const struct device *dev)
{
#ifdef CONFIG_PM
	return READ_ONCE(dev->power.runtime_status);
#else
	return RPM_INVALID;
#endif
}

int bam_dmux_helper_pm_usage_count(const struct device *dev)
{
#ifdef CONFIG_PM
	return atomic_read(&dev->power.usage_count);
#else
	return 0;
#endif
}

void bam_dmux_helper_pm_runtime_enable_autosuspend(struct device *dev, int delay_ms)
{
	pm_runtime_set_autosuspend_delay(dev, delay_ms);
	pm_runtime_use_autosuspend(dev);
	pm_runtime_enable(dev);
}

void bam_dmux_helper_pm_runtime_disable_autosuspend(struct device *dev)
{
	/*
	 * Without check_resume: pm_runtime_disable() would first run the resume that somebody has
	 * asked for, on a driver that is already torn down.
	 */
	__pm_runtime_disable(dev, false);
	pm_runtime_dont_use_autosuspend(dev);
}

/* --- Wake-up from system sleep --- */

int bam_dmux_helper_of_parent_irq(const struct device *dev, const char *name)
{
	struct of_phandle_args args;
	int index, irq;

	index = of_property_match_string(dev->of_node, "interrupt-names", name);
	if (index < 0)
		return index;

	irq = of_irq_parse_one(dev->of_node, index, &args);
	if (irq)
		return irq;

	irq = of_irq_get(args.np, 0);
	of_node_put(args.np);

	return irq ? irq : -ENXIO;
}

int bam_dmux_helper_device_init_wakeup(struct device *dev, bool enable)
{
	return device_init_wakeup(dev, enable);
}

bool bam_dmux_helper_device_may_wakeup(struct device *dev)
{
	return device_may_wakeup(dev);
}

int bam_dmux_helper_dev_pm_set_wake_irq(struct device *dev, int irq)
{
	return dev_pm_set_wake_irq(dev, irq);
}

void bam_dmux_helper_dev_pm_clear_wake_irq(struct device *dev)
{
	dev_pm_clear_wake_irq(dev);
}

int bam_dmux_helper_irq_can_wake(unsigned int irq)
{
	int ret;

	/* There is no way to ask but to do it. */
	ret = enable_irq_wake(irq);
	if (ret)
		return ret;

	return disable_irq_wake(irq);
}

void bam_dmux_helper_pm_stay_awake(struct device *dev)
{
	pm_stay_awake(dev);
}

void bam_dmux_helper_pm_wakeup_event(struct device *dev, unsigned int ms, bool hard)
{
	pm_wakeup_dev_event(dev, ms, hard);
}

/* --- Completion --- */

void bam_dmux_helper_reinit_completion(struct completion *c)
{
	reinit_completion(c);
}

/* --- DMA mapping --- */

dma_addr_t bam_dmux_helper_dma_map_single(struct device *dev, void *ptr, size_t len,
					  enum dma_data_direction dir)
{
	return dma_map_single(dev, ptr, len, dir);
}
ALLOW_ERROR_INJECTION(bam_dmux_helper_dma_map_single, ERRNO);

void bam_dmux_helper_dma_unmap_single(struct device *dev, dma_addr_t addr, size_t len,
				      enum dma_data_direction dir)
{
	dma_unmap_single(dev, addr, len, dir);
}

int bam_dmux_helper_dma_mapping_error(struct device *dev, dma_addr_t addr)
{
	return dma_mapping_error(dev, addr);
}

/* --- DMA engine --- */

struct dma_chan *bam_dmux_helper_dma_request_chan(struct device *dev, const char *name)
{
	return dma_request_chan(dev, name);
}
ALLOW_ERROR_INJECTION(bam_dmux_helper_dma_request_chan, ERRNO);

void bam_dmux_helper_dma_release_channel(struct dma_chan *chan)
{
	/*
	 * Links in sysfs go with the device in whose directory they are, and the core would
	 * warn that there is no directory to remove its link from. Only the channel's owner
	 * changes these fields.
	 */
	if (chan->slave && !device_is_registered(chan->slave)) {
		sysfs_remove_link(&chan->dev->device.kobj, "slave");
		kfree(chan->name);
		chan->name = NULL;
		chan->slave = NULL;
	}

	dma_release_channel(chan);
}

bool bam_dmux_helper_dmaengine_can_terminate(const struct dma_chan *chan)
{
	return chan->device->device_terminate_all;
}

struct device *bam_dmux_helper_dmaengine_get_dma_device(struct dma_chan *chan)
{
	return dmaengine_get_dma_device(chan);
}

int bam_dmux_helper_dmaengine_set_maxburst(struct dma_chan *chan,
					   enum dma_transfer_direction dir, u32 maxburst)
{
	struct dma_slave_config config = { .direction = dir };

	if (dir == DMA_MEM_TO_DEV)
		config.dst_maxburst = maxburst;
	else
		config.src_maxburst = maxburst;

	return dmaengine_slave_config(chan, &config);
}
ALLOW_ERROR_INJECTION(bam_dmux_helper_dmaengine_set_maxburst, ERRNO);

struct dma_async_tx_descriptor *
bam_dmux_helper_dmaengine_prep_slave_single(struct dma_chan *chan, dma_addr_t addr, size_t len,
					    enum dma_transfer_direction dir, unsigned long flags)
{
	return dmaengine_prep_slave_single(chan, addr, len, dir, flags);
}
ALLOW_ERROR_INJECTION(bam_dmux_helper_dmaengine_prep_slave_single, NULL);

int bam_dmux_helper_dmaengine_submit(struct dma_async_tx_descriptor *desc,
				     void (*callback)(void *param), void *param)
{
	desc->callback = callback;
	desc->callback_param = param;

	return dma_submit_error(dmaengine_submit(desc));
}
ALLOW_ERROR_INJECTION(bam_dmux_helper_dmaengine_submit, ERRNO);

void bam_dmux_helper_dma_async_issue_pending(struct dma_chan *chan)
{
	dma_async_issue_pending(chan);
}

int bam_dmux_helper_dmaengine_terminate_async(struct dma_chan *chan)
{
	return dmaengine_terminate_async(chan);
}

void bam_dmux_helper_dmaengine_synchronize(struct dma_chan *chan)
{
	dmaengine_synchronize(chan);
}

/* --- This module --- */

bool bam_dmux_helper_module_get(void)
{
	return try_module_get(THIS_MODULE);
}

void bam_dmux_helper_module_put(void)
{
	module_put(THIS_MODULE);
}

/* --- What outlives a driver's time with a device --- */

/* Protects all lists of it. In C, since it has to be there from the start on. */
static DEFINE_MUTEX(bam_dmux_shelf_mutex);

void bam_dmux_helper_shelf_lock(void)
{
	mutex_lock(&bam_dmux_shelf_mutex);
}

void bam_dmux_helper_shelf_unlock(void)
{
	mutex_unlock(&bam_dmux_shelf_mutex);
}

/* --- Restarts of a remote processor --- */

static int bam_dmux_is_rproc(struct device *dev, const void *unused)
{
	return dev->class && !strcmp(dev->class->name, "remoteproc");
}

void *bam_dmux_helper_rproc_lock(struct device *dev, bool *stopped)
{
	struct device *child;
	struct rproc *rproc;

	*stopped = false;
	child = dev->parent ? device_find_child(dev->parent, NULL, bam_dmux_is_rproc) : NULL;
	if (!child)
		return NULL;

	rproc = container_of(child, struct rproc, dev);
	mutex_lock(&rproc->lock);
	*stopped = rproc->state == RPROC_OFFLINE || rproc->state == RPROC_CRASHED;

	return rproc;
}

void bam_dmux_helper_rproc_unlock(void *cookie)
{
	struct rproc *rproc = cookie;

	if (!rproc)
		return;

	mutex_unlock(&rproc->lock);
	put_device(&rproc->dev);
}

#if IS_ENABLED(CONFIG_QCOM_RPROC_COMMON)

/*
 * Looked up and not linked: a plain call would make the remoteproc modules a precondition of
 * loading this one, on machines that have no use for them too. Where the modem is started by
 * Linux, its remoteproc driver creates our device, so the module is there before we look.
 */
void *bam_dmux_helper_ssr_register(const char *name, struct notifier_block *nb)
{
	void *(*reg)(const char *name, struct notifier_block *nb);
	void *cookie;

	reg = symbol_get(qcom_register_ssr_notifier);
	if (!reg)
		return NULL;

	cookie = reg(name, nb);
	if (IS_ERR(cookie))
		symbol_put(qcom_register_ssr_notifier);

	return cookie;
}

void bam_dmux_helper_ssr_unregister(void *cookie, struct notifier_block *nb)
{
	int (*unreg)(void *cookie, struct notifier_block *nb);

	/* Cannot fail: the reference taken at registration keeps the module loaded. */
	unreg = symbol_get(qcom_unregister_ssr_notifier);
	if (!unreg)
		return;

	unreg(cookie, nb);
	symbol_put(qcom_unregister_ssr_notifier);
	symbol_put(qcom_register_ssr_notifier);
}

#else

void *bam_dmux_helper_ssr_register(const char *name, struct notifier_block *nb)
{
	return NULL;
}

void bam_dmux_helper_ssr_unregister(void *cookie, struct notifier_block *nb)
{
}

#endif
