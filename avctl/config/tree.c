/* SPDX-License-Identifier: MIT */
/*
 * tree.c - one pass over libyaml's events: syntax errors with their place, limits, duplicate keys.
 * Never goes deeper than TREE_DEPTH_MAX: libyaml's own cost is quadratic in the depth.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "tree.h"

struct arena_block {
	struct arena_block *next;
};

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX / 2)
		return NULL;
	block = calloc(1, sizeof(*block) + 16 + size);
	if (!block)
		return NULL;
	block->next = arena->blocks;
	arena->blocks = block;
	return (char *)block + 16;
}
_Static_assert(sizeof(struct arena_block) <= 16, "what arena_alloc() returns is aligned");

void arena_free(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
}

struct anchor {
	struct anchor *next;
	const char *name;
	struct node *node;
};

struct reader {
	struct arena *arena;
	struct set_errors *errors;
	const char *source;
	size_t source_size;
	yaml_parser_t parser;
	struct anchor *anchors;
	struct {
		struct node *node;
		const char
			*key; /* mapping: the key whose value comes next; NULL: a key comes next */
		struct set_mark key_mark;
		bool drop; /* mapping: the next value belongs to a key that was refused */
	} stack[TREE_DEPTH_MAX];
	unsigned depth;
	unsigned skip; /* > 0: inside a value that is left out */
	struct node *root;
	unsigned documents;
	bool failed;
};

static struct set_mark mark_of(const yaml_mark_t *mark)
{
	return (struct set_mark){(unsigned)mark->line + 1, (unsigned)mark->column + 1};
}

static const char *keep(struct reader *reader, const yaml_char_t *text, size_t length)
{
	char *copy = arena_alloc(reader->arena, length + 1);

	if (!copy) {
		errors_out_of_memory(reader->errors);
		reader->failed = true;
		return NULL;
	}
	memcpy(copy, text, length);
	return copy;
}

/* Line and column of byte offset in the source. */
static struct set_mark mark_of_offset(const struct reader *reader, size_t offset)
{
	struct set_mark mark = {1, 1};

