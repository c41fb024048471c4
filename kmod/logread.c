// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log as text: all rings, merged by the time of their records, a line each.
 * Each open file has a cursor a ring, so that readers do not know of each other.
 *
 * Order: of the records that are committed when a line is chosen, the oldest
 * comes first. One that is committed later with an earlier time (its writer was
 * interrupted, or its CPU is slower) is printed when it comes.
 *
 * Waking: a writer may be in an NMI or hold any lock. It raises an irq_work, a
 * hard one, which is run in time even where its CPU goes off line; that queues the
 * work that wakes, for a wait queue's lock may sleep on PREEMPT_RT. A full barrier
 * stands between publishing the record and looking for waiters:
 *
 *      writer                          reader
 *      commit the record               enter the wait queue
 *      logread_wake:A  smp_mb()        logread_wait:B  smp_mb()
 *      is anybody in the queue?        is there a record?
 *
 * One of the two sees the other. To spare a busy log a wake-up a record, readers
 * are woken at once if the last wake-up is INTERVAL ns ago, else when that is
 * over, or when a CPU has written WATERMARK records.
 *
 * A CPU that is off line, but still or already runs, can't raise an irq_work: it
 * would be left there. What it writes then is told when it is dead or on line.
 */
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <obsring/logfmt.h>

#include "irqwork.h"
#include "logread.h"
#include "logring.h"
#include "store.h"

#define INTERVAL	(10 * NSEC_PER_MSEC)
#define PAUSE		NSEC_PER_MSEC	/* between wake-ups, for all that */
#define WATERMARK	64

/**
 * struct merged - a ring as the merge sees it
 * @cursor: what comes next
 * @time_ns: of the record there, if @valid
 * @valid: there is one
 */
struct merged {
	struct obs_ring_cursor cursor;
	u64 time_ns;
	bool valid;
};

/**
 * struct obs_logreader - an open file that reads
 * @mutex: one read, seek or poll at a time
 * @lost: records lost that were not told yet
 * @text_at: in @text, what was not read yet
 * @text_len: bytes of @text
 * @buffer: copy of a record
 * @text: a line
 * @ring: a merged ring each
 */
struct obs_logreader {
	struct mutex mutex;	/* all below */
	u64 lost;
	u32 text_at;
	u32 text_len;
	union obs_record_buffer buffer;
	char text[OBS_LOGFMT_MAX];
	struct merged ring[];
};

/* ---- Waking -------------------------------------------------------------- */

static DECLARE_WAIT_QUEUE_HEAD(waiters);
static u64 woken_ns;

/**
 * struct waker - a CPU's
 * @work: queues waking
 * @records: since @told
 * @told: readers will be woken
 */
struct waker {
	struct irq_work work;
	u32 records;
	bool told;
};

static struct waker __percpu *wakers;
static enum cpuhp_state dead_state;
static enum cpuhp_state online_state;

static void wake(struct work_struct *work)
{
	unsigned int cpu;

	WRITE_ONCE(woken_ns, ktime_get_mono_fast_ns());
	for_each_possible_cpu(cpu)
		WRITE_ONCE(per_cpu_ptr(wakers, cpu)->told, false);
	/*
	 * logread_told:C, pairs with logread_wake:A. A writer that still saw told
	 * has published its record for those who are woken now.
	 */
	smp_mb();
	wake_up_interruptible_poll(&waiters, EPOLLIN | EPOLLRDNORM);
}

static DECLARE_DELAYED_WORK(waking, wake);

static unsigned long ticks(s64 ns)
{
	return ns > 0 ? usecs_to_jiffies(ns / NSEC_PER_USEC) : 0;
}

static void waker_run(struct irq_work *work)
{
	struct waker *waker = container_of(work, struct waker, work);
	s64 since = ktime_get_mono_fast_ns() - READ_ONCE(woken_ns);

	/* A probe of wake-ups that logs may reach the watermark by each of them. */
	if (since >= INTERVAL || READ_ONCE(waker->records) >= WATERMARK)
		mod_delayed_work(system_unbound_wq, &waking, ticks(PAUSE - since));
	else
		queue_delayed_work(system_unbound_wq, &waking,
				   ticks(INTERVAL - since));
}

void obs_logread_wake(void)
{
	struct waker *waker = this_cpu_ptr(wakers);

	/* logread_wake:A, pairs with logread_wait:B and logread_told:C */
	if (!wq_has_sleeper(&waiters))
		return;
	if (!READ_ONCE(waker->told)) {
		WRITE_ONCE(waker->records, 0);
		WRITE_ONCE(waker->told, true);
	} else {
		WRITE_ONCE(waker->records, READ_ONCE(waker->records) + 1);
		if (READ_ONCE(waker->records) != WATERMARK)
			return;
	}
	obs_irq_work_queue(&waker->work);
}

