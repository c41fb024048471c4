# SPDX-License-Identifier: GPL-2.0-only
#
#   make                 user space, module and example for KDIR
#   make userspace       user space alone
#   make module          module and example alone
#   make examples        userspace/examples, which need more packages
#   make install         and uninstall: DESTDIR, PREFIX
#   make check           static checks    make test   everything (scripts/test)
#   make test-kasan      all self-tests of guests on that debug kernel, an hour;
#                        test-kcsan likewise
#   make coverage        what the tests reach of the module and of user space, an hour
#   make test-fault      each point of failure within the module's operations fails
#   make test-lifecycle  1000 loads and unloads under load, with two builds
#   make soak-daemon     obsringd among hostile clients, for half an hour
#   make soak-services   processes that count in the module, in a guest: half an hour
#   make soak-log        10^9 records natively, 10^8 in a guest, each accounted for
#   make soak-rate       2.1 TB of log a day, for half an hour
#   make model           Spin models of the lock-free protocols: minutes
#   make mutations       is each order of the shared headers needed? minutes
#   make bench           all benchmarks, and tests/bench/RESULTS.md of them: twenty
#                        minutes; ROWS="counter ring" some of them, SHORT=1 in short
#   make bench-kernel    instructions that updates take, counted in a guest
#   make bench-log       the same of records in the log; bench-tracers: of both, beside
#                        BPF, ftrace, perf and LTTng; bench-read: of reading
#   make bench-ring      what a log record costs; bench-sample: a sampling decision;
#                        bench-trace: a header with trace context; bench-counter:
#                        an update of a process' series, and bench-scale: of many;
#                        bench-push: a short job; bench-scrape: a scrape, beside the
#                        Go client; bench-render: what is in it
#   make fuzz-kernel     a million calls, guided by coverage, in a kasan guest (CALLS=N);
#                        fuzz-kernel-planted: that it finds a bug made for it
#   make debug-kernel    kasan and kcsan kernels for guests
#   make clean           what was built; make help shows this
#
# KDIR: headers of the kernel to build for; default: the running kernel's, else
# those that scripts/ unpacked into build/.

TOP	:= $(CURDIR)
# Absolute, because the makes below run in other folders.
BUILD	?= build
override BUILD := $(abspath $(BUILD))
VERSION	:= $(shell sed -n 's/.*OBSRING_VERSION.*"\(.*\)"/\1/p' kmod/main.h)
PREFIX	?= /usr/local
DESTDIR	?=
override DESTDIR := $(abspath $(DESTDIR))

running	:= /lib/modules/$(shell uname -r)/build
KDIR	?= $(firstword $(wildcard $(running) $(BUILD)/kernels/6.1/headers))
RELEASE	= $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)
ARCH	?= $(shell uname -m)

# Objects of kbuild lie beside their sources: build in a tree of links.
MODULE	?= $(BUILD)/module/$(or $(KERNEL),$(RELEASE))

export VERSION PREFIX DESTDIR

.PHONY: all module userspace examples install uninstall clean help guest check test bench \
	headers-needed module-install debug-kernel fuzz-kernel fuzz-kernel-planted \
	bench-kernel bench-log bench-ring \
	bench-sample bench-trace bench-counter bench-scrape bench-tracers bench-read \
	bench-scale bench-push bench-render model mutations soak-daemon \
	soak-log soak-rate soak-services test-kasan test-kcsan coverage test-fault test-lifecycle

all: userspace module

userspace:
	$(MAKE) -C userspace $(userspace_vars)

examples: userspace
	$(MAKE) -C userspace/examples BUILD=$(BUILD)/userspace

userspace_vars = BUILD=$(BUILD)/userspace DESTDIR=$(DESTDIR)

headers-needed:
	@test -n "$(KDIR)" -a -e "$(KDIR)/Makefile" || { \
	echo "make: no kernel headers: neither $(running) nor build/kernels/6.1/headers;" \
	     "install linux-headers-$$(uname -r), or name others: make KDIR=..." >&2; exit 1; }

