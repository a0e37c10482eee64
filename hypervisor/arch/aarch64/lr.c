/* SPDX-License-Identifier: MIT */
/* lr.c - list registers are system registers: their number is part of the instruction. */
#include "arch/lr.h"
#include "arch/sysreg.h"
#include "core/bug.h"

#define LR_CASES(X)                                                                            \
	X(0, S3_4_C12_C12_0) X(1, S3_4_C12_C12_1) X(2, S3_4_C12_C12_2) X(3, S3_4_C12_C12_3)     \
	X(4, S3_4_C12_C12_4) X(5, S3_4_C12_C12_5) X(6, S3_4_C12_C12_6) X(7, S3_4_C12_C12_7)     \
	X(8, S3_4_C12_C13_0) X(9, S3_4_C12_C13_1) X(10, S3_4_C12_C13_2) X(11, S3_4_C12_C13_3)   \
	X(12, S3_4_C12_C13_4) X(13, S3_4_C12_C13_5) X(14, S3_4_C12_C13_6) X(15, S3_4_C12_C13_7)

uint64_t lr_read(unsigned n)
{
	switch (n) {
#define READ(i, name)      \
	case i:            \
		return sysreg_read(name);
		LR_CASES(READ)
#undef READ
	default:
		BUG("list register number");
	}
}

void lr_write(unsigned n, uint64_t value)
{
	switch (n) {
#define WRITE(i, name)                      \
	case i:                             \
		sysreg_write(name, value);  \
		return;
		LR_CASES(WRITE)
#undef WRITE
	default:
		BUG("list register number");
	}
}
