// SPDX-License-Identifier: MIT
/* obsringctl on trace context: headers taken apart, and exemplars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <obsring/exemplar.h>

#include "ctl.h"

#define TRACE	"4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN	"00f067aa0ba902b7"
#define PARENT	"'traceparent: 00-" TRACE "-" SPAN "-01' "

static const struct {
	const char *headers, *why;
} whys[] = {
	{ "'traceparent: 00-x'", "traceparent is not used: it has 4 characters, not 55" },
	{ PARENT PARENT, "traceparent is not used: there are several" },
	{ "'traceparent: 0x-" TRACE "-" SPAN "-01'", "character 2, in its version, is none of 0-9 a-f" },
	{ "'traceparent: 00-4Bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01'",
	  "character 5, in its trace id, is none of 0-9 a-f" },
	{ "'traceparent: 00-" TRACE "_" SPAN "-01'", "character 36, before its span id, is no dash" },
	{ "'traceparent: 00-" TRACE "-0000000000000000-01'", "its span id is all zero" },
	{ "'traceparent: 00-00000000000000000000000000000000-" SPAN "-01'", "its trace id is all zero" },
	{ "'traceparent: 00-" TRACE "-" SPAN "-0g'", "character 55, in its flags, is none" },
	{ "'traceparent: 00-" TRACE "-" SPAN "-01-more'", "version 00 ends with its flags" },
	{ "'traceparent: ff-" TRACE "-" SPAN "-01'", "version ff is none" },
	{ "'traceparent: 01-" TRACE "-" SPAN "-01more'", "what follows on its flags does not begin" },
	{ PARENT "'tracestate: a=1,,b=2' 'tracestate: c= '", "its member 3 is not KEY=VALUE" },
	{ PARENT "'tracestate: a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=1,k=2,l=3,m=4,n=5,o=6,p=7,"
	  "q=8,r=9,s=1,t=2,u=3,v=4,w=5,x=6,y=7,z=8' 'tracestate: 1=1,2=2,3=3,4=4,5=5,6=6,7=7'",
	  "tracestate is not used: it has 33 members, of which 32 may be" },
	{ PARENT "'b3: x'", NULL },
	{ "'traceparent:'", "it has 0 characters" },
};

static void test_trace_why(void **state)
{
	char args[1024];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(whys) / sizeof(whys[0]); i++) {
		snprintf(args, sizeof(args), "trace parse %s", whys[i].headers);
		ctl(args);
		if (whys[i].why ? !strstr(output, whys[i].why) : !!strstr(output, "dropped"))
			fail_msg("%s: %s", whys[i].headers, output);
	}
}

static void test_trace_parse(void **state)
{
	(void)state;
	assert_int_equal(0, ctl("trace parse "
		"'TraceParent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03' "
		"'tracestate: a=1,ot=th:8;rv:00000000000001' 'Accept: any' 'b3: x'"));
	assert_string_equal("format: w3c\n"
			    "trace_id: 4bf92f3577b34da6a3ce929d0e0e4736\n"
			    "span_id: 00f067aa0ba902b7\n"
			    "flags: sampled random\n"
			    "tracestate: a=1,ot=th:8;rv:00000000000001\n"
			    "th: 80000000000000 (sampled with probability 0.5)\n"
			    "rv: 00000000000001\n"
			    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03\n",
			    output);
	assert_int_equal(0, ctl("--json trace parse "
		"'b3: 4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d' "
		"'traceparent: 00-x' 'tracestate: a=1'"));
	assert_non_null(strstr(output, "\"b3\""));
	assert_non_null(strstr(output, "traceparent is not used"));
	assert_non_null(strstr(output, "only with a valid traceparent"));
	assert_int_equal(1, ctl("trace parse 'traceparent: 00-x'"));
	assert_non_null(strstr(output, "format: none\n"));
	assert_non_null(strstr(output, "obsringctl: no header gives a context"));
	assert_int_equal(2, ctl("trace parse"));
	assert_int_equal(2, ctl("trace parse traceparent"));
}

/* On the lines of buckets, as OpenMetrics has them, and in JSON. */
static void test_exemplars(void **state)
{
	static const struct obsring_trace trace = {
		.trace_id = { [0] = 0xab, [15] = 1 }, .span_id = { [7] = 0xcd },
	};
	static const uint64_t bounds[] = { 5000000 };
	struct segment *s = segment_new(NULL);
	struct obsring_exemplar *slot;
	uint32_t family, series;

	(void)state;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "traced_seconds", .kind = OBSRING_KIND_HISTOGRAM,
		.exp10 = -9, .nr_bounds = 1, .bound = bounds });
	segment_family_exemplars(s, family);
	series = segment_series_add(s, family, NULL);
	segment_slot(s, series, 0)[0] = 7000000;
	segment_slot(s, series, 0)[2] = 1;
	slot = segment_exemplar(s, series, 1);
	assert_int_equal(obs_exemplar_put(slot, obs_exemplar_look(slot), 7000000,
					  1700000000250000000ULL, &trace),
			 OBS_EXEMPLAR_STORED);

	assert_int_equal(ctl_on(s, "get traced_seconds"), 0);
	assert_string_equal(output,
		"traced_seconds_sum 0.007\ntraced_seconds_count 1\n"
		"traced_seconds_bucket{le=\"0.005\"} 0\n"
		"traced_seconds_bucket{le=\"+Inf\"} 1 # "
		"{trace_id=\"ab000000000000000000000000000001\","
		"span_id=\"00000000000000cd\"} 0.007 1700000000.25\n");
	assert_int_equal(ctl_on(s, "get traced_seconds --raw --json"), 0);
	assert_string_equal(output,
		"[{\"name\": \"traced_seconds\", \"kind\": \"histogram\", "
		"\"labels\": {}, \"count\": 1, \"sum\": 7000000, \"buckets\": "
		"[{\"le\": \"5000000\", \"count\": 0}, "
		"{\"le\": \"+Inf\", \"count\": 1, \"exemplar\": "
		"{\"trace_id\": \"ab000000000000000000000000000001\", "
		"\"span_id\": \"00000000000000cd\", "
		"\"value\": 7000000, \"time\": 1700000000.25}}]}]\n");
	/* Damage is told, and nothing is made up. */
	slot->value = 1;
	assert_int_equal(ctl_on(s, "get traced_seconds"), 1);
	assert_string_equal(output,
			    "obsringctl: cannot read traced_seconds: Protocol error\n");
	segment_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trace_parse),
		cmocka_unit_test(test_trace_why),
		cmocka_unit_test(test_exemplars),
	};

	return cmocka_run_group_tests_name("obsringctl trace", tests, NULL, NULL);
}
