/* SPDX-License-Identifier: MIT */
/*
 * tree.h - a YAML file as a tree in which each key and value knows its place. Internal to avctl/config.
 *
 * The tree is the index from a path to line:col for every error message; the values themselves are loaded by
 * libcyaml (raw.h). Nodes live in an arena.
 */
#pragma once
#include "errors.h"

#define TREE_DEPTH_MAX 32
#define TREE_NODE_MAX 10000 /* after aliases are followed */

/* Memory that is freed at once. */
struct arena {
	struct arena_block *blocks;
};
void *arena_alloc(struct arena *arena, size_t size); /* zeroed; NULL when there is none */
void arena_free(struct arena *arena);

enum node_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct node {
	enum node_kind kind;
	struct set_mark mark;
	const char *text; /* scalar: without NUL inside */
	bool is_null;     /* a plain scalar that is empty, ~ or null */
	struct node_child *first, **last;
	size_t count;    /* children */
	size_t expanded; /* nodes in here, aliases followed */
	bool complete;
};

struct node_child {
	struct node_child *next;
	const char *key; /* mapping only */
	struct set_mark key_mark;
	struct node *node;
};

/*
 * Read the YAML bytes into a tree. Returns its root, a mapping, or NULL with errors. Errors that leave the
 * rest readable (a duplicate key, `<<`, a second document) are added and the offending part is left out.
 */
struct node *tree_read(struct arena *arena, const char *source, size_t size,
		       struct set_errors *errors);

/* The value of key in mapping, or NULL; mapping may be NULL. */
struct node *tree_get(const struct node *mapping, const char *key);
/* Item number index of sequence, or NULL; sequence may be NULL. */
struct node *tree_item(const struct node *sequence, size_t index);
/* Where the value of key in mapping stands; where mapping stands when it has no such key. */
struct set_mark tree_mark(const struct node *mapping, const char *key);

/* Write the tree as YAML (flow style, all scalars quoted): malloc()ed, or NULL without memory. */
char *tree_write(const struct node *root, size_t *size);
