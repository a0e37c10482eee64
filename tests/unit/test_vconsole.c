/* SPDX-License-Identifier: MIT */
/* test_vconsole.c - the virtio console as a driver, and as the host, sees it. */

#include "console_rig.h"

static struct rig r;
static char name[BUFFER_SIZE];
static uint8_t bytes[BUFFER_SIZE];

/* A driver that did the whole handshake, both ports open at its side. */
static void start_multiport(void)
{
	rig_init(&r);
	start_driver(&r, true);
	send_control(&r, 0, 0, 1);
	assert_true(take_control(&r, name) == CONTROL(0, 1, 1));
	assert_true(take_control(&r, name) == CONTROL(1, 1, 1));
	send_control(&r, 0, 3, 1);
	assert_true(take_control(&r, name) == CONTROL(0, 4, 1));
	assert_true(take_control(&r, name) == CONTROL(0, 6, 1));
	send_control(&r, 1, 3, 1);
	assert_true(take_control(&r, name) == CONTROL(1, 7, 1));
	assert_string_equal(name, "org.avisor.agent");
	assert_true(take_control(&r, name) == 0);
	send_control(&r, 0, 6, 1);
	send_control(&r, 1, 6, 1);
	assert_true(r.guest_open[0] && r.guest_open[1]);
}

static void identification_reads_as_a_modern_console(void **state)
{
	(void)state;
	rig_init(&r);
	assert_int_equal(reg_read(&r, 0), 0x74726976);
	assert_int_equal(reg_read(&r, 4), 2);
	assert_int_equal(reg_read(&r, 8), 3);
	reg_write(&r, 0x014, 1);
	assert_int_equal(reg_read(&r, 0x010), 1);
	reg_write(&r, 0x014, 0);
	assert_int_equal(reg_read(&r, 0x010), 2);
	reg_write(&r, 0x014, 2);
	assert_int_equal(reg_read(&r, 0x010), 0);
	assert_int_equal(reg_read(&r, 0x104), 2); /* max_nr_ports */
	assert_int_equal(reg_read(&r, 0x0b0), UINT32_MAX);
}

static void an_empty_slot_has_device_id_0(void **state)
{
	uint64_t value = 5;

	(void)state;
	virtio_mmio_empty(8, 4, false, &value);
	assert_int_equal(value, 0);
	virtio_mmio_empty(0, 4, false, &value);
	assert_int_equal(value, 0x74726976);
	virtio_mmio_empty(4, 4, false, &value);
	assert_int_equal(value, 2);
	virtio_mmio_empty(0, 1, false, &value);
	assert_int_equal(value, 0);
}

static void features_are_refused_without_version_1_or_with_unknown_ones(void **state)
{
	(void)state;
	rig_init(&r);
	reg_write(&r, 0x070, 3);
	reg_write(&r, 0x020, 2);
	reg_write(&r, 0x070, 11);
	assert_int_equal(reg_read(&r, 0x070), 3);
	reg_write(&r, 0x024, 1);
	reg_write(&r, 0x020, 3);
	reg_write(&r, 0x070, 11);
	assert_int_equal(reg_read(&r, 0x070), 3);
	reg_write(&r, 0x070, 7); /* DRIVER_OK without FEATURES_OK */
	assert_int_equal(reg_read(&r, 0x070), 3);
	reg_write(&r, 0x020, 1);
	reg_write(&r, 0x070, 11);
	assert_int_equal(reg_read(&r, 0x070), 11);
}

static void implausible_queues_do_not_become_ready(void **state)
{
	static const uint32_t sizes[] = {0, 3, 129, 256, 65536 + 8, UINT32_MAX};

	(void)state;
	rig_init(&r);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		reg_write(&r, 0x038, sizes[i]);
		reg_write(&r, 0x044, 1);
		assert_int_equal(reg_read(&r, 0x044), 0);
	}
	reg_write(&r, 0x038, 8);
	reg_write(&r, 0x080, 8); /* misaligned */
	reg_write(&r, 0x044, 1);
	assert_int_equal(reg_read(&r, 0x044), 0);
	reg_write(&r, 0x080, 0xfffffff0);
	reg_write(&r, 0x084, 0xffffffff); /* wraps */
	reg_write(&r, 0x044, 1);
	assert_int_equal(reg_read(&r, 0x044), 0);
	reg_write(&r, 0x030, 6);
	assert_int_equal(reg_read(&r, 0x034), 0);
	reg_write(&r, 0x044, 1);
	assert_int_equal(reg_read(&r, 0x044), 0);
}

