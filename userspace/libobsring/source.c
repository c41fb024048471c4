// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/errno.h>

#include "control.h"

#define OPTIONS_MAX	(sizeof(((struct obs_source_info *)0)->option) / \
			 sizeof(((struct obs_source_info *)0)->option[0]))

struct source_walk {
	int (*fn)(const struct obs_source_info *source, void *arg);
	void *arg;
};

/* The names of all sources; their memory is the taker's. */
struct source_names {
	char (*name)[OBSRING_NAME_MAX + 1];
	unsigned int nr;
};

static int option_decode(struct nlattr *nest, struct obs_source_info *source)
{
	struct obs_source_option *option = &source->option[source->nr_options];
	struct obs_answer answer;

	if (source->nr_options == OPTIONS_MAX)
		return 0;
	if (obs_answer_parse_nested(nest, &answer))
		return -EPROTO;
	obs_answer_string(&answer, OBSRING_A_OPTION_KEY, option->key,
			  sizeof(option->key));
	obs_answer_string(&answer, OBSRING_A_OPTION_VALUE, option->value,
			  sizeof(option->value));
	obs_answer_string(&answer, OBSRING_A_HELP, option->help,
			  sizeof(option->help));
	source->nr_options++;
	return 0;
}

int obs_source_decode(const struct obs_answer *answer, struct obs_source_info *source)
{
	struct nlattr *option;
	int left, r;

	*source = (struct obs_source_info){
		.enabled = answer->attr[OBSRING_A_ENABLED] &&
			   nla_get_u8(answer->attr[OBSRING_A_ENABLED]),
	};
	obs_answer_string(answer, OBSRING_A_NAME, source->name, sizeof(source->name));
	obs_answer_string(answer, OBSRING_A_HELP, source->help, sizeof(source->help));
	obs_answer_string(answer, OBSRING_A_REASON, source->reason,
			  sizeof(source->reason));
	obs_answer_each(option, answer, OBSRING_A_OPTION, left) {
		r = option_decode(option, source);
		if (r)
			return r;
	}
	return 0;
}

static int source_answer(const struct obs_answer *answer, void *arg)
{
	const struct source_walk *walk = arg;
	struct obs_source_info source;
	int r;

	r = obs_source_decode(answer, &source);
	return r ? r : walk->fn(&source, walk->arg);
}

static int names_answer(const struct obs_answer *answer, void *arg)
{
	struct source_names *names = arg;
	struct nlattr *attr;
	unsigned int nr = 0;
	int left;

	if (names->name)
		return -EPROTO;
	obs_answer_each(attr, answer, OBSRING_A_SOURCE, left)
		nr++;
	names->name = calloc(nr ? nr : 1, sizeof(*names->name));
	if (!names->name)
		return -ENOMEM;
	obs_answer_each(attr, answer, OBSRING_A_SOURCE, left)
		obs_attr_string(attr, names->name[names->nr++], sizeof(*names->name));
	return 0;
}

static int source_get(struct obs_control *control, const char *name,
		      struct source_walk *walk)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_SOURCE_GET, 0);
	int r = msg ? nla_put_string(msg, OBSRING_A_NAME, name) : 0;

	return obs_request_send(control, msg, obs_put_error(r), source_answer, walk);
}

/* One by one, for who is no reader: a dump keeps the module in use until it is read. */
int obs_source_list(struct obs_control *control,
		    int (*fn)(const struct obs_source_info *source, void *arg),
		    void *arg)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_INFO_GET, 0);
	struct source_walk walk = { .fn = fn, .arg = arg };
	struct source_names names = { .name = NULL };
	unsigned int i;
	int r;

	r = obs_request_send(control, msg, 0, names_answer, &names);
	for (i = 0; !r && i < names.nr; i++)
		r = source_get(control, names.name[i], &walk);
	free(names.name);
	return r;
}

static int put_key(struct nl_msg *msg, const char *key, size_t len)
{
	struct nlattr *attr;

	if (len > INT16_MAX)
		return -NLE_NOMEM;
	attr = nla_reserve(msg, OBSRING_A_OPTION_KEY, (int)len + 1);
	if (!attr)
		return -NLE_NOMEM;
	memcpy(nla_data(attr), key, len);
	((char *)nla_data(attr))[len] = 0;
	return 0;
}

/* "key=value"; without '=' the value is empty. */
static int option_encode(struct nl_msg *msg, const char *option)
{
	size_t n = strcspn(option, "=");
	struct nlattr *nest;
	int r;

	if (!n)
		return -EINVAL;
	nest = nla_nest_start(msg, OBSRING_A_OPTION);
	if (!nest)
		return -EMSGSIZE;
	r = put_key(msg, option, n);
	if (!r)
		r = nla_put_string(msg, OBSRING_A_OPTION_VALUE,
				   option + n + (option[n] == '='));
	nla_nest_end(msg, nest);
	return obs_put_error(r);
}

int obs_source_encode(struct nl_msg *msg, const char *name, bool enable,
		      const char *const *options, unsigned int nr)
{
	unsigned int i;
	int r;

	r = nla_put_string(msg, OBSRING_A_NAME, name);
	if (!r)
		r = nla_put_u8(msg, OBSRING_A_ENABLED, enable);
	r = obs_put_error(r);
	for (i = 0; !r && i < nr; i++)
		r = option_encode(msg, options[i]);
	return r;
}

int obs_source_set(struct obs_control *control, const char *name, bool enable,
		   const char *const *options, unsigned int nr)
{
	struct nl_msg *msg = obs_request_new(control, OBSRING_CMD_SOURCE_SET, 0);
	int r = msg ? obs_source_encode(msg, name, enable, options, nr) : 0;

	return obs_request_send(control, msg, r, NULL, NULL);
}
