/* SPDX-License-Identifier: MIT */
/* test_vgic_mmio.c - every register offset with every size, and what each register reads as. */

#include "vgic_rig.h"

static struct rig r;

/* The widths at which a register exists: a mask of sizes 1, 2, 4, 8. Zero: RAZ/WI. */
static unsigned dist_sizes(uint64_t o)
{
	if (o == 0 || o == 4 || o == 8 || o >= 0xffd0)
		return 4;
	if (o >= 0x80 && o < 0x400)
		return o % 0x80 >= 4 && o % 0x80 < 4 * (1 + VGIC_BANK_COUNT) ? 4 : 0;
	if (o >= 0x400 + 32 && o < 0x400 + VGIC_INTID_COUNT)
		return 1 | 4;
	if (o >= 0xc00 + 8 && o < 0xc00 + VGIC_INTID_COUNT / 4)
		return 4;
	if (o >= 0x6000 + 8 * 32 && o < 0x6000 + 8 * VGIC_INTID_COUNT)
		return 4 | 8;
	return 0;
}

static unsigned redist_sizes(uint64_t o)
{
	if (o < 0x10000)
		return o == 4 || o == 0xc || o == 0x14 || o >= 0xffd0 ? 4 : o == 8 ? 12 : 0;
	o -= 0x10000;
	if (o >= 0x80 && o < 0x400)
		return o % 0x80 == 0 ? 4 : 0;
	if (o >= 0x400 && o < 0x420)
		return 1 | 4;
	return o == 0xc00 || o == 0xc04 ? 4 : 0;
}

static void sweep(enum vgic_frame frame, uint64_t base, uint64_t end, unsigned (*sizes)(uint64_t))
{
	for (uint64_t o = 0; o < end; o++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			bool there = !(o & (size - 1)) && (sizes(o) & size);
			uint64_t before;

			rig_write_sized(&r, 0, frame, base + o, size,
					UINT64_C(0xa5a5a5a5a5a5a5a5) * (o & 1 ? 1 : 3));
			before = rig_read_sized(&r, 0, frame, base + o, size);
			if (!there)
				assert_int_equal(before, 0);
			if (size < 8)
				assert_int_equal(before >> 8 * size, 0);
			rig_write_sized(&r, 0, frame, base + o, size, UINT64_MAX);
			rig_write_sized(&r, 0, frame, base + o, size, 0);
			if (!there)
				assert_int_equal(rig_read_sized(&r, 0, frame, base + o, size), 0);
		}
	}
}

static void every_distributor_offset_and_size_is_harmless(void **state)
{
	(void)state;
	rig_init(&r, 2);
	sweep(VGIC_DIST, 0, VGIC_DIST_SIZE, dist_sizes);
}

static void every_redistributor_offset_and_size_is_harmless(void **state)
{
	(void)state;
	rig_init(&r, 2);
	sweep(VGIC_REDIST, 0, VGIC_REDIST_SIZE, redist_sizes);
	sweep(VGIC_REDIST, VGIC_REDIST_SIZE, VGIC_REDIST_SIZE, redist_sizes);
}

static void beyond_the_last_redistributor_there_is_nothing(void **state)
{
	uint64_t value = 1;

	(void)state;
	rig_init(&r, 2);
	assert_false(vgic_mmio(&r.v, 0, VGIC_REDIST, 2 * VGIC_REDIST_SIZE, 4, false, &value));
	assert_false(vgic_mmio(&r.v, 0, VGIC_REDIST, UINT64_MAX - 3, 4, true, &value));
	assert_false(vgic_mmio(&r.v, 0, VGIC_DIST, VGIC_DIST_SIZE, 4, true, &value));
}

static void odd_sizes_are_ignored(void **state)
{
	(void)state;
	rig_init(&r, 1);
	for (unsigned size = 0; size < 40; size++) {
		uint64_t value = 1;

		if (size == 1 || size == 2 || size == 4 || size == 8)
			continue;
		assert_true(vgic_mmio(&r.v, 0, VGIC_DIST, 0, size, true, &value));
		assert_true(vgic_mmio(&r.v, 0, VGIC_DIST, 0, size, false, &value));
		assert_int_equal(value, 0);
	}
}

