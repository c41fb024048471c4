/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Histogram buckets: from an integer to the index of its bucket, and the exact
 * integer bounds of Prometheus' native schemas.
 *
 * Bounds are inclusive upper bounds, ascending: bucket 0 holds v <= bound[0],
 * bucket b holds bound[b - 1] < v <= bound[b], and bucket nr_bounds the rest.
 *
 * An exponential histogram of schema s has the bounds 2^(i / 2^s) in the
 * Prometheus unit (Prometheus, "Native Histograms" specification, standard
 * schemas). A stored integer v of a family with scale 10^exp10 is at or below
 * one iff v <= floor(2^(i / 2^s) * 10^-exp10), and that floor is computed here
 * exactly: powers of two of the stored unit would be no bounds of any schema.
 *
 * Finding a bucket takes no floating point and no division: the three bits
 * behind v's leading one choose one of eight cells of its octave, a table says
 * which bucket the cell begins in, and one or two comparisons end it (explicit
 * bounds may stand closer: at most nr_bounds comparisons).
 */
#ifndef _OBSRING_HISTOGRAM_H
#define _OBSRING_HISTOGRAM_H

#include <linux/obsring.h>
#include "platform.h"

#define OBS_CELLS_PER_OCTAVE	8
#define OBS_CELLS_MAX		(64 * OBS_CELLS_PER_OCTAVE)

/**
 * struct obs_histogram_layout - how values map to buckets; constant once made
 * @bounds: @nr_bounds ascending inclusive bounds, then ~0 as a sentinel
 * @first: for each of @nr_cells cells from @cell0 on, the lowest bucket that a
 *	value of the cell can be in
 * @nr_bounds: at least 1
 * @cell0: cell of the first bound
 * @nr_cells: cells from that of the first to that of the last bound
 */
struct obs_histogram_layout {
	const __u64 *bounds;
	const __u16 *first;
	__u32 nr_bounds;
	__u32 cell0;
	__u32 nr_cells;
};

/* The cell of @v, above 0: eight an octave, ascending with v. */
static inline __u32 obs_histogram_cell(__u64 v)
{
	__u32 n = 63 - __builtin_clzll(v);

	return n * OBS_CELLS_PER_OCTAVE +
	       ((n >= 3 ? v >> (n - 3) : v << (3 - n)) & 7);
}

/* The smallest value of cell @cell. */
static inline __u64 obs_histogram_cell_start(__u32 cell)
{
	__u32 n = cell / OBS_CELLS_PER_OCTAVE;
	__u64 mantissa = OBS_CELLS_PER_OCTAVE | cell % OBS_CELLS_PER_OCTAVE;

	/* Below 8 some cells hold no integer: round up to the next one. */
	return n >= 3 ? mantissa << (n - 3) :
			(mantissa + (1U << (3 - n)) - 1) >> (3 - n);
}

/**
 * obs_histogram_bucket() - the bucket that @v is in
 * @layout: made by obs_histogram_layout_init()
 * @v: a value in stored units
 *
 * Context: any, NMI included: reads constant memory only.
 * Return: 0 to nr_bounds.
 */
static inline __u32 obs_histogram_bucket(const struct obs_histogram_layout *layout,
					 __u64 v)
{
	__u32 cell, b;

	if (v <= layout->bounds[0])
		return 0;
	cell = obs_histogram_cell(v) - layout->cell0;
	if (cell >= layout->nr_cells)
		return layout->nr_bounds;
	for (b = layout->first[cell]; v > layout->bounds[b]; b++)
		;	/* ends at the sentinel */
	return b;
}

/*
 * The range that bucket @bucket is in: what text formats show as one bucket.
 * @shift: schema of an exponential histogram, 0 of an explicit one.
 */
static inline __u32 obs_histogram_range(__u32 bucket, __u32 shift)
{
	return (bucket + (1U << shift) - 1) >> shift;
}

/* The last bucket of range @range. */
static inline __u32 obs_histogram_range_last(__u32 range, __u32 nr_bounds,
					     __u32 shift)
{
	__u32 last = range << shift;

	return last < nr_bounds ? last : nr_bounds;
}

static inline __u32 obs_histogram_nr_ranges(__u32 nr_bounds, __u32 shift)
{
	return obs_histogram_range(nr_bounds, shift) + 1;
}

/* Cells that a layout over @bounds needs: the length of its table. */
static inline __u32 obs_histogram_nr_cells(const __u64 *bounds, __u32 nr_bounds)
{
	__u64 last = bounds[nr_bounds - 1];

	if (!last)
		return 0;
	return obs_histogram_cell(last) -
	       obs_histogram_cell(bounds[0] ? bounds[0] : 1) + 1;
}

