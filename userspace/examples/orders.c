// SPDX-License-Identifier: MIT
/*
 * What each order is in, kept by several processes without a lock.
 *
 * Orders go from one state to the next, and each step has the number that the shop's
 * database gave it. Consumers of a message queue hear of these steps late, twice, and in
 * any order; each tells obsring what it hears. Of all that were told of an order the
 * step of the greatest number stays, so that in the end all orders are where the database
 * has them, though no consumer knew what the others did:
 *
 *      orders [--orders N] [--consumers N] [--device PATH]
 *
 * What was a table of object states under a lock is a state set, one word an object.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <obsring.h>

#define ORDERS_MAX	1000
#define STEPS		5

enum { NEW, PAID, PACKED, SHIPPED, DELIVERED };

static const char *const state_names[STEPS] = {
	[NEW] = "new", [PAID] = "paid", [PACKED] = "packed", [SHIPPED] = "shipped",
	[DELIVERED] = "delivered",
};

static const struct obs_family_spec order_state = {
	.name = "shop_order", .help = "What became of an order.",
	.nr_labels = 1, .label = (const char *const[]){ "order" },
	.nr_states = STEPS, .state = state_names,
};

static const struct obs_family_spec updates = {
	.name = "shop_order_updates_total", .help = "Steps that were heard of, by what they did.",
	.nr_labels = 1, .label = (const char *const[]){ "result" },
};

static const char *const result_names[] = {
	[OBS_STATE_INSERTED] = "inserted", [OBS_STATE_UPDATED] = "updated",
	[OBS_STATE_STALE] = "stale", [OBS_STATE_CONFLICT] = "conflict",
};

#define RESULTS	(sizeof(result_names) / sizeof(result_names[0]))

struct shop {
	struct obs_service *service;
	struct obs_state *order[ORDERS_MAX];
	struct obs_counter *result[RESULTS];
	unsigned int nr_orders, nr_consumers;
};

/* A step, as it stands in a message. */
struct step {
	unsigned int order;
	uint64_t version;
	unsigned int state;
};

static int shop_open(struct shop *shop, const char *device)
{
	const struct obs_service_options options = { .device = device };
	char number[16];
	unsigned int i;
	int r = obs_service_attach_with("shop", &options, &shop->service);

	for (i = 0; i < shop->nr_orders && !r; i++) {
		snprintf(number, sizeof(number), "%u", i);
		r = obs_state_new(shop->service, &order_state, (const char *[]){ number },
				  &shop->order[i]);
	}
	for (i = 0; i < RESULTS && !r; i++)
		r = obs_counter_new(shop->service, &updates, &result_names[i],
				    &shop->result[i]);
	return r;
}

/* Some go all the way. Step 3 of order 7 has number 7 * 10 + 3. */
static unsigned int steps_of(unsigned int order)
{
	return 1 + order % STEPS;
}

static void hear(const struct shop *shop, const struct step *step)
{
	int result = obs_state_update(shop->order[step->order], step->version, step->state);

	if (result >= 0)
		obs_counter_add(shop->result[result], 1);
}

/* In an order of its own; each step is heard by all consumers but one. */
static void consume(const struct shop *shop, unsigned int consumer)
{
	unsigned int nr = shop->nr_orders * STEPS, i, at, stride = 7919;
	struct step step;

	/* A prime that does not divide @nr goes through all of them. */
	while (nr % stride == 0)
		stride = 7927;
	for (i = 0; i < nr; i++) {
		at = (unsigned int)((consumer * 31 + (uint64_t)i * stride) % nr);
		step.order = at / STEPS;
		step.state = at % STEPS;
		step.version = (uint64_t)step.order * 10 + step.state + 1;
		if (step.state < steps_of(step.order) &&
		    (at + consumer) % shop->nr_consumers != shop->nr_consumers - 1)
			hear(shop, &step);
	}
}

static int consumers_run(const struct shop *shop)
{
	unsigned int i;
	int status, failed = 0;

	for (i = 0; i < shop->nr_consumers; i++)
		switch (fork()) {
		case 0:
			consume(shop, i);
			_exit(0);
		case -1:
			perror("orders: cannot fork");
			failed = 1;
		}
	while (wait(&status) > 0)
		failed |= status;
	return failed;
}

/* Each order is in the state of its last step: how many are not. */
static unsigned int shop_check(const struct shop *shop)
{
	unsigned int i, state, wrong = 0, in[STEPS] = { 0 };
	uint64_t version;

	for (i = 0; i < shop->nr_orders; i++) {
		version = obs_state_get(shop->order[i], &state);
		if (version != (uint64_t)i * 10 + steps_of(i) || state != steps_of(i) - 1)
			wrong++;
		else
			in[state]++;
	}
	for (i = 0; i < STEPS; i++)
		printf("%u orders are %s\n", in[i], state_names[i]);
	return wrong;
}

static unsigned int number(const char *text, unsigned int min, unsigned int max)
{
	unsigned long n = strtoul(text, NULL, 10);

	if (n < min || n > max) {
		fprintf(stderr, "orders: %s is not from %u to %u\n", text, min, max);
		exit(2);
	}
	return (unsigned int)n;
}

int main(int argc, char **argv)
{
	static struct shop shop = { .nr_orders = 100, .nr_consumers = 3 };
	const char *device = NULL;
	unsigned int wrong;
	int i, r;

	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--orders"))
			shop.nr_orders = number(argv[i + 1], 1, ORDERS_MAX);
		else if (!strcmp(argv[i], "--consumers"))
			shop.nr_consumers = number(argv[i + 1], 2, 64);
		else if (!strcmp(argv[i], "--device"))
			device = argv[i + 1];
		else
			break;
	}
	if (i != argc) {
		fputs("usage: orders [--orders N] [--consumers N] [--device PATH]\n", stderr);
		return 2;
	}
	r = shop_open(&shop, device);
	if (r) {
		fprintf(stderr, "orders: cannot make the states: %s\n",
			r > 0 ? "a limit is reached" : strerror(-r));
		return 1;
	}
	if (consumers_run(&shop))
		return 1;
	wrong = shop_check(&shop);
	if (wrong)
		fprintf(stderr, "orders: %u are in a wrong state\n", wrong);
	return wrong != 0;
}
