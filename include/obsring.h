/* SPDX-License-Identifier: MIT */
/*
 * libobsring: read what the obsring module counts, and configure it.
 *
 * Conventions: functions that can fail return 0 or a positive number, or
 * -errno; results come through ret_... parameters, which are left as they were
 * on failure. Nothing here prints, exits, or changes the process' state.
 * Destructors accept NULL. An object may be used by one thread at a time;
 * different objects by different threads at once, several snapshots of one
 * device among them. Strings are UTF-8.
 *
 * Reading needs no system call once a snapshot is warm: the device is mapped,
 * and the directory's journal says what changed (<linux/obsring.h>).
 */
#ifndef OBSRING_H
#define OBSRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/obsring.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* ---- The device ---------------------------------------------------------- */

struct obs_device;

/*
 * Open and map the device (NULL: /dev/obsring), or a file that holds the same
 * layout.
 *
 * -ENOENT, -ENODEV, -ENXIO: the module is not loaded; -EACCES: not in the
 * device's group; -ESHUTDOWN: it is draining; -EPROTO: not obsring, or damaged;
 * -EPROTONOSUPPORT: another abi_major than this library's; -ENOMEM.
 */
int obs_device_open(const char *path, struct obs_device **ret_device);
void obs_device_close(struct obs_device *device);

/* For poll: POLLPRI when families or series come or go, POLLHUP: draining. */
int obs_device_fd(const struct obs_device *device);

/* The mapped header: constant fields may be read directly. */
const struct obsring_header *obs_device_header(const struct obs_device *device);

/* True once the module asks its readers to close. */
bool obs_device_draining(const struct obs_device *device);

/* ---- A snapshot: families, series, values -------------------------------- */

struct obs_snapshot;

/*
 * A family, as described in <linux/obsring.h>. Valid until the next
 * obs_snapshot_update() that returns 1, as is everything it points to.
 */
struct obs_family_info {
	uint32_t id;			/* index in the directory */
	uint32_t gen;
	const char *name;
	const char *help;
	const char *unit;		/* "" if it has none */
	enum obsring_kind kind;
	bool set;			/* set-type gauge */
	int exp10;
	unsigned int nr_labels;
	const char *const *label;	/* names */
	bool exponential;		/* histograms: schema, min and max hold */
	int schema;
	int min_log2;
	int max_log2;
	unsigned int nr_bounds;		/* histograms; buckets are one more */
	const uint64_t *bound;		/* in stored units, ascending */
	uint64_t created_ns;
	unsigned int nr_states;		/* state sets */
	const char *const *state;	/* their names, from state 0 on */
};

/* A series. Valid as long as its family is. */
struct obs_series_info {
	uint32_t id;
	uint32_t gen;
	const struct obs_family_info *family;
	const char *const *value;	/* label values, family->nr_labels */
	bool overflow;
	uint64_t created_ns;
	unsigned int nr_exemplars;	/* 0, or ranges of a histogram's buckets */
};

/*
 * A new, empty snapshot of @device, which must outlive it. -ENOMEM.
 */
int obs_snapshot_new(struct obs_device *device, struct obs_snapshot **ret_snapshot);
void obs_snapshot_free(struct obs_snapshot *snapshot);

/*
 * Read all values, and what changed in the directory. 1: families or series
 * came or went since the last call (what was got from the snapshot before is
 * gone); 0: only values changed, and every pointer still holds. -ENOMEM,
 * -EPROTO (damaged), -ESHUTDOWN (draining). After a failure the snapshot is as
 * it was before.
 *
 * Costs time in proportion to the values, and to the changes, not to all that
 * exists.
 */
int obs_snapshot_update(struct obs_snapshot *snapshot);

/*
 * Counts all changes of the directory that this snapshot has seen: as long as
 * it is the same, so are families, series and their order.
 */
uint64_t obs_snapshot_generation(const struct obs_snapshot *snapshot);

/* When the last update read the values: CLOCK_REALTIME, ns. */
uint64_t obs_snapshot_time_ns(const struct obs_snapshot *snapshot);

/*
 * Who keeps something for each family or series is told, within an update that
 * returns 1, what goes and what comes: series go before their family, and come after
 * it and, with @before (NULL: it is the first), in the order in which they stand.
 * What is told is as obs_family_next() and obs_series_next() have it then, with its
 * values; what goes is still there. From then until it goes, a family or series
 * stays where it is, whatever else changes.
 */
struct obs_snapshot_events {
	void *arg;
	void (*family_goes)(void *arg, const struct obs_family_info *family);
	void (*family_comes)(void *arg, const struct obs_family_info *family);
	void (*series_goes)(void *arg, const struct obs_series_info *series);
	void (*series_comes)(void *arg, const struct obs_series_info *series,
			     const struct obs_series_info *before);
};

/* @events, which is copied; NULL: nobody is told. */
void obs_snapshot_watch(struct obs_snapshot *snapshot,
			const struct obs_snapshot_events *events);

/*
 * Families in the order of their ids: the first for NULL, NULL after the last.
 */
const struct obs_family_info *
obs_family_next(const struct obs_snapshot *snapshot,
		const struct obs_family_info *family);
const struct obs_family_info *
obs_family_find(const struct obs_snapshot *snapshot, const char *name);
unsigned int obs_family_nr_series(const struct obs_snapshot *snapshot,
				  const struct obs_family_info *family);

/*
 * The series of a family in the order of their creation, the overflow series
 * last.
 */
const struct obs_series_info *
obs_series_next(const struct obs_snapshot *snapshot,
		const struct obs_family_info *family,
		const struct obs_series_info *series);

/* ---- Values as of the last update ---------------------------------------- */

/*
 * In stored units: multiply by 10^family->exp10. Counters: unsigned; gauges:
 * signed; info: 1; histograms: the sum of the observations.
 */
uint64_t obs_series_counter(const struct obs_snapshot *snapshot,
			    const struct obs_series_info *series);
int64_t obs_series_gauge(const struct obs_snapshot *snapshot,
			 const struct obs_series_info *series);
