// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt lines of the virtual phone: MSI-X vectors become the interrupts
 * that the devicetree nodes below the PCI function name by number.
 *
 * A vector is an edge, whatever the line is on a phone. Nothing is masked
 * here, so a line that stays high (BAM's does) must be fired again by the
 * simulator after each clear that leaves it high.
 */

#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/pci.h>

#include "board.h"

/* Line and MSI-X vector have the same number. */
enum board_line {
	LINE_BAM,
	LINE_SMSM,
	LINE_SMD,
	LINE_MSS,
	LINE_COUNT
};

/* Seen in /proc/interrupts. */
static const char * const board_line_names[LINE_COUNT] = {
	[LINE_BAM] = "board-bam",
	[LINE_SMSM] = "board-smsm",
	[LINE_SMD] = "board-smd",
	[LINE_MSS] = "board-mss",
};

struct board_vector {
	struct irq_domain *domain;
	irq_hw_number_t line;
};

static int board_domain_map(struct irq_domain *domain, unsigned int virq,
			    irq_hw_number_t line)
{
	/*
	 * The chip does nothing: there is no mask to set, and consumers may
	 * ask for the trigger that is right on a phone.
	 */
	irq_set_chip_and_handler(virq, &dummy_irq_chip, handle_simple_irq);
	return 0;
}

static const struct irq_domain_ops board_domain_ops = {
	.map = board_domain_map,
	.xlate = irq_domain_xlate_onecell,
};

static irqreturn_t board_vector_fired(int irq, void *data)
{
	const struct board_vector *vector = data;

	/* Fails while no driver has mapped the line; the edge is then lost. */
	if (generic_handle_domain_irq(vector->domain, vector->line))
		return IRQ_NONE;
	return IRQ_HANDLED;
}

static void board_domain_remove(void *data)
{
	struct irq_domain *domain = data;
	irq_hw_number_t line;

	/* The mappings outlive the devices that they were made for. */
	for (line = 0; line < LINE_COUNT; line++)
		irq_dispose_mapping(irq_find_mapping(domain, line));
	irq_domain_remove(domain);
}

/**
 * board_lines_create() - offer the MSI-X vectors as devicetree interrupts
 * @pdev: the PCI function, enabled by pcim_enable_device()
 *
 * All of it goes away with the binding of the driver to @pdev, after the
 * driver's remove callback. Sleeps.
 *
 * Return: 0, or a negative error number; the log then has the reason in words.
 */
int board_lines_create(struct pci_dev *pdev)
{
	struct device *dev = &pdev->dev;
	struct board_vector *vectors;
	struct irq_domain *domain;
	unsigned int line;
	int ret;

	vectors = devm_kcalloc(dev, LINE_COUNT, sizeof(*vectors), GFP_KERNEL);
	if (!vectors)
		return -ENOMEM;

	domain = irq_domain_create_linear(dev_fwnode(dev), LINE_COUNT,
					  &board_domain_ops, NULL);
	if (!domain)
		return dev_err_probe(dev, -ENOMEM, "no memory for the interrupt domain\n");

	/* Registered first, so that the vectors are gone when it runs. */
	ret = devm_add_action_or_reset(dev, board_domain_remove, domain);
	if (ret)
		return ret;

	/* Undone by pcim_enable_device()'s release. */
	ret = pci_alloc_irq_vectors(pdev, LINE_COUNT, LINE_COUNT, PCI_IRQ_MSIX);
	if (ret < 0)
		return dev_err_probe(dev, ret,
				     "no %d MSI-X vectors: the machine needs an interrupt controller with MSI support\n",
				     LINE_COUNT);

	for (line = 0; line < LINE_COUNT; line++) {
		vectors[line].domain = domain;
		vectors[line].line = line;

		/*
		 * The chained handlers want hard interrupt context. A vector is
		 * no more than a wire to a line: which lines are heard while
		 * the system sleeps is up to those who requested them, as with
		 * the interrupt controller of a phone.
		 */
		ret = devm_request_irq(dev, pci_irq_vector(pdev, line),
				       board_vector_fired,
				       IRQF_NO_THREAD | IRQF_NO_SUSPEND,
				       board_line_names[line], &vectors[line]);
		if (ret)
			return dev_err_probe(dev, ret, "no interrupt for line %s\n",
					     board_line_names[line]);
	}
	return 0;
}
