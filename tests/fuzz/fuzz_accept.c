// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any Accept header ends in a format; a header that says the same twice says
 * it once, and what nobody has to offer changes nothing before it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "obsringd/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum format_id behind_another(const char *header)
{
	static const char before[] = "image/png;x=\"a,b\", ";
	char *whole = malloc(sizeof(before) + strlen(header));
	struct accept accept;

	if (!whole)
		abort();
	strcpy(stpcpy(whole, before), header);
	accept_init(&accept);
	accept_parse(&accept, whole);
	free(whole);
	return accept_choose(&accept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *header = malloc(size + 1);
	struct accept once, twice;

	if (!header)
		return 0;
	memcpy(header, data, size);
	header[size] = '\0';
	accept_init(&once);
	accept_parse(&once, header);
	accept_init(&twice);
	accept_parse(&twice, header);
	accept_parse(&twice, header);
	if (accept_choose(&once) >= FORMAT_NR ||
	    accept_choose(&once) != accept_choose(&twice) ||
	    accept_choose(&once) != behind_another(header))
		abort();
	free(header);
	return 0;
}
