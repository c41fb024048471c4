// SPDX-License-Identifier: MIT
/*
 * A server as nginx and Postgres are built: a master that forks workers and starts
 * another one where one ends, whatever ended it. Their numbers are obsring's, so the
 * master need not collect them, and none is lost with a worker:
 *
 *      prefork [--workers N] [--device PATH] PORT
 *
 *      web_requests_total{path}        counter: of all workers that ever were
 *      web_request_seconds             histogram
 *      web_workers, web_busy_workers   add-type gauges: of the living
 *      web_worker_exits_total{cause}   counter, of the master
 *
 * It speaks just enough HTTP to be asked: every path but /hold is answered at once with
 * the worker's pid; /hold when the client is gone. SIGTERM ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <obsring.h>

#define WORKERS_MAX	64

struct metrics {
	struct obs_service *service;
	struct obs_counter *hello, *hold;
	struct obs_counter *exited, *killed;
	struct obs_histogram *seconds;
	struct obs_gauge *workers, *busy;
};

static const struct obs_family_spec requests = {
	.name = "web_requests_total", .help = "Requests, by what was asked for.",
	.nr_labels = 1, .label = (const char *const[]){ "path" },
};

static const struct obs_family_spec exits = {
	.name = "web_worker_exits_total", .help = "Workers that ended.",
	.nr_labels = 1, .label = (const char *const[]){ "cause" },
};

/* Prometheus' native schema 3, from a quarter of a millisecond to 16 seconds. */
static const struct obs_family_spec seconds = {
	.name = "web_request_seconds", .help = "Time from a request to its answer.",
	.unit = "seconds", .exp10 = -9, .schema = 3, .min_log2 = -12, .max_log2 = 4,
};

static const struct obs_family_spec workers = {
	.name = "web_workers", .help = "Workers that live.",
};

static const struct obs_family_spec busy = {
	.name = "web_busy_workers", .help = "Workers that have a request.",
};

/*
 * Once, before the first fork. Where this fails, handles are NULL, and count nothing:
 * the server serves all the same.
 */
static int metrics_init(struct metrics *m, const char *device)
{
	const struct obs_service_options options = { .device = device };
	int r = obs_service_attach_with("web", &options, &m->service);

	if (r < 0)
		return r;
	r = obs_counter_new(m->service, &requests, (const char *[]){ "hello" }, &m->hello);
	if (r >= 0)
		r = obs_counter_new(m->service, &requests, (const char *[]){ "hold" },
				    &m->hold);
	if (r >= 0)
		r = obs_counter_new(m->service, &exits, (const char *[]){ "exit" },
				    &m->exited);
	if (r >= 0)
		r = obs_counter_new(m->service, &exits, (const char *[]){ "signal" },
				    &m->killed);
	if (r >= 0)
		r = obs_histogram_new(m->service, &seconds, NULL, &m->seconds);
	if (r >= 0)
		r = obs_gauge_new(m->service, &workers, NULL, &m->workers);
	if (r >= 0)
		r = obs_gauge_new(m->service, &busy, NULL, &m->busy);
	return r < 0 ? r : 0;
}

/* The head of a request; what is too long for it is cut. */
static bool request_read(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, size - 1 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = 0;
	} while (len < size - 1 && !strstr(text, "\r\n\r\n"));
	return true;
}

static void answer(int fd)
{
	char text[256], body[32];
	int n = snprintf(body, sizeof(body), "%d\n", (int)getpid());

	n = snprintf(text, sizeof(text),
		     "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
		     "Connection: close\r\n\r\n%s", n, body);
	if (write(fd, text, (size_t)n) < 0)
		return;		/* the client is gone */
}

/* Till the client closes, or shuts down its side. */
static void hold(int fd)
{
	char byte;

	while (read(fd, &byte, 1) > 0)
		;
}

static void serve(const struct metrics *m, int fd)
{
	struct obs_timer timer = obs_timer_start();
	char text[4096];

	obs_gauge_add(m->busy, 1);
	if (request_read(fd, text, sizeof(text))) {
		if (!strncmp(text, "GET /hold ", 10)) {
			obs_counter_add(m->hold, 1);
			hold(fd);
		} else {
			obs_counter_add(m->hello, 1);
			answer(fd);
		}
		obs_timer_observe(&timer, m->seconds);
	}
	obs_gauge_add(m->busy, -1);
	close(fd);
}

/*
 * Counts in what the master made: nothing is to be done after fork. Of its gauges a new
 * worker has a share of its own, with nothing in it.
 */
static _Noreturn void work(const struct metrics *m, int listener)
{
	sigset_t none;
	int fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	obs_gauge_add(m->workers, 1);
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			serve(m, fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			_exit(1);
	}
}

static int listen_on(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)atoi(port)),
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		return -1;
	printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* A worker for each that is missing. */
static void workers_start(const struct metrics *m, int listener, pid_t *pid,
			  unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (pid[i] > 0)
			continue;
		pid[i] = fork();
		if (!pid[i])
			work(m, listener);
		if (pid[i] < 0)
			perror("prefork: cannot fork");
	}
}

static void worker_gone(const struct metrics *m, pid_t *pid, unsigned int nr, pid_t gone,
			int status)
{
	unsigned int i;

	obs_counter_add(WIFSIGNALED(status) ? m->killed : m->exited, 1);
	for (i = 0; i < nr; i++)
		if (pid[i] == gone)
			pid[i] = 0;
}

/* The master, until it is told to end. */
static void supervise(const struct metrics *m, int listener, unsigned int nr)
{
	pid_t pid[WORKERS_MAX] = { 0 }, gone;
	sigset_t set;
	unsigned int i;
	int status, signo;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	do {
		while ((gone = waitpid(-1, &status, WNOHANG)) > 0)
			worker_gone(m, pid, nr, gone, status);
		workers_start(m, listener, pid, nr);
	} while (!sigwait(&set, &signo) && signo == SIGCHLD);
	for (i = 0; i < nr; i++)
		if (pid[i] > 0)
			kill(pid[i], SIGTERM);
	while (wait(NULL) > 0)
		;
}

static _Noreturn void misused(void)
{
	fputs("usage: prefork [--workers N] [--device PATH] PORT\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct metrics m = { .service = NULL };
	const char *device = NULL;
	unsigned int nr = 4;
	int i, r, listener;

	for (i = 1; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
		if (!strcmp(argv[i], "--workers"))
			nr = (unsigned int)atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--device"))
			device = argv[i + 1];
		else
			misused();
	}
	if (i + 1 != argc || !nr || nr > WORKERS_MAX)
		misused();
	r = metrics_init(&m, device);
	if (r)
		fprintf(stderr, "prefork: cannot count: %s\n", strerror(-r));
	listener = listen_on(argv[i]);
	if (listener < 0) {
		fprintf(stderr, "prefork: cannot listen on port %s: %s\n", argv[i],
			strerror(errno));
		return 1;
	}
	supervise(&m, listener, nr);
	obs_service_detach(m.service);
	return 0;
}
