// SPDX-License-Identifier: MIT
/*
 * The socket's buffer for long answers, of a client on this processor and of one that is
 * not, by connections over loopback whose ends are moved between processors.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "obsringd/sendbuf.h"

#define LONG (1 << 20)
#define SMALL 425984

struct pair {
	struct client client;
	int listening, peer;
};

static void pair_open(struct pair *pair)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	*pair = (struct pair){ .listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(bind(pair->listening, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(pair->listening, 1), 0);
	assert_int_equal(getsockname(pair->listening, (struct sockaddr *)&address, &len), 0);
	pair->peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(pair->peer, (struct sockaddr *)&address, len), 0);
	pair->client.fd = accept(pair->listening, (struct sockaddr *)&address, &len);
	assert_true(pair->client.fd >= 0);
	pair->client.source = source_of((struct sockaddr *)&address);
}

static void pair_close(struct pair *pair)
{
	close(pair->client.fd);
	close(pair->peer);
	close(pair->listening);
}

static int buffer_of(const struct pair *pair)
{
	socklen_t len = sizeof(int);
	int bytes;

	assert_int_equal(getsockopt(pair->client.fd, SOL_SOCKET, SO_SNDBUF, &bytes, &len), 0);
	return bytes;
}

static int lock_of(const struct pair *pair)
{
	socklen_t len = sizeof(int);
	int locked;

	if (getsockopt(pair->client.fd, SOL_SOCKET, 72 /* SO_BUF_LOCK */, &locked, &len))
		return -1;
	return locked & 1;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static cpu_set_t at_first;

/* The first two that this process may use; false: there is one. */
static bool two_cpus(int cpu[2])
{
	unsigned int nr = 0;
	int i;

	for (i = 0; i < CPU_SETSIZE && nr < 2; i++)
		if (CPU_ISSET(i, &at_first))
			cpu[nr++] = i;
	return nr == 2;
}

static int remember_cpus(void **state)
{
	(void)state;
	return sched_getaffinity(0, sizeof(at_first), &at_first);
}

static int forget_pin(void **state)
{
	(void)state;
	return sched_setaffinity(0, sizeof(at_first), &at_first);
}

/* The request comes from @cpu, and is read. */
static void ask_from(struct pair *pair, int cpu)
{
	char byte;

	pin(cpu);
	assert_int_equal(send(pair->peer, "x", 1, 0), 1);
	assert_int_equal(recv(pair->client.fd, &byte, 1, 0), 1);
}

/* Returns how long its buffer is. */
static int open_between(struct pair *pair, int cpu[2])
{
	if (!two_cpus(cpu))
		skip();
	pair_open(pair);
	return buffer_of(pair);
}

static void test_here_and_elsewhere(void **state)
{
	struct pair pair;
	int cpu[2], first;

	(void)state;
	first = open_between(&pair, cpu);

	/* Short answers have what they had. */
	ask_from(&pair, cpu[0]);
	sendbuf_fit(&pair.client, 1000);
	assert_int_equal(buffer_of(&pair), first);
	assert_false(pair.client.small);

	sendbuf_fit(&pair.client, LONG);
	assert_int_equal(buffer_of(&pair), SMALL);
	assert_true(pair.client.small);

	/* From elsewhere: the kernel may make it longer again. */
	ask_from(&pair, cpu[1]);
	pin(cpu[0]);
	sendbuf_fit(&pair.client, LONG);
	assert_false(pair.client.small);
	assert_true(lock_of(&pair) <= 0);

	pin(cpu[1]);
	sendbuf_fit(&pair.client, LONG);
	assert_true(pair.client.small);
	assert_true(lock_of(&pair));
	pair_close(&pair);
}

/* One of another machine is near in no sense, whichever processor its packets come by. */
static void test_other_machine(void **state)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	struct pair pair;
	int cpu[2], first;

	(void)state;
	first = open_between(&pair, cpu);
	inet_pton(AF_INET6, "2001:db8::1", &address.sin6_addr);
	pair.client.source = source_of((struct sockaddr *)&address);
	ask_from(&pair, cpu[0]);
	sendbuf_fit(&pair.client, LONG);
	assert_int_equal(buffer_of(&pair), first);
	assert_false(pair.client.small);
	pair_close(&pair);
}

static void test_loopback(void **state)
{
	static const struct {
		const char *address;
		bool loopback;
	} cases[] = {
		{ "127.0.0.1", true },
		{ "127.8.9.1", true },
		{ "128.0.0.1", false },
		{ "::1", true },
		{ "::ffff:127.0.0.1", true },
		{ "::ffff:10.0.0.1", false },
		{ "fe80::1", false },
	};
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct source source;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (inet_pton(AF_INET, cases[i].address, &v4.sin_addr) == 1) {
			source = source_of((struct sockaddr *)&v4);
		} else {
			assert_int_equal(inet_pton(AF_INET6, cases[i].address, &v6.sin6_addr), 1);
			source = source_of((struct sockaddr *)&v6);
		}
		if (source_loopback(&source) != cases[i].loopback)
			fail_msg("%s", cases[i].address);
	}
	source = source_of(NULL);
	assert_false(source_loopback(&source));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_here_and_elsewhere, forget_pin),
		cmocka_unit_test_teardown(test_other_machine, forget_pin),
		cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, remember_cpus, NULL);
}
