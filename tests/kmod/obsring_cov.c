// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which blocks of obsring.ko were reached, in any context, NMI included: the kernel's own
 * KCOV records what the task that asks does, and so no interrupt, worker or other task.
 *
 * A build for coverage has the compiler call obs_cov_trace_pc() in each block. Where it
 * was called from is kept by its offset in the module's text, so that it stays while the
 * module comes and goes. In debugfs:
 *
 *      obsring_cov/blocks      core OFFSET
 *                              init OFFSET     of text that is freed after its init
 */
#include <linux/debugfs.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "cov.h"

#define TEXT_MAX	(2UL << 20)

enum { CORE, INIT, TEXTS };

/**
 * struct text - one of the module's two
 * @name: as above
 * @base: where it is; 0: not there
 * @size: its bytes
 * @reached: by offset; written once each, by whoever comes first
 */
struct text {
	const char *name;
	unsigned long base, size;
	u8 *reached;
};

static struct text texts[TEXTS] = {
	[CORE] = { .name = "core" },
	[INIT] = { .name = "init" },
};

notrace void obs_cov_trace_pc(void)
{
	unsigned long offset;
	int i;

	for (i = 0; i < TEXTS; i++) {
		offset = _RET_IP_ - READ_ONCE(texts[i].base);
		if (offset < READ_ONCE(texts[i].size)) {
			WRITE_ONCE(texts[i].reached[offset], 1);
			return;
		}
	}
}
EXPORT_SYMBOL_GPL(obs_cov_trace_pc);

static void text_set(struct text *text, void *base, unsigned long size)
{
	WRITE_ONCE(text->size, 0);
	smp_wmb(); /* no size with another's base: nothing of the module runs now */
	WRITE_ONCE(text->base, (unsigned long)base);
	smp_wmb(); /* as above */
	WRITE_ONCE(text->size, min(size, TEXT_MAX));
}

/* Before the module's init runs; and when that is over. */
static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = data;

	if (strcmp(mod->name, "obsring"))
		return NOTIFY_DONE;
	if (event == MODULE_STATE_COMING) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
		text_set(&texts[CORE], mod->mem[MOD_TEXT].base, mod->mem[MOD_TEXT].size);
		text_set(&texts[INIT], mod->mem[MOD_INIT_TEXT].base, mod->mem[MOD_INIT_TEXT].size);
#else
		text_set(&texts[CORE], mod->core_layout.base, mod->core_layout.text_size);
		text_set(&texts[INIT], mod->init_layout.base, mod->init_layout.text_size);
#endif
	} else if (event == MODULE_STATE_LIVE) {
		text_set(&texts[INIT], NULL, 0);
	}
	return NOTIFY_DONE;
}

static struct notifier_block module_nb = { .notifier_call = module_event };

static int blocks_show(struct seq_file *file, void *unused)
{
	unsigned long offset;
	int i;

	for (i = 0; i < TEXTS; i++)
		for (offset = 0; offset < TEXT_MAX; offset++)
			if (READ_ONCE(texts[i].reached[offset]))
				seq_printf(file, "%s 0x%lx\n", texts[i].name, offset);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(blocks);

static struct dentry *dir;

static void texts_free(void)
{
	int i;

	for (i = 0; i < TEXTS; i++)
		vfree(texts[i].reached);
}

static int __init cov_init(void)
{
	int i, ret;

	for (i = 0; i < TEXTS; i++) {
		texts[i].reached = vzalloc(TEXT_MAX);
		if (!texts[i].reached) {
			texts_free();
			return -ENOMEM;
		}
	}
	ret = register_module_notifier(&module_nb);
	if (ret) {
		texts_free();
		return ret;
	}
	dir = debugfs_create_dir("obsring_cov", NULL);
	debugfs_create_file("blocks", 0400, dir, NULL, &blocks_fops);
	return 0;
}

/* obsring.ko, which calls it, is gone. */
static void __exit cov_exit(void)
{
	debugfs_remove(dir);
	unregister_module_notifier(&module_nb);
	texts_free();
}

module_init(cov_init);
module_exit(cov_exit);
MODULE_DESCRIPTION("Coverage of obsring.ko, for its tests");
MODULE_LICENSE("GPL");
