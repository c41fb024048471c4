/* SPDX-License-Identifier: MIT */
/*
 * obsringctl doctor: what is wrong here, and what to do about it.
 *
 * Each check is a function of what was gathered in struct doctor and of files below
 * its root, and tells what it finds; doctor.c has the table of them. What could not be
 * gathered is NULL or has its error, and a check that needs it says nothing then:
 * another one says why.
 */
#ifndef OBSRINGCTL_DOCTOR_H
#define OBSRINGCTL_DOCTOR_H

#include <sys/stat.h>

#include "json.h"
#include "obsringctl.h"

#define DOCTOR_ORIGINS	(OBSRING_ORIGIN_MAX + 1)

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_NOTE,		/* worth to know */
	DOCTOR_WARNING,		/* something is lost, or will be */
	DOCTOR_ERROR,		/* it does not work */
};

/* The log's rings of an origin, one for each CPU. */
struct doctor_rings {
	unsigned int nr, full;
	uint64_t bytes;			/* of each */
	uint64_t total, high_water;	/* of all together */
	uint64_t most;			/* high water of the one that is used most */
};

/* Who asks. */
struct doctor_caller {
	bool root;
	bool member;		/* this process is of the device's group */
	bool listed;		/* its user is: a new session would be */
};

/**
 * struct doctor - what is known, and where to tell what is found
 * @root: stands before the path of each file that is looked at; "" but in tests
 * @device: the path that was asked for
 * @hosted: it is a file in the device's place
 * @node_error: of stat()
 * @node: what it is
 * @group: its group's name; NULL: that has none
 * @caller: who asks
 * @open_error: of opening and reading it
 * @header: NULL if it can't be read, as is the next
 * @snapshot: its values
 * @control: to the module over netlink; NULL: out of reach
 * @info: what the module said there; or NULL
 * @rings_known: the next are
 * @rings: by origin
 * @url: where the daemon was said to be; NULL: where it usually is
 * @out: where findings go as lines
 * @json: where they go as objects; or NULL
 * @check: name of the one that is running
 * @worst: of all that was found
 */
struct doctor {
	const char *root;
	const char *device;
	bool hosted;
	int node_error;
	struct stat node;
	const char *group;
	struct doctor_caller caller;
	int open_error;
	const struct obsring_header *header;
	const struct obs_snapshot *snapshot;
	struct obs_control *control;
	const struct obs_info *info;
	bool rings_known;
	struct doctor_rings rings[DOCTOR_ORIGINS];
	const char *url;
	FILE *out;
	struct json *json;
	const char *check;
	enum doctor_level worst;
};

/* Tell a finding; what is not ok has a remedy. */
void doctor_tell(struct doctor *doctor, enum doctor_level level, const char *remedy,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Run all checks that make sense of this device. */
void doctor_run(struct doctor *doctor);

/* doctorhost.c: the kernel, the module in it, the device. */
void doctor_module(struct doctor *doctor);
void doctor_signature(struct doctor *doctor);
void doctor_secure_boot(struct doctor *doctor);
void doctor_lockdown(struct doctor *doctor);
void doctor_device(struct doctor *doctor);
void doctor_access(struct doctor *doctor);
void doctor_clock(struct doctor *doctor);

/* The first line of a file below the root: 0 or -errno. */
int doctor_line(const struct doctor *doctor, const char *path, char *line, size_t size);

/* Is the module there, as far as anything shows it? */
bool doctor_module_loaded(const struct doctor *doctor);

/* doctorvalues.c: what the module, or the segment, tells of itself. */
void doctor_version(struct doctor *doctor);
void doctor_sources(struct doctor *doctor);
void doctor_log(struct doctor *doctor);
void doctor_limits(struct doctor *doctor);
void doctor_refused(struct doctor *doctor);
void doctor_losses(struct doctor *doctor);
void doctor_source(struct doctor *doctor, const struct obs_source_info *source);

/* Add a ring to those of its origin. */
void doctor_ring(struct doctor *doctor, const struct obs_log_ring_info *ring);

/* doctormemory.c: does memory run short? */
void doctor_memory(struct doctor *doctor);

/* doctordaemon.c: is obsringd there, and can it read the device? */
void doctor_daemon(struct doctor *doctor);

/*
 * What answered, and what that means. The status; 0: it is no HTTP. *ret_body is the
 * first line behind the head, in @answer, of which the rest is cut off.
 */
int doctor_answer_parse(char *answer, char **ret_body);
void doctor_answer(struct doctor *doctor, const char *url, int status, const char *body);

/* Is it a URL that doctor_daemon() can ask: http://HOST[:PORT][/PATH]? */
bool doctor_url_valid(const char *url);

#endif /* OBSRINGCTL_DOCTOR_H */
