// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checking a description, and the names that a family occupies: a histogram
 * foo also serves foo_bucket, foo_sum and foo_count, and in OpenMetrics the
 * counter foo_total belongs to a family foo. A family claims all of them, in
 * their escaped form, so that no two families ever serve one sample name.
 */
#include <linux/hashtable.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <linux/stringhash.h>
#include <linux/timekeeping.h>

#include <obsring/name.h>

#include "family.h"
#include "text.h"

#define GFP_METRIC	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)
#define CLAIM_MAX	(OBSRING_NAME_MAX + sizeof("_created"))
#define CLAIMS_MAX	5

/**
 * struct obs_claim - a sample name that a family occupies
 * @node: entry in claims
 * @name: escaped
 */
struct obs_claim {
	struct hlist_node node;
	char name[CLAIM_MAX];
};

static DEFINE_HASHTABLE(claims, 8);	/* under the registry's mutex */

/* The suffixes that follow a family's base name, by kind. */
static const char *const claim_suffix[][CLAIMS_MAX] = {
	[OBSRING_KIND_COUNTER] = { "", "_total", "_created" },
	[OBSRING_KIND_GAUGE] = { "" },
	[OBSRING_KIND_HISTOGRAM] = { "", "_bucket", "_sum", "_count", "_created" },
	[OBSRING_KIND_INFO] = { "", "_info" },
	[OBSRING_KIND_STATE] = { "", "_version" },
};

static u32 claim_hash(const char *name)
{
	return full_name_hash(NULL, name, strlen(name));
}

static bool claim_taken(const char *name)
{
	struct obs_claim *claim;

	hash_for_each_possible(claims, claim, node, claim_hash(name)) {
		if (!strcmp(claim->name, name))
			return true;
	}
	return false;
}

static void strip_suffix(char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	if (len > suffix_len && !strcmp(name + len - suffix_len, suffix))
		name[len - suffix_len] = '\0';
}

static int family_claim(struct obs_family *family)
{
	const char *const *suffix = claim_suffix[family->desc.kind];
	char base[OBSRING_NAME_MAX + 1];
	u32 i;

	obs_name_escape(family->desc.name, true, base);
	if (family->desc.kind == OBSRING_KIND_COUNTER)
		strip_suffix(base, "_total");
	if (family->desc.kind == OBSRING_KIND_INFO)
		strip_suffix(base, "_info");

	family->claim = kcalloc(CLAIMS_MAX, sizeof(*family->claim), GFP_METRIC);
	if (!family->claim)
		return -ENOMEM;
	for (i = 0; i < CLAIMS_MAX && suffix[i]; i++) {
		snprintf(family->claim[i].name, CLAIM_MAX, "%s%s", base, suffix[i]);
		if (claim_taken(family->claim[i].name))
			return -EEXIST;
	}
	for (i = 0; i < CLAIMS_MAX && suffix[i]; i++)
		hash_add(claims, &family->claim[i].node,
			 claim_hash(family->claim[i].name));
	family->nr_claims = i;
	return 0;
}

void obs_family_unclaim(struct obs_family *family)
{
	u32 i;

	for (i = 0; i < family->nr_claims; i++)
		hash_del(&family->claim[i].node);
	family->nr_claims = 0;
}

/* Does the name of another's family become one of obsring's own? */
static bool claims_reserved(const struct obs_family *family)
{
	char escaped[OBSRING_NAME_MAX + 1];

	if (family->owner == THIS_MODULE &&
	    !(family->flags & (OBSRING_FAMILY_NETLINK | OBSRING_FAMILY_SERVICE)))
		return false;
	obs_name_escape(family->desc.name, true, escaped);
	/* Behind the labels service and uid. */
	if (family->flags & OBSRING_FAMILY_SERVICE && family->nr_labels > 2 &&
	    obs_name_is_trace_context(family->desc.name, family->desc.kind,
				      family->nr_labels - 2, family->desc.label + 2))
		return false;
	return obs_name_reserved(escaped);
}

/* ---- Checking ------------------------------------------------------------ */

static int invalid(struct netlink_ext_ack *extack, const char *why)
{
	if (extack)
		extack->_msg = why;
	return -EINVAL;
}

static bool string_fits(const char *s, size_t max)
{
	return strnlen(s, max + 1) <= max;
}

/* Label names: legal, distinct after escaping, not Prometheus' own. */
static int labels_check(const struct obs_family_desc *desc,
			struct netlink_ext_ack *extack)
{
	char escaped[2][OBSRING_NAME_MAX + 1];
	u32 i, j;

	for (i = 0; i < OBSRING_LABELS_MAX && desc->label[i]; i++) {
		if (!string_fits(desc->label[i], OBSRING_NAME_MAX) ||
		    !obs_name_valid(desc->label[i]))
			return invalid(extack, "a label name is no printable UTF-8 of 1 to 127 bytes");
		obs_name_escape(desc->label[i], false, escaped[0]);
		if (!strncmp(escaped[0], "__", 2))
			return invalid(extack, "label names that begin with __ are Prometheus' own");
		if (desc->kind == OBSRING_KIND_HISTOGRAM &&
		    !strcmp(escaped[0], "le"))
			return invalid(extack, "a histogram's label can't be called le");
		for (j = 0; j < i; j++) {
			obs_name_escape(desc->label[j], false, escaped[1]);
			if (!strcmp(escaped[0], escaped[1]))
				return invalid(extack, "two label names are the same to Prometheus");
		}
	}
	return 0;
}

