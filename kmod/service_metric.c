// SPDX-License-Identifier: GPL-2.0-only
/*
 * Series of services: OBSRING_IOC_METRIC, which finds or makes them.
 *
 * A series with labels of its own has beside it, made with the first one of its
 * family, the service's overflow series of that family: what a limit refuses later is
 * counted there. State sets have none: versions of different objects are no order.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "self.h"
#include "service.h"

#define GFP_SERVICE	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)

/* What a service adds to a process' labels: who it is. */
#define OWN_LABELS	2
#define LABELS_MAX	(OBSRING_LABELS_MAX - OWN_LABELS)
#define TEXT_MAX	SZ_8K	/* holds the longest of each string, and more */

/**
 * struct made - a series that a request made
 * @series: the series
 * @text: what it added to the text of its service and user
 */
struct made {
	struct obs_series *series;
	u32 text;
};

/**
 * struct request - a metric as a process describes it
 * @m: what it said
 * @desc: its family, as the registry wants it
 * @value: label values of the series
 * @overflow: those of its overflow series
 * @state: names of states
 * @bounds: explicit bounds
 * @uid: label value
 * @text: strings of all these
 * @series: what the process is told of
 * @told: it counts in series->nr_told
 * @made: what was made for that: the series, and before it the overflow series
 * @nr_made: how many of them
 */
struct request {
	struct obsring_metric m;
	struct obs_family_desc desc;
	const char *value[OBSRING_LABELS_MAX];
	const char *overflow[OBSRING_LABELS_MAX];
	const char *state[OBSRING_STATES_MAX];
	u64 bounds[OBSRING_BOUNDS_MAX];
	char uid[sizeof("4294967295")];
	char text[TEXT_MAX];
	struct obs_series *series;
	bool told;
	struct made made[2];
	u32 nr_made;
};

/* ---- Reading the request ------------------------------------------------- */

/* Strings of a text that ends with a NUL, one by one; NULL: no more. */
static const char *string_next(const char **text, const char *end)
{
	const char *s = *text;

	if (s >= end)
		return NULL;
	*text = s + strlen(s) + 1;
	return s;
}

static int strings_read(const char **text, const char *end, const char **strings, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		strings[i] = string_next(text, end);
		if (!strings[i])
			return -EINVAL;
	}
	return 0;
}

static int text_parse(struct request *req, const struct obs_service *service)
{
	const char *text = req->text, *end = req->text + req->m.text_len;
	struct obs_family_desc *desc = &req->desc;
	u32 i, nr = req->m.nr_labels;

	if (!req->m.text_len || end[-1])
		return -EINVAL;
	desc->name = string_next(&text, end);
	desc->help = string_next(&text, end);
	desc->unit = string_next(&text, end);
	if (!desc->unit ||
	    strings_read(&text, end, desc->label + OWN_LABELS, nr) ||
	    strings_read(&text, end, req->value + OWN_LABELS, nr) ||
	    strings_read(&text, end, req->state, req->m.nr_states) || text != end)
		return -EINVAL;
	desc->label[0] = "service";
	desc->label[1] = "uid";
	req->value[0] = service->name;
	req->value[1] = req->uid;
	memcpy(req->overflow, req->value, sizeof(req->overflow));
	for (i = 0; i < nr; i++)
		req->overflow[OWN_LABELS + i] = OBSRING_OVERFLOW_VALUE;
	return 0;
}

static int request_check(const struct obsring_metric *m)
{
	bool explicit = m->kind == OBSRING_KIND_HISTOGRAM && m->schema == -1;

	if (m->kind == OBSRING_KIND_INFO || m->flags & ~OBSRING_METRIC_SET ||
	    m->nr_labels > LABELS_MAX || m->text_len > TEXT_MAX || m->reserved ||
	    m->nr_bounds > OBSRING_BOUNDS_MAX || explicit != !!m->nr_bounds ||
	    m->nr_states > OBSRING_STATES_MAX)
		return -EINVAL;
	return 0;
}

