// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "clients.h"
#include "lock.h"

#define NS_PER_S	1000000000ULL

/* Descriptors that are no connections: of MHD, the device, listeners, files. */
#define OTHER_FILES	128

/* Shut down and not closed yet: the server is behind. */
#define CLIENTS_ENDING_MAX 64

/* For one that asks for nothing, where there is no place for another. */
#define EVICT_LOOKED_AT	64

/* Whose addresses are counted before a request is refused. */
#define GREEDY_LOOKED_AT 16

#define PENDING_NS_MAX	(10 * NS_PER_S)
#define TIMEOUT_S_MAX	3600

const struct client_limits client_limits_default = {
	.connections = 2048,
	.requests = 40,
	.new_ns = 10 * NS_PER_S,
	.busy_ns = 60 * NS_PER_S,
	.idle_ns = 330 * NS_PER_S,	/* Prometheus keeps one for 300 */
	.grace_ns = 2 * NS_PER_S,
};

const char *const client_end_name[CLIENT_END_NR] = {
	[CLIENT_END_SLOW] = "slow",
	[CLIENT_END_EVICTED] = "evicted",
	[CLIENT_END_STUCK] = "stuck",
};

/* Deadlines are of seconds: a tick's difference is none, and this clock costs nothing. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* As many open files as may be had, and connections for which they suffice. */
static unsigned int fit_files(unsigned int connections)
{
	rlim_t want = connections + OTHER_FILES;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return connections;
	if (limit.rlim_cur < want) {
		limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= want)
		return connections;
	return limit.rlim_cur > 2 * OTHER_FILES ? limit.rlim_cur - OTHER_FILES :
						  limit.rlim_cur / 2;
}

int clients_init(struct clients *clients, const struct client_limits *limits)
{
	int state;

	*clients = (struct clients){ .limits = *limits, .epoll = -1 };
	clients->limits.connections = fit_files(limits->connections);
	clients->size = 2 * clients->limits.connections + OTHER_FILES;
	clients->table = calloc(clients->size, sizeof(*clients->table));
	if (!clients->table)
		return -ENOMEM;
	for (state = 0; state < CLIENT_STATE_NR; state++)
		TAILQ_INIT(&clients->list[state]);
	lock_init(&clients->lock);
	return 0;
}

void clients_exit(struct clients *clients)
{
	if (!clients->table)
		return;
	free(clients->table);
	clients->table = NULL;
	pthread_mutex_destroy(&clients->lock);
}

void clients_set_requests(struct clients *clients, unsigned int requests)
{
	pthread_mutex_lock(&clients->lock);
	clients->limits.requests = requests;
	pthread_mutex_unlock(&clients->lock);
}

static bool waits_gone(const struct client *client)
{
	return client->gone &&
	       (client->state == CLIENT_NEW || client->state == CLIENT_IDLE ||
		(client->state == CLIENT_BUSY && client->reading));
}

static void leave(struct client *client)
{
	struct clients *clients = client->clients;

	clients->nr_gone -= waits_gone(client);
	TAILQ_REMOVE(&clients->list[client->state], client, entry);
	clients->nr_ending -= client->state == CLIENT_ENDING;
	client->state = CLIENT_NONE;
}

/* Lists are in order of time, because all enter them at their end. */
static void enter(struct client *client, enum client_state state, uint64_t limit_ns)
{
	struct clients *clients = client->clients;

	client->state = state;
	client->since_ns = now_ns();
	client->deadline_ns = client->since_ns + limit_ns;
	clients->nr_ending += state == CLIENT_ENDING;
	clients->nr_gone += waits_gone(client);
	TAILQ_INSERT_TAIL(&clients->list[state], client, entry);
}

static void discharge(struct client *client)
{
	client->clients->nr_admitted -= client->admitted;
	client->admitted = false;
}

/* Its server reads the end of the connection, and closes it. */
static void end(struct client *client, enum client_end why)
{
	discharge(client);
	leave(client);
	enter(client, CLIENT_ENDING, 0);
	client->clients->ended[why]++;
	shutdown(client->fd, SHUT_RDWR);
}

/* The one that has had the longest time, if it was enough. */
static struct client *find_stuck(const struct clients *clients, bool admitted)
{
	struct client *client;

	TAILQ_FOREACH(client, &clients->list[CLIENT_BUSY], entry)
		if (client->admitted || !admitted)
			break;
	if (!client || now_ns() - client->since_ns < clients->limits.grace_ns)
		return NULL;
	return client;
}

