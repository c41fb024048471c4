// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any Accept header ends in a format, and a header that says the
 * same twice says it once.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "obsringd/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	    accept_choose(&once) != accept_choose(&twice))
		abort();
	free(header);
	return 0;
}
