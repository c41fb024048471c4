// SPDX-License-Identifier: MIT
/* Services: whom a command means, how long what they counted stays, their end. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "duration.h"
#include "service.h"

int service_request_open(struct service_request *request, int mode)
{
	int r = ctl_control_open(&request->control);

	if (!r)
		request->device_fd = open(OBSRING_DEVICE, mode | O_CLOEXEC);
	return r;
}

int service_request_end(struct service_request *request, int result, const char *what,
			const char *name)
{
	if (request->device_fd >= 0)
		close(request->device_fd);
	if (!name)
		return ctl_control_end(request->control, result, "cannot %s", what);
	return ctl_control_end(request->control, result, "cannot %s service \"%s\"", what,
			       name);
}

int service_parse(const struct ctl_command *command, struct ctl_globals *globals, int argc,
		  char **argv, int nr, const char *expected,
		  struct service_wanted *ret_wanted)
{
	struct service_wanted wanted = { .uid = -1 };
	const char *uid = NULL;
	const struct ctl_option options[] = {
		{ "uid", NULL, &uid, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, nr, expected);
	if (r || globals->help)
		return r;
	if (uid && !ctl_number_parse(uid, 0, UINT32_MAX - 1, &wanted.uid))
		return ctl_misused(command, "--uid %s is no user's number", uid);
	wanted.name = argv[0];
	*ret_wanted = wanted;
	return CTL_OK;
}

int service_search_note(const struct obs_service_info *service, void *arg)
{
	struct service_search *search = arg;
	const struct service_wanted *wanted = search->wanted;

	if (strcmp(wanted->name, service->name) ||
	    (wanted->uid >= 0 && (uint32_t)wanted->uid != service->uid))
		return 0;
	search->nr++;
	search->found = *service;
	return 0;
}

int service_search_end(const struct service_search *search)
{
	const struct service_wanted *wanted = search->wanted;

	if (search->nr == 1)
		return CTL_OK;
	if (search->nr)
		return ctl_fail("%u users have a service \"%s\": --uid says whose is meant",
				search->nr, wanted->name);
	return ctl_fail("no service is named \"%s\"%s", wanted->name,
			wanted->uid < 0 ? "" : " that is this user's");
}

int service_open(const struct service_wanted *wanted, int mode,
		 struct service_request *request, struct obs_service_info *ret_service)
{
	struct service_search search = { .wanted = wanted };
	int r = service_request_open(request, mode);

	if (r)
		return r;
	r = obs_service_list(request->control, request->device_fd, service_search_note,
			     &search);
	if (r)
		return service_request_end(request, r, "ask for", wanted->name);
	r = service_search_end(&search);
	if (r)
		service_request_end(request, 0, "", NULL);
	else
		*ret_service = search.found;
	return r;
}

/* Of a segment: whoever may write it has no other right to show. */
static int segment_service_find(const struct ctl_globals *globals,
				const struct service_wanted *wanted,
				struct obs_service_info *ret_service)
{
	struct service_search search = { .wanted = wanted };
	int r;

	r = obs_segment_service_list(globals->device, service_search_note, &search);
	if (r)
		return ctl_fail("cannot ask for service \"%s\": %s", wanted->name,
				strerror(-r));
	r = service_search_end(&search);
	if (!r)
		*ret_service = search.found;
	return r;
}

static int segment_service_end(int result, const char *what, const char *name)
{
	return result ? ctl_fail("cannot %s service \"%s\": %s", what, name,
				 strerror(-result)) : CTL_OK;
}

static int segment_service_ttl(const struct ctl_globals *globals,
			       const struct service_wanted *wanted, uint32_t ttl)
{
	struct obs_service_info service;
	int r = segment_service_find(globals, wanted, &service);

	if (r)
		return r;
	r = obs_segment_service_set_ttl(globals->device, service.name, service.uid, ttl);
	return segment_service_end(r, "set the time to live of", service.name);
}

static int segment_service_delete(const struct ctl_globals *globals,
				  const struct service_wanted *wanted)
{
	struct obs_service_info service;
	int r = segment_service_find(globals, wanted, &service);

	if (r)
		return r;
	r = obs_segment_service_delete(globals->device, service.name, service.uid);
	return segment_service_end(r, "delete", service.name);
}

/* In seconds. */
static bool ttl_parse(const char *text, uint32_t *ret_ttl)
{
	uint64_t ns;

	if (!strcmp(text, "never")) {
		*ret_ttl = 0;
		return true;
	}
	if (duration_parse(text, &ns) || ns % 1000000000 || !ns ||
	    ns / 1000000000 > UINT32_MAX)
		return false;
	*ret_ttl = (uint32_t)(ns / 1000000000);
	return true;
}

int ctl_service_ttl(const struct ctl_command *command, struct ctl_globals *globals,
		    int argc, char **argv)
{
	struct service_request request;
	struct obs_service_info service;
	struct service_wanted wanted;
	uint32_t ttl;
	int r;

	r = service_parse(command, globals, argc, argv, 2,
			  "a service and a time are expected", &wanted);
	if (r || globals->help)
		return r;
	if (!ttl_parse(argv[1], &ttl))
		return ctl_misused(command, "\"%s\" is no time: 90s, 12h, 7d, never", argv[1]);
	if (ctl_segment_is_meant(globals))
		return segment_service_ttl(globals, &wanted, ttl);
	r = service_open(&wanted, O_RDWR, &request, &service);
	if (r)
		return r;
	r = obs_service_set_ttl(request.control, request.device_fd, service.name,
				service.uid, ttl);
	return service_request_end(&request, r, "set the time to live of", service.name);
}

int ctl_service_delete(const struct ctl_command *command, struct ctl_globals *globals,
		       int argc, char **argv)
{
	struct service_request request;
	struct obs_service_info service;
	struct service_wanted wanted;
	int r;

	r = service_parse(command, globals, argc, argv, 1, "one service is expected",
			  &wanted);
	if (r || globals->help)
		return r;
	if (ctl_segment_is_meant(globals))
		return segment_service_delete(globals, &wanted);
	r = service_open(&wanted, O_RDWR, &request, &service);
	if (r)
		return r;
	r = obs_service_delete(request.control, request.device_fd, service.name,
			       service.uid);
	return service_request_end(&request, r, "delete", service.name);
}
