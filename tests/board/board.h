/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BAM_DMUX_BOARD_H
#define BAM_DMUX_BOARD_H

struct pci_dev;
struct platform_driver;

/* The overlay, named so by the kernel's build when it wraps board.dtbo. */
extern const char __dtbo_board_begin[];
extern const char __dtbo_board_end[];

/* The modem as a remote processor. */
extern struct platform_driver board_mss_driver;

int board_lines_create(struct pci_dev *pdev);

#endif
