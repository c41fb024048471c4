/* SPDX-License-Identifier: MIT */
/*
 * Services: what is common to all of them (service.c, handle.c, count.c), and the seam
 * to where their pages come from: the device (service_device.c) or a segment.
 *
 * A backend attaches, and finds series; it hands out plain addresses, which stay
 * good until it is detached. Updates know nothing of it.
 */
#ifndef LIBOBSRING_SERVICE_H
#define LIBOBSRING_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <obsring.h>
#include <obsring/rseq.h>

/* What a backend keeps for a service that it attached: its own structure. */
struct obs_member;

/**
 * struct obs_place - where a series is, in this process
 * @rows: rows of which slot 0 is the series' first: base and shared point into their
 *	pages. Of a series with everyone's row alone, shared is set and nr_cpus is 0;
 *	of a gauge of shares, none of them
 * @share: a gauge of shares: its slot in this address space's share page, else NULL.
 *	The address is the same in children of fork(), and shows their own page there
 * @series: index of the series in SERIES
 * @nr_slots: of the series
 * @overflow: it is the overflow series of the family, as a limit refused the one that
 *	was asked for
 */
struct obs_place {
	struct obs_rows rows;
	__u64 *share;
	__u32 series;
	__u32 nr_slots;
	bool overflow;
};

/**
 * struct obs_backend - where a service's pages come from
 * @attach: join service @name of the effective user, or make it. @fd: the device or
 *	segment, open for reading and writing; it is closed by the caller soon.
 *	@options: has_ttl and ttl_s hold. Errors as obs_service_attach_with()
 * @metric: find the series, or make it and its family. @spec and @value were checked
 *	by obs_spec_check(); spec->kind and spec->set are set. The labels "service" and
 *	"uid" are the backend's to put before those of @spec. 0 with *@ret_place filled,
 *	or an error of obs_counter_new(): -EEXIST if the family is another one, -EINVAL
 *	if it is a gauge of the other type
 * @forked: in a child of fork(), before it runs on: make @share addresses show a share
 *	of this address space. Only what a signal handler may call. May be NULL
 * @set_ttl: of the service that @fd and @name are about, which is attached
 * @detach: leave: addresses are good no longer
 *
 * One call at a time in a process, under a lock that fork() takes as well.
 */
struct obs_backend {
	int (*attach)(int fd, const char *name,
		      const struct obs_service_options *options,
		      struct obs_member **ret_member);
	int (*metric)(struct obs_member *member, const struct obs_family_spec *spec,
		      const char *const *value, struct obs_place *ret_place);
	void (*forked)(struct obs_member *member);
	int (*set_ttl)(struct obs_member *member, int fd, const char *name,
		       uint32_t ttl_s);
	void (*detach)(struct obs_member *member);
};

/* service_device.c */
extern const struct obs_backend obs_device_backend;

/* segbackend.c */
extern const struct obs_backend obs_segment_backend;

/*
 * spec.c: is @spec, with one of @value for each label, what a process may make? Names,
 * labels, scale, bounds, states and their limits, and which fields go with which kind.
 * 0 or -EINVAL. Whether there is another family of that name is not asked.
 */
int obs_spec_check(const struct obs_family_spec *spec, const char *const *value);

/* spec.c: explicit or exponential bounds of a histogram; 0 of other kinds. */
uint32_t obs_spec_nr_bounds(const struct obs_family_spec *spec);

/* spec.c: slots of each series. */
uint32_t obs_spec_nr_slots(const struct obs_family_spec *spec);

/*
 * service_device.c: a descriptor for as long as the process lives: above those that
 * programs close by number, closed by exec. @fd is closed. -EMFILE.
 */
int obs_fd_keep(int fd);

/* A hash table by chains; what is in it begins with a node. */
struct obs_node {
	struct obs_node *next;
	uint32_t hash;
};

struct obs_hash {
	struct obs_node **bucket;
	uint32_t nr, size;
};

/**
 * struct obs_service - a service that this process is in
 * @backend: where its pages come from
 * @member: the backend's
 * @next: in the list of all
 * @users: attaches less detaches
 * @uid: effective user when it was attached
 * @device: of what was opened: which device, or which file on which one
 * @inode: of a file; 0 of a device
 * @metrics: families that handles were asked of
 * @handles: by family and label values
 * @name: its name
 */
struct obs_service {
	const struct obs_backend *backend;
	struct obs_member *member;
	struct obs_service *next;
	unsigned int users;
	uid_t uid;
	dev_t device;
	ino_t inode;
	struct obs_hash metrics;
	struct obs_hash handles;
	char name[OBSRING_NAME_MAX + 1];
};

/* service.c: held while anything of any service changes, and by fork(). */
void obs_services_lock(void);
void obs_services_unlock(void);

/* handle.c: give up all handles. */
void obs_handles_free(struct obs_service *service);

#endif /* LIBOBSRING_SERVICE_H */
