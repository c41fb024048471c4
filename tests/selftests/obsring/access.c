// SPDX-License-Identifier: MIT
/*
 * Who may ask for what over netlink, which is open to everybody: values and
 * label values are for readers, changes for the privileged, events for
 * CAP_NET_ADMIN, all of it in the initial user namespace.
 */
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "module.h"
#include "test.h"
#include "wire.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON	38
#endif

#define NOT_PRIVILEGED	"this needs CAP_NET_ADMIN or CAP_SYS_ADMIN in the initial user namespace"
#define NOT_A_READER	"values need CAP_PERFMON, CAP_NET_ADMIN or CAP_SYS_ADMIN in the initial user namespace, or device-fd"
#define NOT_THE_DEVICE	"this is no descriptor of the device that is open for reading"

enum { ANYONE, READER, PRIVILEGED };

/**
 * struct question - a request that somebody sends
 * @cmd: command
 * @flags: 0 or NLM_F_DUMP
 * @kind: whose it is
 * @put: what it holds
 */
struct question {
	uint8_t cmd;
	uint16_t flags;
	int kind;
	void (*put)(struct request *request);
};

static void put_nothing(struct request *request)
{
	(void)request;
}

static void put_source(struct request *request)
{
	request_put_string(request, OBSRING_A_NAME, "task");
}

static void put_source_set(struct request *request)
{
	request_put_string(request, OBSRING_A_NAME, "irq");
	request_put_u8(request, OBSRING_A_ENABLED, 0);
}

static void put_family(struct request *request)
{
	request_put_string(request, OBSRING_A_NAME, "access_total");
}

static void put_family_new(struct request *request)
{
	request_put_string(request, OBSRING_A_NAME, "access_other_total");
	request_put_string(request, OBSRING_A_HELP, "h");
	request_put_u32(request, OBSRING_A_KIND, OBSRING_KIND_COUNTER);
}

static void put_update(struct request *request)
{
	put_family(request);
	request_put_u64(request, OBSRING_A_VALUE, 1);
}

static void put_state(struct request *request)
{
	request_put_u32(request, OBSRING_A_STATE, OBSRING_STATE_RUNNING);
}

static void put_probe(struct request *request)
{
	request_put_string(request, OBSRING_A_NAME, "access_probe_total");
	request_put_u32(request, OBSRING_A_PROBE_TYPE, OBSRING_PROBE_TRACEPOINT);
	request_put_string(request, OBSRING_A_PROBE_TARGET, "oom:oom_score_adj_update");
}

static void put_probe_name(struct request *request)
{
	request_put_string(request, OBSRING_A_NAME, "access_probe_total");
}

/* In an order that one who may do all can go through, and ends as it began. */
static const struct question questions[] = {
	{ OBSRING_CMD_INFO_GET, 0, ANYONE, put_nothing },
	{ OBSRING_CMD_SOURCE_GET, 0, ANYONE, put_source },
	{ OBSRING_CMD_SOURCE_GET, NLM_F_DUMP, READER, put_nothing },
	{ OBSRING_CMD_FAMILY_GET, 0, READER, put_family },
	{ OBSRING_CMD_FAMILY_GET, NLM_F_DUMP, READER, put_nothing },
	{ OBSRING_CMD_SERIES_GET, 0, READER, put_family },
	{ OBSRING_CMD_SERIES_GET, NLM_F_DUMP, READER, put_nothing },
	{ OBSRING_CMD_PROBE_GET, NLM_F_DUMP, READER, put_nothing },
	{ OBSRING_CMD_LOG_GET, NLM_F_DUMP, READER, put_nothing },
	{ OBSRING_CMD_SAMPLE_GET, NLM_F_DUMP, READER, put_nothing },
	{ OBSRING_CMD_SERVICE_GET, NLM_F_DUMP, READER, put_nothing },
	{ OBSRING_CMD_STATE_SET, 0, PRIVILEGED, put_state },
	{ OBSRING_CMD_SERIES_UPDATE, 0, PRIVILEGED, put_update },
	{ OBSRING_CMD_SERIES_DEL, 0, PRIVILEGED, put_family },
	{ OBSRING_CMD_SERIES_NEW, 0, PRIVILEGED, put_family },
	{ OBSRING_CMD_FAMILY_NEW, 0, PRIVILEGED, put_family_new },
	{ OBSRING_CMD_FAMILY_DEL, 0, PRIVILEGED, put_family_new },
	{ OBSRING_CMD_SOURCE_SET, 0, PRIVILEGED, put_source_set },
	{ OBSRING_CMD_PROBE_NEW, 0, PRIVILEGED, put_probe },
	{ OBSRING_CMD_PROBE_DEL, 0, PRIVILEGED, put_probe_name },
};

