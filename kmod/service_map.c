// SPDX-License-Identifier: GPL-2.0-only
/*
 * A service's descriptor and mapping: members, which are address spaces that have it
 * mapped, and their shares of gauges.
 *
 * A member is made by the mmap of the address space that attached, or by fork, whose
 * open hook can't fail. It ends with its last mapping: munmap, exec, exit. A mapping
 * is never split or moved, so there is one for each mmap that the address space made.
 *
 * Its pages are given by the fault handler with a reference each, so that fork copies
 * no entry of a page table: a child touches its own share pages, not its parent's.
 * A share page is made by the first touch, in the fault, under the registry's mutex.
 * What can't have one has the page in common instead, which is there since the chunk
 * is: a fault fails only for a page that no series is in.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <obsring/directory.h>

#include "chardev.h"
#include "compat.h"
#include "self.h"
#include "service.h"
#include "sparse.h"

#define GFP_SHARE	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)

/**
 * struct member - an address space that has a service mapped
 * @node: in the service's members
 * @service: which lives as long, by the file of the mapping
 * @mm: whose; its mappings are its users
 * @mappings: how many
 * @share: by chunk: its share page, the one in common, or NULL: not touched yet
 */
struct member {
	struct list_head node;
	struct obs_service *service;
	struct mm_struct *mm;
	refcount_t mappings;
	struct obs_share *share[];
};

/**
 * struct attached - what a descriptor is
 * @service: a reference
 * @mm: who attached, and alone may map it; held against being another's
 */
struct attached {
	struct obs_service *service;
	struct mm_struct *mm;
};

static u32 value_rows(void)
{
	return obs_service_limits.service_pages * (nr_cpu_ids + 1);
}

u64 obs_service_map_bytes(void)
{
	return (u64)(value_rows() + obs_service_share_pages()) * PAGE_SIZE;
}

/* ---- Shares -------------------------------------------------------------- */

static DEFINE_XARRAY_ALLOC(shares);	/* index in SHARES -> struct obs_share */
static u32 nr_shares;

u32 obs_shares_nr(void)
{
	return nr_shares;
}

static struct obsring_share *share_entry(const struct obs_share *share)
{
	return obs_region_entry(OBSRING_REGION_SHARES, share->index);
}

static int share_place(struct obs_share *share)
{
	int ret;

	ret = xa_alloc(&shares, &share->index, share,
		       XA_LIMIT(0, obs_service_limits.shares - 1), GFP_SHARE);
	if (ret)
		return ret == -EBUSY ? -ENOSPC : ret;
	ret = obs_region_grow(OBSRING_REGION_SHARES, share->index + 1);
	if (!ret)
		ret = obs_sparse_put(OBSRING_REGION_SHARE_PAGES, share->index,
				     &share->page, 1);
	if (ret)
		xa_erase(&shares, share->index);
	return ret;
}

static void share_tell(const struct obs_share *share)
{
	obs_store_tell(OBSRING_REGION_SHARES, share->index);
	obs_chardev_changed();
	obs_self_memory();
}

struct obs_share *obs_share_new(struct obs_service *service, u32 chunk,
				struct obs_service_user *user)
{
	struct obs_share *share = kzalloc(sizeof(*share), GFP_SHARE);
	struct obsring_share *entry;
	int ret = -ENOMEM;

	if (!share)
		return ERR_PTR(-ENOMEM);
	share->page = alloc_page(GFP_SHARE | __GFP_ZERO);
	if (!share->page)
		goto err;
	ret = share_place(share);
	if (ret)
		goto err_place;
	share->service = service;
	share->chunk = chunk;
	share->user = user;
	if (user)
		user->shares++;
	list_add_tail(&share->node, &service->shares);
	nr_shares++;
	entry = share_entry(share);
	obs_write_once(&entry->service, service->number);
	obs_write_once(&entry->chunk, chunk);
	obs_entry_publish(&entry->gen);
	share_tell(share);
	return share;
err_place:
	put_page(share->page);
err:
	kfree(share);
	return ERR_PTR(ret);
}

