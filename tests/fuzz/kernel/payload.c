// SPDX-License-Identifier: MIT
/* Bytes that calls other than netlink's give to the module: lines and structures. */
#include <stdio.h>
#include <string.h>

#include <linux/obsring.h>

#include "fuzz.h"
#include "grammar.h"

static uint32_t line_piece(struct random *random, char *p, uint32_t room)
{
	static const char *const pieces[] = {
		"<4>", "<191>", "<192>", "<", "service=s ", "service=t ", "service= ", ". ", ".",
		"traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
		"traceparent=cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x ",
		"traceparent=00-00000000000000000000000000000000-b7ad6b7169203331-01 ",
		"tracestate=a=1,ot=th:8;rv:7479cfb506891d,b=2 ", "tracestate=ot=rv:0 ",
		".k=v ", ".key.of-1=\"a \\n\\\"\\x01\" ", ".k=\"", ".x=\\ ", "\n", "\n\n", "\r\n",
		"\x1b[1m", "\xff\xfe", "message", " ", "lost=1 ", "\"", "span.kind=server ",
		"service=a:b ", "service=A.9/z_ ", "service=\xc3\xa9 ", "service=\x01 ",
		".k=\"\\t\\r\\n\\\\\\x7f\\xe9\" ", ".k=\"\\xg0\" ", ".k=\"a\"b ", ".k.l=\"\" ",
		".a=1 .b=2 .c=3 ", "\t", "\x7f", "\xc2\x85", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
		"\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a=b ", "\\",
		"traceparent=00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
		"traceparent=ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00 ",
		"traceparent=00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00 ",
		"tracestate=ot=th:c;rv:ffffffffffffff ", "tracestate=,,x@y=1, ot=th:fffffffffffff0 ",
	};
	uint32_t n;

	if (chance(random, 16)) {
		n = below(random, room < 600 ? room : 600);
		memset(p, 32 + below(random, 95), n);
		return n;
	}
	n = snprintf(p, room, "%s", PICK(random, pieces));
	return n < room ? n : room - 1;
}

uint16_t make_line(struct random *random, uint8_t *data)
{
	uint32_t size = 0, pieces = 1 + below(random, 8);

	while (pieces-- && size + 1 < DATA_MAX)
		size += line_piece(random, (char *)data + size, DATA_MAX - size);
	return size;
}

uint16_t make_attach(struct random *random, uint8_t *data)
{
	struct obsring_attach attach = {
		.size = chance(random, 16) ? make_number(random) : sizeof(attach),
		.flags = below(random, chance(random, 16) ? 5 : 2),
		.ttl_s = below(random, 4),
	};

	make_word(random, W_SERVICE, attach.name, sizeof(attach.name));
	memcpy(data, &attach, sizeof(attach));
	return sizeof(attach);
}

/* The structure, bounds, text; execute.c sets the addresses. */
uint16_t make_metric(struct random *random, uint8_t *data)
{
	bool states, explicit = chance(random, 2);
	struct obsring_metric m = {
		.size = chance(random, 24) ? make_number(random) : sizeof(m),
		.kind = below(random, chance(random, 8) ? 8 : 6),
		.nr_labels = below(random, chance(random, 8) ? 9 : 3),
		.schema = -1,
	};
	uint64_t bound = 0;
	uint32_t size = sizeof(m), words, i;

	if (m.kind == OBSRING_KIND_GAUGE)
		m.flags = below(random, 2);
	if (m.kind == OBSRING_KIND_HISTOGRAM && explicit)
		m.nr_bounds = below(random, chance(random, 4) ? 64 : 6);
	if (m.kind == OBSRING_KIND_HISTOGRAM && !explicit) {
		m.schema = below(random, 4);
		m.min_log2 = -(int)below(random, 20);
		m.max_log2 = below(random, 20);
		m.exp10 = -(int)below(random, 13);
	}
	states = m.kind == OBSRING_KIND_STATE;
	if (states)
		m.nr_states = 1 + below(random, chance(random, 4) ? 26 : 4);
	for (i = 0; i < m.nr_bounds; i++, size += 8) {
		bound += 1 + below(random, 99);
		memcpy(data + size, &bound, 8);
	}
	words = 3 + 2 * m.nr_labels + m.nr_states;
	for (i = 0; i < words && size + 200 < DATA_MAX; i++) {
		enum word kind = i == 0 ? W_FAMILY : i == 1 ? W_HELP : i == 2 ? W_UNIT :
				 i < 3U + m.nr_labels ? W_LABEL :
				 i < 3U + 2 * m.nr_labels ? W_VALUE : W_OPTION;

		size += make_word(random, kind, (char *)data + size, 200) + 1;
	}
	m.text_len = size - sizeof(m) - 8 * m.nr_bounds;
	if (chance(random, 24))
		m.text_len = make_number(random);
	memcpy(data, &m, sizeof(m));
	return size;
}

uint16_t make_context(struct random *random, uint8_t *data)
{
	struct obsring_context context = {
		.sequence = 2 + chance(random, 8),
		.flags = below(random, 2),
		.trace_flags = below(random, 4),
		.trace_id = { chance(random, 8) ? 0 : 0x0a, 0xf7 },
		.span_id = { chance(random, 8) ? 0 : 0xb7 },
		.rv = random_next(random) >> 8,
	};

	memcpy(data, &context, sizeof(context));
	return sizeof(context);
}

void mutate_bytes(struct random *random, struct call *call)
{
	uint32_t at = below(random, call->size), n;
	uint64_t number = make_number(random);

	switch (below(random, 5)) {
	case 0:
		if (call->size)
			call->data[at] ^= 1 << below(random, 8);
		break;
	case 1:
		n = 1U << below(random, 4);
		if (call->size >= n)
			memcpy(call->data + below(random, call->size - n + 1), &number, n);
		break;
	case 2:
		call->size = at;
		break;
	case 3:
		n = below(random, 32);
		if (call->size + n <= DATA_MAX) {
			memmove(call->data + at + n, call->data + at, call->size - at);
			call->size += n;
		}
		break;
	case 4:
		n = below(random, 32);
		n = n < call->size - at ? n : call->size - at;
		memmove(call->data + at, call->data + at + n, call->size - at - n);
		call->size -= n;
		break;
	}
}