FIXTURE(access)
{
	struct obs_control *control;
	struct obs_info before;
};

FIXTURE_SETUP(access)
{
	const struct obs_family_spec spec = {
		.name = "access_total", .help = "h", .kind = OBSRING_KIND_COUNTER,
	};

	ASSERT_EQ(0, obs_control_open(&self->control));
	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	ASSERT_EQ(0, obs_series_add(self->control, "access_total", NULL, 0));
	ASSERT_EQ(0, obs_control_info(self->control, &self->before));
}

FIXTURE_TEARDOWN(access)
{
	EXPECT_EQ(0, families_clear(self->control));
	obs_control_close(self->control);
}

/* ---- Going through all questions ----------------------------------------- */

/* FAMILY_DEL accepts its name alone. */
static void question_put(struct request *request, const struct question *question)
{
	request_begin(request, question->cmd, question->flags);
	if (question->cmd == OBSRING_CMD_FAMILY_DEL)
		request_put_string(request, OBSRING_A_NAME, "access_other_total");
	else
		question->put(request);
}

/* Does the kernel tell why @question is refused? Of dumps, Linux does from 6.3 on. */
static bool refusal_told(const struct question *question)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (!question->flags)
		return true;
	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	return major > 6 || (major == 6 && minor >= 3);
}

/* 0 if @question came to what somebody of rank @rank should get. */
static int judge(struct wire *wire, const struct question *question, int rank)
{
	bool allowed = question->kind <= rank;
	struct request request;
	int r;

	question_put(&request, question);
	r = wire_ask(wire, &request, NULL, NULL);
	if (allowed)
		return r;
	if (r != -EPERM)
		return r ? r : -EPROTO;
	if (!refusal_told(question))
		return *wire->sentence ? -EBADMSG : 0;
	return strcmp(wire->sentence,
		      question->kind == READER ? NOT_A_READER : NOT_PRIVILEGED) ?
	       -EBADMSG : 0;
}

/* The number of the first question that came out wrong, from 1; 0: none. */
static int judge_all(struct wire *wire, int rank)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(questions); i++) {
		int r = judge(wire, &questions[i], rank);

		if (r) {
			fprintf(stderr, "# question %zu: %s, \"%s\"\n", i, strerror(-r),
				wire->sentence);
			return (int)i + 1;
		}
	}
	return 0;
}

static int open_and_judge(void *rank)
{
	struct wire wire;
	int r = wire_open(&wire);

	return r ? r : judge_all(&wire, *(int *)rank);
}

TEST_F(access, root)
{
	int rank = PRIVILEGED;

	EXPECT_EQ(0, open_and_judge(&rank));
}

TEST_F(access, nobody)
{
	int rank = ANYONE;
	struct obs_info after;

	EXPECT_EQ(0, nobody_run(0, open_and_judge, &rank));
	EXPECT_EQ(0, nobody_run(OBSRING_GROUP, open_and_judge, &rank));
	ASSERT_EQ(0, obs_control_info(self->control, &after));
	EXPECT_EQ(self->before.families, after.families);
	EXPECT_EQ(self->before.series, after.series);
	EXPECT_EQ(OBSRING_STATE_RUNNING, after.state);
}

