// SPDX-License-Identifier: MIT
/*
 * The log's rings, mapped and given other sizes: what is lost by that is told
 * exactly, to each reader; what is refused changes nothing.
 */
#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <obsring/record.h>

#include "logged.h"
#include "tally.h"
#include "test.h"
#include "wire.h"

#define TEXT_MAX	262144
#define RECORDS		"obsring_log_records_total"
#define SEEN		"obsring_log_seen_total"
#define KEPT		"obsring_log_kept_total"
#define HIGH_WATER	"obsring_log_high_water_bytes"

#define KERNEL		OBSRING_ORIGIN_KERNEL
#define USER		OBSRING_ORIGIN_USER

FIXTURE(resize)
{
	struct session session;
	const struct obsring_header *header;
	const struct obsring_ring *ring;
	const char *log;
	size_t page;
	char text[TEXT_MAX];
	int fd;
	int cpus;
};

static const void *map(int fd, uint64_t size, uint64_t offset)
{
	return mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)offset);
}

FIXTURE_SETUP(resize)
{
	const struct obsring_region *region;

	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, session_open(&self->session));
	self->page = (size_t)getpagesize();
	self->cpus = (int)sysconf(_SC_NPROCESSORS_CONF);
	self->fd = open(OBSRING_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->header = map(self->fd, self->page, 0);
	ASSERT_NE(MAP_FAILED, self->header);
	region = self->header->region;
	self->ring = map(self->fd, region[OBSRING_REGION_RINGS].size,
			 region[OBSRING_REGION_RINGS].offset);
	ASSERT_NE(MAP_FAILED, self->ring);
	self->log = map(self->fd, region[OBSRING_REGION_LOG].size,
			region[OBSRING_REGION_LOG].offset);
	ASSERT_NE(MAP_FAILED, self->log);
}

FIXTURE_TEARDOWN(resize)
{
	const struct obsring_region *region = self->header->region;

	munmap((void *)self->log, region[OBSRING_REGION_LOG].size);
	munmap((void *)self->ring, region[OBSRING_REGION_RINGS].size);
	munmap((void *)self->header, self->page);
	close(self->fd);
	session_close(&self->session);
}

#define control()	(self->session.control)
#define set_size(origin, bytes) \
	obs_log_set_size(self->session.control, (origin), (bytes))
#define view()		(&self->session.view)

/* @nr records of 1 line of the ring, numbered from @first. */
static int say(int fd, unsigned int first, unsigned int nr)
{
	char text[16];
	int len;

	for (; nr; nr--, first++) {
		len = snprintf(text, sizeof(text), "n%u", first);
		if (write(fd, text, (size_t)len) != len)
			return -errno;
	}
	return 0;
}

static const struct obsring_ring *ring_of(const struct obsring_ring *ring, int cpu, int origin)
{
	return &ring[cpu * (OBSRING_ORIGIN_MAX + 1) + origin];
}

/* The lines of a ring in the mapping of LOG. */
#define lines_of(r) \
	((const struct obsring_line *)(self->log + ((r)->offset - \
	 self->header->region[OBSRING_REGION_LOG].offset)))

/* A reader of the mapping, of one ring. */
struct mapped {
	struct obs_ring_view view;
	struct obs_ring_cursor cursor;
	uint64_t lost;
	unsigned int read;
};

static bool mapped_begin(struct mapped *m, const struct obsring_ring *ring,
			 const struct obsring_line *line)
{
	memset(m, 0, sizeof(*m));
	m->view.ring = ring;
	m->view.gen_at = &ring->gen;
	m->view.line = line;
	if (!obs_ring_attach(&m->view))
		return false;
	obs_ring_seek_oldest(&m->view, &m->cursor);
	return obs_ring_still(&m->view);
}

/* Read on to the end. @text: as many messages as there are, a line each. */
static void mapped_drain(struct mapped *m, char *text)
{
	union obs_record_buffer buffer;
	struct obs_ring_peeked peeked = { 0 };
	struct obs_record record;
	enum obs_ring_result result;
	__u64 lost = 0;

	while ((result = obs_ring_read(&m->view, &m->cursor, buffer.word,
				       OBS_RING_RECORD_WORDS, &peeked, &lost)) !=
	       OBS_RING_EMPTY) {
		if (result == OBS_RING_REPLACED)
			while (!obs_ring_attach(&m->view))
				sched_yield();
		if (result != OBS_RING_RECORD)
			continue;
		obs_ring_next(&m->cursor, &peeked);
		m->read++;
		if (obs_record_parse(&buffer, peeked.words, &record))
			text += sprintf(text, "%.*s\n", record.head->message_len,
					record.message);
	}
	*text = 0;
	m->lost += lost;
}

