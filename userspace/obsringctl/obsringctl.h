/* SPDX-License-Identifier: MIT */
/*
 * What the subcommands share. Each is a function that gets the words behind its
 * name and returns the exit status; it has printed why, if that is not 0.
 */
#ifndef OBSRINGCTL_H
#define OBSRINGCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <obsring.h>

enum ctl_status {
	CTL_OK,
	CTL_FAILED,		/* failed, or not found */
	CTL_USAGE,		/* called wrongly */
};

/* What the words of a subcommand name: for completion. */
enum ctl_operand {
	CTL_NOTHING,
	CTL_METRIC,
	CTL_SOURCE,
	CTL_PROBE,
	CTL_PROBE_TYPE,
	CTL_LOG_SOURCE,
	CTL_SERVICE,
	CTL_COMMAND,		/* another program and its own words: options end there */
};

/* Options of every subcommand; they may stand before its name as well. */
struct ctl_globals {
	const char *device;	/* NULL: OBSRING_DEVICE */
	bool json;
	bool help;
	bool version;
};

struct ctl_command {
	const char *name;	/* one word or two */
	int (*run)(const struct ctl_command *command, struct ctl_globals *globals,
		   int argc, char **argv);
	const char *usage;	/* behind the name */
	const char *help;
	enum ctl_operand operand;
	bool hidden;
	bool maps;		/* reads a device: --device is for these */
};

/* table.c: all of them, ended by a NULL name. Of two that match, the longer one. */
extern const struct ctl_command ctl_commands[];
const struct ctl_command *ctl_command_find(int argc, char **argv, int *ret_words);

int ctl_info(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_list(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_get(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_log(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_top(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_source_list(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_source_enable(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_source_disable(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_probe_list(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_probe_add(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_probe_delete(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_log_size(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_sample_list(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_sample_set(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_sample_delete(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_sample_cancel(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_family_add(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_family_delete(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_series_add(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_series_delete(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_series_update(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_inc(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_add(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_set(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_observe(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_run(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_service_list(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_service_show(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_service_ttl(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_service_delete(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_segment_create(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_doctor(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_drain(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_trace_parse(const struct ctl_command *, struct ctl_globals *, int, char **);
int ctl_complete(const struct ctl_command *, struct ctl_globals *, int, char **);

/* error.c: `obsringctl: what failed: reason`, and the exit status. */
int ctl_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int ctl_misused(const struct ctl_command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* open.c: each prints why it failed, and returns an exit status. */
struct ctl_reader {
	struct obs_device *device;
	struct obs_snapshot *snapshot;
};

int ctl_reader_open(const struct ctl_globals *globals, struct ctl_reader *reader);

/* Is a file meant, in the device's place: a hosted segment, whose control is its own? */
bool ctl_segment_is_meant(const struct ctl_globals *globals);
void ctl_reader_close(struct ctl_reader *reader);
int ctl_control_open(struct obs_control **ret_control);
const char *ctl_open_reason(int error);

/*
 * Close the connection after a request that returned @result: the exit status.
 * If it failed, say what failed, and the sentence that came with it.
 */
int ctl_control_end(struct obs_control *control, int result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

const char *ctl_kind_name(enum obsring_kind kind);
enum obsring_kind ctl_kind_parse(const char *name);	/* UNSPEC: no such kind */

#endif /* OBSRINGCTL_H */
