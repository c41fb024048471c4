// SPDX-License-Identifier: MIT
/*
 * scrape_load: asks a server for /metrics over connections that are kept, and prints, as
 * NAME=VALUE, what came back and how long it took.
 *
 *	-a ADDRESS -p PORT	127.0.0.1
 *	-c CONNECTIONS
 *	-n REQUESTS		closed loop: each connection asks again when it was answered
 *	-r RATE -t SECONDS	open loop: requests are due RATE times a second, and wait for
 *				a connection if all are busy; a latency begins when a request
 *				is due, not when it could be sent, so that a slow answer
 *				is seen by all that it kept waiting
 *	-z			Accept-Encoding: gzip
 *	-l LIST -s SEGMENT -u PERCENT	before each request of a closed loop, count in so many
 *				of the counters of LIST (make_segment.c)
 *
 * One thread and epoll. An answer that is not 200, or is cut off, ends the program: what
 * failed was not measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define NS_PER_S	1000000000ULL
#define HEAD_MAX	4096
#define LOST_NS		(60 * NS_PER_S)	/* what was not answered by then never is */
#define LATENCIES_MAX	4194304

struct connection {
	int fd;
	bool busy;
	uint64_t due_ns;
	char head[HEAD_MAX];
	size_t head_len;
	bool in_body, chunked;
	uint64_t left;		/* bytes of the body, or of the chunk at hand */
	enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_LAST } state;
	char line[32];		/* of a chunk's size */
	size_t line_len;
};

struct load {
	const char *address;
	unsigned int port, nr;
	uint64_t requests;
	double rate, seconds;
	bool gzip;
	struct connection *connection;
	int epoll;
	char request[512];
	size_t request_len;
	/* Open loop: due, and not yet sent. */
	uint64_t start_ns, heard_ns, sent;
	unsigned int *idle, nr_idle;
	/* What came. */
	uint64_t answered, bytes;
	uint32_t *latency;	/* us / 10 */
	/* Counting. */
	unsigned char *segment;
	uint64_t *offset;
	size_t nr_offsets;
	unsigned int percent;
};

static void die(const char *what)
{
	fprintf(stderr, "scrape_load: %s: %s\n", what, errno ? strerror(errno) : "failed");
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- Counting ------------------------------------------------------------ */

static void read_list(struct load *load, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[1024], *last;
	size_t max = 0;

	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file)) {
		last = strrchr(line, '\t');
		if (!last)
			die("list");
		if (load->nr_offsets == max) {
			max = max * 2 + 1024;
			load->offset = reallocarray(load->offset, max, sizeof(uint64_t));
			if (!load->offset)
				die("list");
		}
		load->offset[load->nr_offsets++] = strtoull(last + 1, NULL, 10);
	}
	fclose(file);
}

static void map_segment(struct load *load, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat))
		die(path);
	load->segment = mmap(NULL, stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (load->segment == MAP_FAILED)
		die(path);
}

static void count(struct load *load)
{
	static size_t at;
	size_t i, nr = load->nr_offsets * load->percent / 100;

	/* Far from each other: a share of all pieces, not a piece. */
	for (i = 0; i < nr; i++) {
		at = (at + 7919) % load->nr_offsets;
		__atomic_add_fetch((uint64_t *)(load->segment + load->offset[at]), 1,
				   __ATOMIC_RELAXED);
	}
}

/* ---- Connections --------------------------------------------------------- */

static void open_connection(struct load *load, unsigned int i)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(load->port) };
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
	struct connection *connection = &load->connection[i];
	int one = 1;

	if (inet_pton(AF_INET, load->address, &address.sin_addr) != 1)
		die(load->address);
	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection->fd < 0 ||
	    connect(connection->fd, (struct sockaddr *)&address, sizeof(address)))
		die("connect");
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) ||
	    epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event))
		die("connect");
}

static void ask(struct load *load, unsigned int i, uint64_t due_ns)
{
	struct connection *connection = &load->connection[i];

	count(load);
	connection->busy = true;
	connection->due_ns = due_ns ? due_ns : now_ns();
	connection->head_len = 0;
	connection->in_body = false;
	errno = 0;
	if (write(connection->fd, load->request, load->request_len) !=
	    (ssize_t)load->request_len)
		die("send");
	load->sent++;
}

