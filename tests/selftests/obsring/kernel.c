// SPDX-License-Identifier: MIT
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/membarrier.h>

#include "kernel.h"

/* A tracepoint of /proc/kallsyms, and where /proc/kcore has it: 0 was not looked up. */
struct symbol {
	uint64_t address;
	off_t offset;
	char name[64];
};

#define SYMBOLS_MAX	8192
#define PREFIX		"__tracepoint_"

/* Tracepoints' symbols: read once, for it takes long. */
static unsigned int tracepoints_read(struct symbol *symbol)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long address;
	unsigned int nr = 0;
	char line[512];
	int name;

	while (file && nr < SYMBOLS_MAX && fgets(line, sizeof(line), file)) {
		if (!strstr(line, PREFIX) ||
		    sscanf(line, "%llx %*c %n", &address, &name) != 1 ||
		    strncmp(line + name, PREFIX, strlen(PREFIX)))
			continue;
		symbol[nr].address = address;
		symbol[nr].offset = 0;
		snprintf(symbol[nr].name, sizeof(symbol[nr].name), "%.*s",
			 (int)strcspn(line + name, "\t\n"), line + name);
		nr++;
	}
	if (file)
		fclose(file);
	return nr;
}

static struct symbol *tracepoint_find(const char *name)
{
	static struct symbol symbol[SYMBOLS_MAX];
	static unsigned int nr;
	unsigned int i;

	if (!nr)
		nr = tracepoints_read(symbol);
	for (i = 0; i < nr; i++)
		if (!strcmp(symbol[i].name + strlen(PREFIX), name))
			return &symbol[i];
	return NULL;
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
	struct symbol *symbol = tracepoint_find(name);
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	if (!symbol || fd < 0)
		return -ENOENT;
	if (!symbol->offset)
		symbol->offset = kcore_offset(fd, symbol->address);
	if (symbol->offset < 0 || pread(fd, &head, 12, symbol->offset) != 12)
		return -ENOENT;
	return head.enabled != 0;
}

/* A grace period of RCU. */
int kernel_settle(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) ? -errno : 0;
}
