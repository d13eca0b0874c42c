/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A DMA engine that moves nothing, for the KUnit tests of src/kabi/dmaengine.rs.
 */

#ifndef BAM_DMUX_FAKE_DMA_H
#define BAM_DMUX_FAKE_DMA_H

#include <linux/types.h>

struct bam_dmux_fake_dma;
struct device;

/* A device with one channel, called "fake" by its client. NULL on failure. */
struct bam_dmux_fake_dma *bam_dmux_fake_dma_create(void);
void bam_dmux_fake_dma_destroy(struct bam_dmux_fake_dma *fake);

/* The device that may request the channel. NULL once it is removed. */
struct device *bam_dmux_fake_dma_client(struct bam_dmux_fake_dma *fake);

/* Removes that device, whatever it has. */
void bam_dmux_fake_dma_remove_client(struct bam_dmux_fake_dma *fake);

/* Completes the n oldest of the issued transfers. Their callbacks run in a tasklet. */
void bam_dmux_fake_dma_complete(struct bam_dmux_fake_dma *fake, unsigned int n);

/* From now on there are no descriptors, or there are some again. */
void bam_dmux_fake_dma_starve(struct bam_dmux_fake_dma *fake, bool on);

/* How many transfers were submitted but not issued, and how many were issued and not completed. */
unsigned int bam_dmux_fake_dma_submitted(struct bam_dmux_fake_dma *fake);
unsigned int bam_dmux_fake_dma_issued(struct bam_dmux_fake_dma *fake);

#endif
