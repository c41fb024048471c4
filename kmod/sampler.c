// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sampler: see sampler.h. All but decisions is under sampler_mutex, and the
 * queue's push, which is lock-free.
 *
 * A rule's memory outlives it: a rule that was removed stays with its source, to
 * be set again without an allocation (a command that was accepted does not fail at
 * its time). Past RULES_MAX one of those that are not in use is freed, behind a
 * grace period: decisions run with preemption off.
 */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include <obsring/sample.h>
#include <obsring/sample_control.h>
#include <obsring/sample_queue.h>

#include "compat.h"
#include "logsource.h"
#include "metric.h"
#include "netlink.h"
#include "sampler.h"
#include "sampler_metric.h"
#include "self.h"

#define GFP_RULE	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)
#define RULES_MAX	1024
#define IDLE		(5 * HZ)

/* Levels that a rule without a level is about. */
#define LEVEL_FIRST	4

/**
 * struct obs_rule - a rule
 * @shared: what decisions read; has cache lines of its own
 * @slots: what they write; NULL until a kind needs them
 * @control: what follows the load
 * @node: in rules
 * @serial: by age; never used again
 * @source: whose; entries stay
 * @level: 0 to 7, OBS_LEVEL_NONE
 * @value: of @control.kind, as it was set
 * @metric: what is shown of it while it is in force
 * @commands: that wait for their time
 * @in_force: decisions may use it
 * @period_ns: when the controller's period began, CLOCK_MONOTONIC
 */
struct obs_rule {
	struct obs_sample_rule shared;
	struct obs_sample_slot __percpu *slots;
	struct obs_sample_control control;
	struct list_head node;
	u64 serial;
	struct obs_logsource *source;
	u64 value;
	u64 period_ns;
	struct obs_rule_metric metric;
	unsigned int commands;
	u8 level;
	bool in_force;
};

/**
 * struct command - a change of a rule
 * @queued: the queue's
 * @rule: which; NULL: it only cancels another one
 * @kind: what it becomes; UNSPEC: it is removed
 * @value: of @kind
 * @ret_missing: of one that cancels: set if what it cancels did not wait
 */
struct command {
	struct obs_sample_command queued;
	struct obs_rule *rule;
	enum obsring_rule kind;
	u64 value;
	bool *ret_missing;
};

DEFINE_STATIC_KEY_FALSE(obs_sampling);

static DEFINE_PER_CPU(struct obs_sample_rng, rng);

static unsigned int log_floor = OBS_SAMPLE_FLOOR;
module_param(log_floor, uint, 0644);
MODULE_PARM_DESC(log_floor, "Records a minute of each source that are kept though a rule drops them, 0 to 65535 (default 10)");

static DEFINE_MUTEX(sampler_mutex);	/* all below but the queue's push */
static LIST_HEAD(rules);
static unsigned int nr_rules;
static unsigned int nr_in_force;
static unsigned int nr_commands;	/* accepted, and not done with */
static u64 last_serial;
static struct obs_sample_queue queue;
static struct hrtimer timer;
static bool stopping;

static struct obs_histogram apply_delay = OBS_HISTOGRAM_INIT;

static struct obs_metric metrics[] = {
	{
		.desc = {
			.name = "obsring_sample_apply_delay_seconds",
			.help = "Time from when a change of a sampling rule took effect to when every later decision followed it.",
			.unit = "seconds",
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 2,
			.min_log2 = -20,
			.max_log2 = 6,
		},
		.histogram = &apply_delay,
	},
};

/* ---- Decision ------------------------------------------------------------ */

