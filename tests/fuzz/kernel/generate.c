// SPDX-License-Identifier: MIT
/* Programs from nothing: what belongs together, in order; and from others. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include <linux/obsring.h>

#include "fuzz.h"
#include "grammar.h"

static void make_call(struct random *random, struct call *call, enum op op);

static void make_open(struct random *random, struct call *call)
{
	static const int modes[] = { O_RDWR, O_RDWR, O_RDONLY, O_WRONLY };

	call->flags = modes[below(random, 4)] | (chance(random, 2) ? O_NONBLOCK : 0);
	/* Some other user's: each has limits of its own. */
	call->a = chance(random, 2) ? 2000 + below(random, 40) : 0;
}

static void make_ioctl(struct random *random, struct call *call)
{
	static const uint32_t commands[] = {
		OBSRING_IOC_SEEN, OBSRING_IOC_CONTEXT, OBSRING_IOC_ATTACH, OBSRING_IOC_METRIC,
	};
	uint64_t word = chance(random, 2) ? OBSRING_JOURNAL_START + below(random, 99) :
					    make_number(random);

	call->flags = commands[below(random, 4)];
	if (chance(random, 8))
		call->flags ^= 1U << below(random, 24);
	memcpy(call->data, &word, sizeof(word));
	call->size = sizeof(word);
	if (chance(random, 8))
		call->b = 1;		/* on the service */
	else if (chance(random, 16))
		call->b = 2;		/* its argument is not there */
}

/* a: region << 32 | page; b: pages. */
static void make_map(struct random *random, struct call *call)
{
	call->flags = chance(random, 8) ? below(random, 8) : PROT_READ;
	if (chance(random, 12))
		call->flags |= 0x100;	/* MAP_PRIVATE */
	call->a = (uint64_t)below(random, OBSRING_REGION_MAX + 2) << 32 |
		  below(random, chance(random, 4) ? 4096 : 4);
	call->b = chance(random, 4) ? make_number(random) & 0xffff : 1 + below(random, 4);
}

static void make_rest(struct random *random, struct call *call)
{
	call->a = make_number(random);
	call->b = make_number(random);
	call->flags = below(random, 8);
	switch (call->op) {
	case OP_READ:
	case OP_WAIT:
		call->a = chance(random, 2) ? 4096 : below(random, 300);
		call->flags = chance(random, 24) ? CALL_FAULT : 0;
		break;
	case OP_POLL:
	case OP_EPOLL:
		call->a = chance(random, 8) ? below(random, 0x10000) :
			  chance(random, 2) ? POLLPRI : POLLIN | POLLPRI;
		break;
	case OP_SEEK:
		call->flags = chance(random, 2) ? SEEK_SET : below(random, 6);
		if (!chance(random, 4))
			call->a = 0;
		break;
	case OP_ASK:
		call->flags = below(random, 2) | (chance(random, 16) ? CALL_FAULT : 0) |
			      (chance(random, 16) ? 2 : 0);
		if (!chance(random, 8))
			call->b &= ~4;
		break;
	case OP_TOUCH:
		call->b = below(random, 64);
		break;
	case OP_COUNT:
		call->b = below(random, 8);
		if (!chance(random, 3))
			call->a = below(random, 4);
		break;
	}
}

static void make_call(struct random *random, struct call *call, enum op op)
{
	memset(call, 0, offsetof(struct call, data));
	call->op = op;
	call->slot = below(random, 2);
	if (chance(random, 24))
		call->fail = 1 + below(random, chance(random, 3) ? 60 : 8);
	switch (op) {
	case OP_OPEN:
		make_open(random, call);
		break;
	case OP_WRITE:
		call->size = make_line(random, call->data);
		call->a = chance(random, 6) ? below(random, 40) : 1;
		call->flags = chance(random, 24) ? CALL_FAULT : 0;
		break;
	case OP_IOCTL:
	case OP_COMPAT:
		make_ioctl(random, call);
		break;
	case OP_CONTEXT:
		call->size = make_context(random, call->data);
		call->a = chance(random, 6) ? make_number(random) : 1;
		break;
	case OP_MAP:
		make_map(random, call);
		break;
	case OP_ATTACH:
		call->size = make_attach(random, call->data);
		if (chance(random, 3))
			call->a = 2000 + below(random, chance(random, 8) ? 40 : 2);
		call->flags = chance(random, 24) ? CALL_FAULT : 0;
		break;
	case OP_METRIC:
		call->size = chance(random, 4) ? make_metric(random, call->data) :
						 make_regular_metric(random, call->data);
		call->flags = chance(random, 24) ? CALL_FAULT : 0;
		break;
	case OP_JOIN:
		call->flags = chance(random, 10) ? below(random, 8) : PROT_READ | PROT_WRITE;
		call->a = chance(random, 12);
		call->b = chance(random, 12) ? make_number(random) : 0;
		break;
	case OP_NETLINK:
		make_request(random, call);
		break;
	default:
		make_rest(random, call);
		break;
	}
}

static const enum op log_calls[] = {
	OP_WRITE, OP_WRITE, OP_READ, OP_READ, OP_WAIT, OP_POLL, OP_EPOLL, OP_SEEK, OP_CONTEXT,
	OP_WRITE, OP_ASK, OP_DROP, OP_KMSG,
};

