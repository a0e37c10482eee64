/* SPDX-License-Identifier: MIT */
/*
 * test_serve_life.c - slots and sessions: who may come, who is gone, servers that end, and programs that go back in time.
 */
#include "serve_rig.h"

static void the_fifth_client_is_refused_until_one_leaves(void **state)
{
	struct forward clients[5];

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		connect_as(&clients[i], i + 1);
	rig_client(&clients[4], 5);
	assert_int_equal(rig_connect(&clients[4]), AV_FORWARD_E_BUSY);
	forward_disconnect(&clients[1]);
	assert_int_equal(rig_connect(&clients[4]), 0);
	assert_true(forward_open(&clients[4], "host", READ, 0) > 0);
	assert_int_equal(forward_open(&clients[1], "host", READ, 0), AV_FORWARD_E_GONE);
	for (unsigned int i = 0; i < 4; i++)
		if (i != 1)
			assert_true(forward_open(&clients[i], "host", READ, 0) > 0);
	assert_string_equal(rig.why, "left");
}

static void slots_and_files_of_dead_clients_come_back(void **state)
{
	static const uint64_t ends[] = {
		8 << 8 | AV_MEMBER_RUNNING,
		7 << 8 | AV_MEMBER_CRASHED,
		7 << 8 | AV_MEMBER_STOPPED,
		9 << 8 | AV_MEMBER_PAUSED,
		AV_MEMBER_NONE,
	};
	unsigned int descriptors = rig_descriptors();

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct forward clients[4], next;

		for (unsigned int c = 0; c < 4; c++)
			connect_as(&clients[c], c + 1);
		for (int n = 0; n < 10; n++)
			assert_true(forward_open(&clients[2], "host", READ, 0) > 0);
		assert_int_equal(rig_descriptors(), descriptors + 10);
		rig.words[3] = ends[i];
		for (int n = 0; n < 250; n++)
			rig_turn();
		assert_int_equal(rig_descriptors(), descriptors);
		connect_as(&next, 5);
		for (unsigned int c = 0; c < 4; c++)
			if (c != 2)
				assert_int_equal(forward_close(&clients[c], 1),
						 AV_FORWARD_E_BAD_HANDLE);
		for (unsigned int c = 0; c < 4; c++)
			forward_disconnect(&clients[c]);
		forward_disconnect(&next);
		for (int n = 0; n < 250; n++)
			rig_turn();
		assert_int_equal(server_client_count(&rig.server), 0);
		rig.words[3] = 7 << 8 | AV_MEMBER_RUNNING;
	}
}

static void paused_clients_keep_what_they_have(void **state)
{
	struct forward forward;
	int64_t handle;
	char c;

	(void)state;
	connect_as(&forward, 1);
	handle = forward_open(&forward, "host", READ, 0);
	rig.words[1] = 7 << 8 | AV_MEMBER_PAUSED;
	for (int n = 0; n < 500; n++)
		rig_turn();
	rig.words[1] = 7 << 8 | AV_MEMBER_RUNNING;
	assert_int_equal(forward_read(&forward, handle, &c, 1), 1);
	assert_int_equal(c, 'f');
}

/* The guest's memory goes back, the region does not: old handles must not mean new files. */
static void a_client_that_went_back_in_time_has_to_connect_again(void **state)
{
	struct forward forward, before;
	int64_t old, now;
	char text[8];

	(void)state;
	connect_as(&forward, 1);
	old = forward_open(&forward, "host", READ, 0);
	before = forward;
	assert_int_equal(forward_close(&forward, old), 0);
	now = forward_open(&forward, "new", WRITE | CREATE, 0600);
	assert_true(now > 0 && now != old);
	/* Restored: the server does not know yet. */
	rig.frozen = true;
	rig.words[1] = 8 << 8 | AV_MEMBER_RUNNING;
	forward = before;
	assert_int_equal(forward_write(&forward, now, "x", 1), AV_FORWARD_E_GONE);
	assert_int_equal(forward_read(&forward, old, text, 4), AV_FORWARD_E_GONE);
	rig.frozen = false;
	assert_int_equal(rig_connect(&forward), 0);
	assert_int_equal(forward_read(&forward, old, text, 4), AV_FORWARD_E_BAD_HANDLE);
	assert_true(forward_open(&forward, "host", READ, 0) > 0);
}

static void a_request_of_before_the_restore_is_not_answered(void **state)
{
	struct forward_request request = {
		.call = AV_FORWARD_MKDIR, .mode = 0700, .out = "never", .length = 5};
	struct forward forward;

	(void)state;
	connect_as(&forward, 1);
	assert_int_equal(forward_close(&forward, 1), AV_FORWARD_E_BAD_HANDLE);
	assert_int_equal(forward_try(&forward, &request), 0);
	rig.words[1] = 8 << 8 | AV_MEMBER_RUNNING;
	assert_int_equal(forward_finish(&forward, &request), AV_FORWARD_E_GONE);
	assert_int_equal(faccessat(rig.root, "never", F_OK, 0), -1);
}