static void identification_is_a_gicv3_with_one_security_state(void **state)
{
	(void)state;
	vgic_init(&r.v, 3);
	assert_int_equal(dist_read(&r, 0), 0x50); /* DS, ARE */
	assert_int_equal(dist_read(&r, 4), 8 | 9 << 19 | 1 << 24 | 1 << 25);
	assert_int_equal(dist_read(&r, 8), 0x43b);
	assert_int_equal(dist_read(&r, 0xffe8), 0x3b);
	for (unsigned cpu = 0; cpu < 3; cpu++) {
		uint64_t base = VGIC_REDIST_SIZE * cpu;
		uint64_t typer = (uint64_t)cpu << 32 | cpu << 8 | (cpu == 2 ? 16u : 0);

		assert_true(rig_read_sized(&r, 0, VGIC_REDIST, base + 8, 8) == typer);
		assert_int_equal(rig_read_sized(&r, 0, VGIC_REDIST, base + 8, 4),
				 typer & UINT32_MAX);
		assert_int_equal(rig_read_sized(&r, 0, VGIC_REDIST, base + 12, 4), cpu);
		assert_int_equal(rig_read_sized(&r, 0, VGIC_REDIST, base + 0xffe8, 4), 0x3b);
		assert_int_equal(rig_read_sized(&r, 0, VGIC_REDIST, base + 0x14, 4), 6);
		rig_write_sized(&r, 0, VGIC_REDIST, base + 0x14, 4, 0);
		assert_int_equal(rig_read_sized(&r, 0, VGIC_REDIST, base + 0x14, 4), 0);
	}
	dist_write(&r, 0, UINT32_MAX);
	assert_int_equal(dist_read(&r, 0), 0x53);
}

static void registers_keep_what_they_implement(void **state)
{
	(void)state;
	rig_init(&r, 1);
	dist_write(&r, 0x400 + 40, 0x12345678);
	assert_int_equal(dist_read(&r, 0x400 + 40), 0x10305078);
	assert_int_equal(rig_read_sized(&r, 0, VGIC_DIST, 0x400 + 41, 1), 0x50);
	dist_write(&r, 0xc00 + 4 * (79 / 16), UINT32_MAX);
	assert_int_equal(dist_read(&r, 0xc00 + 4 * (79 / 16)), 0xaaaaaaaa);
	assert_int_equal(dist_read(&r, 0xc00 + 4 * (79 / 16) - 4), 0);
	sgi_write(&r, 0, 0xc00, 0);
	assert_int_equal(sgi_read(&r, 0, 0xc00), 0xaaaaaaaa);
	sgi_write(&r, 0, 0xc04, UINT32_MAX);
	assert_int_equal(sgi_read(&r, 0, 0xc04),
			 0xaaaaaaaa & ~(2u << 22)); /* 27 is a level for good */
	dist_write(&r, 0x104, 0xf0);
	dist_write(&r, 0x184, 0x30);
	assert_int_equal(dist_read(&r, 0x104), 0xc0);
	assert_int_equal(dist_read(&r, 0x184), 0xc0);
	rig_write_sized(&r, 0, VGIC_DIST, 0x6000 + 8 * 287, 8, UINT64_C(1) << 31 | 5);
	assert_int_equal(rig_read_sized(&r, 0, VGIC_DIST, 0x6000 + 8 * 287, 8), 5); /* no 1-of-N */
	rig_write_sized(&r, 0, VGIC_DIST, 0x6000 + 8 * 287, 8, UINT64_C(1) << 32);
	assert_int_equal(rig_read_sized(&r, 0, VGIC_DIST, 0x6000 + 8 * 287, 8), 0x100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_distributor_offset_and_size_is_harmless),
		cmocka_unit_test(every_redistributor_offset_and_size_is_harmless),
		cmocka_unit_test(beyond_the_last_redistributor_there_is_nothing),
		cmocka_unit_test(odd_sizes_are_ignored),
		cmocka_unit_test(identification_is_a_gicv3_with_one_security_state),
		cmocka_unit_test(registers_keep_what_they_implement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