/* Readers are told before they see zeros there, and that before another's page. */
void obs_share_free(struct obs_share *share)
{
	obs_entry_retire(&share_entry(share)->gen);
	list_del(&share->node);
	nr_shares--;
	share_tell(share);
	obs_sparse_take(OBSRING_REGION_SHARE_PAGES, share->index, 1);
	put_page(share->page);
	if (share->user)
		share->user->shares--;
	xa_erase(&shares, share->index);
	kfree(share);
}

/* A share page of its own for @member, or the one in common. */
static struct obs_share *share_make(struct member *member, u32 chunk)
{
	struct obs_service *service = member->service;
	struct obs_service_user *user = service->user;
	struct obs_share *share = ERR_PTR(-ENOSPC);

	if (user->shares < DIV_ROUND_UP(obs_service_limits.shares, OBS_USER_SHARE))
		share = obs_share_new(service, chunk, user);
	if (!IS_ERR(share))
		return share;
	obs_counter_inc(&obs_self_shares_refused);
	return service->common[chunk];
}

/* NULL: no gauge is in this chunk. */
static struct obs_share *share_get(struct member *member, u32 chunk)
{
	/* Pairs with the store below: whoever sees it sees all of it. */
	struct obs_share *share = smp_load_acquire(&member->share[chunk]);

	if (share)
		return share;
	/* Pairs with obs_service_room_keep(). */
	if (chunk >= smp_load_acquire(&member->service->nr_common_kept))
		return NULL;
	mutex_lock(&obs_registry_mutex);
	share = member->share[chunk];
	if (!share) {
		share = share_make(member, chunk);
		/* Pairs with the load above. */
		smp_store_release(&member->share[chunk], share);
	}
	mutex_unlock(&obs_registry_mutex);
	return share;
}

/* ---- Members ------------------------------------------------------------- */

static struct member *member_find(struct obs_service *service,
				  const struct mm_struct *mm)
{
	struct member *member;

	list_for_each_entry(member, &service->members, node)
		if (member->mm == mm)
			return member;
	return NULL;
}

bool obs_service_has_member(struct obs_service *service)
{
	bool has;

	spin_lock(&service->members_lock);
	has = current->mm && member_find(service, current->mm);
	spin_unlock(&service->members_lock);
	return has;
}

static struct member *member_alloc(struct obs_service *service, struct mm_struct *mm,
				   gfp_t gfp)
{
	struct member *member;

	member = kzalloc(struct_size(member, share, obs_service_share_pages()), gfp);
	if (!member)
		return NULL;
	member->service = service;
	member->mm = mm;
	refcount_set(&member->mappings, 1);
	return member;
}

static void member_add(struct member *member)
{
	struct obs_service *service = member->service;

	spin_lock(&service->members_lock);
	list_add(&member->node, &service->members);
	service->nr_members++;
	spin_unlock(&service->members_lock);
	obs_gauge_inc(&service->members_gauge);
}

static void member_free_shares(struct member *member)
{
	u32 i, nr = obs_service_share_pages();

	for (i = 0; i < nr && !member->share[i]; i++)
		;
	if (i == nr)
		return;
	mutex_lock(&obs_registry_mutex);
	for (; i < nr; i++)
		if (member->share[i] && member->share[i]->user)
			obs_share_free(member->share[i]);
	mutex_unlock(&obs_registry_mutex);
}

/*
 * Its shares go first: when the service is seen to be without members, nothing of
 * theirs is left.
 */
static void member_put(struct member *member)
{
	struct obs_service *service = member->service;
	bool last;

	if (!refcount_dec_and_test(&member->mappings))
		return;
	member_free_shares(member);
	obs_gauge_dec(&service->members_gauge);
	spin_lock(&service->members_lock);
	list_del(&member->node);
	last = !--service->nr_members;
	if (last)
		service->left_ns = ktime_get_boottime_ns();
	spin_unlock(&service->members_lock);
	if (last)
		obs_service_left(service);
	kfree(member);
}

/* ---- The mapping --------------------------------------------------------- */

/*
 * fork, where the new mapping is another address space's; or a mapping that is being
 * moved, which is then refused. The service has a member: the parent is.
 */
