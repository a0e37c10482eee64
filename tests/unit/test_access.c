/* SPDX-License-Identifier: MIT */
/* test_access.c - which instructions without syndrome EL2 emulates, and how: words from the assembler, and all encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/access.h"
#include "core/types.h"

static void words_of_the_assembler_are_decoded(void **state)
{
	static const struct {
		uint32_t word;
		unsigned size, reg, base;
		int offset;
		bool write, sign, wide;
	} known[] = {
		{0xf8408441, 8, 1, 2, 8, false, false, true},       /* ldr x1, [x2], #8 */
		{0xb85fcc83, 4, 3, 4, -4, false, false, false},     /* ldr w3, [x4, #-4]! */
		{0xb80044c5, 4, 5, 6, 4, true, false, false},       /* str w5, [x6], #4 */
		{0x38001507, 1, 7, 8, 1, true, false, false},       /* strb w7, [x8], #1 */
		{0x78002d49, 2, 9, 10, 2, true, false, false},      /* strh w9, [x10, #2]! */
		{0x389ff58b, 1, 11, 12, -1, false, true, true},     /* ldrsb x11, [x12], #-1 */
		{0x78c025cd, 2, 13, 14, 2, false, true, false},     /* ldrsh w13, [x14], #2 */
		{0xb88047ef, 4, 15, 31, 4, false, true, true},      /* ldrsw x15, [sp], #4 */
		{0xf80ff63f, 8, 31, 17, 255, true, false, true},    /* str xzr, [x17], #255 */
		{0x38500672, 1, 18, 19, -256, false, false, false}, /* ldrb w18, [x19], #-256 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct access access;

		assert_true(access_decode(known[i].word, &access));
		assert_int_equal(access.size, known[i].size);
		assert_int_equal(access.reg, known[i].reg);
		assert_int_equal(access.base, known[i].base);
		assert_int_equal(access.offset, known[i].offset);
		assert_int_equal(access.write, known[i].write);
		assert_int_equal(access.sign_extend, known[i].sign);
		assert_int_equal(access.wide, known[i].wide);
		assert_true(access.writeback);
	}
}

static void other_loads_and_stores_are_refused(void **state)
{
	static const uint32_t words[] = {
		0xf9400041, 0xa9400861, 0xf9400441, 0x3cc10420,
		0xc85f7c41,                                     /* ldr, ldp, ldr, ldr q0, ldxr */
		0xf8401041, 0xf8401841, 0xf8801000, 0xbc404420, /* ldur, ldtr, prfum, ldr s0 */
		0xf8408421, /* ldr x1, [x1], #8: writeback to the loaded register */
		0,          0xffffffff, 0xd503201f,
	};
	struct access access;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_false(access_decode(words[i], &access));
}

static void every_encoding_of_the_class_is_sane(void **state)
{
	(void)state;
	for (uint32_t free_bits = 0; free_bits < 1u << 25; free_bits++) {
		/* size:2 opc:2 imm9:9 mode:2 Rn:5 Rt:5 */
		uint32_t word = 0x38000000 | (free_bits >> 23) << 30 | (free_bits >> 21 & 3) << 22 |
				(free_bits >> 12 & 0x1ff) << 12 | (free_bits >> 10 & 3) << 10 |
				(free_bits & 0x3ff);
		unsigned mode = free_bits >> 10 & 3;
		struct access access;

		if (!access_decode(word, &access))
			continue;
		if (mode != 1 && mode != 3)
			fail_msg("0x%08x: neither pre- nor post-indexed", word);
		if (access.size > 8 || access.reg > 31 || access.base > 31 ||
		    access.offset < -256 || access.offset > 255)
			fail_msg("0x%08x: out of range", word);
	}
}

static void loads_are_extended_as_the_register_wants(void **state)
{
	struct access access = {.size = 1};

	(void)state;
	assert_int_equal(access_extend(&access, 0xffffffffffffff80u), 0x80);
	access.sign_extend = true;
	assert_int_equal(access_extend(&access, 0x80), 0xffffff80);
	access.wide = true;
	assert_true(access_extend(&access, 0x80) == 0xffffffffffffff80u);
	access = (struct access){.size = 8, .wide = true};
	assert_true(access_extend(&access, 0x8000000000000001u) == 0x8000000000000001u);
}

static void a_syndrome_says_it_all(void **state)
{
	/* ISV, SAS = 2, SSE, SRT = 9, SF, WnR = 0 */
	struct access access =
		access_from_syndrome(1u << 24 | 2u << 22 | 1u << 21 | 9u << 16 | 1u << 15);

	(void)state;
	assert_int_equal(access.size, 4);
	assert_int_equal(access.reg, 9);
	assert_true(access.sign_extend && access.wide && !access.write && !access.writeback);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_the_assembler_are_decoded),
		cmocka_unit_test(other_loads_and_stores_are_refused),
		cmocka_unit_test(every_encoding_of_the_class_is_sane),
		cmocka_unit_test(loads_are_extended_as_the_register_wants),
		cmocka_unit_test(a_syndrome_says_it_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
