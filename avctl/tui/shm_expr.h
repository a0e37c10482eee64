/* SPDX-License-Identifier: MIT */
/*
 * shm_expr.h - conditions on the bytes of a region: 'head>=1000', 'message~Hello && u32@0x10!=0'.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config/set.h"
#include "tui/shm_field.h"

#define SHM_EXPR_TERM_MAX 8
#define SHM_EXPR_TEXT_MAX 256

enum shm_op { SHM_OP_EQ, SHM_OP_NE, SHM_OP_GE, SHM_OP_LE, SHM_OP_GT, SHM_OP_LT, SHM_OP_HAS };

struct shm_term {
	struct set_field field; /* name is not set */
	enum shm_op op;
	bool negative;                   /* of magnitude */
	uint64_t magnitude;              /* against whole numbers */
	double real;                     /* against f32, f64 */
	uint8_t text[SHM_EXPR_TEXT_MAX]; /* against string, bytes */
	size_t text_length;
};

struct shm_expr {
	struct shm_term terms[SHM_EXPR_TERM_MAX]; /* all must hold */
	size_t count;
};

/*
 * Parse text for region. Terms are FIELD or TYPE@OFFSET, an operator (== = != >= <= > <, and ~ for
 * "contains"), and a number, a word or a "quoted text"; for bytes, hex digits. Terms are joined by
 * &&.
 * Returns 0, or -1 with a sentence in message.
 */
int shm_expr_parse(struct shm_expr *expr, const struct set_region *region, const char *text,
		   char *message, size_t message_size);

/* Reads length bytes at offset at into buffer, false when they are not there. */
typedef bool (*shm_expr_read)(void *context, uint64_t at, void *buffer, size_t length);

/* Whether the condition holds. Bytes that are not there fulfil nothing. */
bool shm_expr_holds(const struct shm_expr *expr, shm_expr_read read, void *context);
