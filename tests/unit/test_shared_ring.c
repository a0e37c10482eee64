/* SPDX-License-Identifier: MIT */
/* test_shared_ring.c - the ring of guest-agent/shared: two threads, new lives of either side, and a peer that lies. */
#include "shared_rig.h"

#include "shared/ring.h"

#define CAPACITY 256

static struct rig *rig;
static struct shared_ring_line *lines; /* [0] the producer's, [1] the consumer's */
static unsigned char *data;
static struct shared_ring in, out;

static const struct shared_view *view(uint32_t member)
{
	return &rig->members[member].view;
}

static void open_in(void)
{
	assert_int_equal(
		shared_ring_open_producer(&in, view(0), &lines[0], &lines[1], data, CAPACITY, 1),
		SHARED_OK);
}

static void open_out(void)
{
	assert_int_equal(
		shared_ring_open_consumer(&out, view(1), &lines[1], &lines[0], data, CAPACITY, 0),
		SHARED_OK);
}

static int begin(void **state)
{
	(void)state;
	rig = rig_new();
	lines = aligned_alloc(64, 2 * sizeof(*lines));
	memset(lines, 0, 2 * sizeof(*lines));
	data = aligned_alloc(8, CAPACITY);
	memset(data, 0, CAPACITY);
	open_in();
	open_out();
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_free(rig);
	free(lines);
	free(data);
	return 0;
}

static int send_number(uint64_t number)
{
	return shared_ring_send(&in, &number, sizeof(number), SHARED_NOW);
}

static int receive_number(uint64_t *number)
{
	uint32_t size;
	int status = shared_ring_receive(&out, number, sizeof(*number), &size, SHARED_NOW);

	assert_true(status != SHARED_OK || size == sizeof(*number));
	return status;
}

static uint64_t soon(void)
{
	return rig_now(NULL) + 30 * RIG_HZ;
}

static void *produce_stream(void *context)
{
	unsigned long total = rig_count(300000, 100000000), sent = 0;
	uint64_t seed = 7;

	(void)context;
	while (sent < total) {
		unsigned char bytes[100];
		uint32_t size = (uint32_t)(rig_random(&seed) % sizeof(bytes)) + 1, done;

		if (size > total - sent)
			size = (uint32_t)(total - sent);
		for (uint32_t i = 0; i < size; i++)
			bytes[i] = (unsigned char)((sent + i) * 31 >> 3);
		if (shared_ring_write(&in, bytes, size, &done, soon()) != SHARED_OK || !done)
			return "write";
		sent += done;
	}
	return NULL;
}

static void *consume_stream(void *context)
{
	unsigned long total = rig_count(300000, 100000000), got = 0;
	uint64_t seed = 9;

	(void)context;
	while (got < total) {
		unsigned char bytes[100];
		uint32_t size = (uint32_t)(rig_random(&seed) % sizeof(bytes)) + 1, done;

		if (shared_ring_read(&out, bytes, size, &done, soon()) != SHARED_OK || !done)
			return "read";
		for (uint32_t i = 0; i < done; i++)
			if (bytes[i] != (unsigned char)((got + i) * 31 >> 3))
				return "a wrong byte";
		got += done;
	}
	return NULL;
}

static void *produce_messages(void *context)
{
	uint64_t seed = 7;

	(void)context;
	for (unsigned long i = 0; i < rig_count(50000, 10000000); i++) {
		unsigned char message[CAPACITY - 8];
		uint32_t size = (uint32_t)(rig_random(&seed) % (sizeof(message) + 1));

		memset(message, (int)i, size);
		if (shared_ring_send(&in, message, size, soon()) != SHARED_OK)
			return "send";
	}
	return NULL;
}

static void *consume_messages(void *context)
{
	uint64_t seed = 7;

	(void)context;
	for (unsigned long i = 0; i < rig_count(50000, 10000000); i++) {
		unsigned char message[CAPACITY];
		uint32_t size, wanted = (uint32_t)(rig_random(&seed) % (CAPACITY - 8 + 1));

		if (shared_ring_receive(&out, message, sizeof(message), &size, soon()) != SHARED_OK)
			return "receive";
		if (size != wanted)
			return "a wrong length";
		for (uint32_t b = 0; b < size; b++)
			if (message[b] != (unsigned char)i)
				return "a wrong byte";
	}
	return NULL;
}

