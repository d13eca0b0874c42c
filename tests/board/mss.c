// SPDX-License-Identifier: GPL-2.0
/*
 * The modem as a remote processor: stands in for qcom_q6v5_mss of a phone.
 *
 * What surrounds the modem is the kernel's own: the remoteproc core, and the
 * SMD edge and the restart notifications of its Qualcomm helpers. Only the few
 * steps that touch hardware are different. The simulator brings its firmware,
 * so nothing is loaded, and there are no clocks, supplies or resets.
 *
 * The platform driver has the name of the real one, by which ModemManager's
 * udev rules know the ports of such a modem.
 */

#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/kstrtox.h>
#include <linux/mod_devicetable.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/of_platform.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/remoteproc.h>
#include <linux/soc/qcom/smem.h>
#include <linux/sysfs.h>

#include "qcom_common.h"

#include "board.h"

/* Registers of the simulator. */
#define MSS_CTRL		0x0
#define MSS_CTRL_RUN		BIT(0)
#define MSS_STATUS		0x4
#define MSS_STATUS_CRASHED	BIT(1)

/* How long the firmware has to become ready, if it never does. */
#define READY_MS		5000

static bool never_ready;
module_param(never_ready, bool, 0644);
MODULE_PARM_DESC(never_ready, "Let the next starts of the modem time out");

struct board_mss {
	struct rproc *rproc;
	void __iomem *regs;
	struct qcom_rproc_subdev smd;
	struct qcom_rproc_ssr ssr;
	struct platform_device *bam_dmux;
	struct mutex twin_lock;		/* Protects twin. */
	struct platform_device *twin;
};

static int board_mss_load(struct rproc *rproc, const struct firmware *fw)
{
	/* Without this the core would want an ELF file. */
	return 0;
}

static int board_mss_start(struct rproc *rproc)
{
	struct board_mss *mss = rproc->priv;

	writel(MSS_CTRL_RUN, mss->regs + MSS_CTRL);
	if (!never_ready)
		return 0;

	/* As qcom_q6v5 does when the firmware does not say that it is ready. */
	msleep(READY_MS);
	writel(0, mss->regs + MSS_CTRL);
	return -ETIMEDOUT;
}

static int board_mss_stop(struct rproc *rproc)
{
	struct board_mss *mss = rproc->priv;

	writel(0, mss->regs + MSS_CTRL);

	/*
	 * The edge is gone by now, but has kept the reference to its node that
	 * it took when it came (Linux 7.3). Nodes of a phone stay; those of an
	 * overlay must not be in use when it is removed. An edge that failed to
	 * come is an error pointer, and has put its reference.
	 */
	if (!mss->smd.edge)
		of_node_put(mss->smd.node);
	return 0;
}

static const struct rproc_ops board_mss_ops = {
	.load = board_mss_load,
	.start = board_mss_start,
	.stop = board_mss_stop,
};

static irqreturn_t board_mss_crashed(int irq, void *data)
{
	struct board_mss *mss = data;

	if (!(readl(mss->regs + MSS_STATUS) & MSS_STATUS_CRASHED))
		return IRQ_NONE;
	rproc_report_crash(mss->rproc, RPROC_FATAL_ERROR);
	return IRQ_HANDLED;
}

static void board_mss_remove_subdevs(struct board_mss *mss)
{
	/* It is not on the list of the remote processor if memory was short. */
	if (mss->ssr.info)
		qcom_remove_ssr_subdev(mss->rproc, &mss->ssr);
	qcom_remove_smd_subdev(mss->rproc, &mss->smd);
}

/*
 * Boards have been seen to create two devices for the node of BAM-DMUX, and
 * kernels to create it below another parent. Here it is on demand, and the
 * parent is the remote processor's device.
 */
