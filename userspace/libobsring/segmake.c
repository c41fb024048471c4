// SPDX-License-Identifier: MIT
/*
 * Making a segment: laid out in a file without a name, which gets its name when all is
 * there. The whole of it has memory or disk behind it, so that a full disk is an error
 * here, and no SIGBUS later.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "segment.h"

#define SERIES_MIN	64	/* the segment's own, and some */
#define SERIES_MAX	65536
#define PAGES_MAX	4096
#define SHARES_MAX	4096
#define RINGS_MAX	1024
#define SERIES_GRANULES	4
#define TEXT_GRANULES	1024
#define MODE		0660

static const struct obs_segment_options defaults = {
	.max_series = 4096, .value_pages = 64, .max_shares = 256, .log_rings = 64,
	.log_bytes = 65536, .mode = MODE,
};

/* What is laid out, before anything is mapped. */
struct plan {
	struct obs_segment_options options;
	struct obsring_header header;
	struct obs_host host;
	uint64_t bytes;
	uint64_t page_size;
};

static bool options_valid(const struct obs_segment_options *o)
{
	return o->max_series >= SERIES_MIN && o->max_series <= SERIES_MAX &&
	       o->value_pages <= PAGES_MAX && o->max_shares <= SHARES_MAX &&
	       o->log_rings <= RINGS_MAX && !(o->log_bytes & (o->log_bytes - 1)) &&
	       o->log_bytes >= (uint32_t)sysconf(_SC_PAGESIZE) &&
	       o->log_bytes / sizeof(struct obsring_line) >= OBSRING_RING_LINES_MIN &&
	       o->log_bytes / sizeof(struct obsring_line) <= OBSRING_RING_LINES_MAX &&
	       o->mode <= 0777;
}

static struct obs_segment_options options_complete(const struct obs_segment_options *options)
{
	struct obs_segment_options o = options ? *options : defaults;

	o.max_series = o.max_series ?: defaults.max_series;
	o.value_pages = o.value_pages ?: defaults.value_pages;
	o.max_shares = o.max_shares ?: defaults.max_shares;
	o.log_rings = o.log_rings ?: defaults.log_rings;
	o.log_bytes = o.log_bytes ?: defaults.log_bytes;
	o.mode = o.mode ?: defaults.mode;
	return o;
}

/* One more than the number of the last CPU that this machine may have. */
static uint32_t cpus(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/possible", "re");
	char text[4096], *last;
	long nr = 0;

	if (file && fgets(text, sizeof(text), file)) {
		last = text + strcspn(text, "\n");
		*last = '\0';
		while (last > text && last[-1] >= '0' && last[-1] <= '9')
			last--;
		nr = strtol(last, NULL, 10) + 1;
	}
	if (file)
		fclose(file);
	if (nr < 1)
		nr = sysconf(_SC_NPROCESSORS_CONF);
	return nr < 1 ? 1 : nr > OBSRING_CPU_MASK_WORDS * 64 ? OBSRING_CPU_MASK_WORDS * 64 :
							       (uint32_t)nr;
}

/* ---- Layout -------------------------------------------------------------- */

static void region_place(struct plan *plan, enum obsring_region_id id, uint32_t entry_size,
			 uint32_t nr, uint64_t bytes)
{
	struct obsring_region *region = &plan->header.region[id];

	region->offset = plan->bytes;
	region->size = (bytes + plan->page_size - 1) / plan->page_size * plan->page_size;
	region->entry_size = entry_size;
	region->nr = nr;
	plan->bytes += region->size;
}

/* As many entries as its pages hold. */
static void table_place(struct plan *plan, enum obsring_region_id id, uint32_t entry_size,
			uint32_t nr)
{
	struct obsring_region *region = &plan->header.region[id];

	region_place(plan, id, entry_size, nr, (uint64_t)nr * entry_size);
	if (id != OBSRING_REGION_JOURNAL)
		region->nr = (uint32_t)(region->size / entry_size);
}

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t n = 1;

	while (n < at_least)
		n *= 2;
	return n;
}

static void host_plan(struct plan *plan)
{
	const struct obs_segment_options *o = &plan->options;
	struct obs_host_tables tables;

	plan->host = (struct obs_host){
		.version = OBS_HOST_VERSION,
		.nr_services = OBS_HOST_SERVICES,
		.nr_members = 4 * o->max_shares,
		.nr_shares = o->max_shares,
		.nr_leases = o->log_rings,
		.nr_rules = OBS_HOST_RULES,
		.lines = o->log_bytes / (uint32_t)sizeof(struct obsring_line),
		.next_service = 1,
	};
	obs_host_tables(&plan->host, plan->page_size, &tables);
	region_place(plan, OBSRING_REGION_HOST, (uint32_t)plan->page_size, 0, tables.end);
	plan->header.region[OBSRING_REGION_HOST].nr =
		(uint32_t)(plan->header.region[OBSRING_REGION_HOST].size / plan->page_size);
}