/* The messages of a text, a line each. */
static void messages(const char *text, char *to)
{
	const char *at;

	for (; (at = strstr(text, " msg=\"")); text = at) {
		at += strlen(" msg=\"");
		to += sprintf(to, "%.*s\n", (int)strcspn(at, "\""), at);
	}
	*to = 0;
}

/* ---- The mapping --------------------------------------------------------- */

TEST_F(resize, regions)
{
	const struct obsring_region *region = self->header->region;
	const uint64_t stride = OBSRING_RING_LINES_MAX * sizeof(struct obsring_line);
	unsigned int i, nr = 2 * self->header->nr_cpus;

	EXPECT_EQ(sizeof(struct obsring_ring), region[OBSRING_REGION_RINGS].entry_size);
	EXPECT_EQ(sizeof(struct obsring_line), region[OBSRING_REGION_LOG].entry_size);
	EXPECT_LE(nr, region[OBSRING_REGION_RINGS].nr);
	EXPECT_EQ(nr * stride, region[OBSRING_REGION_LOG].size);
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(i / 2, self->ring[i].cpu);
		ASSERT_EQ(i % 2, self->ring[i].origin);
		ASSERT_EQ((i % 2 ? 32768 : 65536) / 64, self->ring[i].nr_lines);
		ASSERT_EQ(0, self->ring[i].gen);
		ASSERT_EQ(region[OBSRING_REGION_LOG].offset + i * stride,
			  self->ring[i].offset);
	}
	for (; i < region[OBSRING_REGION_RINGS].nr; i++)
		ASSERT_EQ(0, self->ring[i].nr_lines);
}

TEST_F(resize, mapped_is_what_is_read)
{
	char *mapped = malloc(TEXT_MAX), *text = malloc(TEXT_MAX);
	struct mapped m;

	stay_on_cpu(self->cpus - 1);
	ASSERT_TRUE(mapped_begin(&m, ring_of(self->ring, self->cpus - 1, USER),
				 lines_of(ring_of(self->ring, self->cpus - 1, USER))));
	ASSERT_EQ(0, say(self->fd, 0, 100));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	messages(self->text, text);
	mapped_drain(&m, mapped);
	EXPECT_EQ(100, m.read);
	EXPECT_EQ(0, m.lost);
	EXPECT_STREQ(text, mapped);
	/* Through the end of the ring, of which both miss the same. */
	ASSERT_EQ(0, say(self->fd, 100, 700));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_NE(NULL, strstr(self->text, "lost="));
	messages(self->text, text);
	mapped_drain(&m, mapped);
	EXPECT_EQ(800, m.read + m.lost);
	EXPECT_STREQ(text, mapped);
	free(mapped);
	free(text);
}

/* Behind a ring all is 0, as far as the next one, however large it was. */
TEST_F(resize, behind_the_end)
{
	const struct obsring_ring *ring = ring_of(self->ring, 0, KERNEL);
	const uint64_t words = OBSRING_RING_LINES_MAX * sizeof(struct obsring_line) / 8;
	const uint64_t *at = (const uint64_t *)lines_of(ring);
	uint64_t i;

	ASSERT_EQ(0, set_size(KERNEL, 1 << 20));
	for (i = 0; i < (1 << 20) / 8; i += 8)
		ASSERT_NE(0, at[i]);
	ASSERT_EQ(0, set_size(KERNEL, 8192));
	EXPECT_EQ(8192 / 64, ring->nr_lines);
	for (i = 0; i < 8192 / 8; i += 8)
		ASSERT_NE(0, at[i]);
	for (; i < words; i += i < (1 << 20) ? 1 : 512)
		ASSERT_EQ(0, at[i]);
	EXPECT_EQ(0, at[words - 1]);
}

static int touch(void *at)
{
	return *(volatile char *)at;
}