static int bounds_check(const struct obs_family_desc *desc,
			struct netlink_ext_ack *extack)
{
	u32 i;

	if (!desc->bounds) {
		if (desc->schema < 0 || desc->schema > OBSRING_SCHEMA_MAX)
			return invalid(extack, "the schema must be 0 to 3");
		if (desc->min_log2 < OBSRING_LOG2_MIN ||
		    desc->max_log2 > OBSRING_LOG2_MAX ||
		    desc->min_log2 >= desc->max_log2)
			return invalid(extack, "the bounds must be 2^-40 to 2^40, the lowest below the highest");
		if (obs_histogram_exp_nr_bounds(desc->schema, desc->min_log2,
						desc->max_log2) + 2 >
		    OBSRING_SLOTS_MAX)
			return invalid(extack, "a histogram has at most 510 bounds");
		return 0;
	}
	if (!desc->nr_bounds || desc->nr_bounds > OBSRING_BOUNDS_MAX)
		return invalid(extack, "explicit bounds must be 1 to 128");
	for (i = 1; i < desc->nr_bounds; i++) {
		if (desc->bounds[i] <= desc->bounds[i - 1])
			return invalid(extack, "bounds must ascend");
	}
	if (desc->bounds[i - 1] == U64_MAX)
		return invalid(extack, "the highest bound must be below 2^64 - 1");
	return 0;
}

/* Names of states: legal, distinct. OpenMetrics has a label of the family's name. */
static int states_check(const struct obs_family_desc *desc,
			struct netlink_ext_ack *extack)
{
	char escaped[2][OBSRING_NAME_MAX + 1];
	u32 i, j;

	if (!desc->nr_states || desc->nr_states > OBSRING_STATES_MAX)
		return invalid(extack, "a state set names 1 to 24 states");
	for (i = 0; i < desc->nr_states; i++) {
		if (!string_fits(desc->state[i], OBSRING_STATE_NAME_MAX) ||
		    !obs_name_valid(desc->state[i]))
			return invalid(extack, "a state's name is no printable UTF-8 of 1 to 63 bytes");
		for (j = 0; j < i; j++) {
			if (!strcmp(desc->state[i], desc->state[j]))
				return invalid(extack, "two states have one name");
		}
	}
	obs_name_escape(desc->name, true, escaped[0]);
	for (i = 0; i < OBSRING_LABELS_MAX && desc->label[i]; i++) {
		obs_name_escape(desc->label[i], false, escaped[1]);
		if (!strcmp(escaped[0], escaped[1]))
			return invalid(extack, "a state set's label can't have its name");
	}
	return 0;
}

static int desc_check(const struct obs_family_desc *desc,
		      struct netlink_ext_ack *extack)
{
	int ret;

	if (desc->kind < OBSRING_KIND_COUNTER || desc->kind > OBSRING_KIND_MAX)
		return invalid(extack, "the kind must be counter, gauge, histogram, info or state");
	if (!desc->name || !string_fits(desc->name, OBSRING_NAME_MAX) ||
	    !obs_name_valid(desc->name))
		return invalid(extack, "the name is no printable UTF-8 of 1 to 127 bytes");
	if (!desc->help || !string_fits(desc->help, OBSRING_HELP_MAX) ||
	    !obs_text_valid(desc->help))
		return invalid(extack, "the help is no UTF-8 of at most 1023 bytes");
	if (desc->unit && *desc->unit &&
	    (!string_fits(desc->unit, OBSRING_UNIT_MAX) ||
	     !obs_name_valid(desc->unit)))
		return invalid(extack, "the unit is no printable UTF-8 of at most 31 bytes");
	if (desc->exp10 < OBSRING_EXP10_MIN || desc->exp10 > 0)
		return invalid(extack, "the scale must be 10^-12 to 10^0");
	if (desc->set && desc->kind != OBSRING_KIND_GAUGE)
		return invalid(extack, "only gauges are set-type");
	if (desc->exemplars && desc->kind != OBSRING_KIND_HISTOGRAM)
		return invalid(extack, "only histograms have exemplars");
	if (desc->bounds && desc->kind != OBSRING_KIND_HISTOGRAM)
		return invalid(extack, "only histograms have bounds");
	if (desc->nr_states && desc->kind != OBSRING_KIND_STATE)
		return invalid(extack, "only state sets have states");
	ret = labels_check(desc, extack);
	if (ret)
		return ret;
	if (desc->kind == OBSRING_KIND_STATE)
		return states_check(desc, extack);
	return desc->kind == OBSRING_KIND_HISTOGRAM ? bounds_check(desc, extack) : 0;
}

