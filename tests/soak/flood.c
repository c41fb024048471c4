// SPDX-License-Identifier: MIT
/*
 * Writers and readers of a device's log, for log.py.
 *
 * usage: flood DEVICE write THREADS RECORDS [RATE]
 *        flood DEVICE read [PAUSE_US]
 *
 * Writing: each of THREADS writes its share of RECORDS, at RATE records a second in
 * all or as fast as it can, and says when it is ready ("ready"), waits for a line, and
 * then says how many were attempted and how long it took. A message is its writer's
 * number, the record's number of that writer, and text that follows from both.
 *
 * Reading: from the oldest record on, "ready", until standard input is at its end and
 * there is nothing more; with PAUSE_US it rests that long after each that it read. Then
 * it says how many it read and lost, how many were not what was written, or before one
 * that its writer wrote earlier, the bytes that their lines have, and how many records
 * at most it was behind when it came back to the log.
 *
 * Exit: 0; 1: could not.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <obsring.h>

#define THREADS_MAX	64
#define TEXT_LEN	100	/* of a message, behind its numbers */
#define BATCH		64	/* records between two looks at the clock */

static const char *path;
static struct obs_log_writer *log_writer;
static double rate;		/* records a second of each writer; 0: no limit */

struct writer {
	pthread_t thread;
	unsigned int number;
	unsigned long long records, refused;
};

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "flood: %s: %s\n", what, strerror(-r));
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static char filling(unsigned int writer, unsigned long long number)
{
	return (char)('a' + (writer + number) % 26);
}

/* ---- Writing ------------------------------------------------------------- */

static char *put_number(char *at, unsigned long long number)
{
	char digits[24];
	int n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (n)
		*at++ = digits[--n];
	return at;
}

static void pace(double start, unsigned long long written)
{
	double ahead = start + (double)written / rate - now();
	struct timespec rest;

	if (ahead <= 0)
		return;
	rest.tv_sec = (time_t)ahead;
	rest.tv_nsec = (long)((ahead - (double)rest.tv_sec) * 1e9);
	nanosleep(&rest, NULL);
}

static void *write_all(void *arg)
{
	struct writer *writer = arg;
	unsigned long long n;
	char message[64 + TEXT_LEN], *at;
	double start = now();

	for (n = 0; n < writer->records; n++) {
		at = put_number(message, writer->number);
		*at++ = ' ';
		at = put_number(at, n);
		*at++ = ' ';
		memset(at, filling(writer->number, n), TEXT_LEN);
		at[TEXT_LEN] = 0;
		writer->refused += !!obs_log_write(log_writer, 6, NULL, NULL, 0, message);
		if (rate > 0 && n % BATCH == BATCH - 1)
			pace(start, n + 1);
	}
	return NULL;
}

static int write_log(unsigned int nr, unsigned long long records)
{
	static struct writer writer[THREADS_MAX];
	unsigned long long refused = 0;
	char line[16];
	double start;
	unsigned int i;

	must(obs_log_writer_open(path, "flood", &log_writer), "open to write");
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	start = now();
	for (i = 0; i < nr; i++) {
		writer[i].number = i;
		writer[i].records = records / nr + (i < records % nr);
		must(-pthread_create(&writer[i].thread, NULL, write_all, &writer[i]), "thread");
	}
	for (i = 0; i < nr; i++) {
		pthread_join(writer[i].thread, NULL);
		refused += writer[i].refused;
	}
	printf("attempted %llu refused %llu seconds %.3f\n", records, refused, now() - start);
	obs_log_writer_close(log_writer);
	return 0;
}

/* ---- Reading ------------------------------------------------------------- */

static unsigned long long nr_read, nr_lost, nr_torn, nr_disorder, nr_bytes,
	behind;

static void judge(const struct obs_log_entry *entry)
{
	static unsigned long long next[THREADS_MAX];
	unsigned long long number;
	unsigned int writer, i;
	int at = 0;

	nr_read++;
	if (sscanf(entry->message, "%u %llu %n", &writer, &number, &at) != 2 ||
	    writer >= THREADS_MAX || entry->message_len != (size_t)at + TEXT_LEN) {
		nr_torn++;
		return;
	}
	for (i = 0; i < TEXT_LEN; i++)
		if (entry->message[at + (int)i] != filling(writer, number)) {
			nr_torn++;
			return;
		}
	nr_disorder += number < next[writer];
	next[writer] = number + 1;
}

static bool input_ended(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char byte;

	return poll(&input, 1, 0) > 0 && read(0, &byte, 1) <= 0;
}

static void note_behind(struct obs_log *log)
{
	struct obs_log_counts counts;

	obs_log_counts(log, &counts);
	if (counts.unread > behind)
		behind = counts.unread;
}

static int read_log(unsigned int pause_us)
{
	const struct obs_log_options options = { .start = OBS_LOG_OLDEST };
	char text[OBS_LOG_TEXT_MAX];
	const struct obs_log_entry *entry;
	bool ended = false, last;
	struct obs_log *log;
	int r;

	must(obs_log_open(path, &options, &log), "open to read");
	puts("ready");
	fflush(stdout);
	do {
		last = ended;
		note_behind(log);
		while ((r = obs_log_next(log, &entry)) > 0) {
			if (r == OBS_LOG_LOST) {
				nr_lost += entry->lost;
				continue;
			}
			judge(entry);
			nr_bytes += obs_log_text(log, text, sizeof(text));
			if (pause_us)
				usleep(pause_us);
		}
		must(r, "read");
		if (!last) {
			ended = input_ended();
			must(obs_log_wait(log, 10), "wait");
		}
	} while (!last);
	printf("read %llu lost %llu torn %llu disorder %llu bytes %llu behind %llu\n",
	       nr_read, nr_lost, nr_torn, nr_disorder, nr_bytes, behind);
	obs_log_close(log);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int threads;

	path = argc > 2 ? argv[1] : NULL;
	if (path && !strcmp(argv[2], "read"))
		return read_log(argc > 3 ? (unsigned int)atoi(argv[3]) : 0);
	threads = argc > 4 && !strcmp(argv[2], "write") ? (unsigned int)atoi(argv[3]) : 0;
	if (!threads || threads > THREADS_MAX) {
		fprintf(stderr, "usage: flood DEVICE write THREADS RECORDS [RATE] | read [PAUSE_US]\n");
		return 1;
	}
	rate = argc > 5 ? atof(argv[5]) / threads : 0;
	return write_log(threads, strtoull(argv[4], NULL, 10));
}
