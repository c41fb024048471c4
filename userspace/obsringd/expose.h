/* SPDX-License-Identifier: MIT */
/*
 * The syntax of the text formats that Prometheus reads: what stands before the
 * number on each line. Names that the classic character set does not allow are
 * escaped as the format's scheme has it, or quoted where it has none; help and
 * label values as the syntax says.
 */
#ifndef OBSRINGD_EXPOSE_H
#define OBSRINGD_EXPOSE_H

#include <stdbool.h>
#include <stddef.h>

#include <obsring.h>

#include "escape.h"
#include "number.h"
#include "text.h"

enum syntax {
	SYNTAX_TEXT,		/* Prometheus text 0.0.4 */
	SYNTAX_TEXT_1,		/* Prometheus text 1.0.0: names may be quoted */
	SYNTAX_OPENMETRICS,	/* OpenMetrics 1.0.0 */
	SYNTAX_PROTOBUF,	/* io.prometheus.client.MetricFamily: proto.h */

	SYNTAX_NR
};

/* A syntax with one of the escaping schemes. */
enum format_id {
	FORMAT_TEXT = SYNTAX_TEXT * ESCAPE_NR,
	FORMAT_TEXT_1 = SYNTAX_TEXT_1 * ESCAPE_NR,
	FORMAT_OPENMETRICS = SYNTAX_OPENMETRICS * ESCAPE_NR,
	FORMAT_PROTOBUF = SYNTAX_PROTOBUF * ESCAPE_NR,

	FORMAT_NR = SYNTAX_NR * ESCAPE_NR
};

/* How the formats differ. */
struct format {
	enum escaping escaping;
	const char *content_type;
	const char *type_name[OBSRING_KIND_MAX + 1];
	bool suffixes;	/* a family is named without _total, _info */
	bool units;	/* # UNIT */
	bool created;	/* _created samples */
	bool le_point;	/* le="1.0", not "1" */
	bool exemplars;	/* of buckets */
	bool proto;	/* no text, and all below means nothing */
	char fill;	/* before numbers: blanks, or zeros where there may be none */
	const char *help_escapes;
	const char *end;
};

extern const struct format formats[FORMAT_NR];

/* What a family is called in a format. */
struct expose_name {
	char family[ESCAPED_NAME_MAX + 1];
	const char *suffix;	/* of its plain samples: "", "_total" or "_info" */
	bool quoted;
};

/* @name: at most OBSRING_NAME_MAX bytes. */
void expose_name_init(struct expose_name *name, const struct format *format,
		      enum obsring_kind kind, const char *raw_name);

/* # HELP, # TYPE and # UNIT; an empty help or unit has no line. */
void expose_header(struct text *text, const struct format *format,
		   const struct expose_name *name, enum obsring_kind kind,
		   const char *help, const char *unit);

/* a="b",c="d": what stands between the braces. */
void expose_labels(struct text *text, const struct format *format,
		   const char *const *name, const char *const *value,
		   unsigned int nr);

/* What precedes the number: family, suffix, braces around labels, a blank. */
void expose_sample(struct text *text, const struct expose_name *name,
		   const char *suffix, const struct text *labels);

/* The same of a histogram's bucket, @bound of @bound_len bytes. */
void expose_bucket(struct text *text, const struct expose_name *name,
		   const struct text *labels, const char *bound, size_t bound_len);

/* Lower-case digits, two a byte, without a NUL; their end. */
char *expose_hex(char *out, const uint8_t *byte, size_t nr);

/*
 * What follows the number of a bucket: trace and span, value and time, always as long.
 * Its labels have 63 characters; OpenMetrics allows 128.
 */
#define EXPOSE_EXEMPLAR_DIGITS (NUMBER_DIGITS + 1)
#define EXPOSE_EXEMPLAR_LEN \
	(sizeof(" # {trace_id=\"\",span_id=\"\"}  ") - 1 + 32 + 16 + \
	 2 * EXPOSE_EXEMPLAR_DIGITS)

void expose_exemplar(char out[EXPOSE_EXEMPLAR_LEN], const struct obs_exemplar *exemplar,
		     int exp10);

#endif /* OBSRINGD_EXPOSE_H */
