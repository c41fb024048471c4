// SPDX-License-Identifier: MIT
#include "hook.h"

struct hook hook;

void hook_set(unsigned int after, void (*call)(void *context), void *context)
{
	hook.call = call;
	hook.context = context;
	hook.left = after;
}
