/* SPDX-License-Identifier: MIT */
/*
 * test_service.c - the agent's core: which line becomes which hypercall, and which result becomes which line.
 */
#include "service_rig.h"

static void a_connection_is_greeted_with_hello(void **state)
{
	(void)state;
	assert_string_equal(
		rig.output,
		"0 hello proto=1 abi=1.0 version=9.9 features=0x80000001 boots=5 vms=3 debug=1\n");
	assert_int_equal(rig.flush_count, 1);
	forget();
	service_open(&rig.service);
	assert_int_equal(rig.call_count, 1); /* what a client before it left half done */
	expect_call(0, AV_HVC_IMPORT_ABORT, 0, 0, 0);
	assert_string_equal(
		ask("7 hello\n"),
		"7 ok proto=1 abi=1.0 version=9.9 features=0x80000001 boots=5 vms=3 debug=1\n");
}

static void ping_is_answered_without_a_call(void **state)
{
	(void)state;
	assert_string_equal(ask("ffffffffffffffff ping\n"), "ffffffffffffffff ok\n");
	assert_int_equal(rig.call_count, 0);
	assert_int_equal(rig.flush_count, 1);
}

static void nothing_is_said_to_an_empty_line(void **state)
{
	(void)state;
	assert_string_equal(ask("\n\n  \n"), "");
}

static void bad_lines_are_told_and_the_next_one_works(void **state)
{
	char text[6000];

	(void)state;
	assert_string_equal(ask("what\n1 ping\n"), "0 err code=MALFORMED\n1 ok\n");
	assert_string_equal(ask("5 ping vm=\n1 ping\n"), "5 err code=MALFORMED\n1 ok\n");
	assert_string_equal(ask("5 frobnicate\n1 ping\n"), "5 err code=UNKNOWN_VERB\n1 ok\n");
	assert_non_null(strstr(ask("5 ping x=1\n1 ping\n"), "5 err code=INVALID msg="));
	assert_non_null(strstr(ask("5 vm\n"), "5 err code=INVALID msg="));
	assert_non_null(strstr(ask("5 pause vm=nobody\n"), "5 err code=NOT_FOUND msg="));
	memset(text, 'a', sizeof(text));
	snprintf(text + 5000, sizeof(text) - 5000, "\n2 ping\n");
	assert_string_equal(ask(text), "0 err code=TOO_LONG\n2 ok\n");
}

static void half_a_line_of_a_client_that_left_is_dropped(void **state)
{
	(void)state;
	ask("1 pause vm=");
	service_close(&rig.service);
	service_open(&rig.service);
	assert_string_equal(ask("\n2 ping\n"), "2 ok\n");
}