/* Children have inherited the mapping, and see new lines as well. */
static int first_stamp(void *at)
{
	const struct obsring_line *line = at;

	return (int)(line[OBS_RING_LINE_START % OBSRING_RING_LINES_MIN].stamp >> 32 ==
		     OBS_RING_LINE_START);
}

TEST_F(resize, every_mapping_sees_new_lines)
{
	const struct obsring_ring *ring = ring_of(self->ring, 0, USER);
	const struct obsring_line *line = lines_of(ring), *moved;
	int toward[2], back[2], status;
	char byte = 0;
	void *other;
	pid_t pid;

	ASSERT_EQ(0, set_size(USER, 4096));
	stay_on_cpu(0);
	other = mremap((void *)map(self->fd, self->page, ring->offset), self->page,
		       self->page, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, self->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	ASSERT_NE(MAP_FAILED, other);
	moved = other;
	ASSERT_EQ(0, say(self->fd, 0, 1));
	EXPECT_EQ(1, first_stamp((void *)line));
	EXPECT_EQ(1, first_stamp(other));
	ASSERT_EQ(0, pipe(toward));
	ASSERT_EQ(0, pipe(back));
	pid = fork();
	if (!pid) {
		int before = first_stamp((void *)line) + first_stamp(other);

		(void)!write(back[1], &byte, 1);
		(void)!read(toward[0], &byte, 1);
		_exit(before == 2 && !first_stamp((void *)line) &&
		      !first_stamp(other) ? 0 : 1);
	}
	ASSERT_EQ(1, read(back[0], &byte, 1));
	ASSERT_EQ(0, set_size(USER, 8192));
	EXPECT_EQ(0, first_stamp((void *)line));
	EXPECT_EQ(0, first_stamp((void *)moved));
	ASSERT_EQ(1, write(toward[1], &byte, 1));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	munmap(other, self->page);
	EXPECT_EQ(0, child_run(touch, (void *)(self->log +
			       self->header->region[OBSRING_REGION_LOG].size - 1)));
}

/* ---- What is lost -------------------------------------------------------- */

TEST_F(resize, unread_is_told_as_lost)
{
	static const unsigned int sizes[] = { 1 << 16, 4096, 1 << 20, 32768, 8192 };
	const struct obsring_ring *ring;
	unsigned int i, all = 0;
	struct mapped m;
	int reader = open(OBSRING_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ASSERT_EQ(0, drain(reader, self->text, TEXT_MAX));
	stay_on_cpu(1);
	ring = ring_of(self->ring, 1, USER);
	ASSERT_TRUE(mapped_begin(&m, ring, lines_of(ring)));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* One reader has read all: it loses nothing. */
		ASSERT_EQ(0, say(self->fd, all, 20));
		ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
		EXPECT_EQ(20, lines(self->text));
		ASSERT_EQ(0, set_size(USER, sizes[i]));
		EXPECT_EQ(2 * (i + 1), ring->gen);
		EXPECT_EQ(sizes[i] / 64, ring->nr_lines);
		EXPECT_EQ(0, drain(self->fd, self->text, TEXT_MAX));
		ASSERT_EQ(0, say(self->fd, all + 20, 10));
		ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
		EXPECT_EQ(10, lines(self->text)) TH_LOG("%s", self->text);
		/* Another one had not read the 20. */
		ASSERT_LT(0, drain(reader, self->text, TEXT_MAX));
		EXPECT_EQ(11, lines(self->text)) TH_LOG("%s", self->text);
		EXPECT_EQ(0, strncmp(self->text, "lost=20\n", 8)) TH_LOG("%s", self->text);
		mapped_drain(&m, self->text);
		all += 30;
		EXPECT_EQ(all, m.read + m.lost);
		EXPECT_EQ(20 * (i + 1), m.lost);
	}
	EXPECT_EQ(all, metric_total(view(), RECORDS));
	close(reader);
}

/* A reader that sleeps over several changes. */
TEST_F(resize, several_changes)
{
	unsigned int i;
	struct mapped m;

	stay_on_cpu(0);
	ASSERT_EQ(0, drain(self->fd, self->text, TEXT_MAX));
	ASSERT_TRUE(mapped_begin(&m, ring_of(self->ring, 0, USER),
				 lines_of(ring_of(self->ring, 0, USER))));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, say(self->fd, 0, 7));
		ASSERT_EQ(0, set_size(USER, 4096U << i % 3));
	}
	ASSERT_EQ(0, say(self->fd, 0, 1));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(0, strncmp(self->text, "lost=70\n", 8)) TH_LOG("%s", self->text);
	EXPECT_EQ(2, lines(self->text));
	mapped_drain(&m, self->text);
	EXPECT_EQ(70, m.lost);
	EXPECT_EQ(1, m.read);
}

