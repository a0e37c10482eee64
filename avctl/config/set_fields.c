/* SPDX-License-Identifier: MIT */
/*
 * set_fields.c - what a set's fields own.
 * Never knows where they came from: a YAML file or a running set's record.
 */
#include <stdlib.h>
#include "set.h"

void set_fields_free(struct set_region *region)
{
	for (size_t i = 0; i < region->field_count; i++)
		free(region->fields[i].name);
	free(region->fields);
	while (region->enums) {
		struct set_enum *next = region->enums->next;

		for (size_t i = 0; i < region->enums->count; i++)
			free(region->enums->choices[i].name);
		free(region->enums->choices);
		free(region->enums);
		region->enums = next;
	}
}
