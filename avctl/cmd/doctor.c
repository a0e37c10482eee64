/* SPDX-License-Identifier: MIT */
/*
 * doctor.c - `avctl doctor`: does this host have what avctl needs? Only looks. Each line that is
 * not fine says what to do.
 */
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/ctx.h"
#include "machine/paths.h"
#include "out/table.h"

#define RAM_WANTED (UINT64_C(1) << 30)

static const struct column columns[] = {
	{"CHECK", "check", COLUMN_TEXT, NULL},
	{"RESULT", "result", COLUMN_TEXT, NULL},
	{"FOUND", "found", COLUMN_TEXT, NULL},
	{"HINT", "hint", COLUMN_TEXT, NULL},
};

enum result { FINE, WEAK, BROKEN };

struct doctor {
	struct table *table;
	bool broken;
};

static void note(struct doctor *doctor, const char *check, enum result result, const char *found,
		 const char *hint)
{
	static const char *const names[] = {"ok", "warning", "broken"};

	table_row(doctor->table);
	table_set(doctor->table, 0, check);
	table_set(doctor->table, 1, names[result]);
	table_set(doctor->table, 2, found);
	if (result != FINE)
		table_set(doctor->table, 3, hint);
	doctor->broken = doctor->broken || result == BROKEN;
}

static void check_qemu(struct doctor *doctor)
{
	const char *qemu = getenv("AVCTL_QEMU");
	char command[512], line[256] = "";
	int major = 0;
	FILE *pipe;
	char *version;

	snprintf(command, sizeof(command), "'%s' --version 2>/dev/null",
		 qemu && *qemu && !strchr(qemu, '\'') ? qemu : "qemu-system-aarch64");
	pipe = popen(command, "re");
	if (pipe && !fgets(line, sizeof(line), pipe))
		*line = '\0';
	if (pipe)
		pclose(pipe);
	line[strcspn(line, "\n")] = '\0';
	version = strstr(line, "version ");
	if (version)
		major = atoi(version + 8);
	if (!*line)
		note(doctor, "QEMU", BROKEN, "none",
		     "apt install qemu-system-arm, or set $AVCTL_QEMU");
	else
		note(doctor, "QEMU", major >= 7 ? FINE : WEAK, line,
		     "7.2 or newer is what is tested");
}

static void check_images(struct doctor *doctor)
{
	static const char *const names[] = {"hypervisor.elf", "control.elf"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = paths_image(names[i]);

		note(doctor, names[i], path ? FINE : BROKEN, path ? path : "none",
		     "make, make install, or set $AVCTL_LIBDIR");
		free(path);
	}
}

/* The nearest folder above path that is there must let us in. */
static void check_folder(struct doctor *doctor, const char *check, char *path, const char *hint)
{
	char above[4096];
	struct stat info;
	char *slash;

	snprintf(above, sizeof(above), "%s", path);
	while (stat(above, &info) < 0 && (slash = strrchr(above, '/')) && slash != above)
		*slash = '\0';
	note(doctor, check, access(above, W_OK | X_OK) == 0 ? FINE : BROKEN, path, hint);
	free(path);
}

static void check_ram(struct doctor *doctor)
{
	char tried[512], found[600];
	char *folder = paths_ram_dir(RAM_WANTED, tried, sizeof(tried));

	if (folder)
		snprintf(found, sizeof(found), "%s has room for 1 GiB", folder);
	else
		snprintf(found, sizeof(found), "no 1 GiB in: %s", tried);
	note(doctor, "RAM file", folder ? FINE : WEAK, found,
	     "less machine.memory, or set $AVCTL_RAM_DIR");
	free(folder);
}

static void check_rest(struct doctor *doctor)
{
	char cpus[32];
	const char *codes = nl_langinfo(CODESET);

	snprintf(cpus, sizeof(cpus), "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	note(doctor, "host CPUs", FINE, cpus, NULL);
	note(doctor, "characters", strcmp(codes, "UTF-8") ? WEAK : FINE, codes,
	     "a UTF-8 locale (LC_ALL=C.UTF-8) draws nicer tables");
	note(doctor, "/proc", access("/proc/self/fd", X_OK) == 0 ? FINE : BROKEN,
	     "/proc is mounted", "mount /proc: avctl finds sockets and processes by it");
}

int cmd_doctor(struct ctx *ctx)
{
	struct doctor doctor = {.table = table_new(columns, sizeof(columns) / sizeof(columns[0]))};

	(void)ctx;
	check_qemu(&doctor);
	check_images(&doctor);
	check_folder(&doctor, "runtime folder", paths_runtime_root(),
		     "$XDG_RUNTIME_DIR must be a folder of yours");
	check_folder(&doctor, "log folder", paths_logs("SET"),
		     "$XDG_STATE_HOME must be a folder of yours");
	check_ram(&doctor);
	check_rest(&doctor);
	table_print(doctor.table, json_pack("{s:b}", "fine", !doctor.broken), "checks");
	table_free(doctor.table);
	return doctor.broken ? RC_FAILED : RC_OK;
}
