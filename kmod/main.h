/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef OBSRING_MAIN_H
#define OBSRING_MAIN_H

/* Tests of an upgrade build the module under another version. */
#ifndef OBSRING_VERSION
#define OBSRING_VERSION	"0.1.0"
#endif

#endif /* OBSRING_MAIN_H */
