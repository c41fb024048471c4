// SPDX-License-Identifier: MIT
/*
 * Attaching. A process attaches once to each service: those that ask for the same one
 * share it. The lock is taken by fork() too, so that a child finds nothing half done.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <obsring/name.h>

#include "service.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;
static struct obs_service *services;	/* under lock */

/* By the type of what the path names. */
static const struct {
	mode_t type;
	const struct obs_backend *backend;
} backends[] = {
	{ S_IFCHR, &obs_device_backend },
	{ S_IFREG, &obs_segment_backend },
};

void obs_services_lock(void)
{
	pthread_mutex_lock(&lock);
}

void obs_services_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

static void child_begins(void)
{
	struct obs_service *service;

	for (service = services; service; service = service->next)
		if (service->backend->forked)
			service->backend->forked(service->member);
	obs_services_unlock();
}

static void prepare(void)
{
	once_error = pthread_atfork(obs_services_lock, obs_services_unlock, child_begins);
}

static const struct obs_backend *backend_find(mode_t mode)
{
	size_t i;

	for (i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if ((mode & S_IFMT) == backends[i].type)
			return backends[i].backend;
	return NULL;
}

/* Whoever may only write can attach to the device. Not blocking: it may be a pipe. */
static int path_open(const char *path)
{
	const int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd;

	fd = open(path, O_RDWR | flags);
	if (fd < 0 && errno == EACCES)
		fd = open(path, O_WRONLY | flags);
	if (fd < 0)
		return errno == EISDIR ? -EPROTO : -errno;
	return fd;
}

static bool service_is(const struct obs_service *a, const struct obs_service *b)
{
	return a->backend == b->backend && a->device == b->device &&
	       a->inode == b->inode && a->uid == b->uid && !strcmp(a->name, b->name);
}

/* Attached already, or *@new, which is then taken over. */
static int service_join(struct obs_service **new, int fd,
			const struct obs_service_options *options,
			struct obs_service **ret_service)
{
	struct obs_service *service = services;
	int r = 0;

	while (service && !service_is(service, *new))
		service = service->next;
	if (service) {
		if (options->has_ttl)
			r = service->backend->set_ttl(service->member, fd, service->name,
						      options->ttl_s);
	} else {
		service = *new;
		r = service->backend->attach(fd, service->name, options, &service->member);
		if (!r) {
			*new = NULL;
			service->next = services;
			services = service;
		}
	}
	if (r)
		return r;
	service->users++;
	*ret_service = service;
	return 0;
}

static int service_attach(const char *name, const struct obs_service_options *options,
			  int fd, struct obs_service **ret_service)
{
	struct obs_service *service;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	service = calloc(1, sizeof(*service));
	if (!service)
		return -ENOMEM;
	strcpy(service->name, name);
	service->backend = backend_find(st.st_mode);
	service->uid = geteuid();
	service->device = S_ISCHR(st.st_mode) ? st.st_rdev : st.st_dev;
	service->inode = S_ISCHR(st.st_mode) ? 0 : st.st_ino;
	r = -EPROTO;
	if (service->backend) {
		obs_services_lock();
		r = service_join(&service, fd, options, ret_service);
		obs_services_unlock();
	}
	free(service);
	return r;
}

int obs_service_attach_with(const char *name, const struct obs_service_options *options,
			    struct obs_service **ret_service)
{
	static const struct obs_service_options defaults;
	int fd, r;

	if (!options)
		options = &defaults;
	if (strnlen(name, OBSRING_NAME_MAX + 1) > OBSRING_NAME_MAX ||
	    !obs_name_valid(name))
		return -EINVAL;
	pthread_once(&once, prepare);
	if (once_error)
		return -once_error;
	fd = path_open(options->device ? options->device : OBSRING_DEVICE);
	if (fd < 0)
		return fd;
	r = service_attach(name, options, fd, ret_service);
	close(fd);
	return r;
}

int obs_service_attach(const char *name, struct obs_service **ret_service)
{
	return obs_service_attach_with(name, NULL, ret_service);
}

static void service_leave(struct obs_service *service)
{
	struct obs_service **at = &services;

	while (*at != service)
		at = &(*at)->next;
	*at = service->next;
	obs_handles_free(service);
	service->backend->detach(service->member);
	free(service);
}

void obs_service_detach(struct obs_service *service)
{
	if (!service)
		return;
	obs_services_lock();
	if (!--service->users)
		service_leave(service);
	obs_services_unlock();
}

const char *obs_service_name(const struct obs_service *service)
{
	return service->name;
}

uint32_t obs_service_uid(const struct obs_service *service)
{
	return service->uid;
}