static void what_belongs_to_another_session_is_void(void **state)
{
	struct forward_request request = {
		.call = AV_FORWARD_READ, .offset = AV_FORWARD_HERE, .length = 16};
	struct forward forward, before;

	(void)state;
	connect_as(&forward, 1);
	request.handle = (uint32_t)forward_open(&forward, "fifo", READ, 0);
	assert_int_equal(forward_start(&forward, &request), 0);
	before = forward;
	/* The same VM in the same slot: only the serial tells them apart. */
	assert_int_equal(rig_connect(&forward), 0);
	assert_int_equal(forward.slot_number, before.slot_number);
	assert_int_equal(forward.owner, before.owner);
	assert_int_equal(forward_finish(&forward, &request), AV_FORWARD_E_GONE);
	assert_int_equal(forward_open(&before, "host", READ, 0), AV_FORWARD_E_GONE);
	assert_true(forward_open(&forward, "host", READ, 0) > 0);
}

static void a_server_that_is_killed_is_noticed(void **state)
{
	struct forward forward, other;
	struct forward_request request = {
		.call = AV_FORWARD_READ, .offset = AV_FORWARD_HERE, .length = 16};
	uint64_t start;

	(void)state;
	connect_as(&forward, 1);
	request.handle = (uint32_t)forward_open(&forward, "fifo", READ, 0);
	assert_int_equal(forward_start(&forward, &request), 0);
	rig_turn();
	rig_kill();
	start = rig.now;
	assert_int_equal(forward_finish(&forward, &request), AV_FORWARD_E_GONE);
	assert_in_range(rig.now - start, AV_FORWARD_GONE_MS * 500, AV_FORWARD_GONE_MS * 1100);
	assert_int_equal(forward_close(&forward, 1), AV_FORWARD_E_GONE);
	assert_int_equal(rig_connect(&forward), AV_FORWARD_E_GONE);
	/* The next one keeps the slot for its VM, and gives the others to others. */
	rig_serve(ALL, false);
	connect_as(&other, 2);
	assert_int_not_equal(other.slot_number, 0);
	assert_int_equal(forward_close(&forward, 1), AV_FORWARD_E_GONE);
	assert_int_equal(rig_connect(&forward), 0);
	assert_int_equal(forward_close(&forward, 1), AV_FORWARD_E_BAD_HANDLE);
	assert_true(forward_open(&forward, "host", READ, 0) > 0);
}

static void a_server_that_ends_says_so(void **state)
{
	struct forward forward;
	struct forward_request request = {
		.call = AV_FORWARD_READ, .offset = AV_FORWARD_HERE, .length = 16};
	uint64_t start;

	(void)state;
	connect_as(&forward, 1);
	request.handle = (uint32_t)forward_open(&forward, "fifo", READ, 0);
	assert_int_equal(forward_start(&forward, &request), 0);
	rig_turn();
	rig_stop();
	start = rig.now;
	assert_int_equal(forward_finish(&forward, &request), AV_FORWARD_E_GONE);
	assert_true(rig.now - start < 5000);
}

static void a_slot_that_is_kept_comes_back_with_its_vm(void **state)
{
	struct forward clients[4], next;

	(void)state;
	for (unsigned int c = 0; c < 4; c++)
		connect_as(&clients[c], c + 1);
	rig_kill();
	rig_serve(ALL, false);
	rig_client(&next, 5);
	assert_int_equal(rig_connect(&next), AV_FORWARD_E_BUSY);
	rig.words[4] = 7 << 8 | AV_MEMBER_CRASHED;
	for (int n = 0; n < 250; n++)
		rig_turn();
	assert_int_equal(rig_connect(&next), 0);
	assert_int_equal(rig_connect(&clients[0]), 0);
	assert_int_equal(clients[0].slot_number, 0);
}

static void who_is_not_served_is_told(void **state)
{
	struct forward forward;

	(void)state;
	rig_stop();
	rig_serve(1 << 2, false);
	rig_client(&forward, 1);
	assert_int_equal(rig_connect(&forward), AV_FORWARD_E_DENIED);
	connect_as(&forward, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_fifth_client_is_refused_until_one_leaves),
		TEST(slots_and_files_of_dead_clients_come_back),
		TEST(paused_clients_keep_what_they_have),
		TEST(a_client_that_went_back_in_time_has_to_connect_again),
		TEST(a_request_of_before_the_restore_is_not_answered),
		TEST(what_belongs_to_another_session_is_void),
		TEST(a_server_that_is_killed_is_noticed),
		TEST(a_server_that_ends_says_so),
		TEST(a_slot_that_is_kept_comes_back_with_its_vm),
		TEST(who_is_not_served_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
