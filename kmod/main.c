// SPDX-License-Identifier: GPL-2.0-only
/* The order in which the module comes and goes, and its limits. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "chardev.h"
#include "context.h"
#include "log.h"
#include "logread.h"
#include "logring.h"
#include "logsource.h"
#include "logwrite.h"
#include "main.h"
#include "metric.h"
#include "netlink.h"
#include "probe.h"
#include "sampler.h"
#include "self.h"
#include "service.h"
#include "source.h"

#define MAX_SERIES_MIN	64
#define MAX_SERIES_MAX	1048576
#define MAX_SOURCES_MAX	65536

static unsigned int max_series = 65536;
module_param(max_series, uint, 0444);
MODULE_PARM_DESC(max_series, "Series in all, 64 to 1048576 (default 65536)");

static unsigned int max_series_per_family = 4096;
module_param(max_series_per_family, uint, 0444);
MODULE_PARM_DESC(max_series_per_family, "Series of one family, from 2 (default 4096)");

static unsigned long max_bytes;
module_param(max_bytes, ulong, 0444);
MODULE_PARM_DESC(max_bytes, "Bytes of values that kernel code may make, over all CPUs (default 131072 for each possible CPU)");

static unsigned long log_kernel_bytes = SZ_64K;
module_param(log_kernel_bytes, ulong, 0444);
MODULE_PARM_DESC(log_kernel_bytes, "Bytes of each CPU's log ring for kernel code at load, a power of two, 4096 to 67108864 (default 65536)");

static unsigned long log_user_bytes = SZ_32K;
module_param(log_user_bytes, ulong, 0444);
MODULE_PARM_DESC(log_user_bytes, "The same for processes (default 32768)");

static unsigned int max_log_sources = 256;
module_param(max_log_sources, uint, 0444);
MODULE_PARM_DESC(max_log_sources, "Sources of the log in kernel code that are counted each, 0 to 65536 (default 256)");

static unsigned int max_log_services = 256;
module_param(max_log_services, uint, 0444);
MODULE_PARM_DESC(max_log_services, "The same for services of processes (default 256)");

#define MAX_CONTEXTS_MAX 1048576

static unsigned int max_contexts = 65536;
module_param(max_contexts, uint, 0444);
MODULE_PARM_DESC(max_contexts, "Threads that may have registered a trace context, 0 to 1048576 (default 65536); a user has a quarter");

static unsigned int max_services = 1024;
module_param(max_services, uint, 0444);
MODULE_PARM_DESC(max_services, "Services of processes, 0 to 65536 (default 1024); a user has a quarter");

static unsigned int max_service_series = 4096;
module_param(max_service_series, uint, 0444);
MODULE_PARM_DESC(max_service_series, "Series of a service, 1 to 65536 (default 4096)");

static unsigned long max_service_bytes = SZ_64K;
module_param(max_service_bytes, ulong, 0444);
MODULE_PARM_DESC(max_service_bytes, "Bytes of a service's values for each CPU, a page to 16777216 (default 65536)");

static unsigned int max_user_series = 16384;
module_param(max_user_series, uint, 0444);
MODULE_PARM_DESC(max_user_series, "Series of all services of a user (default 16384)");

static unsigned long max_user_bytes = SZ_1M;
module_param(max_user_bytes, ulong, 0444);
MODULE_PARM_DESC(max_user_bytes, "Bytes of values of all services of a user for each CPU (default 1048576)");

static unsigned long max_services_bytes = SZ_4M;
module_param(max_services_bytes, ulong, 0444);
MODULE_PARM_DESC(max_services_bytes, "Bytes of values of all services for each CPU, a page to 1073741824 (default 4194304)");

static unsigned int max_shares = 8192;
module_param(max_shares, uint, 0444);
MODULE_PARM_DESC(max_shares, "Pages of address spaces' shares of gauges, 64 to 1048576 (default 8192); a user has a quarter");

static unsigned int service_ttl = 604800;
module_param(service_ttl, uint, 0444);
MODULE_PARM_DESC(service_ttl, "Seconds that a service stays without processes, unless it asks for another time; 0: for ever (default 604800)");

static int range_check(const char *name, unsigned long value, unsigned long min,
		       unsigned long max)
{
	if (value >= min && value <= max)
		return 0;
	pr_err("parameter %s: %lu is not %lu to %lu\n", name, value, min, max);
	return -EINVAL;
}

static int service_limits_check(struct obs_service_limits *limits)
{
	int ret = range_check("max_services", max_services, 0, 65536) ?:
		  range_check("max_service_series", max_service_series, 1, 65536) ?:
		  range_check("max_service_bytes", max_service_bytes, PAGE_SIZE, SZ_16M) ?:
		  range_check("max_services_bytes", max_services_bytes, PAGE_SIZE, SZ_1G) ?:
		  range_check("max_shares", max_shares, 64, 1048576);

	limits->services = max_services;
	limits->service_series = max_service_series;
	/* One with a row for each CPU and one without, where pages are large. */
	limits->service_pages = max(max_service_bytes / PAGE_SIZE, 2UL);
	limits->user_series = max_user_series;
	limits->user_pages = min(max_user_bytes / PAGE_SIZE, (unsigned long)U32_MAX);
	limits->pages = max_services_bytes / PAGE_SIZE;
	limits->shares = max_shares;
	limits->ttl_s = service_ttl;
	return ret;
}