static bool decide(struct obs_logsource *source, u8 level,
		   const struct obs_context *context, u64 *ret_threshold)
{
	struct obs_rule *rule = READ_ONCE(source->sampler.rule[level]);
	u64 randomness, word;

	if (!rule)
		rule = READ_ONCE(obs_logsource_any.sampler.rule[level]);
	if (!rule)
		return true;
	if (context)
		randomness = context->has_rv ? context->rv :
					       obs_sample_randomness(&context->trace);
	/* First the word, which has the slots' pointer before it if it needs them. */
	word = obs_sample_word(&rule->shared);
	return obs_sample_decide_word(word, &rule->shared,
				      this_cpu_ptr(READ_ONCE(rule->slots)),
				      this_cpu_ptr(&rng),
				      context ? &randomness : NULL, ret_threshold);
}

bool __obs_sampler_keep(struct obs_logsource *source, u8 level,
			const struct obs_context *context, struct obs_sampled *ret)
{
	u32 floor = min_t(u32, READ_ONCE(log_floor), OBS_SAMPLE_FLOOR_MAX);
	bool keep;

	/* Also what a rule's grace period waits for. */
	preempt_disable_notrace();
	keep = decide(source, level, context, &ret->threshold);
	preempt_enable_notrace();
	if (keep)
		return true;
	ret->threshold = 0;
	ret->flags = OBSRING_RECORD_FLOOR;
	return obs_sample_floor_take(&source->sampler.floor, floor,
				     get_jiffies_64(), 60 * HZ);
}

/* ---- Memory -------------------------------------------------------------- */

static u64 memory;	/* under the registry's mutex */

void obs_sampler_memory(long bytes)
{
	mutex_lock(&obs_registry_mutex);
	memory += bytes;
	obs_self_memory();
	mutex_unlock(&obs_registry_mutex);
}

u64 obs_sampler_bytes(void)
{
	return memory;
}

static size_t slots_bytes(void)
{
	return sizeof(struct obs_sample_slot) * num_possible_cpus();
}

/* A power of two is aligned to itself: no line of it is shared. */
static size_t rule_bytes(void)
{
	return roundup_pow_of_two(sizeof(struct obs_rule));
}

/* ---- Rules --------------------------------------------------------------- */

static struct obs_sample_slot *rule_slot(void *rule, unsigned int cpu)
{
	struct obs_sample_slot __percpu *slots = ((struct obs_rule *)rule)->slots;

	return cpu_possible(cpu) ? per_cpu_ptr(slots, cpu) : NULL;
}

static struct obs_sample_cpus rule_cpus(struct obs_rule *rule)
{
	return (struct obs_sample_cpus){
		.slot = rule_slot, .context = rule, .nr = nr_cpu_ids,
	};
}

/* Nobody decides by it, and nobody will. */
static void rule_free(struct obs_rule *rule)
{
	obs_sampler_memory(-(long)(rule_bytes() + (rule->slots ? slots_bytes() : 0)));
	free_percpu(rule->slots);
	kfree(rule);
}

/* Make room, if there is a rule that is not in use. */
static bool rules_recycle(void)
{
	struct obs_rule *rule;

	list_for_each_entry(rule, &rules, node) {
		if (rule->in_force || rule->commands)
			continue;
		list_del(&rule->node);
		rule->source->sampler.own[rule->level] = NULL;
		nr_rules--;
		synchronize_rcu();
		rule_free(rule);
		return true;
	}
	return false;
}

static int rule_slots_make(struct obs_rule *rule, enum obsring_rule kind)
{
	struct obs_sample_slot __percpu *slots;

	if (rule->slots || kind <= OBSRING_RULE_DROP)
		return 0;
	slots = alloc_percpu_gfp(struct obs_sample_slot, GFP_RULE);
	if (!slots)
		return -ENOMEM;
	/* Before rule_set:A (sample.h) of a word that needs them. */
	WRITE_ONCE(rule->slots, slots);
	obs_sampler_memory(slots_bytes());
	return 0;
}

/* With all that it needs to be of @kind; nobody has it yet. */
static struct obs_rule *rule_make(enum obsring_rule kind)
{
	struct obs_rule *rule;
	int ret;

