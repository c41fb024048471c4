// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* state.h: three that update a word, each having written what it is about. */
#include <string.h>

#include <linux/obsring.h>
#include <obsring.h>
#include <obsring/state.h>

#include "weak.h"

#define VERSIONS	3

static __u64 word, about[VERSIONS + 1];

static void start(void)
{
	word = 0;
	memset(about, 0, sizeof(about));
}

static void update(__u64 version)
{
	obs_write_once(&about[version], version * 100);
	switch (obs_state_word_update(&word, version, (__u8)version)) {
	case OBS_STATE_INSERTED:
		weak_seen("inserted");
		break;
	case OBS_STATE_UPDATED:
		weak_seen("updated");
		break;
	case OBS_STATE_STALE:
		weak_seen("stale");
		break;
	default:
		weak_check(!"a conflict of versions that nobody repeats");
	}
}

static void update_1(void)
{
	update(1);
}

static void update_2(void)
{
	update(2);
}

static void update_3(void)
{
	update(3);
}

static void get(void)
{
	__u64 got, version, before = 0;
	int i;

	for (i = 0; i < 2; i++) {
		got = obs_state_word_get(&word);
		version = obs_state_version(got);
		weak_check(version >= before);
		before = version;
		if (!version)
			continue;
		weak_check(obs_state_state(got) == version);
		weak_check(obs_read_once(&about[version]) == version * 100);
		weak_seen("got");
	}
}

static void end(void)
{
	weak_check(obs_state_version(obs_state_word_get(&word)) == VERSIONS);
}

int main(void)
{
	static const struct weak_scenario scenario = {
		.name = "state",
		.start = start,
		.writer = { update_1, update_2, update_3 },
		.reader = { get },
		.end = end,
	};

	weak_explore(&scenario);
	weak_demand("inserted", "updated", "stale", "got", NULL);
	return 0;
}
