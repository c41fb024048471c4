// SPDX-License-Identifier: MIT
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <curses.h>

#include "topview.h"

#define ESCAPE		27
#define SHIFT		8		/* columns that names move by */

/* ---- The chosen line ----------------------------------------------------- */

static void choose(struct top_view *view, size_t index)
{
	const struct top_model *model = &view->top->model;
	const struct top_line *line;

	if (!model->nr_lines) {
		view->at = 0;
		return;
	}
	view->at = index < model->nr_lines ? index : model->nr_lines - 1;
	line = &model->line[view->at];
	view->at_id = line->row->id;
	view->at_gen = line->row->gen;
	view->at_cpu = line->cpu;
}

static void choose_by(struct top_view *view, long lines)
{
	size_t back = lines < 0 ? (size_t)-lines : 0;

	if (lines > 0)
		choose(view, view->at + (size_t)lines);
	else
		choose(view, view->at > back ? view->at - back : 0);
}

/* The first line stays so, until another is chosen: what counts most is there. */
int top_order(struct top_view *view)
{
	struct top_model *model = &view->top->model;
	const struct top_line *line;
	int r = top_model_order(model);
	size_t i;

	if (r)
		return r;
	for (i = 0; view->at && i < model->nr_lines; i++) {
		line = &model->line[i];
		if (line->row->id == view->at_id && line->row->gen == view->at_gen &&
		    line->cpu == view->at_cpu) {
			view->at = i;
			return 0;
		}
	}
	choose(view, view->at);
	return 0;
}

/* ---- Keys ---------------------------------------------------------------- */

/* Of a CPU's line: its series' line becomes the chosen one. */
static int expand_toggle(struct top_view *view)
{
	struct top *top = view->top;
	struct top_row *row;
	int r;

	if (view->at >= top->model.nr_lines)
		return 0;
	while (top->model.line[view->at].cpu >= 0)
		view->at--;
	choose(view, view->at);
	row = top->model.line[view->at].row;
	r = top_expand(row, &top->reader, !row->expanded);
	if (r && r != -ESTALE)
		return r;
	if (row->expanded && !row->nr_cpus) {
		row->expanded = false;
		snprintf(view->message, sizeof(view->message),
			 "it has one value, none for each CPU");
	}
	return top_order(view);
}

static int sort(struct top_view *view, enum top_sort by)
{
	top_model_sort(&view->top->model, by);
	view->at = 0;
	return top_order(view);
}

static int filter_apply(struct top_view *view)
{
	char error[128];

	view->prompting = false;
	if (top_model_filter(&view->top->model, view->prompt, error, sizeof(error))) {
		snprintf(view->message, sizeof(view->message), "no filter: %s", error);
		return 0;
	}
	memcpy(view->filter, view->prompt, sizeof(view->filter));
	view->at = 0;
	return top_order(view);
}

static void prompt_add(struct top_view *view, wchar_t c)
{
	size_t n = strlen(view->prompt);
	char bytes[MB_LEN_MAX];
	int len = wctomb(bytes, c);

	if (len < 1 || wcwidth(c) < 1 || n + (size_t)len > TOP_PROMPT_MAX)
		return;
	memcpy(view->prompt + n, bytes, (size_t)len);
	view->prompt[n + (size_t)len] = 0;
}

static void prompt_shorten(struct top_view *view)
{
	size_t n = strlen(view->prompt);

	while (n && ((unsigned char)view->prompt[--n] & 0xc0) == 0x80)
		;
	view->prompt[n] = 0;
}

static int prompt_key(struct top_view *view, unsigned int key, bool function)
{
	if (function ? key == KEY_ENTER : key == '\n' || key == '\r')
		return filter_apply(view);
	if (function ? key == KEY_BACKSPACE : key == '\b' || key == 127)
		prompt_shorten(view);
	else if (!function && key == ESCAPE)
		view->prompting = false;
	else if (!function)
		prompt_add(view, (wchar_t)key);
	return 0;
}

static int function_key(struct top_view *view, unsigned int key)
{
	long page = (long)top_page(view);

	switch (key) {
	case KEY_DOWN:
		choose_by(view, 1);
		break;
	case KEY_UP:
		choose_by(view, -1);
		break;
	case KEY_NPAGE:
		choose_by(view, page);
		break;
	case KEY_PPAGE:
		choose_by(view, -page);
		break;
	case KEY_HOME:
		choose(view, 0);
		break;
	case KEY_END:
		choose(view, SIZE_MAX);
		break;
	case KEY_RIGHT:
		view->skip += view->skip < 4096 ? SHIFT : 0;
		break;
	case KEY_LEFT:
		view->skip -= view->skip ? SHIFT : 0;
		break;
	case KEY_ENTER:
		return expand_toggle(view);
	default:
		break;
	}
	return 0;
}

static int plain_key(struct top_view *view, unsigned int key)
{
	struct top_model *model = &view->top->model;

	switch (key) {
	case 'q':
		return 1;
	case 'j':
		choose_by(view, 1);
		break;
	case 'k':
		choose_by(view, -1);
		break;
	case 'g':
		choose(view, 0);
		break;
	case 'G':
		choose(view, SIZE_MAX);
		break;
	case 'n':
		return sort(view, TOP_NAME);
	case 'r':
		return sort(view, TOP_RATE);
	case 'v':
		return sort(view, TOP_VALUE);
	case 'p':
		return sort(view, TOP_P99);
	case 'f':
		view->frozen = !view->frozen;
		break;
	case 'l':
		view->hide_log = !view->hide_log;
		break;
	case 't':
		model->whole = !model->whole;
		return top_order(view);
	case '/':
		view->prompting = true;
		view->prompt[0] = 0;
		break;
	case '\n':
	case '\r':
	case ' ':
	case 'c':
		return expand_toggle(view);
	case 'L' & 0x1f:
		clearok(curscr, TRUE);
		break;
	default:
		break;
	}
	return 0;
}

int top_key(struct top_view *view, unsigned int key, bool function)
{
	view->message[0] = 0;
	if (view->prompting)
		return prompt_key(view, key, function);
	return function ? function_key(view, key) : plain_key(view, key);
}
