/* SPDX-License-Identifier: MIT */
/*
 * record.h - what a running set leaves in its runtime folder for later commands: machine.json.
 *
 * It holds the resolved configuration as it was at `up`, so no later command needs the YAML file.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "config/set.h"

struct record {
	/* As it was at `up`; of VMs and regions all but images and initial contents. */
	struct set *set;
	char *runtime_dir;
	char *log_dir;
	char *ram_file;
	char *config_hash;   /* of the YAML file at `up` */
	pid_t pid;           /* QEMU; 0 while `up` is still busy */
	uint64_t pid_start;  /* /proc/PID/stat field 22, against pid reuse */
	uint64_t started;    /* seconds since 1970 */
	uint64_t *region_pa; /* where each region is; in the RAM file at that - AV_RAM_PA */
	char **argv;         /* QEMU's, NULL-terminated */
};

/* Write runtime_dir/machine.json, atomically. 0 or -1 with errno. */
int record_save(const struct record *record);

/* Read it; NULL with errno (ENOENT: no set there; EINVAL: damaged). */
struct record *record_load(const char *runtime_dir);
void record_free(struct record *record);

/* True while its QEMU lives. */
bool record_alive(const struct record *record);

/* How its QEMU ended, in words ("killed by signal 9 (Killed)"); "unknown" when nobody saw it. */
char *record_last_exit(const struct record *record, char *buffer, size_t size);
