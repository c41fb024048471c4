# SPDX-License-Identifier: MIT
#
# obsringd, from the device to the answer.

OBSRINGD_OBJS := $(addprefix obsringd/, \
	lock.o collect.o machine.o \
	trend.o leak.o leaknote.o leaktell.o leakwatch.o leakshow.o \
	text.o number.o escape.o expose.o proto.o layout.o \
	chunk.o index.o piece.o plan.o render.o deflate.o \
	jsontext.o filter.o process.o requests.o version.o self.o \
	body.o kept.o metrics.o \
	file.o conf.o webconfig.o tls.o web.o basic.o auth.o \
	accept.o page.o query.o series.o records.o api.o reply.o answer.o worker.o serve.o http.o \
	clients.o intake.o sendbuf.o listen.o notify.o log.o watch.o options.o \
	status.o confine.o daemon.o main.o)

OBSRINGD_LIBS := -lmicrohttpd -lgnutls -lyaml -lcrypt -lz -lm

# Intel's library compresses several times as fast; WITHOUT_ISAL=1: not even if there.
ifeq ($(WITHOUT_ISAL)$(shell $(or $(PKG_CONFIG),pkg-config) --exists libisal && echo there),there)
OBSRINGD_LIBS += $(shell $(or $(PKG_CONFIG),pkg-config) --libs libisal)
$(BUILD)/obsringd/deflate.o: override CPPFLAGS += -DOBSRINGD_ISAL
endif

# The page is a part of the program.
$(BUILD)/obsringd/page.o: $(SRC)/obsringd/page.html
$(BUILD)/obsringd/page.o: override CPPFLAGS += -DOBSRINGD_PAGE='"$(SRC)/obsringd/page.html"'

# A new revision has a new stamp, and version.o is compiled again.
.DEFAULT_GOAL := all
obsringd_stamp := $(BUILD)/obsringd/revision-$(REVISION)
$(BUILD)/obsringd/version.o: $(obsringd_stamp)
$(obsringd_stamp):
	@mkdir -p $(@D)
	@touch $@
