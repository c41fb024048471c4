// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "uring.h"

#define ENTRIES	1

/**
 * struct uring - a ring
 * @fd: of it
 * @params: as the kernel has made it
 * @queues: both, @queues_size bytes
 * @sqe: the entries
 */
struct uring {
	int fd;
	struct io_uring_params params;
	char *queues;
	size_t queues_size;
	struct io_uring_sqe *sqe;
};

static void *map(const struct uring *ring, size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, offset);

	return at == MAP_FAILED ? NULL : at;
}

static int open_ring(struct uring *ring)
{
	size_t cq;

	*ring = (struct uring){ };
	ring->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
	if (ring->fd < 0)
		return errno == EPERM ? -ENOSYS : -errno;
	cq = ring->params.cq_off.cqes +
	     ring->params.cq_entries * sizeof(struct io_uring_cqe);
	ring->queues_size = ring->params.sq_off.array +
			    ring->params.sq_entries * sizeof(uint32_t);
	if (!(ring->params.features & IORING_FEAT_SINGLE_MMAP))
		return -ENOSYS;
	if (ring->queues_size < cq)
		ring->queues_size = cq;
	ring->queues = map(ring, ring->queues_size, IORING_OFF_SQ_RING);
	ring->sqe = map(ring, ENTRIES * sizeof(*ring->sqe), IORING_OFF_SQES);
	return ring->queues && ring->sqe ? 0 : -ENOMEM;
}

static void close_ring(const struct uring *ring)
{
	if (ring->sqe)
		munmap(ring->sqe, ENTRIES * sizeof(*ring->sqe));
	if (ring->queues)
		munmap(ring->queues, ring->queues_size);
	if (ring->fd >= 0)
		close(ring->fd);
}

static uint32_t *word(const struct uring *ring, uint32_t offset)
{
	return (uint32_t *)(ring->queues + offset);
}

/* The first request of a new ring: entry 0, and completion 0. */
static int submit(const struct uring *ring)
{
	const struct io_uring_cqe *cqe =
		(const void *)(ring->queues + ring->params.cq_off.cqes);
	const uint32_t *done = word(ring, ring->params.cq_off.tail);

	*word(ring, ring->params.sq_off.array) = 0;
	__atomic_store_n(word(ring, ring->params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	return __atomic_load_n(done, __ATOMIC_ACQUIRE) ? cqe->res : -EIO;
}

int uring_read(int fd, void *buffer, size_t size, unsigned char flags)
{
	struct uring ring;
	int r = open_ring(&ring);

	if (!r) {
		ring.sqe[0] = (struct io_uring_sqe){
			.opcode = IORING_OP_READ, .flags = flags, .fd = fd,
			.addr = (uintptr_t)buffer, .len = (uint32_t)size,
		};
		r = submit(&ring);
	}
	close_ring(&ring);
	return r;
}
