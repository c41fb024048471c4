// SPDX-License-Identifier: MIT
/* What is known of services, and what they have counted. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "instant.h"
#include "print.h"
#include "service.h"

static int service_line(const struct obs_service_info *service, void *arg)
{
	char ttl[DURATION_SIZE], left[INSTANT_SIZE];

	(void)arg;
	print_text(stdout, service->name);
	printf("  uid %u  %u members  %u series  %llu bytes  ttl %s", service->uid,
	       service->members, service->series, (unsigned long long)service->bytes,
	       service->ttl_s ? duration_format(ttl, service->ttl_s) : "never");
	if (service->detached_ns)
		printf("  left %s", instant_format(left, service->detached_ns));
	putchar('\n');
	return 0;
}

static void service_json(const struct obs_service_info *service, struct json *json)
{
	char time[INSTANT_SIZE];

	json_string(json, "name", service->name);
	json_u64(json, "uid", service->uid);
	json_u64(json, "members", service->members);
	json_u64(json, "series", service->series);
	json_u64(json, "bytes", service->bytes);
	json_u64(json, "ttl_seconds", service->ttl_s);
	json_string(json, "created", instant_format(time, service->created_ns));
	if (service->detached_ns)
		json_string(json, "left", instant_format(time, service->detached_ns));
}

static int service_element(const struct obs_service_info *service, void *arg)
{
	json_open(arg, NULL, '{');
	service_json(service, arg);
	json_close(arg, '}');
	return 0;
}

int ctl_service_list(const struct ctl_command *command, struct ctl_globals *globals,
		     int argc, char **argv)
{
	struct json json = { .out = stdout };
	struct service_request request;
	int r;

	r = ctl_words_parse(command, globals, NULL, argc, argv, 0, NULL);
	if (r || globals->help)
		return r;
	r = service_request_open(&request, O_RDONLY);
	if (r)
		return r;
	if (globals->json)
		json_open(&json, NULL, '[');
	r = obs_service_list(request.control, request.device_fd,
			     globals->json ? service_element : service_line, &json);
	if (globals->json)
		json_close(&json, ']');
	return service_request_end(&request, r, "list the services", NULL);
}

/* Of each series the first two labels are its service and that one's user. */
static bool belongs(const struct obs_series_info *series,
		    const struct obs_service_info *service)
{
	const struct obs_family_info *family = series->family;
	char uid[16];

	if (family->nr_labels < 2 || strcmp(family->label[0], "service") ||
	    strcmp(family->label[1], "uid"))
		return false;
	snprintf(uid, sizeof(uid), "%u", service->uid);
	return !strcmp(series->value[0], service->name) && !strcmp(series->value[1], uid);
}

static int family_print(const struct print *print, const struct obs_family_info *family,
			const struct obs_service_info *service)
{
	const struct obs_series_info *series = NULL;
	int r;

	while ((series = obs_series_next(print->reader->snapshot, family, series))) {
		r = belongs(series, service) ? print_series(print, series) : 0;
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

static int service_print(const struct ctl_globals *globals, const struct print *print,
			 const struct obs_service_info *service)
{
	int r;

	if (!globals->json) {
		service_line(service, NULL);
		return families_print(print, service);
	}
	json_open(print->json, NULL, '{');
	service_json(service, print->json);
	json_open(print->json, "metrics", '[');
	r = families_print(print, service);
	json_close(print->json, ']');
	json_close(print->json, '}');
	return r;
}

int ctl_service_show(const struct ctl_command *command, struct ctl_globals *globals,
		     int argc, char **argv)
{
	struct json json = { .out = stdout };
	struct service_request request;
	struct obs_service_info service;
	struct service_wanted wanted;
	struct ctl_reader reader;
	struct print print = { .reader = &reader };
	int r;

	r = service_parse(command, globals, argc, argv, 1, "one service is expected",
			  &wanted);
	if (r || globals->help)
		return r;
	r = service_open(&wanted, O_RDONLY, &request, &service);
	if (r)
		return r;
	service_request_end(&request, 0, "", NULL);
	print.json = globals->json ? &json : NULL;
	r = ctl_reader_open(globals, &reader);
	if (r)
		return r;
	r = service_print(globals, &print, &service);
	ctl_reader_close(&reader);
	return r;
}
