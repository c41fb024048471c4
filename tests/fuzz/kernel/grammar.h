/* SPDX-License-Identifier: MIT */
/* Between what makes programs: words.c, request.c, regular.c, payload.c, generate.c. */
#ifndef OBS_FUZZ_GRAMMAR_H
#define OBS_FUZZ_GRAMMAR_H

#include <linux/netlink.h>

#include "fuzz.h"

/* What makes a GET a dump, besides NLM_F_REQUEST. */
#define CALL_DUMP	(NLM_F_ROOT | NLM_F_MATCH)

#define PICK(random, array) ((array)[below(random, sizeof(array) / sizeof((array)[0]))])

/* What a word is for. */
enum word {
	W_FAMILY, W_LABEL, W_VALUE, W_HELP, W_UNIT, W_SOURCE, W_KEY, W_OPTION, W_TARGET,
	W_SERVICE, W_LOGGED,
};

uint32_t make_word(struct random *random, enum word kind, char *text, uint32_t room);

/* Append an attribute; NULL if there is no room. */
struct nlattr *put(struct call *call, uint16_t type, const void *data, uint32_t size);
void put_string(struct call *call, uint16_t type, const char *text);

/* What requests of a program are about. */
void make_subject(struct random *random);
void make_subject_request(struct random *random, struct call *call, uint8_t command);

/* Of call->a; false: there is none of that command. */
bool make_regular_request(struct random *random, struct call *call);
uint16_t make_regular_metric(struct random *random, uint8_t *data);

#endif
