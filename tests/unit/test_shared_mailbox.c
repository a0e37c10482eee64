/* SPDX-License-Identifier: MIT */
/* test_shared_mailbox.c - channels between threads: whole messages, in order, none lost or doubled, over deaths too. */
#include "shared_rig.h"

#include "shared/mailbox.h"
#include "shared/sequence.h"

#define MEMBERS 3

static struct rig *rig;
static struct shared_mailbox *mailbox;

static int begin(void **state)
{
	(void)state;
	rig = rig_new();
	mailbox = calloc(1, sizeof(*mailbox));
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_free(rig);
	free(mailbox);
	return 0;
}

static struct shared_box box(uint32_t member, const char *name)
{
	struct shared_box opened;

	assert_int_equal(shared_box_open(&opened, &rig->members[member].view, mailbox, name,
					 rig_now(NULL) + 10 * RIG_HZ),
			 SHARED_OK);
	return opened;
}

static int send_number(struct shared_box *to, uint64_t number)
{
	return shared_box_send(to, &number, sizeof(number), SHARED_NOW);
}

static int receive_number(struct shared_box *from, uint64_t *number)
{
	uint32_t size, who;

	return shared_box_receive(from, number, sizeof(*number), &size, &who, SHARED_NOW);
}

/* Each member has a channel of its own; it sends to the next two in turns and receives from them. */
struct talker {
	struct rig_member *member;
	const char *wrong;
	bool receives;
};
static const char *const names[MEMBERS] = {"mailbox-test-a", "mailbox-test-b", "mailbox-test-c"};
static _Atomic uint64_t sent[MEMBERS], received[MEMBERS]; /* by channel */

/* Length and bytes of the n-th message from one to another, both sides know. */
static uint32_t message_make(unsigned char *message, uint32_t from, uint32_t to, uint64_t n)
{
	uint64_t seed = (n + 1) * 0x9e3779b97f4a7c15ull + from * 3 + to;
	uint32_t size;

	rig_random(&seed);
	size = 2 * (uint32_t)(1 + rig_random(&seed) % 14); /* 2 to 28 bytes */
	for (uint32_t i = 0; i < size; i++)
		message[i] = (unsigned char)(i % 2 ? n : from);
	return size;
}

static void *talk(void *context)
{
	struct talker *self = context;
	uint32_t me = self->member->view.self % MEMBERS;
	unsigned long count = rig_count(4000, 1000000);
	uint64_t deadline = rig_now(NULL) + rig_count(60, 3600) * RIG_HZ, next[MEMBERS] = {0};
	struct shared_box boxes[MEMBERS];

	for (uint32_t i = 0; i < MEMBERS; i++)
		if (shared_box_open(&boxes[i], &self->member->view, mailbox, names[i], deadline))
			return (void *)(uintptr_t)(self->wrong = "open");
	for (unsigned long i = 0; i < 2 * count; i++) {
		unsigned char message[28], expected[28];
		uint32_t size, from, to = (me + 1 + (uint32_t)(i % 2)) % MEMBERS;

		if (!self->receives) {
			size = message_make(message, me, to, i / 2);
			atomic_fetch_add(&sent[to], 1);
			if (shared_box_send(&boxes[to], message, size, deadline))
				return (void *)(uintptr_t)(self->wrong = "send");
			continue;
		}
		if (shared_box_receive(&boxes[me], message, sizeof(message), &size, &from,
				       deadline))
			return (void *)(uintptr_t)(self->wrong = "receive");
		if (atomic_fetch_add(&received[me], 1) + 1 > atomic_load(&sent[me]))
			self->wrong = "received more than was sent";
		if (from == me || from >= MEMBERS)
			return (void *)(uintptr_t)(self->wrong = "a wrong sender");
		if (size != message_make(expected, from, me, next[from]++) ||
		    memcmp(message, expected, size) != 0)
			self->wrong = "a message that was not the next one";
	}
	return NULL;
}

/* A member sends from one VM and receives in another: two contexts of a member may not share it. */
static void three_channels_between_six_members(void **state)
{
	struct talker talkers[2 * MEMBERS] = {0};
	pthread_t threads[2 * MEMBERS];

	(void)state;
	for (uint32_t i = 0; i < 2 * MEMBERS; i++) {
		talkers[i].member = &rig->members[i];
		talkers[i].receives = i >= MEMBERS;
		assert_int_equal(i, rig->members[i].view.self);
	}
	for (uint32_t i = 0; i < MEMBERS; i++) {
		atomic_store(&sent[i], 0);
		atomic_store(&received[i], 0);
	}
	for (uint32_t i = 0; i < 2 * MEMBERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, talk, &talkers[i]), 0);
	for (uint32_t i = 0; i < 2 * MEMBERS; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < 2 * MEMBERS; i++)
		if (talkers[i].wrong)
			fail_msg("thread %u: %s", i, talkers[i].wrong);
	for (uint32_t i = 0; i < MEMBERS; i++)
		assert_int_equal(atomic_load(&received[i]), atomic_load(&sent[i]));
}

