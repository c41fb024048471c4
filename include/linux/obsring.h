/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * obsring for kernel code: declare metrics, bump them anywhere, see them in
 * Prometheus. tests/kmod/obsring_example.c is a whole producer to copy.
 *
 * A handle (struct obs_counter, obs_gauge, obs_gauge_set, obs_histogram) always
 * points at something that may be written: at its series while it is attached,
 * else at a dummy that nobody reads. So updates need no test, and are safe
 * before registration and after removal, as long as the memory of the handle
 * itself exists.
 *
 * Updates: any context, NMI included; no lock, no allocation, no sleep, no
 * recursion; a counter is one instruction on the CPU's own row besides loading
 * its handle. Everything else: process context, may sleep.
 */
#ifndef _LINUX_OBSRING_H
#define _LINUX_OBSRING_H

#ifndef CONFIG_64BIT
#error "obsring needs a 64-bit kernel: its counters are native 64-bit words"
#endif
#ifndef CONFIG_SMP
#error "obsring needs an SMP kernel (CONFIG_SMP): its counters have a row per CPU"
#endif
#if !defined(CONFIG_X86_64) && !defined(CONFIG_ARM64)
#error "obsring supports x86-64 and arm64: elsewhere this_cpu_add() need not be NMI-safe"
#endif

#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/types.h>
#include <linux/version.h>

#include <uapi/linux/obsring.h>
#include <obsring/histogram.h>

/* What a module that uses this header puts behind its MODULE_LICENSE(). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define OBSRING_IMPORT_NS	MODULE_IMPORT_NS("OBSRING")
#else
#define OBSRING_IMPORT_NS	MODULE_IMPORT_NS(OBSRING)
#endif

/*
 * A writer that loaded a handle's pointer may be preempted before it writes.
 * The slot goes to another series only after a grace period that waits for it:
 * that of RCU-tasks where the kernel has it, which costs the writer nothing;
 * else that of RCU, which on preemptible kernels needs preemption off.
 */
#if defined(CONFIG_PREEMPTION) && !defined(CONFIG_TASKS_RCU)
#define __obs_update_begin()	preempt_disable_notrace()
#define __obs_update_end()	preempt_enable_notrace()
#else
#define __obs_update_begin()	do { } while (0)
#define __obs_update_end()	do { } while (0)
#endif

struct obs_family;
struct obs_series;

/**
 * struct obs_handle - a handle's tie to its series; the registry's own
 * @series: NULL while detached. Protected by the registry's mutex.
 * @node: entry in the series' list of handles
 */
struct obs_handle {
	struct obs_series *series;
	struct list_head node;
};

/**
 * struct obs_histogram_cells - where a histogram's observations go
 * @layout: from value to bucket
 * @slots: sum, then the buckets
 * @exemplar: the first of its exemplars
 * @nr_exemplars: how many; 0: it has none
 * @range_shift: from bucket to exemplar
 */
struct obs_histogram_cells {
	struct obs_histogram_layout layout;
	u64 __percpu *slots;
	u32 exemplar;
	u32 nr_exemplars;
	u32 range_shift;
};

/* The dummies that detached handles point at; nobody reads them. */
struct obs_dummy {
	u64 slot[2];
};

DECLARE_PER_CPU(struct obs_dummy, obs_dummy);
extern u64 obs_dummy_word;
extern const struct obs_histogram_cells obs_dummy_cells;

/**
 * struct obs_counter - handle of a counter: a count that only grows
 * @slot: replaced whole, read with READ_ONCE()
 * @handle: the registry's
 */
struct obs_counter {
	u64 __percpu *slot;
	struct obs_handle handle;
};

/* struct obs_gauge - handle of an add-type gauge: the sum of what was added */
struct obs_gauge {
	u64 __percpu *slot;
	struct obs_handle handle;
};

/* struct obs_gauge_set - handle of a set-type gauge: the last value written */
struct obs_gauge_set {
	u64 *word;
	struct obs_handle handle;
};

/* struct obs_histogram - handle of a histogram */
struct obs_histogram {
	const struct obs_histogram_cells *cells;
	struct obs_handle handle;
};

#define OBS_DUMMY_SLOTS		((u64 __force __percpu *)&obs_dummy)

/* Initialisers for handles in static or allocated memory. */
#define OBS_COUNTER_INIT	{ .slot = OBS_DUMMY_SLOTS }
#define OBS_GAUGE_INIT		{ .slot = OBS_DUMMY_SLOTS }
#define OBS_GAUGE_SET_INIT	{ .word = &obs_dummy_word }
#define OBS_HISTOGRAM_INIT	{ .cells = &obs_dummy_cells }

