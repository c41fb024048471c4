// SPDX-License-Identifier: GPL-2.0-only
/* vm_flags_set() and vm_flags_clear() (6.3, and stable kernels) */
#include <linux/mm.h>

static void __maybe_unused check(struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_PFNMAP);
	vm_flags_clear(vma, VM_MAYWRITE);
}
