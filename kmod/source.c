// SPDX-License-Identifier: GPL-2.0-only
/*
 * Switching sources: find their tracepoints by name, register their families
 * when first needed, set and remove their hooks.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "metric.h"
#include "netlink.h"
#include "source.h"

#define OPTION_SIZE	256	/* of an option's value as text, see source.h */

static struct obs_source *const sources[] = {
#define OBS_SOURCE_ADDRESS(_name, _on) &obs_source_##_name,
	OBS_SOURCES(OBS_SOURCE_ADDRESS)
#undef OBS_SOURCE_ADDRESS
};

static const char sources_default[] =
#define OBS_SOURCE_ON_true(_name) #_name ","
#define OBS_SOURCE_ON_false(_name) ""
#define OBS_SOURCE_ON(_name, _on) OBS_SOURCE_ON_##_on(_name)
	OBS_SOURCES(OBS_SOURCE_ON)
#undef OBS_SOURCE_ON
	"";

static char *sources_on;
module_param_named(sources, sources_on, charp, 0444);
MODULE_PARM_DESC(sources,
		 "Sources to switch on at load: names with commas between, \"none\", or \"all\" (default: task,reclaim,block,netdrop,tcp,printk)");

/* Protects options, enabled and registered of all sources. */
DEFINE_MUTEX(obs_sources_mutex);

struct obs_source *obs_source_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		if (!strcmp(sources[i]->name, name))
			return sources[i];
	}
	return NULL;
}

struct obs_source *obs_source_at(unsigned int index)
{
	return index < ARRAY_SIZE(sources) ? sources[index] : NULL;
}

/* ---- Finding tracepoints ------------------------------------------------- */

static void hooks_find(void)
{
	static char missing[ARRAY_SIZE(sources)][80];
	const struct obs_hook *hook;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		hook = obs_hooks_find(sources[i]->hooks, sources[i]->nr_hooks);
		if (!hook || sources[i]->unavailable)
			continue;
		snprintf(missing[i], sizeof(missing[i]),
			 "this kernel has no tracepoint %s", hook->name);
		sources[i]->unavailable = missing[i];
	}
}

/* ---- Switching ----------------------------------------------------------- */

/* No probe of it runs any more. */
static void source_unregister(struct obs_source *source)
{
	if (source->exit)
		source->exit();
	if (source->registered)
		obs_metrics_remove(source->metrics, source->nr_metrics);
	source->registered = false;
}

static int source_start(struct obs_source *source,
			struct netlink_ext_ack *extack)
{
	int ret = source->start ? source->start() : 0;

	if (ret) {
		NL_SET_ERR_MSG(extack, "the source could not start");
		return ret;
	}
	ret = obs_hooks_set(source->hooks, source->nr_hooks);
	if (ret) {
		NL_SET_ERR_MSG(extack, "a tracepoint could not be hooked");
		if (source->stop)
			source->stop();
		return ret;
	}
	source->enabled = true;
	return 0;
}

static int source_enable(struct obs_source *source,
			 struct netlink_ext_ack *extack)
{
	bool was_registered = source->registered;
	int ret;

	if (!was_registered) {
		ret = obs_metrics_register(source->metrics, source->nr_metrics);
		if (ret) {
			NL_SET_ERR_MSG(extack, "the source's metrics have no room");
			return ret;
		}
		source->registered = true;
	}
	ret = source_start(source, extack);
	if (ret && !was_registered) {
		source_unregister(source);
		obs_wait_for_updates();
	}
	return ret;
}

/* No probe of it runs any more. */
static void source_stop(struct obs_source *source)
{
	if (source->stop)
		source->stop();
	source->enabled = false;
}

static void source_disable(struct obs_source *source)
{
	obs_hooks_remove(source->hooks, source->nr_hooks);
	source_stop(source);
}

/* ---- Options ------------------------------------------------------------- */

static const struct obs_source_option *
option_find(const struct obs_source *source, const char *key)
{
	unsigned int i;

	for (i = 0; i < source->nr_options; i++) {
		if (!strcmp(source->options[i].key, key))
			return &source->options[i];
	}
	return NULL;
}

static bool option_is_off(const struct obs_source_option *option)
{
	char value[OPTION_SIZE] = "";

	option->show(option, value, sizeof(value));
	return !strcmp(value, "off");
}

/* Of sender and socket, as for all that netlink changes. */
static int syslog_check(const struct obs_source_request *request,
			struct netlink_ext_ack *extack)
{
	if (request->skb && netlink_capable(request->skb, CAP_SYSLOG))
		return 0;
	NL_SET_ERR_MSG(extack, "log-level: messages of the kernel's log need CAP_SYSLOG in the initial user namespace");
	return -EPERM;
}

/* Put back options that were set; what they were is known to be good. */
static void options_restore(struct obs_source *source,
			    const struct obs_setting *settings, unsigned int nr,
			    char (*old)[OPTION_SIZE])
{
	const struct obs_source_option *option;

	while (nr--) {
		option = option_find(source, settings[nr].key);
		option->set(option, old[nr], NULL);
	}
}

