// SPDX-License-Identifier: MIT
/*
 * The log of a segment: each thread that writes leases a ring, where it is alone but
 * for its own signal handlers, as <obsring/ring.h> has it. A lease is the kernel's lock
 * on its entry, which is the process', and a flag of which thread of it has the ring.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <obsring.h>
#include <obsring/logline.h>
#include <obsring/record.h>

#include "context.h"
#include "segment.h"

/**
 * struct lease - a ring that the calling thread writes
 * @next: of the same thread, in another segment
 * @segment: where it is
 * @index: which
 * @writer: of it
 * @rng: for the sampler
 * @comm: the thread's name when it began
 */
struct lease {
	struct lease *next;
	struct obs_segment *segment;
	uint32_t index;
	struct obs_ring_writer writer;
	struct obs_sample_rng rng;
	char comm[OBSRING_COMM_MAX];
};

/* What a record looks at is at a fixed distance from the thread's pointer. */
static __thread struct {
	struct lease *leases;
	bool leasing;		/* a signal handler must not begin another one */
} self __attribute__((tls_model("initial-exec")));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* obs_segment.leased */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int once_error;

/* ---- Rings --------------------------------------------------------------- */

static struct obsring_ring *ring_of(const struct obs_segment *segment, uint32_t index)
{
	return (struct obsring_ring *)obs_segment_region(segment, OBSRING_REGION_RINGS) +
	       index;
}

/* By their number, not by what the control block says: that may be damaged. */
static struct obsring_line *lines_of(const struct obs_segment *segment, uint32_t index)
{
	return (struct obsring_line *)obs_segment_region(segment, OBSRING_REGION_LOG) +
	       (uint64_t)index * segment->nr.lines;
}

/* Has the one who held it ended? Its lock is ours now. */
static bool lease_take(struct obs_segment *segment, uint32_t index)
{
	struct obs_host_lease *lease = obs_segment_lease(segment, index);

	if (segment->leased[index])
		return false;
	if (obs_read_once(&lease->state) == OBS_HOST_MEMBER &&
	    obs_segment_holds(segment, lease, &lease->process))
		return false;
	return obs_segment_byte_take(segment, lease);
}

/* Whoever left it without FREE was killed, perhaps within a record. */
static void lease_mend(struct obs_segment *segment, uint32_t index)
{
	struct obs_host_lease *lease = obs_segment_lease(segment, index);
	uint32_t lost;

	if (obs_read_once(&lease->state) == OBS_HOST_FREE)
		return;
	lost = obs_host_ring_mend(ring_of(segment, index), lines_of(segment, index),
				  segment->nr.lines);
	obs_store_release(&lease->state, OBS_HOST_FREE);
	if (!lost)
		return;
	obs_segment_count(segment, OBS_HOST_LOST_KILLED, lost);
	obs_segment_count(segment, OBS_HOST_MENDED, 1);
}

static void lease_drop(struct obs_segment *segment, uint32_t index)
{
	obs_store_release(&obs_segment_lease(segment, index)->state, OBS_HOST_FREE);
	obs_segment_byte_release(segment, obs_segment_lease(segment, index));
	segment->leased[index] = 0;
}

static bool lease_find(struct obs_segment *segment, uint32_t *ret_index)
{
	uint32_t nr = segment->nr.nr_leases, first, i, index;
	struct obs_host_lease *lease;

	/* In turn: so what the last threads wrote stays as long as it can. */
	first = __atomic_fetch_add(&segment->host->next_lease, 1, __ATOMIC_RELAXED);
	for (i = 0; i < nr; i++) {
		index = (first % nr + i) % nr;
		if (!lease_take(segment, index))
			continue;
		lease_mend(segment, index);
		lease = obs_segment_lease(segment, index);
		lease->process = segment->self;
		obs_store_release(&lease->state, OBS_HOST_MEMBER);
		segment->leased[index] = 1;
		*ret_index = index;
		return true;
	}
	return false;
}

void obs_segment_mend_rings(struct obs_segment *segment)
{
	uint32_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < segment->nr.nr_leases; i++) {
		if (obs_read_once(&obs_segment_lease(segment, i)->state) == OBS_HOST_FREE ||
		    !lease_take(segment, i))
			continue;
		lease_mend(segment, i);
		obs_segment_byte_release(segment, obs_segment_lease(segment, i));
	}
	pthread_mutex_unlock(&lock);
}

/* ---- Threads ------------------------------------------------------------- */

static void leases_end(void *unused)
{
	struct lease *lease;

	(void)unused;
	pthread_mutex_lock(&lock);
	while (self.leases) {
		lease = self.leases;
		self.leases = lease->next;
		lease_drop(lease->segment, lease->index);
		free(lease);
	}
	pthread_mutex_unlock(&lock);
}

/* They are the parent's. */
static void child_begins(void)
{
	struct lease *lease;

	while (self.leases) {
		lease = self.leases;
		self.leases = lease->next;
		free(lease);
	}
	self.leasing = false;
	/* Another thread may have had it; what it protects begins anew. */
	pthread_mutex_init(&lock, NULL);
}

