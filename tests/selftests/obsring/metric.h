/* SPDX-License-Identifier: MIT */
/* Values as the library reads them from the mapping. */
#ifndef SELFTEST_METRIC_H
#define SELFTEST_METRIC_H

#include <stdint.h>

#include <obsring.h>

#define METRIC_NONE	INT64_MIN	/* no such series */

struct view {
	struct obs_device *device;
	struct obs_snapshot *snapshot;
};

int view_open(struct view *view);
void view_close(struct view *view);

/* A series by the names { family, label value, ..., NULL }, in a new snapshot. */
const struct obs_series_info *view_series(struct view *view, const char *const *names);

/* Its number now: counter, gauge, 1 for info, a histogram's count. */
int64_t view_number(struct view *view, const char *const *names);

/* A histogram's sum. */
int64_t view_sum(struct view *view, const char *const *names);

/* metric(&view, "obsring_block_io_bytes_total", "vda", "write") */
#define metric_names(...)	((const char *const[]){ __VA_ARGS__, NULL })
#define metric(view, ...)	view_number(view, metric_names(__VA_ARGS__))
#define metric_sum(view, ...)	view_sum(view, metric_names(__VA_ARGS__))
#define metric_series(view, ...) view_series(view, metric_names(__VA_ARGS__))

/* The sum over all series of a family, in a new snapshot. */
int64_t metric_total(struct view *view, const char *family);

/* Both ways to the module, as most tests want them. */
struct session {
	struct obs_control *control;
	struct view view;
};

int session_open(struct session *session);
void session_close(struct session *session);

/* Remove all families that netlink made. */
int families_clear(struct obs_control *control);

#endif /* SELFTEST_METRIC_H */
