/* SPDX-License-Identifier: MIT */
/*
 * tree_use.c - looking things up in a tree, and writing one out again.
 * Never changes a tree.
 */
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

static void put_quoted(struct text *text, const char *scalar)
{
	static const char hex[] = "0123456789abcdef";

	put(text, "\"", 1);
	for (; *scalar; scalar++) {
		unsigned char c = (unsigned char)*scalar;

		if (c == '"' || c == '\\') {
			put(text, (const char[]){'\\', (char)c}, 2);
		} else if (c < 0x20 || c == 0x7f) {
			put(text, (const char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
		} else {
			put(text, scalar, 1);
		}
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
