// SPDX-License-Identifier: MIT
/*
 * libFuzzer: headers of requests. Any Authorization is a name and a password
 * that fit, or none; any time-out is one that ends; any address to listen on is one
 * that is taken apart without losing a piece, or refused; and so is what a service manager
 * says of sockets.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "obsringd/basic.h"
#include "obsringd/clients.h"
#include "obsringd/listen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

static void try_basic(const char *text)
{
	struct basic basic;

	if (!basic_parse(text, &basic))
		return;
	check(!strchr(basic.name, ':'));
	check(basic.password == basic.name + strlen(basic.name) + 1);
	check(strlen(basic.name) + 1 + strlen(basic.password) <= BASIC_BYTES_MAX);
}

static void try_address(const char *text)
{
	struct listen_address address;

	if (listen_parse(text, &address))
		return;
	if (*address.path)
		check(address.path[0] == '/' && !strncmp(text, "unix:", 5));
	else
		check(strlen(address.host) + strlen(address.port) < strlen(text));
}

/* None of what this process has open is a socket that listens. */
static void try_inherited(const char *text)
{
	struct listen_sockets sockets = { .nr = 0 };
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", text, 1);
	check(listen_inherit(&sockets) && !sockets.nr);
	check(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	try_basic(text);
	try_address(text);
	try_inherited(text);
	check(client_timeout(text) <= 3601ULL * 1000000000);
	free(text);
	return 0;
}
