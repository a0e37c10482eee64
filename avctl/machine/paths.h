/* SPDX-License-Identifier: MIT */
/*
 * paths.h - where a set's runtime folder, logs and RAM file are (DESIGN 11), and where avctl's own
 * images are.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* $XDG_RUNTIME_DIR/avisor, else /tmp/avisor-UID. malloc()ed. */
char *paths_runtime_root(void);
/* The set's folder in it. */
char *paths_runtime(const char *set);
/* $XDG_STATE_HOME/avisor/SET, else ~/.local/state/avisor/SET. */
char *paths_logs(const char *set);

/* Make a folder and its parents, 0700; refuses one that is not ours alone. 0 or -1 with errno. */
int paths_make(const char *folder);

/*
 * The first of $AVCTL_RAM_DIR, /dev/shm, $XDG_RUNTIME_DIR, /var/tmp with room for size bytes,
 * malloc()ed; NULL when none has, with the list of what was tried and its room in tried.
 */
char *paths_ram_dir(uint64_t size, char *tried, unsigned tried_size);
/* The RAM file of a set in that folder. malloc()ed. */
char *paths_ram_file(const char *folder, const char *set);

/*
 * hypervisor.elf or control.elf: $AVCTL_LIBDIR, beside the executable, ../lib/avisor. NULL when
 * nowhere.
 */
char *paths_image(const char *name);

/*
 * Names of the folders under the runtime root that have a record; NULL-terminated, malloc()ed,
 * sorted.
 */
char **paths_sets(void);
void paths_sets_free(char **sets);
