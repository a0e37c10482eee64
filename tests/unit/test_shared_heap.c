/* SPDX-License-Identifier: MIT */
/* test_shared_heap.c - the allocator inside a region, against a list of what is out, with members that die. */
#include "shared_rig.h"

#include "shared/heap.h"

#define SIZE 0x10000
#define UNIT 64
#define MEMBERS 3
#define MOST 64

static struct rig *rig;
static unsigned char *memory;
static struct shared_heap heaps[MEMBERS];

static void open_heap(uint32_t member)
{
	assert_int_equal(
		shared_heap_open(&heaps[member], &rig->members[member].view, memory, SIZE, UNIT),
		SHARED_OK);
}

static int begin(void **state)
{
	(void)state;
	rig = rig_new();
	memory = aligned_alloc(4096, SIZE);
	memset(memory, 0, SIZE);
	for (uint32_t i = 0; i < MEMBERS; i++)
		open_heap(i);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_free(rig);
	free(memory);
	return 0;
}

struct block {
	uint64_t offset, size;
	unsigned char fill;
};

static void check_filled(const struct block *block, unsigned char fill)
{
	for (uint64_t i = 0; i < block->size; i++)
		if (memory[block->offset + i] != fill)
			fail_msg("byte %lu of a block is %u instead of %u", (unsigned long)i,
				 memory[block->offset + i], fill);
}

static uint64_t free_bytes(void)
{
	uint64_t bytes;

	assert_int_equal(shared_heap_free_bytes(&heaps[0], &bytes, SHARED_NOW), SHARED_OK);
	return bytes;
}

static void random_blocks_are_zero_and_never_overlap(void **state)
{
	struct block blocks[MOST];
	unsigned int count = 0, refused = 0;
	uint64_t seed = 4711, all = free_bytes();

	(void)state;
	print_message("seed %lu\n", (unsigned long)seed);
	for (unsigned long i = 0; i < rig_count(20000, 2000000); i++) {
		uint64_t r = rig_random(&seed);
		struct shared_heap *heap = &heaps[r % MEMBERS];

		if (count < MOST && (r >> 8 & 1)) {
			struct block b = {.size = 1 + (r >> 16) % 4000,
					  .fill = (unsigned char)(r >> 40 | 1)};
			int status = shared_heap_allocate(heap, b.size, &b.offset, SHARED_NOW);

			if (status == SHARED_FULL) {
				refused++;
				continue;
			}
			assert_int_equal(status, SHARED_OK);
			assert_true(b.offset >= heap->first && b.offset + b.size <= SIZE);
			check_filled(&b, 0);
			memset(memory + b.offset, b.fill, b.size);
			blocks[count++] = b;
		} else if (count) {
			unsigned int at = (unsigned int)(r >> 16) % count;

			check_filled(&blocks[at], blocks[at].fill);
			assert_int_equal(shared_heap_free(heap, blocks[at].offset, SHARED_NOW),
					 SHARED_OK);
			assert_int_equal(shared_heap_free(heap, blocks[at].offset, SHARED_NOW),
					 SHARED_INVALID);
			blocks[at] = blocks[--count];
		}
	}
	assert_true(refused > 10);
	while (count)
		assert_int_equal(shared_heap_free(&heaps[0], blocks[--count].offset, SHARED_NOW),
				 SHARED_OK);
	assert_int_equal(free_bytes(), all);
}

static void all_of_it_can_be_one_block(void **state)
{
	uint64_t all = free_bytes(), offset, other;

	(void)state;
	assert_int_equal(shared_heap_allocate(&heaps[0], all, &offset, SHARED_NOW), SHARED_OK);
	assert_int_equal(shared_heap_allocate(&heaps[1], 1, &other, SHARED_NOW), SHARED_FULL);
	assert_int_equal(shared_heap_free(&heaps[1], offset, SHARED_NOW), SHARED_OK);
	assert_int_equal(shared_heap_allocate(&heaps[0], all + 1, &offset, SHARED_NOW),
			 SHARED_FULL);
	assert_int_equal(shared_heap_allocate(&heaps[0], UINT64_MAX, &offset, SHARED_NOW),
			 SHARED_FULL);
	assert_int_equal(shared_heap_allocate(&heaps[0], 0, &offset, SHARED_NOW), SHARED_INVALID);
}

static void only_beginnings_of_blocks_can_be_freed(void **state)
{
	uint64_t offset;
	struct shared_heap *heap = &heaps[0];

	(void)state;
	assert_int_equal(shared_heap_allocate(heap, 1000, &offset, SHARED_NOW), SHARED_OK);
	assert_int_equal(shared_heap_free(heap, offset + 1, SHARED_NOW), SHARED_INVALID);
	assert_int_equal(shared_heap_free(heap, offset + UNIT, SHARED_NOW), SHARED_INVALID);
	assert_int_equal(shared_heap_free(heap, 0, SHARED_NOW), SHARED_INVALID);
	assert_int_equal(shared_heap_free(heap, SIZE, SHARED_NOW), SHARED_INVALID);
	assert_int_equal(shared_heap_free(heap, UINT64_MAX - UNIT + 1, SHARED_NOW), SHARED_INVALID);
	assert_int_equal(shared_heap_free(heap, offset, SHARED_NOW), SHARED_OK);
}

