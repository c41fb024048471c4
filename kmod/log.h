/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log's writing side: a record is built in a buffer of this CPU and nesting
 * level, then goes to a ring, is counted, and who waits for it is told.
 */
#ifndef OBSRING_LOG_H
#define OBSRING_LOG_H

#include <linux/types.h>
#include <linux/uidgid.h>

#include <obsring/context.h>
#include <obsring/logline.h>
#include <obsring/record.h>

/* Why a record was lost, for obsring_log_lost_total{cause}. */
#define OBS_LOG_LOSSES(X)		\
	X(NESTED, "nested")		\
	X(RATE_LIMITED, "rate_limited")

enum obs_log_loss {
#define OBS_LOG_LOSS_ENUM(_id, _name) OBS_LOG_##_id,
	OBS_LOG_LOSSES(OBS_LOG_LOSS_ENUM)
#undef OBS_LOG_LOSS_ENUM
	OBS_LOG_LOSSES_NR
};

/**
 * struct obs_log_line - a record that a process writes
 * @level: 0 to 7
 * @service: @service_len bytes, 1 to OBSRING_SOURCE_MAX
 * @context: NULL if it has none of its own: then it gets its thread's, if any
 * @parsed: whose fields it has
 * @message: @message_len bytes; what is beyond OBSRING_MESSAGE_MAX is cut
 * @uid: whose it is
 * @cut: it was cut already
 */
struct obs_log_line {
	u8 level;
	const char *service;
	u32 service_len;
	const struct obs_context *context;
	const struct obs_logline *parsed;
	const char *message;
	u32 message_len;
	kuid_t uid;
	bool cut;
};

/*
 * obs_log_fields() for what began in @trace, NULL: in none, and not for the current
 * thread. Context: any.
 */
__printf(6, 7)
void obs_log_fields_traced(struct obs_log_source *source, int level,
			   const struct obsring_trace *trace,
			   const struct obs_log_field *field, unsigned int nr,
			   const char *fmt, ...);

/* Write a record of user origin for the current task. Process context. */
void obs_log_user(const struct obs_log_line *line);

/* Count records that were not written. Any context. */
void obs_log_lost(enum obs_log_loss cause, u64 n);

/* Of the rings of @origin, @bytes are not in use any more. */
void obs_log_emptied(enum obsring_origin origin, u64 bytes);

/* @bytes: of a CPU's ring, by origin. */
int obs_log_init(const unsigned long *bytes);
void obs_log_exit(void);

#endif /* OBSRING_LOG_H */
