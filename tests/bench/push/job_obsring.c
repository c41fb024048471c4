// SPDX-License-Identifier: MIT
/*
 * job_obsring SEGMENT ITEMS: a short job that counts what it did in a service, and says
 * when it succeeded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <obsring.h>

int main(int argc, char **argv)
{
	const struct obs_family_spec items = { .name = "bench_job_items_total" };
	const struct obs_family_spec success = { .name = "bench_job_last_success_seconds" };
	const struct obs_service_options options = { .device = argc == 3 ? argv[1] : NULL };
	struct obs_service *service;
	struct obs_counter *counter;
	struct obs_gauge *gauge;
	long i;

	if (argc != 3 || obs_service_attach_with("bench_job", &options, &service) ||
	    obs_counter_new(service, &items, NULL, &counter) ||
	    obs_gauge_set_new(service, &success, NULL, &gauge)) {
		fprintf(stderr, "job_obsring: nothing to count in\n");
		return 1;
	}
	for (i = 0; i < atol(argv[2]); i++)
		obs_counter_add(counter, 1);
	obs_gauge_set(gauge, time(NULL));
	obs_service_detach(service);
	return 0;
}
