// SPDX-License-Identifier: MIT
#include "version.h"

const char obsringd_version[] = OBSRING_VERSION;
const char obsringd_revision[] = OBSRING_REVISION;