uint64_t obs_series_sum(const struct obs_snapshot *snapshot,
			const struct obs_series_info *series);

/*
 * A state set: its version, 0 if none was set yet, and its state in *ret_state, which
 * the family need not have a name for.
 */
uint64_t obs_series_state(const struct obs_snapshot *snapshot,
			  const struct obs_series_info *series,
			  unsigned int *ret_state);

/*
 * For many series at once: those of the same array, as most are that were made one after
 * the other, are found in it by their slot, which is the value, or a histogram's sum,
 * which its buckets follow. Arrays are numbers that mean something to
 * obs_snapshot_sums() alone. false: the series has no slots (info).
 */
bool obs_series_place(const struct obs_series_info *series, uint64_t *ret_array,
		      uint32_t *ret_slot);

/* An array that a series has; valid until the next update. */
const uint64_t *obs_snapshot_sums(const struct obs_snapshot *snapshot, uint64_t array);

/* The nr_bounds + 1 bucket counts (not cumulated) of a histogram. */
const uint64_t *obs_series_buckets(const struct obs_snapshot *snapshot,
				   const struct obs_series_info *series);

/* The count of a histogram: the sum of its buckets. */
uint64_t obs_series_count(const struct obs_snapshot *snapshot,
			  const struct obs_series_info *series);

/*
 * The slots of one row (slot 0 is the value, or a histogram's sum; buckets
 * follow), read now from the mapping. @slots has room for @nr, which is at most
 * the slots of the series. @cpu OBSRING_CPU_SHARED: everyone's row of a service's
 * series. -ENXIO: no such CPU or row; -ESTALE: the series was removed since the last
 * update.
 */
int obs_series_row(const struct obs_snapshot *snapshot,
		   const struct obs_series_info *series, unsigned int cpu,
		   uint64_t *slots, unsigned int nr);

/* CPUs that have rows: the next one after @cpu, from -1; -1 after the last. */
int obs_cpu_next(const struct obs_device *device, int cpu);

/* Bound @index of a histogram in the Prometheus unit; +Inf for nr_bounds. */
double obs_family_bound(const struct obs_family_info *family, unsigned int index);

/* ---- Processes ----------------------------------------------------------- */

/*
 * What each process holds, in the order of their numbers, while source "process" is
 * on: section 9 of <linux/obsring.h>. @fn ends it with what it returns, unless 0. Not
 * a snapshot: processes come and go meanwhile. -ENODATA: the source is off; -EPERM: the
 * caller is in another PID namespace; -ENOTTY: a hosted segment, or a module without.
 */
int obs_process_list(int device_fd,
		     int (*fn)(const struct obsring_process *process, void *arg), void *arg);

/* Tasks that are in no group. */
struct obs_sleeper_counts {
	uint32_t tasks;		/* all, those in groups too */
	uint32_t running;
	uint32_t exited;	/* not waited for yet */
	uint32_t unknown;	/* asleep, nobody saw where */
};

/*
 * Tasks of process @pid, or of all (0), by where they sleep: @fn is called for each of
 * the largest groups. Errors as above; -EOPNOTSUPP: this kernel saves no stacks.
 */
int obs_sleeper_list(int device_fd, uint32_t pid, struct obs_sleeper_counts *ret_counts,
		     int (*fn)(const struct obsring_sleep_group *group, void *arg), void *arg);

/* ---- The log ------------------------------------------------------------- */

struct obs_log;

enum obs_log_start {
	OBS_LOG_OLDEST,			/* with all that is there */
	OBS_LOG_NEWEST,			/* behind it */
	OBS_LOG_SINCE_REALTIME,		/* with what was written from since_ns on, by */
	OBS_LOG_SINCE_MONOTONIC,	/* that clock, of the initial time namespace */
};

/*
 * What to read, and in what order. All 0: everything, from the oldest on. A record
 * must pass each filter; one that is 0 or NULL lets all pass.
 *
 * Order. Records of all CPUs are merged by their time. A record is held back until
 * it is window_ns old (no longer than that from when it is first seen), so that an
 * earlier one of another CPU, which is committed later, can still come first: of
 * two records that are committed within window_ns of their time, the earlier comes
 * first, unless it is lost. With 0 a record comes at once, which is in order for
 * what has been there for some time. Records of one CPU and origin come as they
 * were written: of two that interrupt one another the later may have begun first.
 */
struct obs_log_options {
	enum obs_log_start start;
	uint64_t since_ns;
	uint64_t window_ns;
	unsigned int levels;		/* bit N: syslog level N, 0 to 7 */
	unsigned int origins;		/* bit N: enum obsring_origin N */
	const char *source;		/* a name as obs_log_entry has it, or a shell
					 * pattern: "user.*" */
	const uint8_t *trace_id;	/* 16 bytes */
};

/*
 * A log of its own: place, filters and open file. @path as in obs_device_open(),
 * whose errors it has; -EOPNOTSUPP: this module's log can't be mapped; -EINVAL: an
 * option. @options may be NULL, and is not used later.
 */
int obs_log_open(const char *path, const struct obs_log_options *options,
		 struct obs_log **ret_log);
void obs_log_close(struct obs_log *log);

struct obs_log_field {
	const char *key, *value;
};

/*
 * A record, or what was lost. Strings end with a NUL, which their length does not
 * count; those of a record are any bytes, and may have others within.
 */
struct obs_log_entry {
	uint64_t lost;			/* OBS_LOG_LOST: records, of this ring: */
	uint32_t cpu;
	enum obsring_origin origin;
	/* OBS_LOG_RECORD: */
	uint64_t time_ns;		/* CLOCK_REALTIME, by the present difference to: */
	uint64_t monotonic_ns;		/* CLOCK_MONOTONIC, when it was written */
	unsigned int level;		/* 0 (emerg) to 7 (debug) */
	const char *source;		/* of a process: "user.NAME" */
	size_t source_len;
	uint32_t pid, uid;
	const char *comm;
	bool has_trace;			/* the next three hold */
	uint8_t trace_id[16], span_id[8];
	uint8_t trace_flags;
	uint64_t threshold;		/* 56 bits, 0: all are kept */
	double weight;			/* records that it stands for: 2^56 / (2^56 -
					 * threshold), or 0 if the floor kept it */
	const char *message;
	size_t message_len;
	unsigned int nr_fields;
	const struct obs_log_field *field;
	bool cut;			/* message or fields were shortened */
};