static void handshake_adds_names_and_opens_the_ports(void **state)
{
	(void)state;
	start_multiport();
	vconsole_host_open(&r.c, 1, true);
	assert_true(take_control(&r, name) == CONTROL(1, 6, 1));
	vconsole_host_open(&r.c, 1, true);
	assert_true(take_control(&r, name) == 0);
	vconsole_host_open(&r.c, 1, false);
	assert_true(take_control(&r, name) == CONTROL(1, 6, 0));
	send_control(&r, 1, 6, 0);
	assert_false(r.guest_open[1]);
}

static void bytes_go_out_and_in_on_both_ports(void **state)
{
	(void)state;
	start_multiport();
	send_bytes(&r, 1, 0, "console", 7);
	send_bytes(&r, 5, 0, "agent", 5);
	assert_memory_equal(r.out[0], "console", 7);
	assert_memory_equal(r.out[1], "agent", 5);
	assert_int_equal(take_used(&r, 1, bytes), 0);
	assert_int_equal(vconsole_input(&r.c, 0, (const uint8_t *)"key", 3), 3);
	assert_int_equal(vconsole_input(&r.c, 1, (const uint8_t *)"line\n", 5), 5);
	assert_int_equal(take_used(&r, 0, bytes), 3);
	assert_memory_equal(bytes, "key", 3);
	assert_int_equal(take_used(&r, 4, bytes), 5);
	assert_memory_equal(bytes, "line\n", 5);
}

static void without_multiport_port_0_works_and_port_1_is_silent(void **state)
{
	(void)state;
	rig_init(&r);
	start_driver(&r, false);
	send_bytes(&r, 1, 0, "simple", 6);
	assert_memory_equal(r.out[0], "simple", 6);
	assert_int_equal(vconsole_input(&r.c, 0, (const uint8_t *)"k", 1), 1);
	assert_int_equal(take_used(&r, 0, bytes), 1);
	assert_int_equal(vconsole_input(&r.c, 1, (const uint8_t *)"k", 1), 0);
	vconsole_host_open(&r.c, 1, true);
}

static void input_waits_for_buffers_and_for_an_open_port(void **state)
{
	static const uint8_t many[BUFFER_SIZE * (QUEUE_SIZE + 2)];
	unsigned rooms;

	(void)state;
	start_multiport();
	assert_int_equal(vconsole_input(&r.c, 0, many, sizeof(many)), BUFFER_SIZE * QUEUE_SIZE);
	assert_int_equal(vconsole_input(&r.c, 0, many, 1), 0);
	rooms = r.rooms[0];
	add_rx(&r, 0, 0);
	notify(&r, 0);
	assert_int_equal(r.rooms[0], rooms + 1);
	assert_int_equal(vconsole_input(&r.c, 0, many, 1), 1);
	send_control(&r, 1, 6, 0);
	assert_int_equal(vconsole_input(&r.c, 1, many, 1), 0);
}

static void output_that_is_not_taken_stays_with_the_guest(void **state)
{
	(void)state;
	start_multiport();
	r.out_limit[1] = 3;
	send_bytes(&r, 5, 0, "abcdefgh", 8);
	assert_memory_equal(r.out[1], "abc", 3);
	assert_int_equal(take_used(&r, 5, bytes), -1);
	assert_false(vconsole_has_work(&r.c));
	r.out_limit[1] = 6;
	vconsole_kick_tx(&r.c, 1);
	assert_int_equal(take_used(&r, 5, bytes), -1);
	r.out_limit[1] = 100;
	vconsole_kick_tx(&r.c, 1);
	assert_int_equal(take_used(&r, 5, bytes), 0);
	assert_int_equal(r.out_size[1], 8);
	assert_memory_equal(r.out[1], "abcdefgh", 8);
}

static void a_queue_that_starts_anew_sends_its_first_chain_whole(void **state)
{
	(void)state;
	start_multiport();
	r.out_limit[1] = 3;
	send_bytes(&r, 5, 0, "abcdefgh", 8);
	assert_int_equal(r.out_size[1], 3);
	reg_write(&r, 0x030, 5);
	reg_write(&r, 0x044, 0);
	memset(r.ram + QUEUE_AREA(5), 0, 0x1000);
	r.used_seen[5] = 0;
	setup_queue(&r, 5, QUEUE_SIZE);
	r.out_limit[1] = 100;
	send_bytes(&r, 5, 0, "12345678", 8);
	assert_int_equal(take_used(&r, 5, bytes), 0);
	assert_int_equal(r.out_size[1], 11);
	assert_memory_equal(r.out[1], "abc12345678", 11);
}

