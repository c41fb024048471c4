/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * obsring: the bytes that the module shows to user space.
 *
 * This comment is the specification; the structures below are its index.
 *
 * 1. The device
 * =============
 *
 * /dev/obsring offers one read-only mapping space. Offsets are bytes from its
 * start; every region begins on a page boundary and its place is given by the
 * header, never computed:
 *
 *      offset 0   +------------------------------------------------------+
 *                 | header     struct obsring_header, one page           |
 *                 +------------------------------------------------------+
 *   FAMILIES      | struct obsring_family[]     what is counted          |
 *                 +------------------------------------------------------+
 *   SERIES        | struct obsring_series[]     one per label set        |
 *                 +------------------------------------------------------+
 *   TEXT          | 64-byte granules: names, help, label values, bounds  |
 *                 +------------------------------------------------------+
 *   JOURNAL       | __u64[]       which entries changed, a ring          |
 *                 +------------------------------------------------------+
 *   VALUES        | page 0 of CPU 0 | page 0 of CPU 1 | ... | page 1 ... |
 *                 +------------------------------------------------------+
 *   RINGS         | struct obsring_ring[]       the log: control blocks  |
 *                 +------------------------------------------------------+
 *   LOG           | struct obsring_line[]       the log: lines, by ring  |
 *                 +------------------------------------------------------+
 *   EXEMPLARS     | struct obsring_exemplar[]   of histograms' buckets   |
 *                 +------------------------------------------------------+
 *   SERVICES      | page 0: CPU 0 | CPU 1 | ... | everyone's | page 1 ...|
 *                 +------------------------------------------------------+
 *   SHARES        | struct obsring_share[]      who has a share of gauges|
 *                 +------------------------------------------------------+
 *   SHARE_PAGES   | page of share 0 | page of share 1 | ...              |
 *                 +------------------------------------------------------+
 *   HOST          | of hosted segments alone, see section 8              |
 *                 +------------------------------------------------------+
 *
 * A mapping is MAP_SHARED and PROT_READ, begins on a page boundary and lies
 * within one region; anything else is refused: PROT_WRITE or PROT_EXEC with
 * EPERM, MAP_PRIVATE and a range that leaves its region with EINVAL. It can't
 * be made writable or executable later (mprotect: EACCES), can't grow
 * (mremap: EFAULT), is inherited by fork, may be unmapped piece by piece, and
 * can't be pinned (vmsplice, O_DIRECT, process_vm_readv: EFAULT). Regions have
 * the size of the largest state that the module's limits allow; memory stands
 * behind the entries that are in use (struct obsring_region.nr), touching what
 * lies beyond raises SIGBUS.
 *
 * All of it is written by the kernel alone, but for the pages of SERVICES and
 * SHARE_PAGES, whose words processes write (section 7): readers believe nothing of
 * what stands there, and the kernel uses none of it as an index or a length. These
 * two have no gaps: where no page is, a page of zeros is. Fields are of the CPU's
 * byte order. Reserved fields are 0.
 *
 * The value of CPU c in value page p, slot s stands at
 *
 *      VALUES.offset + ((__u64)p * nr_cpus + c) * page_size + s * 8
 *
 * for every c whose bit is set in the header's cpu_mask (all possible CPUs,
 * on line or not: a CPU that went off line keeps its counts). Pages of
 * single-row series (rows == 1) have row 0 alone.
 *
 * Series of processes' services stand elsewhere, told by their flags:
 *
 *   OBSRING_SERIES_SERVICE  page p is one of SERVICES, whose pages have a row more:
 *
 *      SERVICES.offset + ((__u64)p * (nr_cpus + 1) + c) * page_size + s * 8
 *
 *	for every c of cpu_mask and for c == nr_cpus, everyone's row; the value is the
 *	sum over all of them. With rows == 1: everyone's row alone.
 *
 *   OBSRING_SERIES_SHARES   an add-type gauge: the sum over the pages of all shares
 *	whose service and chunk are the series' service and page
 *
 *      SHARE_PAGES.offset + (__u64)share * page_size + s * 8
 *
 *	each between reading that share's gen and checking it, as in section 3.
 *
 * 2. What a series holds
 * ======================
 *
 * Values are 64-bit integers in the family's stored unit; times 10^exp10 they
 * are in the Prometheus unit that the family names. With value() the sum of a
 * slot over all rows, modulo 2^64:
 *
 *   COUNTER     slot 0, unsigned, only grows
 *   GAUGE       slot 0, signed. Add-type: the sum over the rows. Set-type
 *               (OBSRING_FAMILY_SET): one row, the last value written
 *   HISTOGRAM   slot 0 is the sum of the observed values; slot 1 + b the number
 *               of observations in bucket b. Their count is the sum of the
 *               buckets: it is stored nowhere, so that it can't disagree
 *   INFO        no slots; its value is 1
 *   STATE       slot 0, one row: version << 8 | state, 0 if none was set yet; the
 *               family names nr_states states, from 0; a state that it does not
 *               name is none of them (include/obsring/state.h)
 *
 * Buckets are cut by nr_bounds inclusive upper bounds, ascending:
 * bucket 0 holds v <= bound[0], bucket b bound[b - 1] < v <= bound[b], and
 * bucket nr_bounds what is above all. There are nr_bounds + 1 buckets.
 *
 *   explicit     the bounds are __u64[nr_bounds] in stored units, in the
 *                family's text at bounds_off
 *   exponential  Prometheus' native histogram of the given schema, 0 to 3.
 *                Bound k is 2^(min_log2 + k / 2^schema) in the Prometheus unit,
 *                for k from 0 to (max_log2 - min_log2) * 2^schema; bucket 0 is
 *                the zero bucket with zero threshold 2^min_log2. An observation
 *                is compared with the exact bound: include/obsring/histogram.h.
 *
 * Exemplars: a histogram may have an observation of each of its bucket ranges
 * kept, with the trace that it was made in. A range is what text formats show as
 * a bucket: with shift the schema of an exponential histogram, 0 of an explicit
 * one, bucket b is in range (b + 2^shift - 1) >> shift. So an explicit histogram
 * has a range for each bucket; an exponential one has the zero bucket, each
 * power of two, and what is above all. There are nr_exemplars ranges, and
 * exemplar r of a series is entry exemplar + r of EXEMPLARS; a series whose
 * nr_exemplars is 0 has none. It is the newest that was observed with a trace,
 * but for those that came within a millisecond of the one before, or just while
 * it was written. The reader (include/obsring/exemplar.h), between reading the
 * series' gen and checking it as below:
 *
 *      seq = load_acquire(&exemplar->seq)      0: never written; odd: being
 *      copy the entry                          written, try again
 *      read barrier
 *      seq == exemplar->seq ?  it is whole; time_ns 0: none
 *                           :  try again
 *
 * 3. Reading it: generations and the journal
 * ==========================================
 *
 * An entry of FAMILIES, SERIES or SHARES lives while its gen is odd. gen goes up by one
 * when the entry is published and by one when it is retired. A retired entry,
 * its text and its slots are given to another only after gen was raised, the
 * journal has told it, and no kernel code can still hold the old slot. Slots
 * are zeroed before they are given out. The reader (all of it is in
 * include/obsring/directory.h):
 *
 *      gen = load_acquire(&entry->gen)         odd: alive, else skip it
 *      copy the entry, its text and its values
 *      read barrier
 *      gen == entry->gen ?  what was copied belongs together
 *                        :  it was retired meanwhile; throw the copy away
 *
 * The journal says which entries to look at, so that nobody needs to scan all.
 * journal_pos counts changes, from a start just below 2^32; change n stands in
 * JOURNAL[n % JOURNAL.nr] as (table << 56 | index), table being
 * OBSRING_REGION_FAMILIES, OBSRING_REGION_SERIES or OBSRING_REGION_SHARES:
 *
 *      end = load_acquire(&header->journal_pos)
 *      if end - seen > JOURNAL.nr: overrun, scan the tables once
 *      else: copy change seen .. end - 1
 *            read barrier
 *            if journal_pos - seen > JOURNAL.nr: overrun as well
 *      look at each named entry; seen = end
 *
 * A snapshot of values is good for every entry if journal_pos is the same
 * after reading the values as before (a read barrier between), because a slot
 * changes its owner only after a change that the journal has told.
 *
 * Each kernel-owned slot is exact and, but for gauges, only grows while its
 * series lives. A set of slots is read one after the other: no atomic snapshot
 * over several slots or rows is promised.
 *
 * 4. poll, state, ioctl
 * =====================
 *
 * poll gives POLLPRI while journal_pos is not what this open file declared
 * with OBSRING_IOC_SEEN (at open: the position of that time), and POLLHUP while
 * the module is draining (header->state), which asks readers to unmap and to
 * close so that it can be unloaded; open fails with ESHUTDOWN then. POLLIN: see
 * the log.
 *
 * 5. The log
 * ==========
 *
 * read gives the log as text: a record is a line of logfmt,
 *
 *      ts=2026-11-22T16:14:17.123456789Z level=info source=NAME cpu=0 pid=1
 *      uid=0 comm=NAME [trace_id=... span_id=...] msg="..." [cut=true] [key=value ...]
 *
 * without the break; include/obsring/logfmt.h is its whole syntax. ts is the
 * record's monotonic time with the present difference to UTC: a step of the clock
 * or a suspend since then moves it. Each open file
 * has a place of its own, at first the oldest record; lseek knows offset 0 of
 * SEEK_SET (the oldest) and of SEEK_END (behind the newest); SEEK_CUR is ESPIPE, as
 * dprintf wants it. Records of all CPUs are merged by time: of those that are
 * there, the oldest comes first. What was
 * overwritten before this file had read it is told in its place by a line
 * "lost=N", N records. A read takes whole lines as far as they go, and the rest
 * of a line next time. It waits for a record, or fails with EAGAIN if the file is
 * non-blocking; while the module is draining it ends (0) behind the last record.
 * POLLIN, POLLRDNORM: a read would not wait. A waiter is woken at once if none
 * was within the last 10 ms, else when those are over or a CPU has written 64
 * records.
 *
 * write takes lines, each of which becomes a record (empty ones do not):
 *
 *      [<N>][service=NAME ][traceparent=00-TRACEID-SPANID-FLAGS ]
 *           [tracestate=LIST ][.KEY=VALUE ]...[. ]MESSAGE	all one line
 *
 * see include/obsring/logline.h; .KEY=VALUE is a field. Their source is user.NAME,
 * without a name that of the writing task; the uid is that of who opened the file,
 * the pid that of the writer. A message of more than OBSRING_MESSAGE_MAX bytes is
 * cut. Each uid has 1000 records a second, and a burst of 10000; what is beyond is
 * lost and counted, and the write succeeds.
 *
 * The log is kept in rings, one for each CPU and origin (kernel, process), which
 * overwrite the oldest: include/obsring/ring.h.
 *
 * Mapped: ring i of RINGS is that of CPU i / 2 and origin i % 2 (enum
 * obsring_origin); nr_lines is 0 where there is no such CPU. Its lines are the
 * nr_lines * 64 bytes of LOG that begin at its offset, which stays the same for
 * ever. A ring may be replaced by one of another size. Its gen is odd meanwhile,
 * and even again when its new lines, empty, stand at the offset: line counts begin
 * anew, record counts go on, so that first_record less the number of the record
 * that a reader would have read next is what it lost. The reader:
 *
 *      gen = load_acquire(&ring->gen)          odd: nothing to read now; look again
 *                                              soon, poll does not wait for that
 *      gen is not that of the last time ?      take over nr_lines, go to first_line;
 *                                              lost += first_record - next
 *      read a record, as include/obsring/ring.h does
 *      read barrier
 *      gen == ring->gen ?  it is a record
 *                       :  throw it away, begin anew
 *
 * A mapping within LOG may be longer or shorter than the ring is now: behind the
 * ring's end, up to where the next begins, all bytes are 0.
 *
 * 6. Trace context of a thread
 * ============================
 *
 * A thread tells once, by OBSRING_IOC_CONTEXT, where its struct obsring_context
 * is; from then on it sets its context by storing there. What the kernel logs for
 * that thread, and what it observes of it (a system call, a stall, its direct or
 * synchronous block I/O), is tagged with what stands there at that time, and so
 * is what the thread itself writes to the log without a traceparent of its own.
 *
 * The owner writes (include/obsring/context.h):
 *
 *      sequence += 1                           odd: not valid now
 *      write barrier
 *      the other fields
 *      store_release(sequence, sequence + 1)   even: valid
 *
 * The kernel reads only in the thread's own task context, where program order is
 * enough; the barriers are for those who let another thread write. It never waits
 * for a page and believes nothing: an odd or changed sequence, an id that is all
 * zero, memory that is not there give no tag, and no error.
 *
 * The registration is the thread's: it ends with exit and exec, and no child of
 * fork, vfork or clone has it. The file may be closed. When the module is unloaded
 * all registrations end.
 *
 * 7. Processes as producers
 * =========================
 *
 * A process attaches to a service, which is who it is and a name: the effective uid
 * at that time, in the initial user namespace, and OBSRING_NAME_MAX bytes at most.
 * OBSRING_IOC_ATTACH on the device, open for writing, gives a descriptor of the
 * service. It is mapped once, whole, MAP_SHARED, from offset 0:
 *
 *      row c of page p         (p * (nr_cpus + 1) + c) * page_size, c <= nr_cpus
 *      share page k            (value_pages * (nr_cpus + 1) + k) * page_size
 *
 *      +-----------------------------------------------------------------+
 *      | page 0: row of CPU 0 | CPU 1 | ... | everyone's row             |
 *      | ...                                                             |
 *      | page value_pages - 1                                            |
 *      +-----------------------------------------------------------------+
 *      | share page 0 | ... | share page share_pages - 1                 |
 *      +-----------------------------------------------------------------+
 *
 * The address space that attached, and those forked from it, are the service's
 * members: they alone map its pages writable. Memory is behind a page once a series
 * is in it; touching another raises SIGBUS. The mapping can't be made executable or
 * private, can't be split (a part unmapped or protected: EINVAL), moved or grown,
 * and is in no core dump. A mapping that another address space asks for is refused
 * (EPERM), whoever passed it the descriptor.
 *
 * OBSRING_IOC_METRIC on the descriptor, by a member, finds a family and a series of
 * it or makes them. Families are everyone's: the first definition of a name fixes
 * kind, type of gauge, scale, unit, labels, bounds and states; another one is EEXIST
 * (help may differ, the first stays). The labels "service" and "uid" come before
 * those that are given, at most OBSRING_LABELS_MAX - 2. Names that begin with
 * "obsring_" or "process_" after escaping are reserved, but for the library's
 * obsring_trace_context_total, a counter with the label "result". A family goes with
 * its last series. Series and slots stay as long as the service: an address in the mapping is
 * good as long as the mapping.
 *
 * Who writes what (the kernel writes none of it):
 *
 *   row of CPU c     threads of members that run on CPU c, in a restartable
 *                    sequence: include/obsring/rseq.h
 *   everyone's row   threads of members, by atomic operations; set-type gauges by
 *                    plain stores; states by compare-and-swap
 *   share page       threads of its address space, by atomic additions
 *
 * A share page belongs to an address space: it is made when that first touches it,
 * a forked child has none until then, and it goes, with what it added to the
 * service's gauges, when the mapping does (exit, exec, munmap; while a core is dumped
 * it is still there). Past max_shares, or without memory, a page that all such
 * members have in common is given instead: what they add stays as long as the
 * service, and obsring_service_shares_refused_total counts them. Slots are spread over
 * shares and pages in the same way for all members: a series is (page, slot).
 *
 * The last member's leaving starts the service's time to live (OBSRING_ATTACH_TTL, or
 * service_ttl); when it is over without a new member, or by SERVICE_DEL, its series
 * are removed, then its pages. Who attaches to it before then goes on from the old
 * values.
 *
 * Limits, by the module's parameters: max_services; max_service_series and
 * max_service_bytes of a service; max_user_series and max_user_bytes of a uid;
 * max_services_bytes of all. Bytes are those of one row; max_series_per_family does
 * not apply to them. Past a limit a series with labels of
 * its own is not made: OBSRING_METRIC_OVERFLOW is set, and the answer is the
 * service's overflow series of that family, made beside its first; each refusal is
 * counted in obsring_series_refused_total. Without labels, or if there is no room for
 * that one either: ENOSPC.
 *
 * 8. Hosted segments
 * ==================
 *
 * A regular file or memfd may hold this layout without any kernel code behind it. Its
 * writers are processes that have it open for writing, and map all of it. Then there
 * is a region HOST, which says who writes what, and how a writer that was killed is
 * made good: include/obsring/host.h. For readers all is as above, but
 *
 *   RINGS     ring i belongs to the thread that leases it: its cpu is i, its origin
 *             that of processes; there may be any number. nr is their number
 *   VALUES    holds no series: those of the segment itself are in SERVICES, with
 *             service 0
 *   EXEMPLARS is not there
 *   poll      a file tells nobody that it changed
 *
 * 9. Processes and where tasks sleep
 * ==================================
 *
 * While source "process" is on (SOURCE_SET; it is off at load), an open file can be
 * asked what each process holds, by OBSRING_IOC_PROCESSES, and where tasks sleep, by
 * OBSRING_IOC_SLEEPERS: kernel stacks that were saved as the tasks went to sleep, as
 * names of functions, never as addresses. Numbers of processes are those of the initial
 * PID namespace: callers of another one are refused (EPERM). Who opens the device reads
 * names and figures of all processes then, whatever hidepid says of /proc: that is
 * what switching the source on allows.
 *
 * Not every sleep is saved: a task's first 16 are, later ones one in 16, each as far as
 * its CPU's budget goes (OBSRING_SLEEPS_BUDGET a second of either kind). What was
 * saved counts as long as the task sleeps that same sleep. Of those asleep when the
 * source is switched on nothing is known.
 *
 * 10. Growth
 * ==========
 *
 * abi_major changes when an old reader would misread: refuse another one.
 * abi_minor counts compatible additions. Entry sizes are those that the header
 * gives, never sizeof; new fields come at an entry's end or in place of
 * reserved ones, and 0 in them means what their absence meant. Regions may be
 * added: nr_regions says how many the header lists.
 *
 * 11. Generic netlink family "obsring", version 1
 * ===========================================
 *
 * include/netlink/obsring.yaml describes it in the kernel's own format. It
 * exists in the initial network namespace. Privileged means CAP_NET_ADMIN or
 * CAP_SYS_ADMIN in the initial user namespace; a reader is privileged, or has
 * CAP_PERFMON there, or names in OBSRING_A_DEVICE_FD a descriptor of
 * /dev/obsring that it has open for reading.
 *
 *   command            who         request -> answer (each attribute below)
 *   INFO_GET           anyone      -> VERSION ABI_* STATE NR_CPUS limits usage
 *                                  SOURCE...
 *   STATE_SET          privileged  STATE
 *   FAMILY_GET         reader      do: NAME | FAMILY_ID; dump -> FAMILY_ID GEN
 *                                  NAME HELP UNIT KIND [SET] EXP10 SERIES
 *                                  CREATED_NS LABEL_NAME... BOUND... |
 *                                  SCHEMA MIN_LOG2 MAX_LOG2 | STATE_NAME...
 *   FAMILY_NEW         privileged  NAME HELP KIND [UNIT LABEL_NAME... SET EXP10
 *                                  BOUND... | SCHEMA MIN_LOG2 MAX_LOG2]
 *                                  -> FAMILY_ID
 *   FAMILY_DEL         privileged  NAME
 *   SERIES_GET         reader      do: SERIES_ID [GEN] | NAME
 *                                  LABEL_VALUE...; dump: [NAME] [PER_CPU]
 *                                  -> SERIES_ID GEN FAMILY_ID NAME KIND
 *                                     [OVERFLOW] CREATED_NS LABEL_VALUE...
 *                                     VALUE | SUM BUCKET..., and ROW... with
 *                                     PER_CPU; rows that do not fit go on in
 *                                     further messages of the same SERIES_ID
 *   SERIES_NEW         privileged  NAME LABEL_VALUE... -> SERIES_ID
 *   SERIES_DEL         privileged  NAME LABEL_VALUE...
 *   SERIES_UPDATE      privileged  NAME LABEL_VALUE... VALUE
 *   SOURCE_GET         anyone      do: NAME; dump (reader) -> NAME HELP ENABLED
 *                                  REASON OPTION...
 *   SOURCE_SET         privileged  NAME ENABLED [OPTION...]
 *   PROBE_GET          reader      dump -> NAME PROBE_TYPE PROBE_TARGET KIND
 *                                  SAMPLE HITS MISSED [REASON]
 *   PROBE_NEW          privileged  NAME PROBE_TYPE PROBE_TARGET [KIND SAMPLE
 *                                  HELP]
 *   PROBE_DEL          privileged  NAME
 *   SAMPLE_GET         reader      dump -> NAME [LEVEL] RULE RULE_VALUE of each
 *                                  rule in force; then of each command that waits,
 *                                  SAMPLE_ID AT_NS besides, and no RULE and
 *                                  RULE_VALUE if it is a removal
 *   SAMPLE_SET         privileged  NAME RULE [LEVEL RULE_VALUE AT_NS SAMPLE_ID]
 *                                  -> SAMPLE_ID; the one that is sent is of a
 *                                  command that waits, and is replaced by this
 *                                  one, or ENOENT
 *   SAMPLE_DEL         privileged  NAME [LEVEL AT_NS SAMPLE_ID] -> SAMPLE_ID,
 *                                  likewise; or SAMPLE_ID alone, of one that
 *                                  waits, which then never applies
 *   LOG_GET            reader      dump, a ring each -> CPU ORIGIN BYTES
 *                                  HIGH_WATER RECORDS
 *   LOG_SET            privileged  ORIGIN BYTES: of each CPU's ring, a power of
 *                                  two, 4096 to 67108864. What was in them is lost
 *                                  to those who have not read it, and told to them
 *   SERVICE_GET        reader      dump -> NAME UID MEMBERS SERIES BYTES TTL
 *                                  CREATED_NS [DETACHED_NS]
 *   SERVICE_SET        owner       NAME UID TTL
 *   SERVICE_DEL        owner       NAME UID; EBUSY while it has members
 *
 * An owner is privileged, or has the service's uid as its effective uid in the
 * initial user namespace and names in OBSRING_A_DEVICE_FD a descriptor of the device
 * that it has open for writing.
 *
 * SOURCE_SET needs CAP_SYSLOG as well to set option log-level of source printk to
 * anything but "off", and to switch that source on while it is: it shows messages
 * of the kernel's log to all readers of the device. The sender's capability counts
 * (and its socket's), when the request is received.
 *
 * A dump keeps the module in use until it was read to its end or its socket is
 * closed, as an open file does: all dumps are for readers. Those of others are
 * refused at once, before Linux 6.3 without a sentence.
 *
 * FAMILY_DEL, SERIES_NEW, SERIES_DEL and SERIES_UPDATE act on families made by
 * FAMILY_NEW only; what a source, a probe, a kernel module or a process made is
 * theirs (EBUSY). FAMILY_NEW makes no state sets. In a service's ROW the CPU of
 * everyone's row is OBSRING_CPU_SHARED; a gauge of shares has that row alone. Changes
 * are told to the multicast group "events" (CAP_NET_ADMIN) as *_NTF messages with the
 * attributes of the matching answer, without values.
 */
#ifndef _UAPI_LINUX_OBSRING_H
#define _UAPI_LINUX_OBSRING_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define OBSRING_DEVICE		"/dev/obsring"
#define OBSRING_MAGIC		0x31474e495253424fULL	/* "OBSRING1", little-endian */
#define OBSRING_ABI_MAJOR	1
#define OBSRING_ABI_MINOR	0

/* Sizes in bytes, without the terminating NUL. */
#define OBSRING_NAME_MAX	127	/* family, label, source and probe names */
#define OBSRING_VALUE_MAX	127	/* a label value */
#define OBSRING_HELP_MAX	1023
#define OBSRING_UNIT_MAX	31

#define OBSRING_LABELS_MAX	8	/* label names of a family */
#define OBSRING_BOUNDS_MAX	128	/* explicit bounds of a histogram */
#define OBSRING_SLOTS_MAX	512	/* slots of a series */
#define OBSRING_SCHEMA_MAX	3
#define OBSRING_EXP10_MIN	(-12)	/* stored unit: 10^-12 to 1 */
#define OBSRING_LOG2_MIN	(-40)	/* exponential bounds: 2^-40 to 2^40 */
#define OBSRING_LOG2_MAX	40

#define OBSRING_STATES_MAX	24	/* named states of a state set */
#define OBSRING_STATE_NAME_MAX	63	/* bytes of such a name */

#define OBSRING_CPU_MASK_WORDS	128	/* 8192 CPUs */
#define OBSRING_CPU_SHARED	0xffffffffU /* everyone's row, where a CPU is named */

/* The label value that every label of an overflow series has. */
#define OBSRING_OVERFLOW_VALUE	"_overflow"

enum obsring_kind {
	OBSRING_KIND_UNSPEC,
	OBSRING_KIND_COUNTER,
	OBSRING_KIND_GAUGE,
	OBSRING_KIND_HISTOGRAM,
	OBSRING_KIND_INFO,
	OBSRING_KIND_STATE,

	__OBSRING_KIND_LAST
};

#define OBSRING_KIND_MAX (__OBSRING_KIND_LAST - 1)

enum obsring_state {
	OBSRING_STATE_RUNNING,
	OBSRING_STATE_DRAINING,	/* readers shall unmap and close */

	__OBSRING_STATE_LAST
};

#define OBSRING_STATE_MAX (__OBSRING_STATE_LAST - 1)

enum obsring_region_id {
	OBSRING_REGION_FAMILIES,
	OBSRING_REGION_SERIES,
	OBSRING_REGION_TEXT,
	OBSRING_REGION_JOURNAL,
	OBSRING_REGION_VALUES,
	OBSRING_REGION_RINGS,
	OBSRING_REGION_LOG,
	OBSRING_REGION_EXEMPLARS,
	OBSRING_REGION_SERVICES,
	OBSRING_REGION_SHARES,
	OBSRING_REGION_SHARE_PAGES,
	OBSRING_REGION_HOST,

	__OBSRING_REGION_LAST
};

#define OBSRING_REGION_MAX (__OBSRING_REGION_LAST - 1)

#define OBSRING_JOURNAL_TABLE_SHIFT	56
#define OBSRING_JOURNAL_INDEX_MASK	((1ULL << OBSRING_JOURNAL_TABLE_SHIFT) - 1)
#define OBSRING_JOURNAL_START		0xffffffe0ULL	/* wraps 32 bits soon */

/**
 * struct obsring_region - where a region is and how much of it is in use
 * @offset: where it begins in the mapping space, bytes, a multiple of page_size
 * @size: mappable bytes, a multiple of page_size
 * @entry_size: bytes from one entry to the next; VALUES: page_size
 * @nr: entries backed by memory, from 0; only grows. VALUES: value pages,
 *	each with a row per CPU. TEXT: granules. JOURNAL: entries of the ring,
 *	a power of two. LOG: 0, each ring says where its lines are. SERVICES and
 *	SHARE_PAGES: pages, with all their rows, whether memory is behind them or
 *	zeros. HOST: pages. Load it with acquire order before touching an entry.
 *
 * A region behind VALUES that this module does not have is of size 0.
 */
struct obsring_region {
	__u64 offset;
	__u64 size;
	__u32 entry_size;
	__u32 nr;
};

/**
 * struct obsring_header - first page of the mapping space
 * @magic: OBSRING_MAGIC
 * @abi_major: layout; a reader refuses another one than its own
 * @abi_minor: compatible additions
 * @header_size: sizeof(struct obsring_header) of the module
 * @page_size: bytes of a page, of a value page and of a row's stride
 * @nr_cpus: rows that a value page has room for (nr_cpu_ids, 1 to 8192)
 * @nr_regions: entries of @region that are in use
 * @instance: random number of this load of the module
 * @started_ns: CLOCK_REALTIME at load, ns
 * @state: enum obsring_state
 * @series_live: series alive now
 * @journal_pos: changes told so far; stored with release order
 * @cpu_mask: CPUs that have rows, CPU c is bit c % 64 of word c / 64
 * @region: the regions, by enum obsring_region_id
 *
 * Constant after load: all but @state, @series_live, @journal_pos and
 * @region[].nr.
 */
struct obsring_header {
	__u64 magic;
	__u32 abi_major;
	__u32 abi_minor;
	__u32 header_size;
	__u32 page_size;
	__u32 nr_cpus;
	__u32 nr_regions;
	__u64 instance;
	__u64 started_ns;
	__u32 state;
	__u32 series_live;
	__u64 journal_pos;
	__u64 reserved[8];
	__u64 cpu_mask[OBSRING_CPU_MASK_WORDS];
	struct obsring_region region[16];
};

#define OBSRING_GRANULE		64	/* bytes of a TEXT granule */

/* struct obsring_family.flags */
#define OBSRING_FAMILY_SET	(1U << 0) /* set-type gauge: one row */
#define OBSRING_FAMILY_NETLINK	(1U << 1) /* made by FAMILY_NEW */
#define OBSRING_FAMILY_SERVICE	(1U << 2) /* of processes, made by METRIC */

/**
 * struct obsring_family - a metric family, 64 bytes
 * @gen: odd while alive
 * @kind: enum obsring_kind
 * @nr_labels: label names, 0 to OBSRING_LABELS_MAX
 * @exp10: stored integer times 10^exp10 is in the Prometheus unit, -12 to 0
 * @schema: exponential histograms: 0 to 3; explicit ones: -1
 * @flags: OBSRING_FAMILY_*
 * @text_off: first granule of the text
 * @text_len: bytes of the text: name, help, unit (may be empty), label names and
 *	names of states, each ended by a NUL, then the explicit bounds
 * @nr_bounds: histogram bounds
 * @bounds_off: explicit histograms: byte in the text where the bounds begin, a
 *	multiple of 8
 * @min_log2: exponential histograms: lowest bound is 2^min_log2
 * @max_log2: exponential histograms: highest bound is 2^max_log2
 * @nr_slots: slots of each series
 * @nr_states: state sets: named states, 1 to OBSRING_STATES_MAX
 * @created_ns: CLOCK_REALTIME at creation, ns
 */
struct obsring_family {
	__u32 gen;
	__u8 kind;
	__u8 nr_labels;
	__s8 exp10;
	__s8 schema;
	__u32 flags;
	__u32 text_off;
	__u32 text_len;
	__u32 nr_bounds;
	__u32 bounds_off;
	__s16 min_log2;
	__s16 max_log2;
	__u32 nr_slots;
	__u32 nr_states;
	__u64 created_ns;
	__u64 reserved[2];
};

/* struct obsring_series.flags */
#define OBSRING_SERIES_OVERFLOW	(1U << 0) /* takes what the limits refused */
#define OBSRING_SERIES_SERVICE	(1U << 1) /* its page is one of SERVICES */
#define OBSRING_SERIES_SHARES	(1U << 2) /* its page is that of each share */

/**
 * struct obsring_series - a series, 64 bytes
 * @gen: odd while alive
 * @family: index of its family
 * @family_gen: that family's gen while the series lives
 * @flags: OBSRING_SERIES_*
 * @page: value page, page of SERVICES, or chunk of shares
 * @slot: first slot in the page
 * @nr_slots: consecutive slots; 0 for an info series, which has no page
 * @rows: 0: a row for each CPU of cpu_mask; 1: row 0 alone
 * @text_off: first granule of the text
 * @text_len: bytes of the text: the label values in the order of the family's
 *	label names, each ended by a NUL; 0 if it has no labels
 * @created_ns: CLOCK_REALTIME at creation, ns
 * @exemplar: first entry in EXEMPLARS
 * @nr_exemplars: ranges of a histogram's buckets; 0: it has no exemplars
 * @service: with OBSRING_SERIES_SERVICE or _SHARES: number of its service, which no
 *	other has had since load
 */
struct obsring_series {
	__u32 gen;
	__u32 family;
	__u32 family_gen;
	__u32 flags;
	__u32 page;
	__u32 slot;
	__u32 nr_slots;
	__u32 rows;
	__u32 text_off;
	__u32 text_len;
	__u64 created_ns;
	__u32 exemplar;
	__u32 nr_exemplars;
	__u32 service;
	__u32 reserved;
};

/**
 * struct obsring_share - an address space's share of a service's gauges, 32 bytes
 * @gen: odd while alive; entry i has page i of SHARE_PAGES
 * @service: number of the service
 * @chunk: which of the member's share pages it is
 */
struct obsring_share {
	__u32 gen;
	__u32 service;
	__u32 chunk;
	__u32 reserved[5];
};

/**
 * struct obsring_exemplar - an observation and its trace, 64 bytes
 * @seq: even: the rest is whole; odd: it is being written
 * @value: in the family's stored unit; in the range of the entry's place
 * @time_ns: CLOCK_REALTIME; 0: none
 * @trace_id: not all 0
 * @span_id: not all 0
 */
struct obsring_exemplar {
	__u64 seq;
	__u64 value;
	__u64 time_ns;
	__u8 trace_id[16];
	__u8 span_id[8];
	__u64 reserved[2];
};

/* The log: specified in include/obsring/ring.h and record.h. */

#define OBSRING_LINE_WORDS	7	/* payload words of a line */
#define OBSRING_RECORD_LINES_MAX 32	/* lines of a record */
#define OBSRING_RING_LINES_MIN	64	/* lines of a ring, a power of two */
#define OBSRING_RING_LINES_MAX	1048576	/* 64 MiB */

/* Low half of a line's stamp; the high half is the line's position. */
#define OBSRING_LINE_BUSY	(1ULL << 0) /* being written */
#define OBSRING_LINE_FIRST	(1ULL << 1) /* a record begins here */
#define OBSRING_LINE_NR_SHIFT	8	/* of FIRST: lines of the record */
#define OBSRING_LINE_NR_MASK	0xffULL

/**
 * struct obsring_line - a line of a ring, 64 bytes
 * @stamp: position << 32 | OBSRING_LINE_*
 * @word: payload
 */
struct obsring_line {
	__u64 stamp;
	__u64 word[OBSRING_LINE_WORDS];
};

/**
 * struct obsring_ring - control block of a ring, 128 bytes
 * @head: next line << 32 | next record, both counted modulo 2^32
 * @line_epoch: how often the top bit of the line count changed
 * @record_epoch: the same of the record count
 * @first_line: line count, 64 bits, when the ring was empty
 * @first_record: likewise
 * @offset: where its lines are, bytes from the start of the mapping space
 * @nr_lines: a power of two; 0: no such ring
 * @gen: even; odd while the ring is being replaced, see above
 * @cpu: whose; of a hosted segment: its index
 * @origin: enum obsring_origin
 *
 * Constant for a gen: all but @head and the epochs. @head, which changes with
 * each record, has 64 bytes of its own.
 */
struct obsring_ring {
	__u64 head;
	__u64 reserved0[7];
	__u64 line_epoch;
	__u64 record_epoch;
	__u64 first_line;
	__u64 first_record;
	__u64 offset;
	__u32 nr_lines;
	__u32 gen;
	__u32 cpu;
	__u32 origin;
	__u64 reserved1;
};

/* Bytes of a record's parts. */
#define OBSRING_SOURCE_MAX	63
#define OBSRING_MESSAGE_MAX	1024
#define OBSRING_FIELDS_MAX	512
#define OBSRING_COMM_MAX	16

/* struct obsring_record.flags */
#define OBSRING_RECORD_TRACE	(1U << 0) /* a struct obsring_trace follows */
#define OBSRING_RECORD_CUT	(1U << 1) /* message or fields were too long */
#define OBSRING_RECORD_USER	(1U << 2) /* written through the device */
#define OBSRING_RECORD_FLOOR	(1U << 3) /* kept by the floor alone: stands for 0 */

/**
 * struct obsring_record - a log record's head, 56 bytes: its first line
 * @number: of the record in its ring, modulo 2^32; set by the ring
 * @size: bytes of the record, this head included
 * @level: syslog severity, 0 (emerg) to 7 (debug)
 * @flags: OBSRING_RECORD_*
 * @time_ns: CLOCK_MONOTONIC when it was written
 * @pid: of the writing process in the initial PID namespace; 0 outside task
 *	context
 * @uid: in the initial user namespace: of the writer, or of who opened the
 *	device for it; 0 outside task context
 * @threshold: 56-bit rejection threshold with which it was sampled; 0: kept as
 *	all are. It stands for 2^56 / (2^56 - threshold) records
 * @cpu: where it was written
 * @source_len: bytes of the source's name, 1 to OBSRING_SOURCE_MAX
 * @message_len: bytes of the message, up to OBSRING_MESSAGE_MAX
 * @fields_len: bytes of the fields, up to OBSRING_FIELDS_MAX
 * @comm: name of the task, padded by NUL; empty outside task context
 *
 * Behind it, without padding: the trace, if flagged, then source, message and
 * fields. None of them ends with a NUL. Message and source are any bytes; fields
 * are key NUL value NUL, repeated.
 */
struct obsring_record {
	__u32 number;
	__u16 size;
	__u8 level;
	__u8 flags;
	__u64 time_ns;
	__u32 pid;
	__u32 uid;
	__u64 threshold;
	__u16 cpu;
	__u16 source_len;
	__u16 message_len;
	__u16 fields_len;
	char comm[OBSRING_COMM_MAX];
};

/**
 * struct obsring_trace - W3C trace context of a record, 32 bytes
 * @trace_id: not all 0
 * @span_id: not all 0
 * @flags: trace flags
 */
struct obsring_trace {
	__u8 trace_id[16];
	__u8 span_id[8];
	__u8 flags;
	__u8 reserved[7];
};

/* struct obsring_context.flags; what is not defined here is ignored. */
#define OBSRING_CONTEXT_RV	(1U << 0) /* @rv is set */

/**
 * struct obsring_context - trace context of a thread, 64 bytes
 * @sequence: odd while the rest is being written
 * @flags: OBSRING_CONTEXT_*
 * @trace_flags: W3C trace flags
 * @trace_id: all 0: no context
 * @span_id: all 0: no context
 * @rv: explicit randomness, 56 bits (OpenTelemetry's rv), for sampling
 *
 * In memory of the process, aligned to 8 bytes.
 */
struct obsring_context {
	__u64 sequence;
	__u32 flags;
	__u8 trace_flags;
	__u8 reserved0[3];
	__u8 trace_id[16];
	__u8 span_id[8];
	__u64 rv;
	__u64 reserved1[2];
};

enum obsring_origin {
	OBSRING_ORIGIN_KERNEL,
	OBSRING_ORIGIN_USER,

	__OBSRING_ORIGIN_LAST
};

#define OBSRING_ORIGIN_MAX (__OBSRING_ORIGIN_LAST - 1)

/*
 * Declare the journal position up to which this open file has looked (see
 * poll above). EINVAL for a position that has not been reached.
 */
#define OBSRING_IOC_SEEN	_IOW(0xf7, 1, __u64)

/*
 * Register the address of the calling thread's struct obsring_context; another
 * one replaces it, 0 ends it. EPERM: the file is not open for writing. EINVAL: no
 * multiple of 8. EFAULT: no address of a process. ENOSPC: max_contexts are
 * registered, or a quarter of that by this user. EOPNOTSUPP: a 32-bit program, or
 * a kernel that does not tell of exit and exec. Whether anything is at the address
 * is not asked.
 */
#define OBSRING_IOC_CONTEXT	_IOW(0xf7, 2, __u64)

/* struct obsring_attach.flags */
#define OBSRING_ATTACH_TTL	(1U << 0) /* @ttl_s is set: the service's from now on */

/**
 * struct obsring_attach - join a service
 * @size: in: sizeof(struct obsring_attach) of the caller
 * @flags: in: OBSRING_ATTACH_*
 * @ttl_s: in: seconds from the last member's leaving to its end; 0: for ever
 * @fd: out: descriptor of the service, closed by exec
 * @map_bytes: out: to map, all of it
 * @value_pages: out: pages, each with nr_cpus + 1 rows
 * @share_pages: out: behind them
 * @service: out: its number
 * @nr_cpus: out: rows of CPUs
 * @name: in: 1 to OBSRING_NAME_MAX bytes of printable UTF-8, then NULs
 *
 * The device is open for writing, else EPERM. EINVAL: a name or flag; EOPNOTSUPP: a
 * 32-bit program; ENOSPC: max_services, or a quarter of that by this user; ENOMEM;
 * EMFILE; EINTR: the task is being killed. A descriptor alone is no member: the time to
 * live of a service without any runs from the last attach or the last member's leaving.
 */
struct obsring_attach {
	__u32 size;
	__u32 flags;
	__u32 ttl_s;
	__s32 fd;
	__u64 map_bytes;
	__u32 value_pages;
	__u32 share_pages;
	__u32 service;
	__u32 nr_cpus;
	char name[OBSRING_NAME_MAX + 1];
};

#define OBSRING_IOC_ATTACH	_IOWR(0xf7, 3, struct obsring_attach)

/* struct obsring_metric.flags */
#define OBSRING_METRIC_SET	(1U << 0) /* in: a set-type gauge */
#define OBSRING_METRIC_NEW	(1U << 1) /* out: the series was made */
#define OBSRING_METRIC_OVERFLOW	(1U << 2) /* out: it is the overflow series */
#define OBSRING_METRIC_SHARES	(1U << 3) /* out: @page is a share page */
#define OBSRING_METRIC_SINGLE	(1U << 4) /* out: everyone's row alone */

/**
 * struct obsring_metric - find a series of a service, or make it
 * @size: in: sizeof(struct obsring_metric) of the caller
 * @kind: in: enum obsring_kind but INFO
 * @nr_labels: in: 0 to OBSRING_LABELS_MAX - 2
 * @exp10: in: as in struct obsring_family, as are the next
 * @schema: in: exponential histograms; -1: explicit ones
 * @flags: in: OBSRING_METRIC_SET; out: the others
 * @nr_bounds: in: explicit bounds
 * @min_log2: in
 * @max_log2: in
 * @nr_states: in
 * @text_len: in: bytes at @text
 * @text: in: address of name, help, unit, names of labels, values of labels, names
 *	of states, each ended by a NUL
 * @bounds: in: address of __u64[nr_bounds]
 * @page: out: page of the mapping, or share page
 * @slot: out: first slot in it
 * @nr_slots: out
 * @series: out: index in SERIES
 *
 * EPERM: the caller is no member; ESTALE: the service is gone; EEXIST: a family of
 * that name is another one, or a name is the same to Prometheus; EINVAL: malformed,
 * or a reserved name; EFAULT; ENOSPC, ENOMEM: refused, see above; EINTR: the task is
 * being killed.
 */
struct obsring_metric {
	__u32 size;
	__u8 kind;
	__u8 nr_labels;
	__s8 exp10;
	__s8 schema;
	__u32 flags;
	__u32 nr_bounds;
	__s16 min_log2;
	__s16 max_log2;
	__u32 nr_states;
	__u32 text_len;
	__u32 reserved;
	__u64 text;
	__u64 bounds;
	__u32 page;
	__u32 slot;
	__u32 nr_slots;
	__u32 series;
};

#define OBSRING_IOC_METRIC	_IOWR(0xf7, 4, struct obsring_metric)

/**
 * struct obsring_process - what a process holds
 * @pid: its number
 * @threads: of it
 * @start_ns: CLOCK_MONOTONIC; tells it from another one of the same number
 * @files: open descriptors
 * @memory_bytes: resident memory that is of no file, and what of it is swapped out:
 *	what can't be had back but by the process itself. Approximate, to some pages
 *	for each CPU
 * @comm: its name, ended by a NUL
 */
struct obsring_process {
	__u32 pid;
	__u32 threads;
	__u64 start_ns;
	__u64 files;
	__u64 memory_bytes;
	char comm[16];
};

/**
 * struct obsring_processes - tell what processes hold, in the order of their numbers
 * @size: in: sizeof(struct obsring_processes) of the caller
 * @pid: in: the first to tell of, 1 for all; out: where to go on, 0 after the last
 * @nr: in: room at @process; out: entries written there, perhaps fewer
 * @reserved: in: 0
 * @process: in: address of struct obsring_process[@nr]
 *
 * Kernel threads, and processes that exit, are left out. ENODATA: source "process" is
 * off; EPERM: the file is not open for reading, or the caller is in another PID
 * namespace; EINVAL, EFAULT, ENOMEM, EINTR.
 */
struct obsring_processes {
	__u32 size;
	__u32 pid;
	__u32 nr;
	__u32 reserved;
	__u64 process;
};

#define OBSRING_IOC_PROCESSES	_IOWR(0xf7, 5, struct obsring_processes)

#define OBSRING_STACK_MAX	248	/* bytes, with the NUL */
#define OBSRING_SLEEPS_BUDGET	1024

/**
 * struct obsring_sleep_group - tasks that sleep in one place
 * @tasks: their number
 * @reserved: 0
 * @stack: functions, the innermost first, '<' between: "futex_wait<do_futex<..."
 */
struct obsring_sleep_group {
	__u32 tasks;
	__u32 reserved;
	char stack[OBSRING_STACK_MAX];
};

/**
 * struct obsring_sleepers - count tasks by where they sleep
 * @size: in: sizeof(struct obsring_sleepers) of the caller
 * @pid: in: a process; 0: all tasks, those of the kernel too
 * @nr: in: room at @group; out: groups written there, the largest first
 * @tasks: out: all that were looked at; of these
 * @running: out: do not sleep
 * @exited: out: have exited, and were not waited for yet
 * @unknown: out: sleep where nobody saw, or in a group that had no room
 * @reserved: in: 0
 * @group: in: address of struct obsring_sleep_group[@nr]
 *
 * Errors as OBSRING_IOC_PROCESSES, and EOPNOTSUPP: this kernel saves no stacks.
 */
struct obsring_sleepers {
	__u32 size;
	__u32 pid;
	__u32 nr;
	__u32 tasks;
	__u32 running;
	__u32 exited;
	__u32 unknown;
	__u32 reserved;
	__u64 group;
};

#define OBSRING_IOC_SLEEPERS	_IOWR(0xf7, 6, struct obsring_sleepers)

/* A state set's word: include/obsring/state.h. */
#define OBS_STATE_MAX		255
#define OBS_STATE_VERSION_MAX	((1ULL << 56) - 1)

/* What an update of it did. */
enum obs_state_result {
	OBS_STATE_INSERTED,	/* the first one */
	OBS_STATE_UPDATED,	/* after one of a smaller version */
	OBS_STATE_STALE,	/* a greater version, or the same update, is there */
	OBS_STATE_CONFLICT,	/* the same version with another state is there */
};

/* Generic netlink. */

#define OBSRING_GENL_NAME	"obsring"
#define OBSRING_GENL_VERSION	1
#define OBSRING_GENL_GROUP	"events"

enum obsring_cmd {
	OBSRING_CMD_UNSPEC,
	OBSRING_CMD_INFO_GET,
	OBSRING_CMD_STATE_SET,
	OBSRING_CMD_STATE_NTF,
	OBSRING_CMD_FAMILY_GET,
	OBSRING_CMD_FAMILY_NEW,
	OBSRING_CMD_FAMILY_DEL,
	OBSRING_CMD_FAMILY_NEW_NTF,
	OBSRING_CMD_FAMILY_DEL_NTF,
	OBSRING_CMD_SERIES_GET,
	OBSRING_CMD_SERIES_NEW,
	OBSRING_CMD_SERIES_DEL,
	OBSRING_CMD_SERIES_UPDATE,
	OBSRING_CMD_SERIES_NEW_NTF,
	OBSRING_CMD_SERIES_DEL_NTF,
	OBSRING_CMD_SOURCE_GET,
	OBSRING_CMD_SOURCE_SET,
	OBSRING_CMD_SOURCE_NTF,
	OBSRING_CMD_PROBE_GET,
	OBSRING_CMD_PROBE_NEW,
	OBSRING_CMD_PROBE_DEL,
	OBSRING_CMD_PROBE_NEW_NTF,
	OBSRING_CMD_PROBE_DEL_NTF,
	OBSRING_CMD_SAMPLE_GET,
	OBSRING_CMD_SAMPLE_SET,
	OBSRING_CMD_SAMPLE_DEL,
	OBSRING_CMD_SAMPLE_SET_NTF,
	OBSRING_CMD_SAMPLE_DEL_NTF,
	OBSRING_CMD_LOG_GET,
	OBSRING_CMD_LOG_SET,
	OBSRING_CMD_LOG_NTF,
	OBSRING_CMD_SERVICE_GET,
	OBSRING_CMD_SERVICE_SET,
	OBSRING_CMD_SERVICE_DEL,
	OBSRING_CMD_SERVICE_NEW_NTF,
	OBSRING_CMD_SERVICE_DEL_NTF,

	__OBSRING_CMD_LAST
};

#define OBSRING_CMD_MAX (__OBSRING_CMD_LAST - 1)

/*
 * One attribute space for all commands. Strings are NUL-terminated UTF-8.
 * 64-bit integers are plain NLA_U64 / NLA_S64, aligned by OBSRING_A_PAD.
 */
enum obsring_attr {
	OBSRING_A_UNSPEC,
	OBSRING_A_PAD,
	OBSRING_A_DEVICE_FD,	/* u32: descriptor of the device, open for reading */
	OBSRING_A_VERSION,	/* string: version of the module */
	OBSRING_A_ABI_MAJOR,	/* u32 */
	OBSRING_A_ABI_MINOR,	/* u32 */
	OBSRING_A_STATE,	/* u32: enum obsring_state */
	OBSRING_A_INSTANCE,	/* u64 */
	OBSRING_A_NR_CPUS,	/* u32: rows */
	OBSRING_A_FAMILIES,	/* u32: families alive */
	OBSRING_A_SERIES,	/* u32: series alive */
	OBSRING_A_SERIES_LIMIT,	/* u32: max_series */
	OBSRING_A_FAMILY_SERIES_LIMIT, /* u32: max_series_per_family */
	OBSRING_A_BYTES,	/* u64: memory of values and exemplars; a ring's size */
	OBSRING_A_BYTES_LIMIT,	/* u64: max_bytes */
	OBSRING_A_DIRECTORY_BYTES, /* u64: memory of the other regions */
	OBSRING_A_REFUSED,	/* u64: series refused by a limit since load */
	OBSRING_A_NAME,		/* string: name of a family, source or probe */
	OBSRING_A_HELP,		/* string */
	OBSRING_A_UNIT,		/* string: Prometheus unit ("seconds"), may be empty */
	OBSRING_A_KIND,		/* u32: enum obsring_kind */
	OBSRING_A_SET,		/* flag: set-type gauge */
	OBSRING_A_EXP10,	/* s32: -12 to 0 */
	OBSRING_A_LABEL_NAME,	/* string, repeated in order */
	OBSRING_A_LABEL_VALUE,	/* string, repeated in the order of the names */
	OBSRING_A_BOUND,	/* u64, repeated, ascending: explicit bounds */
	OBSRING_A_SCHEMA,	/* s32: 0 to 3 */
	OBSRING_A_MIN_LOG2,	/* s32: -40 to 40 */
	OBSRING_A_MAX_LOG2,	/* s32: above MIN_LOG2 */
	OBSRING_A_FAMILY_ID,	/* u32: index in FAMILIES */
	OBSRING_A_SERIES_ID,	/* u32: index in SERIES */
	OBSRING_A_GEN,		/* u32: generation of the entry */
	OBSRING_A_CREATED_NS,	/* u64: CLOCK_REALTIME */
	OBSRING_A_OVERFLOW,	/* flag: an overflow series */
	OBSRING_A_PER_CPU,	/* flag: answer with rows as well */
	OBSRING_A_VALUE,	/* s64: counters hold a u64 in it */
	OBSRING_A_SUM,		/* u64: sum of a histogram's observations */
	OBSRING_A_BUCKET,	/* u64, repeated: nr_bounds + 1 bucket counts */
	OBSRING_A_ROW,		/* nest, repeated: CPU and VALUE | SUM BUCKET... */
	OBSRING_A_CPU,		/* u32 */
	OBSRING_A_ENABLED,	/* u8: 0 or 1 */
	OBSRING_A_REASON,	/* string: why a source is unavailable, a probe gone */
	OBSRING_A_OPTION,	/* nest, repeated: OPTION_KEY, OPTION_VALUE, HELP */
	OBSRING_A_OPTION_KEY,	/* string */
	OBSRING_A_OPTION_VALUE,	/* string */
	OBSRING_A_PROBE_TYPE,	/* u32: enum obsring_probe_type */
	OBSRING_A_PROBE_TARGET,	/* string: GROUP:NAME or a function */
	OBSRING_A_SAMPLE,	/* u32: one of N, 1 to 2^20 */
	OBSRING_A_HITS,		/* u64: times the probe ran */
	OBSRING_A_MISSED,	/* u64: times the kernel could not run it */
	OBSRING_A_LEVEL,	/* u32: 0 to 7; absent: levels 4 to 7 */
	OBSRING_A_RULE,		/* u32: enum obsring_rule */
	OBSRING_A_RULE_VALUE,	/* u64: see there */
	OBSRING_A_AT_NS,	/* u64: CLOCK_REALTIME; absent: now */
	OBSRING_A_SAMPLE_ID,	/* u64: a command of the sampler, in order of arrival */
	OBSRING_A_ORIGIN,	/* u32: enum obsring_origin */
	OBSRING_A_HIGH_WATER,	/* u64: bytes ever used since load or LOG_SET */
	OBSRING_A_RECORDS,	/* u64: records stored since load */
	OBSRING_A_UID,		/* u32: in the initial user namespace */
	OBSRING_A_MEMBERS,	/* u32: address spaces that are attached */
	OBSRING_A_TTL,		/* u32: seconds; 0: for ever */
	OBSRING_A_DETACHED_NS,	/* u64: CLOCK_REALTIME when the last member left */
	OBSRING_A_STATE_NAME,	/* string, repeated, from state 0 on */
	OBSRING_A_SOURCE,	/* string, repeated: the names of all sources */

	__OBSRING_A_LAST
};

#define OBSRING_A_MAX (__OBSRING_A_LAST - 1)

enum obsring_probe_type {
	OBSRING_PROBE_UNSPEC,
	OBSRING_PROBE_TRACEPOINT,	/* counts hits */
	OBSRING_PROBE_KPROBE,		/* counts calls */
	OBSRING_PROBE_KRETPROBE,	/* counts returns, or times calls */

	__OBSRING_PROBE_LAST
};

#define OBSRING_PROBE_MAX (__OBSRING_PROBE_LAST - 1)

/* How a source's records are sampled; what OBSRING_A_RULE_VALUE is for each. */
enum obsring_rule {
	OBSRING_RULE_UNSPEC,
	OBSRING_RULE_KEEP,		/* all of them */
	OBSRING_RULE_DROP,		/* none */
	OBSRING_RULE_ONE_IN,		/* N: one of N, 1 to 2^32 */
	OBSRING_RULE_PROBABILITY,	/* 56-bit rejection threshold, below 2^56 */
	OBSRING_RULE_TRACE,		/* the same, by the trace's randomness */
	OBSRING_RULE_RATE,		/* records a second at most, 1 to 10^9 */
	OBSRING_RULE_TARGET,		/* records a second aimed at, 1 to 10^9 */

	__OBSRING_RULE_LAST
};

#define OBSRING_RULE_MAX (__OBSRING_RULE_LAST - 1)

#define OBSRING_THRESHOLD_ONE	(1ULL << 56)	/* rejects all */

/* The source whose rules are those of sources without one of their own. */
#define OBSRING_SOURCE_ANY	"*"

#endif /* _UAPI_LINUX_OBSRING_H */
