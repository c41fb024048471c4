/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes as producers, as <linux/obsring.h>, section 7, has it.
 *
 *   service.c         services, their users and limits, attaching, time to live
 *   service_metric.c  OBSRING_IOC_METRIC: families and series
 *   service_page.c    its pages, and slots in them
 *   service_map.c     the descriptor and its mapping: members and their shares
 *
 * A service has pages, ordinary ones with a reference each, which its members map
 * writable and readers by PFN, read-only. The kernel reads them for netlink and
 * otherwise leaves them alone: what stands there is never an index, a length or an
 * address. A page stays with its service; when that goes, which it does only without
 * members, it is taken from readers and put, and is nobody else's unless the page
 * allocator says so.
 *
 * Locks. All here is under the registry's mutex, but for what a comment says has its
 * own. A fault, fork and exit of a member hold mmap_lock and may take the mutex:
 * under the mutex nobody touches memory of a process.
 */
#ifndef OBSRING_SERVICE_H
#define OBSRING_SERVICE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>

#include "metric.h"

struct netlink_ext_ack;

/**
 * struct obs_service_limits - constant after load; bytes are those of one row
 * @services: in all, and USER_SHARE-th of it a user
 * @service_series: of a service
 * @service_pages: pages of a service
 * @user_series: of all services of a user
 * @user_pages: likewise
 * @pages: of all services: length of the region SERVICES
 * @shares: share pages of all members
 * @ttl_s: time to live of a service that did not ask for another, s
 */
struct obs_service_limits {
	u32 services;
	u32 service_series;
	u32 service_pages;
	u32 user_series;
	u32 user_pages;
	u32 pages;
	u32 shares;
	u32 ttl_s;
};

/* A user has one of so many of all services, shares and text. */
#define OBS_USER_SHARE	4

/**
 * struct obs_service_user - who has services
 * @node: in the table of users
 * @uid: in the initial user namespace
 * @services: how many: it goes with the last
 * @series: of them
 * @pages: of them, of one row
 * @shares: of their members
 * @text: of them: obs_service.text
 */
struct obs_service_user {
	struct hlist_node node;
	kuid_t uid;
	u32 services;
	u32 series;
	u32 pages;
	u32 shares;
	u32 text;
};

/**
 * struct obs_service_page - a page with its rows
 * @index: in SERVICES
 * @single: everyone's row alone
 * @nr_used: slots in use, the first ones: they stay as long as the service
 * @row: nr_cpu_ids + 1 of them; NULL where no memory is
 */
struct obs_service_page {
	u32 index;
	bool single;
	u32 nr_used;
	struct page *row[];
};

/**
 * struct obs_share - a share page
 * @node: in its service's shares
 * @service: whose
 * @index: in SHARES
 * @chunk: which one of the mapping
 * @user: counts it; NULL: the one that members have in common
 * @page: the memory
 */
struct obs_share {
	struct list_head node;
	struct obs_service *service;
	u32 index;
	u32 chunk;
	struct obs_service_user *user;
	struct page *page;
};

/**
 * struct obs_service - a service
 * @refs: its being in the registry, and each descriptor
 * @number: in obs_services; never given to another
 * @user: whose
 * @name: its name
 * @dead: out of the registry
 * @attached: somebody has attached to it, or did
 * @ttl_s: seconds; 0: for ever
 * @created_ns: CLOCK_REALTIME
 * @members_lock: members, the next two and ttl_s
 * @members: struct member, see service_map.c
 * @nr_members: how many
 * @left_ns: CLOCK_BOOTTIME when the last one left, or it was attached to
 * @series: obs_series.service_node
 * @nr_series: how many
 * @text: bytes of text of theirs, and of each family once
 * @page: its pages, obs_service_limits.service_pages
 * @nr_pages: how many there are
 * @nr_pages_kept: those that stay, which members may map; stored with release order
 * @shares: struct obs_share of its members, and those in common
 * @common: the one in common of each chunk that is in use
 * @nr_common: chunks in use
 * @nr_common_kept: as nr_pages_kept
 * @nr_chunk_used: slots in use of the last one
 * @nr_members_gauge: obsring_service_members
 */