static void prepare(void)
{
	once_error = pthread_key_create(&key, leases_end);
	if (!once_error)
		once_error = pthread_atfork(NULL, NULL, child_begins);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void writer_init(struct lease *lease)
{
	struct obsring_ring *ring = ring_of(lease->segment, lease->index);

	lease->writer = (struct obs_ring_writer){
		.ring = ring,
		.line = lines_of(lease->segment, lease->index),
		.mask = lease->segment->nr.lines - 1,
		.guard = (__u32)(obs_read_once(&ring->head) >> 32),
	};
	lease->rng.state = monotonic_ns() ^ (__u64)lease->index << 56 ^ (uintptr_t)lease;
	prctl(PR_GET_NAME, lease->comm);
}

static struct lease *lease_new(struct obs_segment *segment)
{
	struct lease *lease;
	bool found;

	pthread_once(&once, prepare);
	/* Any value: without one there is no destructor. */
	if (once_error || pthread_setspecific(key, &self))
		return NULL;
	lease = calloc(1, sizeof(*lease));
	if (!lease)
		return NULL;
	lease->segment = segment;
	pthread_mutex_lock(&lock);
	found = lease_find(segment, &lease->index);
	pthread_mutex_unlock(&lock);
	if (!found) {
		free(lease);
		return NULL;
	}
	writer_init(lease);
	lease->next = self.leases;
	obs_barrier();
	self.leases = lease;
	return lease;
}

static struct lease *lease_get(struct obs_segment *segment)
{
	struct lease *lease;

	for (lease = self.leases; lease; lease = lease->next)
		if (lease->segment == segment)
			return lease;
	if (self.leasing)
		return NULL;
	self.leasing = true;
	obs_barrier();
	lease = lease_new(segment);
	obs_barrier();
	self.leasing = false;
	return lease;
}

/* ---- Records ------------------------------------------------------------- */

static void append(union obs_record_buffer *buffer, const void *from, uint32_t len)
{
	memcpy(buffer->byte + buffer->head.size, from, len);
	buffer->head.size += (__u16)len;
}

/* A record has a source: the service, or the thread's name, which may be empty. */
static const char *source_of(const struct lease *lease, const struct obs_logline *line,
			     uint32_t *ret_len)
{
	*ret_len = line->service_len;
	if (*ret_len)
		return line->service;
	*ret_len = (uint32_t)strnlen(lease->comm, sizeof(lease->comm));
	if (*ret_len)
		return lease->comm;
	*ret_len = 1;
	return "?";
}

/* A line that brings no trace has its thread's. */
static void trace_of_thread(struct obs_logline *line)
{
	struct obs_context own;

	if (line->has_trace || !obs_context_own(&own))
		return;
	line->has_trace = true;
	line->trace = own.trace;
	line->has_rv = own.has_rv;
	line->rv = own.rv;
}

/* As the module builds it of what is written to the device. */
static void record_build(const struct lease *lease, const struct obs_logline *line,
			 const char *source, uint32_t source_len,
			 union obs_record_buffer *buffer)
{
	struct obsring_record *head = &buffer->head;
	uint32_t len = line->message_len;
	bool cut = len > OBSRING_MESSAGE_MAX;

	head->pid = (__u32)lease->segment->pid;
	head->uid = geteuid();
	memcpy(head->comm, lease->comm, sizeof(head->comm));
	if (line->has_trace) {
		head->flags |= OBSRING_RECORD_TRACE;
		append(buffer, &line->trace, sizeof(line->trace));
	}
	head->source_len = (__u16)source_len;
	append(buffer, source, source_len);
	head->message_len = cut ? OBSRING_MESSAGE_MAX : (__u16)len;
	append(buffer, line->message, head->message_len);
	head->fields_len = (__u16)obs_logline_fields(line, (char *)buffer->byte + head->size,
						     OBSRING_FIELDS_MAX, &cut);
	head->size += head->fields_len;
	if (cut)
		head->flags |= OBSRING_RECORD_CUT;
}

static void record_put(struct lease *lease, union obs_record_buffer *buffer)
{
	struct obs_segment *segment = lease->segment;
	struct obsring_record *head = &buffer->head;
	uint32_t words = obs_record_words(head->size), overwritten;
	int cpu = sched_getcpu();

	memset(buffer->byte + head->size, 0, words * sizeof(__u64) - head->size);
	head->cpu = cpu < 0 ? 0 : (__u16)cpu;
	head->time_ns = monotonic_ns();
	if (!obs_ring_write(&lease->writer, buffer->word, words, &overwritten)) {
		obs_segment_count(segment, OBS_HOST_LOST_NESTED, 1);
		return;
	}
	obs_segment_count(segment, OBS_HOST_RECORDS + head->level, 1);
	if (overwritten)
		obs_segment_count(segment, OBS_HOST_OVERWRITTEN, overwritten);
	if (head->flags & OBSRING_RECORD_CUT)
		obs_segment_count(segment, OBS_HOST_TRUNCATED, 1);
}

int obs_segment_log(struct obs_segment *segment, const char *text, size_t len)
{
	struct lease *lease = lease_get(segment);
	union obs_record_buffer buffer;
	struct obs_logline line;
	uint32_t source_len;
	const char *source;

	if (!lease) {
		obs_segment_count(segment, OBS_HOST_LOST_NO_RING, 1);
		return 0;
	}
	if (len && text[len - 1] == '\n')
		len--;
	obs_logline_parse(text, (__u32)len, &line);
	trace_of_thread(&line);
	memset(&buffer.head, 0, sizeof(buffer.head));
	buffer.head.size = sizeof(buffer.head);
	buffer.head.level = line.level;
	buffer.head.flags = OBSRING_RECORD_USER;
	source = source_of(lease, &line, &source_len);
	if (!obs_segment_keep(segment, lease->index, &lease->rng, &line, source, source_len,
			      &buffer.head))
		return 0;
	record_build(lease, &line, source, source_len, &buffer);
	record_put(lease, &buffer);
	return 0;
}