TEST_F(access, one_capability)
{
	int anyone = ANYONE, reader = READER, privileged = PRIVILEGED;

	EXPECT_EQ(0, capable_run(CAP_NET_ADMIN, open_and_judge, &privileged));
	EXPECT_EQ(0, capable_run(CAP_SYS_ADMIN, open_and_judge, &privileged));
	EXPECT_EQ(0, capable_run(CAP_PERFMON, open_and_judge, &reader));
	EXPECT_EQ(0, capable_run(CAP_NET_RAW, open_and_judge, &anyone));
	EXPECT_EQ(0, capable_run(CAP_DAC_OVERRIDE, open_and_judge, &anyone));
}

/* All capabilities, but of another user namespace. */
TEST_F(access, root_of_a_user_namespace)
{
	int rank = ANYONE;

	EXPECT_EQ(0, namespace_run(0, open_and_judge, &rank));
}

TEST_F(access, another_network_namespace)
{
	int rank = ANYONE;

	EXPECT_EQ(-ENOENT, namespace_run(CLONE_NEWNET, open_and_judge, &rank));
}

struct inherited {
	struct wire *wire;
	int rank;
};

static int judge_inherited(void *arg)
{
	struct inherited *inherited = arg;

	return judge_all(inherited->wire, inherited->rank);
}

/* A socket that root opened does not make its user root, nor the reverse. */
TEST_F(access, socket_of_another)
{
	struct wire wire;
	struct inherited inherited = { .wire = &wire, .rank = ANYONE };

	ASSERT_EQ(0, wire_open(&wire));
	EXPECT_EQ(0, nobody_run(0, judge_inherited, &inherited));
	wire_close(&wire);
}

/* ---- By the device ------------------------------------------------------- */

/**
 * struct by_fd - asking all that readers may, with a descriptor
 * @path: file to open
 * @flags: how; -1: no descriptor, but the number
 * @number: then
 * @error: expected
 */
struct by_fd {
	const char *path;
	int flags;
	uint32_t number;
	int error;
};

static int ask_with_fd(struct wire *wire, const struct by_fd *by, uint32_t fd)
{
	struct request request;
	uint32_t offset;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(questions); i++) {
		if (questions[i].kind != READER)
			continue;
		question_put(&request, &questions[i]);
		offset = request_put_u32(&request, OBSRING_A_DEVICE_FD, fd);
		r = wire_ask(wire, &request, NULL, NULL);
		if (r != by->error)
			return (int)i + 1;
		if (!r)
			continue;
		if (!refusal_told(&questions[i]))
			continue;
		if (strcmp(wire->sentence, NOT_THE_DEVICE))
			return -EBADMSG;
		if (wire->offset != offset)
			return -ERANGE;
	}
	return 0;
}

