/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef OBSRING_MAIN_H
#define OBSRING_MAIN_H

#define OBSRING_VERSION	"0.1.0"

#endif /* OBSRING_MAIN_H */
