// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

/* udev gives a new device to its group after it made it: IN_ATTRIB. */
#define EVENTS	(IN_CREATE | IN_ATTRIB | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | \
		 IN_CLOSE_WRITE)

/* A certificate and its key are replaced one after the other. */
#define SETTLED_MS	100
#define UNSETTLED_MS_MAX 2000
#define LOOK_MS		30000

static int add(struct watch *watch, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };

	return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int init_signals(struct watch *watch)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	watch->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return watch->signals < 0 ? -errno : add(watch, watch->signals);
}

static int init_files(struct watch *watch)
{
	int r;

	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll < 0)
		return -errno;
	watch->poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->poke < 0 || watch->timer < 0 || watch->inotify < 0)
		return -errno;
	r = add(watch, watch->poke);
	if (!r)
		r = add(watch, watch->timer);
	return r ? r : add(watch, watch->inotify);
}

int watch_init(struct watch *watch, const struct watch_calls *calls)
{
	int r;

	*watch = (struct watch){
		.epoll = -1, .signals = -1, .poke = -1, .timer = -1,
		.inotify = -1,
		.calls = *calls,
	};
	r = init_files(watch);
	if (!r)
		r = init_signals(watch);
	if (r < 0)
		watch_exit(watch);
	return r;
}

void watch_exit(struct watch *watch)
{
	int files[] = { watch->inotify, watch->timer, watch->poke, watch->signals,
			watch->epoll };
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (watch->calls.context && files[i] >= 0)
			close(files[i]);
	watch->calls.context = NULL;
}

/* NULL: a name is too long. */
static const char *split_path(const char *path, char directory[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t len = slash ? slash - path : 0;

	if (len >= PATH_MAX || strlen(name) > NAME_MAX)
		return NULL;
	memcpy(directory, path, len);
	directory[len] = '\0';
	if (!len)
		strcpy(directory, slash ? "/" : ".");
	return name;
}

/* Its number, or -errno. */
static int watch_directory(struct watch *watch, const char *path, char name[NAME_MAX + 1])
{
	char directory[PATH_MAX];
	const char *base = split_path(path, directory);
	int number;

	if (!base)
		return -ENAMETOOLONG;
	strcpy(name, base);
	number = inotify_add_watch(watch->inotify, directory, EVENTS);
	return number < 0 ? -errno : number;
}

int watch_path(struct watch *watch, const char *path)
{
	int r = watch_directory(watch, path, watch->name);

	return r < 0 ? r : 0;
}

void watch_files(struct watch *watch, const char (*path)[PATH_MAX], unsigned int nr)
{
	unsigned int i;

	watch->nr_files = nr < WATCH_FILES_MAX ? nr : WATCH_FILES_MAX;
	for (i = 0; i < watch->nr_files; i++)
		watch->file_directory[i] = watch_directory(watch, path[i], watch->file[i]);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static bool is_named(const struct inotify_event *event, const char *name)
{
	return (event->mask & IN_Q_OVERFLOW) ||
	       (event->len && !strcmp(event->name, name));
}

static void note_files(struct watch *watch, const struct inotify_event *event)
{
	bool near = event->mask & IN_Q_OVERFLOW;
	unsigned int i;

	for (i = 0; i < watch->nr_files; i++) {
		near |= event->wd == watch->file_directory[i];
		watch->named |= near && is_named(event, watch->file[i]);
	}
	if (!near || !watch->nr_files)
		return;
	watch->last_ms = now_ms();
	if (!watch->pending)
		watch->first_ms = watch->last_ms;
	watch->pending = true;
}

/* Take in all events: did one concern the device? */
static bool path_changed(struct watch *watch)
{
	char buffer[4096] __attribute__((aligned(8)));
	const struct inotify_event *event;
	bool changed = false;
	ssize_t len, at;

	while ((len = read(watch->inotify, buffer, sizeof(buffer))) > 0) {
		for (at = 0; at < len; at += sizeof(*event) + event->len) {
			event = (const void *)(buffer + at);
			changed |= is_named(event, watch->name);
			note_files(watch, event);
		}
	}
	return changed;
}

/* When to call changed(), if nothing happens any more; -1: there are no files. */
static int settle_ms(const struct watch *watch)
{
	uint64_t now = now_ms(), due = watch->last_ms + SETTLED_MS;

	if (!watch->pending)
		return watch->nr_files ? LOOK_MS : -1;
	if (due > watch->first_ms + UNSETTLED_MS_MAX)
		due = watch->first_ms + UNSETTLED_MS_MAX;
	return due > now ? due - now : 0;
}

static void files_settled(struct watch *watch)
{
	bool named = watch->named;

	watch->pending = false;
	watch->named = false;
	watch->calls.changed(watch->calls.context, named);
}

/* The signal that came, or 0. */
static int signal_came(struct watch *watch)
{
	struct signalfd_siginfo info;

	if (read(watch->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	return info.ssi_signo;
}

static bool poke_came(struct watch *watch)
{
	eventfd_t value;

	return !eventfd_read(watch->poke, &value);
}

static bool time_came(struct watch *watch)
{
	uint64_t times;

	return read(watch->timer, &times, sizeof(times)) == sizeof(times);
}

int watch_run(struct watch *watch, struct collector *collector)
{
	struct epoll_event event;
	int nr, signal;

	for (;;) {
		nr = epoll_wait(watch->epoll, &event, 1, settle_ms(watch));
		if (!nr || (watch->pending && !settle_ms(watch)))
			files_settled(watch);
		if (nr != 1)
			continue;
		if (event.data.ptr == collector) {
			collector_hangup(collector);
			continue;
		}
		if (path_changed(watch))
			collector_check(collector);
		if (poke_came(watch))
			watch->calls.poked(watch->calls.context);
		if (time_came(watch))
			watch->calls.timed(watch->calls.context);
		if (watch->ending)
			return 0;
		signal = signal_came(watch);
		if (signal == SIGHUP)
			watch->calls.reload(watch->calls.context);
		else if (signal)
			return signal;
	}
}

void watch_poke(struct watch *watch)
{
	eventfd_write(watch->poke, 1);
}

void watch_time(struct watch *watch, uint64_t ns)
{
	const struct itimerspec time = {
		.it_value = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 },
	};

	timerfd_settime(watch->timer, 0, &time, NULL);
}

void watch_end(struct watch *watch)
{
	watch->ending = true;
	watch_poke(watch);
}