module: headers-needed
	@mkdir -p $(MODULE)/tests
	@find $(MODULE) -xtype l -delete
	@cp -rsn $(TOP)/Kbuild $(TOP)/kmod $(TOP)/include $(TOP)/scripts $(MODULE)
	@cp -rsn $(TOP)/tests/kmod $(MODULE)/tests
	$(MAKE) -C $(KDIR) M=$(MODULE) modules $(if $(CROSS_COMPILE),ARCH=$(ARCH) CROSS_COMPILE=$(CROSS_COMPILE))
	$(if $(KERNEL),,@cp -f $(MODULE)/obsring.ko $(TOP)/obsring.ko)

# What a guest gets, verbatim: GUEST_DIR/root (scripts/vm asks for it); with
# TESTS=yes the kernel's self-tests too, which need its source.
guest: module
	$(MAKE) -C userspace $(guest_vars)
	@rm -rf $(GUEST_DIR)/fresh
	$(MAKE) -C userspace install DESTDIR=$(abspath $(GUEST_DIR))/fresh PREFIX=/usr $(guest_vars)
	$(if $(filter yes,$(TESTS)),$(MAKE) -C tests/selftests/obsring install DESTDIR=$(abspath $(GUEST_DIR))/fresh $(guest_vars))
	@mkdir -p $(GUEST_DIR)/fresh/lib/modules/obsring
	@cp -p $(MODULE)/obsring.ko $(MODULE)/tests/kmod/*.ko $(GUEST_DIR)/fresh/lib/modules/obsring/
	@rm -rf $(GUEST_DIR)/fresh/usr/include $(GUEST_DIR)/fresh/usr/share
	scripts/guest-root $(GUEST_DIR)/fresh $(GUEST_DIR)/root
	@rm -rf $(GUEST_DIR)/fresh

guest_vars = BUILD=$(BUILD)/userspace$(if $(CROSS_COMPILE),-$(ARCH) \
	CROSS_COMPILE=$(CROSS_COMPILE) SYSROOT=$(abspath $(SYSROOT)))

# ---- Installing ------------------------------------------------------------
# The module's producers find its headers and symbols in PREFIX/src/obsring.

install: userspace
	$(MAKE) -C userspace install $(userspace_vars)
	for file in $(system_files); do \
		install -Dm644 userspace/system/$$file $(DESTDIR)$(PREFIX)/lib/$$file || exit; \
	done
	sed -i 's|/usr/local/|$(PREFIX)/|' $(DESTDIR)$(PREFIX)/lib/systemd/system/obsringd.service
	$(if $(DESTDIR),,ldconfig)
	@if [ -n "$(KDIR)" ] && [ -f "$(MODULE)/obsring.ko" ]; then \
		$(MAKE) module-install; \
	else \
		echo "make: no module was built: user space alone is installed"; \
	fi

# Unit, udev rule, group, load at boot: PREFIX/lib is where their readers look.
system_files := $(patsubst userspace/system/%,%,$(shell find userspace/system -type f))
modules_dir = $(DESTDIR)/lib/modules/$(RELEASE)/updates
source_dir = $(DESTDIR)$(PREFIX)/src/obsring

module-install:
	install -Dm644 $(MODULE)/obsring.ko $(modules_dir)/obsring.ko
	install -Dm644 include/linux/obsring.h $(source_dir)/include/linux/obsring.h
	install -Dm644 include/uapi/linux/obsring.h $(source_dir)/include/uapi/linux/obsring.h
	install -Dm644 -t $(source_dir)/include/obsring include/obsring/*.h
	install -Dm644 $(MODULE)/Module.symvers $(source_dir)/Module.symvers
	install -Dm644 -t $(source_dir)/example tests/kmod/obsring_example.c
	$(if $(DESTDIR),,depmod $(RELEASE))

uninstall:
	$(MAKE) -C userspace uninstall $(userspace_vars)
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/lib/,$(system_files))
	$(if $(RELEASE),rm -f $(modules_dir)/obsring.ko)
	rm -rf $(source_dir)
	$(if $(DESTDIR),,$(if $(RELEASE),depmod $(RELEASE)))

# ---- Testing ---------------------------------------------------------------

check:
	scripts/check

test:
	scripts/test

test-kasan test-kcsan:
	scripts/test $(@:test-%=%)

coverage:
	scripts/coverage

bench:
	tests/bench/bench.sh $(ROWS)

bench-kernel:
	tests/bench/bench_kernel.sh

bench-tracers:
	tests/bench/bench_tracers.sh

bench-read:
	tests/bench/bench_read.sh

bench-scale:
	tests/bench/bench_scale.sh

bench-push:
	tests/bench/bench_push.sh

bench-render:
	tests/bench/bench_render.sh

# On the kasan kernel: all operations in two guests, or those with one of these words in
# their name (FAULT_ONLY=WORD,...) in one. FAULT_DENSE=N, FAULT_LEAKS=1: see fault.c.
FAULT_DENSE ?= 100
ifdef FAULT_ONLY
test-fault:
	scripts/vm --kernel kasan --icount --timeout 28800 -- env OBSRING_TIMEOUT=86400 \
		OBSRING_FAULT_DENSE=$(FAULT_DENSE) OBSRING_FAULT_ONLY="$(FAULT_ONLY)" \
		$(if $(FAULT_LEAKS),OBSRING_FAULT_LEAKS=1) /usr/libexec/obsring/tests/run.sh fault
else
test-fault:
	FAULT_DENSE=$(FAULT_DENSE) scripts/test fault; status=$$?; \
		sed -n '/ points; /p' $(BUILD)/test-logs/fault-*.out; exit $$status
endif

# CYCLES=N for another number of them.
test-lifecycle:
	tests/lifecycle/lifecycle.sh

# Half an hour; SPAN=S for another time.
soak-daemon: userspace
	$(MAKE) -C tests/soak soak BUILD=$(BUILD)/tests/soak OBSRINGD=$(BUILD)/userspace/bin/obsringd

# SHARE=N for a Nth of it.
soak-services:
	tests/soak/services.sh

# RECORDS= and GUEST_RECORDS=, RATE= (bytes a second) and SPAN= for others.
GUEST_RECORDS ?= 100000000
soak-log: userspace
	$(MAKE) -C tests/soak log BUILD=$(BUILD)/tests/soak
	scripts/vm --timeout 7200 -- env OBSRING_LOG_RECORDS=$(GUEST_RECORDS) \
		OBSRING_LOG_TIMES=64 OBSRING_LOG_PAUSE_US=100000 OBSRING_TIMEOUT=7000 \
		/usr/libexec/obsring/tests/run.sh resize

soak-rate: userspace
	$(MAKE) -C tests/soak rate BUILD=$(BUILD)/tests/soak

model:
	$(MAKE) -C tests/model run BUILD=$(BUILD)/tests/model

mutations:
	$(MAKE) -C tests/model mutations BUILD=$(BUILD)/tests/model

bench-log:
	tests/bench/bench_log.sh

bench-ring:
	tests/bench/bench_ring.sh

bench-sample:
	tests/bench/bench_sample.sh

bench-counter:
	tests/bench/bench_counter.sh

bench-trace:
	tests/bench/bench_trace.sh

bench-scrape:
	tests/bench/bench_scrape.sh

fuzz-kernel:
	tests/fuzz/kernel/run $(if $(CALLS),--calls $(CALLS))

fuzz-kernel-planted:
	tests/fuzz/kernel/run --planted --calls $(or $(CALLS),200000)

debug-kernel:
	scripts/debug-kernel

clean:
	$(MAKE) -C userspace clean $(userspace_vars)
	rm -rf $(BUILD)/module $(BUILD)/guest obsring.ko

help:
	@sed -n '3,/^#$$/s/^# \{0,1\}//p' Makefile
