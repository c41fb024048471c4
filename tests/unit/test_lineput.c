// SPDX-License-Identifier: MIT
/* Lines as the library puts them: byte for byte, at every place in a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libobsring/lineput.h>

static char shown(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
}

/* What is put of @message where there are @room bytes, against the rule for one byte. */
static void check_message(const char *message, size_t room)
{
	const char *head = " . ";
	char *text = malloc(room);
	struct obs_lineput line = { .at = text, .end = text + room };
	size_t i, len = 3 + strlen(message) + 1;

	assert_non_null(text);
	obs_lineput_message(&line, message);
	assert_int_equal(line.at - text, len < room ? len : room);
	for (i = 0; i < len && i < room; i++)
		assert_int_equal(text[i], i < 3 ? head[i] :
				 i == len - 1 ? '\n' : shown(message[i - 3]));
	free(text);
}

static void test_message(void **state)
{
	char message[32];
	size_t len, at;
	int c;

	(void)state;
	for (len = 0; len < sizeof(message); len++) {
		memset(message, 'm', len);
		message[len] = 0;
		check_message(message, 64);
		for (at = 0; at < len; at++) {
			for (c = 1; c < 256; c++) {
				message[at] = (char)c;
				check_message(message, 64);
			}
			message[at] = (at & 1) ? '\n' : '\x80';
		}
		check_message(message, 64);
	}
}

static void test_no_room(void **state)
{
	size_t room;

	(void)state;
	for (room = 1; room < 40; room++)
		check_message("a\x7f message of \x1f more than that\n", room);
}

static void test_field(void **state)
{
	static const struct {
		const char *value, *put;
	} cases[] = {
		{ "bare", " .k=bare" },
		{ "", " .k=\"\"" },
		{ "a b", " .k=\"a b\"" },
		{ "\"\\\n\x01\x7f\xc3", " .k=\"\\\"\\\\\\n\\x01\\x7f\xc3\"" },
	};
	char text[64];
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct obs_lineput line = { .at = text, .end = text + sizeof(text) };

		obs_lineput_field(&line, "k", cases[i].value);
		len = strlen(cases[i].put);
		assert_int_equal(line.at - text, len);
		assert_memory_equal(text, cases[i].put, len);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_field),
	};

	return cmocka_run_group_tests_name("lineput", tests, NULL, NULL);
}
