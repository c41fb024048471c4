// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to disks: how long from issue to the last completion, and how many
 * bytes were transferred without error. A request that goes back to its queue
 * is timed from its last issue. Disks without requests (dm, md, zram) are seen
 * in those below them.
 *
 * Disks come at run time, and a probe can't make series. So there is a table of
 * disks, which only a worker writes. A probe that meets a disk or an operation
 * that is not in it leaves a note, wakes the worker, and counts in the overflow
 * series meanwhile. Read and write get their series with the disk, the other
 * operations when they are first seen. A disk that is gone keeps its series, and
 * goes on with it when one of its name and number comes back.
 *
 * The table, read by probes in any context:
 *   add_disk:A   store_release of nr_disks, behind name and number
 *   find_disk:B  load_acquire of nr_disks, pairs with A
 *   attach_op:C  store_release of attached, behind the handles
 *   use_op:D     load_acquire of attached, pairs with C
 * A note: FREE --cmpxchg--> WRITING (probe) --E--> READY --F--> FREE (worker)
 *   leave_note:E store_release, pairs with read_note:F load_acquire; the
 *   cmpxchg orders a probe's writes behind the worker's store_release of FREE
 *
 * What trace a request is part of is only known where its bio is submitted, in the
 * submitter's own context; whoever issues it may be another thread, whoever
 * completes it an interrupt. So a thread's context (context.h) is kept with the
 * bio until the request is issued, then with the request. Only of synchronous I/O,
 * direct I/O included: buffered writes are submitted on behalf of nobody. A bio
 * whose request never was issued leaves its tag behind, one that is merged to the
 * front of a request covers the tag of the other: the sector tells, and the request
 * has none. A request into which others are merged has the trace of its first.
 *
 * Memory: a histogram of 20 octaves, 163 slots, and a slot, for each disk and
 * operation that is used, and for overflow: 492 slots with the first disk, 328
 * with each further one.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>
#include <trace/events/block.h>

#include "compat.h"
#include "context.h"
#include "irqwork.h"
#include "log.h"
#include "logging.h"
#include "pending.h"
#include "series.h"
#include "source.h"
#include "tag.h"

#define DISKS	64
#define NOTES	8

enum { OP_READ, OP_WRITE, OP_DISCARD, OP_FLUSH, OP_OTHER, OPS };

static const char * const op_name[OPS] = {
	[OP_READ] = "read",
	[OP_WRITE] = "write",
	[OP_DISCARD] = "discard",
	[OP_FLUSH] = "flush",
	[OP_OTHER] = "other",
};

/**
 * struct channel - where the events of a disk and operation are counted
 * @latency: issue to completion
 * @bytes: transferred
 */
struct channel {
	struct obs_histogram latency;
	struct obs_counter bytes;
};

#define CHANNEL_INIT { .latency = OBS_HISTOGRAM_INIT, .bytes = OBS_COUNTER_INIT }

/**
 * struct disk - a disk that has been seen; never removed
 * @name: as in /dev; constant. With the number it tells the disk
 * @wanted: bits of operations that were seen; set by probes
 * @attached: bits of operations that have their channel; set by the worker
 * @channel: by operation
 */
struct disk {
	char name[DISK_NAME_LEN];
	unsigned long wanted;
	unsigned long attached;
	struct channel channel[OPS];
};

static struct disk disks[DISKS] = {
	[0 ... DISKS - 1].channel = { [0 ... OPS - 1] = CHANNEL_INIT },
};

static dev_t disk_number[DISKS];	/* apart, for the search */
static unsigned int nr_disks;

static struct channel overflow = CHANNEL_INIT;

enum note_state { NOTE_FREE, NOTE_WRITING, NOTE_READY };

/**
 * struct note - a disk that is not in the table
 * @state: enum note_state; whose it is
 * @number: device number
 * @op: what it was asked for
 * @name: as in /dev
 */
struct note {
	atomic_t state;
	dev_t number;
	unsigned int op;
	char name[DISK_NAME_LEN];
};

static struct note notes[NOTES];

static struct obs_pending pending = { .missed = OBS_COUNTER_INIT };
static struct obs_counter untagged = OBS_COUNTER_INIT;

