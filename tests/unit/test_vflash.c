/* SPDX-License-Identifier: MIT */
/* test_vflash.c - the command set of a flash bank, over contents kept in an array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "dev/vflash.h"

#define BLOCKS 3
#define SIZE (BLOCKS * VFLASH_BLOCK_SIZE)

struct rig {
	struct vflash flash;
	uint8_t *bytes;
	unsigned refuse; /* so many of the next changes find no memory */
	unsigned writes, erases;
};

static void rig_read(void *ctx, uint64_t offset, void *to, size_t size)
{
	memcpy(to, ((struct rig *)ctx)->bytes + offset, size);
}

static bool refused(struct rig *rig)
{
	if (!rig->refuse)
		return false;
	rig->refuse--;
	return true;
}

static bool rig_write(void *ctx, uint64_t offset, const void *from, size_t size)
{
	struct rig *rig = ctx;

	if (refused(rig))
		return false;
	memcpy(rig->bytes + offset, from, size);
	rig->writes++;
	return true;
}

static bool rig_erase(void *ctx, uint64_t block)
{
	struct rig *rig = ctx;

	assert_int_equal(block % VFLASH_BLOCK_SIZE, 0);
	if (refused(rig))
		return false;
	memset(rig->bytes + block, 0xff, VFLASH_BLOCK_SIZE);
	rig->erases++;
	return true;
}

static const struct vflash_ops ops = {.read = rig_read, .write = rig_write, .erase = rig_erase};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->bytes = malloc(SIZE);
	memset(rig->bytes, 0xff, SIZE);
	vflash_init(&rig->flash, &ops, rig);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	free(rig->bytes);
	free(rig);
	return 0;
}

static uint32_t read32(struct rig *rig, uint64_t offset)
{
	return (uint32_t)vflash_read(&rig->flash, offset, 4);
}

static void put(struct rig *rig, uint64_t offset, uint32_t value)
{
	assert_true(vflash_write(&rig->flash, offset, 4, value));
}

static void it_shows_its_array_after_reset_and_after_each_way_back(void **state)
{
	static const uint32_t back[] = {0xff, 0xf0, 0x00, 0x50, 0x33};
	struct rig *rig = *state;

	rig->bytes[5] = 0x12;
	assert_int_equal(read32(rig, 4), 0xffff12ff);
	for (size_t i = 0; i < sizeof(back) / sizeof(back[0]); i++) {
		put(rig, 0, 0x70);
		assert_false(vflash_shows_array(&rig->flash));
		put(rig, 0, back[i]);
		assert_true(vflash_shows_array(&rig->flash));
		assert_int_equal(read32(rig, 4), 0xffff12ff);
	}
	assert_int_equal(rig->writes + rig->erases, 0);
}

static void its_query_structure_says_what_it_is(void **state)
{
	struct rig *rig = *state;

	put(rig, 0x55 * 4, 0x98);
	assert_int_equal(read32(rig, 0x10 * 4), 'Q' << 16 | 'Q');
	assert_int_equal(read32(rig, 0x11 * 4), 'R' << 16 | 'R');
	assert_int_equal(read32(rig, 0x12 * 4), 'Y' << 16 | 'Y');
	assert_int_equal(read32(rig, 0x27 * 4) & 0xff, 25);
	assert_int_equal(2u << 25, VFLASH_BANK_SIZE);
	assert_int_equal(1u << (read32(rig, 0x2a * 4) & 0xff), VFLASH_BUFFER_SIZE);
	assert_int_equal(
		2 * 256 * ((read32(rig, 0x30 * 4) & 0xff) << 8 | (read32(rig, 0x2f * 4) & 0xff)),
		VFLASH_BLOCK_SIZE);
	assert_int_equal(read32(rig, 0x4000), 0);
	assert_int_equal(vflash_read(&rig->flash, 0x10 * 4, 8), 0x0052005200510051);
	put(rig, 0, 0x70); /* is not taken: only ff ends it */
	assert_int_equal(read32(rig, 0x10 * 4) & 0xff, 'Q');
	put(rig, 0, 0xff);
	put(rig, 0, 0x90);
	assert_int_equal(read32(rig, 0), 0x00890089);
	assert_int_equal(read32(rig, 4), 0x00180018);
	assert_int_equal(read32(rig, 8), 0);
}

