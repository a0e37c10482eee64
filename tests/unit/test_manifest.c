/* SPDX-License-Identifier: MIT */
/* test_manifest.c - a manifest is accepted as valid or refused by the name of what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "manifest_rig.h"

/* Check a copy of exactly max_size bytes, so that reading past them is seen. */
static const char *check(const struct rig *rig, size_t max_size, char name[64])
{
	uint8_t *bytes = malloc(max_size ? max_size : 1);
	struct manifest_view view;
	const char *wrong;

	assert_non_null(bytes);
	memcpy(bytes, rig, max_size < sizeof(*rig) ? max_size : sizeof(*rig));
	wrong = manifest_check((const struct av_manifest *)bytes, max_size, &view);
	if (wrong)
		snprintf(name, 64, "%s", wrong);
	else
		rig_walk(&view);
	free(bytes);
	return wrong ? name : NULL;
}

static void a_good_manifest_is_accepted(void **state)
{
	struct rig rig;
	char name[64];

	(void)state;
	rig_make(&rig);
	assert_null(check(&rig, sizeof(rig), name));
}

static void a_manifest_cut_off_anywhere_is_refused(void **state)
{
	struct rig rig;
	char name[64];

	(void)state;
	rig_make(&rig);
	for (size_t size = 0; size < sizeof(rig); size++)
		assert_string_equal(check(&rig, size, name), "manifest_size");
}

/* A name is a field of the head, or TABLE[INDEX].FIELD. */
static bool is_field_name(const char *name)
{
	static const char *const heads[] = {
		"magic",         "abi_major",    "abi_minor",    "manifest_size", "bundle_size",
		"checksum",      "ram_size",     "cpu_count",    "flags",         "vm_count",
		"segment_count", "region_count", "member_count", "shm_size",      "set_size"};
	char table[16], field[16];
	unsigned index;

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (!strcmp(heads[i], name))
			return true;
	return sscanf(name, "%15[a-z][%u].%15[a-z0-9_]", table, &index, field) == 3;
}

