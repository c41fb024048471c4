// SPDX-License-Identifier: MIT
// The library's header is one of C++ too: compiled by scripts/check, never run.
#include <obsring.h>

class Requests {
public:
	explicit Requests(const char *name)
	{
		static const char *const labels[] = { "method" };
		static const char *const values[] = { "GET" };
		static const uint64_t bounds[] = { 1000, 1000000 };
		obs_family_spec spec = {};

		if (obs_service_attach(name, &service))
			return;
		spec.name = "requests_total";
		spec.nr_labels = 1;
		spec.label = labels;
		obs_counter_new(service, &spec, values, &counter);
		spec = {};
		spec.name = "request_seconds";
		spec.exp10 = -9;
		spec.nr_bounds = 2;
		spec.bound = bounds;
		obs_histogram_new(service, &spec, nullptr, &seconds);
	}

	Requests(const Requests &) = delete;
	Requests &operator=(const Requests &) = delete;

	~Requests()
	{
		obs_service_detach(service);
	}

	template <typename Function> void time(Function &&serve)
	{
		const obs_timer timer = obs_timer_start();

		serve();
		obs_counter_add(counter, 1);
		obs_timer_observe(&timer, seconds);
	}

private:
	obs_service *service = nullptr;
	obs_counter *counter = nullptr;
	obs_histogram *seconds = nullptr;
};

int main()
{
	Requests requests("shop");
	obs_trace_headers headers;
	obs_state *state = nullptr;

	obs_trace_headers_init(&headers);
	requests.time([&] { obs_state_update(state, 1, 0); });
	return 0;
}
