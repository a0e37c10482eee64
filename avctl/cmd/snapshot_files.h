/* SPDX-License-Identifier: MIT */
/*
 * snapshot_files.h - what the verbs about snapshots in files share. Functions that return an exit code have said what is
 * wrong when it is not RC_OK.
 */
#pragma once
#include "cmd/ctx.h"
#include "file/snapshot_file.h"

/* A VM's shape, as the hypervisor says it, into the fields of a header. needs: ctx_need_agent(). */
int files_shape(struct ctx *ctx, const char *vm, struct avs_header *shape);

/* The first field in which the file does not fit the VM; RC_OK when it fits. */
int files_compare(const struct avs_header *file, const struct avs_header *shape, const char *path,
		  const char *vm);

/* The same as far as the YAML file says, before anything runs. */
int files_compare_config(const struct avs_header *file, const struct set_vm *vm, const char *path);

/* Where a part of the state lies. */
struct files_place {
	struct avs_part part;
	uint64_t pa;
};
#define FILES_PARTS_MAX 32
/* id: a number, "boot", "undo", "import". */
int files_places(struct ctx *ctx, const char *vm, const char *id, struct files_place *places,
		 uint32_t *count);

/* Open and check all of it. The caller closes it. */
int files_open(struct file_reader *reader, const char *path);

/* What file_fail() said, about that file: RC_INTEGRITY with the field, else RC_FAILED. */
int files_error(const struct file_error *error, const char *path);

/* The file, checked, becomes a snapshot. name: NULL is the file's own. */
int files_import(struct ctx *ctx, const char *vm, const struct file_reader *reader,
		 const char *path, const char *name, uint64_t *id);

/* How far it is: on a terminal only, and not too often. */
struct files_progress {
	const char *what;
	uint64_t started, shown; /* monotonic ns */
};
void files_progress(struct files_progress *progress, uint64_t done, uint64_t total);

/* `bytes` of the RAM file, or of memory, at pa. */
bool files_ram_read(int fd, uint64_t pa, void *to, size_t size);
bool files_ram_write(int fd, uint64_t pa, const void *from, size_t size);

/* up --from: "vm1=FILE,vm2=FILE". */
struct files_from {
	const char *vm; /* NULL ends the list */
	char *path;
	struct file_reader reader;
	bool paused; /* what the YAML file says */
};
/* Parsed, each file checked, fitting its VM, and the VMs made to wait. Freed by the next one, also after an error. */
int files_from_parse(const char *text, struct set *set, struct files_from **list);
void files_from_free(struct files_from *list);
/* The machine runs: each VM starts from its file. */
int files_from_start(struct ctx *ctx, const struct files_from *list);
