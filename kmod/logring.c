// SPDX-License-Identifier: GPL-2.0-only
/* Rings around include/obsring/ring.h: memory, which is whose, and its pages. */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "logring.h"
#include "store.h"

/* May wait for memory, but never has another killed for it. */
#define GFP_LINES	(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN | \
			 __GFP_RETRY_MAYFAIL)

/**
 * struct cpu_rings - a CPU's rings
 * @writer: by origin; written by this CPU alone
 * @filled: how often the lines were replaced << 32 | lines ever used; likewise
 */
struct cpu_rings {
	struct obs_ring_writer writer[OBS_ORIGINS];
	u64 filled[OBS_ORIGINS];
};

/**
 * struct mapped - what stands in LOG of a ring
 * @line: NULL: no such CPU
 * @bytes: whole pages
 */
struct mapped {
	const void *line;
	u64 bytes;
};

static struct cpu_rings __percpu *rings;
static struct mapped *mapped;	/* by ring; under obs_store_mapped */
static void *zero_page;		/* behind a ring's end */
static u64 size[OBS_ORIGINS];

bool obs_logring_size_valid(u64 bytes)
{
	return is_power_of_2(bytes) && bytes >= OBS_LOGRING_MIN &&
	       bytes <= OBS_LOGRING_MAX;
}

/* ---- Writing ------------------------------------------------------------- */

/*
 * Bytes used for the first time since @mine was asked last. Nested writers and a
 * replacement, which may come in between, each take their part.
 */
static u32 filled_anew(struct cpu_rings *mine, enum obsring_origin origin)
{
	struct obs_ring_writer *writer = &mine->writer[origin];
	u64 was = READ_ONCE(mine->filled[origin]);
	u32 lines;

	do {
		lines = READ_ONCE(writer->mask) + 1;
		if (likely((u32)was == lines))
			return 0;
		lines = min(lines, (u32)(READ_ONCE(writer->ring->head) >> 32) -
				   OBS_RING_LINE_START);
		if (lines <= (u32)was)
			return 0;
	} while (!obs_try_cmpxchg_local(&mine->filled[origin], &was,
					was >> 32 << 32 | lines));
	return (lines - (u32)was) * sizeof(struct obsring_line);
}

bool obs_logring_put(enum obsring_origin origin,
		     const union obs_record_buffer *record,
		     struct obs_logring_put *ret)
{
	struct cpu_rings *mine = this_cpu_ptr(rings);

	if (!obs_ring_write(&mine->writer[origin], record->word,
			    obs_record_words(record->head.size),
			    &ret->overwritten))
		return false;
	ret->filled = filled_anew(mine, origin);
	return true;
}

/* ---- Looking ------------------------------------------------------------- */

static struct obs_ring_writer *writer_of(unsigned int index)
{
	unsigned int cpu = index / OBS_ORIGINS;

	return cpu_possible(cpu) ?
	       &per_cpu_ptr(rings, cpu)->writer[index % OBS_ORIGINS] : NULL;
}

bool obs_logring_view(unsigned int index, struct obs_ring_view *ret)
{
	const struct obs_ring_writer *writer = writer_of(index);

	if (!writer)
		return false;
	/* Its CPU exchanges them with interrupts off: soon. */
	while (!obs_ring_view_of(writer, ret))
		cpu_relax();
	return true;
}

bool obs_logring_state(unsigned int index, struct obs_logring_state *ret)
{
	struct obs_ring_view view;
	u64 line, record;

	rcu_read_lock();
	do {
		if (!obs_logring_view(index, &view)) {
			rcu_read_unlock();
			return false;
		}
		obs_ring_head(view.ring, &line, &record);
		line -= READ_ONCE(view.ring->first_line);
	} while (!obs_ring_still(&view));
	rcu_read_unlock();
	ret->bytes = (u64)view.nr_lines * sizeof(struct obsring_line);
	ret->filled = min_t(u64, line, view.nr_lines) * sizeof(struct obsring_line);
	ret->records = record - OBS_RING_RECORD_START;
	return true;
}

u64 obs_logring_size(enum obsring_origin origin)
{
	return READ_ONCE(size[origin]);
}