/* Updates. */

/**
 * obs_counter_add() - count @n events
 * @c: handle
 * @n: how many
 *
 * Context: any, NMI included.
 */
static __always_inline void obs_counter_add(struct obs_counter *c, u64 n)
{
	__obs_update_begin();
	this_cpu_add(*READ_ONCE(c->slot), n);
	__obs_update_end();
}

/**
 * obs_counter_inc() - count one event
 * @c: handle
 *
 * Context: any, NMI included. On x86-64: load the handle, incq %gs:(reg).
 */
static __always_inline void obs_counter_inc(struct obs_counter *c)
{
	__obs_update_begin();
	this_cpu_inc(*READ_ONCE(c->slot));
	__obs_update_end();
}

/**
 * obs_gauge_add() - change an add-type gauge
 * @g: handle
 * @delta: positive or negative, in the family's stored unit
 *
 * Context: any, NMI included.
 */
static __always_inline void obs_gauge_add(struct obs_gauge *g, s64 delta)
{
	__obs_update_begin();
	this_cpu_add(*READ_ONCE(g->slot), (u64)delta);
	__obs_update_end();
}

static __always_inline void obs_gauge_inc(struct obs_gauge *g)
{
	obs_gauge_add(g, 1);
}

static __always_inline void obs_gauge_dec(struct obs_gauge *g)
{
	obs_gauge_add(g, -1);
}

/**
 * obs_gauge_set() - write a set-type gauge; the last writer wins
 * @g: handle
 * @value: in the family's stored unit
 *
 * Context: any, NMI included.
 */
static __always_inline void obs_gauge_set(struct obs_gauge_set *g, s64 value)
{
	__obs_update_begin();
	WRITE_ONCE(*READ_ONCE(g->word), (u64)value);
	__obs_update_end();
}

/* Count @v in its bucket, which is returned. */
static __always_inline u32 __obs_cells_observe(const struct obs_histogram_cells *cells,
					       u64 v)
{
	u32 bucket = obs_histogram_bucket(&cells->layout, v);

	this_cpu_inc(cells->slots[1 + bucket]);
	this_cpu_add(cells->slots[0], v);
	return bucket;
}

/**
 * obs_histogram_observe() - record an observation
 * @h: handle
 * @v: in the family's stored unit, for example ns
 *
 * Context: any, NMI included. Bucket and sum are two instructions: an
 * observer between them sees the one without the other.
 */
static __always_inline void obs_histogram_observe(struct obs_histogram *h, u64 v)
{
	__obs_update_begin();
	__obs_cells_observe(READ_ONCE(h->cells), v);
	__obs_update_end();
}

/**
 * obs_histogram_observe_traced() - record an observation made in a trace
 * @h: handle
 * @v: in the family's stored unit
 * @trace: read before this returns; NULL, or one whose trace id or span id is
 *	all 0: as obs_histogram_observe()
 *
 * In a family with exemplars it becomes that of its range of buckets, unless one
 * less than a millisecond old is there or is just being written.
 *
 * Context: any, NMI included.
 */
void obs_histogram_observe_traced(struct obs_histogram *h, u64 v,
				  const struct obsring_trace *trace);

/* Declaring. */

/**
 * struct obs_family_desc - what a family is; copied at registration
 * @name: as in Prometheus ("foo_requests_total"): printable UTF-8, 1 to 127
 *	bytes; may not begin with "obsring_" or "process_" outside obsring
 * @help: a sentence, up to 1023 bytes
 * @unit: Prometheus unit ("seconds", "bytes") or NULL
 * @label: names, up to 8, the rest NULL
 * @kind: OBSRING_KIND_COUNTER, _GAUGE, _HISTOGRAM or _INFO
 * @set: gauges: set-type (struct obs_gauge_set) rather than add-type
 * @exp10: the stored integer times 10^exp10 is in @unit: -9 for nanoseconds
 *	of a family in seconds; -12 to 0
 * @bounds: explicit histograms: @nr_bounds ascending inclusive upper bounds in
 *	stored units, up to 128; NULL for exponential ones
 * @nr_bounds: length of @bounds
 * @schema: exponential histograms: Prometheus' native schema, 0 to 3
 * @min_log2: lowest bound is 2^min_log2 in @unit: what is at or below it is in
 *	the zero bucket
 * @max_log2: highest bound is 2^max_log2; what is above is in one last bucket
 * @state: state sets: names of the states from 0 on, @nr_states of them; families of
 *	services only
 * @nr_states: 1 to OBSRING_STATES_MAX
 * @exemplars: histograms: keep the newest observation with a trace, for each
 *	power of two of an exponential one and each bucket of an explicit one: 64
 *	bytes each, not for each CPU. A series that gets no memory for them counts
 *	without
 *
 * A histogram has at most 510 bounds: schema 3 reaches over 63 octaves.
 */