static void channel_is_there_while_somebody_living_has_it_open(void **state)
{
	struct shared_box a, b;
	uint64_t number;

	(void)state;
	a = box(0, "one");
	assert_int_equal(send_number(&a, 1), SHARED_OK);
	b = box(1, "one");
	assert_ptr_equal(a.channel, b.channel);
	assert_ptr_not_equal(box(2, "two").channel, a.channel);
	assert_int_equal(shared_box_close(&a), SHARED_OK);
	assert_int_equal(receive_number(&b, &number), SHARED_OK);
	assert_int_equal(send_number(&b, 2), SHARED_OK);
	rig_set(rig, 1, 7, AV_MEMBER_CRASHED); /* the last one */
	a = box(0, "one");
	assert_int_equal(receive_number(&a, &number), SHARED_TIMEOUT);
}

static void names_and_channels_have_limits(void **state)
{
	struct shared_box opened;
	char name[3] = "c?";

	(void)state;
	assert_int_equal(shared_box_open(&opened, &rig->members[0].view, mailbox, "", SHARED_NOW),
			 SHARED_INVALID);
	assert_int_equal(shared_box_open(&opened, &rig->members[0].view, mailbox,
					 "a-name-of-thirty-two-characters-", SHARED_NOW),
			 SHARED_INVALID);
	for (int i = 0; i < SHARED_CHANNELS; i++) {
		name[1] = (char)('a' + i);
		box(0, name);
	}
	assert_int_equal(
		shared_box_open(&opened, &rig->members[0].view, mailbox, "more", SHARED_NOW),
		SHARED_FULL);
	opened = box(0, "cc");
	assert_int_equal(shared_box_close(&opened), SHARED_OK);
	box(1, "more");
}

static void full_channel_waits_and_long_messages_are_refused(void **state)
{
	struct shared_box a = box(0, "one");
	unsigned char message[SHARED_MESSAGE_MAX + 1];
	uint32_t size, from;
	unsigned int count = 0;

	(void)state;
	memset(message, 0xa5, sizeof(message));
	assert_int_equal(shared_box_send(&a, message, SHARED_MESSAGE_MAX + 1, SHARED_NOW),
			 SHARED_INVALID);
	assert_int_equal(shared_box_send(&a, message, 0, SHARED_NOW), SHARED_INVALID);
	while (shared_box_send(&a, message, SHARED_MESSAGE_MAX, SHARED_NOW) == SHARED_OK)
		count++;
	assert_int_equal(count, SHARED_CHANNEL_WORDS / (1 + SHARED_MESSAGE_MAX / 8));
	assert_int_equal(shared_box_receive(&a, message, 100, &size, &from, SHARED_NOW),
			 SHARED_INVALID);
	assert_int_equal(size, SHARED_MESSAGE_MAX);
	assert_int_equal(shared_box_receive(&a, message, sizeof(message), &size, &from, SHARED_NOW),
			 SHARED_OK);
	assert_int_equal(from, 0);
	assert_int_equal(shared_box_send(&a, message, SHARED_MESSAGE_MAX, SHARED_NOW), SHARED_OK);
}

static void restored_member_does_nothing_until_it_opens_again(void **state)
{
	struct shared_box a = box(0, "one"), b = box(1, "one");
	uint64_t number;

	(void)state;
	assert_int_equal(send_number(&b, 1), SHARED_OK);
	rig_next_life(rig, 0);
	assert_int_equal(send_number(&a, 2), SHARED_LOST);
	assert_int_equal(receive_number(&a, &number), SHARED_LOST);
	assert_int_equal(shared_box_close(&a), SHARED_LOST);
	a = box(0, "one");
	assert_int_equal(receive_number(&a, &number), SHARED_OK);
	assert_int_equal(number, 1);
	assert_int_equal(receive_number(&a, &number), SHARED_TIMEOUT);
}

static void sender_that_dies_in_the_lock_leaves_the_channel_whole(void **state)
{
	struct shared_box a = box(0, "one"), b = box(1, "one");
	struct shared_hold hold;
	uint64_t number;

	(void)state;
	assert_int_equal(send_number(&a, 1), SHARED_OK);
	assert_int_equal(shared_lock_acquire(a.view, &a.channel->lock, &hold, SHARED_NOW),
			 SHARED_OK);
	shared_lock_store(a.view, &hold, &a.channel->data[2], 0xbad);
	rig_set(rig, 0, 7, AV_MEMBER_STOPPED);
	assert_int_equal(send_number(&b, 2), SHARED_OK);
	assert_int_equal(receive_number(&b, &number), SHARED_OK);
	assert_int_equal(number, 1);
	assert_int_equal(receive_number(&b, &number), SHARED_OK);
	assert_int_equal(number, 2);
}

