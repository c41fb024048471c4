// SPDX-License-Identifier: MIT
/*
 * tracestate at a glance, 64 bytes a step: is it well-formed, as nearly all are that are
 * long, with nothing around its members but a comma between two, and no space in them?
 * What stands where is a bit of a word each, and is judged for all members at once; none
 * is looked at by itself.
 *
 *      text            a=1,b2=xy,ot=th:c
 *      equals          .#....#.....#....
 *      comma           ...#.....#.......
 *      value           .##...###...#####   from an equals sign on, before the comma
 *      begin           #...#.....#......   at first, and behind a comma
 *
 * What is not so is left to who looks at each byte: tracestate.c, whose comment has the
 * grammar.
 */
#include "propagate.h"

#ifdef __SSE2__

#include <emmintrin.h>

#define STEP		64
#define MEMBERS_MAX	32
/* A key and a value have 256 bytes each: in three such words there are more. */
#define BARE_WORDS_MAX	2

/**
 * struct step - 64 bytes: a bit of each is that of a byte
 * @equals: equals signs
 * @comma: commas
 * @first: what a key may begin with
 * @key: what a key may have
 */
struct step {
	uint64_t equals, comma, first, key;
};

/**
 * struct scan - what goes from step to step
 * @text: the header
 * @wrong: not 0: something is
 * @value: all ones in the middle of a value
 * @equals, @comma, @begin: of the step before
 * @bare: words in a row without equals sign or comma
 * @ot: where the first "ot=" stands
 * @never: not 0: something stands there that no member has
 * @commas: so many, in 16 parts
 */
struct scan {
	const char *text;
	uint64_t wrong, value, equals, comma, begin;
	unsigned int bare;
	const char *ot;
	__m128i never, commas;
};

static uint64_t bits(__m128i bytes)
{
	return (uint32_t)_mm_movemask_epi8(bytes);
}

static __m128i equal(__m128i v, char c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

static __m128i within(__m128i v, char first, char last)
{
	const __m128i above = _mm_sub_epi8(v, _mm_set1_epi8(first));

	return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8((char)(last - first))),
			      above);
}

/* 16 bytes at @at, bit @shift and on. */
static inline void step_add(struct step *s, struct scan *scan, const char *at,
			    unsigned int shift)
{
	const __m128i v = _mm_loadu_si128((const __m128i *)at);
	const __m128i first = _mm_or_si128(within(v, 'a', 'z'), within(v, '0', '9'));
	/* '-' and '/' differ in one bit. */
	const __m128i sign =
		_mm_or_si128(_mm_or_si128(equal(v, '_'), equal(v, '*')),
			     _mm_or_si128(equal(v, '@'),
					  equal(_mm_or_si128(v, _mm_set1_epi8(2)), '/')));
	/* Up to the space, and from 0x7f on: as signed numbers, one more is below. */
	const __m128i never = _mm_cmplt_epi8(_mm_add_epi8(v, _mm_set1_epi8(1)),
					     _mm_set1_epi8(' ' + 2));
	const __m128i comma = equal(v, ',');

	s->equals |= bits(equal(v, '=')) << shift;
	s->comma |= bits(comma) << shift;
	s->first |= bits(first) << shift;
	s->key |= bits(_mm_or_si128(first, sign)) << shift;
	scan->never = _mm_or_si128(scan->never, never);
	scan->commas = _mm_sub_epi8(scan->commas, comma);
}

/* Each bit: is the number of those up to it, itself included, odd? */
static inline uint64_t odd(uint64_t x)
{
	x ^= x << 1;
	x ^= x << 2;
	x ^= x << 4;
	x ^= x << 8;
	x ^= x << 16;
	return x ^ x << 32;
}

/* The first member of those that have @equals behind a key of two characters: is it ot? */
static const char *ot_find(const char *text, uint64_t equals)
{
	for (; equals; equals &= equals - 1) {
		const char *key = text + __builtin_ctzll(equals) - 2;

		if (key[0] == 'o' && key[1] == 't')
			return key;
	}
	return NULL;
}

/* @s is of the header from @from on. */
static inline void scan_step(struct scan *scan, const struct step *s, size_t from)
{
	const uint64_t mark = s->equals | s->comma;
	const uint64_t value = odd(mark) ^ scan->value;
	const uint64_t begin = s->comma << 1 | scan->comma >> 63;
	const uint64_t short_key = s->equals & (begin << 2 | scan->begin >> 62);

	/* Each mark in its turn; what a key consists of; a value that is empty. */
	scan->wrong |= (s->equals & ~value) | (s->comma & value);
	scan->wrong |= ~(value | mark | s->key) | (begin & ~s->first);
	scan->wrong |= s->comma & (s->equals << 1 | scan->equals >> 63);
	/* A word without a mark is part of something long. */
	scan->bare = mark ? 0 : scan->bare + 1;
	scan->wrong |= scan->bare > BARE_WORDS_MAX;
	if (short_key && !scan->ot)
		scan->ot = ot_find(scan->text + from, short_key);
	scan->value = -(value >> 63);
	scan->equals = s->equals;
	scan->comma = s->comma;
	scan->begin = begin;
}

static inline void scan_bytes(struct scan *scan, const char *at, size_t from)
{
	struct step s = { .equals = 0 };

	step_add(&s, scan, at, 0);
	step_add(&s, scan, at + 16, 16);
	step_add(&s, scan, at + 32, 32);
	step_add(&s, scan, at + 48, 48);
	scan_step(scan, &s, from);
}

static bool scan_is_plain(const struct scan *scan)
{
	const __m128i sums = _mm_sad_epu8(scan->commas, _mm_setzero_si128());
	const int commas = _mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4);

	return !scan->wrong && scan->value && !bits(scan->never) && commas < MEMBERS_MAX;
}

bool obs_tracestate_plain(struct obs_bytes value, struct obs_bytes *ret_ot)
{
	struct scan scan = { .text = value.at, .comma = 1ULL << 63 };
	char rest[STEP], last;
	size_t from;

	if (!value.len || value.len > OBS_TRACESTATE_MAX)
		return false;
	last = value.at[value.len - 1];
	if (last == ',' || last == '=')
		return false;
	for (from = 0; value.len - from >= STEP; from += STEP)
		scan_bytes(&scan, value.at + from, from);
	if (from < value.len) {
		/* The last value goes on, as far as can be seen. */
		memset(rest, 'a', sizeof(rest));
		memcpy(rest, value.at + from, value.len - from);
		scan_bytes(&scan, rest, from);
	}
	if (!scan_is_plain(&scan))
		return false;
	*ret_ot = obs_bytes(NULL, 0);
	if (scan.ot) {
		value = obs_bytes_from(value, (size_t)(scan.ot - value.at));
		obs_bytes_cut(&value, ',', ret_ot);
	}
	return true;
}

#else

bool obs_tracestate_plain(struct obs_bytes value, struct obs_bytes *ret_ot)
{
	(void)value;
	(void)ret_ot;
	return false;
}

#endif