static void a_long_chain_is_sent_in_bounded_pieces(void **state)
{
	unsigned turns = 0;

	(void)state;
	start_multiport();
	for (unsigned i = 0; i < QUEUE_SIZE; i++)
		put_descriptor(&r, 1, i,
			       (struct descriptor){RAM_BASE, RAM_SIZE, i + 1 < QUEUE_SIZE,
						   (uint16_t)(i + 1)});
	put_available(&r, 1, 0);
	r.ram_accesses = 0;
	notify(&r, 1);
	assert_true(vconsole_has_work(&r.c));
	while (vconsole_has_work(&r.c)) {
		assert_true(r.ram_accesses < 200);
		r.ram_accesses = 0;
		vconsole_work(&r.c);
		turns++;
	}
	assert_true(turns >= QUEUE_SIZE * RAM_SIZE / 17000);
	assert_int_equal(take_used(&r, 1, bytes), 0);
}

static void interrupt_follows_status_and_comes_again_for_what_was_not_acknowledged(void **state)
{
	unsigned rises;

	(void)state;
	start_multiport();
	reg_write(&r, 0x064, 3);
	assert_false(r.line);
	assert_int_equal(vconsole_input(&r.c, 0, (const uint8_t *)"k", 1), 1);
	assert_true(r.line);
	assert_int_equal(reg_read(&r, 0x060), 1);
	rises = r.rises;
	r.c.virtio.state.isr |= 2;
	reg_write(&r, 0x064, 1);
	assert_int_equal(r.rises, rises + 1);
	assert_true(r.line);
	reg_write(&r, 0x064, 2);
	assert_false(r.line);
	put16(&r, QUEUE_AREA(0) + 0x800, 1); /* NO_INTERRUPT */
	assert_int_equal(vconsole_input(&r.c, 0, (const uint8_t *)"k", 1), 1);
	assert_false(r.line);
}

static void a_broken_queue_stops_the_device_until_reset(void **state)
{
	static const struct descriptor bad[] = {
		{RAM_BASE, 8, DESC_NEXT, 0},          /* a loop */
		{RAM_BASE, 8, DESC_NEXT, QUEUE_SIZE}, /* a bad index */
		{RAM_BASE + RAM_SIZE - 4, 8, 0, 0},   /* over the end of RAM */
		{0, 8, 0, 0},                         /* no RAM */
		{UINT64_MAX - 3, 8, 0, 0},            /* wraps */
		{RAM_BASE, UINT32_MAX, 0, 0},         /* huge */
		{RAM_BASE, 16, 4, 0},                 /* indirect */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start_multiport();
		put_descriptor(&r, 1, 0, bad[i]);
		put_available(&r, 1, 0);
		notify(&r, 1);
		for (unsigned turn = 0; vconsole_has_work(&r.c) && turn < 20; turn++)
			vconsole_work(&r.c);
		assert_true(reg_read(&r, 0x070) & VIRTIO_STATUS_NEEDS_RESET);
		assert_true(reg_read(&r, 0x060) & 2);
		r.out_size[0] = 0;
		send_bytes(&r, 1, 1, "no", 2);
		assert_int_equal(r.out_size[0], 0);
		assert_int_equal(vconsole_input(&r.c, 0, (const uint8_t *)"k", 1), 0);
		memset(r.ram, 0, sizeof(r.ram));
		start_driver(&r, false);
		send_bytes(&r, 1, 0, "yes", 3);
		assert_memory_equal(r.out[0], "yes", 3);
	}
}

/* As EL2 does when the VM was starved and got memory again. */
static void feed(void)
{
	r.starved = false;
	vconsole_retry(&r.c);
	while (vconsole_work(&r.c))
		;
}

static void a_write_without_memory_is_done_later_and_breaks_nothing(void **state)
{
	unsigned last = 0;
	size_t sent;

	(void)state;
	for (unsigned at = 1; at != last; at++) {
		start_multiport();
		r.starve_in = at;
		vconsole_host_open(&r.c, 1, true);
		feed();
		send_bytes(&r, 1, 0, "console", 7);
		feed();
		send_control(&r, 1, 6, 1);
		feed();
		sent = vconsole_input(&r.c, 1, (const uint8_t *)"line\n", 5);
		feed();
		if (sent < 5)
			assert_int_equal(vconsole_input(&r.c, 1, (const uint8_t *)"line\n", 5), 5);
		if (r.starve_in)
			last = at + 1; /* all writes have had their turn */
		assert_int_equal(reg_read(&r, 0x070) & VIRTIO_STATUS_NEEDS_RESET, 0);
		assert_true(take_control(&r, name) == CONTROL(1, 6, 1));
		assert_true(take_control(&r, name) == 0);
		assert_int_equal(r.out_size[0], 7);
		assert_memory_equal(r.out[0], "console", 7);
		assert_int_equal(take_used(&r, 1, bytes), 0);
		assert_int_equal(take_used(&r, 4, bytes), 5);
		assert_memory_equal(bytes, "line\n", 5);
		assert_int_equal(take_used(&r, 4, bytes), -1);
	}
	assert_in_range(last, 8, 40);
}