static void service_vm_open(struct vm_area_struct *vma)
{
	struct member *member = vma->vm_private_data;

	if (member->mm == vma->vm_mm) {
		refcount_inc(&member->mappings);
		return;
	}
	member = member_alloc(member->service, vma->vm_mm,
			      GFP_KERNEL_ACCOUNT | __GFP_NOFAIL);
	vma->vm_private_data = member;
	member_add(member);
}

static void service_vm_close(struct vm_area_struct *vma)
{
	member_put(vma->vm_private_data);
}

static int service_vm_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int service_vm_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/* What is at page @pgoff of the mapping; NULL: nothing. */
static struct page *service_page(struct member *member, unsigned long pgoff)
{
	unsigned long index = pgoff / (nr_cpu_ids + 1);
	struct obs_share *share;

	if (pgoff >= value_rows()) {
		share = share_get(member, pgoff - value_rows());
		return share ? share->page : NULL;
	}
	/* Pairs with obs_service_room_keep(). */
	if (index >= smp_load_acquire(&member->service->nr_pages_kept))
		return NULL;
	return member->service->page[index]->row[pgoff % (nr_cpu_ids + 1)];
}

static vm_fault_t service_vm_fault(struct vm_fault *vmf)
{
	struct page *page;

	if (vmf->pgoff >= value_rows() + obs_service_share_pages())
		return VM_FAULT_SIGBUS;
	page = service_page(vmf->vma->vm_private_data, vmf->pgoff);
	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct service_vm_ops = {
	.open = service_vm_open,
	.close = service_vm_close,
	.may_split = service_vm_may_split,
	.mremap = service_vm_mremap,
	.fault = service_vm_fault,
};

/* The calling address space's member, with a mapping more. */
static struct member *member_get(struct obs_service *service)
{
	struct member *member;

	if (service->dead)
		return ERR_PTR(-ESTALE);
	spin_lock(&service->members_lock);
	member = member_find(service, current->mm);
	/* One whose last mapping is going is another life: mmap_lock is held. */
	if (member)
		refcount_inc(&member->mappings);
	spin_unlock(&service->members_lock);
	if (member)
		return member;
	member = member_alloc(service, current->mm, GFP_KERNEL_ACCOUNT);
	if (!member)
		return ERR_PTR(-ENOMEM);
	member_add(member);
	return member;
}

static int service_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct attached *attached = file->private_data;
	struct member *member;

	if (vma->vm_mm != attached->mm || vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start != obs_service_map_bytes())
		return -EINVAL;
	mutex_lock(&obs_registry_mutex);
	member = member_get(attached->service);
	mutex_unlock(&obs_registry_mutex);
	if (IS_ERR(member))
		return PTR_ERR(member);
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = member;
	vma->vm_ops = &service_vm_ops;
	return 0;
}

static long service_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct attached *attached = file->private_data;

	if (cmd != OBSRING_IOC_METRIC)
		return -ENOTTY;
	return obs_service_metric(attached->service, arg);
}

static int service_release(struct inode *inode, struct file *file)
{
	struct attached *attached = file->private_data;

	obs_service_put(attached->service);
	mmdrop(attached->mm);
	kfree(attached);
	return 0;
}

static const struct file_operations service_fops = {
	.owner = THIS_MODULE,
	.mmap = service_mmap,
	.unlocked_ioctl = service_ioctl,
	.release = service_release,
	.llseek = noop_llseek,
};

struct file *obs_service_file(struct obs_service *service)
{
	struct attached *attached = kzalloc(sizeof(*attached), GFP_KERNEL_ACCOUNT);
	struct file *file;

	if (!attached)
		return ERR_PTR(-ENOMEM);
	refcount_inc(&service->refs);
	mmgrab(current->mm);
	attached->service = service;
	attached->mm = current->mm;
	file = anon_inode_getfile("[obsring-service]", &service_fops, attached,
				  O_RDWR);
	if (!IS_ERR(file))
		return file;
	mmdrop(attached->mm);
	obs_service_put(service);
	kfree(attached);
	return file;
}
