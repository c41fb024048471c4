// SPDX-License-Identifier: MIT
/* In topview.c's place, where ncurses was not there to build with. */
#include "top.h"

int top_view(struct top *top)
{
	(void)top;
	return ctl_fail("top: built without ncurses; see --once and --json");
}
