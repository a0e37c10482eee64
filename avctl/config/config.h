/* SPDX-License-Identifier: MIT */
/* config.h - what `avctl config` prints. Pure functions; the verbs are avctl/cmd's. */
#pragma once
#include <jansson.h>
#include <stdio.h>
#include "set.h"

/* A draft-07 JSON schema of set files, for editors; free() it. NULL without memory. */
char *config_schema_json(void);

/* The set with all defaults filled in ({"schema": "avctl/1", ...}); NULL without memory. */
json_t *config_show_json(const struct set *set);

/* The same as YAML, which loads to the same set. */
void config_show_yaml(const struct set *set, FILE *stream);

/* {"schema": "avctl/1", "errors": [{file, line, column, message, hint}]}; NULL without memory. */
json_t *config_errors_json(const struct set_errors *errors);
