// SPDX-License-Identifier: MIT
/*
 * Mapping a segment, and its lock. A child of fork() inherits the mapping and the
 * descriptor; what is locked through that is its parent's, so it opens the file anew
 * before it runs on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "segment.h"
#include "segprocess.h"
#include "service.h"

#define TABLE_MAX	(1U << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;
static struct obs_segment *segments;	/* under lock; none is ever taken out */

/* Is the descriptor still the segment's? Programs close what they do not know. */
static bool fd_is_ours(const struct obs_segment *segment)
{
	struct stat st;

	return segment->fd >= 0 && !fstat(segment->fd, &st) &&
	       st.st_dev == segment->dev && st.st_ino == segment->ino;
}

/*
 * The file, opened anew, for locks alone: a mapping keeps its description, and what is
 * locked by that, as long as any child of fork() has it.
 */
static int fd_anew(int fd)
{
	char path[32];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return own < 0 ? -errno : obs_fd_keep(own);
}

/* ---- Checking ------------------------------------------------------------ */

static bool host_numbers_valid(const struct obs_host *host, const struct obs_device *view)
{
	return host->nr_services && host->nr_services <= TABLE_MAX &&
	       host->nr_members && host->nr_members <= TABLE_MAX &&
	       host->nr_shares <= view->region[OBSRING_REGION_SHARES].limit &&
	       host->nr_shares <= view->region[OBSRING_REGION_SHARE_PAGES].limit &&
	       host->nr_leases <= view->region[OBSRING_REGION_RINGS].limit &&
	       host->nr_rules <= OBS_HOST_RULES &&
	       host->lines >= OBSRING_RING_LINES_MIN &&
	       host->lines <= OBSRING_RING_LINES_MAX && !(host->lines & (host->lines - 1)) &&
	       (uint64_t)host->lines * sizeof(struct obsring_line) * host->nr_leases <=
		       view->region[OBSRING_REGION_LOG].size;
}

static int host_check(struct obs_segment *segment)
{
	const struct obs_region *region = &segment->view.region[OBSRING_REGION_HOST];
	struct obs_host *nr = &segment->nr;

	memcpy(nr, segment->host, sizeof(*nr));
	if (nr->version != OBS_HOST_VERSION)
		return -EPROTONOSUPPORT;
	if (!host_numbers_valid(nr, &segment->view))
		return -EPROTO;
	obs_host_tables(nr, segment->view.page_size, &segment->tables);
	return segment->tables.end > region->size ? -EPROTO : 0;
}

/* Entries of the sizes that this library writes, in pages of this machine. */
static bool layout_valid(const struct obs_device *view)
{
	const struct obs_region *region = view->region;

	return view->page_size == (uint32_t)sysconf(_SC_PAGESIZE) &&
	       region[OBSRING_REGION_HOST].size &&
	       region[OBSRING_REGION_FAMILIES].entry_size == sizeof(struct obsring_family) &&
	       region[OBSRING_REGION_SERIES].entry_size == sizeof(struct obsring_series) &&
	       region[OBSRING_REGION_SHARES].entry_size == sizeof(struct obsring_share) &&
	       region[OBSRING_REGION_RINGS].entry_size == sizeof(struct obsring_ring) &&
	       region[OBSRING_REGION_SERVICES].limit && region[OBSRING_REGION_LOG].size;
}

static int header_check(struct obs_segment *segment)
{
	struct obsring_header header;
	int r;

	if (segment->view.bytes < sizeof(header))
		return -EPROTO;
	memcpy(&header, segment->header, sizeof(header));
	segment->view.bytes = 0;
	r = obs_header_check(&header, &segment->view);
	if (r)
		return r;
	return layout_valid(&segment->view) ? 0 : -EPROTO;
}

/* ---- Mapping ------------------------------------------------------------- */

static int scratch_new(struct obs_segment *segment)
{
	const struct obs_region *region = segment->view.region;
	size_t slots = (size_t)region[OBSRING_REGION_SERVICES].limit *
		       obs_segment_page_slots(segment);

	segment->granule_used = malloc(region[OBSRING_REGION_TEXT].limit);
	segment->slot_used = malloc(slots);
	segment->mine = calloc(segment->nr.nr_members, 1);
	segment->leased = calloc(segment->nr.nr_leases, 1);
	return segment->granule_used && segment->slot_used && segment->mine &&
	       segment->leased ? 0 : -ENOMEM;
}

