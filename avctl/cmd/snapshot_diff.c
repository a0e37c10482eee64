/* SPDX-License-Identifier: MIT */
/*
 * snapshot_diff.c - `avctl snapshot diff`.
 * Only asks and reads. Never reports on a snapshot that went while it was read: its frames may have
 * been given to something else.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <avisor/hypercall.h>
#include "cmd/snapshot_diff.h"

/* The name of a side. */
static const char *typed(const struct diff *diff, int side)
{
	const char *text = ctx_arg(diff->ctx, side + 1);

	return text ? text : "live";
}

/* What was typed, as the agent wants it. taken: when that snapshot was taken, to know it again. */
static int pick(struct diff *diff, int side, const struct table *rows, const char *text,
		char taken[32])
{
	int row;

	*taken = '\0';
	if (!strcmp(text, "live")) {
		snprintf(diff->ids[side], sizeof(diff->ids[side]), "live");
		return RC_OK;
	}
	row = snapshot_row_pick(rows, diff->vm, text);
	if (row < 0)
		return row == -1 ? RC_NOT_FOUND : RC_USAGE;
	snprintf(diff->ids[side], sizeof(diff->ids[side]), "%s",
		 table_get(rows, (size_t)row, SNAP_ID));
	snprintf(taken, 32, "%s", table_get(rows, (size_t)row, SNAP_TAKEN));
	return RC_OK;
}

static int pick_both(struct diff *diff, char taken[2][32])
{
	struct table *rows = table_new(snapshot_columns, SNAP_ACTION);
	int result = snapshot_rows(diff->ctx, diff->vm, true, rows);

	if (result == RC_OK)
		result = pick(diff, 0, rows, typed(diff, 0), taken[0]);
	if (result == RC_OK)
		result = pick(diff, 1, rows, typed(diff, 1), taken[1]);
	table_free(rows);
	return result;
}

/* Both are still there, and the same ones. */
static int check_again(struct diff *diff, char taken[2][32])
{
	struct table *rows = table_new(snapshot_columns, SNAP_ACTION);
	int result = snapshot_rows(diff->ctx, diff->vm, true, rows);

	for (int side = 0; side < 2 && result == RC_OK; side++) {
		int row = snapshot_row_find(rows, diff->ids[side]);

		if (!strcmp(diff->ids[side], "live"))
			continue;
		if (row < 0 || strcmp(table_get(rows, (size_t)row, SNAP_TAKEN), taken[side]) != 0)
			result = out_error(RC_WRONG_STATE, "pin it, or pause the VM",
					   "snapshot %s of %s went while it was read",
					   diff->ids[side], diff->vm);
	}
	table_free(rows);
	return result;
}

static bool differs(const struct diff *diff)
{
	return diff->pages || json_array_size(diff->registers) || json_array_size(diff->devices);
}

static void print_hex(const char *sign, const char *bytes)
{
	char text[17] = "";

	printf("  %s ", sign);
	for (size_t i = 0; i < 16; i++) {
		char pair[3] = {bytes[2 * i], bytes[2 * i + 1], '\0'};
		unsigned char byte = (unsigned char)strtoul(pair, NULL, 16);

		printf("%s%s ", i == 8 ? " " : "", pair);
		text[i] = byte >= ' ' && byte <= '~' ? (char)byte : '.';
	}
	printf("|%s|\n", text);
}

static void print_lines(const struct diff *diff)
{
	for (size_t i = 0; i < json_array_size(diff->lines); i++) {
		const json_t *line = json_array_get(diff->lines, i);

		printf("%s\n", json_string_value(json_object_get(line, "address")));
		print_hex("-", json_string_value(json_object_get(line, "a")));
		print_hex("+", json_string_value(json_object_get(line, "b")));
	}
}

static void print_ranges(const struct diff *diff)
{
	char size[32];

	printf("%" PRIu64 " page%s (%s) differ", diff->pages, diff->pages == 1 ? "" : "s",
	       out_size(size, diff->pages * 4096));
	if (diff->same)
		printf("; %" PRIu64 " more written, with the same contents", diff->same);
	putchar('\n');
	for (size_t i = 0; i < diff->range_count; i++) {
		const struct diff_range *range = &diff->ranges[i];

		printf("  0x%010" PRIx64 "-0x%010" PRIx64 "  %6" PRIu64 "  %s%s\n", range->address,
		       range->address + range->pages * 4096 - 1, range->pages,
		       range->kind == AV_PAGE_BOTH ? "" : "only in ",
		       range->kind == AV_PAGE_BOTH ? ""
						   : typed(diff, range->kind == AV_PAGE_ONLY_B));
	}
}

