// SPDX-License-Identifier: MIT
/* What is known of services, and what they have counted. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "duration.h"
#include "instant.h"
#include "print.h"
#include "service.h"

/* How a service is shown; @whole: with what only the module knows. */
struct shown {
	struct json *json;	/* or NULL */
	bool whole;
};

static void service_line(const struct obs_service_info *service, bool whole)
{
	char ttl[DURATION_SIZE], left[INSTANT_SIZE];

	print_text(stdout, service->name);
	printf("  uid %u  %u members  %u series", service->uid, service->members,
	       service->series);
	if (whole)
		printf("  %llu bytes  ttl %s", (unsigned long long)service->bytes,
		       service->ttl_s ? duration_format(ttl, service->ttl_s) : "never");
	if (service->detached_ns)
		printf("  left %s", instant_format(left, service->detached_ns));
	putchar('\n');
}

static void service_json(const struct obs_service_info *service, const struct shown *shown)
{
	struct json *json = shown->json;
	char time[INSTANT_SIZE];

	json_string(json, "name", service->name);
	json_u64(json, "uid", service->uid);
	json_u64(json, "members", service->members);
	json_u64(json, "series", service->series);
	if (shown->whole) {
		json_u64(json, "bytes", service->bytes);
		json_u64(json, "ttl_seconds", service->ttl_s);
		json_string(json, "created", instant_format(time, service->created_ns));
	}
	if (service->detached_ns)
		json_string(json, "left", instant_format(time, service->detached_ns));
}

static int service_element(const struct obs_service_info *service, void *arg)
{
	const struct shown *shown = arg;

	if (!shown->json) {
		service_line(service, shown->whole);
		return 0;
	}
	json_open(shown->json, NULL, '{');
	service_json(service, shown);
	json_close(shown->json, '}');
	return 0;
}

/* ---- All ------------------------------------------------------------------- */

static int module_list(struct shown *shown)
{
	struct service_request request;
	int r = service_request_open(&request, O_RDONLY);

	if (r)
		return r;
	shown->whole = true;
	r = obs_service_list(request.control, request.device_fd, service_element, shown);
	return service_request_end(&request, r, "list the services", NULL);
}

static int mapping_list(const struct ctl_globals *globals, struct shown *shown)
{
	struct ctl_reader reader;
	int r = ctl_reader_open(globals, &reader);

	if (r)
		return r;
	service_map_list(reader.snapshot, service_element, shown);
	ctl_reader_close(&reader);
	return CTL_OK;
}

/* A file that nobody can count in has no more than its mapping tells. */
static int segment_list(const struct ctl_globals *globals, struct shown *shown)
{
	int r;

	shown->whole = true;
	r = obs_segment_service_list(globals->device, service_element, shown);
	if (r != -EPROTO)
		return r ? ctl_fail("cannot list the services: %s", strerror(-r)) : CTL_OK;
	shown->whole = false;
	return mapping_list(globals, shown);
}

/* Who may not write it is told what its mapping has. */
static bool segment_is_writable(const struct ctl_globals *globals)
{
	return ctl_segment_is_meant(globals) && !access(globals->device, R_OK | W_OK);
}

/* The module can be asked, and no other device is meant. */
static bool module_is_meant(const struct ctl_globals *globals)
{
	struct obs_control *control;

	if (globals->device || obs_control_open(&control))
		return false;
	obs_control_close(control);
	return true;
}

int ctl_service_list(const struct ctl_command *command, struct ctl_globals *globals,
		     int argc, char **argv)
{
	struct json json = { .out = stdout };
	struct shown shown = { .whole = false };
	int r;

	r = ctl_words_parse(command, globals, NULL, argc, argv, 0, NULL);
	if (r || globals->help)
		return r;
	if (globals->json) {
		shown.json = &json;
		json_open(&json, NULL, '[');
	}
	if (segment_is_writable(globals))
		r = segment_list(globals, &shown);
	else
		r = module_is_meant(globals) ? module_list(&shown) :
					       mapping_list(globals, &shown);
	if (globals->json)
		json_close(&json, ']');
	return r;
}

/* ---- One, with its values -------------------------------------------------- */

static int family_print(const struct print *print, const struct obs_family_info *family,
			const struct obs_service_info *service)
{
	const struct obs_series_info *series = NULL;
	int r;

	while ((series = obs_series_next(print->reader->snapshot, family, series))) {
		r = service_owns(service, series) ? print_series(print, series) : 0;
		/* Removed since: there is nothing to show any more. */
		if (r && r != -ESTALE)
			return r;
	}
	return 0;
}

static int families_print(const struct print *print, const struct obs_service_info *service)
{
	const struct obs_family_info *family = NULL;
	int r;

	while ((family = obs_family_next(print->reader->snapshot, family))) {
		r = family_print(print, family, service);
		if (r)
			return ctl_fail("cannot read %s: %s", family->name, strerror(-r));
	}
	return CTL_OK;
}

static int service_print(const struct print *print, const struct obs_service_info *service,
			 bool whole)
{
	const struct shown shown = { .json = print->json, .whole = whole };
	int r;

	if (!print->json) {
		service_line(service, whole);
		return families_print(print, service);
	}
	json_open(print->json, NULL, '{');
	service_json(service, &shown);
	json_open(print->json, "metrics", '[');
	r = families_print(print, service);
	json_close(print->json, ']');
	json_close(print->json, '}');
	return r;
}

/* The service, of the module or else of what is mapped. */
static int service_find(const struct service_wanted *wanted, const struct ctl_reader *reader,
			bool module, struct obs_service_info *ret_service)
{
	struct service_search search = { .wanted = wanted };
	struct service_request request;
	int r;

	if (module) {
		r = service_open(wanted, O_RDONLY, &request, ret_service);
		return r ? r : service_request_end(&request, 0, "", NULL);
	}
	service_map_list(reader->snapshot, service_search_note, &search);
	r = service_search_end(&search);
	if (!r)
		*ret_service = search.found;
	return r;
}

int ctl_service_show(const struct ctl_command *command, struct ctl_globals *globals,
		     int argc, char **argv)
{
	struct json json = { .out = stdout };
	struct obs_service_info service;
	struct service_wanted wanted;
	struct ctl_reader reader;
	struct print print = { .reader = &reader };
	bool module;
	int r;

	r = service_parse(command, globals, argc, argv, 1, "one service is expected",
			  &wanted);
	if (r || globals->help)
		return r;
	r = ctl_reader_open(globals, &reader);
	if (r)
		return r;
	module = module_is_meant(globals);
	r = service_find(&wanted, &reader, module, &service);
	if (!r) {
		print.json = globals->json ? &json : NULL;
		r = service_print(&print, &service, module);
	}
	ctl_reader_close(&reader);
	return r;
}
