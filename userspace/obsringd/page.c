// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* memmem */
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "page.h"
#include "version.h"

#define SHA256_BYTES 32

/* The Makefile says where it is. */
__asm__(".section .rodata\n"
	".global obsringd_page_html\n"
	"obsringd_page_html:\n"
	"	.incbin \"" OBSRINGD_PAGE "\"\n"
	".global obsringd_page_html_end\n"
	"obsringd_page_html_end:\n"
	"	.byte 0\n"
	".previous\n");

extern const char obsringd_page_html[], obsringd_page_html_end[];

static const struct {
	char c;
	const char *entity;
} entities[] = {
	{ '&', "&amp;" },
	{ '<', "&lt;" },
	{ '>', "&gt;" },
	{ '"', "&quot;" },
	{ '\'', "&#39;" },
};

static void put_html(struct text *page, const char *string)
{
	size_t i;

	for (; *string; string++) {
		for (i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
			if (entities[i].c == *string)
				break;
		if (i < sizeof(entities) / sizeof(entities[0]))
			text_puts(page, entities[i].entity);
		else
			text_put(page, string, 1);
	}
}

/* What stands for something else. None is within the style or the script. */
struct blank {
	const char *mark;
	const char *value;
};

static const struct blank *find_blank(const struct blank *blank, const char *at)
{
	for (; blank->mark; blank++)
		if (!strncmp(at, blank->mark, strlen(blank->mark)))
			return blank;
	return NULL;
}

static void put_page(struct text *html, const struct blank *blanks)
{
	const char *at = obsringd_page_html, *next;
	const struct blank *blank;

	while ((next = strstr(at, "{{"))) {
		text_put(html, at, next - at);
		blank = find_blank(blanks, next);
		if (blank)
			put_html(html, blank->value);
		else
			text_put(html, next, 2);
		at = next + (blank ? strlen(blank->mark) : 2);
	}
	text_puts(html, at);
}

/* 'sha256-...' of what stands between @begin and @end. */
static void put_hash(struct text *policy, const char *begin, const char *end)
{
	unsigned char hash[SHA256_BYTES];
	gnutls_datum_t bytes = { .data = hash, .size = sizeof(hash) }, base64;
	const char *from = strstr(obsringd_page_html, begin), *to;

	if (!from)
		return;
	from += strlen(begin);
	to = strstr(from, end);
	if (!to || gnutls_hash_fast(GNUTLS_DIG_SHA256, from, to - from, hash) < 0 ||
	    gnutls_base64_encode2(&bytes, &base64) < 0)
		return;
	text_puts(policy, "'sha256-");
	text_put(policy, base64.data, base64.size);
	text_puts(policy, "'");
	gnutls_free(base64.data);
}

void page_build(struct page *page, const char *telemetry_path)
{
	const struct blank blanks[] = {
		{ "{{version}}", obsringd_version },
		{ "{{revision}}", obsringd_revision },
		{ "{{metrics}}", telemetry_path },
		{ NULL, NULL },
	};

	put_page(&page->html, blanks);
	text_puts(&page->policy, "default-src 'none'; connect-src 'self'; img-src data:; "
		  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src ");
	put_hash(&page->policy, "<style>", "</style>");
	text_puts(&page->policy, "; script-src ");
	put_hash(&page->policy, "<script>", "</script>");
	text_put(&page->policy, "", 1);
}

void page_free(struct page *page)
{
	text_free(&page->html);
	text_free(&page->policy);
}
