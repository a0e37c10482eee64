/* SPDX-License-Identifier: MIT */
/*
 * test_record.c - the record of a running set, QEMU's command line, and QEMU as a process (played
 * by sh).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "machine/paths.h"
#include "machine/qemu.h"

static char folder[PATH_MAX];

static struct set_choice colours[] = {{(char *)"red", 1}, {(char *)"green", 0xff}};
static struct set_choice states[] = {{(char *)"idle", 0}};
static struct set_enum state_names = {.choices = states, .count = 1};
static struct set_enum colour_names = {.next = &state_names, .choices = colours, .count = 2};
static struct set_field fields[] = {
	{.name = (char *)"message", .at = 0, .length = 64, .type = SET_FIELD_STRING},
	{.name = (char *)"colour",
	 .at = 64,
	 .length = 2,
	 .count = 2,
	 .type = SET_FIELD_I8,
	 .choices = &colour_names},
	{.name = (char *)"slot[0].state",
	 .at = 66,
	 .length = 2,
	 .type = SET_FIELD_U16,
	 .big_endian = true,
	 .hex = true,
	 .choices = &state_names},
};
static struct set_member members[] = {{.vm = 0, .write = false}, {.vm = 1, .write = true}};
static struct set_region regions[] = {
	{.name = (char *)"board",
	 .address = 0x70000000,
	 .size = 65536,
	 .members = members,
	 .member_count = 2,
	 .fields = fields,
	 .field_count = 3,
	 .enums = &colour_names},
};
static struct set_vm vms[] = {
	{.name = (char *)"vm1",
	 .image = (char *)"/img",
	 .ram_base = 0x40000000,
	 .ram_size = 128 << 20,
	 .vcpu_count = 1,
	 .snapshot_keep = 8},
	{.name = (char *)"vm2",
	 .image = (char *)"/img2",
	 .ram_base = 0x40000000,
	 .ram_size = 64 << 20,
	 .vcpu_count = 1},
};
static struct set set = {
	.name = (char *)"duo",
	.path = (char *)"/x/duo.yaml",
	.cpu_count = 2,
	.cpu_model = (char *)"cortex-a57",
	.memory = UINT64_C(1) << 30,
	.vms = vms,
	.vm_count = 2,
	.regions = regions,
	.region_count = 1,
};
static uint64_t region_pa[] = {0x41234000};

static struct record sample(void)
{
	return (struct record){.set = &set,
			       .runtime_dir = folder,
			       .log_dir = folder,
			       .ram_file = (char *)"/ram",
			       .config_hash = (char *)"abc",
			       .region_pa = region_pa,
			       .started = 1700000000};
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/avctl-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	machine_clean(folder, NULL);
	return rmdir(folder);
}

static void what_is_saved_is_loaded(void **state)
{
	struct record record = sample(), *loaded;
	const struct set_field *field;

	(void)state;
	record.pid = 12345;
	record.pid_start = 99;
	assert_int_equal(record_save(&record), 0);
	loaded = record_load(folder);
	assert_non_null(loaded);
	assert_string_equal(loaded->set->name, "duo");
	assert_string_equal(loaded->ram_file, "/ram");
	assert_int_equal(loaded->pid, 12345);
	assert_int_equal(loaded->set->vm_count, 2);
	assert_int_equal(loaded->set->vms[0].snapshot_keep, 8);
	assert_int_equal(loaded->set->vms[1].ram_size, 64 << 20);
	assert_int_equal(loaded->region_pa[0], 0x41234000);
	assert_int_equal(loaded->set->regions[0].address, 0x70000000);
	assert_true(loaded->set->regions[0].members[1].write);
	assert_string_equal(loaded->set->regions[0].fields[0].name, "message");
	assert_null(loaded->set->regions[0].fields[0].choices);
	field = &loaded->set->regions[0].fields[1];
	assert_int_equal(field->count, 2);
	assert_int_equal(field->choices->count, 2);
	assert_string_equal(field->choices->choices[1].name, "green");
	assert_int_equal(field->choices->choices[1].value, 0xff);
	field = &loaded->set->regions[0].fields[2];
	assert_string_equal(field->name, "slot[0].state");
	assert_true(field->big_endian && field->hex && field->count == 0);
	assert_string_equal(field->choices->choices[0].name, "idle");
	assert_false(record_alive(loaded));
	record_free(loaded);
}

static void a_missing_record_is_told_from_a_damaged_one(void **state)
{
	char path[PATH_MAX + 16];
	struct record record = sample();
	struct stat info;

	(void)state;
	assert_null(record_load(folder));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(record_save(&record), 0);
	snprintf(path, sizeof(path), "%s/machine.json", folder);
	/* Cut off anywhere, it is refused and never trusted. */
	assert_int_equal(stat(path, &info), 0);
	for (off_t size = 0; size < info.st_size; size += 37) {
		assert_int_equal(record_save(&record), 0);
		assert_int_equal(truncate(path, size), 0);
		assert_null(record_load(folder));
		assert_int_equal(errno, EINVAL);
	}
}

static void the_pid_of_an_interrupted_up_is_found(void **state)
{
	char path[PATH_MAX + 16];
	struct record record = sample(), *loaded;
	FILE *file;

	(void)state;
	assert_int_equal(record_save(&record), 0);
	snprintf(path, sizeof(path), "%s/qemu.pid", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "4711 12\n");
	fclose(file);
	loaded = record_load(folder);
	assert_non_null(loaded);
	assert_int_equal(loaded->pid, 4711);
	record_free(loaded);
}

