/* SPDX-License-Identifier: MIT */
/* errors.h - collecting what is wrong with a set file. Internal to avctl/config. */
#pragma once
#include "set.h"

#define ERRORS_MAX 200

/* Add an error at mark. When memory runs out the list becomes the one fixed error "out of memory". */
void errors_add(struct set_errors *errors, struct set_mark mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Give the error that was added last a hint. */
void errors_hint(struct set_errors *errors, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Replace all errors by "out of memory". */
void errors_out_of_memory(struct set_errors *errors);
bool errors_is_out_of_memory(const struct set_errors *errors);

/* Sort by place and drop repetitions. */
void errors_sort(struct set_errors *errors);

/* The candidate nearest to word, or NULL when none is near: for "did you mean". next(context) gives one at a time. */
const char *errors_nearest(const char *word, const char *(*next)(void *context), void *context);
