// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * sidetable.h: two keys that share a set. Values belong to one thread at a time: who
 * touches one without being ordered behind its last owner has failed.
 */
#include <string.h>

#include <obsring/sidetable.h>

#include "weak.h"

#define KEY	0x1000ULL
#define OTHER	0x3000ULL	/* of the same set */

static struct obs_sidetable_set sets[2] __attribute__((aligned(64)));
static const struct obs_sidetable table = { .sets = sets, .order = 1 };

static void start(void)
{
	struct obs_sidetable_set *set = obs_sidetable_find(&table, KEY);

	memset(sets, 0, sizeof(sets));
	weak_check(obs_sidetable_find(&table, OTHER) == set);
	weak_owned(set->value, sizeof(set->value));
}

static void put(__u64 key, __u64 time)
{
	switch (obs_sidetable_put(&table, key, time, key + time)) {
	case OBS_SIDETABLE_NEW:
		weak_seen("new");
		break;
	case OBS_SIDETABLE_REPLACED:
		weak_seen("replaced");
		break;
	case OBS_SIDETABLE_FULL:
		weak_check(!"a set of eight that two fill");
	}
}

static void take(__u64 key)
{
	struct obs_sidetable_value value = { 0, 0 };

	if (!obs_sidetable_take(&table, key, &value)) {
		weak_seen("not there");
		return;
	}
	weak_check(value.extra == key + value.time && value.time);
	weak_seen("taken");
}

static void put_once(void)
{
	put(KEY, 1);
}

static void put_again(void)
{
	put(KEY, 2);
}

static void put_other(void)
{
	put(OTHER, 3);
}

static void take_key(void)
{
	take(KEY);
}

static void take_and_put_other(void)
{
	take(KEY);
	put(OTHER, 3);
}

/* One has been put before. */
static void start_with_one(void)
{
	start();
	put(KEY, 4);
}

int main(void)
{
	static const struct weak_scenario scenarios[] = {
		{ "sidetable: put and taken", start, { put_once, take_key } },
		{ "sidetable: an entry that another key gets", start_with_one,
		  { take_key, put_other } },
		{ "sidetable: a value that is replaced", start, { put_once, put_again } },
		{ "sidetable: replaced or taken", start_with_one,
		  { put_again, take_key } },
		{ "sidetable: taken, and its entry put anew", start,
		  { put_once, take_and_put_other } },
	};
	unsigned int i;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		weak_explore(&scenarios[i]);
	weak_demand("new", "replaced", "taken", "not there", NULL);
	return 0;
}
