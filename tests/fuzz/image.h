/* SPDX-License-Identifier: MIT */
/* How large images are: of the targets that read them, and the seeds that are some. */
#ifndef TESTS_FUZZ_IMAGE_H
#define TESTS_FUZZ_IMAGE_H

#define IMAGE_BYTES		(80 * 1024)	/* at most */
#define LOG_IMAGE_BYTES		(44 * 1024)
#define LOG_RINGS_BYTES		(12 * 1024)	/* at its end: RINGS and LOG, 128 lines */

#endif /* TESTS_FUZZ_IMAGE_H */
