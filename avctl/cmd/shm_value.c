/* SPDX-License-Identifier: MIT */
/*
 * shm_value.c - `avctl shm peek|poke`: single values of a region.
 * Never writes before every value that was asked for has been found good, and agreed to.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cmd/shm_regions.h"
#include "tui/shm_field.h"
#include "tui/shm_text.h"

#define VALUE_TEXT_MAX 4096
#define PAGE 4096u

/* What to look at: a field, and what it was called. */
struct wanted {
	const char *name;
	size_t name_length;
	struct set_field field;
	uint8_t *old, *new; /* poke: new; both field.length bytes */
};

struct wanted_list {
	struct wanted *items;
	size_t count;
};

static void list_free(struct wanted_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].old);
		free(list->items[i].new);
	}
	free(list->items);
}

static int no_memory(void)
{
	return out_error(RC_FAILED, NULL, "not enough memory");
}

/* Add a field that is wanted, with room for its bytes. */
static int list_add(struct wanted_list *list, const struct set_field *field, const char *name,
		    size_t name_length)
{
	struct wanted *items = reallocarray(list->items, list->count + 1, sizeof(*items));
	struct wanted *item;

	if (!items)
		return no_memory();
	list->items = items;
	item = &items[list->count++];
	*item = (struct wanted){.name = name, .name_length = name_length, .field = *field};
	item->old = calloc((size_t)field->length + 1, 1);
	item->new = calloc((size_t)field->length + 1, 1);
	return item->old && item->new ? RC_OK : no_memory();
}

/* "did you mean", or the names that there are. */
static void name_fields(const struct set_region *region, const char *text, char *hint, size_t size)
{
	const char **names = calloc(region->field_count + 1, sizeof(*names));
	const char *near = NULL;
	size_t used;

	for (size_t i = 0; names && i < region->field_count; i++)
		names[i] = region->fields[i].name;
	if (names)
		near = out_nearest(text, names, region->field_count);
	free(names);
	if (near) {
		snprintf(hint, size, "did you mean %s?", near);
		return;
	}
	used = (size_t)snprintf(hint, size, "TYPE@OFFSET always works: u32@0x40%s",
				region->field_count ? "; the fields are" : "");
	for (size_t i = 0; i < region->field_count && used < size; i++)
		used += (size_t)snprintf(hint + used, size - used, "%s %s", i ? "," : "",
					 region->fields[i].name);
}

/* Fields of a structure: all whose names start with "text.". */
static int add_structure(struct wanted_list *list, const struct set_region *region,
			 const char *text, bool *any)
{
	size_t length = strlen(text);
	int code = RC_OK;

	for (size_t i = 0; code == RC_OK && i < region->field_count; i++) {
		const char *name = region->fields[i].name;

		if (strncmp(name, text, length) != 0 || !strchr(".[", name[length]))
			continue;
		*any = true;
		code = list_add(list, &region->fields[i], name, strlen(name));
	}
	return code;
}

static int add_named(struct wanted_list *list, const struct set_region *region, const char *text,
		     size_t length)
{
	struct set_field field;
	char message[160], hint[512];

	if (shm_field_find(region, text, length, &field, message, sizeof(message)) == 0)
		return list_add(list, &field, text, length);
	name_fields(region, text, hint, sizeof(hint));
	return out_error(RC_NOT_FOUND, hint, "%s", message);
}

static int peek_arguments(struct wanted_list *list, const struct ctx *ctx,
			  const struct set_region *region)
{
	int code = RC_OK;

	for (size_t i = 0; ctx->arg_count == 1 && code == RC_OK && i < region->field_count; i++)
		code = list_add(list, &region->fields[i], region->fields[i].name,
				strlen(region->fields[i].name));
	if (ctx->arg_count == 1 && !region->field_count)
		return out_error(RC_NOT_FOUND, "avctl shm dump, or a place such as u32@0x40",
				 "region \"%s\" has no fields", region->name);
	for (int i = 1; code == RC_OK && i < ctx->arg_count; i++) {
		bool any = false;
		struct set_field field;
		char message[160];

		if (shm_field_find(region, ctx->args[i], strlen(ctx->args[i]), &field, message,
				   sizeof(message)) != 0)
			code = add_structure(list, region, ctx->args[i], &any);
		if (!any && code == RC_OK)
			code = add_named(list, region, ctx->args[i], strlen(ctx->args[i]));
	}
	return code;
}

static int read_old(const struct wanted_list *list, const struct shm_view *view)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct set_field *field = &list->items[i].field;

		if (shm_view_read(view, field->at, list->items[i].old, (size_t)field->length) !=
		    field->length)
			return out_error(RC_UNREACHABLE, "avctl ps",
					 "the RAM file ends inside region \"%s\"",
					 view->region->name);
	}
	return RC_OK;
}

static void peek_print(const struct wanted_list *list, const struct shm_view *view)
{
	char text[VALUE_TEXT_MAX];
	json_t *fields = json_object();

	for (size_t i = 0; i < list->count; i++) {
		const struct wanted *item = &list->items[i];

		if (out_style.format == OUT_JSON || out_style.format == OUT_JSONL) {
			json_object_set_new(fields, item->name,
					    shm_json_field(&item->field, item->old));
			continue;
		}
		shm_field_text(&item->field, item->old, text, sizeof(text));
		if (list->count > 1)
			printf("%.*s = ", (int)item->name_length, item->name);
		printf("%s\n", text);
	}
	if (out_style.format == OUT_JSON || out_style.format == OUT_JSONL)
		out_json(json_pack("{s:s, s:O}", "region", view->region->name, "fields", fields));
	json_decref(fields);
}

