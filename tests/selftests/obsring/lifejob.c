// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <obsring.h>

#include "file.h"
#include "lifejob.h"
#include "module.h"

#define JOBS_BYTES	4096

/* ---- The daemon ---------------------------------------------------------- */

static int scrape_open(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(LIFE_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (void *)&address, sizeof(address))) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* Is the body as long as its header says? */
static bool is_whole(const char *answer, size_t len)
{
	const char *body = memmem(answer, len, "\r\n\r\n", 4);
	const char *length = strcasestr(answer, "\nContent-Length:");

	return body && length && length < body &&
	       strtoul(strchr(length, ':') + 1, NULL, 10) ==
	       len - (size_t)(body + 4 - answer);
}

int life_scrape(void)
{
	static const char request[] =
		"GET /metrics HTTP/1.1\r\nHost: guest\r\nConnection: close\r\n\r\n";
	static char answer[1 << 20];
	int status = 0, fd = scrape_open();
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
	while (n > 0 && len < sizeof(answer) - 1) {
		n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		n = -errno;
	close(fd);
	answer[len] = '\0';
	/* The daemon was killed in the middle of it. */
	if (n < 0 || !len || !is_whole(answer, len))
		return n < 0 ? (int)n : -ECONNRESET;
	return sscanf(answer, "HTTP/1.1 %d", &status) == 1 ? status : -EPROTO;
}

/* ---- What is no error ---------------------------------------------------- */

/* The module is not there, or is just going. */
static int gone(struct job *job, int r)
{
	switch (r) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
	case -EACCES:	/* there, but its group not yet */
		job->absent++;
		poll(NULL, 0, 50);
		return 0;
	case -ESHUTDOWN:
	case -ESTALE:
		job->left++;
		poll(NULL, 0, 20);
		return 0;
	}
	return r;
}

static int opened(struct job *job, int r)
{
	if (!r)
		job->came++;
	return r;
}

/* ---- Readers ------------------------------------------------------------- */

/* The directory and all values, by mapping, until the module asks to leave. */
static int turn_map(struct job *job)
{
	struct obs_snapshot *snapshot = NULL;
	struct obs_device *device;
	int r;

	r = opened(job, obs_device_open(OBSRING_DEVICE, &device));
	if (r)
		return gone(job, r);
	r = obs_snapshot_new(device, &snapshot);
	while (!r) {
		r = obs_snapshot_update(snapshot);
		if (r < 0 || obs_device_draining(device))
			break;
		job->done++;
		r = 0;
		poll(NULL, 0, 5);
	}
	if (obs_device_draining(device))
		r = -ESHUTDOWN;
	obs_snapshot_free(snapshot);
	obs_device_close(device);
	return gone(job, r);
}

/* What cat does: it waits in read() until there is something, or the end. */
static int turn_cat(struct job *job)
{
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[8192];
	ssize_t n = 1;

	if (opened(job, fd < 0 ? -errno : 0))
		return gone(job, -errno);
	while (n > 0 && poll(&p, 1, -1) > 0 && !(p.revents & POLLHUP)) {
		n = read(fd, text, sizeof(text));
		if (n > 0)
			job->done++;
	}
	n = n < 0 ? -errno : -ESHUTDOWN;
	close(fd);
	return gone(job, (int)n);
}

/* The log by mapping. */
static int turn_log(struct job *job)
{
	const struct obs_log_entry *entry;
	struct obs_log *log;
	int r;

	r = opened(job, obs_log_open(OBSRING_DEVICE, NULL, &log));
	if (r)
		return gone(job, r);
	while (r >= 0) {
		r = obs_log_next(log, &entry);
		if (r > 0)
			job->done++;
		else if (!r)
			r = obs_log_wait(log, -1);
	}
	obs_log_close(log);
	return gone(job, r);
}

static int count_one(const struct obs_series_values *series, void *arg)
{
	(void)series;
	(*(uint64_t *)arg)++;
	return 0;
}

/* By netlink, which does not know of draining. */
static int turn_dump(struct job *job)
{
	struct obs_control *control;
	int r;

	r = opened(job, obs_control_open(&control));
	if (r)
		return gone(job, r);
	while (!r || r == -EAGAIN) {
		r = obs_series_dump(control, NULL, false, -1, count_one, &job->done);
		poll(NULL, 0, 50);
	}
	obs_control_close(control);
	return gone(job, r);
}

/* ---- Producers ----------------------------------------------------------- */