enum obs_log_result {
	OBS_LOG_NOTHING,		/* for now: see obs_log_wait() */
	OBS_LOG_RECORD,
	OBS_LOG_LOST,			/* a gap: entry->lost records are missing here */
};

/*
 * What comes next: enum obs_log_result, or -EPROTO (damaged), -ENOMEM, after which
 * the log may be asked again. *ret_entry is a copy that stays until the next call;
 * with OBS_LOG_NOTHING it is left as it was. A gap is told before the record of its
 * ring that follows on it. It is not known whether what is lost would have passed
 * the filters. No system call but for reading the clock, which needs none as a rule.
 */
int obs_log_next(struct obs_log *log, const struct obs_log_entry **ret_entry);

#define OBS_LOG_TEXT_MAX	8192	/* no line is longer */

/*
 * What obs_log_next() gave last as the line of logfmt that reading the device gives
 * of it, up to @size bytes, with its line feed and without a NUL: how many; 0 if
 * nothing was given yet.
 */
size_t obs_log_text(const struct obs_log *log, char *text, size_t size);

/*
 * What became of the records that were stored since the log was opened (or, where
 * the place it began at was before, from that place on): at rest their number is
 * the sum of these.
 */
struct obs_log_counts {
	uint64_t read;			/* given by obs_log_next() */
	uint64_t filtered;		/* passed over */
	uint64_t lost;			/* overwritten, gone with a ring that was
					 * replaced, or damaged */
	uint64_t unread;		/* still there, or being written */
};

void obs_log_counts(struct obs_log *log, struct obs_log_counts *ret_counts);

/*
 * Wait until there is something for obs_log_next(), up to @timeout_ms (-1: for
 * ever). 1: there is, though it may not pass the filters; 0: the time is over;
 * -ESHUTDOWN: the module is draining and there is nothing more to read; -EINTR: a
 * signal; or as obs_log_next(). In place of the device, a file tells nobody that it
 * changed: it is looked at every 10 ms.
 */
int obs_log_wait(struct obs_log *log, int timeout_ms);

/*
 * For a loop of one's own: prepare right before each poll, then poll the
 * descriptor, level-triggered, for POLLIN, no longer than *ret_timeout_ms (0: there
 * is something; -1: for ever), and after it ask obs_log_next(). The descriptor is
 * the log's: nobody may read it, seek in it or share it. It is -1, which poll
 * ignores, for a file. Errors as obs_log_wait() has them.
 */
int obs_log_prepare(struct obs_log *log, int *ret_timeout_ms);
int obs_log_fd(const struct obs_log *log);

/* ---- Exemplars ----------------------------------------------------------- */

/* An observation, and the trace that it was made in. */
struct obs_exemplar {
	uint64_t value;			/* in stored units */
	uint64_t time_ns;		/* CLOCK_REALTIME; 0: there is none */
	uint8_t trace_id[16];
	uint8_t span_id[8];
};

#define OBS_RANGES_MAX	(OBSRING_BOUNDS_MAX + 1)

/*
 * Ranges of buckets, of which each may have an exemplar: what text formats show
 * as buckets. A range ends with bucket obs_family_range_last(), whose bound is
 * its upper bound, and begins behind that of the range before. 0 unless it is a
 * histogram; at most OBS_RANGES_MAX.
 */
unsigned int obs_family_nr_ranges(const struct obs_family_info *family);
unsigned int obs_family_range_last(const struct obs_family_info *family,
				   unsigned int range);

/*
 * The newest exemplars of the first @nr ranges (at most series->nr_exemplars),
 * read now from the mapping: they may be newer than the last update. Each is whole
 * and in its range; one that is just being written counts as none. How many there
 * are; -ESTALE: the series was removed since the last update; -EPROTO: damaged; what
 * @exemplar holds then means nothing.
 */
int obs_series_exemplars(const struct obs_snapshot *snapshot,
			 const struct obs_series_info *series,
			 struct obs_exemplar *exemplar, unsigned int nr);

/* ---- Control: generic netlink -------------------------------------------- */

struct obs_control;

/*
 * A connection to the module's generic netlink family. -ENOENT: the module is
 * not loaded (or this is not the initial network namespace). -ENOMEM.
 *
 * Calls below return -errno as the module gave it: -EPERM without the
 * capability, -ENOENT for an unknown name, -EEXIST, -EINVAL, -EBUSY, -ENOSPC,
 * -EOPNOTSUPP (a source that this kernel lacks), and so on.
 * obs_control_error() has the sentence that came with the last failure (the
 * extended ack), or strerror's; valid until the next call.
 */
int obs_control_open(struct obs_control **ret_control);
void obs_control_close(struct obs_control *control);
const char *obs_control_error(const struct obs_control *control);

struct obs_info {
	char version[64];
	uint32_t abi_major, abi_minor;
	uint32_t state;			/* enum obsring_state */
	uint64_t instance;
	uint32_t nr_cpus;
	uint32_t families, series;
	uint32_t series_limit, family_series_limit;
	uint64_t bytes, bytes_limit, directory_bytes;
	uint64_t refused;
};

int obs_control_info(struct obs_control *control, struct obs_info *ret_info);

/* OBSRING_STATE_DRAINING asks all readers to close; RUNNING takes it back. */
int obs_control_set_state(struct obs_control *control, enum obsring_state state);

struct obs_source_option {
	char key[32];
	char value[256];
	char help[256];
};