static int option_set(struct obs_source *source,
		      const struct obs_source_request *request,
		      const struct obs_setting *setting, char *old,
		      struct netlink_ext_ack *extack)
{
	const struct obs_source_option *option = option_find(source, setting->key);
	int ret;

	if (!option) {
		NL_SET_ERR_MSG(extack, "the source has no such option");
		return -EINVAL;
	}
	if (option->syslog && strcmp(setting->value, "off")) {
		ret = syslog_check(request, extack);
		if (ret)
			return ret;
	}
	option->show(option, old, OPTION_SIZE);
	return option->set(option, setting->value, extack);
}

/* Set options one after the other, or none; @old receives what they were. */
static int options_set(struct obs_source *source,
		       const struct obs_source_request *request,
		       char (*old)[OPTION_SIZE], struct netlink_ext_ack *extack)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < request->nr && !ret; i++)
		ret = option_set(source, request, &request->setting[i], old[i], extack);
	if (!ret)
		return 0;
	NL_SET_BAD_ATTR(extack, request->setting[--i].attr);
	options_restore(source, request->setting, i, old);
	return ret;
}

static void options_done(struct obs_source *source,
			 const struct obs_source_request *request)
{
	const struct obs_source_option *option;
	unsigned int i;

	for (i = 0; i < request->nr; i++) {
		option = option_find(source, request->setting[i].key);
		if (option->done)
			option->done(option);
	}
}

/* May it be switched on with the options that it has? */
static int enable_check(const struct obs_source *source,
			const struct obs_source_request *request,
			struct netlink_ext_ack *extack)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < source->nr_options && !ret; i++) {
		if (source->options[i].syslog && !option_is_off(&source->options[i]))
			ret = syslog_check(request, extack);
	}
	return ret;
}

static int source_set(struct obs_source *source,
		      const struct obs_source_request *request,
		      struct netlink_ext_ack *extack)
{
	char (*old)[OPTION_SIZE];
	int ret;

	if (request->enable && source->unavailable) {
		if (extack)
			extack->_msg = source->unavailable;
		return -EOPNOTSUPP;
	}
	old = kcalloc(request->nr, sizeof(*old), GFP_KERNEL);
	if (!old)
		return -ENOMEM;
	ret = options_set(source, request, old, extack);
	if (!ret && request->enable && !source->enabled) {
		ret = enable_check(source, request, extack);
		if (!ret)
			ret = source_enable(source, extack);
		if (ret)
			options_restore(source, request->setting, request->nr, old);
	}
	if (!ret && !request->enable && source->enabled)
		source_disable(source);
	if (!ret)
		options_done(source, request);
	kfree(old);
	return ret;
}

int obs_source_set(struct obs_source *source,
		   const struct obs_source_request *request,
		   struct netlink_ext_ack *extack)
{
	bool before;
	int ret;

	mutex_lock(&obs_sources_mutex);
	before = source->enabled;
	ret = source_set(source, request, extack);
	if (!ret && (request->nr || before != source->enabled))
		obs_netlink_ntf(OBSRING_CMD_SOURCE_NTF, obs_fill_source, source);
	mutex_unlock(&obs_sources_mutex);
	return ret;
}

/* ---- Life ---------------------------------------------------------------- */

static bool in_list(const char *list, const char *name)
{
	size_t len = strlen(name);
	const char *p;

	for (p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		if (!strncmp(p, name, len) && (!p[len] || p[len] == ','))
			return true;
	}
	return false;
}

/* Every name of the parameter must be one: a typing error is no silence. */
static int list_check(const char *list)
{
	const char *p = list;
	char name[OBSRING_NAME_MAX + 1];
	size_t len;

	while (*p) {
		len = strcspn(p, ",");
		strscpy(name, p, min(len + 1, sizeof(name)));
		if (len && !obs_source_find(name)) {
			pr_err("parameter sources: there is no source %s\n", name);
			return -EINVAL;
		}
		p += len;
		p += *p == ',';
	}
	return 0;
}

int obs_sources_init(void)
{
	const char *list = sources_on ?: sources_default;
	static const struct obs_source_request on = { .enable = true };
	bool all = !strcmp(list, "all");
	unsigned int i;
	int ret;

	if (!strcmp(list, "none"))
		list = "";
	ret = all ? 0 : list_check(list);
	if (ret)
		return ret;
	hooks_find();
	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		if (!all && !in_list(list, sources[i]->name))
			continue;
		if (sources[i]->unavailable) {
			pr_info("source %s: %s\n", sources[i]->name,
				sources[i]->unavailable);
			continue;
		}
		ret = obs_source_set(sources[i], &on, NULL);
		if (ret) {
			pr_err("source %s: can't be switched on: %d\n",
			       sources[i]->name, ret);
			obs_sources_exit();
			return ret;
		}
	}
	return 0;
}

/* All together: a grace period for each of them would take seconds. */
void obs_sources_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		if (sources[i]->enabled)
			obs_hooks_unset(sources[i]->hooks, sources[i]->nr_hooks);
	}
	obs_hooks_wait();
	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		if (sources[i]->enabled)
			source_stop(sources[i]);
		source_unregister(sources[i]);
	}
	obs_wait_for_updates();
}
