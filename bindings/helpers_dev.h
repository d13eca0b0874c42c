/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C functions for the Rust abstractions of devices, DMA and power: what is an inline function or
 * a macro in C, or needs fields of types that Rust has no use for otherwise.
 */

#ifndef BAM_DMUX_HELPERS_DEV_H
#define BAM_DMUX_HELPERS_DEV_H

#include <linux/types.h>

enum dma_data_direction;
enum dma_transfer_direction;
struct completion;
struct device;
struct dma_async_tx_descriptor;
struct dma_chan;
struct notifier_block;

/* --- Runtime PM --- */

int bam_dmux_helper_pm_runtime_get(struct device *dev);
int bam_dmux_helper_pm_runtime_resume_and_get(struct device *dev);
void bam_dmux_helper_pm_runtime_put_autosuspend(struct device *dev);
void bam_dmux_helper_pm_runtime_put_noidle(struct device *dev);
/* An enum rpm_status; RPM_INVALID without CONFIG_PM. */
int bam_dmux_helper_pm_runtime_status(const struct device *dev);
int bam_dmux_helper_pm_usage_count(const struct device *dev);
void bam_dmux_helper_pm_runtime_enable_autosuspend(struct device *dev, int delay_ms);
/* Cancels a pending request and waits for callbacks that run. */
void bam_dmux_helper_pm_runtime_disable_autosuspend(struct device *dev);

/* --- Wake-up from system sleep --- */

/*
 * Interrupt by which the controller of one of dev's interrupts is told itself. The name is that in
 * dev's node. A negative errno if it has none, or none in the devicetree.
 */
int bam_dmux_helper_of_parent_irq(const struct device *dev, const char *name);
int bam_dmux_helper_device_init_wakeup(struct device *dev, bool enable);
bool bam_dmux_helper_device_may_wakeup(struct device *dev);
/* The interrupt wakes the system whenever user space lets dev do so. */
int bam_dmux_helper_dev_pm_set_wake_irq(struct device *dev, int irq);
void bam_dmux_helper_dev_pm_clear_wake_irq(struct device *dev);
/* Whether an interrupt's controller lets it wake the system. */
int bam_dmux_helper_irq_can_wake(unsigned int irq);
void bam_dmux_helper_pm_stay_awake(struct device *dev);
void bam_dmux_helper_pm_wakeup_event(struct device *dev, unsigned int ms, bool hard);

/* --- Completion --- */

void bam_dmux_helper_reinit_completion(struct completion *c);

/* --- DMA mapping --- */

dma_addr_t bam_dmux_helper_dma_map_single(struct device *dev, void *ptr, size_t len,
					  enum dma_data_direction dir);
void bam_dmux_helper_dma_unmap_single(struct device *dev, dma_addr_t addr, size_t len,
				      enum dma_data_direction dir);
int bam_dmux_helper_dma_mapping_error(struct device *dev, dma_addr_t addr);

/* --- DMA engine --- */

struct dma_chan *bam_dmux_helper_dma_request_chan(struct device *dev, const char *name);
/* The device that it was requested for may be deleted by now, but not freed. */
void bam_dmux_helper_dma_release_channel(struct dma_chan *chan);
/* Whether the provider can take back what was handed to it. */
bool bam_dmux_helper_dmaengine_can_terminate(const struct dma_chan *chan);
struct device *bam_dmux_helper_dmaengine_get_dma_device(struct dma_chan *chan);
int bam_dmux_helper_dmaengine_set_maxburst(struct dma_chan *chan,
					   enum dma_transfer_direction dir, u32 maxburst);
struct dma_async_tx_descriptor *
bam_dmux_helper_dmaengine_prep_slave_single(struct dma_chan *chan, dma_addr_t addr, size_t len,
					    enum dma_transfer_direction dir, unsigned long flags);
/* A negative errno, or 0. From here on the callback may run. */
int bam_dmux_helper_dmaengine_submit(struct dma_async_tx_descriptor *desc,
				     void (*callback)(void *param), void *param);
void bam_dmux_helper_dma_async_issue_pending(struct dma_chan *chan);
int bam_dmux_helper_dmaengine_terminate_async(struct dma_chan *chan);
void bam_dmux_helper_dmaengine_synchronize(struct dma_chan *chan);

/* --- This module --- */

/* False while it is being unloaded. */
bool bam_dmux_helper_module_get(void);
void bam_dmux_helper_module_put(void);

/* --- What outlives a driver's time with a device --- */

void bam_dmux_helper_shelf_lock(void);
void bam_dmux_helper_shelf_unlock(void);

/* --- Restarts of a remote processor --- */

/*
 * Finds the remote processor whose driver has made this device; waits for a start or stop that is
 * under way, and keeps it from the next. Says whether it is stopped, or has crashed and is not
 * started yet. Returns a cookie for the other function, or NULL if there is no such processor.
 */
void *bam_dmux_helper_rproc_lock(struct device *dev, bool *stopped);
void bam_dmux_helper_rproc_unlock(void *cookie);

/*
 * NULL if this kernel has no restart notifications, or the module that sends them is not loaded.
 * Otherwise a cookie for the other function, or an error pointer.
 */
void *bam_dmux_helper_ssr_register(const char *name, struct notifier_block *nb);
/* Waits until the callback does not run any more. */
void bam_dmux_helper_ssr_unregister(void *cookie, struct notifier_block *nb);

#endif
