// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include <curses.h>

#include "toptext.h"
#include "topview.h"

#define HEAD_ROWS	2		/* title, heads of the columns */
#define FOOT_ROWS	1
#define COLUMNS_MAX	1024		/* wider screens stay empty there */

/* Text, whoever wrote it, from @column on to the end of the row. */
static void put(int row, int column, const char *text, unsigned int skip)
{
	wchar_t cells[COLUMNS_MAX + 1];
	int left = COLS - column;

	if (row < 0 || row >= LINES || left <= 0)
		return;
	top_cells(text, skip, left < COLUMNS_MAX ? (unsigned int)left : COLUMNS_MAX, cells);
	mvaddwstr(row, column, cells);
}

static int log_rows(const struct top_view *view)
{
	return view->hide_log || LINES < 12 ? 0 : LINES / 4;
}

static int body_rows(const struct top_view *view)
{
	return LINES - HEAD_ROWS - FOOT_ROWS - log_rows(view);
}

size_t top_page(const struct top_view *view)
{
	int rows = body_rows(view);

	return rows > 1 ? (size_t)rows : 1;
}

static void title_draw(const struct top_view *view)
{
	const struct top_model *model = &view->top->model;
	char text[512];

	snprintf(text, sizeof(text), "%s  %zu of %zu series  by %s%s  every %gs%s%s%s%s",
		 view->frozen ? "FROZEN" : "obsring", model->nr_shown, model->nr,
		 top_sort_names[model->sort], model->reversed ? ", reversed" : "",
		 (double)view->top->interval_ns / 1e9,
		 model->whole ? "  quantiles of all" : "",
		 model->filtered ? "  /" : "", view->filter, model->filtered ? "/" : "");
	attron(A_BOLD);
	put(0, 0, text, 0);
	attroff(A_BOLD);
}

static void heads_draw(void)
{
	char text[TOP_FIGURES_SIZE], row[TOP_FIGURES_SIZE + sizeof("  NAME")];

	snprintf(row, sizeof(row), " %s NAME", top_heads(text));
	attron(A_UNDERLINE);
	put(1, 0, row, 0);
	attroff(A_UNDERLINE);
}

static void line_draw(const struct top_view *view, int row, size_t index)
{
	const struct top_line *line = &view->top->model.line[index];
	char figures[TOP_FIGURES_SIZE];
	char *name = top_name(line);
	bool chosen = index == view->at;

	top_figures(figures, line);
	if (chosen)
		attron(A_REVERSE);
	put(row, 0, chosen ? ">" : " ", 0);
	put(row, 1, figures, 0);
	put(row, 1 + (int)strlen(figures), " ", 0);
	put(row, 2 + (int)strlen(figures), name ? name : "?", view->skip);
	if (chosen)
		attroff(A_REVERSE);
	free(name);
}

static void body_draw(struct top_view *view)
{
	const struct top_model *model = &view->top->model;
	size_t page = top_page(view), i;

	if (view->at < view->first)
		view->first = view->at;
	if (view->at >= view->first + page)
		view->first = view->at - page + 1;
	if (view->first + page > model->nr_lines)
		view->first = model->nr_lines > page ? model->nr_lines - page : 0;
	for (i = 0; i < page && view->first + i < model->nr_lines; i++)
		line_draw(view, HEAD_ROWS + (int)i, view->first + i);
}

static void log_draw(const struct top_view *view)
{
	int rows = log_rows(view), top = LINES - FOOT_ROWS - rows, i;
	const struct top_log *log = &view->log;
	uint64_t nr, first;

	if (!rows)
		return;
	mvhline(top, 0, '-', COLS);
	put(top, 2, " log ", 0);
	if (log->error)
		put(top + 1, 0, ctl_open_reason(log->error), 0);
	nr = log->nr < TOP_LOG_LINES ? log->nr : TOP_LOG_LINES;
	if (nr > (uint64_t)rows - 1)
		nr = (uint64_t)rows - 1;
	first = log->nr - nr;
	for (i = 0; i < (int)nr; i++) {
		const char *line = log->line[(first + (uint64_t)i) % TOP_LOG_LINES];

		put(top + 1 + i + (log->error ? 1 : 0), 0, line ? line : "?", 0);
	}
}

static void foot_draw(const struct top_view *view)
{
	char text[TOP_PROMPT_MAX + 2];

	if (view->prompting)
		snprintf(text, sizeof(text), "/%s", view->prompt);
	move(LINES - 1, 0);
	clrtoeol();
	put(LINES - 1, 0, view->prompting ? text : *view->message ? view->message :
	    "q quit  / filter  n r v p sort  Enter CPUs  f freeze  t total  l log", 0);
}

void top_draw(struct top_view *view)
{
	erase();
	body_draw(view);
	log_draw(view);
	title_draw(view);
	heads_draw();
	foot_draw(view);
	refresh();
}
