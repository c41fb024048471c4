// SPDX-License-Identifier: MIT
/* Content negotiation: what real clients send, and RFC 9110's rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "obsringd/accept.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define TEXT FORMAT_TEXT
#define TEXT_1 FORMAT_TEXT_1
#define OM FORMAT_OPENMETRICS
#define PB FORMAT_PROTOBUF
#define PB_TYPE "application/vnd.google.protobuf"
#define PB_PROTO ";proto=io.prometheus.client.MetricFamily"

static const struct {
	const char *header;
	enum format_id format;
} cases[] = {
	/* Prometheus 2.42 */
	{ "application/openmetrics-text;version=1.0.0,"
	  "application/openmetrics-text;version=0.0.1;q=0.75,"
	  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OM },
	/* Prometheus 3.14 */
	{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
	  "application/openmetrics-text;version=0.0.1;q=0.5,"
	  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
	  "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", OM + ESCAPE_NONE },
	/* the same with native histograms */
	{ "application/vnd.google.protobuf;"
	  "proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,"
	  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
	  "application/openmetrics-text;version=0.0.1;q=0.5,"
	  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
	  "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", PB },
	/* Prometheus 2.42 with native histograms */
	{ "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
	  "encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,"
	  "application/openmetrics-text;version=0.0.1;q=0.75,"
	  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", PB },
	/* a scrape_protocols of PrometheusText1.0.0 alone */
	{ "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.2",
	  TEXT_1 + ESCAPE_NONE },
	/* as its documentation once showed it: the last element is no range */
	{ "text/plain;version=0.0.4;q=0.2,/;q=0.1", TEXT },
	/* a scrape_protocols of PrometheusText0.0.4 alone */
	{ "text/plain;version=0.0.4;q=0.3,*/*;q=0.2", TEXT },
	/* curl, and a browser */
	{ "*/*", TEXT },
	{ "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,"
	  "*/*;q=0.8", TEXT },

	{ "", TEXT },
	{ " , ,", TEXT },
	{ "application/openmetrics-text", OM },
	{ "application/openmetrics-text; version=\"1.0.0\"", OM },
	{ "application/openmetrics-text; version=2.0.0", TEXT },
	{ "application/openmetrics-text;version=0.0.1", TEXT },
	{ "APPLICATION/OpenMetrics-Text ; VERSION=1.0.0 ; Q=0.1", OM },
	{ "application/*", OM },
	{ "application/json", TEXT },
	{ "image/png", TEXT },

	/* quality, then how specific, then the order */
	{ "application/openmetrics-text;q=0.1, text/plain;q=0.2", TEXT },
	{ "application/openmetrics-text;q=0.25, text/plain;q=0.249", OM },
	{ "application/openmetrics-text;q=0, */*", TEXT },
	{ "text/plain;q=0, */*;q=0.1", OM },
	{ "text/plain;q=0, application/openmetrics-text;q=0", TEXT },
	{ "text/plain, application/openmetrics-text", TEXT },
	{ "application/openmetrics-text, text/plain", OM },
	{ "text/*, application/openmetrics-text", OM },
	{ "*/*, application/openmetrics-text;q=0.9", TEXT },
	{ "*/*;q=1, application/openmetrics-text;version=1.0.0;q=1", OM },
	{ "application/openmetrics-text;q=1.000", OM },

	/* 1.0.0 is for those who name it, and so are the escaping schemes */
	{ "text/plain;version=1.0.0", TEXT_1 },
	{ "text/plain;version=1.0.0;q=0.5, text/plain;version=0.0.4", TEXT },
	{ "text/plain, text/plain;version=1.0.0", TEXT_1 },
	{ "text/plain;version=2.0.0", TEXT },
	{ "text/plain;version=1.0.0;escaping=dots", TEXT_1 + ESCAPE_DOTS },
	{ "text/plain;version=1.0.0;escaping=\"values\"", TEXT_1 + ESCAPE_VALUES },
	{ "text/plain;version=1.0.0;escaping=unheard-of", TEXT_1 },
	{ "text/plain;version=1.0.0;ESCAPING=Allow-UTF-8", TEXT_1 + ESCAPE_NONE },
	{ "text/plain;version=0.0.4;escaping=values", TEXT + ESCAPE_VALUES },
	{ "text/plain;version=0.0.4;escaping=allow-utf-8", TEXT },
	{ "text/plain;escaping=allow-utf-8", TEXT },
	{ "*/*;escaping=dots", TEXT + ESCAPE_DOTS },
	{ "application/openmetrics-text;escaping=underscores", OM },
	{ "application/openmetrics-text;version=1.0.0;escaping=dots;q=0.2,"
	  "text/plain;escaping=values;q=0.1", OM + ESCAPE_DOTS },

	/* protobuf, of that message, delimited */
	{ PB_TYPE PB_PROTO ";encoding=delimited;escaping=values", PB + ESCAPE_VALUES },
	{ PB_TYPE ";encoding=\"delimited\"" PB_PROTO ";q=0.1", PB },
	{ PB_TYPE PB_PROTO ";encoding=text", TEXT },
	{ PB_TYPE PB_PROTO ";encoding=compact-text,text/plain;q=0.1", TEXT },
	{ PB_TYPE ";proto=other;encoding=delimited", TEXT },
	{ PB_TYPE, TEXT },
	{ "application/*", OM },

	/* an element that is malformed is passed over */
	{ "application/openmetrics-text;q=2", TEXT },
	{ "application/openmetrics-text;q=x", TEXT },
	{ "application/openmetrics-text;q=", TEXT },
	{ "application/openmetrics-text;version", TEXT },
	{ "application/openmetrics-text extra", TEXT },
	{ "bad;;;=, application/openmetrics-text;version=1.0.0", OM },
	{ "x/y;a=\",application/openmetrics-text\"", TEXT },
	{ "x/y;a=\"\\\",\", application/openmetrics-text", OM },
	{ "x/y;a=\"unfinished, application/openmetrics-text", TEXT },
	{ "application/openmetrics-text;;version=1.0.0;", OM },
};

