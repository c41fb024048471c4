/* SPDX-License-Identifier: MIT */
/*
 * gzip of a body whose pieces are compressed one by one, so that what did not change
 * is not compressed again: each ends at a byte with a full flush, and refers to
 * nothing before it.
 */
#ifndef OBSRINGD_DEFLATE_H
#define OBSRINGD_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

struct piece;

struct deflated {
	uint32_t crc;		/* of the bytes that it was made of */
	size_t raw_len;
	size_t len, size;
	unsigned char *data;
};

void deflated_free(struct deflated *deflated);

/* What compresses, one at a time; NULL: out of memory. */
struct deflater;

struct deflater *deflater_new(void);
void deflater_free(struct deflater *deflater);

/*
 * Huffman codes by how often each byte and length is met in the pieces of a body: with
 * them a piece is compressed in one pass. Each says in its head what its codes are: so
 * others may be taken at any time. NULL: the compressor's own; with zlib always.
 */
struct deflate_codes;

/*
 * Make such of @nr pieces, unless those that are there are of a body between half as long
 * and twice as long. -ENOMEM: those are left.
 */
int deflate_codes_fit(struct deflate_codes **codes, struct piece *const *piece,
		      uint32_t nr);
void deflate_codes_free(struct deflate_codes *codes);

/* Make piece->deflated what its bytes are now. -ENOMEM. */
int deflate_piece(struct deflater *deflater, const struct deflate_codes *codes,
		  struct piece *piece);

/* The same of @len bytes that belong to no piece. */
int deflate_bytes(struct deflater *deflater, const struct deflate_codes *codes,
		  struct deflated **deflated, const void *data, size_t len);

/*
 * A gzip member of given length: what its pieces do not fill is in the header, in an
 * extra field, where it means nothing to anyone (RFC 1952, 2.3.1.1). So that an answer
 * whose length is that of the one before can take its place.
 */
#define GZIP_PAD_MIN 4
#define GZIP_PAD_MAX 60000

struct gzip {
	unsigned char *out;	/* where the next goes */
	uint32_t crc;
	uint32_t raw_len;
};

/* Bytes around the pieces, without the extra field. */
#define GZIP_FRAME_BYTES (12 + 2 + 8)

void gzip_begin(struct gzip *gzip, void *out, size_t pad);
void gzip_add(struct gzip *gzip, const struct deflated *deflated);
void gzip_end(struct gzip *gzip);

#endif /* OBSRINGD_DEFLATE_H */
