// SPDX-License-Identifier: MIT
#include <string.h>

#include "page.h"
#include "version.h"

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

static void put_link(struct text *page, const char *path, const char *what)
{
	text_puts(page, "<li><a href=\"");
	put_html(page, path);
	text_puts(page, "\">");
	put_html(page, path);
	text_puts(page, "</a> ");
	text_puts(page, what);
	text_puts(page, "</li>\n");
}

void page_build(struct text *page, const char *telemetry_path)
{
	text_puts(page,
		  "<!DOCTYPE html>\n"
		  "<html lang=\"en\">\n"
		  "<head>\n"
		  "<meta charset=\"utf-8\">\n"
		  "<meta name=\"viewport\" content=\"width=device-width\">\n"
		  "<title>obsringd</title>\n"
		  "<style>\n"
		  ":root { color-scheme: light dark; }\n"
		  "body { font-family: sans-serif; max-width: 40em; margin: 2em auto; "
		  "padding: 0 1em; }\n"
		  "</style>\n"
		  "</head>\n"
		  "<body>\n"
		  "<h1>obsringd</h1>\n"
		  "<p>Version ");
	text_puts(page, obsringd_version);
	text_puts(page, ", revision ");
	text_puts(page, obsringd_revision);
	text_puts(page, ". Serves what the obsring kernel module counts.</p>\n"
		  "<ul>\n");
	put_link(page, telemetry_path, "metrics, for Prometheus");
	put_link(page, "/-/healthy", "whether the daemon runs");
	put_link(page, "/-/ready", "whether it can read the device");
	text_puts(page, "</ul>\n</body>\n</html>\n");
}