static int request_read(struct request *req, const struct obs_service *service,
			const void __user *from)
{
	struct obsring_metric *m = &req->m;
	u32 size;
	int ret;

	if (get_user(size, (const u32 __user *)from))
		return -EFAULT;
	if (size < sizeof(*m))
		return -EINVAL;
	ret = copy_struct_from_user(m, sizeof(*m), from, size);
	if (ret)
		return ret == -E2BIG ? -EINVAL : ret;
	ret = request_check(m);
	if (ret)
		return ret;
	if (copy_from_user(req->text, u64_to_user_ptr(m->text), m->text_len) ||
	    copy_from_user(req->bounds, u64_to_user_ptr(m->bounds),
			   m->nr_bounds * sizeof(u64)))
		return -EFAULT;
	req->desc = (struct obs_family_desc){
		.kind = m->kind,
		.set = m->flags & OBSRING_METRIC_SET,
		.exp10 = m->exp10,
		.bounds = m->nr_bounds ? req->bounds : NULL,
		.nr_bounds = m->nr_bounds,
		.schema = m->schema,
		.min_log2 = m->min_log2,
		.max_log2 = m->max_log2,
		.state = req->state,
		.nr_states = m->nr_states,
	};
	return text_parse(req, service);
}

/* ---- Families ------------------------------------------------------------ */

static bool strings_same(const char *const *a, const char *const *b, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (!a[i] != !b[i] || (a[i] && strcmp(a[i], b[i])))
			return false;
	return true;
}

static bool states_same(const struct obs_family *family, const struct request *req)
{
	const char *state = family->text + family->states;
	u32 i;

	if (family->desc.nr_states != req->desc.nr_states)
		return false;
	for (i = 0; i < req->desc.nr_states; i++) {
		if (strcmp(state, req->state[i]))
			return false;
		state += strlen(state) + 1;
	}
	return true;
}

static bool bounds_same(const struct obs_family_desc *a, const struct obs_family_desc *b)
{
	if (a->kind != OBSRING_KIND_HISTOGRAM)
		return true;
	if (!a->bounds != !b->bounds)
		return false;
	if (a->bounds)
		return a->nr_bounds == b->nr_bounds &&
		       !memcmp(a->bounds, b->bounds, a->nr_bounds * sizeof(u64));
	return a->schema == b->schema && a->min_log2 == b->min_log2 &&
	       a->max_log2 == b->max_log2;
}

/* Is @family what the request says? */
static int family_check(const struct obs_family *family, const struct request *req)
{
	const struct obs_family_desc *a = &family->desc, *b = &req->desc;

	if (!(family->flags & OBSRING_FAMILY_SERVICE) || a->kind != b->kind ||
	    a->exp10 != b->exp10 || strcmp(a->unit, b->unit) ||
	    !strings_same(a->label, b->label, OBSRING_LABELS_MAX) ||
	    !bounds_same(a, b) || !states_same(family, req))
		return -EEXIST;
	return a->set == b->set ? 0 : -EINVAL;
}

static struct obs_family *family_get(const struct request *req)
{
	struct obs_family *family = obs_family_find(req->desc.name);
	int ret;

	if (!family) {
		family = obs_family_new(&req->desc, THIS_MODULE,
					OBSRING_FAMILY_SERVICE, NULL);
		if (family == ERR_PTR(-ENOSPC))
			obs_registry_refuse(OBS_REFUSED_SERIES, -ENOSPC);
		return family;
	}
	ret = family_check(family, req);
	return ret ? ERR_PTR(ret) : family;
}

/* ---- Series -------------------------------------------------------------- */

static bool is_shares(const struct obs_family_desc *desc)
{
	return desc->kind == OBSRING_KIND_GAUGE && !desc->set;
}

static bool is_single(const struct obs_family_desc *desc)
{
	return desc->set || desc->kind == OBSRING_KIND_STATE;
}

/* Bytes of text that a user may hold. */
static u32 text_limit(void)
{
	return min_t(u64, obs_header->region[OBSRING_REGION_TEXT].size / OBS_USER_SHARE,
		     U32_MAX);
}

static u32 text_cost(const char *const *value, u32 nr)
{
	u32 i, len = 0;

	for (i = 0; i < nr; i++)
		len += strlen(value[i]) + 1;
	/* As the region has it: granules by powers of two. */
	return roundup_pow_of_two(max_t(u32, len, OBSRING_GRANULE));
}

static int limits_check(const struct obs_service *service, u32 text)
{
	const struct obs_service_user *user = service->user;

	if (service->nr_series >= obs_service_limits.service_series)
		return obs_registry_refuse(OBS_REFUSED_SERVICE_SERIES, -ENOSPC);
	if (user->series >= obs_service_limits.user_series ||
	    text > text_limit() - min(user->text, text_limit()))
		return obs_registry_refuse(OBS_REFUSED_USER_SERIES, -ENOSPC);
	return 0;
}