/* It has asked, and was not heard: its server is behind. */
static bool is_unheard(const struct client *client)
{
	char byte;

	return now_ns() - client->since_ns < client->clients->limits.grace_ns &&
	       recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static bool is_from(const struct client *client, const struct source *source)
{
	return !source || source_same(&client->source, source);
}

/* Where most of those come from that are at the list's head; NULL: nowhere. */
static const struct source *find_crowd(const struct client_list *list)
{
	unsigned int votes = 0, looked = 0, nr = 0;
	const struct source *crowd = NULL;
	const struct client *client;

	/* R. S. Boyer, J S. Moore: MJRTY. If there is a majority, it is left. */
	TAILQ_FOREACH(client, list, entry) {
		if (looked == EVICT_LOOKED_AT)
			break;
		looked++;
		if (!votes)
			crowd = &client->source;
		votes += is_from(client, crowd) ? 1 : -1;
	}
	looked = 0;
	TAILQ_FOREACH(client, list, entry) {
		if (looked == EVICT_LOOKED_AT)
			break;
		looked++;
		nr += is_from(client, crowd);
	}
	return 2 * nr > looked ? crowd : NULL;
}

/* The oldest: of a crowd, if there is one, for who comes alone is not the flood. */
static struct client *find_silent(const struct clients *clients, enum client_state state)
{
	const struct source *crowd = find_crowd(&clients->list[state]);
	struct client *client;
	unsigned int looked = 0;

	TAILQ_FOREACH(client, &clients->list[state], entry) {
		if (is_from(client, crowd) && !is_unheard(client))
			return client;
		if (++looked == EVICT_LOOKED_AT)
			break;
	}
	return NULL;
}

/* None, where all that are new wait for their server: in a moment it has heard them. */
static void evict_one(struct clients *clients)
{
	struct client *victim = find_silent(clients, CLIENT_NEW);

	if (!victim && TAILQ_EMPTY(&clients->list[CLIENT_NEW]) && !clients->nr_pending)
		victim = find_silent(clients, CLIENT_IDLE) ?: find_stuck(clients, false);
	if (victim)
		end(victim, CLIENT_END_EVICTED);
}

/*
 * Those that were shut down are there until their server has closed them: there is
 * an end to their number too, and who comes waits for it in the kernel's queue.
 */
bool clients_make_room(struct clients *clients)
{
	unsigned int most = clients->limits.connections, nr;
	bool room;

	pthread_mutex_lock(&clients->lock);
	nr = clients->nr + clients->nr_pending;
	if (nr - clients->nr_ending >= most)
		evict_one(clients);
	room = nr - clients->nr_ending < most && nr < most + CLIENTS_ENDING_MAX;
	if (room) {
		clients->nr_pending++;
		clients->accepted_ns = now_ns();
	}
	pthread_mutex_unlock(&clients->lock);
	return room;
}

void clients_give_back(struct clients *clients)
{
	pthread_mutex_lock(&clients->lock);
	clients->nr_pending -= !!clients->nr_pending;
	pthread_mutex_unlock(&clients->lock);
}

static void reap(struct clients *clients, enum client_state state, uint64_t now)
{
	struct client *client, *next;

	for (client = TAILQ_FIRST(&clients->list[state]); client; client = next) {
		next = TAILQ_NEXT(client, entry);
		if (client->deadline_ns <= now)
			end(client, CLIENT_END_SLOW);
		else if (state != CLIENT_BUSY)
			return;	/* all others came later, and have as long */
	}
}

unsigned int clients_reap(struct clients *clients)
{
	uint64_t now = now_ns();
	unsigned int nr;

	pthread_mutex_lock(&clients->lock);
	reap(clients, CLIENT_NEW, now);
	reap(clients, CLIENT_BUSY, now);
	reap(clients, CLIENT_IDLE, now);
	/* A server that has no memory for one doesn't say so. */
	if (now - clients->accepted_ns > PENDING_NS_MAX)
		clients->nr_pending = 0;
	nr = clients->nr + clients->nr_pending;
	pthread_mutex_unlock(&clients->lock);
	return nr;
}

struct client *client_add(struct clients *clients, int fd,
			  const struct sockaddr *address)
{
	struct client *client;

	clients_give_back(clients);
	if (fd < 0 || (unsigned int)fd >= clients->size)
		return NULL;
	pthread_mutex_lock(&clients->lock);
	client = &clients->table[fd];
	*client = (struct client){ .clients = clients, .fd = fd,
				   .generation = ++clients->generation ?:
						 ++clients->generation,
				   .source = source_of(address) };
	enter(client, CLIENT_NEW, clients->limits.new_ns);
	clients->nr++;
	pthread_mutex_unlock(&clients->lock);
	return client;
}

void client_remove(struct client *client)
{
	struct clients *clients = client->clients;

	pthread_mutex_lock(&clients->lock);
	discharge(client);
	leave(client);
	clients->nr--;
	pthread_mutex_unlock(&clients->lock);
}

void clients_set_epoll(struct clients *clients, int epoll)
{
	pthread_mutex_lock(&clients->lock);
	clients->epoll = epoll;
	pthread_mutex_unlock(&clients->lock);
}

/* It is in the set until it is closed. */
void client_watch(struct client *client)
{
	struct clients *clients = client->clients;
	struct epoll_event event = {
		.events = EPOLLRDHUP | EPOLLONESHOT,
		.data.u64 = (uint64_t)client->generation << 32 | (uint32_t)client->fd,
	};

	pthread_mutex_lock(&clients->lock);
	if (clients->epoll >= 0)
		epoll_ctl(clients->epoll, EPOLL_CTL_ADD, client->fd, &event);
	pthread_mutex_unlock(&clients->lock);
}

/* Of what its peer has ended it ends nothing more, but whoever waits there wakes up. */
static void nudge(const struct client *client)
{
	shutdown(client->fd, SHUT_RD);
}

/* The server may not have read what came before the end: clients_nudge() goes on. */
void clients_gone(struct clients *clients, uint64_t key)
{
	struct client *client = &clients->table[(uint32_t)key];

	pthread_mutex_lock(&clients->lock);
	if (client->state != CLIENT_NONE && client->generation == key >> 32) {
		client->gone = true;
		clients->nr_gone += waits_gone(client);
	}
	pthread_mutex_unlock(&clients->lock);
}

unsigned int clients_nudge(struct clients *clients)
{
	const struct client *client;
	unsigned int nr;

	pthread_mutex_lock(&clients->lock);
	nr = clients->nr_gone;
	if (nr) {
		TAILQ_FOREACH(client, &clients->list[CLIENT_NEW], entry)
			if (client->gone)
				nudge(client);
		TAILQ_FOREACH(client, &clients->list[CLIENT_IDLE], entry)
			if (client->gone)
				nudge(client);
		TAILQ_FOREACH(client, &clients->list[CLIENT_BUSY], entry)
			if (waits_gone(client))
				nudge(client);
	}
	pthread_mutex_unlock(&clients->lock);
	return nr;
}

void client_set_reading(struct client *client, bool reading)
{
	struct clients *clients = client->clients;

	pthread_mutex_lock(&clients->lock);
	clients->nr_gone -= waits_gone(client);
	client->reading = reading;
	clients->nr_gone += waits_gone(client);
	if (waits_gone(client))
		nudge(client);
	pthread_mutex_unlock(&clients->lock);
}

void client_begin(struct client *client, uint64_t timeout_ns)
{
	struct clients *clients = client->clients;

	pthread_mutex_lock(&clients->lock);
	if (client->state != CLIENT_ENDING) {
		leave(client);
		enter(client, CLIENT_BUSY,
		      timeout_ns ? timeout_ns : clients->limits.busy_ns);
	}
	pthread_mutex_unlock(&clients->lock);
}

void client_end(struct client *client)
{
	struct clients *clients = client->clients;

	pthread_mutex_lock(&clients->lock);
	discharge(client);
	if (client->state != CLIENT_ENDING) {
		leave(client);
		client->reading = false;
		enter(client, CLIENT_IDLE, clients->limits.idle_ns);
		/* All that was read was before this: it sees the end now. */
		if (client->gone)
			nudge(client);
	}
	pthread_mutex_unlock(&clients->lock);
}

static unsigned int count_admitted(const struct clients *clients,
				   const struct source *source)
{
	const struct client *client;
	unsigned int nr = 0;

	TAILQ_FOREACH(client, &clients->list[CLIENT_BUSY], entry)
		nr += client->admitted && source_same(&client->source, source);
	return nr;
}

/* An address with more than @client's and one: its oldest, among the oldest of all. */
static struct client *find_greedy(const struct clients *clients, const struct client *client)
{
	unsigned int ours = count_admitted(clients, &client->source), looked = 0;
	struct client *other;

	TAILQ_FOREACH(other, &clients->list[CLIENT_BUSY], entry) {
		if (!other->admitted)
			continue;
		if (count_admitted(clients, &other->source) > ours + 1)
			return other;
		if (++looked == GREEDY_LOOKED_AT)
			break;
	}
	return NULL;
}

bool client_admit(struct client *client)
{
	struct clients *clients = client->clients;
	struct client *victim;
	bool room;

	pthread_mutex_lock(&clients->lock);
	room = clients->nr_admitted < clients->limits.requests;
	if (!room) {
		victim = find_greedy(clients, client);
		if (!victim)
			victim = find_stuck(clients, true);
		room = victim;
		if (victim)
			end(victim, CLIENT_END_STUCK);
	}
	/* One that was shut down in the meantime takes no place. */
	if (room && client->state == CLIENT_BUSY) {
		client->admitted = true;
		clients->nr_admitted++;
	}
	pthread_mutex_unlock(&clients->lock);
	return room;
}

void clients_get(struct clients *clients, uint64_t *ret_nr,
		 uint64_t ret_ended[CLIENT_END_NR])
{
	pthread_mutex_lock(&clients->lock);
	*ret_nr = clients->nr;
	memcpy(ret_ended, clients->ended, sizeof(clients->ended));
	pthread_mutex_unlock(&clients->lock);
}

uint64_t client_timeout(const char *text)
{
	uint64_t ns = 0, unit = NS_PER_S;

	if (!text || *text < '0' || *text > '9')
		return 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		ns = ns * 10 + (*text - '0') * NS_PER_S;
		if (ns > TIMEOUT_S_MAX * NS_PER_S)
			ns = TIMEOUT_S_MAX * NS_PER_S;
	}
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++)
			ns += (*text - '0') * (unit /= 10);
	return *text ? 0 : ns;
}
