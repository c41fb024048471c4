// SPDX-License-Identifier: MIT
/* Programs as lines: a call each, its name, numbers and bytes. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

static const char *const names[] = {
#define _(name, text) [OP_##name] = text,
	CALLS(_)
#undef _
};

const char *op_name(enum op op)
{
	return names[op];
}

void program_print(const struct program *program)
{
	const struct call *call;
	uint32_t i, k;

	for (i = 0; i < program->nr; i++) {
		call = &program->call[i];
		printf("  %s %u %#x %#llx %#llx ", names[call->op], call->slot, call->flags,
		       (unsigned long long)call->a, (unsigned long long)call->b);
		if (!call->size)
			putchar('-');
		for (k = 0; k < call->size; k++)
			printf("%02x", call->data[k]);
		putchar('\n');
	}
}

static bool call_read(const char *line, struct call *call)
{
	char name[32], hex[2 * DATA_MAX + 1];
	unsigned long long a, b;
	unsigned int slot, byte;
	size_t k;

	memset(call, 0, sizeof(*call));
	if (sscanf(line, " %31s %u %x %llx %llx %2048s", name, &slot, &call->flags, &a, &b,
		   hex) != 6)
		return false;
	while (call->op < OP_NR && strcmp(names[call->op], name))
		call->op++;
	call->slot = slot;
	call->a = a;
	call->b = b;
	for (k = 0; hex[0] != '-' && sscanf(hex + 2 * k, "%2x", &byte) == 1; k++)
		call->data[k] = byte;
	call->size = k;
	return call->op < OP_NR;
}

bool program_read(const char *path, struct program *program)
{
	char line[2 * DATA_MAX + 128];
	FILE *file = fopen(path, "r");
	bool ok = file;

	program->nr = 0;
	while (ok && program->nr < CALLS_MAX && fgets(line, sizeof(line), file))
		ok = call_read(line, &program->call[program->nr++]);
	if (file)
		fclose(file);
	return ok && program->nr;
}