static const struct obs_family_spec updates = {
	.name = "life_updates_total", .help = "Updates of a process.",
	.kind = OBSRING_KIND_COUNTER,
};

static const struct obs_family_spec busy = {
	.name = "life_busy", .help = "What is there while a process is.",
	.kind = OBSRING_KIND_GAUGE,
};

/* A process of a service; it is a member for a while, as a short job is. */
static int turn_count(struct job *job)
{
	struct obs_service *service;
	struct obs_counter *counter;
	struct obs_gauge *gauge;
	int i, r;

	r = opened(job, obs_service_attach("life", &service));
	if (r)
		return gone(job, r);
	r = obs_counter_new(service, &updates, NULL, &counter);
	if (!r)
		r = obs_gauge_new(service, &busy, NULL, &gauge);
	if (!r)
		obs_gauge_add(gauge, 1);
	for (i = 0; !r && i < 1000; i++)
		obs_counter_add(counter, 1);
	if (!r)
		job->done += 1000;
	obs_service_detach(service);
	poll(NULL, 0, 10);
	return gone(job, r);
}

/* A line, as a shell writes it. */
static int turn_say(struct job *job)
{
	static const char line[] = "<5>service=life something happened\n";
	int fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);
	int r = 0;

	if (opened(job, fd < 0 ? -errno : 0))
		return gone(job, -errno);
	if (write(fd, line, sizeof(line) - 1) < 0)
		r = -errno;
	else
		job->done++;
	close(fd);
	poll(NULL, 0, 10);
	return gone(job, r);
}

/* ---- Others that look on ------------------------------------------------- */

/* A daemon that is being started anew answers nobody. */
static int turn_scrape(struct job *job)
{
	int status = life_scrape();

	if (status == 200)
		job->done++;
	if (status == 200 || status == 503)
		job->came++;
	if (status == 503)
		job->absent++;
	if (status == -ECONNREFUSED || status == -ECONNRESET || status == -EPIPE)
		job->left++;
	else if (status != 200 && status != 503)
		return status < 0 ? status : -EPROTO;
	poll(NULL, 0, 50);
	return 0;
}

/* Each CPU but the first, in turn; busy while the kernel forbids it. */
static int turn_hotplug(struct job *job)
{
	static unsigned int cpu;
	char path[64];
	int r;

	/* Where there is no other there is nothing to do. */
	if (sysconf(_SC_NPROCESSORS_CONF) == 1)
		pause();
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", ++cpu);
	r = file_write(path, "0");
	if (r == -ENOENT) {
		cpu = 0;
		return 0;
	}
	while (!r || r == -EBUSY) {
		r = file_write(path, "1");
		if (!r)
			break;
	}
	job->came++;
	job->done++;
	poll(NULL, 0, 100);
	return r;
}

const struct job_kind job_kinds[] = {
	{ "map", "snapshots", turn_map },
	{ "map", "snapshots", turn_map },
	{ "cat", "reads", turn_cat },
	{ "cat", "reads", turn_cat },
	{ "log", "records", turn_log },
	{ "dump", "series", turn_dump },
	{ "count", "updates", turn_count },
	{ "count", "updates", turn_count },
	{ "say", "lines", turn_say },
	{ "scrape", "answers", turn_scrape },
	{ "hotplug", "times that a CPU went and came", turn_hotplug },
};

const unsigned int nr_job_kinds = sizeof(job_kinds) / sizeof(job_kinds[0]);

/* ---- The crowd ----------------------------------------------------------- */

static void job_run(const struct job_kind *kind, struct job *job)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	while (!job->error)
		job->error = kind->turn(job);
	_exit(1);
}

struct job *jobs_start(void)
{
	struct job *jobs = mmap(NULL, JOBS_BYTES, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i;
	pid_t pid;

	if (jobs == MAP_FAILED)
		return NULL;
	for (i = 0; i < nr_job_kinds; i++) {
		pid = fork();
		if (!pid)
			job_run(&job_kinds[i], &jobs[i]);
		jobs[i].pid = pid;
	}
	return jobs;
}

void jobs_stop(struct job *jobs)
{
	unsigned int i;

	for (i = 0; i < nr_job_kinds; i++) {
		kill(jobs[i].pid, SIGKILL);
		waitpid(jobs[i].pid, NULL, 0);
	}
}

const struct job *jobs_failed(const struct job *jobs)
{
	unsigned int i;

	for (i = 0; i < nr_job_kinds; i++)
		if (jobs[i].error)
			return &jobs[i];
	return NULL;
}