static void any_bytes_in_a_channel_are_survived(void **state)
{
	struct shared_box a = box(0, "one");
	uint64_t seed = 0x2545f4914f6cdd1dull;
	unsigned long corrupt = 0;

	(void)state;
	for (unsigned long i = 0; i < rig_count(20000, 2000000); i++) {
		uint64_t r = rig_random(&seed);
		unsigned char message[SHARED_MESSAGE_MAX];
		uint32_t size, from;

		if (r & 1)
			atomic_store(r & 2 ? &a.channel->head : &a.channel->tail,
				     rig_random(&seed) >> (r >> 8 & 63));
		if (r & 4)
			for (int w = 0; w < SHARED_CHANNEL_WORDS; w++)
				atomic_store(&a.channel->data[w],
					     rig_random(&seed) >> (r & 8 ? 0 : 55));
		corrupt += shared_box_receive(&a, message, sizeof(message), &size, &from,
					      SHARED_NOW) == SHARED_CORRUPT;
		shared_box_send(&a, message, 1 + (r >> 20 & 0xff), SHARED_NOW);
	}
	assert_true(corrupt > 100);
}

/* ---- the sequence lock ---- */

#define WORDS 8
static struct shared_sequence *sequence;
static _Atomic uint64_t words[WORDS];
static _Atomic bool over;

static void *write_words(void *context)
{
	struct rig_member *self = context;

	for (uint64_t i = 1; i <= rig_count(20000, 2000000); i++) {
		uint64_t from[WORDS];

		for (int w = 0; w < WORDS; w++)
			from[w] = i * 0x9e3779b97f4a7c15u + (unsigned int)w;
		if (shared_sequence_write(&self->view, sequence, words, from, WORDS,
					  SHARED_FOREVER))
			return "write";
	}
	return NULL;
}

static void *read_words(void *context)
{
	struct rig_member *self = context;

	while (!atomic_load(&over)) {
		uint64_t to[WORDS];

		if (shared_sequence_read(&self->view, sequence, words, to, WORDS, SHARED_FOREVER))
			return "read";
		for (int w = 1; w < WORDS && to[0]; w++)
			if (to[w] != to[0] + (uint64_t)w)
				return "torn";
	}
	return NULL;
}

static void readers_never_see_half_a_write(void **state)
{
	pthread_t threads[4];
	void *wrong[4];

	(void)state;
	sequence = calloc(1, sizeof(*sequence));
	atomic_store(&over, false);
	for (int w = 0; w < WORDS; w++)
		atomic_store(&words[w], 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? write_words : read_words,
						&rig->members[i]),
				 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &wrong[i]);
		if (i == 1)
			atomic_store(&over, true);
	}
	for (int i = 0; i < 4; i++)
		if (wrong[i])
			fail_msg("thread %d: %s", i, (char *)wrong[i]);
	free(sequence);
}

static void reader_is_told_of_a_dead_writer_and_the_next_write_mends(void **state)
{
	struct shared_hold hold;
	uint64_t to[WORDS], from[WORDS] = {1, 2, 3, 4, 5, 6, 7, 8};
	const struct shared_view *v0 = &rig->members[0].view, *v1 = &rig->members[1].view;

	(void)state;
	sequence = calloc(1, sizeof(*sequence));
	assert_int_equal(shared_sequence_write(v0, sequence, words, from, WORDS, SHARED_NOW),
			 SHARED_OK);
	assert_int_equal(shared_lock_acquire(v0, &sequence->lock, &hold, SHARED_NOW), SHARED_OK);
	shared_lock_store(v0, &hold, &sequence->count, atomic_load(&sequence->count) + 1);
	shared_lock_store(v0, &hold, &words[0], 99);
	assert_int_equal(
		shared_sequence_read(v1, sequence, words, to, WORDS, rig_now(NULL) + RIG_HZ / 100),
		SHARED_TIMEOUT);
	rig_next_life(rig, 0);
	assert_int_equal(shared_sequence_read(v1, sequence, words, to, WORDS, SHARED_NOW),
			 SHARED_DIED);
	assert_int_equal(shared_lock_store(v0, &hold, &words[1], 99), SHARED_LOST);
	assert_int_equal(shared_sequence_write(v1, sequence, words, from, WORDS, SHARED_NOW),
			 SHARED_OK);
	assert_int_equal(shared_sequence_read(v0, sequence, words, to, WORDS, SHARED_NOW),
			 SHARED_OK);
	assert_memory_equal(to, from, sizeof(to));
	free(sequence);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	static const struct CMUnitTest tests[] = {
		TEST(three_channels_between_six_members),
		TEST(channel_is_there_while_somebody_living_has_it_open),
		TEST(names_and_channels_have_limits),
		TEST(full_channel_waits_and_long_messages_are_refused),
		TEST(restored_member_does_nothing_until_it_opens_again),
		TEST(sender_that_dies_in_the_lock_leaves_the_channel_whole),
		TEST(any_bytes_in_a_channel_are_survived),
		TEST(readers_never_see_half_a_write),
		TEST(reader_is_told_of_a_dead_writer_and_the_next_write_mends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