static void an_available_index_too_far_ahead_breaks_the_queue(void **state)
{
	(void)state;
	start_multiport();
	put16(&r, QUEUE_AREA(1) + 0x802, QUEUE_SIZE + 1);
	notify(&r, 1);
	assert_true(reg_read(&r, 0x070) & VIRTIO_STATUS_NEEDS_RESET);
}

static void reset_is_a_load_of_the_initial_state(void **state)
{
	struct vconsole_state initial;
	struct vconsole_state later;

	(void)state;
	rig_init(&r);
	vconsole_save(&r.c, &initial);
	start_multiport();
	reg_write(&r, 0x070, 0);
	vconsole_save(&r.c, &later);
	assert_memory_equal(&initial, &later, sizeof(initial));
	assert_false(r.line || r.guest_open[0] || r.guest_open[1]);
	start_multiport();
	vconsole_load(&r.c, &initial);
	assert_false(r.line);
	assert_int_equal(reg_read(&r, 0x070), 0);
}

static void a_restored_guest_sees_port_1_closed_and_opened_and_loses_no_bytes(void **state)
{
	static uint8_t ram[RAM_SIZE];
	struct vconsole_state saved;
	uint16_t seen[VIRTIO_QUEUE_MAX];

	(void)state;
	start_multiport();
	vconsole_host_open(&r.c, 1, true);
	assert_true(take_control(&r, name) == CONTROL(1, 6, 1));
	reg_write(&r, 0x064, 3);
	/* The snapshot has a sent line that the device did not take yet. */
	r.out_limit[1] = 0;
	send_bytes(&r, 5, 0, "pending", 7);
	vconsole_save(&r.c, &saved);
	memcpy(ram, r.ram, sizeof(ram));
	memcpy(seen, r.used_seen, sizeof(seen));

	r.out_limit[1] = 1000;
	vconsole_kick_tx(&r.c, 1);
	assert_int_equal(vconsole_input(&r.c, 1, (const uint8_t *)"later", 5), 5);

	r.out_size[1] = 0;
	memcpy(r.ram, ram, sizeof(ram));
	memcpy(r.used_seen, seen, sizeof(seen));
	vconsole_load(&r.c, &saved);
	vconsole_after_restore(&r.c);
	assert_true(r.line);
	assert_memory_equal(r.out[1], "pending", 7);
	assert_int_equal(take_used(&r, 5, bytes), 0);
	assert_true(take_control(&r, name) == CONTROL(1, 6, 0));
	assert_true(take_control(&r, name) == CONTROL(1, 6, 1));
	assert_true(take_control(&r, name) == 0);
	assert_int_equal(vconsole_input(&r.c, 1, (const uint8_t *)"again", 5), 5);
	assert_int_equal(take_used(&r, 4, bytes), 5);
}

static void a_restore_before_the_driver_started_is_quiet(void **state)
{
	struct vconsole_state saved;

	(void)state;
	rig_init(&r);
	vconsole_save(&r.c, &saved);
	start_multiport();
	vconsole_load(&r.c, &saved);
	vconsole_after_restore(&r.c);
	assert_false(r.line);
	assert_false(vconsole_has_work(&r.c));
	assert_int_equal(vconsole_input(&r.c, 0, (const uint8_t *)"k", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identification_reads_as_a_modern_console),
		cmocka_unit_test(an_empty_slot_has_device_id_0),
		cmocka_unit_test(features_are_refused_without_version_1_or_with_unknown_ones),
		cmocka_unit_test(implausible_queues_do_not_become_ready),
		cmocka_unit_test(handshake_adds_names_and_opens_the_ports),
		cmocka_unit_test(bytes_go_out_and_in_on_both_ports),
		cmocka_unit_test(without_multiport_port_0_works_and_port_1_is_silent),
		cmocka_unit_test(input_waits_for_buffers_and_for_an_open_port),
		cmocka_unit_test(output_that_is_not_taken_stays_with_the_guest),
		cmocka_unit_test(a_queue_that_starts_anew_sends_its_first_chain_whole),
		cmocka_unit_test(a_long_chain_is_sent_in_bounded_pieces),
		cmocka_unit_test(
			interrupt_follows_status_and_comes_again_for_what_was_not_acknowledged),
		cmocka_unit_test(a_broken_queue_stops_the_device_until_reset),
		cmocka_unit_test(a_write_without_memory_is_done_later_and_breaks_nothing),
		cmocka_unit_test(an_available_index_too_far_ahead_breaks_the_queue),
		cmocka_unit_test(reset_is_a_load_of_the_initial_state),
		cmocka_unit_test(a_restored_guest_sees_port_1_closed_and_opened_and_loses_no_bytes),
		cmocka_unit_test(a_restore_before_the_driver_started_is_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