static int board_mss_set_twin(struct board_mss *mss, bool on)
{
	struct platform_device_info info = {
		.parent = &mss->rproc->dev,
		.name = "twin",
		.id = PLATFORM_DEVID_NONE,
		.of_node_reused = true,
		.dma_mask = DMA_BIT_MASK(32),
	};
	struct platform_device *twin;

	guard(mutex)(&mss->twin_lock);

	if (on == !!mss->twin)
		return 0;
	if (!on) {
		platform_device_unregister(mss->twin);
		mss->twin = NULL;
		return 0;
	}

	if (!mss->bam_dmux)
		return -ENODEV;
	info.fwnode = of_fwnode_handle(mss->bam_dmux->dev.of_node);
	twin = platform_device_register_full(&info);
	if (IS_ERR(twin))
		return PTR_ERR(twin);
	mss->twin = twin;
	return 0;
}

static ssize_t twin_store(struct device *dev, struct device_attribute *attr, const char *buf,
			  size_t count)
{
	bool on;
	int ret;

	ret = kstrtobool(buf, &on);
	if (!ret)
		ret = board_mss_set_twin(dev_get_drvdata(dev), on);
	return ret ?: count;
}
static DEVICE_ATTR_WO(twin);

static struct attribute *board_mss_attrs[] = {
	&dev_attr_twin.attr,
	NULL
};
ATTRIBUTE_GROUPS(board_mss);

static int board_mss_init(struct platform_device *pdev, struct board_mss *mss)
{
	struct device *dev = &pdev->dev;
	int irq;

	mss->regs = devm_platform_ioremap_resource(pdev, 0);
	if (IS_ERR(mss->regs))
		return PTR_ERR(mss->regs);

	irq = platform_get_irq(pdev, 0);
	if (irq < 0)
		return irq;
	return devm_request_irq(dev, irq, board_mss_crashed, 0, dev_name(dev), mss);
}

static int board_mss_probe(struct platform_device *pdev)
{
	struct device_node *node __free(device_node) =
		of_get_compatible_child(pdev->dev.of_node, "qcom,bam-dmux");
	struct device *dev = &pdev->dev;
	struct board_mss *mss;
	const char *firmware;
	struct rproc *rproc;
	int ret;

	/* The core boots the modem on its own, and would not try again. */
	if (!qcom_smem_is_available())
		return -EPROBE_DEFER;

	ret = of_property_read_string(dev->of_node, "firmware-name", &firmware);
	if (ret)
		return dev_err_probe(dev, ret, "no firmware-name\n");

	rproc = devm_rproc_alloc(dev, pdev->name, &board_mss_ops, firmware, sizeof(*mss));
	if (!rproc)
		return -ENOMEM;
	mss = rproc->priv;
	mss->rproc = rproc;
	mutex_init(&mss->twin_lock);
	platform_set_drvdata(pdev, mss);

	ret = board_mss_init(pdev, mss);
	if (ret)
		return dev_err_probe(dev, ret, "no registers or no interrupt\n");

	qcom_add_smd_subdev(rproc, &mss->smd);
	qcom_add_ssr_subdev(rproc, &mss->ssr, "mpss");

	ret = rproc_add(rproc);
	if (ret) {
		board_mss_remove_subdevs(mss);
		return dev_err_probe(dev, ret, "cannot add the remote processor\n");
	}

	/* NULL if the node is not there, or is disabled. */
	mss->bam_dmux = of_platform_device_create(node, NULL, dev);
	return 0;
}

static void board_mss_remove(struct platform_device *pdev)
{
	struct board_mss *mss = platform_get_drvdata(pdev);

	board_mss_set_twin(mss, false);

	/* It uses SMSM and BAM, which the modem serves. */
	if (mss->bam_dmux)
		of_platform_device_destroy(&mss->bam_dmux->dev, NULL);

	/* Waits for a recovery that is under way, then stops the modem. */
	rproc_del(mss->rproc);
	board_mss_remove_subdevs(mss);
}

static const struct of_device_id board_mss_of_match[] = {
	{ .compatible = "bam-dmux,virtual-mss" },
	{ }
};

struct platform_driver board_mss_driver = {
	.probe = board_mss_probe,
	.remove = board_mss_remove,
	.driver = {
		.name = "qcom-q6v5-mss",
		.of_match_table = board_mss_of_match,
		.dev_groups = board_mss_groups,
	},
};
