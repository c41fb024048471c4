// SPDX-License-Identifier: GPL-2.0-only
/* Services: who has them, how many, how long. See service.h. */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/netlink.h>

#include <obsring/name.h>

#include "metric.h"
#include "netlink.h"
#include "self.h"
#include "service.h"

#define GFP_SERVICE	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)

/* Without a member or a shorter time to live, look so often, s. */
#define SWEEP_MAX_S	3600

struct obs_service_limits obs_service_limits;

static DEFINE_XARRAY_ALLOC1(services);	/* number -> struct obs_service */
static u32 next_number;
static u32 nr_services;
static DEFINE_HASHTABLE(users, 6);

enum { METRIC_MEMBERS };

static struct obs_metric metrics[] = {
	[METRIC_MEMBERS] = {
		.desc = {
			.name = "obsring_service_members",
			.help = "Address spaces that are attached to the service: processes, as a rule.",
			.label = { "service", "uid" },
			.kind = OBSRING_KIND_GAUGE,
		},
	},
};

/* ---- Users --------------------------------------------------------------- */

static struct obs_service_user *user_find(kuid_t uid)
{
	struct obs_service_user *user;

	hash_for_each_possible(users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

/* With a service more. ERR_PTR: -ENOSPC, -ENOMEM. */
static struct obs_service_user *user_get(kuid_t uid)
{
	struct obs_service_user *user = user_find(uid);

	if (user) {
		if (user->services >=
		    DIV_ROUND_UP(obs_service_limits.services, OBS_USER_SHARE))
			return ERR_PTR(-ENOSPC);
		user->services++;
		return user;
	}
	user = kzalloc(sizeof(*user), GFP_SERVICE);
	if (!user)
		return ERR_PTR(-ENOMEM);
	user->uid = uid;
	user->services = 1;
	hash_add(users, &user->node, __kuid_val(uid));
	return user;
}

static void user_put(struct obs_service_user *user)
{
	if (IS_ERR_OR_NULL(user) || --user->services)
		return;
	hash_del(&user->node);
	kfree(user);
}

/* ---- The gauge of its members -------------------------------------------- */

static int members_show(struct obs_service *service)
{
	struct obs_family *family = metrics[METRIC_MEMBERS].family;
	char uid[sizeof("4294967295")];
	const char *value[2] = { service->name, uid };
	struct obs_series *series;
	int ret;

	snprintf(uid, sizeof(uid), "%u", __kuid_val(service->user->uid));
	ret = obs_series_get(family, value, NULL, &series, NULL);
	if (ret == -ENOSPC || ret == -ENOMEM) {
		series = family->overflow;
		ret = 0;
	}
	if (!ret)
		obs_handle_attach(&service->members_gauge.handle, series);
	return ret;
}

static void members_hide(struct obs_service *service)
{
	struct obs_series *series = service->members_gauge.handle.series;

	if (!series)
		return;
	obs_handle_detach(&service->members_gauge.handle);
	if (!(series->flags & OBSRING_SERIES_OVERFLOW))
		obs_series_free(series);
}

/* ---- Life ---------------------------------------------------------------- */

static int fill_service(struct sk_buff *skb, const void *object)
{
	const struct obs_service *service = object;

	return nla_put_string(skb, OBSRING_A_NAME, service->name) ||
	       nla_put_u32(skb, OBSRING_A_UID, __kuid_val(service->user->uid)) ?
	       -EMSGSIZE : 0;
}

static void service_free(struct obs_service *service)
{
	if (IS_ERR_OR_NULL(service))
		return;
	kfree(service->page);
	kfree(service->common);
	kfree(service);
}

static struct obs_service *service_alloc(const char *name)
{
	struct obs_service *service = kzalloc(sizeof(*service), GFP_SERVICE);

	if (!service)
		return NULL;
	refcount_set(&service->refs, 1);
	strscpy(service->name, name, sizeof(service->name));
	service->ttl_s = obs_service_limits.ttl_s;
	service->created_ns = ktime_get_real_ns();
	spin_lock_init(&service->members_lock);
	INIT_LIST_HEAD(&service->members);
	INIT_LIST_HEAD(&service->series);
	INIT_LIST_HEAD(&service->shares);
	service->members_gauge = (struct obs_gauge)OBS_GAUGE_INIT;
	service->page = kcalloc(obs_service_limits.service_pages,
				sizeof(*service->page), GFP_SERVICE);
	service->common = kcalloc(obs_service_share_pages(),
				  sizeof(*service->common), GFP_SERVICE);
	if (service->page && service->common)
		return service;
	service_free(service);
	return NULL;
}

/* A place among services and for its user. */
static int service_place(struct obs_service *service, kuid_t uid)
{
	int ret;

	if (nr_services >= obs_service_limits.services)
		return -ENOSPC;
	service->user = user_get(uid);
	if (IS_ERR(service->user))
		return PTR_ERR(service->user);
	/* Numbers begin anew after 2^32 services; none that is in use is given. */
	ret = xa_alloc_cyclic(&services, &service->number, service,
			      XA_LIMIT(1, U32_MAX), &next_number, GFP_SERVICE);
	if (ret >= 0)
		ret = members_show(service);
	if (ret < 0) {
		if (service->number)
			xa_erase(&services, service->number);
		user_put(service->user);
		return ret;
	}
	nr_services++;
	return 0;
}

static struct obs_service *service_new(kuid_t uid, const char *name)
{
	struct obs_service *service = service_alloc(name);
	int ret;

	if (!service)
		return ERR_PTR(-ENOMEM);
	ret = service_place(service, uid);
	if (ret) {
		service_free(service);
		return ERR_PTR(ret);
	}
	obs_netlink_ntf(OBSRING_CMD_SERVICE_NEW_NTF, fill_service, service);
	return service;
}

void obs_service_put(struct obs_service *service)
{
	if (refcount_dec_and_test(&service->refs))
		service_free(service);
}

/* It has no members, and will have none: those come by fork, or under the mutex. */
static void service_retire(struct obs_service *service)
{
	service->dead = true;
	obs_service_clear(service);
	members_hide(service);
	obs_netlink_ntf(OBSRING_CMD_SERVICE_DEL_NTF, fill_service, service);
	xa_erase(&services, service->number);
	nr_services--;
	user_put(service->user);
	service->user = NULL;
	obs_self_memory();
	obs_service_put(service);
}

/* ---- Time to live -------------------------------------------------------- */

static void sweep(struct work_struct *work);
static DECLARE_DELAYED_WORK(sweep_work, sweep);
static DEFINE_SPINLOCK(sweep_lock);	/* sweep_ns, and its agreeing with the work */
static u64 sweep_ns = U64_MAX;		/* CLOCK_BOOTTIME of the next sweep */

static void sweep_at(u64 at_ns)
{
	u64 now = ktime_get_boottime_ns();

	spin_lock(&sweep_lock);
	if (at_ns < sweep_ns) {
		sweep_ns = at_ns;
		mod_delayed_work(system_wq, &sweep_work,
				 at_ns > now ? nsecs_to_jiffies(at_ns - now) + 1 : 0);
	}
	spin_unlock(&sweep_lock);
}

/* When its time to live is over; U64_MAX: it has members, or no end. */
static u64 service_end_ns(struct obs_service *service)
{
	u64 end = U64_MAX;

	spin_lock(&service->members_lock);
	if (!service->nr_members && service->ttl_s)
		end = service->left_ns + (u64)service->ttl_s * NSEC_PER_SEC;
	spin_unlock(&service->members_lock);
	return end;
}

/* As soon as needed, but not for what is far: a suspended machine's clock goes on. */
static void sweep_for(struct obs_service *service)
{
	u64 end = service_end_ns(service);

	if (end != U64_MAX)
		sweep_at(min_t(u64, end, ktime_get_boottime_ns() +
				       SWEEP_MAX_S * NSEC_PER_SEC));
}

static void sweep(struct work_struct *work)
{
	struct obs_service *service;
	unsigned long number;

	spin_lock(&sweep_lock);
	sweep_ns = U64_MAX;
	spin_unlock(&sweep_lock);
	mutex_lock(&obs_registry_mutex);
	xa_for_each(&services, number, service) {
		if (service_end_ns(service) <= ktime_get_boottime_ns())
			service_retire(service);
		else
			sweep_for(service);
	}
	mutex_unlock(&obs_registry_mutex);
}

void obs_service_left(struct obs_service *service)
{
	sweep_for(service);
}

/* ---- Attaching ----------------------------------------------------------- */

struct obs_service *obs_service_next(unsigned long *number)
{
	return xa_find(&services, number, ULONG_MAX, XA_PRESENT);
}

struct obs_service *obs_service_find(kuid_t uid, const char *name)
{
	struct obs_service *service;
	unsigned long number;

	xa_for_each(&services, number, service)
		if (uid_eq(service->user->uid, uid) && !strcmp(service->name, name))
			return service;
	return NULL;
}

static int attach_read(struct obsring_attach *attach, const void __user *from)
{
	u32 size;

	if (get_user(size, (const u32 __user *)from))
		return -EFAULT;
	if (size < sizeof(*attach))
		return -EINVAL;
	/* What a later caller adds and leaves 0 means what its absence means. */
	if (copy_struct_from_user(attach, sizeof(*attach), from, size))
		return -EINVAL;
	if (attach->flags & ~OBSRING_ATTACH_TTL ||
	    strnlen(attach->name, sizeof(attach->name)) == sizeof(attach->name) ||
	    !obs_name_valid(attach->name))
		return -EINVAL;
	return 0;
}

/* Found or made, with a reference for the caller. */
static struct obs_service *service_get(const struct obsring_attach *attach)
{
	kuid_t uid = current_euid();
	struct obs_service *service;
	int ret;

	do {
		mutex_lock(&obs_registry_mutex);
		service = obs_service_find(uid, attach->name);
		if (!service)
			service = service_new(uid, attach->name);
		if (!IS_ERR(service)) {
			refcount_inc(&service->refs);
			spin_lock(&service->members_lock);
			service->left_ns = ktime_get_boottime_ns();
			spin_unlock(&service->members_lock);
			sweep_for(service);
		}
		mutex_unlock(&obs_registry_mutex);
		ret = PTR_ERR_OR_ZERO(service);
	} while (obs_registry_again(&ret));
	return ret ? ERR_PTR(ret) : service;
}

/*
 * The caller's reference goes. If no attach to it succeeded, nor may yet, the service
 * was made for such as failed: the last of these takes it away.
 */
static void attach_end(struct obs_service *service, bool attached)
{
	mutex_lock(&obs_registry_mutex);
	service->attached |= attached;
	/* Ours and that of being there: another attach has one more. */
	if (!service->attached && !service->dead && refcount_read(&service->refs) == 2)
		service_retire(service);
	obs_service_put(service);
	mutex_unlock(&obs_registry_mutex);
}

/* The descriptor is made last: it can't be taken back at once. */
static int attach_finish(struct obs_service *service, struct obsring_attach *attach,
			 void __user *where)
{
	struct file *file;

	attach->map_bytes = obs_service_map_bytes();
	attach->value_pages = obs_service_limits.service_pages;
	attach->share_pages = obs_service_share_pages();
	attach->service = service->number;
	attach->nr_cpus = nr_cpu_ids;
	if (copy_to_user(where, attach, sizeof(*attach)))
		return -EFAULT;
	file = obs_service_file(service);
	if (IS_ERR(file))
		return PTR_ERR(file);
	fd_install(attach->fd, file);
	if (attach->flags & OBSRING_ATTACH_TTL)
		obs_service_set_ttl(service, attach->ttl_s);
	return 0;
}

long obs_service_attach(unsigned long arg)
{
	void __user *where = (void __user *)arg;
	struct obs_service *service;
	struct obsring_attach attach;
	int ret;

	if (in_compat_syscall())
		return -EOPNOTSUPP;
	ret = attach_read(&attach, where);
	if (ret)
		return ret;
	attach.fd = get_unused_fd_flags(O_CLOEXEC);
	if (attach.fd < 0)
		return attach.fd;
	service = service_get(&attach);
	if (IS_ERR(service)) {
		ret = PTR_ERR(service);
		goto out_fd;
	}
	ret = attach_finish(service, &attach, where);
	attach_end(service, !ret);
out_fd:
	if (ret)
		put_unused_fd(attach.fd);
	return ret;
}

/* ---- For netlink --------------------------------------------------------- */

void obs_service_set_ttl(struct obs_service *service, u32 ttl_s)
{
	spin_lock(&service->members_lock);
	service->ttl_s = ttl_s;
	spin_unlock(&service->members_lock);
	sweep_for(service);
}

int obs_service_delete(struct obs_service *service)
{
	bool members;

	spin_lock(&service->members_lock);
	members = service->nr_members;
	spin_unlock(&service->members_lock);
	if (members)
		return -EBUSY;
	service_retire(service);
	return 0;
}

void obs_service_state(struct obs_service *service, struct obs_service_state *ret_state)
{
	u64 ago;

	spin_lock(&service->members_lock);
	ret_state->members = service->nr_members;
	ret_state->ttl_s = service->ttl_s;
	ago = ktime_get_boottime_ns() - service->left_ns;
	spin_unlock(&service->members_lock);
	ret_state->series = service->nr_series;
	ret_state->bytes = (u64)service->nr_pages * PAGE_SIZE;
	ret_state->left_ns = ret_state->members ? 0 : ktime_get_real_ns() - ago;
}

/* ---- Init and exit ------------------------------------------------------- */

int obs_services_init(const struct obs_service_limits *limits)
{
	obs_service_limits = *limits;
	return obs_metrics_register(metrics, ARRAY_SIZE(metrics));
}

void obs_services_exit(void)
{
	struct obs_service *service;
	unsigned long number;

	mutex_lock(&obs_registry_mutex);
	xa_for_each(&services, number, service)
		service_retire(service);
	mutex_unlock(&obs_registry_mutex);
	cancel_delayed_work_sync(&sweep_work);
	xa_destroy(&services);
	obs_metrics_remove(metrics, ARRAY_SIZE(metrics));
}
