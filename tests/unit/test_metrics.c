// SPDX-License-Identifier: MIT
/*
 * Scrapes: what is being sent stays as it is whatever happens meanwhile, who asks at the
 * same time gets the same body, and formats that nobody asks for go, by a clock that the
 * test moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "obsringd/metrics.h"
#include "segment.h"

#define MS 1000000ULL
#define S (1000 * MS)

struct fixture {
	struct segment *segment;
	struct collector collector;
	struct requests requests;
	struct self self;
	struct metrics metrics;
	uint32_t family, first;
	unsigned int nr;	/* series */
	/* What was said to expire_in(). */
	unsigned int nr_expire;
	uint64_t expire_ns;
};

static uint64_t clock_ns;
static void (*at_clock)(void);	/* once, before the time is told */

static uint64_t tell_ns(void)
{
	void (*call)(void) = at_clock;

	at_clock = NULL;
	if (call)
		call();
	return clock_ns;
}

static void note_expire(void *context, uint64_t ns)
{
	struct fixture *f = context;

	f->nr_expire++;
	f->expire_ns = ns;
}

static uint32_t add(struct fixture *f)
{
	char value[64];

	snprintf(value, sizeof(value), "%050u", f->nr++);
	return segment_series_add(f->segment, f->family, (const char *[]){ value });
}

static void open_with(struct fixture *f, unsigned int nr)
{
	memset(f, 0, sizeof(*f));
	clock_ns = 1000 * S;
	f->segment = segment_new(&(struct segment_spec){ .max_series = 8192,
							 .max_pages = 256 });
	f->family = segment_family_add(f->segment, &(struct obs_family_spec){
		.name = "demo_total", .kind = OBSRING_KIND_COUNTER, .nr_labels = 1,
		.label = (const char *[]){ "name" } });
	f->first = add(f);
	while (f->nr < nr)
		add(f);
	requests_init(&f->requests);
	collector_init(&f->collector, segment_path(f->segment), -1);
	assert_int_equal(self_init(&f->self, &f->requests), 0);
	metrics_init(&f->metrics, &f->collector, &f->self);
	f->metrics.now_ns = tell_ns;
	f->metrics.context = f;
	f->metrics.expire_in = note_expire;
}

static void close_all(struct fixture *f)
{
	metrics_exit(&f->metrics);
	self_exit(&f->self);
	collector_exit(&f->collector);
	requests_exit(&f->requests);
	segment_free(f->segment);
}

static struct body *scrape_as(struct fixture *f, enum format_id format, bool gzip)
{
	const struct metrics_request request = { .format = format, .gzip = gzip };
	char reason[COLLECT_REASON_MAX];
	struct body *body;

	if (metrics_scrape(&f->metrics, &request, &body, reason) < 0)
		fail_msg("%s", reason);
	return body;
}

static struct body *scrape(struct fixture *f)
{
	return scrape_as(f, FORMAT_TEXT, false);
}

/* All that is answered, as a string; the caller's to free. */
static char *text_of(const struct body *body)
{
	size_t len = 0;
	unsigned int i;
	char *text;

	for (i = 0; i < body->nr_chunks; i++)
		len += body->chunk[i]->len;
	text = malloc(len + strlen(body->end) + 1);
	assert_non_null(text);
	for (i = 0, len = 0; i < body->nr_chunks; i++) {
		memcpy(text + len, body->chunk[i]->data, body->chunk[i]->len);
		len += body->chunk[i]->len;
	}
	strcpy(text + len, body->end);
	return text;
}

/* Of the first series. */
static uint64_t value_of(const struct body *body)
{
	char *text = text_of(body), *line = strstr(text, "\ndemo_total{");
	uint64_t value;

	assert_non_null(line);
	value = strtoull(strstr(line, "} ") + 2, NULL, 10);
	free(text);
	return value;
}

static bool has_name(const struct body *body, unsigned int nr)
{
	char *text = text_of(body), name[80];
	bool has;

	snprintf(name, sizeof(name), "\ndemo_total{name=\"%050u\"} ", nr);
	has = strstr(text, name);
	free(text);
	return has;
}

static void set(struct fixture *f, uint64_t value)
{
	*segment_slot(f->segment, f->first, 0) = value;
}