/* A CPU is dead, or is on line: see the head of this file. */
static int cpu_changed(unsigned int cpu)
{
	mod_delayed_work(system_unbound_wq, &waking, 0);
	return 0;
}

void obs_logread_wake_all(__poll_t events)
{
	wake_up_interruptible_poll(&waiters, events);
}

/* ---- Merging ------------------------------------------------------------- */

/*
 * Read from ring @index, whatever lines it has now. Lines that were replaced stay
 * until this is done; what was not read of them is lost.
 */
static enum obs_ring_result ring_read(struct obs_logreader *reader, unsigned int index,
				      u64 *word, u32 max, struct obs_ring_peeked *ret)
{
	struct obs_ring_cursor *cursor = &reader->ring[index].cursor;
	enum obs_ring_result result = OBS_RING_EMPTY;
	struct obs_ring_view view;

	rcu_read_lock();
	do {
		if (!obs_logring_view(index, &view))
			break;
		result = obs_ring_read(&view, cursor, word, max, ret, &reader->lost);
	} while (result == OBS_RING_REPLACED ||
		 (result == OBS_RING_LOST && cursor->laps < 8));
	rcu_read_unlock();
	return result;
}

/* Look at the ring's next record, if that was not done yet. */
static void look(struct obs_logreader *reader, unsigned int index)
{
	struct merged *ring = &reader->ring[index];
	struct obs_ring_peeked peeked;
	u64 word[2];

	if (ring->valid ||
	    ring_read(reader, index, word, ARRAY_SIZE(word), &peeked) != OBS_RING_RECORD)
		return;
	ring->time_ns = word[1];
	ring->valid = true;
}

/* The ring whose next record is the oldest of all; NULL: there is none. */
static struct merged *oldest(struct obs_logreader *reader)
{
	struct merged *best = NULL;
	unsigned int i;

	for (i = 0; i < obs_logring_nr(); i++) {
		look(reader, i);
		if (reader->ring[i].valid &&
		    (!best || reader->ring[i].time_ns < best->time_ns))
			best = &reader->ring[i];
	}
	return best;
}

/* Copy and format the record at @ring, unless it has been overwritten. */
static void record_format(struct obs_logreader *reader, struct merged *ring)
{
	u64 number = ring->cursor.record;
	struct obs_ring_peeked peeked;
	struct obs_record record;

	ring->valid = false;
	if (ring_read(reader, ring - reader->ring, reader->buffer.word,
		      OBS_RING_RECORD_WORDS, &peeked) != OBS_RING_RECORD ||
	    ring->cursor.record != number)
		return;
	obs_ring_next(&ring->cursor, &peeked);
	if (!obs_record_parse(&reader->buffer, peeked.words, &record))
		return;
	reader->text_len =
		obs_logfmt(reader->text, sizeof(reader->text), &record,
			   ktime_to_ns(ktime_mono_to_real(ns_to_ktime(record.head->time_ns))));
}

static void lost_format(struct obs_logreader *reader)
{
	reader->text_len = obs_logfmt_lost(reader->text, sizeof(reader->text),
					   reader->lost);
	reader->lost = 0;
}

/*
 * Is there text that was not read? What was lost is told before the record
 * behind the gap. Under the mutex.
 */
static bool line_ready(struct obs_logreader *reader)
{
	struct merged *ring;

	while (reader->text_at == reader->text_len) {
		reader->text_at = 0;
		reader->text_len = 0;
		ring = oldest(reader);
		if (!ring && !reader->lost)
			return false;
		if (reader->lost)
			lost_format(reader);
		else
			record_format(reader, ring);
	}
	return true;
}

/* What is there; 0: nothing. */
static ssize_t read_ready(struct obs_logreader *reader, char __user *buf,
			  size_t count)
{
	size_t done = 0, n;

	if (mutex_lock_interruptible(&reader->mutex))
		return -ERESTARTSYS;
	while (done < count && !(done && signal_pending(current)) &&
	       line_ready(reader)) {
		n = min_t(size_t, count - done, reader->text_len - reader->text_at);
		if (copy_to_user(buf + done, reader->text + reader->text_at, n)) {
			mutex_unlock(&reader->mutex);
			return done ?: -EFAULT;
		}
		reader->text_at += n;
		done += n;
		cond_resched();
	}
	mutex_unlock(&reader->mutex);
	return done;
}

