/* SPDX-License-Identifier: MIT */
/* What tests of services ask the module, over netlink. */
#ifndef SELFTEST_SERVICE_H
#define SELFTEST_SERVICE_H

#include <stdint.h>

#include <obsring.h>

#define SERVICE_NONE	INT64_MIN	/* no such series or service */

/*
 * The value of the series of @family of service @name and user @uid, whose labels
 * behind those are @label ("": it has none, else its one label's value): a
 * histogram's sum.
 */
int64_t service_value(struct obs_control *control, const char *family,
		      const char *name, uint32_t uid, const char *label);

/* What the module says of the service: 0 or -ENOENT. */
int service_info(struct obs_control *control, const char *name, uint32_t uid,
		 struct obs_service_info *ret_info);

/* Members of it; 0 as well if there is none of that name. */
int64_t service_members(struct obs_control *control, const char *name, uint32_t uid);

/* Of obsring_memory_bytes{kind="services"}. */
int64_t service_memory(struct obs_control *control);

/* Remove all services without members. */
void services_clear(struct obs_control *control);

#endif /* SELFTEST_SERVICE_H */
