// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* gettid */
#include <crypt.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <gnutls/crypto.h>

#include "auth.h"

#define NICE 10

int auth_init(struct auth *auth, auth_wait_fn wait, auth_fn done)
{
	*auth = (struct auth){ .wait = wait, .done = done };
	if (gnutls_rnd(GNUTLS_RND_KEY, auth->key, sizeof(auth->key)) < 0)
		return -EIO;
	pthread_mutex_init(&auth->lock, NULL);
	pthread_cond_init(&auth->more, NULL);
	return 0;
}

/* ---- Who and what -------------------------------------------------------- */

/* A user of the same length and time whoever asks, and whether it is the one. */
static const struct web_user *find_user(const struct web *web, const char *name,
					bool *ret_exists)
{
	const struct web_user *found = &web->config.user[0];
	size_t len = strlen(name);
	unsigned int i;

	*ret_exists = false;
	for (i = 0; i < web->config.nr_users; i++) {
		if (strlen(web->config.user[i].name) != len ||
		    gnutls_memcmp(web->config.user[i].name, name, len))
			continue;
		found = &web->config.user[i];
		*ret_exists = true;
	}
	return found;
}

/* Of name, password and the hash that it goes by: another hash, another digest. */
static int digest_of(const struct auth *auth, const struct auth_job *job,
		     uint8_t digest[AUTH_DIGEST_BYTES])
{
	const char *part[] = { job->hash, job->basic.name, job->basic.password };
	gnutls_hmac_hd_t hmac;
	unsigned int i;

	if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, auth->key, sizeof(auth->key)) < 0)
		return -ENOMEM;
	for (i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		gnutls_hmac(hmac, part[i], strlen(part[i]) + 1);
	gnutls_hmac_deinit(hmac, digest);
	return 0;
}

static bool is_known(const struct auth *auth, const uint8_t digest[AUTH_DIGEST_BYTES])
{
	unsigned int i, found = 0;

	for (i = 0; i < auth->nr_known; i++)
		found |= !gnutls_memcmp(auth->known[i], digest, AUTH_DIGEST_BYTES);
	return found;
}

static void remember(struct auth *auth, const uint8_t digest[AUTH_DIGEST_BYTES])
{
	if (is_known(auth, digest))
		return;
	memcpy(auth->known[auth->next_known], digest, AUTH_DIGEST_BYTES);
	auth->next_known = (auth->next_known + 1) % AUTH_KNOWN_MAX;
	if (auth->nr_known < AUTH_KNOWN_MAX)
		auth->nr_known++;
}

/* ---- The thread ---------------------------------------------------------- */

static bool is_right(const struct auth_job *job, struct crypt_data *data)
{
	const char *hash = crypt_r(job->basic.password, job->hash, data);
	bool same = hash && strlen(hash) == strlen(job->hash) &&
		    !gnutls_memcmp(hash, job->hash, strlen(hash));

	return same && job->exists;
}

static void job_forget(struct auth_job *job)
{
	web_put(job->web);
	explicit_bzero(job, sizeof(*job));
}

/* False: stop. Else the oldest that waits. */
static bool take_job(struct auth *auth, struct auth_job *job)
{
	while (!auth->nr_waiting && !auth->stopping)
		pthread_cond_wait(&auth->more, &auth->lock);
	if (!auth->nr_waiting)
		return false;
	*job = auth->waiting[auth->first];
	explicit_bzero(&auth->waiting[auth->first], sizeof(*job));
	auth->first = (auth->first + 1) % AUTH_WAITING_MAX;
	auth->nr_waiting--;
	return true;
}

/* The words of @job->basic stand in the copy that was made of it. */
static void move_words(struct auth_job *job)
{
	job->basic.name = job->basic.text;
	job->basic.password = job->basic.text + strlen(job->basic.text) + 1;
}

static void *run(void *arg)
{
	static struct crypt_data data;	/* 32 KiB; there is one such thread */
	struct auth *auth = arg;
	struct auth_job job;
	bool right;

	setpriority(PRIO_PROCESS, gettid(), NICE);
	pthread_mutex_lock(&auth->lock);
	while (take_job(auth, &job)) {
		auth->working = true;
		auth->working_for = job.source;
		auth->nr_hashed += !auth->stopping;
		right = !auth->stopping;
		pthread_mutex_unlock(&auth->lock);
		move_words(&job);
		right = right && is_right(&job, &data);
		explicit_bzero(&data, sizeof(data));
		pthread_mutex_lock(&auth->lock);
		auth->working = false;
		if (right)
			remember(auth, job.digest);
		auth->done(job.who, right ? AUTH_GRANTED : AUTH_DENIED);
		job_forget(&job);
	}
	pthread_mutex_unlock(&auth->lock);
	return NULL;
}

static bool ensure_running(struct auth *auth)
{
	if (!auth->running)
		auth->running = !pthread_create(&auth->thread, NULL, run, auth);
	return auth->running;
}

/* ---- Those who ask ------------------------------------------------------- */

static bool has_room(const struct auth *auth, const struct source *source)
{
	unsigned int i, nr = 0;

	if (auth->stopping || auth->nr_waiting == AUTH_WAITING_MAX)
		return false;
	if (auth->working)
		nr = source_same(source, &auth->working_for);
	for (i = 0; i < auth->nr_waiting; i++)
		nr += source_same(source, &auth->waiting[(auth->first + i) %
							 AUTH_WAITING_MAX].source);
	return nr < AUTH_WAITING_OF_ONE_MAX;
}

static enum auth_verdict wait_or_not(struct auth *auth, const struct auth_job *job)
{
	if (is_known(auth, job->digest))
		return AUTH_GRANTED;
	if (!has_room(auth, &job->source) || !ensure_running(auth))
		return AUTH_BUSY;
	auth->wait(job->who);
	auth->waiting[(auth->first + auth->nr_waiting) % AUTH_WAITING_MAX] = *job;
	auth->nr_waiting++;
	atomic_fetch_add(&job->web->references, 1);
	pthread_cond_signal(&auth->more);
	return AUTH_WAIT;
}

enum auth_verdict auth_check(struct auth *auth, struct web *web, const char *header,
			     const struct sockaddr *address, void *who)
{
	struct auth_job job = { .who = who, .web = web };
	enum auth_verdict verdict = AUTH_DENIED;

	if (!web->config.nr_users)
		return AUTH_GRANTED;
	if (!header || !basic_parse(header, &job.basic))
		goto out;
	job.hash = find_user(web, job.basic.name, &job.exists)->hash;
	job.source = source_of(address);
	verdict = AUTH_BUSY;
	if (digest_of(auth, &job, job.digest) < 0)
		goto out;
	pthread_mutex_lock(&auth->lock);
	verdict = wait_or_not(auth, &job);
	pthread_mutex_unlock(&auth->lock);
out:
	explicit_bzero(&job, sizeof(job));
	return verdict;
}

void auth_exit(struct auth *auth)
{
	if (!auth->done)
		return;
	pthread_mutex_lock(&auth->lock);
	auth->stopping = true;
	pthread_cond_signal(&auth->more);
	pthread_mutex_unlock(&auth->lock);
	if (auth->running)
		pthread_join(auth->thread, NULL);
	pthread_cond_destroy(&auth->more);
	pthread_mutex_destroy(&auth->lock);
	explicit_bzero(auth, sizeof(*auth));
}
