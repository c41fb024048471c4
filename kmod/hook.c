// SPDX-License-Identifier: GPL-2.0-only
#include <linux/string.h>

#include "hook.h"

/**
 * struct table - hooks that are looked for
 * @hooks: the hooks
 * @nr: their number
 */
struct table {
	struct obs_hook *hooks;
	unsigned int nr;
};

static void hook_match(struct tracepoint *tp, void *arg)
{
	const struct table *table = arg;
	unsigned int h;

	for (h = 0; h < table->nr; h++) {
		if (!strcmp(table->hooks[h].name, tp->name))
			table->hooks[h].tp = tp;
	}
}

const struct obs_hook *obs_hooks_find(struct obs_hook *hooks, unsigned int nr)
{
	struct table table = { .hooks = hooks, .nr = nr };
	unsigned int h;

	for_each_kernel_tracepoint(hook_match, &table);
	for (h = 0; h < nr; h++) {
		if (!hooks[h].tp)
			return &hooks[h];
	}
	return NULL;
}

void obs_hooks_unset(const struct obs_hook *hooks, unsigned int nr)
{
	while (nr--)
		tracepoint_probe_unregister(hooks[nr].tp, hooks[nr].probe, NULL);
}

void obs_hooks_wait(void)
{
	tracepoint_synchronize_unregister();
}

void obs_hooks_remove(const struct obs_hook *hooks, unsigned int nr)
{
	obs_hooks_unset(hooks, nr);
	obs_hooks_wait();
}

int obs_hooks_set(const struct obs_hook *hooks, unsigned int nr)
{
	unsigned int h;
	int ret;

	for (h = 0; h < nr; h++) {
		ret = tracepoint_probe_register(hooks[h].tp, hooks[h].probe, NULL);
		if (ret) {
			obs_hooks_remove(hooks, h);
			return ret;
		}
	}
	return 0;
}
