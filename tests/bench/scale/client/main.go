// SPDX-License-Identifier: MIT

// scale_go: what scale_cost.c answers, for the Go client: "inc N UPDATES" is Inc() of a
// counter that was found, of N labels; "with" finds it each time; "series" is N counters
// in turn, in an order of chance.
package main

import (
	"fmt"
	"log"
	"math/rand"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
)

const clockThreadCPU = 3

var labels = []string{"method", "code", "path", "zone", "shard", "kind"}
var values = []string{"GET", "200", "/api/v1/things", "north", "17", "a"}

func processor() int64 {
	var now syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU,
		uintptr(unsafe.Pointer(&now)), 0)
	if errno != 0 {
		log.Fatal(errno)
	}
	return now.Nano()
}

func vec(nr int) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bench_requests_total"}, labels[:nr])
}

func timed(updates int, update func(n int)) float64 {
	begun := processor()
	for n := 0; n < updates; n++ {
		update(n)
	}
	return float64(processor()-begun) / float64(updates)
}

var counters []prometheus.Counter

func series(nr int) []prometheus.Counter {
	if len(counters) != nr {
		all := vec(1)
		counters = nil
		for i := 0; i < nr; i++ {
			counters = append(counters, all.WithLabelValues(strconv.Itoa(i)))
		}
		rand.Shuffle(nr, func(i, j int) {
			counters[i], counters[j] = counters[j], counters[i]
		})
	}
	return counters
}

var vecs = map[int]*prometheus.CounterVec{}

func main() {
	runtime.LockOSThread()
	for {
		var way string
		var nr, updates int
		if _, err := fmt.Scan(&way, &nr, &updates); err != nil {
			return
		}
		if way != "series" && vecs[nr] == nil {
			vecs[nr] = vec(nr)
		}
		var ns float64
		switch way {
		case "inc":
			one := vecs[nr].WithLabelValues(values[:nr]...)
			ns = timed(updates, func(int) { one.Inc() })
		case "with":
			with, value := vecs[nr], values[:nr]
			ns = timed(updates, func(int) { with.WithLabelValues(value...).Inc() })
		case "series":
			all := series(nr)
			i := 0
			ns = timed(updates, func(int) {
				all[i].Inc()
				if i++; i == nr {
					i = 0
				}
			})
		default:
			log.Fatalf("scale_go: no way %s", way)
		}
		fmt.Printf("%.3f\n", ns)
	}
}
