/* SPDX-License-Identifier: GPL-2.0-only */
/* How the producer API is exported. */
#ifndef OBSRING_EXPORT_H
#define OBSRING_EXPORT_H

#include <linux/export.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define EXPORT_SYMBOL_OBSRING(_symbol) EXPORT_SYMBOL_NS_GPL(_symbol, "OBSRING")
#else
#define EXPORT_SYMBOL_OBSRING(_symbol) EXPORT_SYMBOL_NS_GPL(_symbol, OBSRING)
#endif

#endif /* OBSRING_EXPORT_H */
