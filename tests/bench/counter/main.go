// SPDX-License-Identifier: MIT

// What an increment costs with the Go client: a line "WAY THREADS UPDATES" is answered
// by nanoseconds an update, of the clock and of the processor's time.
package main

import (
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func processor() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bench_requests_total"}, []string{"method", "code", "path"})
	prometheus.MustRegister(requests)
	known := requests.WithLabelValues("GET", "200", "/api/v1/things")
	ways := map[string]func(){
		"inc":  func() { known.Inc() },
		"with": func() { requests.WithLabelValues("GET", "200", "/api/v1/things").Inc() },
	}
	for {
		var way string
		var threads, updates int
		if _, err := fmt.Scan(&way, &threads, &updates); err != nil {
			return
		}
		update := ways[way]
		var all sync.WaitGroup
		begun, used := time.Now(), processor()
		for i := 0; i < threads; i++ {
			all.Add(1)
			go func() {
				for n := 0; n < updates; n++ {
					update()
				}
				all.Done()
			}()
		}
		all.Wait()
		fmt.Println(float64(time.Since(begun))/float64(updates),
			float64(processor()-used)/float64(updates))
	}
}
