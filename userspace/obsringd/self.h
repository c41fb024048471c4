/* SPDX-License-Identifier: MIT */
/*
 * The daemon's metrics about itself: one table of them in self.c.
 */
#ifndef OBSRINGD_SELF_H
#define OBSRINGD_SELF_H

#include "clients.h"
#include "expose.h"
#include "process.h"
#include "requests.h"
#include "web.h"

/* Where the numbers of a body come from. */
struct self_values {
	uint64_t one;
	uint64_t scrape_ns;
	struct process_usage process;
	uint64_t in_flight;
	uint64_t answered[REQUEST_STATUS_NR];
	uint64_t connections;
	uint64_t ended[CLIENT_END_NR];
	uint64_t config_successful;
	uint64_t config_loaded_ns;
};

/* Text up to a number, and the number. */
struct self_piece {
	uint32_t len;
	uint16_t value;		/* offset in struct self_values */
	int16_t exp10;
};

#define SELF_PIECES_MAX 64

struct self {
	struct requests *requests;
	struct clients *clients;	/* both set by who has them, or NULL */
	struct web_holder *web;
	uint64_t start_ns;
	struct self_format {
		struct text text;
		struct self_piece piece[SELF_PIECES_MAX];
		unsigned int nr_pieces;
	} format[FORMAT_NR];
};

/* -ENOMEM. @requests is read at each scrape. */
int self_init(struct self *self, struct requests *requests);
void self_exit(struct self *self);

/*
 * Would a family of the device, or one of its samples, be called as one of ours
 * is, in any format? A body that has a name twice is refused as a whole.
 */
bool self_has(enum obsring_kind kind, const char *name);

/* Append all of them. Failure: text_failed(@body). */
void self_render(const struct self *self, enum format_id format,
		 uint64_t scrape_ns, struct text *body);

#endif /* OBSRINGD_SELF_H */