static void done(struct load *load, unsigned int i)
{
	struct connection *connection = &load->connection[i];
	uint64_t took = (now_ns() - connection->due_ns) / 10000;

	connection->busy = false;
	if (load->answered < LATENCIES_MAX)
		load->latency[load->answered] = took < UINT32_MAX ? took : UINT32_MAX;
	load->answered++;
	/*
	 * To the end, with more than were wanted: libmicrohttpd 0.9.75 waits with 128 events
	 * that it has, until there is another one, which the last connections would not send.
	 */
	if (load->rate > 0)
		load->idle[load->nr_idle++] = i;
	else if (load->answered < load->requests)
		ask(load, i, 0);
}

/* The head is complete: what of @len bytes behind it is the body's. */
static void take_head(struct connection *connection, char *end)
{
	char *length;

	end[2] = '\0';
	errno = 0;
	if (strncmp(connection->head, "HTTP/1.1 200", 12)) {
		fprintf(stderr, "%.60s\n", connection->head);
		die("answer");
	}
	length = strcasestr(connection->head, "\r\nContent-Length:");
	connection->chunked = strcasestr(connection->head, "\r\nTransfer-Encoding: chunked");
	if (!length && !connection->chunked)
		die("neither a length nor chunks");
	connection->left = length ? strtoull(length + 17, NULL, 10) : 1;
	connection->state = CHUNK_SIZE;
	connection->line_len = 0;
	connection->in_body = true;
}

/* A line of a chunked body: a size, or the empty one behind a chunk or behind all. */
static size_t take_line(struct connection *connection, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);
	size_t used = end ? (size_t)(end - data) + 1 : len;

	if (connection->line_len + used >= sizeof(connection->line))
		die("a chunk");
	memcpy(connection->line + connection->line_len, data, used);
	connection->line_len += used;
	if (!end)
		return used;
	connection->line[connection->line_len] = '\0';
	connection->line_len = 0;
	if (connection->state == CHUNK_SIZE) {
		connection->left = strtoull(connection->line, NULL, 16);
		connection->state = connection->left ? CHUNK_DATA : CHUNK_LAST;
		connection->left += !connection->left;	/* there is more to come */
	} else if (connection->state == CHUNK_END) {
		connection->state = CHUNK_SIZE;
	} else {
		connection->left = 0;
	}
	return used;
}

static size_t take_chunked(struct connection *connection, const char *data, size_t len)
{
	if (connection->state != CHUNK_DATA)
		return take_line(connection, data, len);
	if (len < connection->left) {
		connection->left -= len;
		return len;
	}
	len = connection->left;
	connection->left = 1;
	connection->state = CHUNK_END;
	return len;
}

static size_t take_body(struct connection *connection, size_t len)
{
	if (len > connection->left) {
		errno = EPROTO;
		die("answer");
	}
	connection->left -= len;
	return len;
}

static size_t take_bytes(struct connection *connection, const char *data, size_t len)
{
	size_t room = HEAD_MAX - 1 - connection->head_len, used;
	char *end;

	if (connection->in_body)
		return connection->chunked ? take_chunked(connection, data, len) :
					     take_body(connection, len);
	used = len < room ? len : room;
	memcpy(connection->head + connection->head_len, data, used);
	connection->head[connection->head_len + used] = '\0';
	end = strstr(connection->head, "\r\n\r\n");
	if (!end) {
		connection->head_len += used;
		if (connection->head_len == HEAD_MAX - 1)
			die("a head without an end");
		return used;
	}
	used = end + 4 - connection->head - connection->head_len;
	take_head(connection, end);
	return used;
}

static void receive(struct load *load, unsigned int i)
{
	static char buffer[1 << 20];
	struct connection *connection = &load->connection[i];
	const char *data = buffer;
	ssize_t len;

	len = read(connection->fd, buffer, sizeof(buffer));
	if (len < 0 && errno == EAGAIN)
		return;
	if (len <= 0 || !connection->busy)
		die("the server ended a connection");
	load->bytes += len;
	while (len) {
		size_t used = take_bytes(connection, data, len);

		data += used;
		len -= used;
	}
	if (connection->in_body && !connection->left)
		done(load, i);
}

