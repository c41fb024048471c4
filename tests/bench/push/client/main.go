// SPDX-License-Identifier: MIT

// job_go URL ITEMS: a short job that counts what it did, and pushes that and when it
// succeeded to a Pushgateway, by the Go client.
package main

import (
	"log"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
)

func main() {
	items := prometheus.NewCounter(prometheus.CounterOpts{Name: "bench_job_items_total"})
	success := prometheus.NewGauge(prometheus.GaugeOpts{Name: "bench_job_last_success_seconds"})
	nr, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for i := 0; i < nr; i++ {
		items.Inc()
	}
	success.SetToCurrentTime()
	if err := push.New(os.Args[1], "go").Collector(items).Collector(success).Push(); err != nil {
		log.Fatal(err)
	}
}