static int log_check(const char *name, unsigned long bytes)
{
	if (obs_logring_size_valid(bytes))
		return 0;
	pr_err("parameter %s: %lu is no power of two of 4096 to 67108864\n",
	       name, bytes);
	return -EINVAL;
}

static int source_check(const char *name, unsigned int nr)
{
	if (nr <= MAX_SOURCES_MAX)
		return 0;
	pr_err("parameter %s: %u is not 0 to 65536\n", name, nr);
	return -EINVAL;
}

static int limits_check(struct obs_limits *limits)
{
	limits->series = max_series;
	limits->family_series = min(max_series_per_family, max_series);
	limits->bytes = max_bytes ?: 131072UL * num_possible_cpus();
	if (max_series < MAX_SERIES_MIN || max_series > MAX_SERIES_MAX) {
		pr_err("parameter max_series: %u is not 64 to 1048576\n", max_series);
		return -EINVAL;
	}
	if (max_series_per_family < 2) {
		pr_err("parameter max_series_per_family: %u is below 2\n",
		       max_series_per_family);
		return -EINVAL;
	}
	if (limits->bytes < PAGE_SIZE * 2UL * num_possible_cpus() ||
	    limits->bytes > 1UL << 40) {
		pr_err("parameter max_bytes: %lu is not two pages a CPU to 2^40\n",
		       max_bytes);
		return -EINVAL;
	}
	if (max_contexts > MAX_CONTEXTS_MAX) {
		pr_err("parameter max_contexts: %u is above 1048576\n", max_contexts);
		return -EINVAL;
	}
	return log_check("log_kernel_bytes", log_kernel_bytes) ?:
	       log_check("log_user_bytes", log_user_bytes) ?:
	       source_check("max_log_sources", max_log_sources) ?:
	       source_check("max_log_services", max_log_services);
}

static int __init obsring_init(void)
{
	const unsigned long log_bytes[] = { log_kernel_bytes, log_user_bytes };
	const struct obs_logsource_limits sources = {
		.kernel = max_log_sources,
		.user = max_log_services,
	};
	struct obs_service_limits services;
	struct obs_limits limits;
	int ret;

	ret = limits_check(&limits) ?: service_limits_check(&services);
	if (ret)
		return ret;
	limits.service_pages = services.pages;
	limits.shares = services.shares;
	ret = obs_registry_init(&limits);
	if (ret)
		goto err_registry;
	ret = obs_self_init();
	if (ret)
		goto err_self;
	ret = obs_services_init(&services);
	if (ret)
		goto err_services;
	obs_contexts_init(max_contexts);
	ret = obs_logsource_init(&sources);
	if (ret)
		goto err_logsource;
	ret = obs_sampler_init();
	if (ret)
		goto err_sampler;
	ret = obs_log_init(log_bytes);
	if (ret)
		goto err_log;
	ret = obs_logread_init();
	if (ret)
		goto err_logread;
	ret = obs_probes_init();
	if (ret)
		goto err_probes;
	ret = obs_sources_init();
	if (ret)
		goto err_sources;
	ret = obs_netlink_init();
	if (ret)
		goto err_netlink;
	/* Last: an open file would outlive what fails behind it. */
	ret = obs_chardev_init();
	if (ret)
		goto err_chardev;
	return 0;

err_chardev:
	obs_netlink_exit();
err_netlink:
	obs_sources_exit();
err_sources:
	obs_probes_exit();
err_probes:
	obs_logread_exit();
err_logread:
	obs_log_exit();
err_log:
	obs_sampler_exit();
err_sampler:
	obs_logsource_exit();
err_logsource:
	obs_contexts_exit();
	obs_services_exit();
err_services:
	obs_self_exit();
err_self:
	obs_registry_exit();
err_registry:
	return ret;
}

static void __exit obsring_exit(void)
{
	obs_chardev_exit();
	obs_netlink_exit();
	obs_sources_exit();
	obs_probes_exit();
	obs_logread_exit();
	obs_logwrite_exit();
	obs_log_exit();
	obs_sampler_exit();
	obs_logsource_exit();
	obs_contexts_exit();
	obs_services_exit();
	obs_self_exit();
	obs_registry_exit();
}

module_init(obsring_init);
module_exit(obsring_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The obsring authors");
MODULE_DESCRIPTION("Metrics of the kernel and of code that cannot serve HTTP");
MODULE_VERSION(OBSRING_VERSION);
