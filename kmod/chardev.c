// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/obsring. Who may open it, its group decides. All that is reachable by
 * mapping is read-only and is never freed while a file is open, or is unmapped
 * from all of them before; an open file pins the module (fops.owner), and a mapping
 * pins its file. There is no state per mapping, so that fork, split and partial
 * unmap need no care.
 *
 * Under lockdown, what can be read here stays readable at every level: counts
 * of events, with no kernel address and no content, as /proc/vmstat has, and what
 * kernel code and processes chose to log, as dmesg is.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "chardev.h"
#include "compat.h"
#include "context.h"
#include "logread.h"
#include "logwrite.h"
#include "process.h"
#include "service.h"
#include "store.h"

/**
 * struct open - an open file
 * @node: in opens
 * @mapping: what is mapped of it: that of its device node, of which there may be
 *	several
 * @seen: journal position that it declared; poll compares it
 * @log: reads the log; made when that is first asked for, and stays
 * @writer: writes it; NULL if the file is not open for writing
 */
struct open {
	struct list_head node;
	struct address_space *mapping;
	u64 seen;
	struct obs_logreader *log;
	struct obs_logwriter *writer;
};

static DEFINE_MUTEX(opens_mutex);	/* opens */
static LIST_HEAD(opens);

void obs_chardev_unmap(u64 offset, u64 size)
{
	struct address_space *before = NULL;
	struct open *open;

	mutex_lock(&opens_mutex);
	list_for_each_entry(open, &opens, node) {
		if (open->mapping != before)
			unmap_mapping_range(open->mapping, offset, size, 1);
		before = open->mapping;
	}
	mutex_unlock(&opens_mutex);
}

void obs_chardev_changed(void)
{
	obs_logread_wake_all(EPOLLPRI);
}

void obs_chardev_set_state(enum obsring_state state)
{
	WRITE_ONCE(obs_header->state, state);
	obs_logread_wake_all(EPOLLIN | EPOLLRDNORM | EPOLLHUP);
}

static int device_open(struct inode *inode, struct file *file)
{
	struct open *open;

	if (READ_ONCE(obs_header->state) == OBSRING_STATE_DRAINING)
		return -ESHUTDOWN;
	open = kzalloc(sizeof(*open), GFP_KERNEL_ACCOUNT);
	if (!open)
		return -ENOMEM;
	open->seen = READ_ONCE(obs_header->journal_pos);
	if (file->f_mode & FMODE_WRITE) {
		open->writer = obs_logwriter_new(file->f_cred->uid);
		if (!open->writer) {
			kfree(open);
			return -ENOMEM;
		}
	}
	open->mapping = file->f_mapping;
	mutex_lock(&opens_mutex);
	list_add(&open->node, &opens);
	mutex_unlock(&opens_mutex);
	file->private_data = open;
	return 0;
}

static int device_release(struct inode *inode, struct file *file)
{
	struct open *open = file->private_data;

	mutex_lock(&opens_mutex);
	list_del(&open->node);
	mutex_unlock(&opens_mutex);
	obs_logreader_free(open->log);
	obs_logwriter_free(open->writer);
	kfree(open);
	return 0;
}

/* The file's log reader. Of two that make it at once, one prevails. */
static struct obs_logreader *log_of(struct open *open)
{
	struct obs_logreader *log, *other;

	/* Pairs with the exchange below: what is found is complete. */
	log = smp_load_acquire(&open->log);
	if (log)
		return log;
	log = obs_logreader_new();
	if (!log)
		return NULL;
	other = cmpxchg(&open->log, NULL, log);
	if (!other)
		return log;
	obs_logreader_free(log);
	return other;
}

static ssize_t device_read(struct file *file, char __user *buf, size_t count,
			   loff_t *pos)
{
	struct obs_logreader *log = log_of(file->private_data);

	if (!log)
		return -ENOMEM;
	return obs_logreader_read(log, buf, count, !(file->f_flags & O_NONBLOCK));
}

static ssize_t device_write(struct file *file, const char __user *buf,
			    size_t count, loff_t *pos)
{
	struct open *open = file->private_data;

	return obs_logwriter_write(open->writer, buf, count);
}

/* A log has two places to go to: its oldest record and its end. */
static loff_t device_llseek(struct file *file, loff_t offset, int whence)
{
	struct obs_logreader *log;

	/* So dprintf() and fdopen() know that this is no place: EINVAL fails them. */
	if (whence == SEEK_CUR)
		return -ESPIPE;
	if (offset || (whence != SEEK_SET && whence != SEEK_END))
		return -EINVAL;
	log = log_of(file->private_data);
	if (!log)
		return -ENOMEM;
	return obs_logreader_seek(log, whence == SEEK_SET);
}