u64 obs_logring_bytes(void)
{
	u64 bytes = 0;
	int origin;

	for (origin = 0; origin < OBS_ORIGINS; origin++)
		bytes += PAGE_ALIGN(obs_logring_size(origin)) * num_possible_cpus();
	return bytes;
}

/* Under obs_store_mapped. */
static int line_pfn(u64 page, unsigned long *ret_pfn)
{
	u64 at = page * PAGE_SIZE;
	const struct mapped *m = &mapped[div64_u64(at, OBS_STORE_LOG_STRIDE)];

	if (!m->line)
		return -EFAULT;
	at %= OBS_STORE_LOG_STRIDE;
	*ret_pfn = obs_store_pfn_of(at < m->bytes ? m->line + at : zero_page);
	return 0;
}

/* ---- Lines --------------------------------------------------------------- */

static void pages_free(struct page **pages, unsigned int nr)
{
	while (nr)
		__free_page(pages[--nr]);
	kvfree(pages);
}

/* On the CPU's node. vfree() frees all of it. */
static void *pages_map(unsigned int cpu, unsigned int nr)
{
	struct page **pages = kvmalloc_array(nr, sizeof(*pages), GFP_KERNEL);
	unsigned int i;
	void *addr;

	if (!pages)
		return NULL;
	for (i = 0; i < nr; i++) {
		pages[i] = alloc_pages_node(cpu_to_mem(cpu), GFP_LINES, 0);
		if (!pages[i] || fatal_signal_pending(current)) {
			pages_free(pages, i + !!pages[i]);
			return NULL;
		}
		cond_resched();
	}
	addr = vmap(pages, nr, VM_MAP_PUT_PAGES, PAGE_KERNEL);
	if (!addr)
		pages_free(pages, nr);
	return addr;
}

struct obsring_line *obs_logring_lines_new(unsigned int cpu, u64 bytes)
{
	struct obsring_line *line = pages_map(cpu, DIV_ROUND_UP(bytes, PAGE_SIZE));

	if (line)
		obs_ring_prepare(line, bytes / sizeof(*line));
	return line;
}

void obs_logring_lines_free(struct obsring_line *line)
{
	vfree(line);
}

static void mapped_set(unsigned int index, const struct obsring_line *line, u64 bytes)
{
	mapped[index].line = line;
	mapped[index].bytes = round_up(bytes, PAGE_SIZE);
}

/* ---- Replacing ----------------------------------------------------------- */

/**
 * struct change - a ring is given other lines
 * @rings: its CPU's
 * @origin: which of them
 * @line: the new ones; then the old ones
 * @nr_lines: of the new ones
 * @filled: lines of the old ones that were used
 * @done: false: a writer was interrupted
 */
struct change {
	struct cpu_rings *rings;
	enum obsring_origin origin;
	struct obsring_line *line;
	u32 nr_lines;
	u32 filled;
	bool done;
};

/* On the ring's CPU in an interrupt, or with interrupts off while it is off line. */
static void change_try(void *arg)
{
	struct change *change = arg;
	struct obs_ring_writer *writer = &change->rings->writer[change->origin];
	u64 *filled = &change->rings->filled[change->origin];
	struct obsring_line *old = writer->line;
	u64 was;

	change->done = obs_ring_replace(writer, change->line, change->nr_lines);
	if (!change->done)
		return;
	change->line = old;
	was = READ_ONCE(*filled);
	while (!obs_try_cmpxchg_local(filled, &was, ((was >> 32) + 1) << 32))
		;
	change->filled = (u32)was;
}

static void change_make(struct change *change, unsigned int cpu)
{
	unsigned long flags;

	do {
		if (cpu_online(cpu)) {
			smp_call_function_single(cpu, change_try, change, 1);
		} else {
			local_irq_save(flags);
			change_try(change);
			local_irq_restore(flags);
		}
		cond_resched();
	} while (!change->done);
}

