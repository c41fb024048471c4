// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sources of the log: see logsource.h. The table is only added to, under
 * sources_mutex; who looks up takes nothing.
 *
 * obs_log() may run anywhere and makes no entry. A name that it does not find it
 * leaves in a mailbox of MAILS places, for a worker; if all are taken the source's
 * next record tries again:
 *
 *	FREE -> FILLING	by whoever wins the exchange, in any context
 *	FILLING -> FULL	by the same, behind the name	(mail_put:A)
 *	FULL -> FREE	by the worker, which has read it	(mail_take:A)
 */
#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <obsring/name.h>

#include "export.h"
#include "irqwork.h"
#include "logsource.h"
#include "metric.h"
#include "self.h"

#define USER_PREFIX	"user."
#define RULES_MAX	1024	/* entries that only a rule asked for */
#define MAILS		8

enum { METRIC_SEEN, METRIC_KEPT };

static struct obs_metric metrics[] = {
	[METRIC_SEEN] = {
		.desc = {
			.name = "obsring_log_seen_total",
			.help = "Records that a source gave to the log, before sampling.",
			.label = { "source" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	[METRIC_KEPT] = {
		.desc = {
			.name = "obsring_log_kept_total",
			.help = "Records of a source that sampling kept.",
			.label = { "source" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
};

struct obs_logsource obs_logsource_any = {
	.seen = OBS_COUNTER_INIT,
	.kept = OBS_COUNTER_INIT,
	.len = 1,
	.name = OBSRING_SOURCE_ANY,
};

static DEFINE_MUTEX(sources_mutex);	/* adding to the table */
static DEFINE_HASHTABLE(sources, 8);

/* Entries by whom they were made for, and how many may be. */
enum { FOR_KERNEL, FOR_USER, FOR_RULE, FOR_NR };
static unsigned int nr_sources[FOR_NR];
static unsigned int max_sources[FOR_NR];

/* ---- Names --------------------------------------------------------------- */

/**
 * struct source_key - a source's name
 * @origin: whose
 * @text: @len bytes, without "user."
 * @len: any
 */
struct source_key {
	enum obsring_origin origin;
	const char *text;
	u32 len;
};

static u32 key_hash(const struct source_key *key)
{
	return jhash(key->text, key->len, key->origin);
}

static struct source_key kernel_key(const char *name)
{
	return (struct source_key){
		.origin = OBSRING_ORIGIN_KERNEL,
		.text = name,
		.len = strnlen(name, OBSRING_SOURCE_MAX + 1),
	};
}

/* "user.NAME" is a process', all else is the kernel's. */
static struct source_key text_key(const char *text)
{
	struct source_key key = kernel_key(text);

	if (strncmp(text, USER_PREFIX, strlen(USER_PREFIX)))
		return key;
	key.origin = OBSRING_ORIGIN_USER;
	key.text += strlen(USER_PREFIX);
	key.len = strnlen(key.text, OBSRING_SOURCE_MAX + 1);
	return key;
}

/* Can it be an entry's: a label value that is that of no other source? */
static bool key_valid(const struct source_key *key)
{
	char name[OBSRING_SOURCE_MAX + 1];

	if (!key->len || key->len > OBSRING_SOURCE_MAX ||
	    memchr(key->text, '\0', key->len))
		return false;
	memcpy(name, key->text, key->len);
	name[key->len] = '\0';
	if (!obs_name_valid(name))
		return false;
	return key->origin == OBSRING_ORIGIN_USER ||
	       (strcmp(name, "user") &&
		strncmp(name, USER_PREFIX, strlen(USER_PREFIX)) &&
		strcmp(name, OBSRING_SOURCE_ANY) &&
		strcmp(name, OBSRING_OVERFLOW_VALUE));
}

void obs_logsource_text(const struct obs_logsource *source, char *text)
{
	snprintf(text, OBS_LOGSOURCE_TEXT, "%s%s",
		 source->origin == OBSRING_ORIGIN_USER ? USER_PREFIX : "",
		 source->name);
}

/* Entries never go, and are complete when they are in the table. Any context. */
static struct obs_logsource *lookup(const struct source_key *key)
{
	struct obs_logsource *source;

	hlist_for_each_entry_rcu_notrace(source,
					 &sources[hash_min(key_hash(key),
							   HASH_BITS(sources))],
					 node)
		if (source->origin == key->origin && source->len == key->len &&
		    !memcmp(source->name, key->text, key->len))
			return source;
	return NULL;
}

/* ---- Making an entry ----------------------------------------------------- */

/* Two series, or none: what is not seen can't have been kept. */
static int counters_attach(struct obs_logsource *source)
{
	static const char *const overflow[] = { OBSRING_OVERFLOW_VALUE };
	char text[OBS_LOGSOURCE_TEXT];
	const char *const label[] = { text };
	struct obs_family *seen = metrics[METRIC_SEEN].family;
	struct obs_family *kept = metrics[METRIC_KEPT].family;
	int ret;

	obs_logsource_text(source, text);
	ret = obs_counter_attach(seen, label, &source->seen);
	if (!ret) {
		ret = obs_counter_attach(kept, label, &source->kept);
		if (ret)
			obs_series_remove(seen, label);
	}
	if (ret != -ENOSPC)
		return ret;
	/* A limit refused one of them, and will again. */
	obs_counter_attach(seen, overflow, &source->seen);
	obs_counter_attach(kept, overflow, &source->kept);
	return 0;
}

static int refuse(void)
{
	mutex_lock(&obs_registry_mutex);
	obs_registry_refuse(OBS_REFUSED_MEMORY, -ENOMEM);
	mutex_unlock(&obs_registry_mutex);
	return -ENOMEM;
}

static struct obs_logsource *source_make(const struct source_key *key)
{
	static const struct obs_counter detached = OBS_COUNTER_INIT;
	struct obs_logsource *source;
	int ret;

	source = kzalloc(sizeof(*source), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!source)
		return ERR_PTR(refuse());
	source->seen = detached;
	source->kept = detached;
	source->origin = key->origin;
	source->len = key->len;
	memcpy(source->name, key->text, key->len);
	ret = counters_attach(source);
	if (ret) {
		obs_counter_detach(&source->seen);
		obs_counter_detach(&source->kept);
		kfree(source);
		return ERR_PTR(ret);
	}
	return source;
}

static int source_class(const struct source_key *key, bool rule)
{
	if (rule)
		return FOR_RULE;
	return key->origin == OBSRING_ORIGIN_USER ? FOR_USER : FOR_KERNEL;
}

/* Is there no more room? A hint, to ask the mutex for nothing. */
static bool class_full(int class)
{
	return READ_ONCE(nr_sources[class]) >= max_sources[class];
}

static struct obs_logsource *source_get(const struct source_key *key, bool rule)
{
	int class = source_class(key, rule);
	struct obs_logsource *source = lookup(key);

	if (source)
		return source;
	if (!key_valid(key))
		return ERR_PTR(-EINVAL);
	if (class_full(class))
		return ERR_PTR(-ENOSPC);
	mutex_lock(&sources_mutex);
	source = lookup(key);
	if (source)
		goto out;
	source = class_full(class) ? ERR_PTR(-ENOSPC) : source_make(key);
	if (IS_ERR(source))
		goto out;
	WRITE_ONCE(nr_sources[class], nr_sources[class] + 1);
	obs_sampler_memory(sizeof(*source));
	hlist_add_head_rcu(&source->node,
			   &sources[hash_min(key_hash(key), HASH_BITS(sources))]);
out:
	mutex_unlock(&sources_mutex);
	return source;
}

struct obs_logsource *obs_logsource_user(const char *service, u32 len)
{
	const struct source_key key = {
		.origin = OBSRING_ORIGIN_USER, .text = service, .len = len,
	};
	struct obs_logsource *source = source_get(&key, false);

	return IS_ERR(source) ? &obs_logsource_any : source;
}

struct obs_logsource *obs_logsource_rule(const char *text)
{
	const struct source_key key = text_key(text);

	if (!strcmp(text, OBSRING_SOURCE_ANY))
		return &obs_logsource_any;
	return source_get(&key, true);
}

struct obs_logsource *obs_logsource_find(const char *text)
{
	const struct source_key key = text_key(text);

	if (!strcmp(text, OBSRING_SOURCE_ANY))
		return &obs_logsource_any;
	return lookup(&key);
}

int obs_log_source_register(struct obs_log_source *source)
{
	const struct source_key key = kernel_key(source->name);
	struct obs_logsource *known = source_get(&key, false);

	if (IS_ERR(known))
		return PTR_ERR(known);
	/* logsource_learn:A, as below */
	smp_store_release(&source->known, known);
	return 0;
}
EXPORT_SYMBOL_OBSRING(obs_log_source_register);

/* ---- Names that obs_log() met -------------------------------------------- */

enum { MAIL_FREE, MAIL_FILLING, MAIL_FULL };

/**
 * struct mail - a name on its way to the worker
 * @state: MAIL_*
 * @name: ends with a NUL
 */
struct mail {
	atomic_t state;
	char name[OBSRING_SOURCE_MAX + 1];
};

static struct mail mailbox[MAILS];

static void mails_read(struct work_struct *work)
{
	struct source_key key;
	struct mail *mail;

	for (mail = mailbox; mail < mailbox + MAILS; mail++) {
		/* Acquire: the name is there; pairs with mail_put:A. */
		if (atomic_read_acquire(&mail->state) != MAIL_FULL)
			continue;
		key = kernel_key(mail->name);
		source_get(&key, false);
		/* mail_take:A: the name is read; pairs with the exchange below. */
		atomic_set_release(&mail->state, MAIL_FREE);
	}
}

static DECLARE_WORK(mails_work, mails_read);

static void mails_wake(struct irq_work *work)
{
	schedule_work(&mails_work);
}

/* NMIs and held run queue locks are why no work is scheduled at once. */
static struct irq_work mails_irq_work = IRQ_WORK_INIT_HARD(mails_wake);

static void mail_put(const struct source_key *key)
{
	struct mail *mail;

	for (mail = mailbox; mail < mailbox + MAILS; mail++) {
		if (atomic_cmpxchg_acquire(&mail->state, MAIL_FREE,
					   MAIL_FILLING) != MAIL_FREE)
			continue;
		memcpy(mail->name, key->text, key->len);
		mail->name[key->len] = '\0';
		/* mail_put:A */
		atomic_set_release(&mail->state, MAIL_FULL);
		break;
	}
	obs_irq_work_queue(&mails_irq_work);
}

struct obs_logsource *obs_logsource_learn(struct obs_log_source *source)
{
	const struct source_key key = kernel_key(source->name);
	struct obs_logsource *known = lookup(&key);

	if (known) {
		/*
		 * logsource_learn:A: who finds it here finds it complete, as the
		 * table has shown it to us. Pairs with the dependent loads of
		 * obs_logsource_kernel().
		 */
		smp_store_release(&source->known, known);
		return known;
	}
	if (!class_full(FOR_KERNEL) && key_valid(&key))
		mail_put(&key);
	return &obs_logsource_any;
}

/* ---- Life ---------------------------------------------------------------- */

int obs_logsource_init(const struct obs_logsource_limits *limits)
{
	static const char *const overflow[] = { OBSRING_OVERFLOW_VALUE };
	int ret;

	max_sources[FOR_KERNEL] = limits->kernel;
	max_sources[FOR_USER] = limits->user;
	max_sources[FOR_RULE] = RULES_MAX;
	ret = obs_metrics_register(metrics, ARRAY_SIZE(metrics));
	if (ret)
		return ret;
	ret = obs_counter_attach(metrics[METRIC_SEEN].family, overflow,
				 &obs_logsource_any.seen);
	if (!ret)
		ret = obs_counter_attach(metrics[METRIC_KEPT].family, overflow,
					 &obs_logsource_any.kept);
	if (ret)
		obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
	return ret;
}

/* Nobody logs any more. */
void obs_logsource_exit(void)
{
	struct obs_logsource *source;
	struct hlist_node *next;
	int i;

	irq_work_sync(&mails_irq_work);
	cancel_work_sync(&mails_work);
	obs_metrics_remove(metrics, ARRAY_SIZE(metrics));
	hash_for_each_safe(sources, i, next, source, node) {
		hash_del(&source->node);
		kfree(source);
	}
}