static void test_choose(void **state)
{
	struct accept accept;
	size_t i;

	(void)state;
	for (i = 0; i < NR(cases); i++) {
		accept_init(&accept);
		accept_parse(&accept, cases[i].header);
		if (accept_choose(&accept) != cases[i].format)
			fail_msg("%s", cases[i].header);
	}
}

static void test_nothing_asked_for(void **state)
{
	struct accept accept;

	(void)state;
	accept_init(&accept);
	assert_int_equal(accept_choose(&accept), FORMAT_TEXT);
}

static void test_several_headers(void **state)
{
	struct accept accept;

	(void)state;
	accept_init(&accept);
	accept_parse(&accept, "text/plain;q=0.5");
	accept_parse(&accept, "application/openmetrics-text;q=0.6");
	assert_int_equal(accept_choose(&accept), FORMAT_OPENMETRICS);
}

static const struct {
	const char *header;
	bool gzip;
} codings[] = {
	{ "gzip", true },			/* Prometheus */
	{ "identity", false },			/* without enable_compression */
	{ "gzip, deflate, br, zstd", true },	/* browsers */
	{ "deflate, gzip;q=0.5", true },
	{ "x-gzip", true },
	{ "GZip", true },
	{ "*", true },
	{ "*;q=0", false },
	{ "gzip;q=0", false },
	{ "gzip;q=0, *", false },
	{ "*;q=0, gzip", true },
	{ "gzip;q=0.000", false },
	{ "gzip;q=2", false },
	{ "gzipped", false },
	{ "", false },
	{ " , ,", false },
	{ "\"gzip\"", false },
	{ "gzip extra", false },
	{ "identity, gzip;q=0.5", false },
	{ "identity;q=0.5, gzip;q=0.5", true },
	{ "identity;q=0.5, *;q=0.7", true },
	{ "identity;q=0, *", true },
	{ "gzip;q=0.1, identity;q=0", true },
	{ "identity;q=0", false },		/* nothing is acceptable */
	{ "identity;q=x, gzip;q=0.1", true },
};

static void test_gzip(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR(codings); i++)
		if (accept_gzip(codings[i].header) != codings[i].gzip)
			fail_msg("%s", codings[i].header);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_nothing_asked_for),
		cmocka_unit_test(test_several_headers),
		cmocka_unit_test(test_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
