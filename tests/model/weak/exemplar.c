// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* exemplar.h: two that observe the same range; one that reads it meanwhile. */
#include <string.h>

#include <obsring/exemplar.h>

#include "weak.h"

#define TICKS	3	/* of the clock; each is long enough for another exemplar */
#define READS	2

static struct obsring_exemplar slot;
static __u64 ticks;
static __u64 newest;	/* time of those that were stored */

static void start(void)
{
	__u64 t;

	memset(&slot, 0, sizeof(slot));
	ticks = 0;
	newest = 0;
	for (t = 1; t <= TICKS; t++)
		weak_unseen(&ticks, sizeof(ticks), t);
}

/* Everything of it says its time. */
static enum obs_exemplar_put put(__u64 seq, __u64 time)
{
	struct obsring_trace trace;

	memset(&trace, (int)time, sizeof(trace));
	return obs_exemplar_put(&slot, seq, time, time * 2 * OBS_EXEMPLAR_HOLD_NS, &trace);
}

static bool whole(const struct obsring_exemplar *e)
{
	__u8 id[16];

	memset(id, (int)e->value, sizeof(id));
	return e->time_ns == e->value * 2 * OBS_EXEMPLAR_HOLD_NS &&
	       !memcmp(e->trace_id, id, sizeof(e->trace_id)) &&
	       !memcmp(e->span_id, id, sizeof(e->span_id));
}

/* Whoever looked later has the later time: the clock is read behind the look. */
static void observe(void)
{
	__u64 seq = obs_exemplar_look(&slot), time = obs_read_once(&ticks);

	if (!time)
		return;
	switch (put(seq, time)) {
	case OBS_EXEMPLAR_STORED:
		if (time > newest)
			newest = time;
		weak_seen("stored");
		break;
	case OBS_EXEMPLAR_HELD:
		weak_seen("held");
		break;
	case OBS_EXEMPLAR_BUSY:
		weak_seen("busy");
		break;
	}
}

/* What is there in the end is one exemplar, and the newest. */
static void newest_stays(void)
{
	struct obsring_exemplar e = { .value = 0 };

	if (!newest) {
		weak_check(obs_exemplar_get(&slot, &e) == OBS_EXEMPLAR_NONE);
		return;
	}
	weak_check(obs_exemplar_get(&slot, &e) == OBS_EXEMPLAR_FOUND);
	weak_check(whole(&e));
	weak_check(e.value == newest);
}

/* The same slot in two lives, without another writer beside it. */
static void lives(void)
{
	put(obs_exemplar_look(&slot), 1);
	obs_exemplar_clear(&slot);
	put(obs_exemplar_look(&slot), 2);
}

static void read(void)
{
	struct obsring_exemplar e = { .value = 0 };
	__u64 before = 0;
	int i;

	for (i = 0; i < READS; i++) {
		switch (obs_exemplar_get(&slot, &e)) {
		case OBS_EXEMPLAR_FOUND:
			weak_check(whole(&e));
			weak_check(e.value >= before);
			before = e.value;
			weak_seen("found");
			break;
		case OBS_EXEMPLAR_NONE:
			weak_seen("none");
			break;
		case OBS_EXEMPLAR_BEING_WRITTEN:
			weak_seen("being written");
			return;
		}
	}
}

int main(void)
{
	static const struct weak_scenario writers = {
		.name = "exemplar: two writers",
		.start = start,
		.writer = { observe, observe },
		.end = newest_stays,
	}, reader = {
		.name = "exemplar: two lives and a reader",
		.start = start,
		.writer = { lives },
		.reader = { read },
	};

	weak_explore(&writers);
	weak_demand("stored", "held", "busy", NULL);
	weak_explore(&reader);
	weak_demand("found", "none", "being written", NULL);
	return 0;
}
