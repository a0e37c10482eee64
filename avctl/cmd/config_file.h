/* SPDX-License-Identifier: MIT */
/*
 * config_file.h - a YAML file loaded for a verb.
 */
#pragma once
#include "config/set.h"

/*
 * Load and check it; all errors are printed. *hash (malloc()ed) tells whether the file has changed
 * since. RC_BAD_CONFIG when it is wrong. hash may be NULL.
 */
int config_load(const char *path, struct set **set, char **hash);
