// SPDX-License-Identifier: MIT
/* Mappings of the device and of services, and what is done to both. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/obsring.h>

#include "execute.h"

struct mapping maps[MAPS], joined[JOINED];

static struct obsring_header header;
static sigjmp_buf touched;
static volatile sig_atomic_t touching;

/* One of our own is a bug of ours, and ends the worker. */
static void on_fault(int number)
{
	if (touching)
		siglongjmp(touched, 1);
	signal(number, SIG_DFL);
}

void execute_header(void)
{
	int fd = open(OBSRING_DEVICE, O_RDONLY);
	void *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		err(2, OBSRING_DEVICE);
	memcpy(&header, page, sizeof(header));
	munmap(page, PAGE);
	close(fd);
}

void mapping_begin(void)
{
	struct sigaction fault = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGSEGV, &fault, NULL);
}

void unmap(struct mapping *mapping)
{
	if (mapping->at && !munmap(mapping->at, mapping->bytes))
		mapping->at = NULL;
}

void mapping_end(void)
{
	unsigned int i;

	for (i = 0; i < MAPS; i++)
		unmap(&maps[i]);
	for (i = 0; i < JOINED; i++)
		unmap(&joined[i]);
}

static uint64_t map_offset(uint64_t a)
{
	uint32_t region = a >> 32;

	if (region < header.nr_regions)
		return header.region[region].offset + (a & 0xfffff) * PAGE;
	return a * PAGE;
}

void do_map(const struct call *call)
{
	struct mapping *mapping = &maps[call->slot % MAPS];
	size_t bytes = (call->b & 0xffff) * PAGE;
	void *at;

	unmap(mapping);
	at = mmap(NULL, bytes, call->flags & 7,
		  call->flags & 0x100 ? MAP_PRIVATE : MAP_SHARED, DEVICE_FD(call->slot),
		  map_offset(call->a));
	if (at != MAP_FAILED)
		*mapping = (struct mapping){ at, bytes };
}

static size_t within(const struct mapping *mapping, uint64_t at)
{
	return mapping->bytes ? at % (mapping->bytes / PAGE) * PAGE : 0;
}

void do_unmap(const struct call *call)
{
	struct mapping *mapping = &maps[call->slot % MAPS];
	size_t at = within(mapping, call->a);

	if (!mapping->at)
		return;
	/* A hole, which touching must survive; or all of it. */
	if (call->b & 1)
		munmap(mapping->at + at, PAGE);
	else
		unmap(mapping);
}

void do_remap(const struct call *call)
{
	struct mapping *mapping = call->flags & 1 ? &joined[call->slot % JOINED] :
						    &maps[call->slot % MAPS];
	size_t bytes = call->b & 1 ? mapping->bytes + PAGE : mapping->bytes;
	void *at;

	if (!mapping->at)
		return;
	at = mremap(mapping->at, call->b & 2 ? PAGE : mapping->bytes, bytes, MREMAP_MAYMOVE);
	if (at != MAP_FAILED && !(call->b & 2))
		*mapping = (struct mapping){ at, bytes };
}

void do_protect(const struct call *call)
{
	struct mapping *mapping = call->flags & 8 ? &joined[call->slot % JOINED] :
						    &maps[call->slot % MAPS];

	if (mapping->at && mapping->bytes)
		mprotect(mapping->at + within(mapping, call->a), PAGE, call->flags & 7);
}

/* By the kernel, which answers EFAULT: a fault in a signal's frame would kill us. */
static void touch_quietly(void *word, bool write)
{
	if (write)
		syscall(SYS_getcpu, word, NULL, NULL);
	else if (access(word, F_OK))
		errno = 0;
}

/* Faults of it end here. */
static __attribute__((noinline)) void touch_word(volatile uint64_t *word, bool write)
{
	if (sigsetjmp(touched, 1))
		return;
	if (write)
		__atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
	else
		(void)*word;
}

void touch(struct mapping *mapping, uint64_t at, uint32_t pages, bool write)
{
	uint64_t *word;
	uint32_t i;

	touching = true;
	for (i = 0; mapping->at && mapping->bytes && i < pages; i++) {
		word = (void *)(mapping->at + within(mapping, at + i) + (at >> 20) % 512 * 8);
		if (failing)
			touch_quietly(word, write);
		else
			touch_word(word, write);
	}
	touching = false;
}

void do_touch(const struct call *call)
{
	touch(&maps[call->slot % MAPS], call->a, call->b % 64, false);
}