	for (size_t i = 0; i < offset && i < reader->source_size; i++) {
		unsigned char c = (unsigned char)reader->source[i];

		if (c == '\n') {
			mark.line++;
			mark.column = 1;
		} else if ((c & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

/* True when a tab stands at mark. */
static bool is_at_tab(const struct reader *reader, struct set_mark mark)
{
	struct set_mark at = {1, 1};

	for (size_t i = 0; i < reader->source_size; i++) {
		unsigned char c = (unsigned char)reader->source[i];

		if (at.line == mark.line && at.column == mark.column)
			return c == '\t';
		if (c == '\n') {
			at.line++;
			at.column = 1;
		} else if ((c & 0xc0) != 0x80) {
			at.column++;
		}
	}
	return false;
}

static void report_syntax(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	struct set_errors *errors = reader->errors;
	const char *problem = parser->problem ? parser->problem : "cannot be read";
	struct set_mark mark = mark_of(&parser->problem_mark);

	reader->failed = true;
	if (parser->error == YAML_MEMORY_ERROR) {
		errors_out_of_memory(errors);
		return;
	}
	if (parser->error == YAML_READER_ERROR) {
		errors_add(errors, mark_of_offset(reader, parser->problem_offset),
			   "not valid UTF-8 text: %s", problem);
		errors_hint(errors, "save the file as UTF-8");
		return;
	}
	if (parser->context)
		errors_add(errors, mark, "YAML syntax: %s (%s)", problem, parser->context);
	else
		errors_add(errors, mark, "YAML syntax: %s", problem);
	if (strstr(problem, "tab character") || is_at_tab(reader, mark))
		errors_hint(errors, "YAML does not allow tabs for indentation; use spaces");
	else if (parser->context && parser->context_mark.line != parser->problem_mark.line)
		errors_hint(errors, "it belongs to what starts at line %zu, column %zu",
			    parser->context_mark.line + 1, parser->context_mark.column + 1);
	else if (strstr(problem, "did not find expected"))
		errors_hint(errors, "look at the indentation, and for a missing ':' or quote");
}

static struct node_child *find(const struct node *mapping, const char *key)
{
	for (struct node_child *child = mapping->first; child; child = child->next)
		if (!strcmp(child->key, key))
			return child;
	return NULL;
}

/* Put node where the reader stands: as the root, the next item, or the value of the pending key. */
static void attach(struct reader *reader, struct node *node)
{
	struct node_child *child;
	struct node *parent;

	if (!reader->depth) {
		reader->root = node;
		return;
	}
	parent = reader->stack[reader->depth - 1].node;
	child = arena_alloc(reader->arena, sizeof(*child));
	if (!child) {
		errors_out_of_memory(reader->errors);
		reader->failed = true;
		return;
	}
	child->node = node;
	if (parent->kind == NODE_MAPPING) {
		child->key = reader->stack[reader->depth - 1].key;
		child->key_mark = reader->stack[reader->depth - 1].key_mark;
		reader->stack[reader->depth - 1].key = NULL;
	}
	*parent->last = child;
	parent->last = &child->next;
	parent->count++;
}

/* True when the reader stands in a mapping and a key comes next. */
static bool wants_key(const struct reader *reader)
{
	return reader->depth && reader->stack[reader->depth - 1].node->kind == NODE_MAPPING &&
	       !reader->stack[reader->depth - 1].key && !reader->stack[reader->depth - 1].drop;
}

/* True when the value that comes now belongs to a refused key; the mark is taken off. */
static bool wants_drop(struct reader *reader)
{
	if (!reader->depth || !reader->stack[reader->depth - 1].drop)
		return false;
	reader->stack[reader->depth - 1].drop = false;
	return true;
}

static void take_key(struct reader *reader, const yaml_event_t *event)
{
	struct node *mapping = reader->stack[reader->depth - 1].node;
	struct set_mark mark = mark_of(&event->start_mark);
	const struct node_child *before;
	const char *key;

	if (event->type != YAML_SCALAR_EVENT || event->data.scalar.anchor) {
		errors_add(reader->errors, mark, "a key must be plain text");
		reader->stack[reader->depth - 1].drop = true;
		return;
	}
	key = keep(reader, event->data.scalar.value, event->data.scalar.length);
	if (!key)
		return;
	before = find(mapping, key);
	if (strlen(key) != event->data.scalar.length) {
		errors_add(reader->errors, mark, "a key contains a NUL character");
		reader->stack[reader->depth - 1].drop = true;
	} else if (!strcmp(key, "<<")) {
		errors_add(reader->errors, mark, "merge keys (<<) are not supported");
		errors_hint(reader->errors,
			    "write the keys out; plain anchors and aliases (&x, *x) work");
		reader->stack[reader->depth - 1].drop = true;
	} else if (before) {
		errors_add(reader->errors, mark, "duplicate key \"%s\"", key);
		errors_hint(reader->errors, "it is first given at line %u, column %u",
			    before->key_mark.line, before->key_mark.column);
		reader->stack[reader->depth - 1].drop = true;
	} else {
		reader->stack[reader->depth - 1].key = key;
		reader->stack[reader->depth - 1].key_mark = mark;
	}
}

static void remember_anchor(struct reader *reader, const yaml_char_t *name, struct node *node)
{
	struct anchor *anchor;

	if (!name)
		return;
	for (anchor = reader->anchors; anchor; anchor = anchor->next) {
		if (!strcmp(anchor->name, (const char *)name)) {
			errors_add(reader->errors, node->mark, "anchor &%s is defined twice",
				   anchor->name);
			return;
		}
	}
	anchor = arena_alloc(reader->arena, sizeof(*anchor));
	if (!anchor) {
		errors_out_of_memory(reader->errors);
		reader->failed = true;
		return;
	}
	anchor->name = keep(reader, name, strlen((const char *)name));
	if (!anchor->name)
		return;
	anchor->node = node;
	anchor->next = reader->anchors;
	reader->anchors = anchor;
}

static struct node *new_node(struct reader *reader, enum node_kind kind, const yaml_event_t *event,
			     const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct node *node = arena_alloc(reader->arena, sizeof(*node));

	if (!node) {
		errors_out_of_memory(reader->errors);
		reader->failed = true;
		return NULL;
	}
	node->kind = kind;
	node->mark = mark_of(&event->start_mark);
	node->last = &node->first;
	node->expanded = 1;
	if (tag && strcmp((const char *)tag, "!"))
		errors_add(reader->errors, node->mark, "tags (%s) are not used here",
			   (const char *)tag);
	remember_anchor(reader, anchor, node);
	return node;
}

/* Count what attaching node adds to all that contain it; aliases must not blow the tree up. */
static void grow(struct reader *reader, const struct node *node)
{
	struct node *root = reader->depth ? reader->stack[0].node : NULL;

	if (!root)
		return;
	for (unsigned i = 0; i < reader->depth; i++)
		reader->stack[i].node->expanded += node->expanded;
	if (root->expanded > TREE_NODE_MAX) {
		errors_add(reader->errors, node->mark, "the file is too large: more than %d values",
			   TREE_NODE_MAX);
		reader->failed = true;
	}
}

static void take_alias(struct reader *reader, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct set_mark mark = mark_of(&event->start_mark);
	const struct anchor *anchor = reader->anchors;

	while (anchor && strcmp(anchor->name, name))
		anchor = anchor->next;
	if (!anchor || !anchor->node->complete) {
		errors_add(reader->errors, mark,
			   anchor ? "alias *%s stands inside what it stands for"
				  : "no anchor &%s stands before this alias",
			   name);
		reader->failed = true;
		return;
	}
	grow(reader, anchor->node);
	attach(reader, anchor->node);
}

static void take_scalar(struct reader *reader, const yaml_event_t *event)
{
	struct node *node = new_node(reader, NODE_SCALAR, event, event->data.scalar.anchor,
				     event->data.scalar.tag);

	if (!node)
		return;
	node->text = keep(reader, event->data.scalar.value, event->data.scalar.length);
	if (!node->text)
		return;
	if (strlen(node->text) != event->data.scalar.length)
		errors_add(reader->errors, node->mark, "a value contains a NUL character");
	node->is_null = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
			(!*node->text || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
	node->complete = true;
	grow(reader, node);
	attach(reader, node);
}

static void take_start(struct reader *reader, const yaml_event_t *event)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	struct node *node;

	if (reader->depth + reader->skip >= TREE_DEPTH_MAX) {
		errors_add(reader->errors, mark_of(&event->start_mark),
			   "nested too deep: more than %d levels", TREE_DEPTH_MAX);
		reader->failed = true;
		return;
	}
	if (reader->skip) {
		reader->skip++;
		return;
	}
	if (mapping)
		node = new_node(reader, NODE_MAPPING, event, event->data.mapping_start.anchor,
				event->data.mapping_start.tag);
	else
		node = new_node(reader, NODE_SEQUENCE, event, event->data.sequence_start.anchor,
				event->data.sequence_start.tag);
	if (!node)
		return;
	grow(reader, node);
	attach(reader, node);
	reader->stack[reader->depth].node = node;
	reader->stack[reader->depth].key = NULL;
	reader->stack[reader->depth].drop = false;
	reader->depth++;
}

static void take_end(struct reader *reader)
{
	if (reader->skip) {
		reader->skip--;
		return;
	}
	reader->stack[--reader->depth].node->complete = true;
}

static void take_value(struct reader *reader, const yaml_event_t *event)
{
	bool start =
		event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;

	if (!reader->skip && wants_key(reader)) {
		take_key(reader, event);
		/* A key that is itself a mapping or a sequence is left out with all that is in it. */
		if (start && reader->stack[reader->depth - 1].drop)
			reader->skip = 1;
		return;
	}
	if (!reader->skip && wants_drop(reader)) {
		if (start)
			reader->skip = 1;
		return;
	}
	if (start)
		take_start(reader, event);
	else if (reader->skip)
		return;
	else if (event->type == YAML_ALIAS_EVENT)
		take_alias(reader, event);
	else
		take_scalar(reader, event);
}

/* Take one event; true when it was the last one wanted. */
static bool take_event(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		return true;
	case YAML_DOCUMENT_START_EVENT:
		if (++reader->documents < 2)
			return false;
		errors_add(reader->errors, mark_of(&event->start_mark),
			   "a second document in the file");
		errors_hint(reader->errors,
			    "a set is one document: take out this \"---\" and what follows");
		return true;
	case YAML_ALIAS_EVENT:
	case YAML_SCALAR_EVENT:
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		take_value(reader, event);
		return false;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		take_end(reader);
		return false;
	default:
		return false;
	}
}

struct node *tree_read(struct arena *arena, const char *source, size_t size,
		       struct set_errors *errors)
{
	struct reader reader = {
		.arena = arena, .errors = errors, .source = source, .source_size = size};
	yaml_event_t event;
	bool done = false;

	if (!yaml_parser_initialize(&reader.parser)) {
		errors_out_of_memory(errors);
		return NULL;
	}
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)source, size);
	while (!done && !reader.failed) {
		if (!yaml_parser_parse(&reader.parser, &event)) {
			report_syntax(&reader);
			break;
		}
		done = take_event(&reader, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&reader.parser);
	if (reader.failed)
		return NULL;
	if (!reader.root || (reader.root->kind == NODE_SCALAR && reader.root->is_null)) {
		errors_add(errors, (struct set_mark){1, 1}, "the file is empty");
		errors_hint(errors, "a set needs at least \"version: 1\" and \"vms:\" with one VM");
		return NULL;
	}
	if (reader.root->kind != NODE_MAPPING) {
		errors_add(errors, reader.root->mark,
			   "a set file is a mapping of keys (version, name, machine, vms, shm)");
		return NULL;
	}
	return reader.root;
}
