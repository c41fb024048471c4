/* SPDX-License-Identifier: MIT */
/* Small files of /proc and /sys. */
#ifndef SELFTEST_FILE_H
#define SELFTEST_FILE_H

#include <stddef.h>
#include <stdint.h>

/* A whole file into @text, ended by a NUL; its length or -errno. */
long file_read(const char *path, char *text, size_t size);

/* Write @text in one piece: 0 or -errno. */
int file_write(const char *path, const char *text);

/*
 * The number that follows the word @key in a file, after blanks, a colon or
 * "="; UINT64_MAX if there is none.
 */
uint64_t file_number(const char *path, const char *key);

/*
 * A number of /proc/net/snmp or /proc/net/netstat, by its group ("Tcp:") and
 * name ("RetransSegs"); UINT64_MAX if there is none.
 */
uint64_t file_net_number(const char *path, const char *group, const char *name);

/* The sum over CPUs of a line of /proc/softirqs. */
uint64_t file_softirqs(const char *vector);

/* Run a program, without a shell: its status, or -errno. */
int program_run(const char *const *argv);
#define program(...) program_run((const char *const[]){ __VA_ARGS__, NULL })

#endif /* SELFTEST_FILE_H */
