/* SPDX-License-Identifier: MIT */
/*
 * Coverage-guided fuzzing of the module from inside a guest. A program is a short
 * list of calls with their arguments. Workers make programs of a grammar, or change
 * one of the corpus, run them with KCOV on, and keep in the corpus what reached code
 * that none before had. main.c watches the kernel's log beside them.
 *
 *	main.c      epochs of the module's life, the verdict
 *	found.c     what the kernel's log says, and which calls do it
 *	worker.c    make, run, look at what each call reached, keep
 *	progress.c  how fast it goes, and what takes the time
 *	generate.c  programs from nothing, and from others
 *	words.c     numbers and words; request.c: netlink requests, payload.c: lines and
 *	            structures that are made of them
 *	regular.c   requests and structures that fit together
 *	execute.c   runs a program; what its calls do is in device.c, mapping.c, service.c
 *	            and netlink.c
 *	kcov.c      which blocks were reached, what was compared
 *	text.c      programs as lines, to read and to give back by --replay
 */
#ifndef OBS_FUZZ_H
#define OBS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CALLS_MAX	10
#define DATA_MAX	1024
#define CORPUS_MAX	4096
#define WORKERS_MAX	16
#define LAST_MAX	256	/* programs that are remembered */

#define DEVICE_FD(slot)	(100 + (slot) % 4)
#define SERVICE_FD(slot) (110 + (slot) % 2)

/*
 * What calls use: slot: which descriptor or mapping; flags, a, b: see execute.c. One
 * line adds a call.
 */
#define CALLS(_) \
	_(OPEN, "open") _(CLOSE, "close") _(WRITE, "write") _(READ, "read") \
	_(WAIT, "wait") _(POLL, "poll") _(EPOLL, "epoll") _(SEEK, "lseek") \
	_(IOCTL, "ioctl") _(COMPAT, "compat-ioctl") _(CONTEXT, "context") \
	_(MAP, "mmap") _(UNMAP, "munmap") _(REMAP, "mremap") _(PROTECT, "mprotect") \
	_(TOUCH, "touch") _(ATTACH, "attach") _(JOIN, "map-service") \
	_(METRIC, "metric") _(COUNT, "count") _(LEAVE, "unmap-service") \
	_(ASK, "ask-processes") _(DROP, "drop-packet") _(KMSG, "kmsg") \
	_(NETLINK, "netlink") _(LISTEN, "listen") _(FORK, "fork") _(HOTPLUG, "hotplug")

enum op {
#define _(name, text) OP_##name,
	CALLS(_)
#undef _
	OP_NR
};

/* Kinds of call, in how long they take: operations; instead of NETLINK, its requests. */
#define REQUESTS_MAX	64
#define KINDS		(OP_NR + REQUESTS_MAX)
#define PATIENCE	1024

/* struct call.flags of several calls */
#define CALL_FAULT	(1U << 31)	/* its memory is not there */
#define CALL_PARTIAL	(1U << 30)	/* NETLINK: a dump is not read to its end */
#define CALL_CUT	(1U << 29)	/* NETLINK: the header's length is a lie */
#define CALL_TWICE	(1U << 28)	/* NETLINK: two such messages in one */

struct call {
	uint8_t op;
	uint8_t slot;
	uint16_t size;		/* of data */
	uint16_t fail;		/* which allocation or copy in it fails; 0: none */
	uint32_t flags;
	uint64_t a;
	uint64_t b;
	uint8_t data[DATA_MAX];
};

/*
 * As whom a program runs: root; a user in the device's group; one who may open
 * nothing. Root may do most, and is most of them.
 */
#define ROLES(_) _(ROOT, "root") _(MEMBER, "member") _(NOBODY, "nobody")

enum role {
#define _(name, text) ROLE_##name,
	ROLES(_)
#undef _
	ROLE_NR
};

struct program {
	uint32_t nr;
	uint32_t role;
	struct call call[CALLS_MAX];
};

