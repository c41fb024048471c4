# SPDX-License-Identifier: MIT
#
# libobsring and obsringctl, from the device to who reads it.

LIB_OBJS := \
	libobsring/header.o \
	libobsring/device.o \
	libobsring/text.o \
	libobsring/shares.o \
	libobsring/values.o \
	libobsring/entry.o \
	libobsring/directory.o \
	libobsring/snapshot.o \
	libobsring/metric.o \
	libobsring/exemplar.o \
	libobsring/histogram.o \
	libobsring/logring.o \
	libobsring/logclock.o \
	libobsring/logentry.o \
	libobsring/logmerge.o \
	libobsring/logwait.o \
	libobsring/log.o \
	libobsring/control.o \
	libobsring/info.o \
	libobsring/source.o \
	libobsring/process.o \
	libobsring/probe.o \
	libobsring/logsize.o \
	libobsring/sample.o \
	libobsring/manage.o \
	libobsring/dump.o \
	libobsring/servicelist.o \
	libobsring/segprocess.o \
	libobsring/segdir.o \
	libobsring/segroom.o \
	libobsring/segmetric.o \
	libobsring/segmember.o \
	libobsring/segservice.o \
	libobsring/segment.o \
	libobsring/segmake.o \
	libobsring/segbackend.o \
	libobsring/seglog.o \
	libobsring/segsample.o \
	libobsring/segrule.o \
	libobsring/segtidy.o \
	libobsring/logput.o \
	libobsring/logwriter.o \
	libobsring/service_device.o \
	libobsring/service.o \
	libobsring/spec.o \
	libobsring/handle.o \
	libobsring/count.o \
	libobsring/hex.o \
	libobsring/traceparent.o \
	libobsring/tracestate.o \
	libobsring/tracescan.o \
	libobsring/b3.o \
	libobsring/grpctrace.o \
	libobsring/baggage.o \
	libobsring/traceid.o \
	libobsring/tracecount.o \
	libobsring/propagate.o \
	libobsring/context.o \
	libobsring/lineput.o \
	libobsring/span.o

CTL_OBJS := \
	obsringctl/open.o \
	obsringctl/decimal.o \
	obsringctl/selector.o \
	obsringctl/json.o \
	obsringctl/print.o \
	obsringctl/value.o \
	obsringctl/options.o \
	obsringctl/error.o \
	obsringctl/info.o \
	obsringctl/list.o \
	obsringctl/get.o \
	obsringctl/duration.o \
	obsringctl/since.o \
	obsringctl/logprint.o \
	obsringctl/log.o \
	obsringctl/topmodel.o \
	obsringctl/topread.o \
	obsringctl/toptext.o \
	obsringctl/topprint.o \
	obsringctl/toplog.o \
	obsringctl/top.o \
	obsringctl/source.o \
	obsringctl/probe.o \
	obsringctl/logsize.o \
	obsringctl/instant.o \
	obsringctl/rule.o \
	obsringctl/sample.o \
	obsringctl/family.o \
	obsringctl/series.o \
	obsringctl/scale.o \
	obsringctl/produce.o \
	obsringctl/count.o \
	obsringctl/child.o \
	obsringctl/run.o \
	obsringctl/servicemap.o \
	obsringctl/service.o \
	obsringctl/serviceshow.o \
	obsringctl/segment.o \
	obsringctl/drain.o \
	obsringctl/doctorhost.o \
	obsringctl/doctorvalues.o \
	obsringctl/doctormemory.o \
	obsringctl/doctordaemon.o \
	obsringctl/doctor.o \
	obsringctl/tracewhy.o \
	obsringctl/trace.o \
	obsringctl/complete.o \
	obsringctl/table.o \
	obsringctl/main.o

# The screen of `top`, with ncurses; WITHOUT_NCURSES=1: not even if there.
CTL_LIBS := -lm
ifeq ($(WITHOUT_NCURSES)$(shell $(or $(PKG_CONFIG),pkg-config) --exists ncursesw && echo there),there)
ifneq ($(if $(SYSROOT),$(wildcard $(SYSROOT)/usr/include/curses.h),there),)
CTL_OBJS += obsringctl/topdraw.o obsringctl/topkeys.o obsringctl/topview.o
CTL_LIBS += $(shell $(or $(PKG_CONFIG),pkg-config) --libs ncursesw)
endif
endif
ifeq ($(filter obsringctl/topview.o,$(CTL_OBJS)),)
CTL_OBJS += obsringctl/topnoview.o
endif
