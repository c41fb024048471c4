// SPDX-License-Identifier: MIT
/*
 * Preloaded by memory_cases.py: the FAIL_MALLOC-th allocation that the program makes, from
 * 0, finds no memory, and the file FAIL_MALLOC_MADE is made then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t nr, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static long left = -1;	/* until it fails; below 0: none does */
static const char *made;

__attribute__((constructor)) static void begin(void)
{
	const char *number = getenv("FAIL_MALLOC");

	made = getenv("FAIL_MALLOC_MADE");
	if (number && made)
		__atomic_store_n(&left, atol(number), __ATOMIC_RELAXED);
}

static bool fails(void)
{
	if (__atomic_load_n(&left, __ATOMIC_RELAXED) < 0 ||
	    __atomic_fetch_sub(&left, 1, __ATOMIC_RELAXED) != 0)
		return false;
	close(open(made, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	return fails() ? NULL : __libc_calloc(nr, size);
}

void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}