u64 obs_logring_replace(enum obsring_origin origin, struct obsring_line **line,
			u64 bytes)
{
	unsigned int cpu;
	u64 filled = 0;

	cpus_read_lock();
	for_each_possible_cpu(cpu) {
		struct change change = {
			.rings = per_cpu_ptr(rings, cpu),
			.origin = origin,
			.line = line[cpu],
			.nr_lines = bytes / sizeof(struct obsring_line),
		};

		change_make(&change, cpu);
		line[cpu] = change.line;
		filled += (u64)change.filled * sizeof(struct obsring_line);
	}
	cpus_read_unlock();
	WRITE_ONCE(size[origin], bytes);
	down_write(&obs_store_mapped);
	for_each_possible_cpu(cpu)
		mapped_set(cpu * OBS_ORIGINS + origin,
			   per_cpu_ptr(rings, cpu)->writer[origin].line, bytes);
	up_write(&obs_store_mapped);
	return filled;
}

void obs_logring_reopen(enum obsring_origin origin)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		obs_ring_reopen(per_cpu_ptr(rings, cpu)->writer[origin].ring);
}

/* ---- Life ---------------------------------------------------------------- */

static int ring_new(unsigned int cpu, enum obsring_origin origin, u64 bytes)
{
	unsigned int index = cpu * OBS_ORIGINS + origin;
	struct obsring_ring *control = obs_region_entry(OBSRING_REGION_RINGS, index);
	struct obsring_line *line = obs_logring_lines_new(cpu, bytes);

	if (!line)
		return -ENOMEM;
	obs_ring_init(&per_cpu_ptr(rings, cpu)->writer[origin], control, line,
		      bytes / sizeof(*line));
	control->cpu = cpu;
	control->origin = origin;
	control->offset = obs_header->region[OBSRING_REGION_LOG].offset +
			  index * OBS_STORE_LOG_STRIDE;
	mapped_set(index, line, bytes);
	return 0;
}

static int rings_new(const unsigned long bytes[OBS_ORIGINS])
{
	unsigned int cpu;
	int origin, ret;

	for_each_possible_cpu(cpu)
		for (origin = 0; origin < OBS_ORIGINS; origin++) {
			ret = ring_new(cpu, origin, bytes[origin]);
			if (ret)
				return ret;
		}
	for (origin = 0; origin < OBS_ORIGINS; origin++)
		size[origin] = bytes[origin];
	return 0;
}

int obs_logring_init(const unsigned long bytes[OBS_ORIGINS])
{
	int ret;

	BUILD_BUG_ON(sizeof(struct obsring_line) != 64);
	BUILD_BUG_ON(sizeof(struct obsring_ring) != 128);
	BUILD_BUG_ON(sizeof(struct obsring_record) != 56);
	BUILD_BUG_ON(OBS_RECORD_BYTES_MAX > OBS_RING_RECORD_WORDS * sizeof(u64));
	BUILD_BUG_ON(OBSRING_RING_LINES_MIN < OBSRING_RECORD_LINES_MAX);
	BUILD_BUG_ON(OBS_LOGRING_MIN != OBSRING_RING_LINES_MIN * sizeof(struct obsring_line));
	BUILD_BUG_ON(OBS_LOGRING_MAX != OBS_STORE_LOG_STRIDE);

	rings = alloc_percpu(struct cpu_rings);
	mapped = kvcalloc(obs_logring_nr(), sizeof(*mapped), GFP_KERNEL);
	zero_page = (void *)get_zeroed_page(GFP_KERNEL);
	ret = rings && mapped && zero_page ?
	      obs_region_grow(OBSRING_REGION_RINGS, obs_logring_nr()) : -ENOMEM;
	if (!ret)
		ret = rings_new(bytes);
	if (ret) {
		obs_logring_exit();
		return ret;
	}
	obs_store_log_provide(line_pfn);
	return 0;
}

void obs_logring_exit(void)
{
	unsigned int i;

	for (i = 0; rings && i < obs_logring_nr(); i++)
		if (writer_of(i))
			obs_logring_lines_free(writer_of(i)->line);
	free_page((unsigned long)zero_page);
	kvfree(mapped);
	free_percpu(rings);
	zero_page = NULL;
	mapped = NULL;
	rings = NULL;
}