/* The size that it has: nothing happens. */
TEST_F(resize, same_size)
{
	ASSERT_EQ(0, say(self->fd, 0, 5));
	EXPECT_EQ(0, set_size(USER, 32768));
	EXPECT_EQ(0, self->ring[USER].gen);
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(5, lines(self->text));
}

/* Of one origin only. */
TEST_F(resize, other_origin_stays)
{
	ASSERT_EQ(0, say(self->fd, 0, 5));
	EXPECT_EQ(0, set_size(KERNEL, 4096));
	EXPECT_EQ(2, self->ring[KERNEL].gen);
	EXPECT_EQ(0, self->ring[USER].gen);
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(5, lines(self->text));
}

/* ---- Numbers ------------------------------------------------------------- */

struct sums {
	unsigned int rings;
	uint64_t bytes, high_water, records;
};

static int add(const struct obs_log_ring_info *ring, void *arg)
{
	struct sums *sums = &((struct sums *)arg)[ring->origin];

	sums->rings++;
	sums->bytes += ring->bytes;
	sums->high_water += ring->high_water_bytes;
	sums->records += ring->records;
	return 0;
}

TEST_F(resize, numbers)
{
	struct sums sums[2] = { { 0 } };
	unsigned int i;

	stay_on_cpu(0);
	EXPECT_EQ(0, metric(view(), HIGH_WATER, "user"));
	for (i = 1; i <= 600; i++) {
		ASSERT_EQ(0, say(self->fd, 0, 1));
		/* A record of a few bytes is two lines. */
		if (i % 50 == 0)
			EXPECT_EQ(i < 256 ? i * 128 : 32768,
				  metric(view(), HIGH_WATER, "user"));
	}
	EXPECT_EQ(0, metric(view(), HIGH_WATER, "kernel"));
	ASSERT_EQ(0, obs_log_ring_list(control(), -1, add, sums));
	EXPECT_EQ(self->cpus, sums[USER].rings);
	EXPECT_EQ(self->cpus, sums[KERNEL].rings);
	EXPECT_EQ(self->cpus * 32768, sums[USER].bytes);
	EXPECT_EQ(self->cpus * 65536, sums[KERNEL].bytes);
	EXPECT_EQ(32768, sums[USER].high_water);
	EXPECT_EQ(600, sums[USER].records);
	EXPECT_EQ(0, sums[KERNEL].records);
	EXPECT_EQ(self->cpus * 98304, metric(view(), "obsring_memory_bytes", "log"));

	ASSERT_EQ(0, set_size(USER, 1 << 20));
	EXPECT_EQ(0, metric(view(), HIGH_WATER, "user"));
	EXPECT_EQ(self->cpus * ((1 << 20) + 65536),
		  metric(view(), "obsring_memory_bytes", "log"));
	ASSERT_EQ(0, say(self->fd, 0, 3));
	EXPECT_EQ(3 * 128, metric(view(), HIGH_WATER, "user"));
	memset(sums, 0, sizeof(sums));
	ASSERT_EQ(0, obs_log_ring_list(control(), -1, add, sums));
	EXPECT_EQ(603, sums[USER].records);
	EXPECT_EQ(3 * 128, sums[USER].high_water);
}

TEST_F(resize, told_to_listeners)
{
	struct answer answer;
	struct wire wire;
	char text[4096];

	ASSERT_EQ(0, wire_open(&wire));
	ASSERT_EQ(0, wire_join(&wire));
	ASSERT_EQ(0, set_size(KERNEL, 8192));
	ASSERT_LE(0, wire_event(&wire, &answer, text, sizeof(text)));
	EXPECT_EQ(OBSRING_CMD_LOG_NTF, answer.cmd);
	EXPECT_EQ(KERNEL, attr_u32(answer.attr[OBSRING_A_ORIGIN]));
	EXPECT_EQ(8192, attr_u64(answer.attr[OBSRING_A_BYTES]));
	wire_close(&wire);
}

