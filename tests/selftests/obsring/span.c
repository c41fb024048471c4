// SPDX-License-Identifier: MIT
/* Spans in the log: what the library records is what readers find, by whole traces. */
#include "logged.h"
#include "test.h"
#include "user.h"

#define CONTEXTS	"obsring_trace_context_total"
#define HALF	(OBSRING_THRESHOLD_ONE / 2)

FIXTURE(span)
{
	struct session session;
	struct obs_tracer *tracer;
	struct logged logged;
};

/* Without the floor: only rules decide. */
FIXTURE_SETUP(span)
{
	ASSERT_EQ(0, module_reload("log_floor=0"));
	ASSERT_EQ(0, session_open(&self->session));
	ASSERT_EQ(0, logged_open(&self->logged));
	ASSERT_EQ(0, obs_tracer_open(NULL, "shop", 1, &self->tracer));
}

FIXTURE_TEARDOWN(span)
{
	obs_trace_clear();
	obs_tracer_close(self->tracer);
	logged_close(&self->logged);
	session_close(&self->session);
}

static void hex(char *text, const uint8_t *bytes, size_t nr)
{
	while (nr--)
		text += sprintf(text, "%02x", *bytes++);
}

/* A parent and its child, as a service has them. */
static void request(struct obs_tracer *tracer, struct obs_span *parent, struct obs_span *child)
{
	obs_span_start(parent, tracer, NULL, OBS_SPAN_SERVER, "GET /");
	obs_span_start(child, tracer, &parent->context, OBS_SPAN_CLIENT, "ask");
	obs_span_end(child);
	obs_span_end(parent);
}

TEST_F(span, recorded)
{
	char trace_id[16 + 33], span_id[16 + 17], parent_id[32 + 17];
	struct obs_span parent, child;
	const char *line;
	uint64_t took;

	ASSERT_TRUE(obs_span_start(&parent, self->tracer, NULL, OBS_SPAN_SERVER, "GET /cart"));
	ASSERT_TRUE(obs_span_start(&child, self->tracer, &parent.context, OBS_SPAN_CLIENT, "x\ny"));
	ASSERT_EQ(0, obs_span_attribute(&child, "db.statement", "select \"a b\""));
	child.status = OBS_SPAN_ERROR;
	ASSERT_EQ(0, obs_span_end(&child));
	ASSERT_EQ(0, obs_span_end(&parent));

	strcpy(trace_id, " trace_id=");
	hex(trace_id + strlen(trace_id), parent.context.trace_id, 16);
	strcpy(span_id, " span_id=");
	hex(span_id + strlen(span_id), parent.context.span_id, 8);
	strcpy(parent_id, " span.parent_id=");
	hex(parent_id + strlen(parent_id), parent.context.span_id, 8);
	EXPECT_EQ(2, logged(&self->logged, trace_id, " source=user.shop "));
	EXPECT_EQ(1, logged(&self->logged, span_id, " msg=\"GET /cart\" span.kind=server "));
	EXPECT_EQ(1, logged(&self->logged, parent_id, " msg=\"x?y\" span.kind=client span.status=error ",
			    " db.statement=\"select \\\"a b\\\"\""));
	line = logged_line(&self->logged, parent_id);
	EXPECT_EQ(child.start_ns, logged_number(line, "span.start_ns=")) TH_LOG("%s", line);
	took = logged_number(line, "span.duration_ns=");
	line = logged_line(&self->logged, " span.kind=server ");
	EXPECT_LE(took, logged_number(line, "span.duration_ns="));
}

static unsigned int randomness(const struct obs_span *span)
{
	return span->context.trace_id[9];
}

/* A rule by trace keeps all spans of a trace or none, by the randomness that th means. */
TEST_F(span, traces_are_whole)
{
	struct obs_sample_info rule = {
		.source = "user.shop", .level = OBS_SAMPLE_NO_LEVEL,
		.rule = OBSRING_RULE_TRACE, .value = HALF,
	};
	struct obs_span parent, child;
	unsigned int kept = 0, i;
	char trace_id[16 + 33];

	ASSERT_EQ(0, obs_sample_send(self->session.control, &rule, NULL));
	for (i = 0; i < 64; i++) {
		request(self->tracer, &parent, &child);
		strcpy(trace_id, " trace_id=");
		hex(trace_id + strlen(trace_id), parent.context.trace_id, 16);
		EXPECT_EQ(randomness(&parent) >= 0x80 ? 2 : 0, logged(&self->logged, trace_id));
		kept += randomness(&parent) >= 0x80;
	}
	/* 2^-64 each. */
	EXPECT_LT(0, kept);
	EXPECT_GT(64, kept);
}

/* What is set is the span's context: the thread's own lines are of it. */
TEST_F(span, is_the_threads_context)
{
	char span_id[16 + 17];
	struct obs_span span;
	int fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_TRUE(obs_span_start(&span, self->tracer, NULL, OBS_SPAN_INTERNAL, "work"));
	ASSERT_EQ(0, obs_trace_set(&span.context));
	ASSERT_EQ(4, write(fd, "said", 4));
	obs_trace_clear();
	ASSERT_EQ(0, obs_span_end(&span));
	strcpy(span_id, " span_id=");
	hex(span_id + strlen(span_id), span.context.span_id, 8);
	EXPECT_EQ(1, logged(&self->logged, span_id, " msg=\"said\""));
	EXPECT_EQ(1, logged(&self->logged, span_id, " msg=\"work\" "));
	close(fd);
}

static void extract(const char *traceparent)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context;

	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, "traceparent", 11, traceparent, strlen(traceparent));
	obs_trace_extract(&headers, &context, NULL);
}

static int extract_some(void *unused)
{
	int i;

	(void)unused;
	for (i = 0; i < 1000; i++)
		extract("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	extract("00-0af7");
	return 0;
}

/* By all processes of the service, and by those that are gone. */
TEST_F(span, headers_are_counted)
{
	struct view *view = &self->session.view;
	struct obs_service *service;

	extract_some(NULL);
	ASSERT_EQ(0, obs_service_attach("shop", &service));
	ASSERT_EQ(0, obs_trace_publish(service));
	EXPECT_EQ(1000, metric(view, CONTEXTS, "shop", "0", "w3c"));
	ASSERT_EQ(0, child_run(extract_some, NULL));
	ASSERT_EQ(0, child_run(extract_some, NULL));
	extract_some(NULL);
	EXPECT_EQ(4000, metric(view, CONTEXTS, "shop", "0", "w3c"));
	EXPECT_EQ(4, metric(view, CONTEXTS, "shop", "0", "new"));
	EXPECT_EQ(4, metric(view, CONTEXTS, "shop", "0", "bad_traceparent"));
	EXPECT_EQ(0, metric(view, CONTEXTS, "shop", "0", "b3"));
	ASSERT_EQ(0, obs_trace_publish(NULL));
	obs_service_detach(service);
	extract_some(NULL);
	EXPECT_EQ(4000, metric(view, CONTEXTS, "shop", "0", "w3c"));
}

/* A tracer has the device open. */
TEST_F(span, holds_the_module)
{
	session_close(&self->session);
	logged_close(&self->logged);
	EXPECT_NE(0, module_unload("obsring"));
	obs_tracer_close(self->tracer);
	self->tracer = NULL;
	EXPECT_EQ(0, module_unload("obsring"));
	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, session_open(&self->session));
	ASSERT_EQ(0, logged_open(&self->logged));
}

TEST_HARNESS_MAIN