	if (nr_rules == RULES_MAX && !rules_recycle())
		return ERR_PTR(-ENOSPC);
	rule = kzalloc(rule_bytes(), GFP_RULE);
	if (!rule)
		return ERR_PTR(-ENOMEM);
	obs_rule_metric_init(&rule->metric);
	obs_sampler_memory(rule_bytes());
	ret = rule_slots_make(rule, kind);
	if (ret) {
		rule_free(rule);
		return ERR_PTR(ret);
	}
	return rule;
}

static void rule_add(struct obs_rule *rule, struct obs_logsource *source, u8 level)
{
	rule->source = source;
	rule->level = level;
	rule->serial = ++last_serial;
	list_add_tail(&rule->node, &rules);
	source->sampler.own[level] = rule;
	nr_rules++;
}

/* The source last: the table gives none back. */
static struct obs_rule *rule_new(const struct obs_sample_spec *spec)
{
	struct obs_rule *rule = rule_make(spec->kind);
	struct obs_logsource *source;

	if (IS_ERR(rule))
		return rule;
	source = obs_logsource_rule(spec->source);
	if (IS_ERR(source)) {
		rule_free(rule);
		return ERR_CAST(source);
	}
	rule_add(rule, source, spec->level);
	return rule;
}

/* The rule with all that it needs to be of the kind, or nothing that is new. */
static struct obs_rule *rule_get(const struct obs_sample_spec *spec)
{
	struct obs_logsource *source = obs_logsource_find(spec->source);
	struct obs_rule *rule = source ? source->sampler.own[spec->level] : NULL;
	int ret;

	if (!rule)
		return rule_new(spec);
	ret = rule_slots_make(rule, spec->kind);
	return ret ? ERR_PTR(ret) : rule;
}

/* One that is in force, or will be. */
static struct obs_rule *rule_find(const struct obs_sample_spec *spec)
{
	struct obs_logsource *source = obs_logsource_find(spec->source);
	struct obs_rule *rule = source ? source->sampler.own[spec->level] : NULL;

	return rule && (rule->in_force || rule->commands) ? rule : ERR_PTR(-ENOENT);
}

/* ---- Applying ------------------------------------------------------------ */

static void control_start(u64 ns);

static struct obs_rule *rule_if_in_force(struct obs_rule *rule)
{
	return rule && rule->in_force ? rule : NULL;
}

/* By which rules the source's levels are decided. */
static void source_resolve(struct obs_logsource *source)
{
	struct obs_sampler *sampler = &source->sampler;
	struct obs_rule *rule;
	u8 level;

	for (level = 0; level < OBS_LEVELS; level++) {
		rule = rule_if_in_force(sampler->own[level]);
		if (!rule && level >= LEVEL_FIRST)
			rule = rule_if_in_force(sampler->own[OBS_LEVEL_NONE]);
		/* The rule is complete; pairs with the dependent loads of decide(). */
		smp_store_release(&sampler->rule[level], rule);
	}
}

static void rule_set_in_force(struct obs_rule *rule, bool in_force)
{
	if (rule->in_force == in_force)
		return;
	rule->in_force = in_force;
	nr_in_force += in_force ? 1 : -1;
	source_resolve(rule->source);
}

static int fill_spec(struct sk_buff *skb, const void *spec)
{
	return obs_fill_sample(skb, spec);
}

/* Of the rule as it is in force. */
static struct obs_sample_spec rule_spec(const struct obs_rule *rule, char *text)
{
	obs_logsource_text(rule->source, text);
	return (struct obs_sample_spec){
		.source = text,
		.level = rule->level,
		.kind = rule->control.kind,
		.value = rule->value,
	};
}

/* The worker may tell: not behind obs_netlink_exit(). */
static void tell(enum obsring_cmd cmd, const struct obs_sample_spec *spec)
{
	mutex_lock(&obs_registry_mutex);
	obs_netlink_ntf(cmd, fill_spec, spec);
	mutex_unlock(&obs_registry_mutex);
}