/**
 * obs_histogram_layout_init() - prepare finding buckets
 * @layout: to fill
 * @bounds: @nr_bounds ascending bounds, with room for the sentinel behind them,
 *	which is written; kept by reference
 * @nr_bounds: at least 1
 * @first: room for obs_histogram_nr_cells() entries; kept by reference
 */
static inline void obs_histogram_layout_init(struct obs_histogram_layout *layout,
					     __u64 *bounds, __u32 nr_bounds,
					     __u16 *first)
{
	__u32 cell, b = 0;

	bounds[nr_bounds] = ~0ULL;
	layout->bounds = bounds;
	layout->first = first;
	layout->nr_bounds = nr_bounds;
	layout->cell0 = obs_histogram_cell(bounds[0] ? bounds[0] : 1);
	layout->nr_cells = obs_histogram_nr_cells(bounds, nr_bounds);
	for (cell = 0; cell < layout->nr_cells; cell++) {
		while (bounds[b] < obs_histogram_cell_start(layout->cell0 + cell))
			b++;
		first[cell] = b;
	}
}

/* Bounds of an exponential histogram from 2^@min_log2 to 2^@max_log2. */
static inline __u32 obs_histogram_exp_nr_bounds(__s32 schema, __s32 min_log2,
						__s32 max_log2)
{
	return ((__u32)(max_log2 - min_log2) << schema) + 1;
}

/**
 * obs_histogram_exp_bound() - floor(2^(index / 8) * 10^-exp10)
 * @index: eighths of an octave: i << (3 - schema) for bound i of a schema;
 *	OBSRING_LOG2_MIN * 8 to OBSRING_LOG2_MAX * 8
 * @exp10: OBSRING_EXP10_MIN to 0
 *
 * 2^(j/8) is kept to 127 binary places, rounded down. The product with
 * 10^-exp10 is then at most 2^40 * 2^-127 too small before it is shifted by the
 * octave; the floor could only be wrong if the true value stood that closely
 * above an integer. For j = 0 it is exact, and for the others
 * tests/unit/test_histogram.c holds every index and scale against exact
 * arithmetic.
 *
 * Return: the bound, saturated to 2^64 - 2 (the sentinel is 2^64 - 1).
 */
static inline __u64 obs_histogram_exp_bound(__s32 index, __s32 exp10)
{
	unsigned __int128 low, high;

	/* floor(2^(j/8) * 2^127), high and low 64 bits */
	static const __u64 root[8][2] = {
		{ 0x8000000000000000ULL, 0x0000000000000000ULL },
		{ 0x8b95c1e3ea8bd6e6ULL, 0xfbe4628758a53c90ULL },
		{ 0x9837f0518db8a96fULL, 0x46ad23182e42f6f6ULL },
		{ 0xa5fed6a9b15138eaULL, 0x1cbd7f621710701bULL },
		{ 0xb504f333f9de6484ULL, 0x597d89b3754abe9fULL },
		{ 0xc5672a115506daddULL, 0x3e2ad0c964dd9f37ULL },
		{ 0xd744fccad69d6af4ULL, 0x39a68bb9902d3fdeULL },
		{ 0xeac0c6e7dd24392eULL, 0xd02d75b3706e54faULL },
	};
	__u32 j = index & 7;
	__s32 octave = (index - (__s32)j) / 8;
	__u64 scale = 1;

	for (; exp10 < 0; exp10++)
		scale *= 10;

	/* The product has 192 bits: high * 2^64 + low mod 2^64. */
	low = (unsigned __int128)root[j][1] * scale;
	high = (unsigned __int128)root[j][0] * scale + (__u64)(low >> 64);

	/* The floor of product * 2^(octave - 127): the shift is 23 to 103. */
	high >>= 63 - octave;
	if (high > ~0ULL - 1)
		return ~0ULL - 1;
	return (__u64)high;
}

/* Fill @bounds with the bounds of an exponential histogram. */
static inline void obs_histogram_exp_bounds(__u64 *bounds, __s32 schema,
					    __s32 min_log2, __s32 max_log2,
					    __s32 exp10)
{
	__u32 nr = obs_histogram_exp_nr_bounds(schema, min_log2, max_log2);
	__u32 k;

	for (k = 0; k < nr; k++)
		bounds[k] = obs_histogram_exp_bound(min_log2 * 8 +
						    (__s32)(k << (3 - schema)),
						    exp10);
}

#endif /* _OBSRING_HISTOGRAM_H */
