/* SPDX-License-Identifier: MIT */
/*
 * io.prometheus.client.MetricFamily, length-delimited, encoded by hand:
 * tests/e2e/metrics.proto has the messages.
 *
 * A family is its head, whose length counts the metrics that follow, and the metrics,
 * each a field of it. All but histograms are of a length that no value changes.
 */
#ifndef OBSRINGD_PROTO_H
#define OBSRINGD_PROTO_H

#include <stdint.h>

#include "expose.h"
#include "text.h"

/* The length before a family: a varint of that many bytes, whatever it is. */
#define PROTO_LENGTH_BYTES 5

void proto_length(char out[PROTO_LENGTH_BYTES], uint32_t len);
void proto_double(char *out, double value);

/* The head, with its length as if no metric followed. */
void proto_family(struct text *text, const struct format *format,
		  const struct expose_name *name, enum obsring_kind kind,
		  const char *help, const char *unit);

/*
 * A metric that is a number, 0, or of info 1: where in @text its 8 bytes are. @state:
 * the label value that names a state set's state, or NULL.
 */
size_t proto_metric(struct text *text, const struct format *format,
		    const struct obs_family_info *family,
		    const struct obs_series_info *series, enum obsring_kind kind,
		    const char *state);

/*
 * A histogram with its sum and buckets at @slots: the classic buckets, and the native
 * ones of an exponential one, with the exemplars of the first @nr_exemplars ranges.
 */
void proto_histogram(struct text *text, const struct format *format,
		     const struct obs_series_info *series, const uint64_t *slots,
		     const struct obs_exemplar *exemplar, unsigned int nr_exemplars);

#endif /* OBSRINGD_PROTO_H */
