/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BAM_DMUX_BOARD_H
#define BAM_DMUX_BOARD_H

struct pci_dev;
struct platform_driver;

/* The overlays, named so by the kernel's build when it wraps what it compiled. */
extern const char __dtbo_coherent_begin[], __dtbo_coherent_end[];
extern const char __dtbo_noncoherent_begin[], __dtbo_noncoherent_end[];
extern const char __dtbo_bam_1_4_0_begin[], __dtbo_bam_1_4_0_end[];

/**
 * struct board_variant - one of the boards that the virtual phone can have
 * @name: what the module's parameter calls it
 * @overlay: its devicetree overlay, a flattened tree
 * @overlay_end: the first byte after it
 */
struct board_variant {
	const char *name;
	const char *overlay;
	const char *overlay_end;
};

/* The modem as a remote processor. */
extern struct platform_driver board_mss_driver;

int board_lines_create(struct pci_dev *pdev);
const struct board_variant *board_variant(void);

#endif
