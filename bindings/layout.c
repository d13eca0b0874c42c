// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes and offsets as the C compiler sees them, for the KUnit test in src/kabi/bindings.rs.
 *
 * bindgen's own assertions compare rustc with libclang in one run. They do not notice that the C
 * objects were compiled with other options, nor that a type was taken from kernel::bindings, where
 * some are zero-sized stand-ins. This table does. It holds each type that Rust code embeds, creates
 * or reads a field of.
 */

#include "bindings_helper.h"

#define SIZE(type)		{ #type, sizeof(struct type) }
#define SIZE_TYPEDEF(type)	{ #type, sizeof(type) }
#define OFFSET(type, field)	{ #type "." #field, offsetof(struct type, field) }

const struct bam_dmux_layout bam_dmux_layouts[] = {
	/* Network */
	SIZE(net_device),
	OFFSET(net_device, netdev_ops),
	OFFSET(net_device, mtu),
	OFFSET(net_device, dev),
	OFFSET(net_device, dev_port),
	OFFSET(net_device, watchdog_timeo),
	SIZE(net_device_ops),
	OFFSET(net_device_ops, ndo_start_xmit),
	OFFSET(net_device_ops, ndo_tx_timeout),
	OFFSET(net_device_ops, ndo_get_stats64),
	SIZE(napi_struct),
	SIZE(rtnl_link_stats64),
	OFFSET(rtnl_link_stats64, rx_over_errors),
	SIZE(device_type),
	SIZE(sk_buff),
	OFFSET(sk_buff, len),
	OFFSET(sk_buff, protocol),
	SIZE(bam_dmux_netdev_priv),
	SIZE_TYPEDEF(spinlock_t),

	/* Devices, power management */
	SIZE(platform_driver),
	OFFSET(platform_driver, driver),
	OFFSET(platform_device, dev),
	SIZE(dev_pm_ops),
	OFFSET(dev_pm_ops, runtime_suspend),
	OFFSET(dev_pm_ops, runtime_resume),

	/* DMA */
	SIZE_TYPEDEF(dma_addr_t),

	/* Modem restarts */
	SIZE(notifier_block),
	SIZE(qcom_ssr_notify_data),
	OFFSET(qcom_ssr_notify_data, crashed),

	/* devlink */
	SIZE(devlink_health_reporter_ops),
	OFFSET(devlink_health_reporter_ops, name),
	OFFSET(devlink_health_reporter_ops, recover),
	OFFSET(devlink_health_reporter_ops, dump),
	OFFSET(devlink_health_reporter_ops, diagnose),
	OFFSET(devlink_health_reporter_ops, default_graceful_period),

	/* Work items, completions, rate limits */
	SIZE(work_struct),
	SIZE(delayed_work),
	OFFSET(delayed_work, work),
	SIZE(completion),
	SIZE(ratelimit_state),

	/* End of table */
	{ NULL, 0 },
};