static vm_fault_t device_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = VM_FAULT_SIGBUS;
	unsigned long pfn;

	down_read(&obs_store_mapped);
	if (!obs_store_pfn(vmf->pgoff, &pfn))
		ret = vmf_insert_pfn(vmf->vma, vmf->address, pfn);
	up_read(&obs_store_mapped);
	return ret;
}

static const struct vm_operations_struct device_vm_ops = {
	.fault = device_fault,
};

/*
 * By PFN, so that nothing can take a reference to a page. VM_MAYSHARE rather
 * than VM_SHARED: a read-only open clears the latter.
 */
static int device_mmap(struct file *file, struct vm_area_struct *vma)
{
	u64 size = vma->vm_end - vma->vm_start;

	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff > U64_MAX >> PAGE_SHIFT ||
	    !obs_store_range_valid((u64)vma->vm_pgoff << PAGE_SHIFT, size))
		return -EINVAL;
	vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &device_vm_ops;
	return 0;
}

static __poll_t device_poll(struct file *file, poll_table *wait)
{
	struct open *open = file->private_data;
	__poll_t events = file->f_mode & FMODE_WRITE ? EPOLLOUT | EPOLLWRNORM : 0;
	struct obs_logreader *log;

	/* EPOLL_CTL_MOD may ask for EPOLLIN later, and registers nothing then. */
	obs_logread_poll_wait(file, wait);
	if (file->f_mode & FMODE_READ &&
	    poll_requested_events(wait) & (EPOLLIN | EPOLLRDNORM)) {
		log = log_of(open);
		if (!log)
			return EPOLLERR;
		events |= obs_logreader_poll(log);
	}
	if (READ_ONCE(open->seen) != READ_ONCE(obs_header->journal_pos))
		events |= EPOLLPRI;
	if (READ_ONCE(obs_header->state) == OBSRING_STATE_DRAINING)
		events |= EPOLLHUP;
	return events;
}

static int declare_seen(struct open *open, u64 seen)
{
	/* Positions run free: what lies ahead has not been reached. */
	if ((s64)(READ_ONCE(obs_header->journal_pos) - seen) < 0)
		return -EINVAL;
	WRITE_ONCE(open->seen, seen);
	return 0;
}

/* About others: for who may read. */
static int ask_processes(const struct file *file, unsigned int cmd, unsigned long arg)
{
	if (!(file->f_mode & FMODE_READ))
		return -EPERM;
	return cmd == OBSRING_IOC_PROCESSES ? obs_process_list(arg) :
					      obs_process_sleepers(arg);
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	u64 word;

	/* Who writes here is counted: that is writing. */
	if (cmd == OBSRING_IOC_ATTACH)
		return file->f_mode & FMODE_WRITE ? obs_service_attach(arg) : -EPERM;
	if (cmd == OBSRING_IOC_PROCESSES || cmd == OBSRING_IOC_SLEEPERS)
		return ask_processes(file, cmd, arg);
	if (cmd != OBSRING_IOC_SEEN && cmd != OBSRING_IOC_CONTEXT)
		return -ENOTTY;
	if (copy_from_user(&word, (void __user *)arg, sizeof(word)))
		return -EFAULT;
	if (cmd == OBSRING_IOC_SEEN)
		return declare_seen(file->private_data, word);
	/* A context goes into what others read: that is writing. */
	if (!(file->f_mode & FMODE_WRITE))
		return -EPERM;
	return obs_context_register(word);
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.read = device_read,
	.write = device_write,
	.mmap = device_mmap,
	.poll = device_poll,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = device_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "obsring",
	.mode = 0660,
	.fops = &device_fops,
};

static bool fd_has_mode(int fd, fmode_t mode)
{
	struct file *file = fget(fd);
	bool has;

	if (!file)
		return false;
	has = file->f_op == &device_fops && file->f_mode & mode;
	fput(file);
	return has;
}

bool obs_chardev_fd_reads(int fd)
{
	return fd_has_mode(fd, FMODE_READ);
}

bool obs_chardev_fd_writes(int fd)
{
	return fd_has_mode(fd, FMODE_WRITE);
}

int obs_chardev_init(void)
{
	return misc_register(&device);
}

void obs_chardev_exit(void)
{
	misc_deregister(&device);
}
