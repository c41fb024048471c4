// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "jsontext.h"
#include "status.h"
#include "version.h"

#define NS_PER_S 1000000000ULL

static void put_time(struct text *json, const char *key, uint64_t ns)
{
	time_t seconds = ns / NS_PER_S;
	char text[32], stamp[48];
	struct tm utc;

	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(stamp, sizeof(stamp), "%s.%03uZ", text,
		 (unsigned int)(ns % NS_PER_S / 1000000));
	jsontext_string(json, key, stamp);
}

static void put_build(struct text *json)
{
	jsontext_open(json, "build_information", '{');
	jsontext_string(json, "version", obsringd_version);
	jsontext_string(json, "revision", obsringd_revision);
	jsontext_close(json, '}');
}

static void put_flag(void *json, const char *name, const char *value)
{
	jsontext_string(json, name, value);
}

static void put_device(struct text *json, struct daemon *daemon)
{
	char reason[COLLECT_REASON_MAX];
	bool ready = !collector_ready(&daemon->collector, reason);

	jsontext_open(json, "device", '{');
	jsontext_string(json, "path", daemon->options.device);
	jsontext_bool(json, "ready", ready);
	if (!ready)
		jsontext_string(json, "reason", reason);
	jsontext_close(json, '}');
}

static void put_connections(struct text *json, struct daemon *daemon)
{
	uint64_t nr, ended[CLIENT_END_NR];
	int i;

	clients_get(&daemon->clients, &nr, ended);
	jsontext_open(json, "connections", '{');
	jsontext_number(json, "open", nr);
	jsontext_number(json, "limit", daemon->clients.limits.connections);
	jsontext_open(json, "ended", '{');
	for (i = 0; i < CLIENT_END_NR; i++)
		jsontext_number(json, client_end_name[i], ended[i]);
	jsontext_close(json, '}');
	jsontext_close(json, '}');
}

static void put_config(struct text *json, struct daemon *daemon)
{
	uint64_t successful, loaded_ns;

	web_health(&daemon->web, &successful, &loaded_ns);
	jsontext_open(json, "config", '{');
	jsontext_bool(json, "last_reload_successful", successful);
	put_time(json, "last_reload_success_time", loaded_ns);
	jsontext_close(json, '}');
}

static void put_addresses(struct text *json, const struct daemon *daemon)
{
	char name[LISTEN_NAME_MAX];
	unsigned int i;

	jsontext_open(json, "listen_addresses", '[');
	for (i = 0; i < daemon->sockets.nr; i++) {
		listen_name(daemon->sockets.fd[i], name);
		jsontext_string(json, NULL, name);
	}
	jsontext_close(json, ']');
}

void status_write(struct daemon *daemon, struct text *json)
{
	jsontext_open(json, NULL, '{');
	jsontext_string(json, "status", "success");
	jsontext_open(json, "data", '{');
	put_build(json);
	put_time(json, "start_time", daemon->self.start_ns);
	jsontext_open(json, "flags", '{');
	options_each(&daemon->options, put_flag, json);
	jsontext_close(json, '}');
	put_addresses(json, daemon);
	put_device(json, daemon);
	put_connections(json, daemon);
	put_config(json, daemon);
	jsontext_close(json, '}');
	jsontext_close(json, '}');
	text_put(json, "\n", 1);
}
