/* SPDX-License-Identifier: MIT */
/* access.c - decoding of one access to emulated space. Pure: host tests run it over every encoding. */
#include "core/access.h"

/*
 * size:2 111 V:1 00 opc:2 0 imm9 mode:2 Rn Rt with V = 0: mode 01 post-indexed, 11 pre-indexed.
 * opc 00 store, 01 load, 10 load signed to 64 bits, 11 load signed to 32 bits.
 */
bool access_decode(uint32_t instruction, struct access *access)
{
	unsigned size = instruction >> 30, opc = instruction >> 22 & 3,
		 mode = instruction >> 10 & 3;
	int immediate = (int)(instruction >> 12 & 0x1ff);

	if ((instruction & 0x3f200000) != 0x38000000)
		return false;
	if (mode != 1 && mode != 3)
		return false;
	if (size == 3 && opc >= 2)
		return false; /* unallocated */
	if (size == 2 && opc == 3)
		return false;
	if (immediate & 0x100)
		immediate -= 0x200;
	*access = (struct access){
		.write = opc == 0,
		.sign_extend = opc >= 2,
		.wide = opc == 2 || size == 3,
		.size = 1u << size,
		.reg = instruction & 0x1f,
		.writeback = true,
		.base = instruction >> 5 & 0x1f,
		.offset = immediate,
	};
	/* Writeback to the register that is loaded is constrained unpredictable: refuse it. */
	return access->base == 31 || access->base != access->reg;
}