static void run(void *(*producer)(void *), void *(*consumer)(void *))
{
	pthread_t threads[2];
	void *wrong[2];

	assert_int_equal(pthread_create(&threads[0], NULL, producer, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, consumer, NULL), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &wrong[i]);
		if (wrong[i])
			fail_msg("%s", (char *)wrong[i]);
	}
}

static void every_byte_arrives_in_order(void **state)
{
	(void)state;
	run(produce_stream, consume_stream);
}

static void every_message_arrives_whole(void **state)
{
	(void)state;
	run(produce_messages, consume_messages);
}

static void without_doorbells_both_sides_yield(void **state)
{
	(void)state;
	rig->members[0].view.calls = &rig_calls_without_bells;
	rig->members[1].view.calls = &rig_calls_without_bells;
	run(produce_messages, consume_messages);
}

static void full_and_empty_rings_say_so(void **state)
{
	uint64_t number;
	unsigned int count = 0;

	(void)state;
	assert_int_equal(receive_number(&number), SHARED_TIMEOUT);
	while (send_number(count) == SHARED_OK)
		count++;
	assert_int_equal(count, CAPACITY / 16);
	assert_int_equal(send_number(0), SHARED_TIMEOUT);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(receive_number(&number), SHARED_OK);
		assert_int_equal(number, i);
	}
	assert_int_equal(receive_number(&number), SHARED_TIMEOUT);
	assert_int_equal(shared_ring_send(&in, data, CAPACITY - 7, SHARED_NOW), SHARED_INVALID);
}

static void message_too_long_for_the_buffer_stays(void **state)
{
	char buffer[8];
	uint32_t size;

	(void)state;
	assert_int_equal(shared_ring_send(&in, "0123456789", 11, SHARED_NOW), SHARED_OK);
	assert_int_equal(shared_ring_receive(&out, buffer, 8, &size, SHARED_NOW), SHARED_INVALID);
	assert_int_equal(size, 11);
	{
		char enough[11];

		assert_int_equal(shared_ring_receive(&out, enough, 11, &size, SHARED_NOW),
				 SHARED_OK);
		assert_string_equal(enough, "0123456789");
	}
}

static void what_a_dead_producer_sent_is_read_to_its_end(void **state)
{
	uint64_t number;

	(void)state;
	assert_int_equal(send_number(1), SHARED_OK);
	assert_int_equal(send_number(2), SHARED_OK);
	rig_set(rig, 0, 7, AV_MEMBER_CRASHED);
	assert_int_equal(receive_number(&number), SHARED_OK);
	assert_int_equal(receive_number(&number), SHARED_OK);
	assert_int_equal(number, 2);
	assert_int_equal(receive_number(&number), SHARED_PEER);
}

static void restored_producer_sends_nothing_until_it_opens_again(void **state)
{
	struct shared_ring before;
	uint64_t number;

	(void)state;
	assert_int_equal(send_number(1), SHARED_OK);
	assert_int_equal(receive_number(&number), SHARED_OK);
	before = in; /* a snapshot */
	assert_int_equal(send_number(2), SHARED_OK);
	assert_int_equal(send_number(3), SHARED_OK);
	assert_int_equal(receive_number(&number), SHARED_OK);
	in = before;
	rig_next_life(rig, 0);
	/* In the middle of a send it goes on writing, into what is now the unread third message. */
	memset(data + ((before.index + 16) & (CAPACITY - 1)), 0x55, 16);
	assert_int_equal(send_number(4), SHARED_LOST);
	assert_int_equal(receive_number(&number), SHARED_PEER);
	open_in();
	assert_int_equal(send_number(5), SHARED_OK);
	assert_int_equal(receive_number(&number), SHARED_PEER);
	assert_int_equal(receive_number(&number), SHARED_OK);
	assert_int_equal(number, 5);
	assert_int_equal(receive_number(&number), SHARED_TIMEOUT);
}

static void restored_consumer_frees_nothing_twice(void **state)
{
	struct shared_ring before;
	uint64_t number;

	(void)state;
	before = out;
	for (uint64_t i = 0; i < 20; i++) {
		assert_int_equal(send_number(i), SHARED_OK);
		assert_int_equal(receive_number(&number), SHARED_OK);
	}
	assert_int_equal(send_number(20), SHARED_OK);
	out = before;
	rig_next_life(rig, 1);
	assert_int_equal(receive_number(&number), SHARED_LOST);
	for (unsigned int i = 0; i < CAPACITY / 16 - 1; i++)
		assert_int_equal(send_number(21 + i), SHARED_OK);
	assert_int_equal(send_number(0), SHARED_PEER); /* full, and nobody there who reads */
	open_out();
	for (uint64_t i = 20; i < 20 + CAPACITY / 16; i++) {
		assert_int_equal(receive_number(&number), SHARED_OK);
		assert_int_equal(number, i);
	}
}