/**
 * struct shared - what workers and main.c have in common
 * @calls: made so far
 * @limit: of @calls, at which workers stop
 * @stop: at once
 * @nr_corpus: programs in corpus that are whole
 * @nr_claimed: places in it that were given out
 * @nr_reached: bits in reached
 * @nr_seeds: programs of an earlier corpus, which are run first
 * @nr_sown: how many of them have been
 * @guided: programs are chosen by what they reached
 * @reached: a bit each byte of the module's text: a block begins there
 * @last: the programs that were begun last, of all workers
 * @nr_begun: how many were; those of before are overwritten
 * @made: how many of each kind of call, and @took_ns: how long they took in all
 * @patience: of PATIENCE calls of that kind, so many are made
 * @cost_ns: how long each program of the corpus takes
 */
struct shared {
	uint64_t calls;
	uint64_t limit;
	uint32_t stop;
	uint32_t nr_corpus;
	uint32_t nr_claimed;
	uint32_t nr_reached;
	uint32_t nr_seeds;
	uint32_t nr_sown;
	bool guided;
	struct worker {
		pid_t pid;
		uint64_t programs;
		uint64_t at;		/* in last: what it does */
		uint64_t seed;
		bool done;
	} worker[WORKERS_MAX];
	struct program last[LAST_MAX];
	uint64_t nr_begun;
	uint64_t reached[(2 << 20) / 64];
	uint64_t made[KINDS], took_ns[KINDS];
	uint32_t patience[KINDS];
	bool whole[CORPUS_MAX];
	uint64_t cost_ns[CORPUS_MAX];
	struct program corpus[CORPUS_MAX];
	struct program seed[CORPUS_MAX];
};

extern struct shared *shared;

/* Random numbers, the same for the same seed. */
struct random {
	uint64_t state;
};

uint64_t random_next(struct random *random);
uint32_t below(struct random *random, uint32_t n);
bool chance(struct random *random, uint32_t one_in);

/* payload.c, request.c: data of a call of each kind; what they return is its size. */
uint16_t make_line(struct random *random, uint8_t *data);
uint16_t make_attach(struct random *random, uint8_t *data);
uint16_t make_metric(struct random *random, uint8_t *data);
uint16_t make_context(struct random *random, uint8_t *data);
void make_request(struct random *random, struct call *call);
void mutate_request(struct random *random, struct call *call);
void mutate_bytes(struct random *random, struct call *call);
uint64_t make_number(struct random *random);

/* generate.c */
void program_make(struct random *random, struct program *program);
void program_mutate(struct random *random, struct program *program,
		    const struct program *other);

/* kcov.c */
struct module_text {
	uint64_t core, init;	/* where they begin; init is freed after load */
};

/* What is done behind so many words, as in a loop over a text, is not seen. */
struct kcov {
	int fd;
	uint32_t words;
	uint64_t *area;
};

void kcov_open(struct kcov *kcov, uint32_t words);
void kcov_forget(struct kcov *kcov);
void kcov_keep(struct kcov *kcov);
void kcov_enable(struct kcov *kcov, bool compare);
void kcov_disable(struct kcov *kcov);
uint32_t kcov_collect(struct kcov *kcov, const struct module_text *text);
uint32_t kcov_hints(struct kcov *kcov, const struct module_text *text, uint64_t hint[][3],
		    uint32_t nr, uint32_t max);
void module_text_read(struct module_text *text);
void module_text_print(const struct module_text *text);

/*
 * execute.c: what the module's header says, once a load; once a process; a program,
 * with what is to be done behind each call.
 */
void execute_header(void);
void execute_begin(struct kcov *child);
void execute(const struct program *program, void (*behind)(void));

uint64_t now_ns(void);

/* worker.c */
void worker_run(struct worker *worker, const struct module_text *text, struct kcov *kcov,
		struct kcov *child);
void worker_replay(const struct program *program, unsigned int nr);

/* text.c */
unsigned int call_kind(const struct call *call);
const char *kind_name(unsigned int kind);
void program_print(FILE *file, const char *before, const struct program *program);
bool program_read(FILE *file, struct program *program);

#endif
