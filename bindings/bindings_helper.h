/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Input of bindgen: headers that the kernel crate does not bind, or binds only in part.
 *
 * What is taken from them is listed in bindgen_parameters. Each type is taken once: a type that
 * kernel::bindings has in full must not be listed there.
 */

#ifndef BAM_DMUX_BINDINGS_HELPER_H
#define BAM_DMUX_BINDINGS_HELPER_H

/*
 * First, because the kernel's own helper starts with it: some of the headers below need its
 * types complete.
 */
#include <linux/hrtimer_types.h>

/* Network: sk_buff, net_device, NAPI. */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <net/devlink.h>

/* Platform device, power management. */
#include <linux/platform_device.h>
#include <linux/pm_runtime.h>

/* DMA engine. */
#include <linux/dmaengine.h>

/* Shared memory, SMSM, modem restarts. */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/remoteproc/qcom_rproc.h>
#include <linux/soc/qcom/smem.h>
#include <linux/soc/qcom/smem_state.h>

/* Work items, completions. */
#include <linux/completion.h>
#include <linux/workqueue.h>

#include "helpers.h"
#include "helpers_dev.h"

/* For the in-kernel tests. */
#include "../tests/kunit/fake_dma.h"
#include "../tests/kunit/helpers.h"

#endif
