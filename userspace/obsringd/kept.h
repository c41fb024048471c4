/* SPDX-License-Identifier: MIT */
/*
 * A format as it is kept: its plans, complete, and the bodies that are made of them.
 *
 * A body that is not too long is all in one place, and the pieces of the plans with it:
 * what changes is written into it. While it is being sent another one takes its place,
 * a copy. A longer one is a list of its pieces, and those that change are copied.
 *
 *	kept_lend()	bytes that nobody is sending may be written from now on
 *	...		render()
 *	kept_make()	what was rendered becomes a body
 *	kept_end()	and may be sent: none of its bytes is written any more
 */
#ifndef OBSRINGD_KEPT_H
#define OBSRINGD_KEPT_H

#include "body.h"
#include "deflate.h"
#include "plan.h"

#define KEPT_FLAT_BYTES	(256 * 1024)
#define KEPT_SPARES	3

struct kept {
	uint64_t epoch;		/* opening of the device that it is of; 0: none */
	uint64_t self_epoch;	/* the daemon's own series that it has */
	uint64_t used_ns;	/* asked for last */
	struct plan device;
	struct plan self;
	struct body *plain, *gzip;	/* NULL: to be made anew */
	bool flat;			/* plain is all in one place */
	struct body *spare[KEPT_SPARES];	/* as long as plain; what they say is old */
	struct deflate_codes *codes;		/* by the pieces of device */
	struct deflated *end;
};

/* Of nothing, from nothing or something. */
void kept_drop(struct kept *kept);

/* -ENOMEM: it is as it was, and the next answer is made of copies. */
int kept_lend(struct kept *kept);

/* plain, or with @gzip also gzip. -ENOMEM. */
int kept_make(struct kept *kept, struct deflater *deflater, bool gzip);
void kept_end(struct kept *kept);

#endif /* OBSRINGD_KEPT_H */
