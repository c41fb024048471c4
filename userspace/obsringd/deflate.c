// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#ifdef OBSRINGD_ISAL
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#endif

#include "deflate.h"
#include "piece.h"

void deflated_free(struct deflated *deflated)
{
	if (!deflated)
		return;
	free(deflated->data);
	free(deflated);
}

#ifdef OBSRINGD_ISAL

struct deflater {
	struct isal_zstream stream;
};

struct deflate_codes {
	size_t len;		/* of the body that they are of */
	struct isal_hufftables tables;
};

struct deflater *deflater_new(void)
{
	struct deflater *deflater = malloc(sizeof(*deflater));

	if (!deflater)
		return NULL;
	isal_deflate_init(&deflater->stream);
	deflater->stream.level = 0;
	deflater->stream.flush = FULL_FLUSH;
	return deflater;
}

void deflater_free(struct deflater *deflater)
{
	free(deflater);
}

static uint32_t crc_of(const void *data, size_t len)
{
	return crc32_gzip_refl(0, data, len);
}

/* Of a long body a part, which is as good. */
#define CODES_PIECES	64

static void codes_make(struct deflate_codes *codes, struct piece *const *piece,
		       uint32_t nr, size_t len)
{
	uint32_t i, step = nr / CODES_PIECES + 1;
	struct isal_huff_histogram histogram = { 0 };

	for (i = 0; i < nr; i += step)
		isal_update_histogram((uint8_t *)piece[i]->bytes->data,
				      (int)piece[i]->bytes->len, &histogram);
	isal_create_hufftables(&codes->tables, &histogram);
	codes->len = len;
}

int deflate_codes_fit(struct deflate_codes **codes, struct piece *const *piece,
		      uint32_t nr)
{
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < nr; i++)
		len += piece[i]->bytes->len;
	if (*codes && len <= 2 * (*codes)->len && len >= (*codes)->len / 2)
		return 0;
	if (!*codes)
		*codes = malloc(sizeof(**codes));
	if (!*codes)
		return -ENOMEM;
	codes_make(*codes, piece, nr, len);
	return 0;
}

/* Bytes written, or 0: there was no room. */
static size_t compress_into(struct deflater *deflater, const struct deflate_codes *codes,
			    void *out, size_t size, const void *data, size_t len)
{
	struct isal_zstream *stream = &deflater->stream;

	isal_deflate_reset(stream);
	isal_deflate_set_hufftables(stream, codes ? (void *)&codes->tables : NULL,
				    codes ? IGZIP_HUFFTABLE_CUSTOM :
					    IGZIP_HUFFTABLE_DEFAULT);
	stream->next_in = (uint8_t *)data;
	stream->avail_in = len;
	stream->next_out = out;
	stream->avail_out = size;
	stream->end_of_stream = 0;
	if (isal_deflate(stream) != COMP_OK || stream->avail_in || !stream->avail_out)
		return 0;
	return size - stream->avail_out;
}

#else /* zlib */

struct deflater {
	z_stream stream;
};

struct deflater *deflater_new(void)
{
	struct deflater *deflater = calloc(1, sizeof(*deflater));

	if (deflater && deflateInit2(&deflater->stream, Z_BEST_SPEED, Z_DEFLATED,
				     -MAX_WBITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(deflater);
		return NULL;
	}
	return deflater;
}

void deflater_free(struct deflater *deflater)
{
	if (!deflater)
		return;
	deflateEnd(&deflater->stream);
	free(deflater);
}

static uint32_t crc_of(const void *data, size_t len)
{
	return crc32_z(0, data, len);
}

int deflate_codes_fit(struct deflate_codes **codes, struct piece *const *piece,
		      uint32_t nr)
{
	(void)codes;
	(void)piece;
	(void)nr;
	return 0;
}

static size_t compress_into(struct deflater *deflater, const struct deflate_codes *codes,
			    void *out, size_t size, const void *data, size_t len)
{
	z_stream *stream = &deflater->stream;

	(void)codes;
	deflateReset(stream);
	stream->next_in = (void *)data;
	stream->avail_in = len;
	stream->next_out = out;
	stream->avail_out = size;
	if (deflate(stream, Z_FULL_FLUSH) != Z_OK || stream->avail_in ||
	    !stream->avail_out)
		return 0;
	return size - stream->avail_out;
}

#endif

void deflate_codes_free(struct deflate_codes *codes)
{
	free(codes);
}

static int reserve(struct deflated *deflated, size_t size)
{
	unsigned char *data;

	if (size <= deflated->size)
		return 0;
	data = realloc(deflated->data, size);
	if (!data)
		return -ENOMEM;
	deflated->data = data;
	deflated->size = size;
	return 0;
}

int deflate_bytes(struct deflater *deflater, const struct deflate_codes *codes,
		  struct deflated **ret, const void *data, size_t len)
{
	struct deflated *deflated = *ret ? *ret : calloc(1, sizeof(*deflated));
	size_t size = len / 4 + 256, out = 0;

	if (!deflated)
		return -ENOMEM;
	*ret = deflated;
	for (size = size > deflated->size ? size : deflated->size; !out; size *= 2) {
		if (reserve(deflated, size) < 0)
			return -ENOMEM;
		out = compress_into(deflater, codes, deflated->data, deflated->size,
				    data, len);
	}
	deflated->len = out;
	deflated->raw_len = len;
	deflated->crc = crc_of(data, len);
	return 0;
}

int deflate_piece(struct deflater *deflater, const struct deflate_codes *codes,
		  struct piece *piece)
{
	int r;

	if (piece->deflated && !piece->changed)
		return 0;
	r = deflate_bytes(deflater, codes, &piece->deflated, piece->bytes->data,
			  piece->bytes->len);
	piece->changed = r < 0;
	return r;
}

static unsigned char *put_le(unsigned char *out, uint32_t value, unsigned int bytes)
{
	for (; bytes--; value >>= 8)
		*out++ = value;
	return out;
}

void gzip_begin(struct gzip *gzip, void *start, size_t pad)
{
	static const unsigned char header[10] = { 0x1f, 0x8b, 8, 4 /* FEXTRA */, [9] = 255 };
	unsigned char *out = start;

	memcpy(out, header, sizeof(header));
	out = put_le(out + sizeof(header), pad, 2);
	memcpy(out, "pa", 2);
	put_le(out + 2, pad - GZIP_PAD_MIN, 2);
	memset(out + GZIP_PAD_MIN, 0, pad - GZIP_PAD_MIN);
	*gzip = (struct gzip){ .out = out + pad };
}

void gzip_add(struct gzip *gzip, const struct deflated *deflated)
{
	memcpy(gzip->out, deflated->data, deflated->len);
	gzip->out += deflated->len;
	gzip->crc = crc32_combine(gzip->crc, deflated->crc, deflated->raw_len);
	gzip->raw_len += deflated->raw_len;
}

void gzip_end(struct gzip *gzip)
{
	/* The last block, empty: fixed codes, end of block. */
	gzip->out = put_le(gzip->out, 0x0003, 2);
	gzip->out = put_le(gzip->out, gzip->crc, 4);
	gzip->out = put_le(gzip->out, gzip->raw_len, 4);
}
