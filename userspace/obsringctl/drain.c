// SPDX-License-Identifier: MIT
#include "options.h"

int ctl_drain(const struct ctl_command *command, struct ctl_globals *globals,
	      int argc, char **argv)
{
	bool undo = false;
	const struct ctl_option options[] = {
		{ "undo", &undo, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct obs_control *control;
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 0, NULL);
	if (r || globals->help)
		return r;
	r = ctl_control_open(&control);
	if (r)
		return r;
	r = obs_control_set_state(control, undo ? OBSRING_STATE_RUNNING :
						  OBSRING_STATE_DRAINING);
	return ctl_control_end(control, r, "cannot %s",
			       undo ? "take back draining" : "drain");
}
