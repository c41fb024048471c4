// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "watch.h"

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
	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll < 0)
		return -errno;
	watch->end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return watch->end < 0 ? -errno : add(watch, watch->end);
}

int watch_init(struct watch *watch, void (*reload)(void *context), void *context)
{
	int r;

	*watch = (struct watch){
		.epoll = -1, .signals = -1, .end = -1, .inotify = -1,
		.reload = reload, .context = context,
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
	int files[] = { watch->inotify, watch->end, watch->signals, watch->epoll };
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (watch->context && files[i] >= 0)
			close(files[i]);
	watch->context = NULL;
}

static int split_path(struct watch *watch, const char *path,
		      char directory[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t len = slash ? slash - path : 0;

	if (len >= PATH_MAX || strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	strcpy(watch->name, name);
	memcpy(directory, path, len);
	directory[len] = '\0';
	if (!len)
		strcpy(directory, slash ? "/" : ".");
	return 0;
}

int watch_path(struct watch *watch, const char *path)
{
	char directory[PATH_MAX];
	int r = split_path(watch, path, directory);

	if (r < 0)
		return r;
	watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->inotify < 0)
		return -errno;
	/* udev gives a new device to its group after it made it: IN_ATTRIB. */
	if (inotify_add_watch(watch->inotify, directory,
			      IN_CREATE | IN_ATTRIB | IN_DELETE | IN_MOVED_TO |
			      IN_MOVED_FROM) < 0)
		return -errno;
	return add(watch, watch->inotify);
}

static bool concerns(const struct watch *watch, const struct inotify_event *event)
{
	return (event->mask & IN_Q_OVERFLOW) ||
	       (event->len && !strcmp(event->name, watch->name));
}

/* Take in all events: did one concern the device? */
static bool path_changed(struct watch *watch)
{
	char buffer[4096] __attribute__((aligned(8)));
	const struct inotify_event *event;
	bool changed = false;
	ssize_t len, at;

	if (watch->inotify < 0)
		return false;
	while ((len = read(watch->inotify, buffer, sizeof(buffer))) > 0) {
		for (at = 0; at < len; at += sizeof(*event) + event->len) {
			event = (const void *)(buffer + at);
			changed |= concerns(watch, event);
		}
	}
	return changed;
}

/* The signal that came, or 0. */
static int signal_came(struct watch *watch)
{
	struct signalfd_siginfo info;

	if (read(watch->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	return info.ssi_signo;
}

static bool end_came(struct watch *watch)
{
	eventfd_t value;

	return !eventfd_read(watch->end, &value);
}

int watch_run(struct watch *watch, struct collector *collector)
{
	struct epoll_event event;
	int signal;

	for (;;) {
		if (epoll_wait(watch->epoll, &event, 1, -1) != 1)
			continue;
		if (event.data.ptr == collector) {
			collector_hangup(collector);
			continue;
		}
		if (path_changed(watch))
			collector_check(collector);
		if (end_came(watch))
			return 0;
		signal = signal_came(watch);
		if (signal == SIGHUP)
			watch->reload(watch->context);
		else if (signal)
			return signal;
	}
}

void watch_end(struct watch *watch)
{
	eventfd_write(watch->end, 1);
}
