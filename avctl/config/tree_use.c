/* SPDX-License-Identifier: MIT */
/*
 * tree_use.c - looking things up in a tree, and writing one out again.
 * Never changes a tree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tree.h"

struct node *tree_get(const struct node *mapping, const char *key)
{
	if (!mapping || mapping->kind != NODE_MAPPING)
		return NULL;
	for (const struct node_child *child = mapping->first; child; child = child->next)
		if (!strcmp(child->key, key))
			return child->node;
	return NULL;
}

struct node *tree_item(const struct node *sequence, size_t index)
{
	const struct node_child *child;

	if (!sequence || sequence->kind != NODE_SEQUENCE)
		return NULL;
	for (child = sequence->first; child && index; child = child->next)
		index--;
	return child ? child->node : NULL;
}

struct set_mark tree_mark(const struct node *mapping, const char *key)
{
	const struct node *value = tree_get(mapping, key);

	if (value)
		return value->mark;
	return mapping ? mapping->mark : (struct set_mark){1, 1};
}

struct text {
	char *bytes;
	size_t size, capacity;
	bool failed;
};

static void put(struct text *text, const char *bytes, size_t count)
{
	if (text->failed)
		return;
	if (text->capacity - text->size < count) {
		size_t capacity = (text->capacity + count) * 2;
		char *larger = realloc(text->bytes, capacity);

		if (!larger) {
			text->failed = true;
			return;
		}
		text->bytes = larger;
		text->capacity = capacity;
	}
	memcpy(text->bytes + text->size, bytes, count);
	text->size += count;
}

/* One character of valid UTF-8; *next is what follows it. */
static uint32_t decode(const char *text, const char **next)
{
	const unsigned char *c = (const unsigned char *)text;
	unsigned more = *c >= 0xf0 ? 3 : *c >= 0xe0 ? 2 : *c >= 0xc0 ? 1 : 0;
	uint32_t value = more == 3 ? *c & 7U : more == 2 ? *c & 15U : more == 1 ? *c & 31U : *c;

	for (c++; more && *c; more--)
		value = value << 6 | (*c++ & 63U);
	*next = (const char *)c;
	return value;
}

/* In double quotes, with escapes for all that is not plain ASCII: an escape may stand for what libyaml reads no other way. */
static void put_quoted(struct text *text, const char *scalar)
{
	char escape[12];

	put(text, "\"", 1);
	while (*scalar) {
		uint32_t c = decode(scalar, &scalar);

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			put(text, (const char[]){(char)c}, 1);
		else
			put(text, escape,
			    (size_t)snprintf(escape, sizeof(escape), "\\U%08x", (unsigned)c));
	}
	put(text, "\"", 1);
}

static void put_node(struct text *text, const struct node *node)
{
	bool mapping = node->kind == NODE_MAPPING;

	if (node->kind == NODE_SCALAR) {
		put_quoted(text, node->text);
		return;
	}
	put(text, mapping ? "{" : "[", 1);
	for (const struct node_child *child = node->first; child; child = child->next) {
		if (child->key) {
			put_quoted(text, child->key);
			put(text, ": ", 2);
		}
		put_node(text, child->node);
		put(text, child->next ? ",\n" : "", child->next ? 2 : 0);
	}
	put(text, mapping ? "}" : "]", 1);
}

char *tree_write(const struct node *root, size_t *size)
{
	struct text text = {0};

	put_node(&text, root);
	put(&text, "\n", 1);
	if (text.failed) {
		free(text.bytes);
		return NULL;
	}
	*size = text.size;
	return text.bytes;
}