struct obs_family_desc {
	const char *name;
	const char *help;
	const char *unit;
	const char *label[OBSRING_LABELS_MAX];
	u8 kind;
	bool set;
	s8 exp10;
	const u64 *bounds;
	u32 nr_bounds;
	s8 schema;
	s16 min_log2;
	s16 max_log2;
	bool exemplars;
	const char *const *state;
	u32 nr_states;
};

/**
 * obs_family_register() - make a family
 * @desc: what it is
 * @owner: THIS_MODULE
 *
 * A family with labels gets an overflow series at once: all its labels have
 * the value OBSRING_OVERFLOW_VALUE, and it takes the updates of those series
 * that a limit refused.
 *
 * Context: process, may sleep.
 * Return: the family, or ERR_PTR: -EEXIST if a family has that name, or one
 * that is the same after Prometheus' escaping or suffixes; -EINVAL for a
 * malformed description; -ENOSPC past max_series; -ENOMEM; -EINTR: the task is being
 * killed.
 */
struct obs_family *__obs_family_register(const struct obs_family_desc *desc,
					 struct module *owner);
#define obs_family_register(desc) __obs_family_register((desc), THIS_MODULE)

/**
 * obs_family_unregister() - remove a family with all its series
 * @family: NULL and ERR_PTR are ignored
 *
 * Handles on its series are detached: updates through them go nowhere from
 * then on, and may still run while this returns. Before the memory of a handle
 * goes, the caller makes sure that its own code no longer runs.
 *
 * Context: process, may sleep.
 */
void obs_family_unregister(struct obs_family *family);

/**
 * obs_counter_attach() - point a handle at the series with these label values
 * @family: a family of the handle's kind
 * @value: a label value for each label name of the family: UTF-8, up to 127
 *	bytes; NULL if it has no labels
 * @c: handle, initialised or attached elsewhere
 *
 * Finds the series or makes it. Several handles may be attached to one.
 * obs_gauge_attach(), obs_gauge_set_attach(), obs_histogram_attach() and
 * obs_info_attach() do the same for their kinds.
 *
 * Context: process, may sleep.
 * Return: 0; -ENOSPC or -ENOMEM if a limit refused a new series, -EINTR if the task
 * is killed while it waits for room: the handle is attached to the family's overflow
 * series, so that its updates are still counted; -EINVAL for values that are no UTF-8,
 * too long or of another number, or a handle of another kind: then it is left as it was.
 */
int obs_counter_attach(struct obs_family *family, const char *const *value,
		       struct obs_counter *c);
int obs_gauge_attach(struct obs_family *family, const char *const *value,
		     struct obs_gauge *g);
int obs_gauge_set_attach(struct obs_family *family, const char *const *value,
			 struct obs_gauge_set *g);
int obs_histogram_attach(struct obs_family *family, const char *const *value,
			 struct obs_histogram *h);
int obs_info_attach(struct obs_family *family, const char *const *value);

/**
 * obs_counter_detach() - point a handle at the dummy; its series stays
 * @c: handle
 *
 * The same for the other kinds.
 *
 * Context: process, may sleep.
 */
void obs_counter_detach(struct obs_counter *c);
void obs_gauge_detach(struct obs_gauge *g);
void obs_gauge_set_detach(struct obs_gauge_set *g);
void obs_histogram_detach(struct obs_histogram *h);

/**
 * obs_series_remove() - remove the series with these label values
 * @family: its family
 * @value: its label values
 *
 * Every handle on it is detached. A series made later with the same values
 * starts from zero with a new creation time.
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOENT; -EBUSY for an overflow series.
 */
int obs_series_remove(struct obs_family *family, const char *const *value);

/**
 * obs_wait_for_updates() - wait until no update can use an old pointer
 *
 * After a handle was detached, and once no new callers can come: when this
 * returns, all updates that had begun are done. Takes up to some seconds.
 *
 * Context: process, sleeps.
 */
void obs_wait_for_updates(void);

/**
 * struct obs_metric - a line of a producer's table: a family, and its only
 *	series if it has no labels
 * @desc: the family
 * @counter: one of these four is the handle of a family without labels;
 * @gauge: none for a family with labels
 * @gauge_set: or for an info family
 * @histogram: of the kind that @desc names
 * @family: set by obs_metrics_register(), to attach labelled series
 */