/* ---- What is being sent -------------------------------------------------- */

/* As the JSON endpoints do: they read the device, and plans hear what came and went. */
static void read_elsewhere(struct fixture *f)
{
	char reason[COLLECT_REASON_MAX];

	assert_int_equal(collector_begin(&f->collector, reason), 0);
	collector_end(&f->collector);
}

static void check_held(struct fixture *f, struct body *held, const char *text)
{
	char *now = text_of(held);

	(void)f;
	assert_string_equal(now, text);
	free(now);
}

static void hold_through_changes(unsigned int nr)
{
	struct body *held, *other, *third;
	struct fixture f;
	uint32_t extra;
	char *text;

	open_with(&f, nr);
	set(&f, 5);
	body_put(scrape(&f));
	held = scrape(&f);
	text = text_of(held);
	assert_int_equal(value_of(held), 5);

	extra = add(&f);
	read_elsewhere(&f);
	check_held(&f, held, text);
	clock_ns += 5 * MS;
	set(&f, 777);
	other = scrape(&f);
	check_held(&f, held, text);
	assert_ptr_not_equal(other, held);
	assert_int_equal(value_of(other), 777);
	assert_true(has_name(other, f.nr - 1));

	segment_series_remove(f.segment, extra);
	clock_ns += 5 * MS;
	set(&f, 778);
	third = scrape(&f);
	check_held(&f, held, text);
	assert_int_equal(value_of(other), 777);
	assert_true(has_name(other, f.nr - 1));
	assert_int_equal(value_of(third), 778);
	assert_false(has_name(third, f.nr - 1));
	free(text);
	body_put(held);
	body_put(other);
	body_put(third);
	close_all(&f);
}

static void test_held_in_one_place(void **state)
{
	(void)state;
	hold_through_changes(3);
}

static void test_held_as_a_list(void **state)
{
	(void)state;
	hold_through_changes(5000);
}

/* Many are sent at once, given back in another order, and each stays what it was. */
static void hold_many(unsigned int nr)
{
	struct body *held[16];
	struct fixture f;
	unsigned int i, k;

	open_with(&f, nr);
	for (i = 0; i < 16; i++) {
		clock_ns += 5 * MS;
		set(&f, 100 + i);
		held[i] = scrape(&f);
	}
	for (k = 0; k < 100; k++) {
		i = k * 7 % 16;
		body_put(held[i]);
		clock_ns += 5 * MS;
		set(&f, 1000 + k);
		held[i] = scrape(&f);
		assert_int_equal(value_of(held[i]), 1000 + k);
		if (k < 7)
			assert_int_equal(value_of(held[(k + 1) * 7 % 16]),
					 100 + (k + 1) * 7 % 16);
		else if (k > 16)
			assert_int_equal(value_of(held[(k - 5) * 7 % 16]), 1000 + k - 5);
	}
	for (i = 0; i < 16; i++)
		body_put(held[i]);
	close_all(&f);
}

static void test_many_held(void **state)
{
	(void)state;
	hold_many(3);
	hold_many(5000);
}

/* ---- Sharing ------------------------------------------------------------- */

static void test_shared_while_sent(void **state)
{
	struct body *first, *same, *later;
	struct fixture f;

	(void)state;
	open_with(&f, 3);
	set(&f, 1);
	first = scrape(&f);
	set(&f, 2);
	clock_ns += MS - 1;
	same = scrape(&f);
	assert_ptr_equal(same, first);
	clock_ns += 1;
	later = scrape(&f);
	assert_ptr_not_equal(later, first);
	assert_int_equal(value_of(first), 1);
	assert_int_equal(value_of(later), 2);
	body_put(first);
	body_put(same);
	body_put(later);
	close_all(&f);
}

/* Whoever was answered and asks again sees what happened between. */
static void test_not_shared_when_sent(void **state)
{
	struct fixture f;
	struct body *body;
	uint64_t i;

	(void)state;
	open_with(&f, 3);
	for (i = 0; i < 10; i++) {
		set(&f, i);
		body = scrape(&f);
		assert_int_equal(value_of(body), i);
		body_put(body);
	}
	close_all(&f);
}

static struct fixture *overtaken;