struct obs_service {
	refcount_t refs;
	u32 number;
	struct obs_service_user *user;
	char name[OBSRING_NAME_MAX + 1];
	bool dead;
	bool attached;
	u32 ttl_s;
	u64 created_ns;
	spinlock_t members_lock;	/* members, nr_members, left_ns, ttl_s */
	struct list_head members;
	u32 nr_members;
	u64 left_ns;
	struct list_head series;
	u32 nr_series;
	u32 text;
	struct obs_service_page **page;
	u32 nr_pages;
	u32 nr_pages_kept;
	struct list_head shares;
	struct obs_share **common;
	u32 nr_common;
	u32 nr_common_kept;
	u32 nr_chunk_used;
	struct obs_gauge members_gauge;
};

extern struct obs_service_limits obs_service_limits;

/* ---- service.c ----------------------------------------------------------- */

int obs_services_init(const struct obs_service_limits *limits);

/* No descriptor is open: the module would not go. */
void obs_services_exit(void);

/* OBSRING_IOC_ATTACH, by a file open for writing. Not under the mutex. */
long obs_service_attach(unsigned long arg);

void obs_service_put(struct obs_service *service);

/* The last member left: its time to live may end soon. Any lock. */
void obs_service_left(struct obs_service *service);

/* The service that has @number or more; NULL: none. */
struct obs_service *obs_service_next(unsigned long *number);

/* NULL: none. */
struct obs_service *obs_service_find(kuid_t uid, const char *name);

void obs_service_set_ttl(struct obs_service *service, u32 ttl_s);

/* -EBUSY: it has members. */
int obs_service_delete(struct obs_service *service);

/* As it is now. */
struct obs_service_state {
	u32 members;
	u32 ttl_s;
	u32 series;
	u64 bytes;		/* of one row */
	u64 left_ns;		/* CLOCK_REALTIME; 0: it has members */
};

void obs_service_state(struct obs_service *service, struct obs_service_state *ret_state);

/* ---- service_metric.c ---------------------------------------------------- */

/* OBSRING_IOC_METRIC. Not under the mutex. */
long obs_service_metric(struct obs_service *service, unsigned long arg);

/* Free its series and pages. */
void obs_service_clear(struct obs_service *service);

/* What struct obsring_series has as the page of a service's series. */
u32 obs_service_page_of(const struct obs_series *series);

u64 obs_service_read(const struct obs_series *series, u32 slot, unsigned int cpu);
u64 obs_service_sum(const struct obs_series *series, u32 slot);

static inline u32 obs_service_number(const struct obs_service *service)
{
	return service ? service->number : 0;
}

/* ---- service_page.c ------------------------------------------------------ */

/*
 * Room for slots->nr slots, of a shared row if slots->shared is set: in a page, or in
 * everyone's share pages. -ENOSPC, -ENOMEM: refused, and counted.
 */
int obs_service_slots_get(struct obs_service *service, bool shares, struct obs_slots *slots);

/* Of a series that is no more and that nobody was told of, unless others came since. */
void obs_service_slots_put(const struct obs_slots *slots, bool shares);

/* A process was told of its series: what holds them stays, and members may map it. */
void obs_service_room_keep(struct obs_service *service);

/* All of it; it has no series and no members. */
void obs_service_room_free(struct obs_service *service);

/* Share pages of a member's mapping. */
u32 obs_service_share_pages(void);

/* Bytes that services and shares hold, all rows. */
u64 obs_service_bytes(void);

/* ---- service_map.c ------------------------------------------------------- */

/* Bytes of a member's mapping. */
u64 obs_service_map_bytes(void);

/* A descriptor of @service, with a reference to it, for the calling process' mm. */
struct file *obs_service_file(struct obs_service *service);

/* Is the calling process' address space a member? Any lock. */
bool obs_service_has_member(struct obs_service *service);

/*
 * A share of @chunk that readers see; @user counts it, or NULL: the one in common.
 * ERR_PTR: -ENOSPC, -ENOMEM.
 */
struct obs_share *obs_share_new(struct obs_service *service, u32 chunk,
				struct obs_service_user *user);
void obs_share_free(struct obs_share *share);

/* Of all services, and those in common. */
u32 obs_shares_nr(void);

#endif /* OBSRING_SERVICE_H */