static void own_find(struct obs_segment *segment)
{
	uint32_t i, slot;

	for (i = 0; i < OBS_HOST_OWN_NR; i++) {
		slot = segment->nr.own[i];
		if (slot >= obs_segment_page_slots(segment))
			continue;
		segment->own[i] = (struct obs_rows){
			.base = obs_segment_row(segment, 0, 0) + slot,
			.stride = segment->view.page_size,
			.nr_cpus = segment->view.nr_cpus,
			.shared = obs_segment_row(segment, 0, segment->view.nr_cpus) + slot,
		};
	}
}

static int segment_map(struct obs_segment *segment, int fd, uint64_t bytes)
{
	void *base;
	int r;

	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	segment->base = base;
	segment->bytes = bytes;
	segment->header = base;
	segment->view.bytes = bytes;
	r = header_check(segment);
	if (r)
		return r;
	if (segment->view.bytes > bytes)
		return -EPROTO;
	segment->host = obs_segment_region(segment, OBSRING_REGION_HOST);
	r = host_check(segment);
	if (!r)
		r = scratch_new(segment);
	if (r)
		return r;
	own_find(segment);
	return 0;
}

static void segment_free(struct obs_segment *segment)
{
	if (segment->base)
		munmap(segment->base, segment->bytes);
	if (segment->fd >= 0)
		close(segment->fd);
	free(segment->granule_used);
	free(segment->slot_used);
	free(segment->mine);
	free(segment->leased);
	pthread_mutex_destroy(&segment->mutex);
	free(segment);
}

static void self_set(struct obs_segment *segment)
{
	uint64_t pid_ns, start;

	segment->pid = getpid();
	obs_process_self(&pid_ns, &start);
	segment->self = (struct obs_host_process){
		.pid = (__u32)segment->pid, .pid_ns = pid_ns, .start = start,
	};
}

static int segment_new(int fd, const struct stat *st, struct obs_segment **ret_segment)
{
	uint64_t bytes = (uint64_t)st->st_size;
	struct obs_segment *segment = calloc(1, sizeof(*segment));
	int r;

	if (!segment)
		return -ENOMEM;
	segment->dev = st->st_dev;
	segment->ino = st->st_ino;
	pthread_mutex_init(&segment->mutex, NULL);
	self_set(segment);
	segment->fd = fd_anew(fd);
	r = segment->fd < 0 ? segment->fd : 0;
	if (!r)
		r = bytes < (uint64_t)sysconf(_SC_PAGESIZE) ? -EPROTO :
		    segment_map(segment, fd, bytes);
	if (r) {
		segment_free(segment);
		return r;
	}
	*ret_segment = segment;
	return 0;
}

int obs_segment_new_private(int fd, struct obs_segment **ret_segment)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return segment_new(fd, &st, ret_segment);
}

void obs_segment_free_private(struct obs_segment *segment)
{
	segment_free(segment);
}

/* ---- fork ---------------------------------------------------------------- */

void obs_segment_forked(struct obs_segment *segment)
{
	int old = segment->fd;

	if (segment->pid == getpid())
		return;
	self_set(segment);
	/* Another thread may have had it. */
	pthread_mutex_init(&segment->mutex, NULL);
	memset(segment->mine, 0, segment->nr.nr_members);
	memset(segment->leased, 0, segment->nr.nr_leases);
	segment->fd = -1;
	if (old < 0)
		return;
	segment->fd = old;
	if (!fd_is_ours(segment)) {
		segment->fd = -1;
		return;
	}
	segment->fd = fd_anew(old);
	close(old);
}

static void child_begins(void)
{
	struct obs_segment *segment;

	for (segment = segments; segment; segment = segment->next)
		obs_segment_forked(segment);
	/* Another thread may have had it; a segment that is in the list is whole. */
	pthread_mutex_init(&lock, NULL);
}

static void prepare(void)
{
	once_error = pthread_atfork(NULL, NULL, child_begins);
}

/* ---- Getting one --------------------------------------------------------- */

/* Someone has closed the one that it had: members are locked anew. */
static void fd_replace(struct obs_segment *segment, int fd)
{
	if (fd_is_ours(segment))
		return;
	segment->fd = fd_anew(fd);
	obs_segment_members_relock(segment);
}

