/* SPDX-License-Identifier: MIT */
/* guest-test.h - the parts of guest-test. */
#pragma once

#include <stdint.h>

int exchange(uint64_t count); /* 0: all is as it should be */
int crowd(void);              /* until its input ends */
int debug(uint64_t count);    /* waits for a line, "debug: armed" said */