/* ---- Refused ------------------------------------------------------------- */

TEST_F(resize, sizes_that_are_none)
{
	static const uint64_t sizes[] = {
		0, 1, 64, 2048, 4095, 4097, 12288, 65535, (1 << 26) + 4096,
		1 << 27, 1ULL << 32, 1ULL << 63, UINT64_MAX,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-EINVAL, set_size(USER, sizes[i]));
		EXPECT_SAYS("the size of a ring is a power of two, 4096 to 67108864",
			    control());
	}
	EXPECT_EQ(-ERANGE, set_size(2, 8192));
	EXPECT_EQ(0, self->ring[USER].gen);
	EXPECT_EQ(0, self->ring[KERNEL].gen);
}

static int set_as_user(void *unused)
{
	struct obs_control *control;
	int r = obs_control_open(&control);

	(void)unused;
	if (!r)
		r = obs_log_set_size(control, USER, 8192);
	return r;
}

static int list_as_user(void *fd)
{
	struct sums sums[2] = { { 0 } };
	struct obs_control *control;
	int r = obs_control_open(&control);

	if (!r)
		r = obs_log_ring_list(control, *(int *)fd, add, sums);
	return r ?: (int)sums[USER].rings;
}

TEST_F(resize, who)
{
	int none = -1;

	EXPECT_EQ(-EPERM, nobody_run(0, set_as_user, NULL));
	EXPECT_EQ(-EPERM, capable_run(CAP_SYSLOG, set_as_user, NULL));
	EXPECT_EQ(-EPERM, namespace_run(0, set_as_user, NULL));
	EXPECT_EQ(0, self->ring[USER].gen);
	EXPECT_EQ(0, capable_run(CAP_NET_ADMIN, set_as_user, NULL));
	EXPECT_EQ(2, self->ring[USER].gen);
	EXPECT_EQ(-EPERM, nobody_run(0, list_as_user, &none));
	EXPECT_EQ(self->cpus, nobody_run(0, list_as_user, &self->fd));
}

static uint64_t available(void)
{
	return file_number("/proc/meminfo", "MemAvailable") * 1024;
}