static void blocks_of_the_dead_stay_until_reaped(void **state)
{
	uint64_t all = free_bytes(), mine, theirs[3];
	uint32_t count;

	(void)state;
	assert_int_equal(shared_heap_allocate(&heaps[0], 100, &mine, SHARED_NOW), SHARED_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(shared_heap_allocate(&heaps[1], 100, &theirs[i], SHARED_NOW),
				 SHARED_OK);
	assert_int_equal(shared_heap_reap(&heaps[0], &count, SHARED_NOW), SHARED_OK);
	assert_int_equal(count, 0);
	rig_next_life(rig, 1);
	assert_int_equal(free_bytes(), all - 4 * 128);
	assert_int_equal(shared_heap_free(&heaps[2], theirs[1], SHARED_NOW), SHARED_OK);
	assert_int_equal(shared_heap_reap(&heaps[2], &count, SHARED_NOW), SHARED_OK);
	assert_int_equal(count, 2);
	assert_int_equal(free_bytes(), all - 128);
	assert_int_equal(shared_heap_free(&heaps[0], mine, SHARED_NOW), SHARED_OK);
}

static void death_in_the_lock_leaves_the_heap_whole(void **state)
{
	struct shared_hold hold;
	uint64_t all = free_bytes(), offset;

	(void)state;
	assert_int_equal(
		shared_lock_acquire(heaps[1].view, &heaps[1].head->lock, &hold, SHARED_NOW),
		SHARED_OK);
	memset(memory + heaps[1].first, 0xee, 500); /* it was using what it was about to get */
	rig_set(rig, 1, 7, AV_MEMBER_STOPPED);
	assert_int_equal(shared_heap_allocate(&heaps[0], 500, &offset, SHARED_NOW), SHARED_OK);
	check_filled(&(struct block){.offset = offset, .size = 500}, 0);
	assert_int_equal(shared_heap_free(&heaps[0], offset, SHARED_NOW), SHARED_OK);
	assert_int_equal(free_bytes(), all);
}

static void members_must_agree_on_the_shape(void **state)
{
	struct shared_heap other;

	(void)state;
	assert_int_equal(shared_heap_open(&other, &rig->members[3].view, memory, SIZE, 2 * UNIT),
			 SHARED_INVALID);
	assert_int_equal(shared_heap_open(&other, &rig->members[3].view, memory, SIZE / 2, UNIT),
			 SHARED_INVALID);
	assert_int_equal(shared_heap_open(&other, &rig->members[3].view, memory + 64, SIZE, UNIT),
			 SHARED_INVALID);
	assert_int_equal(shared_heap_open(&other, &rig->members[3].view, memory, 600, UNIT),
			 SHARED_INVALID);
	assert_int_equal(shared_heap_open(&other, &rig->members[3].view, memory, SIZE, 32),
			 SHARED_INVALID);
}

/* Whatever a member writes over it, nothing outside is touched: ASan stands behind the last byte. */
static void any_bytes_for_a_heap_are_survived(void **state)
{
	uint64_t seed = 0x2545f4914f6cdd1dull;
	unsigned long corrupt = 0;

	(void)state;
	for (unsigned long i = 0; i < rig_count(20000, 1000000); i++) {
		uint64_t r = rig_random(&seed), offset = (r >> 20) % (2 * SIZE) & ~63ull;
		uint32_t count;

		atomic_store(&heaps[0].entries[r % heaps[0].count],
			     rig_random(&seed) >> (r >> 40 & 63));
		if (r & 1)
			corrupt += shared_heap_allocate(&heaps[0], 1 + (r >> 8 & 0xfff), &offset,
							SHARED_NOW) == SHARED_CORRUPT;
		else
			shared_heap_free(&heaps[0], offset, SHARED_NOW);
		if (r % 100 == 0) {
			shared_heap_reap(&heaps[0], &count, SHARED_NOW);
			memset((void *)heaps[0].entries, 0, 8 * heaps[0].count);
		}
	}
	assert_true(corrupt > 100);
}

static void *allocate_and_free(void *context)
{
	struct rig_member *self = context;
	struct shared_heap heap;
	uint64_t seed = 99 + self->view.self;

	if (shared_heap_open(&heap, &self->view, memory, SIZE, UNIT))
		return "open";
	for (unsigned long i = 0; i < rig_count(1000, 100000); i++) {
		uint64_t offset, size = 8 + 8 * (rig_random(&seed) % 100);
		_Atomic uint64_t *word;

		if (shared_heap_allocate(&heap, size, &offset, SHARED_FOREVER))
			return "allocate";
		word = shared_heap_at(&heap, offset);
		for (uint64_t w = 0; w < size / 8; w++)
			if (atomic_exchange(&word[w], self->view.self + 1) != 0)
				return "not zero, or not alone";
		for (uint64_t w = 0; w < size / 8; w++)
			if (atomic_load(&word[w]) != self->view.self + 1)
				return "not alone";
		if (shared_heap_free(&heap, offset, SHARED_FOREVER))
			return "free";
	}
	return NULL;
}

static void threads_never_get_each_others_blocks(void **state)
{
	pthread_t threads[MEMBERS];
	void *wrong;
	uint64_t all = free_bytes();

	(void)state;
	for (uint32_t i = 0; i < MEMBERS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, allocate_and_free, &rig->members[i]), 0);
	for (uint32_t i = 0; i < MEMBERS; i++) {
		pthread_join(threads[i], &wrong);
		if (wrong)
			fail_msg("%s", (char *)wrong);
	}
	assert_int_equal(free_bytes(), all);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	static const struct CMUnitTest tests[] = {
		TEST(random_blocks_are_zero_and_never_overlap),
		TEST(all_of_it_can_be_one_block),
		TEST(only_beginnings_of_blocks_can_be_freed),
		TEST(blocks_of_the_dead_stay_until_reaped),
		TEST(death_in_the_lock_leaves_the_heap_whole),
		TEST(members_must_agree_on_the_shape),
		TEST(any_bytes_for_a_heap_are_survived),
		TEST(threads_never_get_each_others_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
