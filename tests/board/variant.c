// SPDX-License-Identifier: GPL-2.0
/*
 * Variants of the board: which devicetree overlay is laid over the PCI function.
 *
 * The module's parameter says which, also on the kernel's command line
 * (bam_dmux_board.variant=noncoherent).
 */

#include <linux/array_size.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "board.h"

#define BOARD_VARIANT(word, symbol) {				\
	.name = (word),						\
	.overlay = __dtbo_##symbol##_begin,			\
	.overlay_end = __dtbo_##symbol##_end,			\
}

/* The first one is the default. */
static const struct board_variant board_variants[] = {
	BOARD_VARIANT("coherent", coherent),
	BOARD_VARIANT("noncoherent", noncoherent),
	BOARD_VARIANT("bam-1.4.0", bam_1_4_0),
};

static const struct board_variant *board_chosen = &board_variants[0];

static int board_variant_set(const char *name, const struct kernel_param *param)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(board_variants); i++) {
		if (sysfs_streq(name, board_variants[i].name)) {
			board_chosen = &board_variants[i];
			return 0;
		}
	}

	pr_err("bam-dmux-board: there is no variant '%s': %s are what there is\n", name,
	       "coherent, noncoherent and bam-1.4.0");
	return -EINVAL;
}

static int board_variant_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", board_chosen->name);
}

static const struct kernel_param_ops board_variant_ops = {
	.set = board_variant_set,
	.get = board_variant_get,
};

/* Not to be changed later: it says what is there. */
module_param_cb(variant, &board_variant_ops, NULL, 0444);
MODULE_PARM_DESC(variant,
		 "Which board: coherent (default), noncoherent (DMA as on phones), bam-1.4.0 (MSM8974's BAM)");

/**
 * board_variant() - the board that was asked for
 *
 * Return: an entry of the table, never NULL.
 */
const struct board_variant *board_variant(void)
{
	return board_chosen;
}
