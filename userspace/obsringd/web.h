/* SPDX-License-Identifier: MIT */
/*
 * The web settings in force, and their replacement while all goes on: who
 * uses them holds a reference, so that a connection ends as it began. A file that
 * can't be used leaves those in force that were there.
 */
#ifndef OBSRINGD_WEB_H
#define OBSRINGD_WEB_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "file.h"
#include "tls.h"
#include "webconfig.h"

#define WEB_REASON_MAX	1024
#define WEB_FILES_MAX	4	/* the configuration, certificate, key, authorities */

struct web {
	atomic_uint references;
	char path[PATH_MAX];
	struct web_config config;
	struct tls tls;		/* if config.tls.on */
	_Atomic uint64_t due_ns;	/* of the next request, if all come as rate_limit says */
};

struct web_files {
	char path[WEB_FILES_MAX][PATH_MAX];
	struct file_state state[WEB_FILES_MAX];
	unsigned int nr;
};

struct web_holder {
	pthread_mutex_t lock;		/* guards current and the numbers */
	struct web *current;		/* NULL: no file was given */
	pthread_mutex_t loading;	/* guards files, and orders loads */
	struct web_files files;
	bool failed;
	uint64_t loaded_ns;
};

void web_init(struct web_holder *holder);
void web_exit(struct web_holder *holder);

/*
 * Read @path, "" for none, and take it into force. -errno: @reason says why, and
 * nothing has changed.
 */
int web_load(struct web_holder *holder, const char *path, char reason[WEB_REASON_MAX]);

/* What comes before web_load() failed: as if it had. */
void web_failed(struct web_holder *holder);

/* Has one of its files changed since they were read last? */
bool web_changed(struct web_holder *holder);

/* What to look at, for web_changed() to be asked. */
void web_files(struct web_holder *holder, struct web_files *ret_files);

/* The settings in force, or NULL; to be given back. */
struct web *web_get(struct web_holder *holder);
void web_put(struct web *web);

/* Is there a request to spare of rate_limit? It is taken then. */
bool web_take_rate(struct web *web);

static inline bool web_has_tls(const struct web *web)
{
	return web && web->config.tls.on;
}

/* Was the last load taken into force, and when was the last that was? CLOCK_REALTIME. */
void web_health(struct web_holder *holder, uint64_t *ret_successful,
		uint64_t *ret_loaded_ns);

#endif /* OBSRINGD_WEB_H */
