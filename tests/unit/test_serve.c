/* SPDX-License-Identifier: MIT */
/*
 * test_serve.c - the guests' library against the server: calls, waiting ones, slots that come back, servers that go.
 */
#include "serve_rig.h"

static void a_file_is_written_and_read_back(void **state)
{
	static unsigned char data[100000], back[100001];
	struct av_forward_stat stat;
	struct forward forward;
	int64_t handle;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7 + i / 251);
	connect_as(&forward, 1);
	handle = forward_open(&forward, "new", READ | WRITE | CREATE, 0640);
	assert_true(handle > 0);
	assert_int_equal(forward_write_all(&forward, handle, data, sizeof(data)), sizeof(data));
	assert_int_equal(forward_seek(&forward, handle, 0, AV_FORWARD_FROM_START), 0);
	assert_int_equal(forward_read_all(&forward, handle, back, sizeof(back)), sizeof(data));
	assert_memory_equal(data, back, sizeof(data));
	assert_int_equal(forward_pread(&forward, handle, back, 10, 50000), 10);
	assert_memory_equal(data + 50000, back, 10);
	assert_int_equal(forward_pwrite(&forward, handle, "xyz", 3, 1), 3);
	assert_int_equal(forward_seek(&forward, handle, 0, AV_FORWARD_FROM_HERE), sizeof(data));
	assert_int_equal(forward_fstat(&forward, handle, &stat), 64);
	assert_int_equal(stat.size, sizeof(data));
	assert_int_equal(forward_close(&forward, handle), 0);
	assert_int_equal(forward_close(&forward, handle), AV_FORWARD_E_BAD_HANDLE);
	assert_int_equal(forward_stat(&forward, "new", &stat), 64);
	assert_int_equal(stat.type, AV_FORWARD_TYPE_FILE);
	assert_int_equal(stat.mode, 0640);
	assert_int_equal(forward_unlink(&forward, "new"), 0);
	assert_int_equal(forward_stat(&forward, "new", &stat), AV_FORWARD_E_NOT_FOUND);
	forward_disconnect(&forward);
}

static void folders_are_made_listed_and_removed(void **state)
{
	static char records[4096], name[20];
	struct forward forward;
	unsigned int seen = 0;
	int64_t handle, size;

	(void)state;
	connect_as(&forward, 1);
	assert_int_equal(forward_mkdir(&forward, "many", 0700), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		handle = forward_open(&forward, name, WRITE | CREATE, 0600);
		assert_true(handle > 0);
		assert_int_equal(forward_close(&forward, handle), 0);
	}
	handle = forward_open(&forward, "many", READ | AV_FORWARD_O_DIRECTORY, 0);
	assert_true(handle > 0);
	assert_int_equal(forward_read(&forward, handle, records, 10), AV_FORWARD_E_IS_DIRECTORY);
	assert_int_equal(forward_readdir(&forward, handle, records, 511), AV_FORWARD_E_INVALID);
	while ((size = forward_readdir(&forward, handle, records, 512)) > 0) {
		for (int64_t at = 0; at < size; at += 2 + (int64_t)strlen(records + at + 1)) {
			assert_int_equal(records[at], AV_FORWARD_TYPE_FILE);
			seen++;
		}
	}
	assert_int_equal(size, 0);
	assert_int_equal(seen, 100);
	assert_int_equal(forward_seek(&forward, handle, 0, AV_FORWARD_FROM_START), 0);
	assert_true(forward_readdir(&forward, handle, records, 4096) > 300);
	assert_int_equal(forward_rmdir(&forward, "many"), AV_FORWARD_E_NOT_EMPTY);
}

static int fifo_writer(void)
{
	return openat(rig.root, "fifo", O_WRONLY | O_NONBLOCK);
}