int cmd_shm_peek(struct ctx *ctx)
{
	struct wanted_list list = {0};
	struct regions regions = {0};
	const struct shm_view *view;
	int code = regions_open(ctx, &regions);

	if (code != RC_OK)
		return code;
	code = regions_find(ctx, &regions, ctx_arg(ctx, 0), &view);
	if (code == RC_OK)
		code = peek_arguments(&list, ctx, view->region);
	if (code == RC_OK)
		code = read_old(&list, view);
	if (code == RC_OK)
		peek_print(&list, view);
	list_free(&list);
	regions_close(&regions);
	return code;
}

static int poke_arguments(struct wanted_list *list, const struct ctx *ctx,
			  const struct set_region *region)
{
	for (int i = 1; i < ctx->arg_count; i++) {
		const char *text = ctx->args[i], *equals = strchr(text, '=');
		struct wanted *item;
		char message[160];
		int code;

		if (!equals)
			return out_error(RC_USAGE, "avctl shm poke REGION FIELD=VALUE",
					 "\"%s\" has no \"=\" in it", text);
		code = add_named(list, region, text, (size_t)(equals - text));
		if (code != RC_OK)
			return code;
		item = &list->items[list->count - 1];
		if (shm_field_parse(&item->field, equals + 1, item->new, message,
				    sizeof(message)) != 0)
			return out_error(RC_USAGE, NULL, "%.*s: %s", (int)item->name_length,
					 item->name, message);
	}
	return RC_OK;
}

static void poke_print(const struct wanted_list *list, const struct shm_view *view, FILE *out)
{
	char before[VALUE_TEXT_MAX], after[VALUE_TEXT_MAX];

	for (size_t i = 0; i < list->count; i++) {
		const struct wanted *item = &list->items[i];

		shm_field_text(&item->field, item->old, before, sizeof(before));
		shm_field_text(&item->field, item->new, after, sizeof(after));
		fprintf(out, "%s %.*s: %s -> %s\n", view->region->name, (int)item->name_length,
			item->name, before, after);
	}
}

static void poke_json(const struct wanted_list *list, const struct shm_view *view)
{
	json_t *changes = json_array();

	for (size_t i = 0; i < list->count; i++) {
		const struct wanted *item = &list->items[i];

		json_array_append_new(changes,
				      json_pack("{s:s%, s:o, s:o}", "field", item->name,
						item->name_length, "old",
						shm_json_field(&item->field, item->old), "new",
						shm_json_field(&item->field, item->new)));
	}
	out_json(json_pack("{s:s, s:o}", "region", view->region->name, "changes", changes));
}

/* Agreed to by --yes, or at the terminal. */
static int agree(const struct ctx *ctx, const struct wanted_list *list, const struct shm_view *view)
{
	char answer[16];

	if (ctx_flag(ctx, "yes"))
		return RC_OK;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return out_error(RC_USAGE, "--yes says that you mean it",
				 "a poke changes what the guests of \"%s\" see",
				 view->region->name);
	poke_print(list, view, stderr);
	fputs("write it? [y/N] ", stderr);
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return RC_OK;
	return out_error(RC_FAILED, NULL, "nothing was written");
}

/* A whole number in its natural place is written at once, so that no guest sees half of it. */
static void store(uint8_t *to, const uint8_t *from, uint64_t length)
{
	bool aligned = length <= 8 && (uintptr_t)to % length == 0;
	uint64_t bits = 0;

	if (aligned)
		memcpy(&bits, from, (size_t)length);
	if (aligned && length == 8)
		__atomic_store_n((uint64_t *)(void *)to, bits, __ATOMIC_SEQ_CST);
	else if (aligned && length == 4)
		__atomic_store_n((uint32_t *)(void *)to, (uint32_t)bits, __ATOMIC_SEQ_CST);
	else if (aligned && length == 2)
		__atomic_store_n((uint16_t *)(void *)to, (uint16_t)bits, __ATOMIC_SEQ_CST);
	else
		memcpy(to, from, (size_t)length);
}

static int write_new(const struct wanted *item, const struct shm_view *view)
{
	uint64_t at = view->offset + item->field.at;
	uint64_t first = at / PAGE * PAGE;
	size_t length = (size_t)(at - first + item->field.length);
	uint8_t *map;

	if (shm_view_gone(view))
		return out_error(RC_UNREACHABLE, "avctl ps", "set \"%s\" has ended",
				 view->set->name);
	map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, view->ram_fd, (off_t)first);
	if (map == MAP_FAILED)
		return out_error(RC_FAILED, NULL, "the RAM file: %s", strerror(errno));
	memcpy(item->old, map + (at - first), (size_t)item->field.length);
	store(map + (at - first), item->new, item->field.length);
	munmap(map, length);
	return RC_OK;
}

int cmd_shm_poke(struct ctx *ctx)
{
	struct wanted_list list = {0};
	struct regions regions = {.writable = true};
	const struct shm_view *view;
	int code = regions_open(ctx, &regions);

	if (code != RC_OK)
		return code;
	code = regions_find(ctx, &regions, ctx_arg(ctx, 0), &view);
	if (code == RC_OK)
		code = poke_arguments(&list, ctx, view->region);
	if (code == RC_OK)
		code = read_old(&list, view);
	if (code == RC_OK)
		code = agree(ctx, &list, view);
	for (size_t i = 0; code == RC_OK && i < list.count; i++)
		code = write_new(&list.items[i], view);
	if (code == RC_OK && (out_style.format == OUT_JSON || out_style.format == OUT_JSONL))
		poke_json(&list, view);
	else if (code == RC_OK)
		poke_print(&list, view, stdout);
	list_free(&list);
	regions_close(&regions);
	return code;
}
