/* SPDX-License-Identifier: MIT */
#ifndef OBSRINGCTL_SERVICE_H
#define OBSRINGCTL_SERVICE_H

#include "options.h"

/**
 * struct service_request - what is asked of the module about services
 * @control: the connection
 * @device_fd: the right to ask, for those without a capability; open for writing it is
 *	the right to change one's own. -1: there is none
 */
struct service_request {
	struct obs_control *control;
	int device_fd;
};

/* @mode: O_RDONLY or O_RDWR. CTL_FAILED after a message. */
int service_request_open(struct service_request *request, int mode);

/*
 * ctl_control_end(), and the descriptor is closed. What failed, if @result says so, was
 * to @what service @name, or if that is NULL just to @what.
 */
int service_request_end(struct service_request *request, int result, const char *what,
			const char *name);

/* Which service is meant: a name, and whose. */
struct service_wanted {
	const char *name;
	long uid;		/* -1: the only user's who has one of that name */
};

/*
 * The words of a subcommand about one service, its name first, and --uid. As
 * ctl_words_parse().
 */
int service_parse(const struct ctl_command *command, struct ctl_globals *globals, int argc,
		  char **argv, int nr, const char *expected,
		  struct service_wanted *ret_wanted);

/* Looking for it: service_search_note() takes all there are, for obs_service_list(). */
struct service_search {
	const struct service_wanted *wanted;
	unsigned int nr;		/* services that it may mean */
	struct obs_service_info found;	/* the last of them */
};

int service_search_note(const struct obs_service_info *service, void *search);

/* CTL_OK: it is search->found; else CTL_FAILED after a message. */
int service_search_end(const struct service_search *search);

/* Open @request and find the service. CTL_FAILED after a message, nothing is open. */
int service_open(const struct service_wanted *wanted, int mode,
		 struct service_request *request, struct obs_service_info *ret_service);

/*
 * servicemap.c: as obs_service_list(), of a snapshot: bytes and times are not known
 * there, and are 0.
 */
int service_map_list(const struct obs_snapshot *snapshot,
		     int (*fn)(const struct obs_service_info *service, void *arg), void *arg);

/*
 * Is it a series that the service made? Its first two labels say so; what the module
 * tells of it has them as well.
 */
bool service_owns(const struct obs_service_info *service, const struct obs_series_info *series);

#endif /* OBSRINGCTL_SERVICE_H */
