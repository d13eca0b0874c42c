// SPDX-License-Identifier: GPL-2.0
/*
 * Board of the virtual phone: a PCI function becomes the hardware between a
 * phone's application processors and its modem.
 *
 * The simulated modem (tests/modem) is a PCI function with the registers and
 * the shared memory in its BARs. This driver lays an overlay
 * (dts/virtual-phone.dtsi, in one of its variants) over the function's devicetree
 * node and creates the platform devices in it, to which the unmodified drivers
 * of the kernel bind as they do on a phone.
 */

#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_platform.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>

#include "board.h"

/*
 * The kernel makes devicetree nodes for a few PCI IDs only. QEMU's test device
 * is one of them; the class tells the simulator from the real one.
 */
#define BOARD_DEVICE_ID		0x0005
#define BOARD_CLASS		0x0d8000	/* wireless controller, other */

#define BOARD_BAR_REGISTERS	0
#define BOARD_BAR_SMEM		2

static int board_check_bar(struct pci_dev *pdev, int bar, unsigned int size)
{
	if (pci_resource_flags(pdev, bar) & IORESOURCE_MEM &&
	    pci_resource_len(pdev, bar) >= size)
		return 0;
	return dev_err_probe(&pdev->dev, -ENODEV,
			     "BAR %d is not %u KiB of memory: simulator and board module are not of the same version\n",
			     bar, size / SZ_1K);
}

static int board_check(struct pci_dev *pdev)
{
	struct device *dev = &pdev->dev;
	int ret;

	if (!dev_of_node(dev))
		return dev_err_probe(dev, -ENODEV,
				     "no devicetree node for this PCI function: the kernel needs CONFIG_PCI_DYNAMIC_OF_NODES=y and a machine that boots with a devicetree\n");

	ret = board_check_bar(pdev, BOARD_BAR_REGISTERS, SZ_512K);
	if (ret)
		return ret;
	ret = board_check_bar(pdev, BOARD_BAR_SMEM, SZ_2M);
	if (ret)
		return ret;

	/* The SMEM driver keeps physical addresses in 32 bits. */
	if (pci_resource_end(pdev, BOARD_BAR_SMEM) > U32_MAX)
		return dev_err_probe(dev, -ERANGE,
				     "SMEM lies above 4 GiB, where its driver cannot reach it: BAR %d must be a 32-bit BAR\n",
				     BOARD_BAR_SMEM);
	return 0;
}

static int board_apply_overlay(struct pci_dev *pdev, int *overlay)
{
	const struct board_variant *variant = board_variant();
	int ret;

	ret = of_overlay_fdt_apply(variant->overlay,
				   variant->overlay_end - variant->overlay,
				   overlay, dev_of_node(&pdev->dev));
	if (!ret)
		return 0;

	/* A failed application may have left a part in place. */
	if (*overlay)
		of_overlay_remove(overlay);
	return dev_err_probe(&pdev->dev, ret, "cannot apply the overlay of board '%s'%s\n",
			     variant->name, IS_ENABLED(CONFIG_OF_OVERLAY) ? "" :
			     ": the kernel needs CONFIG_OF_OVERLAY=y");
}

static int board_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct device *dev = &pdev->dev;
	int *overlay;
	int ret;

	ret = board_check(pdev);
	if (ret)
		return ret;

	overlay = devm_kzalloc(dev, sizeof(*overlay), GFP_KERNEL);
	if (!overlay)
		return -ENOMEM;
	pci_set_drvdata(pdev, overlay);

	ret = pcim_enable_device(pdev);
	if (ret)
		return dev_err_probe(dev, ret, "cannot enable the PCI function\n");

	/* BAM reads descriptors and data from system memory. */
	pci_set_master(pdev);

	ret = board_lines_create(pdev);
	if (ret)
		return ret;

	ret = board_apply_overlay(pdev, overlay);
	if (ret)
		return ret;

	ret = of_platform_default_populate(dev_of_node(dev), NULL, dev);
	if (ret) {
		of_platform_depopulate(dev);
		of_overlay_remove(overlay);
		return dev_err_probe(dev, ret, "cannot create the devices of the overlay\n");
	}
	return 0;
}

static void board_remove(struct pci_dev *pdev)
{
	int *overlay = pci_get_drvdata(pdev);

	/* Last device first: consumers leave before what they use. */
	of_platform_depopulate(&pdev->dev);
	of_overlay_remove(overlay);
}

static const struct pci_device_id board_ids[] = {
	{
		PCI_DEVICE(PCI_VENDOR_ID_REDHAT, BOARD_DEVICE_ID),
		.class = BOARD_CLASS,
		.class_mask = 0xffff00,
	},
	{ }
};
MODULE_DEVICE_TABLE(pci, board_ids);

/*
 * Without any, the PCI core would disable the function while the system sleeps:
 * no interrupt, no DMA. On a phone there is no bus in between that could do so,
 * and the modem goes on working.
 */
static const struct dev_pm_ops board_pm_ops = { };

static struct pci_driver board_driver = {
	.name = "bam-dmux-board",
	.id_table = board_ids,
	.probe = board_probe,
	.remove = board_remove,
	.driver.pm = &board_pm_ops,
};

static int __init board_init(void)
{
	int ret;

	/* The overlay has a device for it. */
	ret = platform_driver_register(&board_mss_driver);
	if (ret)
		return ret;

	ret = pci_register_driver(&board_driver);
	if (ret)
		platform_driver_unregister(&board_mss_driver);
	return ret;
}
module_init(board_init);

static void __exit board_exit(void)
{
	pci_unregister_driver(&board_driver);
	platform_driver_unregister(&board_mss_driver);
}
module_exit(board_exit);

MODULE_AUTHOR("bam-dmux project");
MODULE_DESCRIPTION("Board of the BAM-DMUX virtual phone");
MODULE_LICENSE("GPL");
