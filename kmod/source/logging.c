// SPDX-License-Identifier: GPL-2.0-only
/* The options by which sources log: "on", "off", and times. */
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/time64.h>

#include "logging.h"

#define TIME_MAX_NS	(3600 * NSEC_PER_SEC)

static const struct {
	const char *name;
	u64 ns;
} units[] = {
	{ "us", NSEC_PER_USEC },
	{ "ms", NSEC_PER_MSEC },
	{ "s", NSEC_PER_SEC },
};

static int refuse(const struct obs_source_option *option,
		  struct netlink_ext_ack *extack)
{
	if (extack)
		extack->_msg = option->bad;
	return -EINVAL;
}

/*
 * Its counters are there before its first record. Past the limit of sources it is counted
 * with others, and without memory it is until a record has made them.
 */
static void register_if_on(struct static_key_false *on, struct obs_log_source *source)
{
	if (static_key_enabled(on))
		obs_log_source_register(source);
}

int obs_log_switch_set(const struct obs_source_option *option, const char *value,
		       struct netlink_ext_ack *extack)
{
	struct obs_log_switch *log = option->data;

	if (!strcmp(value, "on"))
		static_branch_enable(&log->on);
	else if (!strcmp(value, "off"))
		static_branch_disable(&log->on);
	else
		return refuse(option, extack);
	return 0;
}

void obs_log_switch_done(const struct obs_source_option *option)
{
	struct obs_log_switch *log = option->data;

	register_if_on(&log->on, log->source);
}

int obs_log_switch_show(const struct obs_source_option *option, char *buf, size_t size)
{
	const struct obs_log_switch *log = option->data;

	return scnprintf(buf, size, "%s", static_key_enabled(&log->on) ? "on" : "off");
}

/* "10ms"; without a sign, blanks, fraction or zeros before: it is shown the same. */
static bool time_parse(const char *value, u32 *ret_number, u32 *ret_unit)
{
	u64 number = 0;
	u32 unit;

	if (*value < '1' || *value > '9')
		return false;
	for (; *value >= '0' && *value <= '9'; value++) {
		number = number * 10 + (*value - '0');
		if (number > TIME_MAX_NS)
			return false;
	}
	for (unit = 0; unit < ARRAY_SIZE(units); unit++) {
		if (strcmp(value, units[unit].name))
			continue;
		*ret_number = number;
		*ret_unit = unit;
		return number <= TIME_MAX_NS / units[unit].ns;
	}
	return false;
}

int obs_log_threshold_set(const struct obs_source_option *option, const char *value,
			  struct netlink_ext_ack *extack)
{
	struct obs_log_threshold *log = option->data;
	u32 number, unit;

	if (!strcmp(value, "off")) {
		static_branch_disable(&log->on);
		return 0;
	}
	if (!time_parse(value, &number, &unit))
		return refuse(option, extack);
	log->number = number;
	log->unit = unit;
	WRITE_ONCE(log->ns, number * units[unit].ns);
	static_branch_enable(&log->on);
	return 0;
}

void obs_log_threshold_done(const struct obs_source_option *option)
{
	struct obs_log_threshold *log = option->data;

	register_if_on(&log->on, log->source);
}

int obs_log_threshold_show(const struct obs_source_option *option, char *buf,
			   size_t size)
{
	const struct obs_log_threshold *log = option->data;

	if (!static_key_enabled(&log->on))
		return scnprintf(buf, size, "off");
	return scnprintf(buf, size, "%u%s", log->number, units[log->unit].name);
}
