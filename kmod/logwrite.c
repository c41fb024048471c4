// SPDX-License-Identifier: GPL-2.0-only
/*
 * write(2) to the device: a line is a record, include/obsring/logline.h says how
 * it is read. Identity can't be forged: the uid is that of who opened the file
 * (a set-uid program whose output was redirected must not speak as root), the pid
 * and the name that of who writes.
 *
 * Each uid has a bucket of tokens, one a record: RATE a second, BURST at most.
 * Beyond it records are lost and counted, and the write succeeds. A bucket
 * outlives the files, until it is full again: else opening anew would fill it.
 */
#include <linux/hashtable.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include <obsring/logline.h>

#include "log.h"
#include "logwrite.h"

#define RATE		1000	/* records a second */
#define BURST		10000	/* records */
#define TOKEN_NS	(NSEC_PER_SEC / RATE)

/* Fields before the message, and as much of it as is not cut anyway. */
#define LINE_MAX	(OBSRING_MESSAGE_MAX + OBS_LOGLINE_FIELDS_MAX)

/**
 * struct bucket - a uid's tokens
 * @node: in buckets; with @files under buckets_mutex
 * @uid: whose
 * @files: open files that use it
 * @lock: a token at a time
 * @full_ns: when it will be full: each record puts it off by TOKEN_NS
 */
struct bucket {
	struct hlist_node node;
	kuid_t uid;
	unsigned int files;
	spinlock_t lock;	/* full_ns */
	u64 full_ns;
};

/**
 * struct obs_logwriter - an open file that writes
 * @bucket: its uid's
 * @mutex: one write at a time
 * @len: bytes in @line
 * @cut: the line was longer
 * @line: the line that is being read
 */
struct obs_logwriter {
	struct bucket *bucket;
	struct mutex mutex;	/* all below */
	u32 len;
	bool cut;
	char line[LINE_MAX];
};

static DEFINE_MUTEX(buckets_mutex);
static DEFINE_HASHTABLE(buckets, 6);

/* ---- Rate ---------------------------------------------------------------- */

static bool take_token(struct bucket *bucket)
{
	u64 now = ktime_get_ns();
	bool taken;

	spin_lock(&bucket->lock);
	if (bucket->full_ns < now)
		bucket->full_ns = now;
	taken = bucket->full_ns - now <= (u64)(BURST - 1) * TOKEN_NS;
	if (taken)
		bucket->full_ns += TOKEN_NS;
	spin_unlock(&bucket->lock);
	return taken;
}

/* Buckets that nobody uses and that are full say nothing. */
static void buckets_sweep(u64 now)
{
	struct bucket *bucket;
	struct hlist_node *next;
	int i;

	hash_for_each_safe(buckets, i, next, bucket, node)
		if (!bucket->files && bucket->full_ns <= now) {
			hash_del(&bucket->node);
			kfree(bucket);
		}
}

static struct bucket *bucket_find(kuid_t uid)
{
	struct bucket *bucket;

	hash_for_each_possible(buckets, bucket, node, __kuid_val(uid))
		if (uid_eq(bucket->uid, uid))
			return bucket;
	return NULL;
}

static struct bucket *bucket_get(kuid_t uid)
{
	struct bucket *bucket;

	mutex_lock(&buckets_mutex);
	bucket = bucket_find(uid);
	if (!bucket) {
		buckets_sweep(ktime_get_ns());
		bucket = kzalloc(sizeof(*bucket), GFP_KERNEL_ACCOUNT);
		if (bucket) {
			bucket->uid = uid;
			spin_lock_init(&bucket->lock);
			hash_add(buckets, &bucket->node, __kuid_val(uid));
		}
	}
	if (bucket)
		bucket->files++;
	mutex_unlock(&buckets_mutex);
	return bucket;
}

static void bucket_put(struct bucket *bucket)
{
	mutex_lock(&buckets_mutex);
	bucket->files--;
	mutex_unlock(&buckets_mutex);
}

/* ---- Lines --------------------------------------------------------------- */

static void line_end(struct obs_logwriter *writer)
{
	struct obs_log_line record = { .uid = writer->bucket->uid };
	struct obs_context context;
	char comm[TASK_COMM_LEN];
	struct obs_logline line;

	if (!writer->len && !writer->cut)
		return;
	if (take_token(writer->bucket)) {
		obs_logline_parse(writer->line, writer->len, &line);
		record.level = line.level;
		record.service = line.service;
		record.service_len = line.service_len;
		if (!line.service_len) {
			record.service = get_task_comm(comm, current);
			record.service_len = strlen(comm);
		}
		context.trace = line.trace;
		context.rv = line.rv;
		context.has_rv = line.has_rv;
		record.context = line.has_trace ? &context : NULL;
		record.parsed = &line;
		record.message = line.message;
		record.message_len = line.message_len;
		record.cut = writer->cut;
		obs_log_user(&record);
	} else {
		obs_log_lost(OBS_LOG_RATE_LIMITED, 1);
	}
	writer->len = 0;
	writer->cut = false;
}

/* Take what is in @text; lines that end there are records. */
static void lines_take(struct obs_logwriter *writer, const char *text, size_t len)
{
	const char *end;
	size_t n, room;

	while (len) {
		end = memchr(text, '\n', len);
		n = end ? end - text : len;
		room = min_t(size_t, n, LINE_MAX - writer->len);
		memcpy(writer->line + writer->len, text, room);
		writer->len += room;
		writer->cut |= room < n;
		if (end) {
			line_end(writer);
			n++;
		}
		text += n;
		len -= n;
	}
}

ssize_t obs_logwriter_write(struct obs_logwriter *writer, const char __user *buf,
			    size_t count)
{
	ssize_t ret = 0;
	size_t done = 0, n;
	char chunk[256];

	if (mutex_lock_interruptible(&writer->mutex))
		return -ERESTARTSYS;
	while (done < count && !ret) {
		n = min(count - done, sizeof(chunk));
		if (copy_from_user(chunk, buf + done, n)) {
			ret = -EFAULT;
		} else if (fatal_signal_pending(current) && done) {
			/* No other: the rest would come again, as a line of its own. */
			ret = -EINTR;
		} else {
			lines_take(writer, chunk, n);
			done += n;
			cond_resched();
		}
	}
	/* The last line needs no newline: a write is a record. */
	line_end(writer);
	mutex_unlock(&writer->mutex);
	return done ?: ret;
}

/* ---- Life ---------------------------------------------------------------- */

struct obs_logwriter *obs_logwriter_new(kuid_t uid)
{
	struct obs_logwriter *writer;

	writer = kzalloc(sizeof(*writer), GFP_KERNEL_ACCOUNT);
	if (!writer)
		return NULL;
	mutex_init(&writer->mutex);
	writer->bucket = bucket_get(uid);
	if (!writer->bucket) {
		kfree(writer);
		return NULL;
	}
	return writer;
}

void obs_logwriter_free(struct obs_logwriter *writer)
{
	if (!writer)
		return;
	bucket_put(writer->bucket);
	kfree(writer);
}

void obs_logwrite_exit(void)
{
	/* No file is open: all are unused, and none is wanted again. */
	buckets_sweep(U64_MAX);
}