/* Another one asks later, and is first: it reads when both want to know. */
static void overtake(void)
{
	clock_ns += 10 * MS;
	body_put(scrape(overtaken));
	set(overtaken, 3);
	clock_ns -= 10 * MS;
}

static void test_shared_if_read_since(void **state)
{
	struct fixture f;
	struct body *body;

	(void)state;
	open_with(&f, 3);
	set(&f, 1);
	body_put(scrape(&f));
	set(&f, 2);
	overtaken = &f;
	at_clock = overtake;
	body = scrape(&f);
	assert_int_equal(value_of(body), 2);
	body_put(body);
	close_all(&f);
}

/* Of several that had come by then, the first has it read; who came later has it anew. */
static void test_shared_by_those_that_had_come(void **state)
{
	struct metrics_request request = { .format = FORMAT_TEXT, .asked_ns = 1000 * S };
	const uint64_t values[] = { 1, 1, 3 };
	char reason[COLLECT_REASON_MAX];
	struct fixture f;
	struct body *body;
	unsigned int i;

	(void)state;
	open_with(&f, 3);
	clock_ns = 1000 * S + 1;
	for (i = 0; i < 3; i++) {
		set(&f, i + 1);
		if (i == 2)
			request.asked_ns = clock_ns++;
		assert_int_equal(metrics_scrape(&f.metrics, &request, &body, reason), 0);
		assert_int_equal(value_of(body), values[i]);
		body_put(body);
	}
	close_all(&f);
}

/* ---- Formats that nobody asks for ---------------------------------------- */

static bool kept(const struct fixture *f, enum format_id format)
{
	return f->metrics.format[format].epoch;
}

static void test_unused_formats_go(void **state)
{
	struct fixture f;

	(void)state;
	open_with(&f, 3);
	body_put(scrape_as(&f, FORMAT_TEXT, false));
	assert_int_equal(f.nr_expire, 1);
	assert_int_equal(f.expire_ns, 300 * S);
	clock_ns += 100 * S;
	body_put(scrape_as(&f, FORMAT_OPENMETRICS, true));
	assert_int_equal(f.nr_expire, 1);

	clock_ns += 200 * S - 1;
	metrics_expire(&f.metrics);
	assert_true(kept(&f, FORMAT_TEXT));
	assert_int_equal(f.expire_ns, 1);
	clock_ns += 1;
	metrics_expire(&f.metrics);
	assert_false(kept(&f, FORMAT_TEXT));
	assert_true(kept(&f, FORMAT_OPENMETRICS));
	assert_int_equal(f.nr_expire, 3);
	assert_int_equal(f.expire_ns, 100 * S);

	/* Asked for again, it stays. */
	clock_ns += 50 * S;
	body_put(scrape_as(&f, FORMAT_OPENMETRICS, true));
	clock_ns += 50 * S;
	metrics_expire(&f.metrics);
	assert_true(kept(&f, FORMAT_OPENMETRICS));
	assert_int_equal(f.expire_ns, 250 * S);
	clock_ns += 250 * S;
	metrics_expire(&f.metrics);
	assert_false(kept(&f, FORMAT_OPENMETRICS));
	assert_int_equal(f.nr_expire, 4);

	/* And from nothing. */
	set(&f, 9);
	body_put(scrape(&f));
	assert_int_equal(f.nr_expire, 5);
	close_all(&f);
}

/* One that goes while its last answer is sent: that is sent to its end. */
static void test_held_when_it_goes(void **state)
{
	struct fixture f;
	struct body *held;

	(void)state;
	open_with(&f, 3);
	set(&f, 4);
	held = scrape(&f);
	clock_ns += 301 * S;
	metrics_expire(&f.metrics);
	assert_false(kept(&f, FORMAT_TEXT));
	assert_int_equal(value_of(held), 4);
	body_put(held);
	close_all(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_in_one_place),
		cmocka_unit_test(test_held_as_a_list),
		cmocka_unit_test(test_many_held),
		cmocka_unit_test(test_shared_while_sent),
		cmocka_unit_test(test_not_shared_when_sent),
		cmocka_unit_test(test_shared_if_read_since),
		cmocka_unit_test(test_shared_by_those_that_had_come),
		cmocka_unit_test(test_unused_formats_go),
		cmocka_unit_test(test_held_when_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