/* ---- Loops --------------------------------------------------------------- */

static void wait_events(struct load *load, int timeout_ms)
{
	struct epoll_event event[256];
	int i, nr = epoll_wait(load->epoll, event, 256, timeout_ms);

	if (nr < 0 && errno != EINTR)
		die("epoll");
	if (nr > 0) {
		load->heard_ns = now_ns();
	} else if (load->answered < load->sent && now_ns() - load->heard_ns > LOST_NS) {
		errno = ETIMEDOUT;
		die("an answer");
	}
	for (i = 0; i < nr; i++)
		receive(load, event[i].data.u32);
}

static void closed_loop(struct load *load)
{
	unsigned int i;

	for (i = 0; i < load->nr && load->sent < load->requests; i++)
		ask(load, i, 0);
	while (load->answered < load->requests)
		wait_events(load, 10000);
}

static void open_loop(struct load *load)
{
	uint64_t all = load->rate * load->seconds, due_ns;
	unsigned int i;

	for (i = 0; i < load->nr; i++)
		load->idle[load->nr_idle++] = i;
	while (load->answered < all) {
		while (load->sent < all && load->nr_idle) {
			due_ns = load->start_ns + load->sent * (NS_PER_S / load->rate);
			if (due_ns > now_ns())
				break;
			ask(load, load->idle[--load->nr_idle], due_ns);
		}
		wait_events(load, load->sent < all && load->nr_idle ? 0 : 1);
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void print(struct load *load, double seconds)
{
	size_t nr = load->answered < LATENCIES_MAX ? load->answered : LATENCIES_MAX;

	qsort(load->latency, nr, sizeof(*load->latency), compare);
	printf("requests=%llu rps=%.1f bytes=%.0f p50_us=%u p99_us=%u max_us=%u\n",
	       (unsigned long long)load->answered, load->answered / seconds,
	       (double)load->bytes / load->answered, load->latency[nr / 2] * 10,
	       load->latency[nr - 1 - nr / 100] * 10, load->latency[nr - 1] * 10);
}

static void parse(struct load *load, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "a:p:c:n:r:t:zl:s:u:")) != -1) {
		switch (c) {
		case 'a':
			load->address = optarg;
			break;
		case 'p':
			load->port = atoi(optarg);
			break;
		case 'c':
			load->nr = atoi(optarg);
			break;
		case 'n':
			load->requests = atoll(optarg);
			break;
		case 'r':
			load->rate = atof(optarg);
			break;
		case 't':
			load->seconds = atof(optarg);
			break;
		case 'z':
			load->gzip = true;
			break;
		case 'l':
			read_list(load, optarg);
			break;
		case 's':
			map_segment(load, optarg);
			break;
		case 'u':
			load->percent = atoi(optarg);
			break;
		default:
			exit(2);
		}
	}
	if (!load->port || !load->nr || (!load->requests && load->rate * load->seconds < 1) ||
	    (load->percent && (!load->segment || !load->nr_offsets))) {
		fprintf(stderr, "scrape_load: see the comment of scrape_load.c\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct load load = { .address = "127.0.0.1" };
	unsigned int i;

	parse(&load, argc, argv);
	load.connection = calloc(load.nr, sizeof(*load.connection));
	load.idle = calloc(load.nr, sizeof(*load.idle));
	load.latency = calloc(LATENCIES_MAX, sizeof(*load.latency));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!load.connection || !load.idle || !load.latency || load.epoll < 0)
		die("start");
	load.request_len = snprintf(load.request, sizeof(load.request),
				    "GET /metrics HTTP/1.1\r\nHost: bench\r\n"
				    "Accept: text/plain;version=0.0.4\r\n%s\r\n",
				    load.gzip ? "Accept-Encoding: gzip\r\n" : "");
	for (i = 0; i < load.nr; i++)
		open_connection(&load, i);
	load.start_ns = load.heard_ns = now_ns();
	if (load.rate > 0)
		open_loop(&load);
	else
		closed_loop(&load);
	print(&load, (double)(now_ns() - load.start_ns) / NS_PER_S);
	return 0;
}
