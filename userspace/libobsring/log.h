/* SPDX-License-Identifier: MIT */
#ifndef LIBOBSRING_LOG_H
#define LIBOBSRING_LOG_H

#include "logring.h"

#define OBS_LOG_NEVER	UINT64_MAX

/**
 * struct obs_log_merged - a ring as the merge sees it
 * @ring: and the place in it
 * @valid: there is a record at that place: the next three hold
 * @peeked: its length
 * @head: what its first line says of it, unchecked
 * @seen_ns: CLOCK_MONOTONIC when all rings were looked at and it was there, or
 *	OBS_LOG_NEVER
 */
struct obs_log_merged {
	struct obs_logring ring;
	bool valid;
	struct obs_ring_peeked peeked;
	struct obsring_record head;
	uint64_t seen_ns;
};

/**
 * struct obs_log_taken - an entry and what it points to
 * @entry: as the caller sees it
 * @record: the same, taken apart; of a record
 * @buffer: copy of it
 * @source: with its prefix
 * @comm: ends with a NUL
 * @message: likewise
 * @field: the fields' parts, in @buffer
 * @result: what @entry is
 */
struct obs_log_taken {
	struct obs_log_entry entry;
	struct obs_record record;
	union obs_record_buffer buffer;
	char source[sizeof("user.") + OBSRING_SOURCE_MAX];
	char comm[OBSRING_COMM_MAX + 1];
	char message[OBSRING_MESSAGE_MAX + 1];
	struct obs_log_field field[OBSRING_FIELDS_MAX / 2 + 1];
	enum obs_log_result result;
};

/**
 * struct obs_log - a reader of the log
 * @device: its own
 * @since_ns: CLOCK_MONOTONIC; earlier records do not pass
 * @window_ns: how long a record is held back
 * @levels: that pass, never 0
 * @origins: likewise
 * @source: pattern that passes, or NULL
 * @has_trace_id: only @trace_id passes
 * @trace_id: see above
 * @looked_ns: CLOCK_MONOTONIC when all rings were looked at
 * @realtime_ns: CLOCK_REALTIME less CLOCK_MONOTONIC, at that time
 * @lines: of all rings, at that time
 * @given: ring of what was given last, or NULL
 * @read: records given
 * @filtered: records passed over
 * @lost: records lost that were told
 * @taken: what was given last
 * @key: of each ring, what the least of comes first; OBS_LOG_NEVER: nothing
 * @winner: a tournament: of node n the ring with the lesser key of nodes 2 n and
 *	2 n + 1; nodes from @leaves on are the rings themselves, 1 is who comes first
 * @leaves: a power of two, @nr or more
 * @nr: rings
 * @merged: by index in RINGS
 */
struct obs_log {
	struct obs_device *device;
	uint64_t since_ns;
	uint64_t window_ns;
	unsigned int levels;
	unsigned int origins;
	char *source;
	bool has_trace_id;
	uint8_t trace_id[16];
	uint64_t looked_ns;
	uint64_t realtime_ns;
	uint64_t lines;
	struct obs_log_merged *given;
	uint64_t read;
	uint64_t filtered;
	uint64_t lost;
	struct obs_log_taken taken;
	uint64_t *key;
	uint32_t *winner;
	uint32_t leaves;
	uint32_t nr;
	struct obs_log_merged merged[];
};

/* logmerge.c: -ENOMEM. */
int obs_log_merge_init(struct obs_log *log);
void obs_log_merge_exit(struct obs_log *log);

/* Look at all rings. -EPROTO, -ENOMEM. */
int obs_log_look(struct obs_log *log);

/*
 * What comes next of all that was seen, a record or what was lost; NULL: nothing.
 * And when it may be given: CLOCK_MONOTONIC, 0 at once.
 */
struct obs_log_merged *obs_log_first(struct obs_log *log, uint64_t *ret_due_ns);

/* logclock.c: CLOCK_MONOTONIC now, and what to add to have CLOCK_REALTIME. */
uint64_t obs_log_now(void);
uint64_t obs_log_realtime(void);

/* A pass over the record that was seen at that place. */
void obs_log_pass(struct obs_log_merged *merged);

/* logentry.c: does what the first line says of a record pass the filters? */
bool obs_log_head_passes(const struct obs_log *log, const struct obsring_record *head,
			 enum obsring_origin origin);
/* Does the record that was taken? */
bool obs_log_record_passes(const struct obs_log *log);

/* Fill the entry from the buffer, of @words words. False: it is no record. */
bool obs_log_take(struct obs_log *log, const struct obs_logring *ring, uint32_t words);
void obs_log_take_lost(struct obs_log *log, const struct obs_logring *ring,
		       uint64_t lost);

#endif /* LIBOBSRING_LOG_H */
