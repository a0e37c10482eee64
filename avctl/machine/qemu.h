/* SPDX-License-Identifier: MIT */
/*
 * qemu.h - QEMU's command line, and QEMU as a process.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "machine/record.h"

struct qemu_files {
	const char *hypervisor; /* hypervisor.elf */
	const char *ram_file;
	const char *log_dir;
};

/*
 * The arguments, QEMU itself first, NULL-terminated, malloc()ed. $AVCTL_QEMU names another QEMU,
 * $AVCTL_QEMU_ARGS (split at spaces) is added at the end. Freed with qemu_args_free().
 */
char **qemu_args(const struct set *set, const struct qemu_files *files);
void qemu_args_free(char **args);

/* Print the command as a shell takes it. */
void qemu_args_print(char *const *args, void *stream);

/*
 * Start QEMU in the runtime folder, away from our terminal and with stderr in log_dir/qemu.log. A
 * small child of ours stays as its parent and writes how it ended to runtime_dir/exit ("PID
 * status|signal N"). Returns the pid of QEMU and when it started, or -1 with errno.
 */
pid_t qemu_start(char *const *args, const char *runtime_dir, const char *log_dir, uint64_t *start);

/* Ask it to end, kill it after wait_ns. 0 when it is gone, -1 when it is not. */
int qemu_stop(pid_t pid, uint64_t start, uint64_t wait_ns);

/* /proc/PID/stat field 22; false when there is no such process or it is a zombie. */
bool process_start(pid_t pid, uint64_t *start);

/*
 * Remove what a set that does not run left: sockets, record, RAM file. Keeps the lock and the logs.
 */
void machine_clean(const char *runtime_dir, const char *ram_file);
