// SPDX-License-Identifier: MIT

// scrape_peer SEGMENT LIST ADDRESS: the counters of a segment (make_segment.c), served by
// the Go client as it is used at its best: one collector, descriptions and label pairs
// made once, a value read from the mapping for each sample.
//
// A number in place of ADDRESS: gathers and encodes them so often, and prints nanoseconds
// of CPU time a series, a line each time.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/golang/protobuf/proto"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

type counter struct {
	desc   *prometheus.Desc
	labels []*dto.LabelPair
	rows   []int
}

var segment []byte

func (c *counter) Desc() *prometheus.Desc { return c.desc }

func (c *counter) Write(out *dto.Metric) error {
	var sum uint64
	for _, row := range c.rows {
		sum += binary.LittleEndian.Uint64(segment[row:])
	}
	out.Label = c.labels
	out.Counter = &dto.Counter{Value: proto.Float64(float64(sum))}
	return nil
}

type collector struct {
	counters []*counter
	descs    []*prometheus.Desc
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range c.descs {
		ch <- desc
	}
}

func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, counter := range c.counters {
		ch <- counter
	}
}

// In the order of their names, as a collector has to give them.
var names = []string{"service", "method", "code"}

func pairs(values []string) []*dto.LabelPair {
	return []*dto.LabelPair{
		{Name: proto.String("code"), Value: proto.String(values[2])},
		{Name: proto.String("method"), Value: proto.String(values[1])},
		{Name: proto.String("service"), Value: proto.String(values[0])},
	}
}

func read(path string) *collector {
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	all := &collector{}
	known := map[string]*prometheus.Desc{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		field := strings.Split(lines.Text(), "\t")
		desc := known[field[0]]
		if desc == nil {
			desc = prometheus.NewDesc(field[0], field[1], names, nil)
			known[field[0]] = desc
			all.descs = append(all.descs, desc)
		}
		one := &counter{desc: desc, labels: pairs(field[2:5])}
		for _, text := range field[5:] {
			row, err := strconv.Atoi(text)
			if err != nil {
				log.Fatal(err)
			}
			one.rows = append(one.rows, row)
		}
		all.counters = append(all.counters, one)
	}
	return all
}

func processor() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func encode(registry *prometheus.Registry, body *bytes.Buffer) {
	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	encoder := expfmt.NewEncoder(body, expfmt.FmtText)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			log.Fatal(err)
		}
	}
}

func gather(registry *prometheus.Registry, series, rounds int) {
	var body bytes.Buffer
	encode(registry, &body)
	for ; rounds > 0; rounds-- {
		body.Reset()
		begun := processor()
		encode(registry, &body)
		fmt.Printf("%.1f\n", float64(processor()-begun)/float64(series))
	}
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		log.Fatal(err)
	}
	segment, err = syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	all := read(os.Args[2])
	registry.MustRegister(all)
	if rounds, err := strconv.Atoi(os.Args[3]); err == nil {
		gather(registry, len(all.counters), rounds)
		return
	}
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	log.Fatal(http.ListenAndServe(os.Args[3], nil))
}
