// SPDX-License-Identifier: MIT
/*
 * Who makes a place for another connection: not who has asked, and was not heard yet
 * because the server is behind; nor who comes alone, where others come in a crowd.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "obsringd/clients.h"

#define NR_MAX 5
#define LONG_NS 3600000000000ULL

/* As many as there is a place for. */
struct guests {
	struct clients clients;
	struct client *client[NR_MAX];
	int peer[NR_MAX];
	int nr;
};

/* A letter of @hosts is an address. */
static void guests_come_from(struct guests *guests, const char *hosts, uint64_t grace_ns)
{
	struct client_limits limits = client_limits_default;
	struct sockaddr_in address = { .sin_family = AF_INET };
	int i, pair[2];

	guests->nr = strlen(hosts);
	limits.connections = guests->nr;
	limits.grace_ns = grace_ns;
	assert_int_equal(clients_init(&guests->clients, &limits), 0);
	for (i = 0; i < guests->nr; i++) {
		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + hosts[i]);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_true(clients_make_room(&guests->clients));
		guests->client[i] = client_add(&guests->clients, pair[0],
					       (const struct sockaddr *)&address);
		assert_non_null(guests->client[i]);
		guests->peer[i] = pair[1];
	}
}

/* Two of one address. */
static void guests_come(struct guests *guests, uint64_t grace_ns)
{
	guests_come_from(guests, "aa", grace_ns);
}

static void guests_go(struct guests *guests)
{
	int i;

	for (i = 0; i < guests->nr; i++) {
		client_remove(guests->client[i]);
		close(guests->client[i]->fd);
		close(guests->peer[i]);
	}
	clients_exit(&guests->clients);
}

static void ask(const struct guests *guests, int i)
{
	assert_int_equal(send(guests->peer[i], "G", 1, 0), 1);
}

/* The server reads what it has sent. */
static void hear(const struct guests *guests, int i)
{
	char byte;

	assert_int_equal(recv(guests->client[i]->fd, &byte, 1, 0), 1);
}

static void become_idle(const struct guests *guests, int i)
{
	client_begin(guests->client[i], 0);
	client_end(guests->client[i]);
}

static bool was_evicted(const struct guests *guests, int i)
{
	return guests->client[i]->state == CLIENT_ENDING;
}

static void oldest_silent_one_goes(void **state)
{
	struct guests guests;

	(void)state;
	guests_come(&guests, LONG_NS);
	assert_true(clients_make_room(&guests.clients));
	assert_true(was_evicted(&guests, 0));
	assert_false(was_evicted(&guests, 1));
	guests_go(&guests);
}

static void one_that_asked_stays(void **state)
{
	struct guests guests;

	(void)state;
	guests_come(&guests, LONG_NS);
	ask(&guests, 0);
	assert_true(clients_make_room(&guests.clients));
	assert_false(was_evicted(&guests, 0));
	assert_true(was_evicted(&guests, 1));
	guests_go(&guests);
}

/* Nor does who is idle go for them: all wait until the server has read. */
static void server_that_is_behind_is_waited_for(void **state)
{
	struct guests guests;

	(void)state;
	guests_come(&guests, LONG_NS);
	become_idle(&guests, 0);
	ask(&guests, 1);
	assert_false(clients_make_room(&guests.clients));
	assert_false(was_evicted(&guests, 0));
	assert_false(was_evicted(&guests, 1));
	hear(&guests, 1);
	assert_true(clients_make_room(&guests.clients));
	assert_true(was_evicted(&guests, 1));
	guests_go(&guests);
}

static void idle_one_that_asked_again_stays(void **state)
{
	struct guests guests;

	(void)state;
	guests_come(&guests, LONG_NS);
	become_idle(&guests, 0);
	become_idle(&guests, 1);
	ask(&guests, 0);
	assert_true(clients_make_room(&guests.clients));
	assert_false(was_evicted(&guests, 0));
	assert_true(was_evicted(&guests, 1));
	guests_go(&guests);
}

/* Those that were accepted are new as well, though the server has not taken them yet. */
static void accepted_one_is_waited_for(void **state)
{
	struct guests guests;

	(void)state;
	guests_come(&guests, LONG_NS);
	become_idle(&guests, 0);
	become_idle(&guests, 1);
	assert_true(clients_make_room(&guests.clients));
	assert_true(was_evicted(&guests, 0));
	assert_false(clients_make_room(&guests.clients));
	assert_false(was_evicted(&guests, 1));
	clients_give_back(&guests.clients);
	assert_true(clients_make_room(&guests.clients));
	guests_go(&guests);
}

static void one_of_the_crowd_goes(void **state)
{
	struct guests guests;

	(void)state;
	guests_come_from(&guests, "abbab", LONG_NS);
	assert_true(clients_make_room(&guests.clients));
	assert_false(was_evicted(&guests, 0));
	assert_true(was_evicted(&guests, 1));
	guests_go(&guests);
}

/* Nor does who is alone go for a crowd that was not heard yet. */
static void crowd_that_asked_is_waited_for(void **state)
{
	struct guests guests;

	(void)state;
	guests_come_from(&guests, "abb", LONG_NS);
	ask(&guests, 1);
	ask(&guests, 2);
	assert_false(clients_make_room(&guests.clients));
	assert_false(was_evicted(&guests, 0));
	hear(&guests, 2);
	assert_true(clients_make_room(&guests.clients));
	assert_true(was_evicted(&guests, 2));
	guests_go(&guests);
}

/* Half of them are no crowd. */
static void oldest_of_a_mixture_goes(void **state)
{
	struct guests guests;

	(void)state;
	guests_come_from(&guests, "abba", LONG_NS);
	assert_true(clients_make_room(&guests.clients));
	assert_true(was_evicted(&guests, 0));
	guests_go(&guests);
}

/* Bytes now and then keep no place for ever. */
static void grace_ends(void **state)
{
	struct guests guests;

	(void)state;
	guests_come(&guests, 0);
	ask(&guests, 0);
	assert_true(clients_make_room(&guests.clients));
	assert_true(was_evicted(&guests, 0));
	guests_go(&guests);
}

/* Nobody is asked to go where one has just left. */
static void place_that_is_free_is_taken(void **state)
{
	struct guests guests;
	int pair[2];

	(void)state;
	guests_come(&guests, LONG_NS);
	client_remove(guests.client[0]);
	assert_true(clients_make_room(&guests.clients));
	assert_false(was_evicted(&guests, 1));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	close(guests.client[0]->fd);
	close(guests.peer[0]);
	guests.client[0] = client_add(&guests.clients, pair[0],
				      &(struct sockaddr){ .sa_family = AF_UNIX });
	guests.peer[0] = pair[1];
	guests_go(&guests);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oldest_silent_one_goes),
		cmocka_unit_test(one_that_asked_stays),
		cmocka_unit_test(server_that_is_behind_is_waited_for),
		cmocka_unit_test(idle_one_that_asked_again_stays),
		cmocka_unit_test(accepted_one_is_waited_for),
		cmocka_unit_test(one_of_the_crowd_goes),
		cmocka_unit_test(crowd_that_asked_is_waited_for),
		cmocka_unit_test(oldest_of_a_mixture_goes),
		cmocka_unit_test(grace_ends),
		cmocka_unit_test(place_that_is_free_is_taken),
	};

	return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}
