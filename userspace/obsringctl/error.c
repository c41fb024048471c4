// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>

#include "obsringctl.h"

int ctl_fail(const char *format, ...)
{
	va_list args;

	fputs("obsringctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return CTL_FAILED;
}

int ctl_misused(const struct ctl_command *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "obsringctl: %s: ", command->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nusage: obsringctl %s%s%s\n", command->name,
		*command->usage ? " " : "", command->usage);
	return CTL_USAGE;
}
