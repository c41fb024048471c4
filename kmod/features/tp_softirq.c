// SPDX-License-Identifier: GPL-2.0-only
/* softirq_entry; softirq_exit is of the same class */
#include <linux/interrupt.h>
#include <trace/events/irq.h>

static void probe(void *data, unsigned int vec_nr)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_softirq_entry(probe);
}
