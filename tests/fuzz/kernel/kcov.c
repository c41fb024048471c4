// SPDX-License-Identifier: MIT
/* Which of the module's blocks were reached, and what was compared in it. */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/kcov.h>

#include "fuzz.h"

#define INIT_AT		(1 << 20)	/* bits of the text that is freed after load */
#define SECTIONS	"/sys/module/obsring/sections"

void kcov_open(struct kcov *kcov, uint32_t words)
{
	kcov->words = words;
	kcov->fd = open("/sys/kernel/debug/kcov", O_RDWR);
	if (kcov->fd < 0)
		err(2, "/sys/kernel/debug/kcov");
	if (ioctl(kcov->fd, KCOV_INIT_TRACE, kcov->words))
		err(2, "KCOV_INIT_TRACE");
	kcov->area = mmap(NULL, kcov->words * sizeof(uint64_t), PROT_READ | PROT_WRITE,
			  MAP_SHARED, kcov->fd, 0);
	if (kcov->area == MAP_FAILED)
		err(2, "mmap of kcov");
}

/* For who does not use it: its pages would be copied at each fork, one by one. */
void kcov_forget(struct kcov *kcov)
{
	munmap(kcov->area, kcov->words * sizeof(uint64_t));
}

/* For who uses it alone: not for its children. */
void kcov_keep(struct kcov *kcov)
{
	madvise(kcov->area, kcov->words * sizeof(uint64_t), MADV_DONTFORK);
}

void kcov_enable(struct kcov *kcov, bool compare)
{
	if (ioctl(kcov->fd, KCOV_ENABLE, compare ? KCOV_TRACE_CMP : KCOV_TRACE_PC))
		err(2, "KCOV_ENABLE");
	__atomic_store_n(&kcov->area[0], 0, __ATOMIC_RELAXED);
}

void kcov_disable(struct kcov *kcov)
{
	ioctl(kcov->fd, KCOV_DISABLE, 0);
}

/* The bit of an address; below 0: it is not the module's. */
static int64_t bit_of(const struct module_text *text, uint64_t pc)
{
	if (pc - text->core < INIT_AT)
		return pc - text->core;
	if (text->init && pc - text->init < INIT_AT)
		return INIT_AT + (pc - text->init);
	return -1;
}

/* Notes what was reached; how many blocks of it are new. Begins anew. */
uint32_t kcov_collect(struct kcov *kcov, const struct module_text *text)
{
	uint64_t i, n = __atomic_load_n(&kcov->area[0], __ATOMIC_RELAXED);
	uint32_t new = 0;

	for (i = 1; i <= n && i < kcov->words; i++) {
		int64_t bit = bit_of(text, kcov->area[i]);
		uint64_t mask = 1ULL << (bit & 63);

		if (bit < 0 || __atomic_load_n(&shared->reached[bit / 64],
					       __ATOMIC_RELAXED) & mask)
			continue;
		if (!(__atomic_fetch_or(&shared->reached[bit / 64], mask,
					__ATOMIC_RELAXED) & mask))
			new++;
	}
	__atomic_store_n(&kcov->area[0], 0, __ATOMIC_RELAXED);
	if (new)
		__atomic_add_fetch(&shared->nr_reached, new, __ATOMIC_RELAXED);
	return new;
}

/*
 * Comparisons with a constant that failed: { bytes, what was there, the constant }, each
 * once, besides @nr that are there. How many there are then. Begins anew.
 */
uint32_t kcov_hints(struct kcov *kcov, const struct module_text *text, uint64_t hint[][3],
		    uint32_t nr, uint32_t max)
{
	uint64_t i, n = __atomic_load_n(&kcov->area[0], __ATOMIC_RELAXED);
	uint32_t k;

	for (i = 0; i < n && 4 * i + 4 < kcov->words && nr < max; i++) {
		const uint64_t *record = &kcov->area[1 + 4 * i];
		uint64_t bytes = 1ULL << ((record[0] & KCOV_CMP_MASK) >> 1);

		if (!(record[0] & KCOV_CMP_CONST) || record[1] == record[2] ||
		    bit_of(text, record[3]) < 0)
			continue;
		for (k = 0; k < nr; k++)
			if (hint[k][0] == bytes && hint[k][1] == record[2] &&
			    hint[k][2] == record[1])
				break;
		if (k < nr)
			continue;
		hint[nr][0] = bytes;
		hint[nr][1] = record[2];
		hint[nr++][2] = record[1];
	}
	__atomic_store_n(&kcov->area[0], 0, __ATOMIC_RELAXED);
	return nr;
}

static uint64_t section_address(const char *name)
{
	char path[512];
	unsigned long long address = 0;
	FILE *file;

	snprintf(path, sizeof(path), SECTIONS "/%s", name);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%llx", &address) != 1)
		address = 0;
	fclose(file);
	return address;
}

void module_text_read(struct module_text *text)
{
	text->core = section_address(".text");
	text->init = section_address(".init.text");
	if (!text->core)
		errx(2, "the module's .text is not in " SECTIONS);
}

/* "reached SECTION+OFFSET" for each block; the address is the one behind the call. */
void module_text_print(const struct module_text *text)
{
	static struct { char name[64]; uint64_t address; } section[64];
	uint32_t bit, i, best, nr = 0;
	struct dirent *entry;
	DIR *dir = opendir(SECTIONS);

	while (dir && nr < 64 && (entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".text"))
			continue;
		snprintf(section[nr].name, sizeof(section[nr].name), "%.60s", entry->d_name);
		section[nr++].address = section_address(entry->d_name);
	}
	if (dir)
		closedir(dir);
	for (bit = 0; bit < 2 * INIT_AT; bit++) {
		uint64_t pc = bit < INIT_AT ? text->core + bit : text->init + bit - INIT_AT;

		if (!(shared->reached[bit / 64] & 1ULL << (bit & 63)))
			continue;
		for (best = nr, i = 0; i < nr; i++)
			if (section[i].address < pc &&
			    (best == nr || section[i].address > section[best].address))
				best = i;
		if (best < nr)
			printf("reached %s+0x%llx\n", section[best].name,
			       (unsigned long long)(pc - section[best].address));
	}
}