static void regions_plan(struct plan *plan)
{
	const struct obs_segment_options *o = &plan->options;
	uint32_t page = (uint32_t)plan->page_size, nr_cpus = plan->header.nr_cpus;

	table_place(plan, OBSRING_REGION_FAMILIES, sizeof(struct obsring_family),
		    o->max_series / 4);
	table_place(plan, OBSRING_REGION_SERIES, sizeof(struct obsring_series), o->max_series);
	table_place(plan, OBSRING_REGION_TEXT, OBSRING_GRANULE,
		    o->max_series * SERIES_GRANULES + TEXT_GRANULES);
	table_place(plan, OBSRING_REGION_JOURNAL, sizeof(__u64),
		    power_of_two(o->max_series / 4 > page / 8 ? o->max_series / 4 : page / 8));
	region_place(plan, OBSRING_REGION_VALUES, page, 0, (uint64_t)nr_cpus * page);
	region_place(plan, OBSRING_REGION_RINGS, sizeof(struct obsring_ring), o->log_rings,
		     (uint64_t)o->log_rings * sizeof(struct obsring_ring));
	region_place(plan, OBSRING_REGION_LOG, sizeof(struct obsring_line), 0,
		     (uint64_t)o->log_rings * o->log_bytes);
	region_place(plan, OBSRING_REGION_SERVICES, page, o->value_pages,
		     (uint64_t)o->value_pages * (nr_cpus + 1) * page);
	table_place(plan, OBSRING_REGION_SHARES, sizeof(struct obsring_share), o->max_shares);
	region_place(plan, OBSRING_REGION_SHARE_PAGES, page, o->max_shares,
		     (uint64_t)o->max_shares * page);
	host_plan(plan);
}

static void header_plan(struct plan *plan)
{
	struct obsring_header *header = &plan->header;
	struct timespec now;
	uint32_t cpu;

	clock_gettime(CLOCK_REALTIME, &now);
	*header = (struct obsring_header){
		.magic = OBSRING_MAGIC,
		.abi_major = OBSRING_ABI_MAJOR,
		.abi_minor = OBSRING_ABI_MINOR,
		.header_size = sizeof(*header),
		.page_size = (uint32_t)plan->page_size,
		.nr_cpus = cpus(),
		.nr_regions = OBSRING_REGION_MAX + 1,
		.started_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
		.state = OBSRING_STATE_RUNNING,
		.journal_pos = OBSRING_JOURNAL_START,
	};
	/* Not for secrets: that it differs is enough. */
	if (getrandom(&header->instance, sizeof(header->instance), 0) < 0)
		header->instance = header->started_ns;
	for (cpu = 0; cpu < header->nr_cpus; cpu++)
		header->cpu_mask[cpu / 64] |= 1ULL << cpu % 64;
	plan->bytes = plan->page_size;
}

/* ---- Filling ------------------------------------------------------------- */

static void rings_init(const struct plan *plan, uint8_t *base)
{
	uint64_t log = plan->header.region[OBSRING_REGION_LOG].offset, bytes;
	struct obs_ring_writer writer;
	struct obsring_ring *ring;
	uint32_t i;

	ring = (struct obsring_ring *)(base + plan->header.region[OBSRING_REGION_RINGS].offset);
	bytes = plan->options.log_bytes;
	for (i = 0; i < plan->options.log_rings; i++, ring++, log += bytes) {
		obs_ring_init(&writer, ring, (struct obsring_line *)(base + log),
			      plan->host.lines);
		ring->cpu = i;
		ring->origin = OBSRING_ORIGIN_USER;
		ring->offset = log;
	}
}