static void made_add(struct request *req, struct obs_series *series, u32 text)
{
	req->made[req->nr_made++] = (struct made){ .series = series, .text = text };
}

static int series_make(struct obs_service *service, struct obs_family *family,
		       struct request *req, const char *const *value, u32 flags, u32 text)
{
	bool shares = is_shares(&family->desc);
	struct obs_slots slots = {
		.nr = family->nr_slots,
		.shared = is_single(&family->desc) || shares,
	};
	int ret;

	text += text_cost(value, family->nr_labels);
	ret = limits_check(service, text);
	if (!ret)
		ret = obs_service_slots_get(service, shares, &slots);
	if (ret)
		return ret;
	flags |= shares ? OBSRING_SERIES_SHARES : OBSRING_SERIES_SERVICE;
	ret = obs_series_new(family, value, flags, &slots, &req->series);
	if (ret) {
		obs_service_slots_put(&slots, shares);
		return ret;
	}
	list_add_tail(&req->series->service_node, &service->series);
	service->nr_series++;
	service->text += text;
	service->user->series++;
	service->user->text += text;
	made_add(req, req->series, text);
	return 0;
}

/* Nobody was told of it. Its slots go, unless others came since. */
static void series_unmake(struct obs_service *service, const struct made *made)
{
	struct obs_series *series = made->series;
	struct obs_family *family = series->family;
	struct obs_slots slots = series->slots;
	bool shares = series->flags & OBSRING_SERIES_SHARES;

	service->nr_series--;
	service->text -= made->text;
	service->user->series--;
	service->user->text -= made->text;
	list_del(&series->service_node);
	obs_series_free(series);
	obs_service_slots_put(&slots, shares);
	if (!family->nr_series)
		obs_family_free(family);
}

/* Has the service no other series of its family? */
static bool is_alone(const struct obs_service *service, const struct obs_series *series)
{
	const struct obs_series *other;

	list_for_each_entry(other, &service->series, service_node)
		if (other != series && other->family == series->family)
			return false;
	return true;
}

/* It may have been made for a series that could not be made. */
static void family_unmake(const struct request *req)
{
	struct obs_family *family = obs_family_find(req->desc.name);

	if (family && family->flags & OBSRING_FAMILY_SERVICE && !family->nr_series)
		obs_family_free(family);
}

/*
 * What the request made goes, but for what others were told of meanwhile, and an
 * overflow series that others have series beside.
 */
static void request_undo(struct obs_service *service, struct request *req)
{
	const struct made *made;

	while (req->nr_made) {
		made = &req->made[--req->nr_made];
		if (made->series->nr_told ||
		    (made->series->flags & OBSRING_SERIES_OVERFLOW &&
		     !is_alone(service, made->series)))
			continue;
		series_unmake(service, made);
	}
}

static bool has_family(const struct obs_service *service, const struct obs_family *family)
{
	const struct obs_series *series;

	list_for_each_entry(series, &service->series, service_node)
		if (series->family == family)
			return true;
	return false;
}

/* The series, new or, if a limit refuses it, the overflow series. */
static int series_new(struct obs_service *service, struct obs_family *family,
		      struct request *req)
{
	u32 family_text = roundup_pow_of_two(max_t(u32, family->text_len,
						   OBSRING_GRANULE));
	struct obs_series *overflow;
	int ret;

	if (req->desc.kind == OBSRING_KIND_STATE && has_family(service, family))
		family_text = 0;
	if (!req->m.nr_labels || req->desc.kind == OBSRING_KIND_STATE)
		return series_make(service, family, req, req->value, 0, family_text);
	overflow = obs_series_find(family, req->overflow);
	if (!overflow) {
		ret = series_make(service, family, req, req->overflow,
				  OBSRING_SERIES_OVERFLOW, family_text);
		if (ret)
			return ret;
		overflow = req->series;
	}
	ret = series_make(service, family, req, req->value, 0, 0);
	if (ret == -ENOSPC || ret == -ENOMEM) {
		req->series = overflow;
		return 0;
	}
	return ret;
}