static void one_command_is_one_call(void **state)
{
	static const struct {
		const char *text;
		uint32_t number;
		uint64_t x1, x2, x3;
		const char *answer;
	} commands[] = {
		{"1 pause vm=vm1\n", AV_HVC_VM_PAUSE, 1, 0, 0, "1 ok state=paused\n"},
		{"1 resume vm=vm1\n", AV_HVC_VM_RESUME, 1, 0, 0, "1 ok state=paused\n"},
		{"1 stop vm=vm1\n", AV_HVC_VM_STOP, 1, 0, 0, "1 ok state=paused\n"},
		{"1 start vm=vm1 paused=1\n", AV_HVC_VM_START, 1, AV_RESTORE_PAUSED, 0,
		 "1 ok state=crashed generation=1\n"},
		{"1 restart vm=vm1\n", AV_HVC_VM_RESTART, 1, 0, 0,
		 "1 ok state=crashed generation=1\n"},
		{"1 take vm=vm1\n", AV_HVC_SNAPSHOT_TAKE, 1, 0, 0,
		 "1 ok id=1 evicted=3 paused_ns=9\n"},
		{"1 take vm=vm1 name=x request=AbC\n", AV_HVC_SNAPSHOT_TAKE, 1, BUFFER_IPA, 0xabc,
		 "1 ok id=1 evicted=3 paused_ns=9\n"},
		{"1 restore vm=vm1 id=7\n", AV_HVC_SNAPSHOT_RESTORE, 1, 7, 0,
		 "1 ok id=1 generation=3 undo=off paused_ns=9\n"},
		{"1 restore vm=vm1 latest=1 keep_undo=1 paused=1\n", AV_HVC_SNAPSHOT_RESTORE, 1,
		 AV_SNAPSHOT_LATEST, AV_RESTORE_UNDO | AV_RESTORE_PAUSED,
		 "1 ok id=1 generation=3 undo=kept paused_ns=9\n"},
		{"1 restore vm=vm1 boot=1\n", AV_HVC_SNAPSHOT_RESTORE, 1, AV_SNAPSHOT_BOOT, 0,
		 "1 ok id=1 generation=3 undo=off paused_ns=9\n"},
		{"1 restore vm=vm1 undo=1\n", AV_HVC_SNAPSHOT_RESTORE, 1, AV_SNAPSHOT_UNDO, 0,
		 "1 ok id=1 generation=3 undo=off paused_ns=9\n"},
		{"1 delete vm=vm1 id=0x10\n", AV_HVC_SNAPSHOT_DELETE, 1, 16, 0, "1 ok id=1\n"},
		{"1 delete vm=vm1 undo=1\n", AV_HVC_SNAPSHOT_DELETE, 1, AV_SNAPSHOT_UNDO, 0,
		 "1 ok id=1\n"},
		{"1 set vm=vm1 id=3 pinned=1\n", AV_HVC_SNAPSHOT_SET, 1, 3, AV_SNAPSHOT_SET_PINNED,
		 "1 ok id=3\n"},
		{"1 set vm=vm1 id=3 new_name=abc\n", AV_HVC_SNAPSHOT_SET, 1, 3,
		 AV_SNAPSHOT_SET_NAME, "1 ok id=3\n"},
		{"1 drain vm=vm1\n", AV_HVC_MEMORY_DRAIN, 1, 0, 0, "1 ok\n"},
		{"1 audit vm=vm1\n", AV_HVC_AUDIT, 1, 0, 0, "1 ok frames=1\n"},
		{"1 restart vm=a-name-of-exactly-32-characters.\n", AV_HVC_VM_RESTART, 2, 0, 0,
		 "1 ok state=crashed generation=1\n"},
	};

	(void)state;
	rig.next = (struct service_result){AV_OK, {1, 3, 9}};
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		assert_string_equal(ask(commands[i].text), commands[i].answer);
		assert_int_equal(rig.call_count, 1);
		expect_call(0, commands[i].number, commands[i].x1, commands[i].x2, commands[i].x3);
	}
}