static void rule_apply(struct obs_rule *rule, enum obsring_rule kind, u64 value)
{
	const struct obs_sample_cpus cpus = rule_cpus(rule);

	obs_sample_apply(&rule->control, &rule->shared, &cpus, kind, value);
	rule->value = value;
	rule->period_ns = ktime_get_ns();
	rule_set_in_force(rule, true);
	if (obs_sample_is_controlled(kind))
		control_start(OBS_SAMPLE_PERIOD_NS);
}

static void command_apply(struct command *command)
{
	struct obs_rule *rule = command->rule;
	char text[OBS_LOGSOURCE_TEXT];
	struct obs_sample_spec spec;
	s64 delay;

	/* Gone, or not there yet, at its time. */
	if (!command->kind && !rule->in_force)
		return;
	if (command->kind)
		rule_apply(rule, command->kind, command->value);
	else
		rule_set_in_force(rule, false);
	/* What other CPUs load from now on is the new rule. */
	smp_mb();
	delay = ktime_get_real_ns() - command->queued.time;
	obs_histogram_observe(&apply_delay, max_t(s64, delay, 0));
	spec = rule_spec(rule, text);
	if (command->kind)
		obs_rule_metric_show(&rule->metric, &spec);
	else
		obs_rule_metric_hide(&rule->metric, &spec);
	spec.kind = command->kind;
	tell(command->kind ? OBSRING_CMD_SAMPLE_SET_NTF : OBSRING_CMD_SAMPLE_DEL_NTF,
	     &spec);
}

static void command_free(struct command *command)
{
	if (command->rule) {
		command->rule->commands--;
		nr_commands--;
	}
	kfree(command);
}

static void branch_idle(struct work_struct *work);
static DECLARE_DELAYED_WORK(branch_work, branch_idle);

static bool branch_wanted(void)
{
	return nr_in_force || nr_commands;
}

/*
 * Flipping it takes long and stops every CPU: not at a command's time, but when it
 * is accepted, and back when no rule was there for IDLE: who sets and removes one
 * in turns must not have the kernel's code patched each time.
 */
static void branch_update(void)
{
	bool wanted = branch_wanted();

	if (wanted == static_key_enabled(&obs_sampling))
		return;
	if (wanted)
		static_branch_enable(&obs_sampling);
	else
		mod_delayed_work(system_power_efficient_wq, &branch_work, IDLE);
}

static void branch_idle(struct work_struct *work)
{
	mutex_lock(&sampler_mutex);
	if (!branch_wanted())
		static_branch_disable(&obs_sampling);
	mutex_unlock(&sampler_mutex);
}

/* Play the queue's consumer: apply what is due, and wait for the rest. */
static void commands_run(void)
{
	struct obs_sample_command *queued;
	struct command *command;
	u64 when;

	lockdep_assert_held(&sampler_mutex);
	if (stopping)
		return;
	while ((queued = obs_sample_queue_next(&queue, ktime_get_real_ns()))) {
		command = container_of(queued, struct command, queued);
		if (queued->fate == OBS_SAMPLE_DUE)
			command_apply(command);
		else if (queued->fate == OBS_SAMPLE_DONE)
			*command->ret_missing = !queued->found;
		command_free(command);
	}
	if (obs_sample_queue_when(&queue, &when))
		hrtimer_start(&timer, ns_to_ktime(when), HRTIMER_MODE_ABS);
	branch_update();
}

static void run_fn(struct work_struct *work)
{
	mutex_lock(&sampler_mutex);
	commands_run();
	mutex_unlock(&sampler_mutex);
}

static DECLARE_WORK(run_work, run_fn);

static enum hrtimer_restart timer_fn(struct hrtimer *unused)
{
	queue_work(system_highpri_wq, &run_work);
	return HRTIMER_NORESTART;
}

/* ---- Commands ------------------------------------------------------------ */

