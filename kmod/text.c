// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of 64 granules (4 KiB), each cut into texts of one size: 1, 2, 4 ... 64
 * granules. A text takes the smallest size that holds it; a block that becomes
 * empty can be cut anew. So nothing fragments, and freeing is exact.
 */
#include <linux/bitops.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "store.h"
#include "text.h"

#define BLOCK_GRANULES	(OBS_TEXT_MAX / OBSRING_GRANULE)
#define NR_CLASSES	7	/* 2^0 to 2^6 granules */

/**
 * struct text_block - the block's state, beside the mapped memory
 * @used: a bit per text; @nr of them
 * @class: texts have 2^class granules
 * @index: block number
 * @node: in empty, or in partial[class] while a text is free
 */
struct text_block {
	u64 used;
	u32 class;
	u32 index;
	struct list_head node;
};

static DEFINE_XARRAY(blocks);	/* block number -> struct text_block */
static u32 nr_blocks;
static LIST_HEAD(empty);
static struct list_head partial[NR_CLASSES] = {
	LIST_HEAD_INIT(partial[0]), LIST_HEAD_INIT(partial[1]),
	LIST_HEAD_INIT(partial[2]), LIST_HEAD_INIT(partial[3]),
	LIST_HEAD_INIT(partial[4]), LIST_HEAD_INIT(partial[5]),
	LIST_HEAD_INIT(partial[6]),
};

static u32 class_of(u32 len)
{
	return order_base_2(DIV_ROUND_UP(len, OBSRING_GRANULE));
}

static u64 all_used(u32 class)
{
	return GENMASK_ULL((BLOCK_GRANULES >> class) - 1, 0);
}

static struct text_block *block_new(void)
{
	struct text_block *block;
	int ret;

	ret = obs_region_grow(OBSRING_REGION_TEXT,
			      (nr_blocks + 1) * BLOCK_GRANULES);
	if (ret)
		return ERR_PTR(ret);
	block = kzalloc(sizeof(*block), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!block)
		return ERR_PTR(-ENOMEM);
	block->index = nr_blocks;
	ret = xa_err(xa_store(&blocks, nr_blocks, block, GFP_KERNEL));
	if (ret) {
		kfree(block);
		return ERR_PTR(ret);
	}
	nr_blocks++;
	list_add(&block->node, &empty);
	return block;
}

/* A block of this class with room. */
static struct text_block *block_get(u32 class)
{
	struct text_block *block;

	block = list_first_entry_or_null(&partial[class], struct text_block,
					 node);
	if (block)
		return block;
	block = list_first_entry_or_null(&empty, struct text_block, node);
	if (!block)
		block = block_new();
	if (!IS_ERR(block)) {
		block->class = class;
		list_move(&block->node, &partial[class]);
	}
	return block;
}

int obs_text_alloc(const void *text, u32 len, u32 *ret_granule)
{
	struct text_block *block = block_get(class_of(len));
	u32 bit, granule;

	if (IS_ERR(block))
		return PTR_ERR(block);
	bit = __ffs64(~block->used);
	block->used |= BIT_ULL(bit);
	if (block->used == all_used(block->class))
		list_del_init(&block->node);
	granule = block->index * BLOCK_GRANULES + (bit << block->class);
	memcpy(obs_region_entry(OBSRING_REGION_TEXT, granule), text, len);
	*ret_granule = granule;
	return 0;
}

void obs_text_free(u32 granule, u32 len)
{
	struct text_block *block;

	if (!len)
		return;
	block = xa_load(&blocks, granule / BLOCK_GRANULES);
	block->used &= ~BIT_ULL(granule % BLOCK_GRANULES >> block->class);
	list_del(&block->node);
	list_add(&block->node, block->used ? &partial[block->class] : &empty);
}

void obs_text_exit(void)
{
	struct text_block *block;
	unsigned long index;

	xa_for_each(&blocks, index, block) {
		list_del(&block->node);
		kfree(block);
	}
	xa_destroy(&blocks);
	nr_blocks = 0;
}