static void side_that_opens_later_misses_nothing(void **state)
{
	uint64_t number;

	(void)state;
	memset(lines, 0, 2 * sizeof(*lines));
	open_in();
	assert_int_equal(send_number(1), SHARED_OK);
	open_out();
	assert_int_equal(receive_number(&number), SHARED_OK);
	assert_int_equal(number, 1);
	memset(lines, 0, 2 * sizeof(*lines));
	open_out();
	assert_int_equal(receive_number(&number), SHARED_TIMEOUT);
	open_in();
	assert_int_equal(send_number(2), SHARED_OK);
	assert_int_equal(receive_number(&number), SHARED_OK);
}

/* Bytes outside the ring are freed memory to ASan. */
static void lying_peer_makes_nobody_leave_the_ring(void **state)
{
	uint64_t seed = 0x2545f4914f6cdd1dull;
	unsigned long told[9] = {0};

	(void)state;
	for (unsigned long i = 0; i < rig_count(200000, 20000000); i++) {
		uint64_t r = rig_random(&seed);
		struct shared_ring_line *line = &lines[r & 1];
		unsigned char buffer[CAPACITY];
		uint32_t done;
		int status;

		switch (r >> 1 & 7) {
		case 0:
			atomic_store(&line->index, rig_random(&seed) >> (r >> 8 & 63));
			break;
		case 1:
			atomic_store(&line->base, rig_random(&seed) >> (r >> 8 & 63));
			break;
		case 2:
			atomic_store(&line->life, r & 16 ? 7 << 1 | 1 : r >> 40);
			break;
		case 3:
			for (int b = 0; b < CAPACITY; b++)
				data[b] =
					(unsigned char)(rig_random(&seed) & (r & 16 ? 0xff : 0x1f));
			break;
		case 4:
			open_in();
			break;
		case 5:
			open_out();
			break;
		default:
			break;
		}
		memset(buffer, 0, sizeof(buffer));
		if (r >> 32 & 1)
			status = r >> 33 & 1
					 ? shared_ring_send(&in, buffer, r >> 40 & 0x7f, SHARED_NOW)
					 : shared_ring_write(&in, buffer, r >> 40 & 0xff, &done,
							     SHARED_NOW);
		else
			status = r >> 33 & 1 ? shared_ring_receive(&out, buffer, r >> 40 & 0xff,
								   &done, SHARED_NOW)
					     : shared_ring_read(&out, buffer, r >> 40 & 0xff, &done,
								SHARED_NOW);
		told[-status]++;
	}
	assert_true(told[-SHARED_CORRUPT] > 100);
	assert_true(told[SHARED_OK] > 100);
}

static void wrong_shapes_are_refused(void **state)
{
	struct shared_ring r;

	(void)state;
	assert_int_equal(shared_ring_open_producer(&r, view(0), &lines[0], &lines[1], data, 8, 1),
			 SHARED_INVALID);
	assert_int_equal(shared_ring_open_producer(&r, view(0), &lines[0], &lines[1], data, 96, 1),
			 SHARED_INVALID);
	assert_int_equal(
		shared_ring_open_producer(&r, view(0), &lines[0], &lines[1], data + 4, 64, 1),
		SHARED_INVALID);
	assert_int_equal(shared_ring_open_producer(&r, view(0), &lines[0], &lines[1], data, 64,
						   AV_REGION_MEMBERS),
			 SHARED_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	static const struct CMUnitTest tests[] = {
		TEST(every_byte_arrives_in_order),
		TEST(every_message_arrives_whole),
		TEST(without_doorbells_both_sides_yield),
		TEST(full_and_empty_rings_say_so),
		TEST(message_too_long_for_the_buffer_stays),
		TEST(what_a_dead_producer_sent_is_read_to_its_end),
		TEST(restored_producer_sends_nothing_until_it_opens_again),
		TEST(restored_consumer_frees_nothing_twice),
		TEST(side_that_opens_later_misses_nothing),
		TEST(lying_peer_makes_nobody_leave_the_ring),
		TEST(wrong_shapes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