static void answer_make(struct request *req, bool new)
{
	const struct obs_series *series = req->series;
	struct obsring_metric *m = &req->m;

	m->flags = new ? OBSRING_METRIC_NEW : 0;
	if (series->flags & OBSRING_SERIES_OVERFLOW)
		m->flags = OBSRING_METRIC_OVERFLOW;
	if (series->flags & OBSRING_SERIES_SHARES)
		m->flags |= OBSRING_METRIC_SHARES;
	else if (series->slots.shared)
		m->flags |= OBSRING_METRIC_SINGLE;
	m->page = series->slots.page;
	m->slot = series->slots.slot;
	m->nr_slots = series->slots.nr;
	m->series = series->index;
}

/* Tried again, it goes on from what it made; metric_unget() takes that away. */
static int metric_get(struct obs_service *service, struct request *req)
{
	struct obs_family *family;
	bool new;
	int ret = 0;

	if (service->dead)
		return -ESTALE;
	snprintf(req->uid, sizeof(req->uid), "%u", __kuid_val(service->user->uid));
	family = family_get(req);
	if (IS_ERR(family))
		return PTR_ERR(family);
	req->series = obs_series_find(family, req->value);
	new = !req->series;
	if (new)
		ret = series_new(service, family, req);
	obs_self_memory();
	if (ret)
		return ret;
	req->series->nr_told++;
	req->told = true;
	answer_make(req, new);
	return 0;
}

/* The process did not get an answer, or not to the end: to it, nothing was made. */
static void metric_unget(struct obs_service *service, struct request *req)
{
	/* Its series went with it. */
	if (!service->dead) {
		if (req->told)
			req->series->nr_told--;
		request_undo(service, req);
	}
	family_unmake(req);
	obs_self_memory();
}

long obs_service_metric(struct obs_service *service, unsigned long arg)
{
	void __user *where = (void __user *)arg;
	struct request *req;
	int ret;

	if (!obs_service_has_member(service))
		return -EPERM;
	req = kzalloc(sizeof(*req), GFP_SERVICE);
	if (!req)
		return -ENOMEM;
	ret = request_read(req, service, where);
	if (ret)
		goto out;
	do {
		mutex_lock(&obs_registry_mutex);
		ret = metric_get(service, req);
		mutex_unlock(&obs_registry_mutex);
	} while (obs_registry_again(&ret));
	if (!ret && copy_to_user(where, &req->m, sizeof(req->m)))
		ret = -EFAULT;
	mutex_lock(&obs_registry_mutex);
	if (ret)
		metric_unget(service, req);
	else
		obs_service_room_keep(service);
	mutex_unlock(&obs_registry_mutex);
out:
	kfree(req);
	return ret;
}

void obs_service_clear(struct obs_service *service)
{
	struct obs_service_user *user = service->user;
	struct obs_series *series, *next;
	struct obs_family *family;

	list_for_each_entry_safe(series, next, &service->series, service_node) {
		family = series->family;
		list_del(&series->service_node);
		obs_series_free(series);
		if (!family->nr_series)
			obs_family_free(family);
		cond_resched();
	}
	obs_service_room_free(service);
	user->series -= service->nr_series;
	user->text -= service->text;
	service->nr_series = 0;
}

/* ---- Values, for netlink ------------------------------------------------- */

u32 obs_service_page_of(const struct obs_series *series)
{
	const struct obs_slots *slots = &series->slots;

	return series->flags & OBSRING_SERIES_SHARES ? slots->page :
	       slots->service->page[slots->page]->index;
}

static u64 word_of(struct page *page, u32 slot)
{
	return READ_ONCE(((u64 *)page_address(page))[slot]);
}

static u64 shares_sum(const struct obs_series *series)
{
	const struct obs_slots *slots = &series->slots;
	struct obs_share *share;
	u64 sum = 0;

	list_for_each_entry(share, &slots->service->shares, node)
		if (share->chunk == slots->page)
			sum += word_of(share->page, slots->slot);
	return sum;
}

u64 obs_service_read(const struct obs_series *series, u32 slot, unsigned int cpu)
{
	const struct obs_slots *slots = &series->slots;
	struct page *row;

	if (series->flags & OBSRING_SERIES_SHARES)
		return shares_sum(series);
	row = slots->service->page[slots->page]->row[cpu];
	return row ? word_of(row, slots->slot + slot) : 0;
}

u64 obs_service_sum(const struct obs_series *series, u32 slot)
{
	unsigned int cpu;
	u64 sum = 0;

	if (series->flags & OBSRING_SERIES_SHARES)
		return shares_sum(series);
	for (cpu = 0; cpu <= nr_cpu_ids; cpu++)
		sum += obs_service_read(series, slot, cpu);
	return sum;
}
