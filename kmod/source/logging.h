/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a source logs besides counting: each kind of record is off until an option
 * says otherwise, behind a static key that its probe passes.
 */
#ifndef OBSRING_SOURCE_LOGGING_H
#define OBSRING_SOURCE_LOGGING_H

#include <linux/compiler.h>
#include <linux/jump_label.h>

#include <linux/obsring.h>

#include "source.h"

/**
 * struct obs_log_switch - an option "on" or "off"
 * @on: it is
 * @source: who speaks then
 */
struct obs_log_switch {
	struct static_key_false on;
	struct obs_log_source *source;
};

/**
 * struct obs_log_threshold - an option "off" or a time: what takes as long is logged
 * @on: there is one
 * @ns: the time
 * @number: of it, as it was given
 * @unit: of @number
 * @source: who speaks then
 */
struct obs_log_threshold {
	struct static_key_false on;
	u64 ns;
	u32 number;
	u32 unit;
	struct obs_log_source *source;
};

/* Static ones, off. */
#define OBS_LOG_OFF(_source) \
	{ .on = STATIC_KEY_FALSE_INIT, .source = (_source) }

/* Context: any, NMI included, as for the following. */
static __always_inline bool obs_log_is_on(struct obs_log_switch *log)
{
	return static_branch_unlikely(&log->on);
}

static __always_inline bool obs_log_is_due(struct obs_log_threshold *log, u64 ns)
{
	return static_branch_unlikely(&log->on) && ns >= READ_ONCE(log->ns);
}

/* For struct obs_source_option, whose data is one of the above. */
int obs_log_switch_set(const struct obs_source_option *option, const char *value,
		       struct netlink_ext_ack *extack);
void obs_log_switch_done(const struct obs_source_option *option);
int obs_log_switch_show(const struct obs_source_option *option, char *buf, size_t size);
int obs_log_threshold_set(const struct obs_source_option *option, const char *value,
			  struct netlink_ext_ack *extack);
void obs_log_threshold_done(const struct obs_source_option *option);
int obs_log_threshold_show(const struct obs_source_option *option, char *buf,
			   size_t size);

#define OBS_LOG_SWITCH_OPTION(_key, _help, _switch) {			\
	.key = (_key),							\
	.help = (_help),						\
	.bad = _key ": not on or off",					\
	.set = obs_log_switch_set,					\
	.done = obs_log_switch_done,					\
	.show = obs_log_switch_show,					\
	.data = (_switch),						\
}

#define OBS_LOG_THRESHOLD_OPTION(_key, _help, _threshold) {		\
	.key = (_key),							\
	.help = (_help),						\
	.bad = _key ": not off or a time from 1us to 3600s, such as 10ms",	\
	.set = obs_log_threshold_set,					\
	.done = obs_log_threshold_done,					\
	.show = obs_log_threshold_show,					\
	.data = (_threshold),						\
}

#endif /* OBSRING_SOURCE_LOGGING_H */
