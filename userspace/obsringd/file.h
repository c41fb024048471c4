/* SPDX-License-Identifier: MIT */
/*
 * Small files as a whole, and whether they have changed.
 */
#ifndef OBSRINGD_FILE_H
#define OBSRINGD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* All of it, with a NUL behind, to be given back to file_forget(). -errno; -EFBIG. */
int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len);

/* Free it, after its bytes, which may be a secret, are gone. */
void file_forget(char *data, size_t len);

/* What tells one state of a file from another. */
struct file_state {
	bool there;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

void file_state_read(struct file_state *ret_state, const char *path);
bool file_state_same(const struct file_state *a, const struct file_state *b);

#endif /* OBSRINGD_FILE_H */
