/* SPDX-License-Identifier: MIT */
/*
 * Services: what is common to all of them (service.c, handle.c, counter.c), and the
 * seam to where their pages come from: the device (service_device.c) or a segment.
 *
 * A backend attaches, and finds series; it hands out plain addresses, which stay
 * good until it is detached. Updates know nothing of it.
 */
#ifndef LIBOBSRING_SERVICE_H
#define LIBOBSRING_SERVICE_H

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
	void (*detach)(struct obs_member *member);
};

/* service_device.c */
extern const struct obs_backend obs_device_backend;

/*
 * Is @spec, with one of @value for each label, what a process may make? Names, labels,
 * scale, bounds, states and their limits, and which fields go with which kind. 0 or
 * -EINVAL. Whether there is another family of that name is not asked.
 */
int obs_spec_check(const struct obs_family_spec *spec, const char *const *value);

/*
 * A descriptor for as long as the process lives: above those that programs close by
 * number, closed by exec. @fd is closed. -EMFILE.
 */
int obs_fd_keep(int fd);

#endif /* LIBOBSRING_SERVICE_H */
