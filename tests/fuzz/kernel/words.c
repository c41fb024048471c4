// SPDX-License-Identifier: MIT
/* What all calls are made of: random numbers, and words that mean something. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "grammar.h"

uint64_t random_next(struct random *random)
{
	uint64_t x = random->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

uint32_t below(struct random *random, uint32_t n)
{
	return n ? (random_next(random) >> 32) * n >> 32 : 0;
}

bool chance(struct random *random, uint32_t one_in)
{
	return !below(random, one_in);
}

/* Small ones, those near powers of two and limits, any. */
uint64_t make_number(struct random *random)
{
	uint64_t power = 1ULL << below(random, 64);

	switch (below(random, 6)) {
	case 0:
		return below(random, 9);
	case 1:
		return below(random, 130);
	case 2:
		return power;
	case 3:
		return power + below(random, 3) - 1;
	case 4:
		return -(uint64_t)below(random, 45);
	default:
		return random_next(random) >> below(random, 64);
	}
}

static const char *const families[] = {
	"fuzz_a_total", "fuzz_b_total", "fuzz_c", "fuzz_d", "fuzz_e_seconds", "fuzz_f_seconds",
	"fuzz_g_bytes", "fuzz_h_info", "fuzz_i_state", "fuzz_j", "fuzz_k_total", "fuzz:l",
	"fuzz.m", "fuzz_m", "obsring_series", "obsring_service_members", "process_x",
	"obsring_trace_context_total", "fuzz_c_bucket", "fuzz_c_total", "9x", "",
};

static const char *const labels[] = {
	"a", "b", "c", "d", "le", "quantile", "service", "uid", "result", "__a", "a.b", "",
};

static const char *const values[] = {
	"1", "2", "3", "x", "y", "_overflow", "", "\xff", "\xc3\xa9",
};

static const char *const helps[] = { "Help.", "", "Other help.\nof two lines", "\\" };

static const char *const units[] = { "", "seconds", "bytes", "x y", "ratio" };

/* Those whose events are everywhere, seldom: all calls would be slow. */
static const char *const sources[] = {
	"tcp", "reclaim", "netdrop", "printk", "block", "none", "tcp", "reclaim", "netdrop",
	"printk", "tcp", "reclaim", "netdrop", "printk", "task", "runqueue", "syscall", "irq",
	"process",
};

static const char *const keys[] = {
	"latency", "sample", "log-level", "log-drop", "log-io", "log-stall", "log-oom", "x", "",
};

static const char *const options[] = {
	"1", "0", "2", "16", "off", "on", "info", "debug", "warning", "4", "-1", "1048576", "x",
	"", "all", "10ms", "1us", "3601s", "5", "01s",
};

/* What runs seldom. */
static const char *const targets[] = {
	"sched:sched_process_fork", "sched:sched_process_exec", "vfs_fallocate", "ksys_sync",
	"nope:nope", "nope", ":", "a:", ":b", "obs_logwriter_write", "obsring:x", "kfree_skb_list",
};

static const char *const services[] = {
	"s", "t", "u", "s", "t", "u", "service-of-a-longer-name", "a:b", "A.9/z_", "a b", "\x01",
	"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc3", "\xed\xa0\x80", "",
};

static const char *const logged[] = {
	"user.s", "user.*", "*", "printk", "block", "user.t", "kernel", "", "user.",
};

#define WORDS(array) { array, sizeof(array) / sizeof((array)[0]) }

static const struct {
	const char *const *word;
	uint32_t nr;
} words[] = {
	[W_FAMILY] = WORDS(families), [W_LABEL] = WORDS(labels), [W_VALUE] = WORDS(values),
	[W_HELP] = WORDS(helps), [W_UNIT] = WORDS(units), [W_SOURCE] = WORDS(sources),
	[W_KEY] = WORDS(keys), [W_OPTION] = WORDS(options), [W_TARGET] = WORDS(targets),
	[W_SERVICE] = WORDS(services), [W_LOGGED] = WORDS(logged),
};

/* One of those that exist, as a rule; a long one, one with a number. */
uint32_t make_word(struct random *random, enum word kind, char *text, uint32_t room)
{
	const char *word = words[kind].word[below(random, words[kind].nr)];
	uint32_t len;

	if (chance(random, 12)) {
		len = below(random, chance(random, 3) ? 300 : 130);
		len = len < room ? len : room - 1;
		memset(text, 'a' + below(random, 26), len);
		text[len] = 0;
	} else if (chance(random, 8)) {
		snprintf(text, room, "%s%u", word, below(random, 400));
	} else {
		snprintf(text, room, "%s", word);
	}
	return strlen(text);
}
