// SPDX-License-Identifier: MIT
/* obsringctl: see and configure what the obsring module counts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

static void help_all(void)
{
	const struct ctl_command *command;

	puts("usage: obsringctl [--device PATH] [--json] COMMAND ...\n");
	for (command = ctl_commands; command->name; command++)
		if (!command->hidden)
			printf("  %s%s%s\n        %s\n", command->name,
			       *command->usage ? " " : "", command->usage,
			       command->help);
	puts("\n  --device PATH  read another device than " OBSRING_DEVICE "\n"
	     "  --json         print JSON\n"
	     "  --help         show this, or a command's usage\n"
	     "  --version      show the version");
}

static void help_command(const struct ctl_command *command)
{
	printf("usage: obsringctl %s%s%s\n\n%s\n", command->name,
	       *command->usage ? " " : "", command->usage, command->help);
}

static int misused(int argc, char **argv)
{
	if (argc > 1)
		fprintf(stderr, "obsringctl: unknown command \"%s %s\"\n", argv[0],
			argv[1]);
	else if (argc)
		fprintf(stderr, "obsringctl: unknown command \"%s\"\n", argv[0]);
	else
		fputs("obsringctl: a command is missing\n", stderr);
	fputs("usage: obsringctl [--device PATH] [--json] COMMAND ...; see --help\n",
	      stderr);
	return CTL_USAGE;
}

static int run(struct ctl_globals *globals, int argc, char **argv)
{
	const struct ctl_command *command;
	int words, r;

	if (globals->help) {
		help_all();
		return CTL_OK;
	}
	if (globals->version) {
		puts("obsringctl " OBSRING_VERSION);
		return CTL_OK;
	}
	command = ctl_command_find(argc, argv, &words);
	if (!command)
		return misused(argc, argv);
	r = command->run(command, globals, argc - words, argv + words);
	if (!r && globals->help)
		help_command(command);
	return r;
}

/*
 * A standard file that the caller closed would become the device, or the netlink
 * socket, and get what is printed. What is opened here can't be written either, and
 * is closed again for a command that is run.
 */
static void hold_standard_files(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	struct ctl_globals globals = { .device = NULL };
	int r, words;

	hold_standard_files();
	r = ctl_options_parse(NULL, &globals, NULL, argc - 1, argv + 1, &words);
	if (r)
		return r;
	r = run(&globals, argc - 1 - words, argv + 1 + words);
	if (fflush(stdout) || ferror(stdout))
		return ctl_fail("cannot write the output: %s", strerror(errno));
	return r;
}
