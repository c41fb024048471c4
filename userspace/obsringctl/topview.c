// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <curses.h>

#include "topview.h"

#define ESCAPE_MS	25		/* that the rest of a function key may take */
#define DRAIN_NS	1000000000ULL	/* between looks whether the module wants to go */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* All that were typed. 1: quit; -errno. */
static int keys_take(struct top_view *view)
{
	wint_t key;
	int r, what;

	while ((what = get_wch(&key)) != ERR) {
		r = top_key(view, (unsigned int)key, what == KEY_CODE_YES);
		if (r)
			return r;
	}
	return 0;
}

static int reading_take(struct top_view *view)
{
	int r;

	top_log_read(&view->log);
	r = top_read(&view->top->model, &view->top->reader);
	return r ? r : top_order(view);
}

/* Until a key, another size, @until_ns or the next look at DRAIN_NS. -EIO: the terminal is gone. */
static int await(uint64_t until_ns)
{
	struct pollfd polled = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t now = now_ns();
	uint64_t left_ns = until_ns > now ? until_ns - now : 0;
	int timeout_ms = left_ns < DRAIN_NS ? (int)((left_ns + 999999) / 1000000) :
					      (int)(DRAIN_NS / 1000000);

	if (poll(&polled, 1, timeout_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	return polled.revents & (POLLHUP | POLLERR | POLLNVAL) ? -EIO : 0;
}

static int view_run(struct top_view *view)
{
	uint64_t next_ns = 0;
	int r = 0;

	while (!r) {
		/* Frozen as well: who keeps the device open keeps the module. */
		if (obs_device_draining(view->top->reader.device))
			return -ESHUTDOWN;
		if (now_ns() >= next_ns) {
			next_ns = now_ns() + view->top->interval_ns;
			r = view->frozen ? 0 : reading_take(view);
			if (r)
				break;
		}
		top_draw(view);
		r = await(next_ns);
		if (!r)
			r = keys_take(view);
	}
	return r;
}

static void screen_init(void)
{
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	set_escdelay(ESCAPE_MS);
}

int top_view(struct top *top)
{
	struct top_view view = { .top = top };
	SCREEN *screen = newterm(NULL, stdout, stdin);
	int r;

	if (!screen)
		return ctl_fail("top: the terminal's type, TERM, is not known; "
				"see --once and --json");
	screen_init();
	if (top->filter)
		snprintf(view.filter, sizeof(view.filter), "%s", top->filter);
	top_log_open(&view.log, top->device);
	r = view_run(&view);
	endwin();
	delscreen(screen);
	top_log_close(&view.log);
	return r < 0 ? top_read_failed(top, r) : CTL_OK;
}
