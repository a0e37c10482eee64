/* SPDX-License-Identifier: MIT */
/*
 * top_until.h - the condition of `avctl top --until`: 'vm1.exits_per_s>=1000 && vm2.state==crashed'. Names are those of top's JSON.
 */
#pragma once
#include "config/set.h"
#include "tui/shm_expr.h"
#include "tui/top_model.h"

struct top_until {
	struct set_region names; /* the VMs' values as fields of a region that is nowhere */
	struct shm_expr expr;
	uint8_t *values; /* of one sample */
	bool *known;     /* by VM */
};

/* text may be NULL: then it never holds. 0, or an exit code after the error was told. */
int top_until_parse(struct top_until *until, const struct set *set, const char *text);

/* Whether it holds for these rows, of all VMs. A VM whose rates are not known fulfils nothing. */
bool top_until_holds(struct top_until *until, const struct set *set, const struct top_row *rows,
		     size_t count);

void top_until_free(struct top_until *until);