static bool draining(void)
{
	return READ_ONCE(obs_header->state) == OBSRING_STATE_DRAINING;
}

ssize_t obs_logreader_read(struct obs_logreader *reader, char __user *buf,
			   size_t count, bool wait)
{
	DEFINE_WAIT_FUNC(entry, woken_wake_function);
	ssize_t ret;

	if (!count)
		return 0;
	add_wait_queue(&waiters, &entry);
	do {
		/* logread_wait:B, pairs with logread_wake:A */
		smp_mb();
		ret = read_ready(reader, buf, count);
		if (ret || draining())
			break;
		if (!wait)
			ret = -EAGAIN;
		if (wait && signal_pending(current))
			ret = -ERESTARTSYS;
		if (!ret)
			wait_woken(&entry, TASK_INTERRUPTIBLE,
				   MAX_SCHEDULE_TIMEOUT);
	} while (!ret);
	remove_wait_queue(&waiters, &entry);
	return ret;
}

void obs_logread_poll_wait(struct file *file, poll_table *wait)
{
	poll_wait(file, &waiters, wait);
}

__poll_t obs_logreader_poll(struct obs_logreader *reader)
{
	__poll_t events = 0;

	/* logread_wait:B, pairs with logread_wake:A */
	smp_mb();
	/*
	 * A read may fault for as long as its buffer's owner likes. To whom a signal
	 * interrupts say that there is something: no more than a read in vain, while
	 * epoll would forget a file of which it is told the contrary.
	 */
	if (mutex_lock_interruptible(&reader->mutex))
		return EPOLLIN | EPOLLRDNORM;
	if (line_ready(reader))
		events = EPOLLIN | EPOLLRDNORM;
	mutex_unlock(&reader->mutex);
	return events;
}

/* ---- Life ---------------------------------------------------------------- */

static void ring_seek(struct merged *ring, unsigned int index, bool oldest_first)
{
	struct obs_ring_view view;

	ring->valid = false;
	rcu_read_lock();
	do {
		if (!obs_logring_view(index, &view))
			break;
		if (oldest_first)
			obs_ring_seek_oldest(&view, &ring->cursor);
		else
			obs_ring_seek_newest(&view, &ring->cursor);
	} while (!obs_ring_still(&view));
	rcu_read_unlock();
}

static void seek(struct obs_logreader *reader, bool oldest_first)
{
	unsigned int i;

	reader->lost = 0;
	reader->text_at = 0;
	reader->text_len = 0;
	for (i = 0; i < obs_logring_nr(); i++)
		ring_seek(&reader->ring[i], i, oldest_first);
}

int obs_logreader_seek(struct obs_logreader *reader, bool oldest_first)
{
	if (mutex_lock_interruptible(&reader->mutex))
		return -ERESTARTSYS;
	seek(reader, oldest_first);
	mutex_unlock(&reader->mutex);
	/* Who waits at the end, on this file, may have records before it now. */
	wake_up_interruptible_poll(&waiters, EPOLLIN | EPOLLRDNORM);
	return 0;
}

struct obs_logreader *obs_logreader_new(void)
{
	struct obs_logreader *reader;

	reader = kvzalloc(struct_size(reader, ring, obs_logring_nr()),
			  GFP_KERNEL_ACCOUNT);
	if (!reader)
		return NULL;
	mutex_init(&reader->mutex);
	seek(reader, true);
	return reader;
}

void obs_logreader_free(struct obs_logreader *reader)
{
	kvfree(reader);
}

int obs_logread_init(void)
{
	unsigned int cpu;
	int ret;

	wakers = alloc_percpu(struct waker);
	if (!wakers)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		per_cpu_ptr(wakers, cpu)->work = IRQ_WORK_INIT_HARD(waker_run);
	ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "obsring:dead",
					NULL, cpu_changed);
	if (ret < 0)
		goto err_dead;
	dead_state = ret;
	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "obsring:online",
					cpu_changed, NULL);
	if (ret < 0)
		goto err_online;
	online_state = ret;
	return 0;

err_online:
	cpuhp_remove_state_nocalls(dead_state);
err_dead:
	free_percpu(wakers);
	return ret;
}

void obs_logread_exit(void)
{
	unsigned int cpu;

	cpuhp_remove_state_nocalls(online_state);
	cpuhp_remove_state_nocalls(dead_state);
	for_each_possible_cpu(cpu)
		irq_work_sync(&per_cpu_ptr(wakers, cpu)->work);
	cancel_delayed_work_sync(&waking);
	free_percpu(wakers);
}