static void a_read_that_waits_holds_up_nobody(void **state)
{
	struct forward forward, other;
	char text[16] = "", host[16] = "";
	int64_t fifo, file;
	struct forward_request slow = {.call = AV_FORWARD_READ,
				       .offset = AV_FORWARD_HERE,
				       .length = 16,
				       .in = text,
				       .in_size = 16};
	struct forward_request quick = slow;
	int writer;

	(void)state;
	connect_as(&forward, 1);
	connect_as(&other, 2);
	fifo = forward_open(&forward, "fifo", READ, 0);
	file = forward_open(&forward, "host", READ, 0);
	writer = fifo_writer();
	assert_true(writer >= 0);
	slow.handle = (uint32_t)fifo;
	quick.handle = (uint32_t)file;
	quick.in = host;
	assert_int_equal(forward_start(&forward, &slow), 0);
	assert_int_equal(forward_start(&forward, &quick), 0);
	assert_int_equal(forward_finish(&forward, &quick), 13);
	assert_string_equal(host, "from the host");
	for (int i = 0; i < 100; i++) {
		assert_false(forward_ready(&forward, &slow));
		rig_turn();
	}
	assert_true(forward_open(&other, "host", READ, 0) > 0);
	assert_int_equal(write(writer, "late", 4), 4);
	assert_int_equal(forward_finish(&forward, &slow), 4);
	assert_string_equal(text, "late");
	/* The last writer goes: the end of the file. */
	assert_int_equal(forward_start(&forward, &slow), 0);
	rig_turn();
	assert_false(forward_ready(&forward, &slow));
	close(writer);
	assert_int_equal(forward_finish(&forward, &slow), 0);
}

static void a_full_ring_waits(void **state)
{
	struct forward_request requests[AV_FORWARD_ENTRIES + 1];
	unsigned char bytes[AV_FORWARD_ENTRIES + 1];
	struct forward forward;
	unsigned int sum = 0;
	int64_t fifo;
	int writer;

	(void)state;
	connect_as(&forward, 1);
	fifo = forward_open(&forward, "fifo", READ, 0);
	writer = fifo_writer();
	for (unsigned int i = 0; i <= AV_FORWARD_ENTRIES; i++)
		requests[i] = (struct forward_request){.call = AV_FORWARD_READ,
						       .handle = (uint32_t)fifo,
						       .offset = AV_FORWARD_HERE,
						       .length = 1,
						       .in = &bytes[i],
						       .in_size = 1};
	for (unsigned int i = 0; i < AV_FORWARD_ENTRIES; i++)
		assert_int_equal(forward_try(&forward, &requests[i]), 0);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(forward_try(&forward, &requests[AV_FORWARD_ENTRIES]),
				 AV_FORWARD_E_AGAIN);
		rig_turn();
	}
	assert_int_equal(write(writer, "\1\2\3\4\5\6\7\10\11", AV_FORWARD_ENTRIES + 1),
			 AV_FORWARD_ENTRIES + 1);
	for (unsigned int i = 0; i <= AV_FORWARD_ENTRIES; i++) {
		if (i == 1)
			assert_int_equal(forward_start(&forward, &requests[AV_FORWARD_ENTRIES]), 0);
		assert_int_equal(forward_finish(&forward, &requests[i]), 1);
		sum += bytes[i];
	}
	assert_int_equal(sum, 45);
	close(writer);
}

static void wild_arguments_are_refused(void **state)
{
	static char long_path[AV_FORWARD_PATH_MAX + 2];
	struct forward_request request = {.call = AV_FORWARD_READ, .offset = AV_FORWARD_HERE};
	struct forward forward;
	char text[64];
	int64_t handle;

	(void)state;
	connect_as(&forward, 1);
	handle = forward_open(&forward, "host", READ, 0);
	for (uint32_t i = 0; i < 2000; i++) {
		uint32_t wild = i < 1000 ? i : i * 2654435761u;

		if (wild != (uint32_t)handle)
			assert_int_equal(forward_read(&forward, wild, text, 4),
					 AV_FORWARD_E_BAD_HANDLE);
	}
	assert_int_equal(forward_write(&forward, handle, "x", 1), AV_FORWARD_E_BAD_HANDLE);
	request.handle = (uint32_t)handle;
	for (unsigned int shift = 0; shift < 64; shift++) {
		request.length = 1ull << shift;
		assert_int_equal(forward_start(&forward, &request), 0);
		assert_int_equal(forward_finish(&forward, &request) < 0,
				 request.length > forward.buffer_size);
	}
	request.length = 1;
	request.offset = INT64_MIN;
	assert_int_equal(forward_start(&forward, &request), 0);
	assert_int_equal(forward_finish(&forward, &request), AV_FORWARD_E_INVALID);
	request.offset = INT64_MAX;
	assert_int_equal(forward_start(&forward, &request), 0);
	assert_int_equal(forward_finish(&forward, &request), AV_FORWARD_E_INVALID);
	request.call = 4711;
	assert_int_equal(forward_start(&forward, &request), 0);
	assert_int_equal(forward_finish(&forward, &request), AV_FORWARD_E_NOT_SUPPORTED);
	memset(long_path, 'a', sizeof(long_path) - 1);
	assert_int_equal(forward_open(&forward, long_path, READ, 0), AV_FORWARD_E_TOO_LONG);
	assert_int_equal(forward_open(&forward, "out", READ, 0), AV_FORWARD_E_OUTSIDE);
	assert_int_equal(forward_open(&forward, "../secret", READ, 0), AV_FORWARD_E_OUTSIDE);
	/* A NUL in the path would cut it where the client did not see it. */
	request = (struct forward_request){
		.call = AV_FORWARD_OPEN, .flags = READ, .out = "host\0x", .length = 6};
	assert_int_equal(forward_start(&forward, &request), 0);
	assert_int_equal(forward_finish(&forward, &request), AV_FORWARD_E_INVALID);
}

