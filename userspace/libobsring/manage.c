// SPDX-License-Identifier: MIT
/* Families and series that user space makes, over netlink. */
#include <errno.h>

#include "control.h"

static int put_s32(struct nl_msg *msg, int type, int32_t value)
{
	return nla_put_u32(msg, type, (uint32_t)value);
}

static int put_u64(struct nl_msg *msg, int type, uint64_t value)
{
	return nla_put_u64(msg, type, value);
}

static int bounds_encode(struct nl_msg *msg, const struct obs_family_spec *spec)
{
	unsigned int i;
	int r = 0;

	for (i = 0; !r && i < spec->nr_bounds; i++)
		r = put_u64(msg, OBSRING_A_BOUND, spec->bound[i]);
	if (spec->nr_bounds)
		return r;
	r = put_s32(msg, OBSRING_A_SCHEMA, spec->schema);
	if (!r)
		r = put_s32(msg, OBSRING_A_MIN_LOG2, spec->min_log2);
	if (!r)
		r = put_s32(msg, OBSRING_A_MAX_LOG2, spec->max_log2);
	return r;
}

int obs_family_encode(struct nl_msg *msg, const struct obs_family_spec *spec)
{
	unsigned int i;
	int r;

	r = nla_put_string(msg, OBSRING_A_NAME, spec->name);
	if (!r)
		r = nla_put_string(msg, OBSRING_A_HELP, spec->help ? spec->help : "");
	if (!r)
		r = nla_put_u32(msg, OBSRING_A_KIND, spec->kind);
	if (!r && spec->unit && *spec->unit)
		r = nla_put_string(msg, OBSRING_A_UNIT, spec->unit);
	for (i = 0; !r && i < spec->nr_labels; i++)
		r = nla_put_string(msg, OBSRING_A_LABEL_NAME, spec->label[i]);
	if (!r && spec->set)
		r = nla_put_flag(msg, OBSRING_A_SET);
	if (!r && spec->exp10)
		r = put_s32(msg, OBSRING_A_EXP10, spec->exp10);
	if (!r && spec->kind == OBSRING_KIND_HISTOGRAM)
		r = bounds_encode(msg, spec);
	return obs_put_error(r);
}

int obs_series_encode(struct nl_msg *msg, const char *family,
		      const char *const *value, unsigned int nr)
{
	unsigned int i;
	int r;

	r = nla_put_string(msg, OBSRING_A_NAME, family);
	for (i = 0; !r && i < nr; i++)
		r = nla_put_string(msg, OBSRING_A_LABEL_VALUE, value[i]);
	return obs_put_error(r);
}

int obs_family_add(struct obs_control *control, const struct obs_family_spec *spec)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_FAMILY_NEW, 0);
	int r = msg ? obs_family_encode(msg, spec) : 0;

	return obs_request_send(control, msg, r, NULL, NULL);
}

int obs_family_delete(struct obs_control *control, const char *name)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_FAMILY_DEL, 0);
	int r = msg ? nla_put_string(msg, OBSRING_A_NAME, name) : 0;

	return obs_request_send(control, msg, obs_put_error(r), NULL, NULL);
}

int obs_series_add(struct obs_control *control, const char *family,
		   const char *const *value, unsigned int nr)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_SERIES_NEW, 0);
	int r = msg ? obs_series_encode(msg, family, value, nr) : 0;

	return obs_request_send(control, msg, r, NULL, NULL);
}

int obs_series_delete(struct obs_control *control, const char *family,
		      const char *const *value, unsigned int nr)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_SERIES_DEL, 0);
	int r = msg ? obs_series_encode(msg, family, value, nr) : 0;

	return obs_request_send(control, msg, r, NULL, NULL);
}

int obs_series_update(struct obs_control *control, const char *family,
		      const char *const *value, unsigned int nr, int64_t number)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_SERIES_UPDATE, 0);
	int r = msg ? obs_series_encode(msg, family, value, nr) : 0;

	if (msg && !r)
		r = obs_put_error(put_u64(msg, OBSRING_A_VALUE, (uint64_t)number));
	return obs_request_send(control, msg, r, NULL, NULL);
}
