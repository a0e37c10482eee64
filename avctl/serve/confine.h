/* SPDX-License-Identifier: MIT */
/*
 * confine.h - files below one folder, by paths that a guest chose.
 *
 * root is a descriptor of the folder. A path is relative to it; no "..", absolute path, symbolic link or mount trick
 * leads out of it, also while somebody changes the tree: the kernel resolves each path in one go (openat2).
 * All functions return AV_FORWARD_E_* below 0.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <avisor/forward.h>

/* Open DIR as a root. A descriptor, or -1 with errno. */
int confine_root(const char *path);

/* Whether this kernel can confine (openat2, Linux 5.6). */
bool confine_works(int root);

/*
 * Open path with AV_FORWARD_O_* flags. Only regular files, folders and FIFOs; never waits. The descriptor, with the
 * file's kind in *type (AV_FORWARD_TYPE_*).
 */
int confine_open(int root, const char *path, uint32_t flags, uint32_t mode, uint32_t *type);

int confine_stat(int root, const char *path, struct av_forward_stat *stat);
int confine_unlink(int root, const char *path, bool directory);
int confine_mkdir(int root, const char *path, uint32_t mode);

/* What fstat() says, as a guest gets it. */
void confine_fill_stat(const struct stat *from, struct av_forward_stat *to);

/* AV_FORWARD_E_* for an errno. */
int confine_error(int error);
