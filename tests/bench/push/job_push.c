// SPDX-License-Identifier: MIT
/*
 * job_push URL ITEMS: a short job that counts what it did, and pushes that and when it
 * succeeded to a Pushgateway, by libcurl.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

static volatile unsigned long items;

static int push(const char *url, const char *body)
{
	CURL *curl = curl_easy_init();
	long status = 0;

	if (!curl)
		return -1;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT");
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	return status == 200 ? 0 : -1;
}

int main(int argc, char **argv)
{
	char body[256];
	long i;

	if (argc != 3) {
		fprintf(stderr, "usage: job_push URL ITEMS\n");
		return 2;
	}
	for (i = 0; i < atol(argv[2]); i++)
		items++;
	snprintf(body, sizeof(body),
		 "# TYPE bench_job_items_total counter\nbench_job_items_total %lu\n"
		 "# TYPE bench_job_last_success_seconds gauge\n"
		 "bench_job_last_success_seconds %ld\n", items, (long)time(NULL));
	if (push(argv[1], body)) {
		fprintf(stderr, "job_push: not taken\n");
		return 1;
	}
	return 0;
}