static int segment_get(int fd, const struct stat *st, struct obs_segment **ret_segment)
{
	struct obs_segment *segment;
	int r;

	for (segment = segments; segment; segment = segment->next)
		if (segment->dev == st->st_dev && segment->ino == st->st_ino)
			break;
	if (segment) {
		fd_replace(segment, fd);
	} else {
		r = segment_new(fd, st, &segment);
		if (r)
			return r;
		segment->next = segments;
		/* Whole, for a child of fork() by another thread. */
		obs_store_release(&segments, segment);
	}
	*ret_segment = segment;
	return 0;
}

int obs_segment_get(int fd, struct obs_segment **ret_segment)
{
	struct stat st;
	int r;

	pthread_once(&once, prepare);
	if (once_error)
		return -once_error;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EPROTO;
	pthread_mutex_lock(&lock);
	r = segment_get(fd, &st, ret_segment);
	pthread_mutex_unlock(&lock);
	return r;
}

int obs_segment_open(const char *path, struct obs_segment **ret_segment)
{
	int fd, r;

	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == EISDIR ? -EPROTO : -errno;
	r = obs_segment_get(fd, ret_segment);
	close(fd);
	return r;
}

/* ---- Locks --------------------------------------------------------------- */

static struct flock byte_lock(const struct obs_segment *segment, const void *at, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (const uint8_t *)at - segment->base,
		.l_len = 1,
	};
}

bool obs_segment_byte_take(const struct obs_segment *segment, const void *at)
{
	struct flock lock = byte_lock(segment, at, F_WRLCK);

	return fd_is_ours(segment) && !fcntl(segment->fd, F_OFD_SETLK, &lock);
}

void obs_segment_byte_release(const struct obs_segment *segment, const void *at)
{
	struct flock lock = byte_lock(segment, at, F_UNLCK);

	if (fd_is_ours(segment))
		fcntl(segment->fd, F_OFD_SETLK, &lock);
}

bool obs_segment_holds(const struct obs_segment *segment, const void *at,
		       const struct obs_host_process *process)
{
	struct flock lock = byte_lock(segment, at, F_WRLCK);

	if (!fd_is_ours(segment) || fcntl(segment->fd, F_OFD_GETLK, &lock) ||
	    lock.l_type != F_UNLCK)
		return true;
	return process->pid_ns && process->pid_ns == segment->self.pid_ns &&
	       process->start && obs_process_lives(process->pid, process->start) &&
	       obs_process_maps(process->pid, segment->ino);
}

static int directory_take(struct obs_segment *segment, int how)
{
	struct flock lock = byte_lock(segment, &segment->host->busy, F_WRLCK);
	int r;

	if (!fd_is_ours(segment))
		return -EBADF;
	do {
		r = fcntl(segment->fd, how, &lock) ? -errno : 0;
	} while (r == -EINTR);
	return r == -EAGAIN || r == -EACCES ? -EBUSY : r;
}

static int directory_lock(struct obs_segment *segment, int how)
{
	int r = directory_take(segment, how);

	if (r) {
		pthread_mutex_unlock(&segment->mutex);
		return r;
	}
	if (obs_read_once(&segment->host->busy)) {
		obs_segment_mend(segment);
		obs_segment_count(segment, OBS_HOST_MENDED, 1);
	}
	obs_write_once(&segment->host->busy, 1);
	obs_barrier();
	return 0;
}

int obs_segment_lock(struct obs_segment *segment)
{
	pthread_mutex_lock(&segment->mutex);
	return directory_lock(segment, F_OFD_SETLKW);
}

int obs_segment_trylock(struct obs_segment *segment)
{
	if (pthread_mutex_trylock(&segment->mutex))
		return -EBUSY;
	return directory_lock(segment, F_OFD_SETLK);
}

void obs_segment_unlock(struct obs_segment *segment)
{
	obs_barrier();
	obs_write_once(&segment->host->busy, 0);
	obs_segment_byte_release(segment, &segment->host->busy);
	pthread_mutex_unlock(&segment->mutex);
}

void obs_segment_count(struct obs_segment *segment, enum obs_host_own own, uint64_t n)
{
	if (segment->own[own].shared)
		obs_rows_add(&segment->own[own], 0, n);
}
