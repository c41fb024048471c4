/* SPDX-License-Identifier: MIT */
/* Records, their lines, and these taken apart again, by a parser of its own. */
#ifndef TESTS_LOGFMT_H
#define TESTS_LOGFMT_H

#include <stddef.h>

#include <obsring/logfmt.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct bytes {
	const char *at;
	size_t nr;
};

#define BYTES(literal) { literal, sizeof(literal) - 1 }
#define NO_BYTES { NULL, 0 }

struct sample {
	__u8 level, flags;
	__u16 cpu;
	__u32 pid, uid;
	struct bytes comm, source, message, fields;
};

void sample_build(const struct sample *s, union obs_record_buffer *b, struct obs_record *ret);

/* Into a buffer of that size exactly; the caller frees it. */
char *format(const struct obs_record *record, __u64 ns, __u32 size, __u32 *ret_nr);

#define PAIRS_MAX	300

struct pair {
	char key[1100];
	char value[1100];
	size_t nr;
	bool quoted;
};

struct parsed {
	struct pair pair[PAIRS_MAX];
	unsigned int nr;
	bool cut;
};

void parse(const char *bytes, __u32 nr, struct parsed *ret);

/* What a value may consist of that is not quoted. */
extern const char bare[];

/* @parsed is what @s says, and nothing else. */
void parsed_is(struct parsed *parsed, const struct sample *s);

#endif /* TESTS_LOGFMT_H */
