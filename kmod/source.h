/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sources: built-in collectors of the kernel's own events, one file each under
 * source/. A source is a table: its families, the tracepoints that it hooks
 * while it is on, its options. source.c switches them; nothing of a source runs
 * while it is off, and what it counted stays.
 */
#ifndef OBSRING_SOURCE_H
#define OBSRING_SOURCE_H

#include <linux/mutex.h>
#include <linux/netlink.h>

#include <linux/obsring.h>

#include "hook.h"

/**
 * struct obs_source_option - a setting of a source, as text
 * @key: name
 * @help: what it is, its range and default
 * @bad: sentence for a value that is no good, where @set has only one
 * @set: -EINVAL for a value that is no good; then nothing has changed. Called
 *	under the sources' mutex, the source on or off
 * @done: what a request that set it does once it can't fail any more; may be NULL
 * @show: write the present value, as sysfs_emit() does, up to 256 bytes
 * @data: for @set and @show
 * @syslog: any value but "off" shows what the kernel said: to set one, or to
 *	switch the source on with one, takes CAP_SYSLOG
 */
struct obs_source_option {
	const char *key;
	const char *help;
	const char *bad;
	int (*set)(const struct obs_source_option *option, const char *value,
		   struct netlink_ext_ack *extack);
	void (*done)(const struct obs_source_option *option);
	int (*show)(const struct obs_source_option *option, char *buf, size_t size);
	void *data;
	bool syslog;
};

/**
 * struct obs_source - a source
 * @name: as users call it
 * @help: one sentence
 * @unavailable: why this kernel can't have it, or NULL; known at build time or
 *	set by @init
 * @metrics: its families, registered when it is first switched on
 * @nr_metrics: length of @metrics
 * @hooks: tracepoints, all of which it needs
 * @nr_hooks: length of @hooks
 * @options: settings
 * @nr_options: length of @options
 * @start: process context, before the hooks are set: attach labelled series,
 *	allocate. May be NULL
 * @stop: process context, after the hooks are gone and no probe runs. May be
 *	NULL. What @start allocated is freed; series stay
 * @exit: at unload, after @stop, before the families go: detach the handles of
 *	labelled series and free them. May be NULL
 * @registered: families exist; source.c's
 * @enabled: hooks are set; source.c's. Both under the sources' mutex
 */
struct obs_source {
	const char *name;
	const char *help;
	const char *unavailable;
	struct obs_metric *metrics;
	unsigned int nr_metrics;
	struct obs_hook *hooks;
	unsigned int nr_hooks;
	const struct obs_source_option *options;
	unsigned int nr_options;
	int (*start)(void);
	void (*stop)(void);
	void (*exit)(void);
	bool registered;
	bool enabled;
};

/* The table of sources: one line adds one. on: enabled at load by default. */
#define OBS_SOURCES(X)		\
	X(task,		true)	\
	X(process,	false)	\
	X(runqueue,	false)	\
	X(reclaim,	true)	\
	X(syscall,	false)	\
	X(block,	true)	\
	X(netdrop,	true)	\
	X(tcp,		true)	\
	X(irq,		false)	\
	X(printk,	true)

#define OBS_SOURCE_DECLARE(_name, _on) extern struct obs_source obs_source_##_name;
OBS_SOURCES(OBS_SOURCE_DECLARE)
#undef OBS_SOURCE_DECLARE

/* source.c: for main.c and netlink.c; process context, may sleep. */
int obs_sources_init(void);
void obs_sources_exit(void);
struct obs_source *obs_source_find(const char *name);
struct obs_source *obs_source_at(unsigned int index);	/* NULL behind the last */

extern struct mutex obs_sources_mutex;	/* options and enabled */

#define OBS_SETTINGS_MAX	16

/**
 * struct obs_setting - one "key=value" of a request
 * @key: option's key
 * @value: its value
 * @attr: where it stands in a message, to be blamed
 */
struct obs_setting {
	const char *key;
	const char *value;
	const struct nlattr *attr;
};

/**
 * struct obs_source_request - what is asked of a source
 * @skb: the message, in its sender's context; NULL: the module's own, which has
 *	no capability
 * @enable: on or off
 * @nr: options to set before
 * @setting: these
 */
struct obs_source_request {
	const struct sk_buff *skb;
	bool enable;
	unsigned int nr;
	struct obs_setting setting[OBS_SETTINGS_MAX];
};

/**
 * obs_source_set() - switch a source and set its options
 * @source: which
 * @request: how
 * @extack: receives the reason of a failure, may be NULL
 *
 * All or nothing. Return: 0; -EOPNOTSUPP if this kernel can't have it, -EINVAL
 * for an unknown option or a bad value, -EPERM for a value that takes a
 * capability, -ENOSPC, -ENOMEM.
 */
int obs_source_set(struct obs_source *source,
		   const struct obs_source_request *request,
		   struct netlink_ext_ack *extack);

#endif /* OBSRING_SOURCE_H */
