// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any bytes, in pieces of any length, with codes of their own or of others,
 * are what zlib makes of the gzip member that they become. A piece that did not change is
 * not compressed again, one that did is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "obsringd/deflate.h"
#include "obsringd/piece.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PIECES_MAX	8
#define BYTES_MAX	16384

static void require(int holds)
{
	if (!holds)
		abort();
}

static unsigned int pieces_make(struct piece *piece, struct chunk *chunk, uint8_t *bytes,
				size_t len, uint8_t each)
{
	size_t n = len / PIECES_MAX + each + 1, at;
	unsigned int nr = 0;

	for (at = 0; at < len; at += n, nr++) {
		n = n < len - at ? n : len - at;
		chunk[nr] = (struct chunk){ .refs = 1, .len = n, .size = n,
					    .data = (char *)bytes + at };
		piece[nr] = (struct piece){ .bytes = &chunk[nr] };
	}
	return nr;
}

/* As an answer: a head that may be padded, then the pieces. */
static void round_trip(struct piece *piece, unsigned int nr, const uint8_t *bytes, size_t len,
		       size_t pad)
{
	static unsigned char out[GZIP_PAD_MAX + 4 * BYTES_MAX + 4096], back[BYTES_MAX + 1];
	z_stream stream = { .next_in = out, .next_out = back, .avail_out = sizeof(back) };
	size_t total = GZIP_FRAME_BYTES + pad;
	struct gzip gzip;
	unsigned int i;

	gzip_begin(&gzip, out, pad);
	for (i = 0; i < nr; i++) {
		gzip_add(&gzip, piece[i].deflated);
		total += piece[i].deflated->len;
	}
	gzip_end(&gzip);
	require((size_t)(gzip.out - out) == total && total <= sizeof(out));
	stream.avail_in = (uInt)total;
	require(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK);
	require(inflate(&stream, Z_FINISH) == Z_STREAM_END && !stream.avail_in);
	require(stream.total_out == len && !memcmp(back, bytes, len));
	inflateEnd(&stream);
}

static void deflate_all(struct deflater *deflater, const struct deflate_codes *codes,
			struct piece *piece, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		require(!deflate_piece(deflater, codes, &piece[i]) && !piece[i].changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct deflate_codes *codes;
	struct piece piece[PIECES_MAX + 1], *pointer[PIECES_MAX + 1];
	struct chunk chunk[PIECES_MAX + 1];
	struct deflater *deflater;
	unsigned int nr, i;
	uint8_t *bytes;
	size_t len, pad;

	if (size < 3 || size - 3 > BYTES_MAX)
		return -1;
	len = size - 3;
	pad = GZIP_PAD_MIN;
	if (data[2] & 1)
		pad += (data[0] << 8 | data[1]) % (GZIP_PAD_MAX - GZIP_PAD_MIN + 1);
	bytes = malloc(len + !len);
	deflater = deflater_new();
	require(bytes && deflater);
	memcpy(bytes, data + 3, len);
	nr = pieces_make(piece, chunk, bytes, len, data[1]);
	for (i = 0; i < nr; i++)
		pointer[i] = &piece[i];
	if (data[2] & 2)
		require(!deflate_codes_fit(&codes, pointer, nr));
	deflate_all(deflater, data[2] & 4 ? NULL : codes, piece, nr);
	round_trip(piece, nr, bytes, len, pad);
	/* One of them changes; the others are taken as they are. */
	if (nr) {
		i = data[0] % nr;
		chunk[i].data[data[1] % chunk[i].len] ^= 0x55;
		piece[i].changed = true;
		deflate_all(deflater, codes, piece, nr);
		round_trip(piece, nr, bytes, len, GZIP_PAD_MIN);
	}
	for (i = 0; i < nr; i++)
		deflated_free(piece[i].deflated);
	deflater_free(deflater);
	free(bytes);
	return 0;
}
