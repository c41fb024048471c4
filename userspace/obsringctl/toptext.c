// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <obsring/name.h>

#include "toptext.h"

static void zeros_strip(char *text)
{
	size_t n = strlen(text);

	if (!strchr(text, '.'))
		return;
	while (text[n - 1] == '0')
		n--;
	text[text[n - 1] == '.' ? n - 1 : n] = 0;
}

const char *top_number(char *text, double value)
{
	static const char suffixes[] = "pnum\0kMGTPE";
	const int below = 4, above = 6;
	int exponent, group;

	if (isnan(value))
		return strcpy(text, "-");
	if (isinf(value))
		return strcpy(text, value > 0 ? "+Inf" : "-Inf");
	/* The exponent of what is left after rounding: 9999.9 is 10k. */
	snprintf(text, TOP_NUMBER_SIZE, "%.3e", value);
	exponent = atoi(strchr(text, 'e') + 1);
	group = exponent >= -1 && exponent <= 3 ? 0 : (int)floor(exponent / 3.0);
	if (group < -below || group > above) {
		snprintf(text, TOP_NUMBER_SIZE, "%.0e", value);
		return text;
	}
	snprintf(text, TOP_NUMBER_SIZE, "%.*f", 3 - (exponent - 3 * group),
		 value / pow(10, 3 * group));
	zeros_strip(text);
	if (group)
		strncat(text, &suffixes[group + below], 1);
	return text;
}

const char *top_heads(char *text)
{
	snprintf(text, TOP_FIGURES_SIZE, "%*s %*s %*s %*s %*s", TOP_NUMBER_WIDTH, "VALUE",
		 TOP_NUMBER_WIDTH, "RATE/s", TOP_NUMBER_WIDTH, "P50",
		 TOP_NUMBER_WIDTH, "P90", TOP_NUMBER_WIDTH, "P99");
	return text;
}

const char *top_figures(char *text, const struct top_line *line)
{
	const struct top_row *row = line->row;
	double figure[2 + TOP_QUANTILES];
	char number[TOP_NUMBER_SIZE];
	unsigned int i;
	int at = 0;

	for (i = 0; i < TOP_QUANTILES; i++)
		figure[2 + i] = line->cpu < 0 ? row->quantile[i] : NAN;
	figure[0] = line->cpu < 0 ? row->value : top_cpu_value(row, &row->cpu[line->cpu]);
	figure[1] = line->cpu < 0 ? row->rate : top_cpu_rate(row, &row->cpu[line->cpu]);
	for (i = 0; i < 2 + TOP_QUANTILES; i++)
		at += snprintf(text + at, TOP_NUMBER_SIZE, "%s%*s", i ? " " : "",
			       TOP_NUMBER_WIDTH, top_number(number, figure[i]));
	return text;
}

char *top_name(const struct top_line *line)
{
	const struct top_row *row = line->row;
	char *text;
	int r;

	if (line->cpu >= 0 && row->cpu[line->cpu].cpu == OBSRING_CPU_SHARED)
		return strdup("  shared");
	if (line->cpu >= 0)
		r = asprintf(&text, "  cpu %u", row->cpu[line->cpu].cpu);
	else if (row->series->family->kind == OBSRING_KIND_STATE)
		r = asprintf(&text, "%s %s", row->text, row->state);
	else
		return strdup(row->text);
	return r < 0 ? NULL : text;
}

size_t top_cells(const char *text, unsigned int skip, unsigned int columns, wchar_t *cells)
{
	unsigned int at = 0, len;
	size_t n = 0;
	int width;
	__u32 c;

	for (; *text; text += len ? len : 1) {
		len = obs_utf8_decode(text, &c);
		width = len ? wcwidth((wchar_t)c) : -1;
		if (width < 1) {
			c = '?';
			width = 1;
		}
		if (at + (unsigned int)width > skip + columns)
			break;
		/* Of a wide one whose half is skipped, nothing is left but a blank. */
		if (at >= skip)
			cells[n++] = (wchar_t)c;
		else if (at + (unsigned int)width > skip)
			cells[n++] = ' ';
		at += (unsigned int)width;
	}
	cells[n] = 0;
	return n;
}
