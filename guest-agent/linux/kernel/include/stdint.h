/* SPDX-License-Identifier: GPL-2.0 */
/* stdint.h - the names that abi/ uses, where there is no libc. */
#pragma once
#include <linux/types.h>
