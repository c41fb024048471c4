// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "web.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void web_init(struct web_holder *holder)
{
	*holder = (struct web_holder){ .loaded_ns = now_ns() };
	pthread_mutex_init(&holder->lock, NULL);
	pthread_mutex_init(&holder->loading, NULL);
}

void web_exit(struct web_holder *holder)
{
	web_put(holder->current);
	holder->current = NULL;
	pthread_mutex_destroy(&holder->loading);
	pthread_mutex_destroy(&holder->lock);
}

/* ---- One reading of the files -------------------------------------------- */

static void directory_of(const char *path, char directory[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	snprintf(directory, PATH_MAX, "%.*s", slash ? (int)(slash - path) : 1,
		 slash ? path : ".");
	if (!*directory)
		strcpy(directory, "/");
}

static void add_file(struct web_files *files, const char *path)
{
	if (!*path)
		return;
	strcpy(files->path[files->nr], path);
	file_state_read(&files->state[files->nr], path);
	files->nr++;
}

/* Before they are read: what changes meanwhile is seen as a change. */
static void list_files(struct web_files *files, const struct web *web)
{
	const struct web_tls *tls = &web->config.tls;
	const struct web_pem *pem[] = { &tls->cert, &tls->key, &tls->client_ca };
	char directory[PATH_MAX], path[PATH_MAX];
	unsigned int i;

	directory_of(web->path, directory);
	for (i = 0; i < sizeof(pem) / sizeof(pem[0]); i++)
		if (tls->on && tls_file(pem[i], directory, path, sizeof(path)))
			add_file(files, path);
}

static int build_tls(struct web *web, char reason[WEB_REASON_MAX])
{
	char why[TLS_REASON_MAX], directory[PATH_MAX];
	int r;

	if (!web->config.tls.on)
		return 0;
	directory_of(web->path, directory);
	r = tls_init(&web->tls, &web->config.tls, directory, why);
	if (r < 0)
		snprintf(reason, WEB_REASON_MAX, "%.400s:%zu: %s", web->path,
			 web->config.tls.line, why);
	return r;
}

static int build(struct web *web, const char *path, struct web_files *files,
		 char reason[WEB_REASON_MAX])
{
	int r;

	if (strlen(path) >= sizeof(web->path)) {
		snprintf(reason, WEB_REASON_MAX, "%.400s: %s", path, strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	strcpy(web->path, path);
	atomic_init(&web->references, 1);
	add_file(files, path);
	r = web_config_load(&web->config, web->path);
	if (r < 0) {
		snprintf(reason, WEB_REASON_MAX, "%s", web->config.conf.reason);
		return r;
	}
	list_files(files, web);
	r = build_tls(web, reason);
	if (r < 0)
		web_config_free(&web->config);
	return r;
}

static int web_new(const char *path, struct web **ret_web, struct web_files *files,
		   char reason[WEB_REASON_MAX])
{
	struct web *web;
	int r;

	*ret_web = NULL;
	if (!*path)
		return 0;
	web = calloc(1, sizeof(*web));
	if (!web) {
		snprintf(reason, WEB_REASON_MAX, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	r = build(web, path, files, reason);
	if (r < 0) {
		free(web);
		return r;
	}
	if (web->config.http2)
		log_event(LEVEL_WARN, "http2 is not served, HTTP/1.1 is", "file", path, NULL);
	*ret_web = web;
	return 0;
}

void web_put(struct web *web)
{
	if (!web || atomic_fetch_sub(&web->references, 1) != 1)
		return;
	tls_exit(&web->tls);
	web_config_free(&web->config);
	free(web);
}

/*
 * A request moves the time at which the next is due by an interval, and may come
 * as many intervals before it as a burst has.
 */
bool web_take_rate(struct web *web)
{
	const struct web_rate *rate = &web->config.rate;
	uint64_t due = atomic_load(&web->due_ns), now, from, early;
	struct timespec time;

	if (!rate->interval_ns)
		return true;
	if (__builtin_mul_overflow(rate->interval_ns, rate->burst - 1ULL, &early))
		early = UINT64_MAX;
	clock_gettime(CLOCK_MONOTONIC, &time);
	now = time.tv_sec * 1000000000ULL + time.tv_nsec;
	do {
		from = due > now ? due : now;
		if (from - now > early)
			return false;
	} while (!atomic_compare_exchange_weak(&web->due_ns, &due, from + rate->interval_ns));
	return true;
}

/* ---- What is in force ---------------------------------------------------- */

struct web *web_get(struct web_holder *holder)
{
	struct web *web;

	pthread_mutex_lock(&holder->lock);
	web = holder->current;
	if (web)
		atomic_fetch_add(&web->references, 1);
	pthread_mutex_unlock(&holder->lock);
	return web;
}

/* Returns what was in force before. */
static struct web *replace(struct web_holder *holder, struct web *web)
{
	struct web *old;

	pthread_mutex_lock(&holder->lock);
	old = holder->current;
	holder->current = web;
	holder->failed = false;
	holder->loaded_ns = now_ns();
	pthread_mutex_unlock(&holder->lock);
	return old;
}

void web_failed(struct web_holder *holder)
{
	pthread_mutex_lock(&holder->lock);
	holder->failed = true;
	pthread_mutex_unlock(&holder->lock);
}

int web_load(struct web_holder *holder, const char *path, char reason[WEB_REASON_MAX])
{
	struct web_files *files = calloc(1, sizeof(*files));
	struct web *web = NULL;
	int r = -ENOMEM;

	pthread_mutex_lock(&holder->loading);
	if (files)
		r = web_new(path, &web, files, reason);
	else
		snprintf(reason, WEB_REASON_MAX, "%s", strerror(ENOMEM));
	if (!r)
		web_put(replace(holder, web));
	else
		web_failed(holder);
	/* Those of one that failed too: each of them may mend it. */
	if (files)
		holder->files = *files;
	pthread_mutex_unlock(&holder->loading);
	free(files);
	return r;
}

bool web_changed(struct web_holder *holder)
{
	struct file_state state;
	bool changed = false;
	unsigned int i;

	pthread_mutex_lock(&holder->loading);
	for (i = 0; i < holder->files.nr; i++) {
		file_state_read(&state, holder->files.path[i]);
		changed |= !file_state_same(&state, &holder->files.state[i]);
	}
	pthread_mutex_unlock(&holder->loading);
	return changed;
}

void web_files(struct web_holder *holder, struct web_files *ret_files)
{
	pthread_mutex_lock(&holder->loading);
	*ret_files = holder->files;
	pthread_mutex_unlock(&holder->loading);
}

void web_health(struct web_holder *holder, uint64_t *ret_successful,
		uint64_t *ret_loaded_ns)
{
	pthread_mutex_lock(&holder->lock);
	*ret_successful = !holder->failed;
	*ret_loaded_ns = holder->loaded_ns;
	pthread_mutex_unlock(&holder->lock);
}
