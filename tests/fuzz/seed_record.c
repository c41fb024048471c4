// SPDX-License-Identifier: MIT
/* A valid record to begin with, the one of that name, to standard output. */
#include <stdio.h>
#include <string.h>

#include <obsring/record.h>

#define PART(literal) { literal, sizeof(literal) - 1 }

static const struct {
	const char *name;
	__u8 flags;
	const char *comm;
	struct {
		const char *at;
		__u16 nr;
	} source, message, fields;
} seeds[] = {
	{ "plain", 0, "init", PART("disk"), PART("hello"), PART("") },
	{ "trace", OBSRING_RECORD_TRACE | OBSRING_RECORD_CUT, "nginx: worker", PART("net.tcp"),
	  PART("retransmit to \"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""),
	  PART("saddr\0" "10.0.0.1:80\0" "trace_id\0" "x y\0" "\0\0") },
	{ "hostile", OBSRING_RECORD_USER, "a\nb", PART("s\nts=1"),
	  PART("\" level=emerg\\\n\xe2\x80\xa8\xc2\x85\xed\xa0\x80\xff\x00\x1b[0m"),
	  PART("k=v \"\0" "\n\0" "msg\0\0" "cut") },
};

static void part(union obs_record_buffer *b, const void *at, size_t nr)
{
	memcpy(b->byte + b->head.size, at, nr);
	b->head.size += nr;
}

int main(int argc, char **argv)
{
	static const struct obsring_trace trace = { .trace_id = { 1 }, .span_id = { 2 } };
	static union obs_record_buffer b;
	size_t i;

	for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		if (argc != 2 || strcmp(argv[1], seeds[i].name))
			continue;
		b.head.time_ns = 1795364057123456789ULL;
		b.head.threshold = 150;
		b.head.flags = seeds[i].flags;
		b.head.source_len = seeds[i].source.nr;
		b.head.message_len = seeds[i].message.nr;
		b.head.fields_len = seeds[i].fields.nr;
		memcpy(b.head.comm, seeds[i].comm, strlen(seeds[i].comm));
		b.head.size = sizeof(b.head);
		if (b.head.flags & OBSRING_RECORD_TRACE)
			part(&b, &trace, sizeof(trace));
		part(&b, seeds[i].source.at, seeds[i].source.nr);
		part(&b, seeds[i].message.at, seeds[i].message.nr);
		part(&b, seeds[i].fields.at, seeds[i].fields.nr);
		return fwrite(&b, 8, obs_record_words(b.head.size), stdout) !=
		       obs_record_words(b.head.size);
	}
	return 1;
}