static void every_flipped_bit_is_refused_by_the_checksum_or_a_field(void **state)
{
	struct rig rig;
	char name[64];

	(void)state;
	for (size_t bit = 0; bit < sizeof(rig) * 8; bit++) {
		rig_make(&rig);
		((uint8_t *)&rig)[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_non_null(check(&rig, sizeof(rig), name));
		assert_true(is_field_name(name));
	}
}

static void every_flipped_bit_with_the_checksum_recomputed_is_valid_or_refused(void **state)
{
	size_t accepted = 0, refused = 0;
	struct rig rig;
	char name[64];

	(void)state;
	for (size_t bit = 0; bit < sizeof(rig) * 8; bit++) {
		rig_make(&rig);
		((uint8_t *)&rig)[bit / 8] ^= (uint8_t)(1U << bit % 8);
		rig_sign(&rig);
		if (check(&rig, sizeof(rig), name)) {
			assert_true(is_field_name(name));
			refused++;
		} else {
			accepted++;
		}
	}
	/* The entropy, x0, keep and some bits of names, sizes and budgets are free. */
	assert_true(accepted > 256 && refused > 3000);
}

static void every_pair_of_flipped_bits_near_each_other_is_valid_or_refused(void **state)
{
	struct rig rig;
	char name[64];

	(void)state;
	for (size_t bit = 0; bit < sizeof(rig) * 8; bit += 3) {
		for (size_t other = bit + 1; other < bit + 64 && other < sizeof(rig) * 8;
		     other += 5) {
			rig_make(&rig);
			((uint8_t *)&rig)[bit / 8] ^= (uint8_t)(1U << bit % 8);
			((uint8_t *)&rig)[other / 8] ^= (uint8_t)(1U << other % 8);
			rig_sign(&rig);
			if (check(&rig, sizeof(rig), name))
				assert_true(is_field_name(name));
		}
	}
}

#define WRONG(name, ...)                                        \
	do {                                                    \
		rig_make(&rig);                                 \
		__VA_ARGS__;                                    \
		rig_sign(&rig);                                 \
		if (!check(&rig, sizeof(rig), text))            \
			fail_msg("accepted: %s", #__VA_ARGS__); \
		assert_string_equal(text, name);                \
	} while (0)

static void what_is_wrong_with_the_head_is_named(void **state)
{
	struct rig rig;
	char text[64];

	(void)state;
	WRONG("magic", rig.head.magic++);
	WRONG("abi_major", rig.head.abi_major++);
	WRONG("abi_minor", rig.head.abi_minor++);
	WRONG("manifest_size", rig.head.manifest_size += 8);
	WRONG("manifest_size", rig.head.vm_count--);
	WRONG("bundle_size", rig.head.bundle_size++);
	WRONG("bundle_size", rig.head.bundle_size = 0);
	WRONG("bundle_size", rig.head.bundle_size = rig.head.ram_size - 0xfff000);
	WRONG("ram_size", rig.head.ram_size += 0x1000);
	WRONG("ram_size", rig.head.ram_size = 0x1000000);
	WRONG("ram_size", rig.head.ram_size = UINT64_C(0xffffffffffe00000));
	WRONG("cpu_count", rig.head.cpu_count = 0);
	WRONG("cpu_count", rig.head.cpu_count = 9);
	WRONG("flags", rig.head.flags = 1);
	WRONG("shm_size", rig.head.shm_size = 0x800);
	WRONG("shm_size", rig.head.shm_size = rig.head.ram_size + 0x1000);
	WRONG("vm_count", rig.head.vm_count = 0);
	WRONG("vm_count", rig.head.vm_count = AV_VM_MAX + 1);
	WRONG("segment_count", rig.head.segment_count = UINT32_MAX);
	WRONG("region_count", rig.head.region_count = UINT32_MAX);
	WRONG("member_count", rig.head.member_count = UINT32_MAX);
	rig_make(&rig);
	rig.head.checksum ^= 1;
	assert_string_equal(check(&rig, sizeof(rig), text), "checksum");
}

static void what_is_wrong_with_a_vm_is_named(void **state)
{
	struct rig rig;
	char text[64];

	(void)state;
	WRONG("vm[1].name", rig.vms[1].name[0] = 0);
	WRONG("vm[1].name", rig.vms[1].name[1] = '/');
	WRONG("vm[1].name", memset(rig.vms[1].name, 'a', 32));
	WRONG("vm[1].name", rig.vms[1].name[20] = 'x');
	WRONG("vm[2].name", memcpy(rig.vms[2].name, "vm1", 4));
	WRONG("vm[0].flags", rig.vms[0].flags = 0);
	WRONG("vm[2].flags", rig.vms[2].flags = AV_VM_FLAG_CONTROL);
	WRONG("vm[1].flags", rig.vms[1].flags = 0x80000000);
	WRONG("vm[1].vcpu_count", rig.vms[1].vcpu_count = 0);
	WRONG("vm[1].vcpu_count", rig.vms[1].vcpu_count = 9);
	WRONG("vm[1].vcpu_cpu", rig.vms[1].vcpu_cpu[0] = 2);
	WRONG("vm[1].vcpu_cpu", rig.vms[1].vcpu_cpu[1] = 0);
	WRONG("vm[1].ram_base", rig.vms[1].ram_base = 0);
	WRONG("vm[1].ram_base", rig.vms[1].ram_base += 0x1000);
	WRONG("vm[1].ram_base", rig.vms[1].ram_base = UINT64_C(1) << 36);
	WRONG("vm[2].ram_size", rig.vms[2].ram_size = 0);
	WRONG("vm[2].ram_size", rig.vms[2].ram_size += 1);
	WRONG("vm[2].ram_size", rig.vms[2].ram_size = UINT64_C(1) << 36);
	WRONG("vm[2].ram_size", rig.vms[2].ram_size = UINT64_C(0xffffffffffe00000));
	WRONG("vm[2].entry", rig.vms[2].entry = 0x41000000);
	WRONG("vm[2].entry", rig.vms[2].entry += 2);
	WRONG("vm[2].frame_budget", rig.vms[2].frame_budget = 0);
	WRONG("vm[2].frame_budget", rig.vms[2].frame_budget = UINT64_MAX);
	WRONG("vm[2].slice_ns", rig.vms[2].slice_ns = UINT64_MAX);
	WRONG("vm[2].snapshot_keep", rig.vms[2].snapshot_keep = AV_SNAPSHOT_MAX + 1);
	WRONG("vm[1].segment_first", rig.vms[1].segment_first = 0);
	WRONG("vm[2].segment_count", rig.vms[2].segment_count = UINT32_MAX);
	WRONG("segment_count", rig.vms[2].segment_count = 0);
	WRONG("vm[2].reserved", rig.vms[2].reserved = 1);
}

static void flash_takes_an_image_at_the_start_of_a_bank(void **state)
{
	struct rig rig;
	char text[64];

	(void)state;
	rig_make(&rig);
	rig.vms[1].flags |= AV_VM_FLAG_FLASH;
	rig.vms[1].entry = 0;
	rig.segments[rig.vms[1].segment_first].ipa = AV_FLASH_SIZE / 2;
	rig_sign(&rig);
	assert_null(check(&rig, sizeof(rig), text));
	WRONG("segment[0].ipa", rig.segments[0].ipa = 0);
	WRONG("vm[1].entry", rig.vms[1].entry = 0);
	WRONG("segment[1].ipa", (rig.vms[1].flags |= AV_VM_FLAG_FLASH,
				 rig.segments[rig.vms[1].segment_first].ipa = 0x1000));
	WRONG("vm[1].entry",
	      (rig.vms[1].flags |= AV_VM_FLAG_FLASH, rig.vms[1].entry = AV_FLASH_SIZE));
	WRONG("vm[1].ram_base",
	      (rig.vms[1].flags |= AV_VM_FLAG_FLASH, rig.vms[1].ram_base += 0x200000));
}

static void what_is_wrong_with_a_segment_is_named(void **state)
{
	struct rig rig;
	char text[64];

	(void)state;
	WRONG("segment[0].size", rig.segments[0].size = 0);
	WRONG("segment[0].size", rig.segments[0].size = UINT64_MAX);
	WRONG("segment[0].ipa", rig.segments[0].ipa += 0x800);
	WRONG("segment[0].ipa", rig.segments[0].ipa = 0x40fff000);
	WRONG("segment[0].ipa", rig.segments[0].ipa = 0x3ffff000);
	WRONG("segment[2].ipa", rig.segments[2].ipa = rig.segments[1].ipa);
	WRONG("segment[3].offset", rig.segments[3].offset += 8);
	WRONG("segment[3].offset", rig.segments[3].offset = 0);
	WRONG("segment[3].offset", rig.segments[3].offset = 0x20000);
	WRONG("segment[3].offset", rig.segments[3].offset = UINT64_C(0xfffffffffffff000));
}

static void what_is_wrong_with_a_region_is_named(void **state)
{
	struct rig rig;
	char text[64];

	(void)state;
	WRONG("region[0].name", rig.regions[0].name[0] = 'B');
	WRONG("region[1].name", memcpy(rig.regions[1].name, "board", 6));
	WRONG("region[0].size", rig.regions[0].size = 0);
	WRONG("region[0].size", rig.regions[0].size = 0x1001);
	WRONG("region[0].size", rig.regions[0].size = UINT64_C(0xfffffffffffff000));
	WRONG("region[0].ipa", rig.regions[0].ipa += 0x1000);
	WRONG("region[0].ipa", rig.regions[0].ipa = 0x3fe00000);
	WRONG("region[0].ipa", rig.regions[0].ipa = UINT64_C(1) << 36);
	WRONG("region[1].ipa", rig.regions[1].ipa = rig.regions[0].ipa);
	WRONG("region[1].offset", rig.regions[1].offset = rig.regions[0].offset);
	WRONG("region[0].offset", rig.regions[0].offset = 0x3000);
	WRONG("region[0].offset", rig.regions[0].offset = 0x1f000);
	WRONG("region[0].offset", rig.regions[0].offset = 0);
	WRONG("region[0].member_count", rig.regions[0].member_count = 0);
	WRONG("region[0].member_count", rig.regions[0].member_count = UINT32_MAX);
	WRONG("region[1].member_first", rig.regions[1].member_first = 0);
	/* The state table's page is part of it. */
	WRONG("region[0].offset", rig.regions[0].offset = 0x1e000);
	WRONG("region[1].offset", rig.regions[1].offset = 0x12000);
	WRONG("region[1].ipa", rig.regions[0].size = 0x200000 - 0x1000,
	      rig.head.bundle_size = 0x400000, rig.regions[0].offset = 0x20000,
	      rig.regions[0].size += 0x1000);
	WRONG("region[0].output_size", rig.regions[0].output_size = 0x800);
	WRONG("region[0].output_size", rig.regions[0].output_size = 0x2000);
	WRONG("region[0].output_size", rig.regions[0].output_size = UINT64_C(0x8000000000001000));
	WRONG("member[1].vm", rig.members[1].vm = 1);
	WRONG("member[1].vm", rig.members[1].vm = 3);
	WRONG("member[1].vm", rig.members[1].vm = 0);
	WRONG("member[0].vm", rig.regions[0].ipa = 0x40e00000);
	WRONG("member[0].rights", rig.members[0].rights = AV_RIGHT_WRITE);
	WRONG("member[0].rights", rig.members[0].rights = 0);
	WRONG("member[0].rights", rig.members[0].rights = 7);
}

static void only_regions_without_a_common_member_may_have_one_address(void **state)
{
	struct rig rig;
	char text[64];

	(void)state;
	rig_make(&rig);
	rig.regions[0].member_count = 1;
	rig.regions[1].member_first = 1;
	rig.regions[1].ipa = rig.regions[0].ipa;
	rig.head.member_count = 2;
	rig.head.manifest_size -= (uint32_t)sizeof(rig.members[0]);
	rig_sign(&rig);
	assert_null(check(&rig, rig.head.manifest_size, text));
	rig.members[1].vm = 1;
	rig_sign(&rig);
	assert_string_equal(check(&rig, sizeof(rig), text), "region[1].ipa");
}

static void budgets_that_exceed_the_frames_are_named(void **state)
{
	struct manifest_view view;
	struct rig rig;

	(void)state;
	rig_make(&rig);
	assert_null(manifest_check(&rig.head, sizeof(rig), &view));
	assert_null(manifest_check_frames(&view, 15000));
	assert_string_equal(manifest_check_frames(&view, 14999), "vm[2].frame_budget");
	assert_string_equal(manifest_check_frames(&view, 4999), "vm[0].frame_budget");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_manifest_is_accepted),
		cmocka_unit_test(a_manifest_cut_off_anywhere_is_refused),
		cmocka_unit_test(every_flipped_bit_is_refused_by_the_checksum_or_a_field),
		cmocka_unit_test(
			every_flipped_bit_with_the_checksum_recomputed_is_valid_or_refused),
		cmocka_unit_test(every_pair_of_flipped_bits_near_each_other_is_valid_or_refused),
		cmocka_unit_test(what_is_wrong_with_the_head_is_named),
		cmocka_unit_test(what_is_wrong_with_a_vm_is_named),
		cmocka_unit_test(what_is_wrong_with_a_segment_is_named),
		cmocka_unit_test(flash_takes_an_image_at_the_start_of_a_bank),
		cmocka_unit_test(what_is_wrong_with_a_region_is_named),
		cmocka_unit_test(only_regions_without_a_common_member_may_have_one_address),
		cmocka_unit_test(budgets_that_exceed_the_frames_are_named),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