struct obs_source_info {
	char name[OBSRING_NAME_MAX + 1];
	char help[256];
	bool enabled;
	char reason[256];		/* why it is unavailable, or "" */
	unsigned int nr_options;
	struct obs_source_option option[8];
};

struct obs_probe_info {
	char name[OBSRING_NAME_MAX + 1];	/* its metric */
	enum obsring_probe_type type;
	char target[256];
	enum obsring_kind kind;
	uint32_t sample;
	uint64_t hits, missed;
	char reason[256];		/* why it counts no longer, or "" */
};

/*
 * Call @fn for each; its first nonzero return ends the walk and is returned.
 */
int obs_source_list(struct obs_control *control,
		    int (*fn)(const struct obs_source_info *source, void *arg),
		    void *arg);
int obs_probe_list(struct obs_control *control,
		   int (*fn)(const struct obs_probe_info *probe, void *arg),
		   void *arg);

/* @options: "key=value" strings, @nr of them, applied with the change or not at all. */
int obs_source_set(struct obs_control *control, const char *name, bool enable,
		   const char *const *options, unsigned int nr);

/* @probe: name, type, target; kind (0: by type), sample (0: 1). @help may be NULL. */
int obs_probe_add(struct obs_control *control, const struct obs_probe_info *probe,
		  const char *help);
int obs_probe_delete(struct obs_control *control, const char *name);

/* A ring of the log. */
struct obs_log_ring_info {
	uint32_t cpu;
	enum obsring_origin origin;
	uint64_t bytes;			/* its size */
	uint64_t high_water_bytes;	/* ever used, since load or since this size */
	uint64_t records;		/* stored since load */
};

/* @device_fd: as in obs_series_dump(). */
int obs_log_ring_list(struct obs_control *control, int device_fd,
		      int (*fn)(const struct obs_log_ring_info *ring, void *arg),
		      void *arg);

/*
 * Give each CPU's ring of @origin another size: a power of two, 4096 to 67108864.
 * What is in them is lost to those who have not read it, and told to them.
 */
int obs_log_set_size(struct obs_control *control, enum obsring_origin origin,
		     uint64_t bytes);

#define OBS_SAMPLE_NO_LEVEL	(-1)

/* How a source's log records are sampled, or a command that will change it. */
struct obs_sample_info {
	char source[OBSRING_NAME_MAX + 1];	/* "user.NAME": a process' service */
	int level;			/* 0 to 7; NO_LEVEL: 4 to 7 */
	enum obsring_rule rule;		/* UNSPEC: it is removed */
	uint64_t value;
	uint64_t at_ns;			/* CLOCK_REALTIME; 0: now, or in force */
	uint64_t id;			/* of a command that waits; else 0 */
};

/* The rules in force, then the commands that wait, in the order of their time. */
int obs_sample_list(struct obs_control *control,
		    int (*fn)(const struct obs_sample_info *sample, void *arg),
		    void *arg);

/*
 * Set a rule, or remove it (rule UNSPEC): now, which is done when this returns, or
 * at at_ns. *ret_id (may be NULL) is the number of the command. If id is not 0 it
 * takes the place of that command, which waits, or does nothing. -ENOENT: there is
 * nothing to remove, or to replace.
 */
int obs_sample_send(struct obs_control *control, const struct obs_sample_info *sample,
		    uint64_t *ret_id);

/* Take back a command that waits. -ENOENT: it does not, or not any more. */
int obs_sample_cancel(struct obs_control *control, uint64_t id);

/* Families and series that no kernel code owns, for info metrics and tools. */
struct obs_family_spec {
	const char *name, *help, *unit;
	enum obsring_kind kind;
	bool set;
	int exp10;
	unsigned int nr_labels;
	const char *const *label;
	unsigned int nr_bounds;		/* explicit bounds if above 0, else */
	const uint64_t *bound;
	int schema, min_log2, max_log2;	/* exponential */
	unsigned int nr_states;		/* state sets, of services only */
	const char *const *state;
};

int obs_family_add(struct obs_control *control, const struct obs_family_spec *spec);
int obs_family_delete(struct obs_control *control, const char *name);

/* @value: label values, @nr of them. */
int obs_series_add(struct obs_control *control, const char *family,
		   const char *const *value, unsigned int nr);
int obs_series_delete(struct obs_control *control, const char *family,
		      const char *const *value, unsigned int nr);

/*
 * Counter: add @number (unsigned); add-type gauge: add; set-type: set;
 * histogram: observe. In stored units.
 */
int obs_series_update(struct obs_control *control, const char *family,
		      const char *const *value, unsigned int nr, int64_t number);

/*
 * Counters over netlink, for tools that do not map. With @device_fd >= 0 that
 * descriptor of the device is the right to read; -1: the caller's capability.
 * @family may be NULL (all). -EAGAIN: what is dumped changed meanwhile, and some
 * may have been missed: call again.
 */
struct obs_series_values {
	uint32_t id, gen;
	const char *family;
	unsigned int nr_labels;
	const char *const *value;
	bool overflow;
	uint64_t created_ns;
	enum obsring_kind kind;
	int64_t number;			/* value, or a histogram's sum */
	unsigned int nr_buckets;
	const uint64_t *bucket;
	unsigned int nr_rows;		/* with per_cpu */
	const uint32_t *row_cpu;
	const int64_t *row_number;	/* value or sum of each row */
	const uint64_t *row_bucket;	/* nr_rows * nr_buckets */
};

int obs_series_dump(struct obs_control *control, const char *family, bool per_cpu,
		    int device_fd,
		    int (*fn)(const struct obs_series_values *series, void *arg),
		    void *arg);

/* A service, as the module knows it. */
struct obs_service_info {
	char name[OBSRING_NAME_MAX + 1];
	uint32_t uid;			/* in the initial user namespace */
	uint32_t members;		/* address spaces that are attached */
	uint32_t series;
	uint64_t bytes;			/* of one row */
	uint32_t ttl_s;			/* 0: for ever */
	uint64_t created_ns;		/* CLOCK_REALTIME */
	uint64_t detached_ns;		/* when the last member left; 0: it has some */
};

