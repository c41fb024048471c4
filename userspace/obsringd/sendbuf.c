// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* sched_getcpu */
#include <sched.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "sendbuf.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72			/* Linux 5.14 */
#endif

#define SMALL_BYTES	212992		/* what may be asked for everywhere, and is doubled */
#define LONG_BYTES	(2 * SMALL_BYTES)	/* others fit in anyway */

/* Is its client where we are? What came last was told there by loopback itself. */
static bool takes_turns(const struct client *client)
{
	int cpu = -1;
	socklen_t len = sizeof(cpu);

	return source_loopback(&client->source) &&
	       !getsockopt(client->fd, SOL_SOCKET, SO_INCOMING_CPU, &cpu, &len) &&
	       cpu == sched_getcpu();
}

void sendbuf_fit(struct client *client, size_t len)
{
	int small = SMALL_BYTES, unlocked = 0;

	if (len <= LONG_BYTES || takes_turns(client) == client->small)
		return;
	client->small = !client->small;
	/* What fails costs time, no more. */
	if (client->small)
		setsockopt(client->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	else
		setsockopt(client->fd, SOL_SOCKET, SO_BUF_LOCK, &unlocked, sizeof(unlocked));
}