static bool has(char *const *args, const char *wanted)
{
	for (size_t i = 0; args[i]; i++) {
		if (!strcmp(args[i], wanted))
			return true;
	}
	return false;
}

static void qemu_gets_one_port_for_each_purpose(void **state)
{
	struct qemu_files files = {"/lib/hypervisor.elf", "/ram,1", "/logs"};
	char **args;

	(void)state;
	unsetenv("AVCTL_QEMU");
	setenv("AVCTL_QEMU_ARGS", "-icount shift=0,sleep=off", 1);
	args = qemu_args(&set, &files);
	assert_string_equal(args[0], "qemu-system-aarch64");
	assert_true(has(args, "virtserialport,chardev=port-control,name=control"));
	assert_true(has(args, "virtconsole,chardev=port-vm1.console,name=vm1.console"));
	assert_true(has(args, "virtconsole,chardev=port-vm2.hvc0,name=vm2.hvc0"));
	assert_true(has(args, "virtserialport,chardev=port-vm2.agent,name=vm2.agent"));
	assert_true(
		has(args, "memory-backend-file,id=ram,size=1073741824,mem-path=/ram,,1,share=on"));
	assert_true(has(args,
			"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"));
	assert_true(has(args, "-icount"));
	assert_true(has(args, "tcg,thread=single"));
	for (size_t i = 0; args[i]; i++)
		assert_null(strstr(args[i], "semihosting"));
	qemu_args_free(args);
	unsetenv("AVCTL_QEMU_ARGS");
	args = qemu_args(&set, &files);
	assert_true(has(args, "tcg,thread=multi"));
	assert_false(has(args, "-icount"));
	qemu_args_free(args);
}

static void wait_for_file(const char *name)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	for (int i = 0; i < 1000 && access(path, F_OK) < 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	/* Made and written are two things. */
	for (int i = 0; i < 1000; i++) {
		struct stat info;

		if (stat(path, &info) == 0 && info.st_size)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
	fail_msg("no file %s", name);
}

static void the_end_of_a_machine_is_written_down(void **state)
{
	char *const args[] = {(char *)"/bin/sh", (char *)"-c", (char *)"echo oops >&2; exit 7",
			      NULL};
	struct record record = sample();
	char how[128];

	(void)state;
	assert_int_equal(record_save(&record), 0);
	record.pid = qemu_start(args, folder, folder, &record.pid_start);
	assert_true(record.pid > 0);
	wait_for_file("exit");
	assert_false(record_alive(&record));
	assert_string_equal(record_last_exit(&record, how, sizeof(how)), "exit status 7");
	/* An exit file of another process says nothing about this one. */
	record.pid++;
	assert_string_equal(record_last_exit(&record, how, sizeof(how)), "unknown");
}

static void a_machine_that_does_not_listen_is_killed(void **state)
{
	char *const args[] = {(char *)"/bin/sh", (char *)"-c",
			      (char *)"trap '' TERM; echo >ready; while :; do sleep 0.05; done",
			      NULL};
	struct record record = sample();
	char how[128];

	(void)state;
	assert_int_equal(record_save(&record), 0);
	record.pid = qemu_start(args, folder, folder, &record.pid_start);
	assert_true(record.pid > 0);
	assert_true(record_alive(&record));
	wait_for_file("ready");
	/* Another process of the same pid is none of ours. */
	assert_int_equal(qemu_stop(record.pid, record.pid_start + 1, 1000000), 0);
	assert_true(record_alive(&record));
	assert_int_equal(qemu_stop(record.pid, record.pid_start, 200000000), 0);
	assert_false(record_alive(&record));
	wait_for_file("exit");
	assert_string_equal(record_last_exit(&record, how, sizeof(how)),
			    "killed by signal 9 (Killed)");
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
	char *const args[] = {(char *)"/nonexistent/qemu", NULL};
	uint64_t start;

	(void)state;
	assert_int_equal(qemu_start(args, folder, folder, &start), -1);
	assert_int_equal(errno, ENOENT);
}

static void ram_goes_where_there_is_room(void **state)
{
	char tried[256];
	char *found;

	(void)state;
	setenv("AVCTL_RAM_DIR", folder, 1);
	found = paths_ram_dir(4096, tried, sizeof(tried));
	assert_string_equal(found, folder);
	free(found);
	assert_null(paths_ram_dir(UINT64_MAX, tried, sizeof(tried)));
	assert_non_null(strstr(tried, folder));
	unsetenv("AVCTL_RAM_DIR");
}

static void folders_are_ours_alone(void **state)
{
	char path[PATH_MAX + 32], link[PATH_MAX + 32];
	struct stat info;

	(void)state;
	snprintf(path, sizeof(path), "%s/avisor/duo", folder);
	assert_int_equal(paths_make(path), 0);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0700);
	assert_int_equal(rmdir(path), 0);
	/* A link that somebody else may have put there is refused. */
	snprintf(link, sizeof(link), "%s/avisor/trap", folder);
	assert_int_equal(symlink("/tmp", link), 0);
	assert_int_equal(paths_make(link), -1);
	assert_int_equal(unlink(link), 0);
	snprintf(path, sizeof(path), "%s/avisor", folder);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		TEST(what_is_saved_is_loaded),
		TEST(a_missing_record_is_told_from_a_damaged_one),
		TEST(the_pid_of_an_interrupted_up_is_found),
		TEST(qemu_gets_one_port_for_each_purpose),
		TEST(the_end_of_a_machine_is_written_down),
		TEST(a_machine_that_does_not_listen_is_killed),
		TEST(a_program_that_is_not_there_is_an_error),
		TEST(ram_goes_where_there_is_room),
		TEST(folders_are_ours_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