static struct obs_log_source log = { .name = "block", .taskless = true };
static struct obs_log_threshold log_io = OBS_LOG_OFF(&log);

enum { FAMILY_LATENCY, FAMILY_BYTES };

static struct obs_metric metrics[] = {
	[FAMILY_LATENCY] = {
		.desc = {
			.name = "obsring_block_io_latency_seconds",
			.help = "Time from the issue of a request to its completion.",
			.unit = "seconds",
			.label = { "device", "op" },
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 3,
			.min_log2 = -17,
			.max_log2 = 3,
			.exemplars = true,
		},
	},
	[FAMILY_BYTES] = {
		.desc = {
			.name = "obsring_block_io_bytes_total",
			.help = "Bytes that requests transferred without error.",
			.unit = "bytes",
			.label = { "device", "op" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	{
		.desc = {
			.name = "obsring_block_missed_total",
			.help = "Requests that were not timed because too many were issued at once.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &pending.missed,
	},
	{
		.desc = {
			.name = "obsring_block_untagged_total",
			.help = "Requests whose trace was not kept because too many were issued at once.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &untagged,
	},
};

/* ---- The worker, which makes series -------------------------------------- */

/*
 * Past a limit the handles count in the overflow series for good. Without memory they
 * do until the next request.
 */
static int channel_attach(struct channel *channel, const char *disk, const char *op)
{
	const char * const value[] = { disk, op };
	int ret;

	ret = obs_histogram_attach(metrics[FAMILY_LATENCY].family, value,
				   &channel->latency);
	ret = obs_series_attached(ret);
	if (!ret)
		ret = obs_counter_attach(metrics[FAMILY_BYTES].family, value,
					 &channel->bytes);
	return obs_series_attached(ret);
}

static void disk_attach(struct disk *disk)
{
	unsigned long want = READ_ONCE(disk->wanted) & ~disk->attached;
	unsigned long attached = disk->attached;
	unsigned int op;

	for_each_set_bit(op, &want, OPS)
		if (!channel_attach(&disk->channel[op], disk->name, op_name[op]))
			attached |= BIT(op);
	/* attach_op:C, pairs with use_op:D */
	smp_store_release(&disk->attached, attached);
}

static struct disk *disk_search(dev_t number, const char *name)
{
	/* find_disk:B, pairs with add_disk:A */
	unsigned int i, nr = smp_load_acquire(&nr_disks);

	for (i = 0; i < nr; i++) {
		if (disk_number[i] == number && !strcmp(disks[i].name, name))
			return &disks[i];
	}
	return NULL;
}

static void disk_add(const struct note *note)
{
	struct disk *disk = disk_search(note->number, note->name);

	if (disk) {
		set_bit(note->op, &disk->wanted);
		return;
	}
	if (nr_disks == DISKS)
		return;
	disk = &disks[nr_disks];
	strscpy(disk->name, note->name, sizeof(disk->name));
	disk->wanted = BIT(OP_READ) | BIT(OP_WRITE) | BIT(note->op);
	disk_number[nr_disks] = note->number;
	disk_attach(disk);
	/* add_disk:A, pairs with find_disk:B */
	smp_store_release(&nr_disks, nr_disks + 1);
}

static void make_series(struct work_struct *work)
{
	unsigned int i;

	for (i = 0; i < NOTES; i++) {
		/* read_note:F, pairs with leave_note:E */
		if (atomic_read_acquire(&notes[i].state) != NOTE_READY)
			continue;
		disk_add(&notes[i]);
		atomic_set_release(&notes[i].state, NOTE_FREE);
	}
	for (i = 0; i < nr_disks; i++) {
		if (READ_ONCE(disks[i].wanted) & ~disks[i].attached)
			disk_attach(&disks[i]);
	}
}

static DECLARE_WORK(make_series_work, make_series);

static void wake(struct irq_work *work)
{
	schedule_work(&make_series_work);
}

static struct irq_work wake_work = IRQ_WORK_INIT_HARD(wake);

/* ---- The probes ---------------------------------------------------------- */

static void leave_note(dev_t number, const char *name, unsigned int op)
{
	unsigned int i;

	if (READ_ONCE(nr_disks) == DISKS)
		return;
	for (i = 0; i < NOTES; i++) {
		if (atomic_read(&notes[i].state) != NOTE_FREE ||
		    atomic_cmpxchg(&notes[i].state, NOTE_FREE, NOTE_WRITING) != NOTE_FREE)
			continue;
		notes[i].number = number;
		notes[i].op = op;
		strscpy(notes[i].name, name, sizeof(notes[i].name));
		/* leave_note:E, pairs with read_note:F */
		atomic_set_release(&notes[i].state, NOTE_READY);
		break;
	}
	/* None free: the worker has enough to do, the next request is noted. */
	obs_irq_work_queue(&wake_work);
}

/* Where a request's events are counted: never NULL. */
static struct channel *channel_find(struct gendisk *gendisk, unsigned int op)
{
	struct disk *disk = disk_search(disk_devt(gendisk), gendisk->disk_name);

	if (unlikely(!disk)) {
		leave_note(disk_devt(gendisk), gendisk->disk_name, op);
		return &overflow;
	}
	/* use_op:D, pairs with attach_op:C */
	if (unlikely(!(smp_load_acquire(&disk->attached) & BIT(op)))) {
		set_bit(op, &disk->wanted);
		obs_irq_work_queue(&wake_work);
		return &overflow;
	}
	return &disk->channel[op];
}

static unsigned int op_of(const struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return OP_READ;
	case REQ_OP_WRITE:
	case REQ_OP_ZONE_APPEND:
		return OP_WRITE;
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
		return OP_DISCARD;
	case REQ_OP_FLUSH:
		return OP_FLUSH;
	default:
		return OP_OTHER;
	}
}

/* Where a request begins, or what is left of it; 0: nowhere on the disk. */
static u64 sector_of(struct request *rq)
{
	if (blk_rq_is_passthrough(rq) || blk_rq_pos(rq) == (sector_t)-1)
		return 0;
	return blk_rq_pos(rq);
}

/* @rq: with its last part; it began at @sector. @trace: NULL: none is known */
static noinline_for_stack void io_record(struct request *rq, u64 sector, u64 ns,
					 const struct obsring_trace *trace)
{
	u64 bytes = ((sector_of(rq) - sector) << SECTOR_SHIFT) + blk_rq_bytes(rq);
	char where[24], size[24], latency[24];
	const struct obs_log_field fields[] = {
		{ "device", obs_request_disk(rq)->disk_name },
		{ "op", op_name[op_of(rq)] },
		{ "sector", where },
		{ "bytes", size },
		{ "latency_ns", latency },
	};

	snprintf(where, sizeof(where), "%llu", sector);
	snprintf(size, sizeof(size), "%llu", bytes);
	snprintf(latency, sizeof(latency), "%llu", ns);
	obs_log_fields_traced(&log, LOGLEVEL_WARNING, trace, fields,
			      ARRAY_SIZE(fields), "a request took %llu us", ns / NSEC_PER_USEC);
}

static void tag_keep(const void *what, const struct obsring_trace *trace, u64 sector)
{
	if (!obs_tag_put(&pending.table, what, trace, sector))
		obs_counter_inc(&untagged);
}

/* The submitter itself, process context; a request was made for @bio. */
static __maybe_unused void submit(void *data, struct bio *bio)
{
	struct obs_context context;

	if (!obs_contexts_any() || !bio)
		return;
	if (op_is_sync(bio->bi_opf) && obs_context_get(&context))
		tag_keep(bio, &context.trace, bio->bi_iter.bi_sector);
	else
		obs_tag_forget(&pending.table, bio);
}

/* At issue: from the bio to its request, or again from that. */
static void tag_move(struct request *rq)
{
	struct obsring_trace trace;
	u64 sector;

	if (((rq->bio && obs_tag_take(&pending.table, rq->bio, &trace, &sector)) ||
	     obs_tag_take(&pending.table, rq, &trace, &sector)) &&
	    sector == blk_rq_pos(rq) && !blk_rq_is_passthrough(rq))
		tag_keep(rq, &trace, sector);
}

/* A request of which nothing is left to do; it began at @sector. */
static void ended(struct request *rq, struct channel *channel, u64 sector, u64 ns)
{
	const struct obsring_trace *trace = NULL;
	struct obsring_trace tag;
	u64 unused;

	if (obs_contexts_any() && obs_tag_take(&pending.table, rq, &tag, &unused))
		trace = &tag;
	if (trace)
		obs_histogram_observe_traced(&channel->latency, ns, trace);
	else
		obs_histogram_observe(&channel->latency, ns);
	if (obs_log_is_due(&log_io, ns))
		io_record(rq, sector, ns, trace);
}

/*
 * Process or softirq context, in a driver's hands. Requests of queues without
 * a disk (those that administer a controller) are none to a disk.
 */
static __maybe_unused void issue(void *data, struct request *rq)
{
	struct gendisk *gendisk = obs_request_disk(rq);

	if (!gendisk)
		return;
	/* Looked up already now, to have the series when it completes. */
	channel_find(gendisk, op_of(rq));
	obs_pending_begin(&pending, rq, sector_of(rq));
	if (obs_contexts_any())
		tag_move(rq);
}

/* Any context, NMI excepted; comes for each part of a request. */
static __maybe_unused void completed(struct request *rq, bool failed,
				     unsigned int nr_bytes)
{
	struct gendisk *gendisk = obs_request_disk(rq);
	struct channel *channel;
	u64 ns, sector;

	if (!gendisk)
		return;
	channel = channel_find(gendisk, op_of(rq));
	if (!failed)
		obs_counter_add(&channel->bytes, nr_bytes);
	if (nr_bytes >= blk_rq_bytes(rq) &&
	    obs_pending_end(&pending, rq, &ns, &sector))
		ended(rq, channel, sector, ns);
}

#if defined(OBS_HAVE_tp_block_rq_complete_status)
static void complete_rq(void *data, struct request *rq, blk_status_t error,
			unsigned int nr_bytes)
{
	completed(rq, error != BLK_STS_OK, nr_bytes);
}
#elif defined(OBS_HAVE_tp_block_rq_complete_int)
static void complete_rq(void *data, struct request *rq, int error,
			unsigned int nr_bytes)
{
	completed(rq, error, nr_bytes);
}
#else
#define UNAVAILABLE "block_rq_complete has a prototype that obsring does not know"
#endif

#if !defined(OBS_HAVE_tp_block_rq_issue) && !defined(UNAVAILABLE)
#define UNAVAILABLE "block_rq_issue has a prototype that obsring does not know"
#endif

#ifndef UNAVAILABLE
#define UNAVAILABLE NULL
OBS_HOOK_CHECK(block_rq_issue, issue);
OBS_HOOK_CHECK(block_rq_complete, complete_rq);

#ifdef OBS_HAVE_tp_block_getrq
OBS_HOOK_CHECK(block_getrq, submit);
#define SUBMIT_HOOK { "block_getrq", submit },
#else
#define SUBMIT_HOOK
#endif

static struct obs_hook hooks[] = {
	{ "block_rq_complete", complete_rq },
	{ "block_rq_issue", issue },
	SUBMIT_HOOK
};
#else
static struct obs_hook hooks[0];
#endif

/* ---- Life ---------------------------------------------------------------- */

static const struct obs_source_option options[] = {
	OBS_LOG_THRESHOLD_OPTION("log-io", "Log requests that take as long, at level warning: off, or 1us to 3600s (default off).",
				 &log_io),
};

static int start(void)
{
	unsigned int i;
	int ret;

	ret = channel_attach(&overflow, OBSRING_OVERFLOW_VALUE, OBSRING_OVERFLOW_VALUE);
	if (ret)
		return ret;
	/* If the source was hooked in part only, its series went again. */
	for (i = 0; i < nr_disks; i++) {
		disks[i].attached = 0;
		disk_attach(&disks[i]);
	}
	return obs_pending_start(&pending);
}

static void stop(void)
{
	irq_work_sync(&wake_work);
	flush_work(&make_series_work);
	obs_pending_stop(&pending);
}

struct obs_source obs_source_block = {
	.name = "block",
	.help = "Requests to disks: latency and bytes.",
	.unavailable = UNAVAILABLE,
	.metrics = metrics,
	.nr_metrics = ARRAY_SIZE(metrics),
	.hooks = hooks,
	.nr_hooks = ARRAY_SIZE(hooks),
	.options = options,
	.nr_options = ARRAY_SIZE(options),
	.start = start,
	.stop = stop,
};