static int by_fd(void *arg)
{
	const struct by_fd *by = arg;
	struct wire wire;
	int fd = -1, r = wire_open(&wire);

	if (r)
		return r;
	if (by->flags >= 0) {
		fd = open(by->path, by->flags | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	return ask_with_fd(&wire, by, fd >= 0 ? (uint32_t)fd : by->number);
}

TEST_F(access, device_open_for_reading)
{
	struct by_fd reading = { OBSRING_DEVICE, O_RDONLY, 0, 0 };
	struct by_fd both = { OBSRING_DEVICE, O_RDWR, 0, 0 };

	EXPECT_EQ(0, nobody_run(OBSRING_GROUP, by_fd, &reading));
	EXPECT_EQ(0, nobody_run(OBSRING_GROUP, by_fd, &both));
}

TEST_F(access, no_such_descriptor)
{
	struct by_fd cases[] = {
		{ OBSRING_DEVICE, O_WRONLY, 0, -EBADF },
		{ "/dev/null", O_RDONLY, 0, -EBADF },
		{ "/", O_RDONLY | O_DIRECTORY, 0, -EBADF },
		{ OBSRING_DEVICE, O_PATH, 0, -EBADF },
		{ NULL, -1, 999, -EBADF },
		{ NULL, -1, INT32_MAX, -EBADF },
		{ NULL, -1, UINT32_MAX, -EBADF },
		{ NULL, -1, 1U << 31, -EBADF },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(0, nobody_run(OBSRING_GROUP, by_fd, &cases[i]))
			TH_LOG("case %zu", i);
		/* Naming a wrong one is an error of root as well. */
		EXPECT_EQ(0, child_run(by_fd, &cases[i]))
			TH_LOG("case %zu", i);
	}
}

/* Changes need more than the device. */
static int change_with_fd(void *arg)
{
	struct request request;
	struct wire wire;
	int fd, r = wire_open(&wire);

	(void)arg;
	if (r)
		return r;
	fd = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	request_begin(&request, OBSRING_CMD_SERIES_UPDATE, 0);
	put_update(&request);
	request_put_u32(&request, OBSRING_A_DEVICE_FD, (uint32_t)fd);
	return wire_ask(&wire, &request, NULL, NULL);
}

TEST_F(access, device_gives_no_right_to_change)
{
	struct view view;

	EXPECT_EQ(-EINVAL, nobody_run(OBSRING_GROUP, change_with_fd, NULL));
	ASSERT_EQ(0, view_open(&view));
	EXPECT_EQ(0, metric(&view, "access_total"));
	view_close(&view);
}

static int count_series(const struct obs_series_values *series, void *arg)
{
	(void)series;
	++*(int *)arg;
	return 0;
}

static int library_dump(void *arg)
{
	int with_fd = *(int *)arg, nr = 0, fd = -1, r;
	struct obs_control *control;

	r = obs_control_open(&control);
	if (!r && with_fd)
		fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	if (!r)
		r = obs_series_dump(control, "access_total", true, fd, count_series, &nr);
	return r ? r : nr;
}

TEST_F(access, library)
{
	int yes = 1, no = 0;

	EXPECT_EQ(1, nobody_run(OBSRING_GROUP, library_dump, &yes));
	EXPECT_EQ(-EPERM, nobody_run(OBSRING_GROUP, library_dump, &no));
	EXPECT_EQ(1, child_run(library_dump, &no));
}

static int count_source(const struct obs_source_info *source, void *arg)
{
	*(int *)arg += source->name[0] && source->help[0];
	return 0;
}

static int library_sources(void *arg)
{
	struct obs_control *control;
	int nr = 0, r;

	(void)arg;
	r = obs_control_open(&control);
	if (!r)
		r = obs_source_list(control, count_source, &nr);
	return r ? r : nr;
}

/* Which sources there are, and what each is set to, is for everybody to see. */
TEST_F(access, sources)
{
	EXPECT_EQ(10, nobody_run(0, library_sources, NULL));
	EXPECT_EQ(10, child_run(library_sources, NULL));
}

static int ignore_probe(const struct obs_probe_info *probe, void *arg)
{
	(void)probe;
	(void)arg;
	return 0;
}

static int ignore_rule(const struct obs_sample_info *rule, void *arg)
{
	(void)rule;
	(void)arg;
	return 0;
}

static int ignore_ring(const struct obs_log_ring_info *ring, void *arg)
{
	(void)ring;
	(void)arg;
	return 0;
}

static int ignore_service(const struct obs_service_info *service, void *arg)
{
	(void)service;
	(void)arg;
	return 0;
}

static int list_probes(struct obs_control *control, int fd)
{
	(void)fd;
	return obs_probe_list(control, ignore_probe, NULL);
}

static int list_rules(struct obs_control *control, int fd)
{
	(void)fd;
	return obs_sample_list(control, ignore_rule, NULL);
}

static int list_rings(struct obs_control *control, int fd)
{
	return obs_log_ring_list(control, fd, ignore_ring, NULL);
}

static int list_services(struct obs_control *control, int fd)
{
	return obs_service_list(control, fd, ignore_service, NULL);
}

typedef int list_fn(struct obs_control *control, int fd);

static list_fn *const lists[] = { list_probes, list_rules, list_rings, list_services };

/* 0: all are listed; 1: all are refused, with a sentence that says what it takes. */
static int library_lists(void *arg)
{
	static const char sentence[] = "this needs membership of the device's group";
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	struct obs_control *control;
	int r = obs_control_open(&control);
	unsigned int i, refused = 0;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(lists) && !r; i++) {
		r = lists[i](control, fd);
		if (r != -EPERM)
			continue;
		refused++;
		r = strncmp(obs_control_error(control), sentence, strlen(sentence)) ?
		    -EBADMSG : 0;
	}
	return r ?: refused == ARRAY_SIZE(lists) ? 1 : -(int)refused;
}

TEST_F(access, lists)
{
	EXPECT_EQ(1, nobody_run(0, library_lists, NULL));
	EXPECT_EQ(0, nobody_run(OBSRING_GROUP, library_lists, NULL));
	EXPECT_EQ(0, capable_run(CAP_PERFMON, library_lists, NULL));
}

/* ---- Dumps that nobody reads --------------------------------------------- */

static int send_only(struct wire *wire, struct request *request)
{
	request->head.nlmsg_type = wire->family;
	return send(wire->fd, request, request->head.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* Is an answer there, which leaves no room for others? That is told before it. */
static bool is_full(int fd)
{
	ssize_t n;
	char c;

	do {
		n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
	} while (n < 0 && errno == ENOBUFS);
	return n == 1;
}

/*
 * Ask for every dump, with a socket that has no room for an answer, and keep it
 * until the pipe @fd[2] is closed.
 */
static int ask_and_keep(void *arg)
{
	const int *fd = arg;
	struct request request;
	struct wire wire;
	int least = 1, r = wire_open(&wire);
	size_t i;
	char c;

	if (r)
		return r;
	setsockopt(wire.fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	request_begin(&request, OBSRING_CMD_INFO_GET, 0);
	r = send_only(&wire, &request);
	for (i = 0; i < ARRAY_SIZE(questions) && !r; i++) {
		if (!questions[i].flags)
			continue;
		question_put(&request, &questions[i]);
		r = send_only(&wire, &request);
	}
	if (r || !is_full(wire.fd))
		return r ?: -ENOMSG;
	if (write(fd[1], "", 1) != 1 || read(fd[2], &c, 1) != 0)
		return -EPIPE;
	wire_close(&wire);
	return 0;
}

/* Who is no reader can't keep the module from being unloaded. */
TEST(unread_dumps_of_nobody)
{
	int fd[4], status;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(0, pipe(fd + 2));
	pid = fork();
	if (!pid) {
		close(fd[3]);
		_exit(nobody_run(0, ask_and_keep, fd) ? 1 : 0);
	}
	/* So that a child that failed is not waited for. */
	close(fd[1]);
	close(fd[2]);
	ASSERT_EQ(1, read(fd[0], &c, 1));
	EXPECT_EQ(0, module_unload("obsring"));
	close(fd[3]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, module_reload(""));
}

/* ---- The multicast group ------------------------------------------------- */

static int join(void *arg)
{
	struct wire wire;
	int r = wire_open(&wire);

	(void)arg;
	return r ? r : wire_join(&wire);
}

TEST_F(access, events)
{
	EXPECT_EQ(0, child_run(join, NULL));
	EXPECT_EQ(0, capable_run(CAP_NET_ADMIN, join, NULL));
	EXPECT_EQ(-EPERM, nobody_run(OBSRING_GROUP, join, NULL));
	EXPECT_EQ(-EPERM, capable_run(CAP_PERFMON, join, NULL));
	EXPECT_EQ(-EPERM, namespace_run(0, join, NULL));
}

TEST_HARNESS_MAIN