/* @device_fd: as in obs_series_dump(). */
int obs_service_list(struct obs_control *control, int device_fd,
		     int (*fn)(const struct obs_service_info *service, void *arg),
		     void *arg);

/*
 * Time to live of a service; remove one, which has no members (-EBUSY). For the
 * privileged, and for the service's user, who names a descriptor of the device that
 * is open for writing (-1: none).
 */
int obs_service_set_ttl(struct obs_control *control, int device_fd, const char *name,
			uint32_t uid, uint32_t ttl_s);
int obs_service_delete(struct obs_control *control, int device_fd, const char *name,
		       uint32_t uid);

/* ---- Counting: processes as producers -------------------------------------- */

/*
 * A process attaches to a service, makes series by name and labels, and counts in
 * them: in memory that it shares with the kernel, without a system call, in about a
 * nanosecond. What is counted is there when the process is gone, however it
 * ended, and all processes of the service count in the same series:
 *
 *      struct obs_service *service;
 *      struct obs_counter *requests;
 *
 *      obs_service_attach("shop", &service);
 *      obs_counter_new(service, &(struct obs_family_spec){
 *              .name = "shop_requests_total", .help = "Requests served.",
 *              .nr_labels = 1, .label = (const char *[]){ "method" },
 *      }, (const char *[]){ "GET" }, &requests);
 *      ... fork(), threads, whatever ...
 *      obs_counter_add(requests, 1);
 *
 * Updates may be called by any number of threads at once, in signal handlers and
 * after fork(): the child counts on, with shares of gauges of its own. They never
 * fail or block. Between vfork() and exec they must not be called: the child runs on
 * its parent's rseq area. NULL handles are allowed and count nothing, so that a
 * program runs on without the module.
 *
 * All else may be called by several threads at once as well, and not in signal
 * handlers. A service and its handles are never freed before obs_service_detach().
 */
struct obs_service;
struct obs_counter;
struct obs_gauge;
struct obs_histogram;
struct obs_state;

struct obs_service_options {
	const char *device;		/* NULL: /dev/obsring; or a segment's path */
	bool has_ttl;
	uint32_t ttl_s;			/* 0: for ever */
};

/*
 * Join the service @name of the calling process' effective user, or make it. Attach
 * to it again: the same one, which then wants as many detaches. Errors as
 * obs_device_open(); -EINVAL: the name; -EACCES; -ENOSPC: a limit; -EOPNOTSUPP: a
 * 32-bit program; -ENOMEM; -EMFILE.
 */
int obs_service_attach(const char *name, struct obs_service **ret_service);
int obs_service_attach_with(const char *name, const struct obs_service_options *options,
			    struct obs_service **ret_service);

/*
 * Leave it: handles are gone, and with the address space's last detach its shares of
 * add-type gauges. Exit and exec do the same.
 */
void obs_service_detach(struct obs_service *service);

/* For logs: its name, its user as this process sees it. */
const char *obs_service_name(const struct obs_service *service);
uint32_t obs_service_uid(const struct obs_service *service);

/*
 * Find the series with these label values, or make it, and its family. @spec says
 * what the family is; its kind and set are set by the function. The labels service
 * and uid are added. @value has spec->nr_labels values. One handle for each series:
 * asked again, the same is returned.
 *
 * 0; 1: a limit refused it, and the handle is that of the family's overflow series.
 * -EEXIST: a family of that name is another one, a gauge's type included (-EINVAL:
 * add- against set-type); -EINVAL: malformed or reserved; -ENOSPC, -ENOMEM: refused;
 * -ESTALE: the service was removed; -EBADF: someone closed the library's descriptor.
 */
int obs_counter_new(struct obs_service *service, const struct obs_family_spec *spec,
		    const char *const *value, struct obs_counter **ret_counter);
int obs_gauge_new(struct obs_service *service, const struct obs_family_spec *spec,
		  const char *const *value, struct obs_gauge **ret_gauge);
int obs_gauge_set_new(struct obs_service *service, const struct obs_family_spec *spec,
		      const char *const *value, struct obs_gauge **ret_gauge);
int obs_histogram_new(struct obs_service *service, const struct obs_family_spec *spec,
		      const char *const *value, struct obs_histogram **ret_histogram);
int obs_state_new(struct obs_service *service, const struct obs_family_spec *spec,
		  const char *const *value, struct obs_state **ret_state);

/* Count @n events. */
void obs_counter_add(struct obs_counter *counter, uint64_t n);

/*
 * In stored units. add: of an add-type gauge, whose share goes with the address
 * space; set: of a set-type one, the last value wins and stays. The other one of the
 * two does nothing and returns -EINVAL.
 */
int obs_gauge_add(struct obs_gauge *gauge, int64_t delta);
int obs_gauge_set(struct obs_gauge *gauge, int64_t value);

/* An observation, in stored units. A kill between may leave its bucket without sum. */
void obs_histogram_observe(struct obs_histogram *histogram, uint64_t value);

/*
 * Time spent, into a histogram whose stored unit is ns (exp10 -9 of seconds):
 *
 *      struct obs_timer timer = obs_timer_start();
 *      ...
 *      obs_timer_observe(&timer, histogram);
 */
struct obs_timer {
	uint64_t begun_ns;		/* CLOCK_MONOTONIC */
};

struct obs_timer obs_timer_start(void);

/* The time since it started, ns, which is observed. */
uint64_t obs_timer_observe(const struct obs_timer *timer,
			   struct obs_histogram *histogram);

/*
 * Set the state that @version (1 to 2^56 - 1) has, if that is the greatest so far:
 * lock-free, whoever else updates, in whatever order. enum obs_state_result
 * (<linux/obsring.h>);
 * -EINVAL: a version or state out of range; -ENOENT: @state_set is NULL.
 */
int obs_state_update(struct obs_state *state_set, uint64_t version, unsigned int state);

/* Its version, 0 if none was set yet, and its state. */
uint64_t obs_state_get(const struct obs_state *state_set, unsigned int *ret_state);

