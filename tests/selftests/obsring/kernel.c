// SPDX-License-Identifier: MIT
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"

static uint64_t symbol_address(const char *name)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long address, found = 0;
	char line[512], symbol[256], type;

	if (!file)
		return 0;
	while (!found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%llx %c %255s", &address, &type, symbol) == 3 &&
		    !strcmp(symbol, name))
			found = address;
	fclose(file);
	return found;
}

bool kernel_symbol(const char *name)
{
	return symbol_address(name);
}

/* Where /proc/kcore has the byte of a kernel address; -1: nowhere. */
static off_t kcore_offset(int fd, uint64_t address)
{
	Elf64_Ehdr head;
	Elf64_Phdr part;
	int i;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head))
		return -1;
	for (i = 0; i < head.e_phnum; i++) {
		if (pread(fd, &part, sizeof(part), (off_t)(head.e_phoff +
			  (uint64_t)i * sizeof(part))) != sizeof(part))
			return -1;
		if (part.p_type == PT_LOAD && address >= part.p_vaddr &&
		    address - part.p_vaddr < part.p_memsz)
			return (off_t)(part.p_offset + address - part.p_vaddr);
	}
	return -1;
}

int kernel_tracepoint_on(const char *name)
{
	/* struct tracepoint { const char *name; struct static_key key; ... } */
	struct { uint64_t name; int32_t enabled; } head;
	char symbol[128];
	uint64_t address;
	off_t offset;
	int fd, r;

	snprintf(symbol, sizeof(symbol), "__tracepoint_%s", name);
	address = symbol_address(symbol);
	fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (!address || fd < 0)
		return -ENOENT;
	offset = kcore_offset(fd, address);
	r = offset >= 0 && pread(fd, &head, 12, offset) == 12 ?
	    head.enabled != 0 : -ENOENT;
	close(fd);
	return r;
}