static int spec_refuse(struct netlink_ext_ack *extack, int err)
{
	if (err == -EINVAL)
		NL_SET_ERR_MSG(extack, "no source can have that name");
	else if (err == -ENOENT)
		NL_SET_ERR_MSG(extack, "there is no such rule");
	else if (err == -ENOSPC)
		NL_SET_ERR_MSG(extack, "there are too many rules, sources with rules, or waiting commands");
	return err;
}

/* What the command is about, with room for it; accepted, it can't fail. */
static int command_prepare(struct command *command, const struct obs_sample_spec *spec)
{
	struct obs_rule *rule;
	int ret = 0;

	mutex_lock(&sampler_mutex);
	rule = spec->kind ? rule_get(spec) : rule_find(spec);
	if (IS_ERR(rule)) {
		ret = PTR_ERR(rule);
	} else {
		rule->commands++;
		nr_commands++;
		command->rule = rule;
		branch_update();
	}
	mutex_unlock(&sampler_mutex);
	return ret;
}

static int command_missing(struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack, "no command of that sample-id waits");
	return -ENOENT;
}

/*
 * Push it, and do what is to be done now. @command is gone behind it. It has found
 * what it cancels, or not, when this ends: only until then it knows of @ret_missing.
 */
static int command_send(struct command *command, u64 *ret_id, bool *ret_missing)
{
	bool pushed;

	command->ret_missing = ret_missing;
	pushed = obs_sample_queue_push(&queue, &command->queued, ret_id);
	mutex_lock(&sampler_mutex);
	if (!pushed)
		command_free(command);
	commands_run();
	mutex_unlock(&sampler_mutex);
	return pushed ? 0 : -ENOSPC;
}

int obs_sampler_send(const struct obs_sample_spec *spec,
		     struct netlink_ext_ack *extack, u64 *ret_id)
{
	struct command *command;
	bool missing = false;
	int ret;

	if (spec->kind && !obs_sample_valid(spec->kind, spec->value)) {
		NL_SET_ERR_MSG(extack, "this rule can't have that rule-value");
		return -EINVAL;
	}
	if (spec->at_ns > KTIME_MAX) {
		NL_SET_ERR_MSG(extack, "at-ns is beyond 2^63 - 1");
		return -EINVAL;
	}
	command = kzalloc(sizeof(*command), GFP_RULE);
	if (!command)
		return -ENOMEM;
	command->kind = spec->kind;
	command->value = spec->value;
	ret = command_prepare(command, spec);
	if (ret) {
		kfree(command);
		return spec_refuse(extack, ret);
	}
	/* It takes effect when it has arrived, at the earliest. */
	command->queued.time = max_t(u64, spec->at_ns, ktime_get_real_ns());
	command->queued.cancels = spec->id;
	ret = command_send(command, ret_id, &missing);
	if (ret)
		return spec_refuse(extack, ret);
	return missing ? command_missing(extack) : 0;
}

int obs_sampler_cancel(u64 id, struct netlink_ext_ack *extack)
{
	struct command *command = kzalloc(sizeof(*command), GFP_RULE);
	bool missing = false;
	int ret;
	u64 own;

	if (!command)
		return -ENOMEM;
	command->queued.cancels = id;
	command->queued.only_cancels = true;
	ret = command_send(command, &own, &missing);
	if (ret)
		return spec_refuse(extack, ret);
	return missing ? command_missing(extack) : 0;
}

/* ---- Controllers --------------------------------------------------------- */

static void control_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(control_work, control_fn);

static void control_start(u64 ns)
{
	/* Not before its time: a jiffy of rounding, and the one that has begun. */
	if (!stopping)
		schedule_delayed_work(&control_work, nsecs_to_jiffies(ns) + 2);
}

/* A new period if the present one is over: when this one will be. */
static u64 rule_control(struct obs_rule *rule)
{
	const struct obs_sample_cpus cpus = rule_cpus(rule);
	u64 now = ktime_get_ns(), elapsed = now - rule->period_ns;

	if (elapsed >= OBS_SAMPLE_PERIOD_NS) {
		obs_sample_control_run(&rule->control, &rule->shared, &cpus, elapsed);
		rule->period_ns = now;
		elapsed = 0;
	}
	return OBS_SAMPLE_PERIOD_NS - elapsed;
}