static void a_name_goes_to_the_hypervisor_padded(void **state)
{
	static const char longest[] = "a-name-of-exactly-32-characters.";

	(void)state;
	memset(rig.buffer, 0xff, sizeof(rig.buffer));
	ask("1 take vm=vm1 name=before\n");
	assert_memory_equal(rig.buffer,
			    "before\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
	ask("1 take vm=vm1 name=a-name-of-exactly-32-characters.\n");
	assert_memory_equal(rig.buffer, longest, 32);
	assert_non_null(strstr(ask("1 take vm=vm1 name=a-name-of-exactly-33-characters..\n"),
			       "err code=INVALID"));
	assert_non_null(strstr(ask("1 take vm=vm1 name=\"\"\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 take vm=vm1 name=\"a\\x00b\"\n"), "err code=INVALID"));
	assert_int_equal(rig.call_count, 0);
}

static void found_and_skipped_are_told(void **state)
{
	(void)state;
	rig.next = (struct service_result){AV_OK, {4, AV_TAKE_FOUND, 0}};
	assert_string_equal(ask("1 take vm=vm1 request=9\n"), "1 ok id=4 found=1\n");
	rig.next =
		(struct service_result){AV_OK, {AV_SNAPSHOT_BOOT, 12 | AV_RESTORE_UNDO_SKIPPED, 1}};
	assert_string_equal(ask("1 restore vm=vm1 boot=1 keep_undo=1\n"),
			    "1 ok id=boot generation=12 undo=skipped paused_ns=1\n");
}

static void a_snapshot_is_chosen_in_exactly_one_way(void **state)
{
	(void)state;
	assert_non_null(strstr(ask("1 restore vm=vm1\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 restore vm=vm1 id=1 latest=1\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 restore vm=vm1 id=1 name=x\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 restore vm=vm1 id=-1\n"), "err code=INVALID"));
	assert_non_null(
		strstr(ask("1 restore vm=vm1 id=18446744073709551615\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 restore vm=vm1 latest=2\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 delete vm=vm1 latest=1\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 set vm=vm1 id=1\n"), "err code=INVALID"));
	assert_int_equal(rig.call_count, 0);
}

static void a_name_is_looked_up_and_its_id_used(void **state)
{
	(void)state;
	rig.snapshots[0] = 3;
	rig.snapshots[1] = 8;
	rig.snapshots[2] = 9;
	rig.snapshot_count = 3;
	ask("1 restore vm=vm1 name=snap8\n");
	assert_int_equal(rig.call_count, 3);
	expect_call(2, AV_HVC_SNAPSHOT_RESTORE, 1, 8, 0);
	assert_non_null(strstr(ask("1 restore vm=vm1 name=snap7\n"), "err code=NOT_FOUND"));
	assert_non_null(strstr(ask("1 delete vm=vm1 name=\"\"\n"), "err code=NOT_FOUND"));
}

static void snapshots_lists_boot_undo_and_all_others(void **state)
{
	const char *answer;

	(void)state;
	rig.snapshots[0] = 3;
	rig.snapshots[1] = 8;
	rig.snapshot_count = 2;
	rig.has_undo = true;
	answer = ask("1 snapshots vm=vm1\n");
	assert_non_null(
		strstr(answer, "1 row id=boot parent=none name=\"\" request=0xabc taken_ns=0"));
	assert_non_null(strstr(answer, "\n1 row id=undo "));
	assert_non_null(strstr(answer, "\n1 row id=3 parent=none name=snap3 "));
	assert_non_null(strstr(answer, "\n1 row id=8 "));
	assert_non_null(strstr(answer, " pinned=0 state=running base=0 clones=0\n1 ok\n"));
	assert_int_equal(rig.flush_count, 1);
}

static void a_clone_has_its_name_at_once_and_a_removed_one_no_more(void **state)
{
	const char *answer;

	(void)state;
	rig.next = (struct service_result){AV_OK, {2, 7, 55}};
	assert_string_equal(ask("1 clone vm=vm1 id=3 as=vm1b slot=slot1 paused=1\n"),
			    "1 ok id=2 generation=7 took_ns=55\n");
	expect_call(rig.call_count - 1, AV_HVC_VM_CLONE, 1, 3, BUFFER_IPA);
	assert_int_equal(rig.calls[rig.call_count - 1].args[3], 2);
	assert_int_equal(rig.calls[rig.call_count - 1].args[4], AV_RESTORE_PAUSED);
	assert_string_equal(ask("1 pause vm=vm1b\n"), "1 ok state=starved\n");
	answer = ask("1 vm vm=vm1b\n");
	assert_non_null(strstr(answer, " slot=slot1 source=vm1 source_id=3 clones=0"));
	assert_string_equal(ask("1 remove vm=vm1b\n"), "1 ok\n");
	assert_non_null(strstr(ask("1 pause vm=vm1b\n"), "err code=NOT_FOUND"));
	assert_non_null(strstr(ask("1 clone vm=vm1 id=3 as=b slot=vm1\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 clone vm=vm1 id=3 slot=slot1\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 clone vm=vm1 as=b slot=slot1\n"), "err code=INVALID"));
	rig.refuse = AV_E_IN_USE;
	assert_non_null(strstr(ask("1 delete vm=vm1 id=3\n"), "err code=IN_USE"));
}

static void diff_gives_runs_and_where_to_go_on(void **state)
{
	struct av_page_run runs[2] = {{0x40001000, 0x50000000, 0, 3, AV_PAGE_ONLY_A},
				      {0x40009000, 0x50009000, 0x60009000, 1, AV_PAGE_BOTH}};

	(void)state;
	memcpy(rig.buffer, runs, sizeof(runs));
	rig.next = (struct service_result){AV_OK, {2, AV_DIFF_END, 0}};
	assert_string_equal(ask("1 diff vm=vm1 a=3 b=live\n"),
			    "1 row ipa=0x40001000 count=3 pa_a=0x50000000 pa_b=0x0\n"
			    "1 row ipa=0x40009000 count=1 pa_a=0x50009000 pa_b=0x60009000\n"
			    "1 ok next=0xffffffffffffffff\n");
	assert_int_equal(rig.call_count, 1);
	expect_call(0, AV_HVC_SNAPSHOT_DIFF, 1, 3, AV_SNAPSHOT_LIVE);
	/* A cursor that stays short of the end: a bounded number of calls, and it says where it is. */
	rig.next = (struct service_result){AV_OK, {0, 0x40200000, 0}};
	assert_string_equal(ask("1 diff vm=vm1 a=boot b=undo from=0x40000000\n"),
			    "1 ok next=0x40200000\n");
	assert_true(rig.call_count > 1 && rig.call_count <= 64);
	assert_int_equal(rig.calls[0].args[3], 0x40000000);
	assert_int_equal(rig.calls[1].args[3], 0x40200000);
	rig.next.status = AV_E_NOT_FOUND;
	assert_non_null(strstr(ask("1 diff vm=vm1 a=3 b=4\n"), "1 err code=NOT_FOUND"));
	rig.call_count = 0;
	assert_non_null(strstr(ask("1 diff vm=vm1 a=3\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 diff vm=vm1 a=lives b=3\n"), "err code=INVALID"));
	assert_non_null(
		strstr(ask("1 diff vm=vm1 a=3 b=0xfffffffffffffffe\n"), "err code=INVALID"));
	assert_non_null(strstr(ask("1 diff vm=vm1 a=3 b=4 from=x\n"), "err code=INVALID"));
	assert_int_equal(rig.call_count, 0);
}

static void state_describes_each_part(void **state)
{
	struct av_state_part part = {.name = "vcpu", .vcpu = 1, .size = 900, .checksum = 0xabc};
	const char *answer;

	(void)state;
	memset(part.x, 0xff, sizeof(part.x));
	part.pc = 0x40080000;
	part.power = AV_VCPU_ON;
	memcpy(rig.buffer, &part, sizeof(part));
	rig.next = (struct service_result){AV_OK, {sizeof(part), 2, 0}};
	answer = ask("1 state vm=vm1 id=undo\n");
	assert_int_equal(rig.call_count, 2);
	expect_call(0, AV_HVC_SNAPSHOT_STATE, 1, AV_SNAPSHOT_UNDO, 0);
	expect_call(1, AV_HVC_SNAPSHOT_STATE, 1, AV_SNAPSHOT_UNDO, 1);
	assert_non_null(strstr(answer, "1 row part=vcpu vcpu=1 size=900 sum=0xabc x0=0xffff"));
	assert_non_null(strstr(answer, " x30=0xffffffffffffffff pc=0x40080000 pstate=0x0 "));
	assert_non_null(strstr(answer, " power=0x1\n1 row part=vcpu"));
	assert_non_null(strstr(answer, "\n1 ok\n"));
	part = (struct av_state_part){.name = "clock", .vcpu = UINT32_MAX, .size = 8, .value = 5};
	memcpy(rig.buffer, &part, sizeof(part));
	rig.next.value[1] = 1;
	assert_string_equal(ask("1 state vm=vm1 id=0\n"),
			    "1 row part=clock size=8 sum=0x0 value=5\n1 ok\n");
}

static void vms_lists_all_and_says_why_one_crashed(void **state)
{
	const char *answer = ask("1 vms\n");

	(void)state;
	assert_non_null(strstr(
		answer, "1 row name=control index=0 state=running vcpus=1 ram_base=0x40000000 "));
	assert_non_null(strstr(
		answer, "\n1 row name=a-name-of-exactly-32-characters. index=2 state=crashed "));
	assert_non_null(strstr(answer, " base=boot "));
	assert_non_null(strstr(answer, " reason=\"\\\"\\\""));
	assert_non_null(strstr(answer, " pc=0x1234 esr=0x0 far=0x0 word=0x0\n1 ok\n"));
}

static void every_error_has_its_name(void **state)
{
	static const char *const names[] = {
		"",          "NOT_SUPPORTED", "INVALID",  "DENIED", "NOT_FOUND", "WRONG_STATE",
		"NO_MEMORY", "BAD_ADDRESS",   "EXISTS",   "PINNED", "LIMIT",     "INTEGRITY",
		"MISMATCH",  "NOT_ATTACHED",  "EXHAUSTED"};
	char wanted[64];

	(void)state;
	for (int i = 1; i < 15; i++) {
		rig.refuse = -i;
		snprintf(wanted, sizeof(wanted), "1 err code=%s msg=", names[i]);
		assert_non_null(strstr(ask("1 audit vm=vm1\n"), wanted));
	}
	rig.refuse = -77;
	assert_non_null(strstr(ask("1 audit vm=vm1\n"), "1 err code=NOT_SUPPORTED msg="));
}

static void events_come_64_at_a_time_and_a_gap_is_told(void **state)
{
	const char *answer = ask("1 events since=3\n");
	unsigned int rows = 0;

	(void)state;
	for (const char *at = answer; (at = strstr(at, "1 row ")); at++)
		rows++;
	assert_int_equal(rows, 64);
	assert_non_null(strstr(answer, "1 row seq=3 time_ns=5 kind=crash vm=vm1 a=57005 b=0 "
				       "text=xxxxxxxxxxxxxxxxxxxxxxxx\n"));
	assert_non_null(strstr(answer, "\n1 ok next=67 lost=2\n"));
	assert_string_equal(ask("1 events since=70\n"), "1 ok next=70 lost=0\n");
	assert_non_null(strstr(ask("1 events\n"), "err code=INVALID"));
}

static void the_log_comes_in_rows_without_a_hole(void **state)
{
	uint64_t at = 0;
	unsigned int asked = 0;

	(void)state;
	while (at < 20000 && asked++ < 20) {
		char text[64], *end, *row;

		snprintf(text, sizeof(text), "1 log since=%llu\n", (unsigned long long)at);
		end = strstr(ask(text), "1 ok next=");
		assert_non_null(end);
		row = strstr(rig.output, "1 row at=");
		assert_non_null(row);
		assert_int_equal(strtoull(row + 9, NULL, 10), at < 1000 ? 1000 : at);
		assert_int_equal(strtoull(strstr(end, "lost=") + 5, NULL, 10),
				 at < 1000 ? 1000 - at : 0);
		at = strtoull(end + 10, NULL, 10);
	}
	assert_int_equal(at, 20000);
	assert_string_equal(ask("1 log since=20000\n"), "1 ok next=20000 lost=0\n");
}

static void regions_name_their_members(void **state)
{
	const char *answer = ask("1 regions\n");

	(void)state;
	assert_non_null(strstr(answer,
			       " ipa=0x70000000 size=65536 pa=0x0 members=control:ro,vm1:rw,"
			       "a-name-of-exactly-32-characters.:ro,control:ro,vm1:rw,"));
	assert_non_null(strstr(answer, "\n1 ok\n"));
}

static void a_hook_strikes_at_the_next_command(void **state)
{
	(void)state;
	assert_non_null(strstr(ask("1 hook name=other\n"), "err code=INVALID"));
	rig.refuse = AV_E_NOT_SUPPORTED;
	assert_non_null(strstr(ask("1 hook name=crash\n"), "err code=NOT_SUPPORTED"));
	rig.refuse = 0;
	assert_string_equal(ask("1 hook name=crash\n"), "1 ok\n");
	expect_call(0, AV_HVC_TEST_HOOK, AV_HOOK_AGENT_CRASH, 0, 0);
	assert_int_equal(rig.crash_count, 0);
	ask("2 ping\n");
	assert_int_equal(rig.crash_count, 1);
	assert_string_equal(ask("3 hook name=hang\n"), "3 ok\n");
	assert_int_equal(rig.hang_count, 0);
	ask("4 ping\n");
	assert_int_equal(rig.hang_count, 1);
}

static void a_plain_agent_knows_hello_and_ping_only(void **state)
{
	(void)state;
	memset(&rig.service, 0, sizeof(rig.service));
	rig.service.ops = &ops;
	rig.service.version = "9.9";
	rig.service.buffer = rig.buffer;
	rig.service.buffer_ipa = BUFFER_IPA;
	forget();
	service_open(&rig.service);
	assert_string_equal(
		rig.output,
		"0 hello proto=1 abi=1.0 version=9.9 features=0x80000001 boots=7 vms=0 debug=1\n");
	assert_string_equal(ask("1 ping\n"), "1 ok\n");
	assert_string_equal(ask("1 vms\n"), "1 err code=UNKNOWN_VERB\n");
	assert_string_equal(ask("1 stop vm=vm1\n"), "1 err code=UNKNOWN_VERB\n");
	assert_non_null(strstr(ask("1 quiesce\n"), "1 err code=NOT_SUPPORTED "));
	assert_non_null(strstr(ask("1 thaw\n"), "1 err code=NOT_SUPPORTED "));
	assert_non_null(strstr(ask("1 quiesce hold_ms=600001\n"), "1 err code=INVALID "));
	assert_int_equal(rig.call_count, 0);
}

static void noise_is_answered_and_never_acted_on(void **state)
{
	unsigned int seed = 7;
	char noise[4096];

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned int round = 0; round < 500; round++) {
		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (char)(random() % 8 ? random() : '\n');
		forget();
		service_input(&rig.service, noise, sizeof(noise));
		assert_int_equal(rig.call_count, 0);
		service_input(&rig.service, "\n", 1);
		assert_string_equal(ask("1 ping\n"), "1 ok\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_connection_is_greeted_with_hello, set_up),
		cmocka_unit_test_setup(ping_is_answered_without_a_call, set_up),
		cmocka_unit_test_setup(nothing_is_said_to_an_empty_line, set_up),
		cmocka_unit_test_setup(bad_lines_are_told_and_the_next_one_works, set_up),
		cmocka_unit_test_setup(half_a_line_of_a_client_that_left_is_dropped, set_up),
		cmocka_unit_test_setup(one_command_is_one_call, set_up),
		cmocka_unit_test_setup(a_name_goes_to_the_hypervisor_padded, set_up),
		cmocka_unit_test_setup(found_and_skipped_are_told, set_up),
		cmocka_unit_test_setup(a_snapshot_is_chosen_in_exactly_one_way, set_up),
		cmocka_unit_test_setup(a_name_is_looked_up_and_its_id_used, set_up),
		cmocka_unit_test_setup(snapshots_lists_boot_undo_and_all_others, set_up),
		cmocka_unit_test_setup(a_clone_has_its_name_at_once_and_a_removed_one_no_more,
				       set_up),
		cmocka_unit_test_setup(diff_gives_runs_and_where_to_go_on, set_up),
		cmocka_unit_test_setup(state_describes_each_part, set_up),
		cmocka_unit_test_setup(vms_lists_all_and_says_why_one_crashed, set_up),
		cmocka_unit_test_setup(every_error_has_its_name, set_up),
		cmocka_unit_test_setup(events_come_64_at_a_time_and_a_gap_is_told, set_up),
		cmocka_unit_test_setup(the_log_comes_in_rows_without_a_hole, set_up),
		cmocka_unit_test_setup(regions_name_their_members, set_up),
		cmocka_unit_test_setup(a_hook_strikes_at_the_next_command, set_up),
		cmocka_unit_test_setup(a_plain_agent_knows_hello_and_ping_only, set_up),
		cmocka_unit_test_setup(noise_is_answered_and_never_acted_on, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
