/* SPDX-License-Identifier: MIT */
/* test_call_decode.c - every number, every privilege, every reserved argument of hypercalls.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/call_decode.h"

enum privilege { SELF, ANY, CALLER, CONTROL, OTHER };
static const struct {
	uint32_t number, arity;
	enum privilege privilege;
} calls[] = {
#define AV_HVC(name, number, arity, privilege) {number, arity, privilege},
#include <avisor/hypercalls.def>
#undef AV_HVC
};

static int decode(uint32_t number, uint64_t x1, bool control, struct call_decoded *out)
{
	const uint64_t x[7] = {AV_SMCCC_BASE | number, x1};

	return call_decode(x, control, 3, 5, out);
}

static bool known(uint32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].number == number)
			return true;
	return false;
}

static void a_number_that_is_not_in_the_list_is_not_supported(void **state)
{
	struct call_decoded out;

	(void)state;
	for (uint32_t number = 0; number < 0x10000; number++)
		if (!known(number))
			assert_int_equal(decode(number, 0, true, &out), AV_E_NOT_SUPPORTED);
}

static void a_reserved_argument_that_is_not_zero_is_invalid(void **state)
{
	struct call_decoded out;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (uint32_t reg = 1; reg <= 6; reg++) {
			uint64_t x[7] = {AV_SMCCC_BASE | calls[i].number};
			int status;

			if (calls[i].arity && reg != 1)
				x[1] = calls[i].privilege == OTHER ? 4 : AV_VM_SELF;
			x[reg] |= 1ull << 63;
			status = call_decode(x, true, 3, 5, &out);
			if (reg > calls[i].arity)
				assert_int_equal(status, AV_E_INVALID);
			else
				assert_int_not_equal(status, AV_E_INVALID);
		}
	}
}

static void only_control_names_another_vm(void **state)
{
	struct call_decoded out;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		uint32_t n = calls[i].number;

		if (calls[i].privilege == SELF) {
			assert_int_equal(decode(n, AV_VM_SELF, false, &out), 0);
			assert_int_equal(out.target, 3);
			assert_int_equal(decode(n, 3, false, &out), 0);
			assert_int_equal(decode(n, 2, false, &out), AV_E_DENIED);
			assert_int_equal(decode(n, 99, false, &out), AV_E_DENIED);
			assert_int_equal(decode(n, 2, true, &out), 0);
			assert_int_equal(out.target, 2);
		}
		if (calls[i].privilege == OTHER) {
			assert_int_equal(decode(n, AV_VM_SELF, false, &out), AV_E_DENIED);
			assert_int_equal(decode(n, 2, true, &out), 0);
		}
		if (calls[i].privilege == CONTROL) {
			assert_int_equal(decode(n, 0, false, &out), AV_E_DENIED);
			assert_int_equal(decode(n, 0, true, &out), 0);
			assert_int_equal(out.target, CALL_TARGET_NONE);
		}
		if (calls[i].privilege == ANY || calls[i].privilege == CALLER)
			assert_int_equal(decode(n, 0, false, &out), 0);
	}
}

static void a_vm_that_is_not_there_is_not_found(void **state)
{
	static const uint64_t wrong[] = {5,           6,           0x7fffffff, 0xfffffffe,
					 0x100000000, 0x1ffffffff, ~0ull};
	struct call_decoded out;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		for (size_t w = 0; w < ARRAY_SIZE(wrong); w++)
			if (calls[i].privilege == SELF || calls[i].privilege == OTHER)
				assert_int_equal(decode(calls[i].number, wrong[w], true, &out),
						 AV_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_that_is_not_in_the_list_is_not_supported),
		cmocka_unit_test(a_reserved_argument_that_is_not_zero_is_invalid),
		cmocka_unit_test(only_control_names_another_vm),
		cmocka_unit_test(a_vm_that_is_not_there_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
