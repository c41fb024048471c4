/* SPDX-License-Identifier: MIT */
/*
 * What the leak watch has to say, in the daemon's own log and as a record of service
 * "obsringd" in the device's.
 */
#ifndef OBSRINGD_LEAKTELL_H
#define OBSRINGD_LEAKTELL_H

#include "leaknote.h"
#include "machine.h"

void leaktell_alarm(const char *device, const struct leak_subject *subject,
		    enum leak_resource resource, const struct leaknote *note);
void leaktell_clear(const char *device, const struct leak_subject *subject,
		    enum leak_resource resource, enum leak_end end);

/*
 * Memory is wanted from when tasks wait for it a tenth of a mark, until they do less
 * than a twentieth of one. Whether it is now; a change is told, with what reclaim and
 * compaction did meanwhile.
 */
bool leaktell_pressure(const char *device, bool pressed,
		       const struct machine_pressure *before,
		       const struct machine_pressure *now, uint64_t ns);

/* A process' name as UTF-8, of the machine "". */
void leaktell_comm(const struct leak_subject *subject, char *buffer, size_t size);

#endif /* OBSRINGD_LEAKTELL_H */