/* ---- Hosted segments -------------------------------------------------------- */

/*
 * The same without the module: a file that holds the device's layout, which takes its
 * path in place of the device's (obs_service_options.device, obs_device_open(),
 * obs_log_open(), obsringd --device, obsringctl --device). Processes that attach map
 * it writable as a whole: what they may do to one another is what the file's mode
 * lets them do. userspace/man/libobsring.3 lists what it can't do.
 */
struct obs_segment_options {
	uint32_t max_series;		/* 0: 4096 */
	uint32_t value_pages;		/* of all services; 0: 64 */
	uint32_t max_shares;		/* 0: 256 */
	uint32_t log_rings;		/* threads that write the log at a time; 0: 64 */
	uint32_t log_bytes;		/* of each one's ring, a power of two; 0: 65536 */
	unsigned int mode;		/* of the file; 0: 0660 */
};

/*
 * Make a segment at @path, complete or not at all. -EEXIST: something is there, which
 * is left alone; -EINVAL: an option; -ENOSPC; as open().
 */
int obs_segment_create(const char *path, const struct obs_segment_options *options);

/* The same in a memfd: its descriptor, closed by exec. /proc/PID/fd/N is its path. */
int obs_segment_create_memfd(const struct obs_segment_options *options);

/*
 * Services and sampling rules of the segment at @path, as obs_service_list() and
 * obs_sample_list() have them of the module's. Whoever may write the file may do it.
 * Deleting: -ENOENT, -EBUSY: it has members. A rule: -EOPNOTSUPP: at_ns is set, and
 * nobody would apply it at that time; -ENOSPC: there are 32.
 */
int obs_segment_service_list(const char *path,
			     int (*fn)(const struct obs_service_info *service, void *arg),
			     void *arg);
int obs_segment_service_set_ttl(const char *path, const char *name, uint32_t uid,
				uint32_t ttl_s);
int obs_segment_service_delete(const char *path, const char *name, uint32_t uid);
int obs_segment_sample_list(const char *path,
			    int (*fn)(const struct obs_sample_info *sample, void *arg),
			    void *arg);
int obs_segment_sample_send(const char *path, const struct obs_sample_info *sample);

/* ---- Trace context of requests and messages ------------------------------- */

/*
 * What a request's headers, or a message's, say about the trace that it is part
 * of: taken out of them, passed on in others. Nothing here fails, allocates, or
 * knows HTTP: what is malformed counts as absent, and there is always a context.
 *
 *      obs_trace_headers_init(&headers);
 *      for each header of the request:
 *              obs_trace_headers_add(&headers, name, name_len, value, value_len);
 *      obs_trace_extract(&headers, &context, &dropped);
 *      obs_trace_child(&context);
 *      obs_trace_inject(&context, OBS_TRACE_W3C, put, request);
 *
 * Formats: W3C Trace Context level 2 (traceparent and tracestate, of messages as
 * well: Kafka), B3 in one header or several, OpenCensus' grpc-trace-bin.
 */
enum obs_trace_format {
	OBS_TRACE_NONE		= 0,
	OBS_TRACE_W3C		= 1 << 0,	/* traceparent, tracestate */
	OBS_TRACE_B3_SINGLE	= 1 << 1,	/* b3 */
	OBS_TRACE_B3_MULTI	= 1 << 2,	/* X-B3-TraceId and others */
	OBS_TRACE_GRPC		= 1 << 3,	/* grpc-trace-bin */
};

/* W3C trace flags; no others are passed on. */
#define OBS_TRACE_SAMPLED	0x01
#define OBS_TRACE_RANDOM	0x02	/* the last 7 bytes of the id are random */

/* Lengths of what is formatted, without a NUL. */
#define OBS_TRACEPARENT_LEN	55
#define OBS_TRACESTATE_MAX	512
#define OBS_B3_LEN		51
#define OBS_GRPC_TRACE_LEN	29
#define OBS_GRPC_TRACE_BASE64_LEN 39

/*
 * A context. @tracestate: members that are passed on, "" if there are none. @th
 * and @rv: OpenTelemetry's threshold and randomness, 56 bits, from its member "ot";
 * whoever changes one calls obs_trace_update(). @debug: B3's.
 */
struct obs_trace_context {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t flags;
	bool debug;
	bool has_th, has_rv;
	uint64_t th, rv;
	char tracestate[OBS_TRACESTATE_MAX + 1];
};

/* Bytes of the caller's: they are not copied. */
struct obs_bytes {
	const char *at;			/* NULL: absent */
	size_t len;
};

#define OBS_TRACE_HEADER_VALUES	32	/* headers of one name */
#define OBS_BAGGAGE_VALUES	64	/* of baggage */
#define OBS_BAGGAGE_MAX		8192	/* bytes of them all */

/* The headers that matter. @nr_...: one more than are kept: there are too many. */
struct obs_trace_headers {
	unsigned int nr_traceparent, nr_tracestate, nr_baggage;
	struct obs_bytes traceparent;
	struct obs_bytes b3, b3_trace_id, b3_span_id, b3_parent_id, b3_sampled, b3_flags;
	struct obs_bytes grpc_trace;
	/* The first @nr_... of these are set. */
	struct obs_bytes tracestate[OBS_TRACE_HEADER_VALUES];
	struct obs_bytes baggage[OBS_BAGGAGE_VALUES];
};

/* No headers. */
static inline void obs_trace_headers_init(struct obs_trace_headers *headers)
{
	__builtin_memset(headers, 0, offsetof(struct obs_trace_headers, tracestate));
}

/*
 * Take note of a header, if it matters; names have no case. The value must stay
 * where it is until the headers are done with.
 */
void obs_trace_headers_add(struct obs_trace_headers *headers,
			   const char *name, size_t name_len,
			   const char *value, size_t value_len);

