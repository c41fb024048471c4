/* SPDX-License-Identifier: MIT */
/*
 * What this build is called: in an object of its own, which is compiled again
 * for each revision.
 */
#ifndef OBSRINGD_VERSION_H
#define OBSRINGD_VERSION_H

extern const char obsringd_version[];	/* "0.1.0" */
extern const char obsringd_revision[];	/* a commit, or "unknown" */

#endif /* OBSRINGD_VERSION_H */
