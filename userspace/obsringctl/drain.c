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
	int r, words;

	r = ctl_options_parse(command, globals, options, argc, argv, &words);
	if (r || globals->help)
		return r;
	if (words)
		return ctl_misused(command, "\"%s\" is not expected", argv[0]);
	r = ctl_control_open(&control);
	if (r)
		return r;
	if (obs_control_set_state(control, undo ? OBSRING_STATE_RUNNING :
						  OBSRING_STATE_DRAINING))
		r = ctl_request_failed(control, "cannot %s",
				       undo ? "take back draining" : "drain");
	obs_control_close(control);
	return r;
}