/* What was there and not used: bits of *@ret_dropped. */
#define OBS_TRACE_BAD_TRACEPARENT	(1U << 0) /* malformed, or several */
#define OBS_TRACE_BAD_TRACESTATE	(1U << 1)
#define OBS_TRACE_CUT_TRACESTATE	(1U << 2) /* its last members: too long */
#define OBS_TRACE_NO_TRACESTATE		(1U << 3) /* without a traceparent */
#define OBS_TRACE_BAD_B3		(1U << 4)
#define OBS_TRACE_BAD_B3_MULTI		(1U << 5)
#define OBS_TRACE_BAD_GRPC		(1U << 6)

/*
 * The context that the headers give, by the first of these that is valid: W3C, B3
 * in one header, B3 in several, grpc-trace-bin; the format is returned. If none is:
 * OBS_TRACE_NONE, and a new trace, not sampled. B3 may give a decision without
 * ids: then the trace is new and the decision kept. @ret_dropped may be NULL.
 */
enum obs_trace_format obs_trace_extract(const struct obs_trace_headers *headers,
					struct obs_trace_context *ret_context,
					unsigned int *ret_dropped);

/* A new trace: random ids and the random flag. */
void obs_trace_new(struct obs_trace_context *context, bool sampled);

/* A new span of the same trace. */
void obs_trace_child(struct obs_trace_context *context);

/* Write @th and @rv into @tracestate, their member before all others. */
void obs_trace_update(struct obs_trace_context *context);

/*
 * Call @fn for each header of the @formats (one or more): a name and a value,
 * which ends with a NUL behind its @len bytes. Its first nonzero return ends that
 * and is returned.
 */
int obs_trace_inject(const struct obs_trace_context *context, unsigned int formats,
		     int (*fn)(const char *name, const char *value, size_t len,
			       void *arg),
		     void *arg);

/*
 * The same for the baggage (W3C) of @headers, as it came: as much as anyone must pass
 * on, 64 values and OBS_BAGGAGE_MAX bytes with the commas that could join them. A
 * value with which it would be more is left out, and one that is not printable. No
 * NUL behind these.
 */
int obs_baggage_inject(const struct obs_trace_headers *headers,
		       int (*fn)(const char *name, const char *value, size_t len,
				 void *arg),
		       void *arg);

/*
 * What became of all headers that this process had extracted: for each
 * obs_trace_extract() where its context came from, and besides why a header was not
 * used; baggage when it is passed on.
 */
enum obs_trace_result {
	OBS_TRACE_USED_NONE,		/* "new": no header gave a context */
	OBS_TRACE_USED_W3C,
	OBS_TRACE_USED_B3_SINGLE,
	OBS_TRACE_USED_B3_MULTI,
	OBS_TRACE_USED_GRPC,
	OBS_TRACE_DROPPED,		/* and bit N of *@ret_dropped: */
	OBS_TRACE_DROPPED_BAGGAGE = OBS_TRACE_DROPPED + 7,
	OBS_TRACE_RESULTS
};

/*
 * Count them in @service, as obsring_trace_context_total{result}: from now on, and what
 * was counted before. NULL: no more, which comes before its obs_service_detach(), when
 * no thread is extracting. Children of fork() go on publishing. Errors as
 * obs_counter_new(); then all is as before.
 */
int obs_trace_publish(struct obs_service *service);

/* What is not published. A child of fork() begins with 0. */
void obs_trace_counts(uint64_t counts[OBS_TRACE_RESULTS]);

/* As the label has it. */
const char *obs_trace_result_name(enum obs_trace_result result);

/* A single header's value. */
void obs_trace_format_traceparent(const struct obs_trace_context *context,
				  char text[OBS_TRACEPARENT_LEN + 1]);
void obs_trace_format_b3(const struct obs_trace_context *context,
			 char text[OBS_B3_LEN + 1]);
void obs_trace_format_grpc(const struct obs_trace_context *context,
			   uint8_t bytes[OBS_GRPC_TRACE_LEN]);
void obs_trace_format_grpc_base64(const struct obs_trace_context *context,
				  char text[OBS_GRPC_TRACE_BASE64_LEN + 1]);

/* ---- The calling thread's trace context, for the kernel ------------------- */

/*
 * Which trace a thread works for. Once it is told, the kernel tags with it what it
 * logs for that thread (a driver's message, a drop, a stall), what the thread
 * itself writes to the log without a traceparent, and the exemplars of what it
 * observes of it: system calls, stalls, direct and synchronous block I/O. A set is
 * a few stores to the thread's own memory, without a system call:
 *
 *      on each request that the thread begins:
 *              obs_trace_set(&context);
 *      when it is done:
 *              obs_trace_clear();
 *
 * A thread's first set tells the kernel where that memory is (obs_trace_register());
 * the device need not stay open. If that fails, so does each further set, without
 * trying again: then the context is that of the records which the thread writes to a
 * hosted segment, and of nothing else. Threads end their registration when they exit,
 * exec ends it, and a child of fork() registers anew with its first set; between vfork()
 * and exec none of these may be called. After the module was loaded anew,
 * obs_trace_register() says so to it; without, there are no tags and no errors.
 *
 * Sets may be called in a signal handler once the thread is registered. One that
 * interrupts another set is refused with -EBUSY; a thread that leaves a handler
 * within a set, by longjmp, has no context until it registers again.
 */

/*
 * Tell the kernel of the calling thread, with no context yet, or tell it again.
 * -ENOENT: the module is not loaded; -EACCES: not in the device's group; -ENOSPC:
 * max_contexts threads are registered, or a quarter of that by this user;
 * -EOPNOTSUPP: this kernel can't; -ENOMEM, -EMFILE.
 */
int obs_trace_register(void);

/*
 * The calling thread works for this span. An id that is all 0: for none. Errors:
 * those of registering, -EBUSY, and for a text that is no traceparent -EINVAL:
 * then it works for what it did before.
 */
int obs_trace_set(const struct obs_trace_context *context);
int obs_trace_set_ids(const uint8_t trace_id[16], const uint8_t span_id[8], uint8_t flags);
int obs_trace_set_traceparent(const char *text);