static const char *value_text(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "(differ)";
}

static void print_state(const struct diff *diff)
{
	for (size_t i = 0; i < json_array_size(diff->registers); i++) {
		const json_t *item = json_array_get(diff->registers, i);

		printf("vcpu %d %-14s - %-18s + %s\n",
		       (int)json_integer_value(json_object_get(item, "vcpu")),
		       value_text(item, "name"), value_text(item, "a"), value_text(item, "b"));
	}
	for (size_t i = 0; i < json_array_size(diff->devices); i++) {
		const json_t *item = json_array_get(diff->devices, i);
		const json_t *vcpu = json_object_get(item, "vcpu");

		printf("device %s", value_text(item, "name"));
		if (vcpu)
			printf(" of vcpu %d", (int)json_integer_value(vcpu));
		puts(" differs");
	}
}

static json_t *ranges_json(const struct diff *diff)
{
	json_t *array = json_array();
	char text[24];

	for (size_t i = 0; i < diff->range_count; i++) {
		const struct diff_range *range = &diff->ranges[i];

		json_array_append_new(
			array, json_pack("{s:s, s:I, s:s}", "address",
					 out_text(text, sizeof(text), "0x%" PRIx64, range->address),
					 "pages", (json_int_t)range->pages, "in",
					 range->kind == AV_PAGE_ONLY_A   ? "a"
					 : range->kind == AV_PAGE_ONLY_B ? "b"
									 : "both"));
	}
	return array;
}

static void say(const struct diff *diff)
{
	json_t *document;

	if (out_style.format == OUT_NAME) {
		for (size_t i = 0; i < diff->range_count; i++)
			printf("0x%" PRIx64 "\n", diff->ranges[i].address);
		return;
	}
	if (out_style.format == OUT_TABLE) {
		print_ranges(diff);
		print_state(diff);
		print_lines(diff);
		if (diff->lines_left_out)
			out_note("%" PRIu64 " more lines differ and are not shown",
				 diff->lines_left_out);
		return;
	}
	document = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:o, s:O, s:O}", "vm", diff->vm, "a",
			     diff->ids[0], "b", diff->ids[1], "differs", differs(diff), "pages",
			     (json_int_t)diff->pages, "pages_same_contents", (json_int_t)diff->same,
			     "ranges", ranges_json(diff), "registers", diff->registers, "devices",
			     diff->devices);
	if (diff->hex)
		json_object_set(document, "lines", diff->lines);
	if (diff->lines_left_out)
		json_object_set_new(document, "lines_left_out",
				    json_integer((json_int_t)diff->lines_left_out));
	out_json(document);
}

static int compare(struct diff *diff)
{
	char taken[2][32];
	int result = pick_both(diff, taken);

	if (result != RC_OK)
		return result;
	diff->ram_fd = open(diff->ctx->record->ram_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (diff->ram_fd < 0)
		return out_error(RC_FAILED, "avctl ps", "%s cannot be opened",
				 diff->ctx->record->ram_file);
	result = diff_pages(diff);
	if (result == RC_OK)
		result = diff_state(diff);
	if (result == RC_OK)
		result = check_again(diff, taken);
	close(diff->ram_fd);
	if (result == RC_OK)
		say(diff);
	if (result == RC_OK && differs(diff))
		result = RC_DIFFERS;
	return result;
}

int cmd_snapshot_diff(struct ctx *ctx)
{
	struct diff diff = {.ctx = ctx, .hex = ctx_flag(ctx, "hex")};
	const struct set_vm *vm;
	int result = ctx_need_record(ctx);

	if (result == RC_OK)
		result = ctx_need_vm(ctx, ctx->args[0], &vm);
	if (result == RC_OK)
		result = ctx_need_agent(ctx);
	if (result != RC_OK)
		return result;
	diff.vm = vm->name;
	diff.lines = json_array();
	diff.registers = json_array();
	diff.devices = json_array();
	result = compare(&diff);
	free(diff.ranges);
	json_decref(diff.lines);
	json_decref(diff.registers);
	json_decref(diff.devices);
	return result;
}
