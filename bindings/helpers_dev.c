// SPDX-License-Identifier: GPL-2.0
/*
 * C functions for the Rust abstractions of devices, DMA and power. See helpers_dev.h.
 */

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <linux/remoteproc/qcom_rproc.h>

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

void bam_dmux_helper_pm_runtime_mark_last_busy(struct device *dev)
{
	pm_runtime_mark_last_busy(dev);
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

void bam_dmux_helper_dma_release_channel(struct dma_chan *chan)
{
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

struct dma_async_tx_descriptor *
bam_dmux_helper_dmaengine_prep_slave_single(struct dma_chan *chan, dma_addr_t addr, size_t len,
					    enum dma_transfer_direction dir, unsigned long flags)
{
	return dmaengine_prep_slave_single(chan, addr, len, dir, flags);
}

int bam_dmux_helper_dmaengine_submit(struct dma_async_tx_descriptor *desc,
				     void (*callback)(void *param), void *param)
{
	desc->callback = callback;
	desc->callback_param = param;

	return dma_submit_error(dmaengine_submit(desc));
}

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

/* --- Restarts of a remote processor --- */

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