static void open_files_have_a_limit(void **state)
{
	struct forward forward;

	(void)state;
	connect_as(&forward, 1);
	for (unsigned int i = 0; i < AV_FORWARD_OPEN_MAX; i++)
		assert_true(forward_open(&forward, "host", READ, 0) > 0);
	assert_int_equal(forward_open(&forward, "host", READ, 0), AV_FORWARD_E_TOO_MANY);
}

static void read_only_changes_nothing(void **state)
{
	struct forward forward;
	char text[16] = "";
	int64_t handle;

	(void)state;
	rig_stop();
	rig_serve(ALL, true);
	connect_as(&forward, 1);
	assert_int_equal(forward_open(&forward, "host", WRITE, 0), AV_FORWARD_E_READ_ONLY);
	assert_int_equal(forward_open(&forward, "new", WRITE | CREATE, 0600),
			 AV_FORWARD_E_READ_ONLY);
	assert_int_equal(forward_unlink(&forward, "host"), AV_FORWARD_E_READ_ONLY);
	assert_int_equal(forward_rmdir(&forward, "host"), AV_FORWARD_E_READ_ONLY);
	assert_int_equal(forward_mkdir(&forward, "new", 0700), AV_FORWARD_E_READ_ONLY);
	handle = forward_open(&forward, "host", READ, 0);
	assert_int_equal(forward_read(&forward, handle, text, 15), 13);
	assert_string_equal(text, "from the host");
}

static void closing_ends_the_reads_that_wait(void **state)
{
	struct forward forward;
	struct forward_request request = {
		.call = AV_FORWARD_READ, .offset = AV_FORWARD_HERE, .length = 16};
	struct forward_request second;

	(void)state;
	connect_as(&forward, 1);
	request.handle = (uint32_t)forward_open(&forward, "fifo", READ, 0);
	second = request;
	assert_int_equal(forward_start(&forward, &request), 0);
	assert_int_equal(forward_start(&forward, &second), 0);
	assert_int_equal(forward_close(&forward, request.handle), 0);
	assert_int_equal(forward_finish(&forward, &request), AV_FORWARD_E_CANCELLED);
	assert_int_equal(forward_finish(&forward, &second), AV_FORWARD_E_CANCELLED);
	request.handle = (uint32_t)forward_open(&forward, "fifo", READ | AV_FORWARD_O_NONBLOCK, 0);
	close(fifo_writer());
	assert_int_equal(forward_start(&forward, &request), 0);
	assert_in_range(forward_finish(&forward, &request) + 100, 100 + AV_FORWARD_E_AGAIN, 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_written_and_read_back),   TEST(folders_are_made_listed_and_removed),
		TEST(a_read_that_waits_holds_up_nobody), TEST(a_full_ring_waits),
		TEST(wild_arguments_are_refused),        TEST(open_files_have_a_limit),
		TEST(read_only_changes_nothing),         TEST(closing_ends_the_reads_that_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