/* ---- Copying ------------------------------------------------------------- */

/* Copy @s behind the text so far; returns the copy. */
static char *text_add(struct obs_family *family, const char *s)
{
	char *copy = family->text + family->text_len;
	size_t size = strlen(s) + 1;

	memcpy(copy, s, size);
	family->text_len += size;
	return copy;
}

/* Lay out what readers see, and make desc point into it. */
static int text_make(struct obs_family *family, const struct obs_family_desc *desc)
{
	u32 i;

	/* No family has both bounds and states. */
	BUILD_BUG_ON((OBSRING_LABELS_MAX + 1) * (OBSRING_NAME_MAX + 1) +
		     OBSRING_HELP_MAX + 1 + OBSRING_UNIT_MAX + 1 + 8 +
		     OBSRING_BOUNDS_MAX * sizeof(u64) > OBS_TEXT_MAX);
	BUILD_BUG_ON((OBSRING_LABELS_MAX + 1) * (OBSRING_NAME_MAX + 1) +
		     OBSRING_HELP_MAX + 1 + OBSRING_UNIT_MAX + 1 +
		     OBSRING_STATES_MAX * (OBSRING_STATE_NAME_MAX + 1) >
		     OBS_TEXT_MAX);

	family->text = kzalloc(OBS_TEXT_MAX, GFP_METRIC);
	if (!family->text)
		return -ENOMEM;
	family->desc.name = text_add(family, desc->name);
	family->desc.help = text_add(family, desc->help);
	family->desc.unit = text_add(family, desc->unit ?: "");
	for (i = 0; i < OBSRING_LABELS_MAX && desc->label[i]; i++)
		family->desc.label[i] = text_add(family, desc->label[i]);
	family->nr_labels = i;
	family->desc.state = NULL;
	family->states = family->text_len;
	for (i = 0; i < desc->nr_states; i++)
		text_add(family, desc->state[i]);
	if (desc->bounds) {
		family->text_len = ALIGN(family->text_len, sizeof(u64));
		memcpy(family->text + family->text_len, desc->bounds,
		       desc->nr_bounds * sizeof(u64));
		family->text_len += desc->nr_bounds * sizeof(u64);
	}
	return 0;
}

static int layout_make(struct obs_family *family,
		       const struct obs_family_desc *desc)
{
	u32 nr = desc->bounds ? desc->nr_bounds :
		 obs_histogram_exp_nr_bounds(desc->schema, desc->min_log2,
					     desc->max_log2);
	u16 *first;

	family->bounds = kcalloc(nr + 1, sizeof(u64), GFP_METRIC);
	if (!family->bounds)
		return -ENOMEM;
	if (desc->bounds)
		memcpy(family->bounds, desc->bounds, nr * sizeof(u64));
	else
		obs_histogram_exp_bounds(family->bounds, desc->schema,
					 desc->min_log2, desc->max_log2,
					 desc->exp10);
	first = kcalloc(max(obs_histogram_nr_cells(family->bounds, nr), 1U),
			sizeof(u16), GFP_METRIC);
	if (!first)
		return -ENOMEM;
	obs_histogram_layout_init(&family->layout, family->bounds, nr, first);
	family->desc.bounds = desc->bounds ? family->bounds : NULL;
	family->nr_slots = nr + 2;	/* sum, and one bucket more than bounds */
	return 0;
}

struct obs_family *obs_family_make(const struct obs_family_desc *desc,
				   struct module *owner, u32 flags,
				   struct netlink_ext_ack *extack)
{
	struct obs_family *family;
	int ret;

	ret = desc_check(desc, extack);
	if (ret)
		return ERR_PTR(ret);
	family = kzalloc(sizeof(*family), GFP_METRIC);
	if (!family)
		return ERR_PTR(-ENOMEM);
	family->desc = *desc;
	family->desc.bounds = NULL;
	family->owner = owner;
	family->flags = flags | (desc->set ? OBSRING_FAMILY_SET : 0);
	family->created_ns = ktime_get_real_ns();
	family->nr_slots = desc->kind != OBSRING_KIND_INFO;
	INIT_LIST_HEAD(&family->series);

	ret = text_make(family, desc);
	if (!ret && desc->kind == OBSRING_KIND_HISTOGRAM)
		ret = layout_make(family, desc);
	if (!ret)
		ret = family_claim(family);
	if (!ret && claims_reserved(family))
		ret = invalid(extack, "names that begin with obsring_ or process_ after escaping are reserved");
	if (ret) {
		if (ret == -EEXIST)
			NL_SET_ERR_MSG(extack, "a family of that name exists, or one that is the same to Prometheus after escaping and suffixes");
		obs_family_destroy(family);
		return ERR_PTR(ret);
	}
	return family;
}

void obs_family_destroy(struct obs_family *family)
{
	if (!family)
		return;
	obs_family_unclaim(family);
	kfree(family->claim);
	kfree(family->layout.first);
	kfree(family->bounds);
	kfree(family->text);
	kfree(family);
}