static int bytes_fill(const struct plan *plan, int fd)
{
	uint8_t *base;

	base = mmap(NULL, plan->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	memcpy(base + plan->header.region[OBSRING_REGION_HOST].offset, &plan->host,
	       sizeof(plan->host));
	rings_init(plan, base);
	memcpy(base, &plan->header, sizeof(plan->header));
	munmap(base, plan->bytes);
	return 0;
}

/* ---- The segment's own series -------------------------------------------- */

/* Families by name, in the order of their first series. */
static const struct {
	const char *name, *help, *label;
} own_family[] = {
	{ "obsring_series_refused_total",
	  "Series that the segment had no room for; their updates went to overflow series.",
	  "reason" },
	{ "obsring_service_shares_refused_total",
	  "Members that got the service's common share of gauges, as no other was free.",
	  NULL },
	{ "obsring_segment_mended_total",
	  "Times that a process was killed while it changed the directory or wrote a record, and another one made it good.",
	  NULL },
	{ "obsring_log_lost_total",
	  "Records that were not stored, by cause: nested is a signal handler's that interrupted one with no room behind it, no_ring a thread's that found no ring free, killed one whose writer was killed.",
	  "cause" },
	{ "obsring_log_sampled_out_total", "Records that a sampling rule dropped.", NULL },
	{ "obsring_log_truncated_total",
	  "Records stored with a part cut off, because the message or its fields were too long.",
	  NULL },
	{ "obsring_log_overwritten_total",
	  "Stored records that newer ones replaced in their ring.", NULL },
	{ "obsring_log_records_total", "Records stored in the log.", "level" },
};

static const struct {
	const char *family, *value;
} own_series[] = {
#define OBS_HOST_OWN_SERIES(_id, _family, _value) [OBS_HOST_##_id] = { _family, _value },
	OBS_HOST_OWN(OBS_HOST_OWN_SERIES)
#undef OBS_HOST_OWN_SERIES
};

/* As the module's have it: the log's records by origin and level. */
static int own_make(struct obs_segment *segment, unsigned int id, size_t f)
{
	bool records = !strcmp(own_family[f].name, "obsring_log_records_total");
	const char *label[] = { "origin", "level" };
	const char *value[] = { "user", own_series[id].value };
	struct obs_family_spec spec = {
		.name = own_family[f].name,
		.help = own_family[f].help,
		.kind = OBSRING_KIND_COUNTER,
		.nr_labels = records ? 2 : own_family[f].label ? 1 : 0,
		.label = records ? label : (const char *const *)&own_family[f].label,
	};
	const struct obs_segment_metric metric = {
		.spec = &spec, .value = records ? value : value + 1,
	};
	const struct obsring_series *series;
	uint32_t index;
	bool overflow;
	int r;

	r = obs_segment_metric(segment, &metric, &index, &overflow);
	if (r)
		return r;
	series = obs_segment_series(segment, index);
	segment->host->own[id] = series->slot;
	return series->page ? -ENOSPC : 0;
}

static int own_make_all(struct obs_segment *segment)
{
	unsigned int id;
	size_t f;
	int r = 0;

	for (id = 0; id < OBS_HOST_OWN_NR && !r; id++) {
		for (f = 0; strcmp(own_family[f].name, own_series[id].family); f++)
			;
		r = own_make(segment, id, f);
	}
	return r;
}

/* Nobody else knows the file: without locks. */
static int own_fill(int fd)
{
	struct obs_segment *segment;
	int r;

	r = obs_segment_new_private(fd, &segment);
	if (r)
		return r;
	r = own_make_all(segment);
	obs_segment_free_private(segment);
	return r;
}

/* ---- Files --------------------------------------------------------------- */

static int segment_fill(int fd, const struct obs_segment_options *options)
{
	struct plan plan = { .page_size = (uint64_t)sysconf(_SC_PAGESIZE) };
	int r;

	plan.options = options_complete(options);
	if (!options_valid(&plan.options))
		return -EINVAL;
	header_plan(&plan);
	regions_plan(&plan);
	do {
		r = posix_fallocate(fd, 0, (off_t)plan.bytes);
	} while (r == EINTR);
	if (r)
		return -r;
	/* Exactly this mode: the umask has cut the file's. */
	if (fchmod(fd, plan.options.mode) < 0)
		return -errno;
	r = bytes_fill(&plan, fd);
	return r ? r : own_fill(fd);
}

int obs_segment_create_memfd(const struct obs_segment_options *options)
{
	int fd = memfd_create("obsring", MFD_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = segment_fill(fd, options);
	if (r) {
		close(fd);
		return r;
	}
	return fd;
}

/* Where files without a name are not supported: a name that says so. */
static int temporary_open(const char *path, char *temporary, size_t size)
{
	int fd;

	if ((size_t)snprintf(temporary, size, "%s.XXXXXX", path) >= size)
		return -ENAMETOOLONG;
	fd = mkostemp(temporary, O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The folder that @path is in. */
static int folder_open(const char *path)
{
	char folder[4096];
	const char *end = strrchr(path, '/');

	if (!end)
		return open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (end == path)
		return open("/", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if ((size_t)(end - path) >= sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(folder, path, (size_t)(end - path));
	folder[end - path] = '\0';
	return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static int name_give(int fd, const char *temporary, const char *path)
{
	char own[32];

	if (*temporary)
		return link(temporary, path) ? -errno : 0;
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

int obs_segment_create(const char *path, const struct obs_segment_options *options)
{
	char temporary[4096] = "";
	struct stat st;
	int fd, r;

	if (!lstat(path, &st))
		return -EEXIST;
	fd = folder_open(path);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		fd = temporary_open(path, temporary, sizeof(temporary));
	else if (fd < 0)
		return -errno;
	if (fd < 0)
		return fd;
	r = segment_fill(fd, options);
	if (!r)
		r = name_give(fd, temporary, path);
	if (*temporary)
		unlink(temporary);
	close(fd);
	return r;
}
