/* SPDX-License-Identifier: MIT */
/*
 * config.c - config check, show, schema, and loading a YAML file for other verbs.
 * Starts nothing and writes no file.
 */
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/config_file.h"
#include "cmd/ctx.h"

/* Tells one version of a file from another; says nothing about malice. malloc()ed. */
static char *hash_file(const char *path)
{
	uint64_t hash = AV_CHECKSUM_INIT;
	char bytes[8192];
	char *text;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (got = read(fd, bytes, sizeof(bytes))) > 0)
		hash = av_checksum(bytes, (uint64_t)got, hash);
	if (fd >= 0)
		close(fd);
	return asprintf(&text, "%016" PRIx64, hash) < 0 ? NULL : text;
}

static void print_errors(const struct set_errors *errors)
{
	json_t *document;

	if (out_style.format != OUT_JSON && out_style.format != OUT_JSONL) {
		set_errors_print(errors, stderr);
		return;
	}
	document = config_errors_json(errors);
	if (!document)
		return;
	json_dumpf(document, stderr, out_style.format == OUT_JSONL ? JSON_COMPACT : JSON_INDENT(2));
	fputc('\n', stderr);
	json_decref(document);
}

int config_load(const char *path, struct set **set, char **hash)
{
	struct set_errors errors = {0};

	if (hash)
		*hash = hash_file(path);
	*set = set_load(path, &errors);
	if (!*set)
		print_errors(&errors);
	set_errors_free(&errors);
	return *set ? RC_OK : RC_BAD_CONFIG;
}

/*
 * The file of the first argument, else the one that is meant. A name that does not exist is
 * set_load()'s to tell.
 */
static int load(struct ctx *ctx, struct set **set)
{
	char *path = NULL;
	int result;

	if (ctx->arg_count)
		return config_load(ctx->args[0], set, NULL);
	result = ctx_find_file(ctx, &path);
	if (result == RC_OK)
		result = config_load(path, set, NULL);
	free(path);
	return result;
}

int cmd_config_check(struct ctx *ctx)
{
	struct set *set = NULL;
	int result = load(ctx, &set);

	if (result != RC_OK)
		return result;
	if (out_style.format == OUT_NAME)
		puts(set->name);
	else if (out_style.format != OUT_TABLE)
		out_json(json_pack("{s:s, s:s, s:b}", "set", set->name, "file", set->path, "valid",
				   true));
	else
		printf("%s: set \"%s\" is fine: %zu VM%s, %zu region%s\n", set->path, set->name,
		       set->vm_count, set->vm_count == 1 ? "" : "s", set->region_count,
		       set->region_count == 1 ? "" : "s");
	set_free(set);
	return RC_OK;
}

int cmd_config_show(struct ctx *ctx)
{
	struct set *set = NULL;
	int result = load(ctx, &set);

	if (result != RC_OK)
		return result;
	if (out_style.format == OUT_NAME)
		puts(set->name);
	else if (out_style.format != OUT_TABLE)
		out_json(config_show_json(set));
	else
		config_show_yaml(set, stdout);
	set_free(set);
	return RC_OK;
}

int cmd_config_schema(struct ctx *ctx)
{
	char *schema = config_schema_json();

	(void)ctx;
	if (!schema)
		return out_error(RC_FAILED, NULL, "out of memory");
	puts(schema);
	free(schema);
	return RC_OK;
}