static void control_fn(struct work_struct *work)
{
	struct obs_rule *rule;
	u64 next = U64_MAX;

	mutex_lock(&sampler_mutex);
	list_for_each_entry(rule, &rules, node)
		if (rule->in_force && obs_sample_is_controlled(rule->control.kind))
			next = min(next, rule_control(rule));
	if (next != U64_MAX)
		control_start(next);
	mutex_unlock(&sampler_mutex);
}

/* ---- Listing ------------------------------------------------------------- */

static int rules_each(struct obs_sampler_walk *walk,
		      int (*fn)(const struct obs_sample_spec *spec, void *arg),
		      void *arg)
{
	char text[OBS_LOGSOURCE_TEXT];
	struct obs_sample_spec spec;
	struct obs_rule *rule;
	int ret;

	list_for_each_entry(rule, &rules, node) {
		if (rule->serial <= walk->serial || !rule->in_force)
			continue;
		spec = rule_spec(rule, text);
		ret = fn(&spec, arg);
		if (ret)
			return ret;
		walk->serial = rule->serial;
	}
	return 0;
}

static int commands_each(struct obs_sampler_walk *walk,
			 int (*fn)(const struct obs_sample_spec *spec, void *arg),
			 void *arg)
{
	struct obs_sample_command *queued;
	char text[OBS_LOGSOURCE_TEXT];
	struct obs_sample_spec spec;
	struct command *command;
	int ret;

	for (queued = queue.pending; queued; queued = queued->next) {
		if (queued->time < walk->time ||
		    (queued->time == walk->time && queued->arrival < walk->arrival))
			continue;
		command = container_of(queued, struct command, queued);
		spec = rule_spec(command->rule, text);
		spec.kind = command->kind;
		spec.value = command->value;
		spec.at_ns = queued->time;
		spec.id = queued->number;
		ret = fn(&spec, arg);
		if (ret)
			return ret;
		walk->time = queued->time;
		walk->arrival = queued->arrival + 1;
	}
	return 0;
}

int obs_sampler_each(struct obs_sampler_walk *walk,
		     int (*fn)(const struct obs_sample_spec *spec, void *arg),
		     void *arg)
{
	int ret;

	mutex_lock(&sampler_mutex);
	ret = rules_each(walk, fn, arg) ?: commands_each(walk, fn, arg);
	mutex_unlock(&sampler_mutex);
	return ret;
}

/* ---- Life ---------------------------------------------------------------- */

int obs_sampler_init(void)
{
	unsigned int cpu;
	int ret;

	for_each_possible_cpu(cpu)
		per_cpu_ptr(&rng, cpu)->state = get_random_u64();
	obs_hrtimer_setup(&timer, timer_fn, CLOCK_REALTIME, HRTIMER_MODE_ABS);
	ret = obs_metrics_register(metrics, ARRAY_SIZE(metrics));
	if (ret)
		return ret;
	ret = obs_rule_metrics_init();
	if (ret)
		obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
	return ret;
}

/* Nobody logs or commands any more. */
void obs_sampler_exit(void)
{
	struct obs_sample_command *queued;
	struct obs_rule *rule, *next;

	mutex_lock(&sampler_mutex);
	stopping = true;
	mutex_unlock(&sampler_mutex);
	hrtimer_cancel(&timer);
	cancel_work_sync(&run_work);
	cancel_delayed_work_sync(&control_work);
	cancel_delayed_work_sync(&branch_work);
	while ((queued = obs_sample_queue_next(&queue, U64_MAX)))
		command_free(container_of(queued, struct command, queued));
	obs_rule_metrics_exit();
	list_for_each_entry_safe(rule, next, &rules, node)
		rule_free(rule);
	obs_metrics_remove(metrics, ARRAY_SIZE(metrics));
}