static const enum op map_calls[] = {
	OP_MAP, OP_TOUCH, OP_TOUCH, OP_UNMAP, OP_REMAP, OP_PROTECT, OP_IOCTL, OP_POLL,
	OP_WRITE, OP_ASK, OP_ASK,
};

static const enum op service_calls[] = {
	OP_METRIC, OP_METRIC, OP_METRIC, OP_COUNT, OP_COUNT, OP_LEAVE, OP_JOIN, OP_ATTACH,
	OP_REMAP, OP_PROTECT,
};

static const uint8_t subject_commands[] = {
	OBSRING_CMD_SERIES_NEW, OBSRING_CMD_SERIES_UPDATE, OBSRING_CMD_SERIES_UPDATE,
	OBSRING_CMD_SERIES_GET, OBSRING_CMD_SERIES_DEL, OBSRING_CMD_FAMILY_GET,
	OBSRING_CMD_FAMILY_DEL,
};

/* Descriptors first, as most calls need them; then what goes with them. */
void program_make(struct random *random, struct program *program)
{
	uint32_t theme = below(random, 10), nr = 0, last = 4 + below(random, CALLS_MAX - 4);
	struct call *call = program->call;

	make_subject(random);
#define NEXT(op) make_call(random, &call[nr++], op)
#define ONE(ops) NEXT((ops)[below(random, sizeof(ops) / sizeof((ops)[0]))])
	if (theme < 6 || chance(random, 2)) {
		NEXT(OP_OPEN);
		if (!chance(random, 8))
			call[0].flags = O_RDWR | (call[0].flags & O_NONBLOCK);
	}
	if (theme == 2 || theme == 3) {
		NEXT(OP_MAP);
		NEXT(OP_TOUCH);
		call[1].slot = call[0].slot;
		call[2].slot = call[0].slot;
	}
	if (theme == 4 || theme == 5) {
		NEXT(OP_ATTACH);
		NEXT(OP_JOIN);
		call[1].slot = call[0].slot;
		call[2].slot = call[0].slot;
	}
	if (theme == 6) {
		make_subject_request(random, &call[nr++], OBSRING_CMD_FAMILY_NEW);
		make_subject_request(random, &call[nr++], OBSRING_CMD_SERIES_NEW);
	}
	if (chance(random, 12))
		NEXT(OP_LISTEN);
	while (nr < last) {
		/* A fork costs a hundred others, a CPU's going a thousand. */
		if (chance(random, 8))
			NEXT(below(random, chance(random, 64) ? OP_NR :
					   chance(random, 2) ? OP_HOTPLUG : OP_FORK));
		else if (theme < 2)
			ONE(log_calls);
		else if (theme < 4)
			ONE(map_calls);
		else if (theme < 6)
			ONE(service_calls);
		else if (theme == 6 && !chance(random, 3))
			make_subject_request(random, &call[nr++], subject_commands[
					     below(random, sizeof(subject_commands))]);
		else
			NEXT(OP_NETLINK);
		if (nr > 1 && !chance(random, 6) && call[nr - 1].op != OP_NETLINK)
			call[nr - 1].slot = call[0].slot;
	}
	program->nr = nr;
	program->role = chance(random, 8) ? below(random, ROLE_NR) : ROLE_ROOT;
}

static void call_mutate(struct random *random, struct call *call)
{
	switch (below(random, 7)) {
	case 0:
		call->slot = below(random, 4);
		break;
	case 6:
		call->fail = chance(random, 3) ? 0 : 1 + below(random, 30);
		break;
	case 1:
		call->a = make_number(random);
		break;
	case 2:
		call->b = make_number(random);
		break;
	case 3:
		if (call->op != OP_NETLINK)
			call->flags ^= 1U << below(random, 32);
		break;
	default:
		if (call->op == OP_NETLINK)
			mutate_request(random, call);
		else
			mutate_bytes(random, call);
		break;
	}
}

static void calls_insert(struct program *program, uint32_t at, const struct call *call,
			 uint32_t nr)
{
	if (program->nr + nr > CALLS_MAX)
		nr = CALLS_MAX - program->nr;
	memmove(&program->call[at + nr], &program->call[at],
		(program->nr - at) * sizeof(*call));
	memcpy(&program->call[at], call, nr * sizeof(*call));
	program->nr += nr;
}

static void call_cut(struct program *program, uint32_t at)
{
	program->nr--;
	memmove(&program->call[at], &program->call[at + 1],
		(program->nr - at) * sizeof(program->call[0]));
}

void program_mutate(struct random *random, struct program *program,
		    const struct program *other)
{
	uint32_t times = 1 + below(random, 4), at;
	struct call call;

	make_subject(random);
	if (chance(random, 32))
		program->role = below(random, ROLE_NR);
	while (times--) {
		at = below(random, program->nr);
		switch (below(random, 8)) {
		case 0:
			make_call(random, &call, below(random, chance(random, 64) ? OP_NR :
								       OP_HOTPLUG));
			calls_insert(program, at, &call, 1);
			break;
		case 1:
			if (program->nr > 1)
				call_cut(program, at);
			break;
		case 2:
			call = program->call[at];
			calls_insert(program, below(random, program->nr), &call, 1);
			break;
		case 3:
			calls_insert(program, at, other->call, below(random, other->nr) + 1);
			break;
		default:
			call_mutate(random, &program->call[at]);
			break;
		}
	}
}
