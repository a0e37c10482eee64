/* SPDX-License-Identifier: MIT */
/* test_value.c - numbers, sizes, times and booleans of a set: read whole, or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "config/value.h"

static void values_are_read_whole_or_not_at_all(void **state)
{
	uint64_t value = 7;
	char text[VALUE_SIZE_TEXT];

	(void)state;
	assert_null(value_size("0", &value));
	assert_int_equal(value, 0);
	assert_null(value_size("18446744073709551615", &value));
	assert_true(value == UINT64_MAX);
	assert_null(value_size("0XfF", &value));
	assert_int_equal(value, 255);
	assert_null(value_size("3K", &value));
	assert_int_equal(value, 3072);
	assert_null(value_size("16777215GiB", &value));
	assert_non_null(value_size("17179869184GiB", &value));
	assert_non_null(value_size("18446744073709551616", &value));
	assert_non_null(value_number("5K", &value));
	assert_non_null(value_number(" 5", &value));
	assert_non_null(value_number("+5", &value));
	assert_non_null(value_number("00", &value));
	assert_null(value_duration("250us", &value));
	assert_int_equal(value, 250000);
	assert_non_null(value_duration("18446744073709551615s", &value));
	assert_string_equal(value_size_text(0, text), "0");
	assert_string_equal(value_size_text(1536, text), "1536");
	assert_string_equal(value_size_text(65536, text), "64KiB");
	assert_string_equal(value_size_text(UINT64_C(4) << 40, text), "4096GiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_read_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