/* It works for none. */
void obs_trace_clear(void);

/* ---- Writing the log ------------------------------------------------------ */

/*
 * Records of a program: of the device, or of a hosted segment, whose log has a ring for
 * each thread that writes. Readers see them from "user.SERVICE".
 */
struct obs_log_writer;

/*
 * @path and @service as in obs_tracer_open(), whose errors it has. Threads may share a
 * writer, and a child of fork() has it.
 */
int obs_log_writer_open(const char *path, const char *service,
			struct obs_log_writer **ret_writer);
void obs_log_writer_close(struct obs_log_writer *writer);

/*
 * One record. @level: syslog's, 0 to 7. @context may be NULL: then it is tagged with
 * what the thread works for (obs_trace_set()). @field: @nr of them, whose
 * keys are 1 to 64 of A-Z a-z 0-9 _ . -, what has no room in 512 bytes is left out.
 * Control characters of @message, which has 1024 bytes, become question marks.
 *
 * -EINVAL: a level or key; or as write(2). 0 does not mean that it is kept: sampling
 * rules and limits hold, and count. In a signal handler: to a segment once the thread
 * has written to it before. NULL @writer writes nothing.
 */
int obs_log_write(const struct obs_log_writer *writer, unsigned int level,
		  const struct obs_trace_context *context,
		  const struct obs_log_field *field, unsigned int nr, const char *message);

/* ---- Spans --------------------------------------------------------------- */

/*
 * Work for a trace, as a record in the log when it is done: the name is the message,
 * and of its fields span.kind, span.status, span.parent_id, span.start_ns (since
 * 1970), span.duration_ns and span.th are ours, the others are attributes.
 *
 *      obs_tracer_open(NULL, "shop", 0.1, &tracer);
 *
 *      format = obs_trace_extract(&headers, &context, NULL);
 *      obs_span_start(&span, tracer, format ? &context : NULL, OBS_SPAN_SERVER,
 *                     "GET /cart");
 *      obs_trace_set(&span.context);           the kernel's records and our own
 *      obs_trace_inject(&span.context, ...);   what is asked of others
 *      obs_span_attribute_int(&span, "http.response.status_code", 200);
 *      obs_trace_clear();
 *      obs_span_end(&span);
 *
 * A trace is sampled as a whole: with the probability of the tracer where it begins,
 * elsewhere as who began it decided. What is not sampled has a context and costs
 * little more. Beyond that the log's sampling rules hold, which keep whole traces as
 * well (trace:N%), and a user's 1000 records a second.
 */
struct obs_tracer;

/*
 * @path: NULL: /dev/obsring, which can't be unloaded while it is open; or a hosted
 * segment, or any other file that is there, to which lines are added. @service: 1 to 63 printable characters
 * without a space; the log's source is "user.SERVICE". @probability: 0 to 1, of traces
 * that begin here. Threads may share a tracer, and a child of fork() has it.
 *
 * -EINVAL: service or probability; -EOPNOTSUPP: a file of the device's layout that is
 * no hosted segment; -ENOMEM; or as open(2) has it.
 */
int obs_tracer_open(const char *path, const char *service, double probability,
		    struct obs_tracer **ret_tracer);

/* Its spans have ended. */
void obs_tracer_close(struct obs_tracer *tracer);

enum obs_span_kind {
	OBS_SPAN_INTERNAL,
	OBS_SPAN_SERVER,
	OBS_SPAN_CLIENT,
	OBS_SPAN_PRODUCER,
	OBS_SPAN_CONSUMER,
};

enum obs_span_status {
	OBS_SPAN_UNSET,
	OBS_SPAN_OK,
	OBS_SPAN_ERROR,
};

#define OBS_SPAN_NAME_MAX	128	/* bytes; the rest is cut */
#define OBS_SPAN_ATTRIBUTES_MAX	32
#define OBS_SPAN_ATTRIBUTES_BYTES 312	/* keys and values, with a NUL each */

/* The caller's memory; nothing is allocated. One thread at a time. */
struct obs_span {
	struct obs_trace_context context;	/* its own */
	enum obs_span_status status;		/* to be set before the end */
	/* The rest is the library's. */
	enum obs_span_kind kind;
	const struct obs_tracer *tracer;
	bool recording, has_parent;
	uint8_t parent_id[8];
	unsigned int nr_attributes, nr_dropped;
	uint64_t start_ns, start_monotonic_ns;
	size_t attributes_len;
	char name[OBS_SPAN_NAME_MAX + 1];
	char attribute[OBS_SPAN_ATTRIBUTES_BYTES];
};

/*
 * Begin a span, a child of @parent; NULL: a new trace. True: it will be recorded.
 * @tracer NULL: it will not, but there is a context to pass on. Nothing here changes
 * for which span the thread works. Whatever is not printable in @name is shown as
 * "?".
 */
bool obs_span_start(struct obs_span *span, const struct obs_tracer *tracer,
		    const struct obs_trace_context *parent, enum obs_span_kind kind,
		    const char *name);

/*
 * @key: 1 to 64 of A-Z a-z 0-9 _ . -, not beginning with "span."; @value: any bytes.
 * -EINVAL: the key; -ENOSPC: a limit above. Then there is none, and the record says
 * how many (span.dropped_attributes). 0 as well if it is not recorded.
 */
int obs_span_attribute(struct obs_span *span, const char *key, const char *value);
int obs_span_attribute_int(struct obs_span *span, const char *key, int64_t value);

/* Record it, if it is: once. 0, or -errno of write(2): then it is not in the log. */
int obs_span_end(struct obs_span *span);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

/* obs_counter_add() within its callers. */
#if defined(__OPTIMIZE__) && !defined(OBSRING_NO_INLINE) && defined(__LP64__) && \
	(defined(__x86_64__) || defined(__aarch64__)) && defined(__has_include)
#if __has_include(<sys/rseq.h>)
#include <obsring/count.h>
#endif
#endif

#endif /* OBSRING_H */
