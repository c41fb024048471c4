/* SPDX-License-Identifier: MIT */
/* The figures of `top` in few columns, and text in the cells of a terminal. */
#ifndef OBSRINGCTL_TOPTEXT_H
#define OBSRINGCTL_TOPTEXT_H

#include <wchar.h>

#include "topmodel.h"

#define TOP_NUMBER_WIDTH	7
#define TOP_NUMBER_SIZE		32

/* Four digits, with k, M, G or m, u, n where that is shorter; "-" for NaN. */
const char *top_number(char *text, double value);

/* The heads of the columns, and the figures of a line below them. */
#define TOP_FIGURES_SIZE	((2 + TOP_QUANTILES) * TOP_NUMBER_SIZE)
const char *top_heads(char *text);
const char *top_figures(char *text, const struct top_line *line);

/* What a line is about: its series, and a state set's state; or a CPU. NULL: no memory. */
char *top_name(const struct top_line *line);

/*
 * UTF-8 to the cells that show it, at most @columns of them, from cell @skip on: how
 * many characters, with L'\0' behind. A character that has no cell of its own, as
 * control characters and those that turn the order of others, is shown as "?". @cells has
 * room for @columns + 1.
 */
size_t top_cells(const char *text, unsigned int skip, unsigned int columns, wchar_t *cells);

#endif /* OBSRINGCTL_TOPTEXT_H */
