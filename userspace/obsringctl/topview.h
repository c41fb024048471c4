/* SPDX-License-Identifier: MIT */
/* The full-screen view of `top`: what is shown where, and what keys do. */
#ifndef OBSRINGCTL_TOPVIEW_H
#define OBSRINGCTL_TOPVIEW_H

#include "top.h"
#include "toplog.h"

#define TOP_PROMPT_MAX	255

/**
 * struct top_view - what the user chose
 * @top, @log: what is shown
 * @at: the chosen line; @at_id, @at_gen, @at_cpu: it, wherever it goes
 * @first: the line at the top
 * @skip: columns of names, to the left of the screen
 * @frozen: nothing is read
 * @hide_log: the pane is
 * @prompting: @prompt is being typed, a new filter
 * @filter: the one that holds
 * @message: of the last key; "" after the next
 */
struct top_view {
	struct top *top;
	struct top_log log;
	size_t at, first;
	uint32_t at_id, at_gen;
	int at_cpu;
	unsigned int skip;
	bool frozen, hide_log, prompting;
	char prompt[TOP_PROMPT_MAX + 1], filter[TOP_PROMPT_MAX + 1];
	char message[256];
};

/* topdraw.c: all of the screen, whatever its size. */
void top_draw(struct top_view *view);
/* Lines that are seen at once, at least 1. */
size_t top_page(const struct top_view *view);

/* topkeys.c: @key as get_wch() gives it, @function: with KEY_CODE_YES. 1: quit; -errno. */
int top_key(struct top_view *view, unsigned int key, bool function);
/* Make the lines anew, and find the chosen one among them. */
int top_order(struct top_view *view);

#endif /* OBSRINGCTL_TOPVIEW_H */