struct obs_metric {
	struct obs_family_desc desc;
	struct obs_counter *counter;
	struct obs_gauge *gauge;
	struct obs_gauge_set *gauge_set;
	struct obs_histogram *histogram;
	struct obs_family *family;
};

/**
 * obs_metrics_register() - register a table of families
 * @metrics: the table
 * @nr: its length
 *
 * All or nothing. Context: process, may sleep.
 * Return: 0 or what obs_family_register() and obs_*_attach() return.
 */
int __obs_metrics_register(struct obs_metric *metrics, unsigned int nr,
			   struct module *owner);
#define obs_metrics_register(metrics, nr) \
	__obs_metrics_register((metrics), (nr), THIS_MODULE)

/**
 * obs_metrics_unregister() - the reverse, for a module's exit
 * @metrics: the table
 * @nr: its length
 *
 * Families that are not registered are skipped. Returns after the updates that
 * had begun are done, as obs_wait_for_updates() does.
 *
 * Context: process, sleeps.
 */
void obs_metrics_unregister(struct obs_metric *metrics, unsigned int nr);

/* The log. */

struct obs_logsource;

/**
 * struct obs_log_source - who speaks
 * @name: printable UTF-8, 1 to 63 bytes. "user", what begins with "user." and
 *	OBSRING_OVERFLOW_VALUE are not for kernel code, "*" is no name: records of
 *	such a name, or of one that is longer or not printable, are written, and
 *	counted with those of sources past the limit
 * @known: obsring's own: where it is counted and how it is sampled, once found
 * @taskless: what it says has nothing to do with the task that says it: its records
 *	name none, as those of interrupts
 *
 * Declared statically,
 *
 *	static struct obs_log_source mine = OBS_LOG_SOURCE_INIT("mine");
 *
 * or made at run time by obs_log_source_init() in any memory. It is used while
 * obs_log() runs only: nothing has to be given back. Several may have one name,
 * and are one source then.
 *
 * What a source's first records are counted as (obsring_log_seen_total) depends on
 * obs_log_source_register(): without it obs_log() finds the source by its name, and
 * while there is none yet (a worker makes it) counts in the overflow series.
 */
struct obs_log_source {
	const char *name;
	struct obs_logsource *known;
	bool taskless;
};

#define OBS_LOG_SOURCE_INIT(_name)	{ .name = (_name) }

/**
 * obs_log_source_init() - make a source at run time
 * @source: uninitialised
 * @name: as in struct obs_log_source; stays as long as @source does
 *
 * Context: any.
 */
static inline void obs_log_source_init(struct obs_log_source *source,
				       const char *name)
{
	source->name = name;
	source->known = NULL;
	source->taskless = false;
}

/**
 * obs_log_source_register() - have a source counted from its first record on
 * @source: declared or made
 *
 * May be left out, called again, and has no reverse: what was counted stays.
 *
 * Context: process, may sleep.
 * Return: 0; -EINVAL for a name that kernel code can't have; -ENOSPC past the
 * limit of sources (max_log_sources), -ENOMEM. @source may be used all the same.
 */
int obs_log_source_register(struct obs_log_source *source);

/**
 * struct obs_log_field - a key and its value
 * @key: [A-Za-z0-9_.-]; other bytes are shown as _
 * @value: any bytes, ended by a NUL
 */
struct obs_log_field {
	const char *key;
	const char *value;
};

/**
 * obs_log() - write a record to the log, /dev/obsring
 * @source: who speaks
 * @level: LOGLEVEL_EMERG (0) to LOGLEVEL_DEBUG (7)
 * @fmt: as for printk(); no newline at the end is needed. A message of more than
 *	1024 bytes is cut, and marked
 *
 * Counted for its source, then kept or dropped by the source's rule for @level
 * (obsringctl sample), then formatted and written: what is dropped costs little.
 *
 * Never waits: the oldest records of this CPU go. What the ring has no room for
 * because this context interrupted too many writers is lost, and counted in
 * obsring_log_lost_total{cause="nested"}.
 *
 * Context: any, NMI included.
 */
__printf(3, 4)
void obs_log(struct obs_log_source *source, int level, const char *fmt, ...);

/**
 * obs_log_fields() - the same with key=value fields
 * @source: who speaks
 * @level: as for obs_log()
 * @field: @nr fields, in all up to 512 bytes with a NUL behind each key and
 *	value; those that do not fit are left out, and the record is marked as cut
 * @nr: their number
 * @fmt: as for obs_log()
 *
 * Context: any, NMI included.
 */
__printf(5, 6)
void obs_log_fields(struct obs_log_source *source, int level,
		    const struct obs_log_field *field, unsigned int nr,
		    const char *fmt, ...);

#endif /* _LINUX_OBSRING_H */
