/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An irq_work that something comes of. It is a hard one, which is run in time even
 * where its CPU goes off line, on PREEMPT_RT too: its function queues a work item
 * and no more. A CPU that is off line, but still or already runs, raises none: that
 * would be left there, and irq_work_sync() wait for ever.
 */
#ifndef OBSRING_IRQWORK_H
#define OBSRING_IRQWORK_H

#include <linux/cpumask.h>
#include <linux/irq_work.h>
#include <linux/smp.h>

/* Any context, NMI included. Nothing happens if this CPU is off line. */
static inline void obs_irq_work_queue(struct irq_work *work)
{
	if (cpu_online(raw_smp_processor_id()))
		irq_work_queue(work);
}

#endif /* OBSRING_IRQWORK_H */
