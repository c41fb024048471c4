// SPDX-License-Identifier: MIT
/* Programs as lines: who, then a call each: its name, numbers and bytes. */
#include <stdio.h>
#include <string.h>

#include <linux/obsring.h>

#include "fuzz.h"

static const char *const names[] = {
#define _(name, text) [OP_##name] = text,
	CALLS(_)
#undef _
};

static const char *const requests[] = {
	[OBSRING_CMD_UNSPEC] = "unknown-request",
	[OBSRING_CMD_INFO_GET] = "info-get", [OBSRING_CMD_STATE_SET] = "state-set",
	[OBSRING_CMD_FAMILY_GET] = "family-get", [OBSRING_CMD_FAMILY_NEW] = "family-new",
	[OBSRING_CMD_FAMILY_DEL] = "family-del", [OBSRING_CMD_SERIES_GET] = "series-get",
	[OBSRING_CMD_SERIES_NEW] = "series-new", [OBSRING_CMD_SERIES_DEL] = "series-del",
	[OBSRING_CMD_SERIES_UPDATE] = "series-update", [OBSRING_CMD_SOURCE_GET] = "source-get",
	[OBSRING_CMD_SOURCE_SET] = "source-set", [OBSRING_CMD_PROBE_GET] = "probe-get",
	[OBSRING_CMD_PROBE_NEW] = "probe-new", [OBSRING_CMD_PROBE_DEL] = "probe-del",
	[OBSRING_CMD_SAMPLE_GET] = "sample-get", [OBSRING_CMD_SAMPLE_SET] = "sample-set",
	[OBSRING_CMD_SAMPLE_DEL] = "sample-del", [OBSRING_CMD_LOG_GET] = "log-get",
	[OBSRING_CMD_LOG_SET] = "log-set", [OBSRING_CMD_SERVICE_GET] = "service-get",
	[OBSRING_CMD_SERVICE_SET] = "service-set", [OBSRING_CMD_SERVICE_DEL] = "service-del",
};

#define NR_REQUESTS	(sizeof(requests) / sizeof(*requests))

static const char *const roles[] = {
#define _(name, text) [ROLE_##name] = text,
	ROLES(_)
#undef _
};

unsigned int call_kind(const struct call *call)
{
	if (call->op != OP_NETLINK)
		return call->op;
	/* Those that nothing knows are one. */
	return OP_NR + (call->a < NR_REQUESTS && requests[call->a] ? call->a : 0);
}

const char *kind_name(unsigned int kind)
{
	return kind < OP_NR ? names[kind] : requests[kind - OP_NR];
}

static void call_print(FILE *file, const struct call *call)
{
	uint32_t k;

	fprintf(file, "%s %u %u %#x %#llx %#llx ", names[call->op], call->slot, call->fail,
		call->flags, (unsigned long long)call->a, (unsigned long long)call->b);
	if (!call->size)
		putc('-', file);
	for (k = 0; k < call->size; k++)
		fprintf(file, "%02x", call->data[k]);
	putc('\n', file);
}

/* Each line begins with @before. */
void program_print(FILE *file, const char *before, const struct program *program)
{
	uint32_t i;

	fprintf(file, "%sas %s\n", before, roles[program->role]);
	for (i = 0; i < program->nr; i++) {
		fputs(before, file);
		call_print(file, &program->call[i]);
	}
}

static bool call_read(const char *line, struct call *call)
{
	char name[32], hex[2 * DATA_MAX + 1];
	unsigned long long a, b;
	unsigned int slot, fail, byte;
	size_t k;

	memset(call, 0, sizeof(*call));
	if (sscanf(line, " %31s %u %u %x %llx %llx %2048s", name, &slot, &fail, &call->flags,
		   &a, &b, hex) != 7)
		return false;
	while (call->op < OP_NR && strcmp(names[call->op], name))
		call->op++;
	call->slot = slot;
	call->fail = fail;
	call->a = a;
	call->b = b;
	for (k = 0; hex[0] != '-' && sscanf(hex + 2 * k, "%2x", &byte) == 1; k++)
		call->data[k] = byte;
	call->size = k;
	return call->op < OP_NR;
}

static bool role_read(const char *line, uint32_t *ret)
{
	char name[32];

	if (sscanf(line, " as %31s", name) != 1)
		return false;
	for (*ret = 0; *ret < ROLE_NR && strcmp(roles[*ret], name); (*ret)++)
		;
	return *ret < ROLE_NR;
}

/* The next one of a file; another line ends it. False: there is none, or it is wrong. */
bool program_read(FILE *file, struct program *program)
{
	static char line[2 * DATA_MAX + 128];
	long at;

	program->nr = 0;
	if (!fgets(line, sizeof(line), file) || !role_read(line, &program->role))
		return false;
	for (;;) {
		at = ftell(file);
		if (!fgets(line, sizeof(line), file))
			break;
		if (program->nr == CALLS_MAX || !call_read(line, &program->call[program->nr])) {
			fseek(file, at, SEEK_SET);
			break;
		}
		program->nr++;
	}
	return program->nr;
}