static void words_and_bytes_are_programmed_and_blocks_erased(void **state)
{
	struct rig *rig = *state;

	put(rig, 0x40, 0x40);
	put(rig, 0x40, 0x12345678);
	assert_int_equal(read32(rig, 0x40), 0x00800080);
	assert_true(vflash_write(&rig->flash, 0x45, 1, 0x10));
	assert_true(vflash_write(&rig->flash, 0x45, 1, 0xab));
	assert_int_equal(vflash_read(&rig->flash, 0x45, 1), 0x80);
	put(rig, 0, 0xff);
	assert_int_equal(read32(rig, 0x40), 0x12345678);
	assert_int_equal(read32(rig, 0x44), 0xffffabff);
	memset(rig->bytes, 0, SIZE);
	put(rig, VFLASH_BLOCK_SIZE + 0x1234, 0x20);
	put(rig, VFLASH_BLOCK_SIZE + 0x1234, 0xd0);
	assert_int_equal(read32(rig, 0), 0x00800080);
	put(rig, 0, 0xff);
	assert_int_equal(read32(rig, VFLASH_BLOCK_SIZE - 4), 0);
	assert_int_equal(read32(rig, VFLASH_BLOCK_SIZE), 0xffffffff);
	assert_int_equal(read32(rig, 2 * VFLASH_BLOCK_SIZE - 4), 0xffffffff);
	assert_int_equal(read32(rig, 2 * VFLASH_BLOCK_SIZE), 0);
}

static void the_buffer_takes_what_was_announced_and_a_confirmation(void **state)
{
	struct rig *rig = *state;

	put(rig, 0x100, 0xe8);
	assert_int_equal(read32(rig, 0x100), 0x00800080);
	put(rig, 0x100, 0x00030003); /* four writes */
	for (uint32_t i = 0; i < 4; i++)
		put(rig, 0x100 + 4 * i, i);
	assert_int_equal(rig->writes, 4);
	put(rig, 0x100, 0xd0);
	put(rig, 0, 0xff);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(read32(rig, 0x100 + 4 * i), i);
	put(rig, 0x200, 0xe8);
	put(rig, 0x200, 0);
	put(rig, 0x200, 7);
	put(rig, 0x200, 0x70); /* no confirmation */
	assert_true(vflash_shows_array(&rig->flash));
}

static void locks_are_answered(void **state)
{
	struct rig *rig = *state;

	put(rig, 0, 0x60);
	put(rig, 0, 0x01);
	assert_int_equal(read32(rig, 0), 0x00800080);
	put(rig, 0, 0x60);
	put(rig, 0, 0xd0);
	assert_int_equal(read32(rig, 0), 0x00800080);
	put(rig, 0, 0x60);
	put(rig, 0, 0x77);
	assert_true(vflash_shows_array(&rig->flash));
}

/* Every command over storage that sometimes has no memory: what was refused changed nothing and works the second time. */
static void without_memory_nothing_happens_and_it_can_be_tried_again(void **state)
{
	static const uint8_t words[] = {0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90,
					0x98, 0xd0, 0xe8, 0xf0, 0xff, 1,    2};
	struct rig *rig = *state;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		struct vflash_state before = rig->flash.state;
		uint64_t offset = (uint64_t)(rand() % (int)SIZE) & ~7ul;
		unsigned size = 1u << rand() % 4, changes = rig->writes + rig->erases;
		uint64_t value = words[(size_t)rand() % sizeof(words)];

		rig->refuse = rand() % 4 == 0;
		if (!vflash_write(&rig->flash, offset, size, value)) {
			assert_memory_equal(&before, &rig->flash.state, sizeof(before));
			assert_int_equal(changes, rig->writes + rig->erases);
			assert_true(vflash_write(&rig->flash, offset, size, value));
			assert_int_equal(changes + 1, rig->writes + rig->erases);
		}
		assert_true(rig->flash.state.cycle <= 3);
		if (vflash_shows_array(&rig->flash))
			assert_int_equal(rig->flash.state.cycle, 0);
		else
			vflash_read(&rig->flash, offset, size);
	}
	assert_true(rig->writes > 1000 && rig->erases > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			it_shows_its_array_after_reset_and_after_each_way_back, setup, teardown),
		cmocka_unit_test_setup_teardown(its_query_structure_says_what_it_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(words_and_bytes_are_programmed_and_blocks_erased,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_buffer_takes_what_was_announced_and_a_confirmation, setup, teardown),
		cmocka_unit_test_setup_teardown(locks_are_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(
			without_memory_nothing_happens_and_it_can_be_tried_again, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