/* More than there is: refused before anything is taken, and nothing changes. */
TEST_F(resize, no_memory)
{
	uint64_t all = (uint64_t)self->cpus << 26, less = available();
	void *held = MAP_FAILED;
	struct mapped m;

	stay_on_cpu(0);
	if (less > all / 2) {
		less -= all / 2;
		held = mmap(NULL, less, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		ASSERT_NE(MAP_FAILED, held);
	}
	ASSERT_EQ(0, say(self->fd, 0, 3));
	ASSERT_TRUE(mapped_begin(&m, ring_of(self->ring, 0, USER),
				 lines_of(ring_of(self->ring, 0, USER))));
	EXPECT_EQ(-ENOMEM, set_size(USER, 1 << 26));
	EXPECT_SAYS("there is no memory for rings of that size on all CPUs", control());
	EXPECT_EQ(0, self->ring[USER].gen);
	EXPECT_EQ(self->cpus * 98304, metric(view(), "obsring_memory_bytes", "log"));
	ASSERT_EQ(0, say(self->fd, 3, 3));
	mapped_drain(&m, self->text);
	EXPECT_EQ(6, m.read);
	EXPECT_EQ(0, m.lost);
	if (held != MAP_FAILED)
		munmap(held, less);
}

/* ---- Everything at once -------------------------------------------------- */

#define TEXT_READERS	3
#define READERS		(TEXT_READERS + 2)	/* and by mapping */

struct shared {
	struct tally tally[READERS];
	unsigned long long hotplugs, changes;
	int stop, failed;
};

/* All sizes, small ones more often, of the kernel's rings. */
static void change_all(struct shared *shared)
{
	struct obs_control *control;
	unsigned int n = 0;

	shared->failed = obs_control_open(&control);
	while (!shared->failed && !__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		shared->failed = obs_log_set_size(control, KERNEL,
						  4096U << (n * 7 + n / 5) % 6);
		n++;
		shared->changes++;
	}
}

static unsigned long long number_of(const char *variable, unsigned long long otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void readers_start(struct shared *shared)
{
	int i;

	for (i = 0; i < READERS; i++)
		shared->tally[i].pause_us = (i + 1) * number_of("OBSRING_LOG_PAUSE_US", 0);
	for (i = 0; i < READERS; i++)
		if (!fork()) {
			(i < TEXT_READERS ? tally_read : tally_map)(&shared->tally[i],
								    &shared->stop);
			_exit(0);
		}
}

static uint64_t done(const char *what)
{
	return file_number("/sys/module/obsring_stress/parameters/done", what);
}

/* Each has read something: the last change may leave the others nothing. */
static bool all_have_read(const struct shared *shared)
{
	int i;

	for (i = 0; i < READERS; i++)
		if (!__atomic_load_n(&shared->tally[i].read, __ATOMIC_RELAXED) &&
		    !__atomic_load_n(&shared->tally[i].error, __ATOMIC_RELAXED))
			return false;
	return true;
}

TEST_F_TIMEOUT(resize, all_contexts, 6000)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct obs_sample_info half = {
		.source = "stress", .level = OBS_SAMPLE_NO_LEVEL,
		.rule = OBSRING_RULE_PROBABILITY, .value = OBSRING_THRESHOLD_ONE / 2,
	};
	const char *updates = getenv("OBSRING_LOG_UPDATES") ?: "200000";
	uint64_t records = number_of("OBSRING_LOG_RECORDS", 0);
	char parameters[64];
	int64_t stored, lost, seen, kept;
	int i, rounds = 0;

	snprintf(parameters, sizeof(parameters), "logging=1 log_times=%llu",
		 number_of("OBSRING_LOG_TIMES", 1));
	ASSERT_EQ(0, module_load("obsring_stress", parameters));
	readers_start(shared);
	for (i = 0; i < READERS; i++)
		EXPECT_TRUE(await(__atomic_load_n(&shared->tally[i].began,
						  __ATOMIC_ACQUIRE)));
	if (!fork()) {
		tally_hotplug(&shared->hotplugs, &shared->stop);
		_exit(0);
	}
	if (!fork()) {
		change_all(shared);
		_exit(0);
	}
	/* Until what it is about has happened, however long that takes. */
	do {
		ASSERT_EQ(0, module_parameter_write("obsring_stress", "run", updates));
		/* From then on half of them. */
		if (!rounds++)
			ASSERT_EQ(0, obs_sample_send(control(), &half, NULL));
	} while (!shared->failed &&
		 (rounds < 2 || done("logged") < records ||
		  !shared->hotplugs || !done("bursts") || shared->changes < 8 || !shared->tally[0].lost ||
		  !shared->tally[TEXT_READERS].changes || !all_have_read(shared)));
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELEASE);
	while (waitpid(-1, NULL, 0) > 0)
		;
	EXPECT_EQ(0, shared->failed);
	stored = metric_total(view(), RECORDS);
	lost = metric(view(), "obsring_log_lost_total", "nested");
	/* Of all sources: what came before its name was known is counted for the overflow. */
	seen = metric_total(view(), SEEN);
	kept = metric_total(view(), KEPT);
	EXPECT_EQ((int64_t)done("logged"), seen);
	EXPECT_EQ(kept, stored + lost);
	EXPECT_LT(kept, seen);
	for (i = 0; i < READERS; i++) {
		const struct tally *t = &shared->tally[i];

		EXPECT_EQ(0, t->error);
		EXPECT_EQ(0, t->torn);
		EXPECT_EQ(stored, (int64_t)(t->read + t->lost))
			TH_LOG("reader %d: read %llu, lost %llu", i, t->read, t->lost);
		EXPECT_LT(0, t->read);
	}
	TH_LOG("%d rounds: logged %llu, dropped %lld, nested %lld, stored %lld, %llu changes, %llu hotplugs, %llu bursts of interrupts; read %llu, missed %llu; mapped: %llu, %llu, followed %llu",
	       rounds, (unsigned long long)done("logged"), (long long)(seen - kept),
	       (long long)lost, (long long)stored,
	       shared->changes, shared->hotplugs, (unsigned long long)done("bursts"),
	       shared->tally[0].read,
	       shared->tally[0].lost, shared->tally[TEXT_READERS].read,
	       shared->tally[TEXT_READERS].lost, shared->tally[TEXT_READERS].changes);
	munmap(shared, sizeof(*shared));
	EXPECT_EQ(0, module_unload("obsring_stress"));
}

TEST_HARNESS_MAIN
