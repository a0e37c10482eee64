/* SPDX-License-Identifier: MIT */
/*
 * fuzz_expr.c - libFuzzer: conditions, names of fields, values and places that people type about a region.
 * The first bytes are the region's, the rest is what was typed.
 */
#include <stdlib.h>
#include <string.h>

#include "tui/shm_expr.h"
#include "tui/shm_field.h"

#define REGION_SIZE 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct set_choice choices[] = {{(char *)"low", 0xfe}, {(char *)"high", 2}};
static struct set_enum names = {.choices = choices, .count = 2};
static struct set_field fields[] = {
	{.name = (char *)"a", .at = 0, .length = 4, .type = SET_FIELD_U32},
	{.name = (char *)"b", .at = 4, .length = 1, .type = SET_FIELD_I8, .choices = &names},
	{.name = (char *)"c", .at = 8, .length = 8, .type = SET_FIELD_I16, .count = 4},
	{.name = (char *)"d", .at = 16, .length = 8, .type = SET_FIELD_F64, .big_endian = true},
	{.name = (char *)"e", .at = 24, .length = 16, .type = SET_FIELD_STRING, .count = 2},
	{.name = (char *)"f[1].g", .at = 40, .length = 8, .type = SET_FIELD_U64, .hex = true},
	{.name = (char *)"h", .at = 48, .length = 16, .type = SET_FIELD_BYTES},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))
static struct set_region region = {
	.name = (char *)"r", .size = REGION_SIZE, .fields = fields, .field_count = FIELD_COUNT};

static bool read_bytes(void *context, uint64_t at, void *buffer, size_t length)
{
	/* What parsed may not reach out of the region. */
	if (at > REGION_SIZE || length > REGION_SIZE - at)
		abort();
	memcpy(buffer, (const uint8_t *)context + at, length);
	return true;
}

/* What was parsed, shown and parsed again, must be the same bytes: but floats, which are rounded. */
static void parse_again(const struct set_field *field, const char *text)
{
	uint8_t *first = calloc(1, REGION_SIZE), *second = calloc(1, REGION_SIZE);
	char shown[256], message[160];
	bool number = field->type < SET_FIELD_F32;

	if (!first || !second)
		abort();
	if (shm_field_parse(field, text, first, message, sizeof(message)) == 0 && number) {
		shm_field_text(field, first, shown, sizeof(shown));
		if (field->hex && field->type >= SET_FIELD_I8)
			goto out; /* shown as bits */
		if (shm_field_parse(field, shown, second, message, sizeof(message)) != 0 ||
		    memcmp(first, second, REGION_SIZE) != 0)
			abort();
	}
out:
	free(first);
	free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t content[REGION_SIZE] = {0};
	size_t used = size < REGION_SIZE ? size / 2 : REGION_SIZE;
	char *text = malloc(size - used + 1);
	char message[160], shown[256];
	struct shm_expr *expr = malloc(sizeof(*expr));
	struct set_field field;

	if (!text || !expr)
		abort();
	memcpy(content, bytes, used);
	memcpy(text, bytes + used, size - used);
	text[size - used] = '\0';
	if (shm_expr_parse(expr, &region, text, message, sizeof(message)) == 0)
		shm_expr_holds(expr, read_bytes, content);
	if (shm_field_find(&region, text, strlen(text), &field, message, sizeof(message)) == 0) {
		if (field.at > REGION_SIZE || field.length > REGION_SIZE - field.at)
			abort();
		shm_field_text(&field, content + field.at, shown, 16 + size % 200);
	}
	for (size_t i = 0; i < FIELD_COUNT; i++)
		parse_again(&fields[i], text);
	free(text);
	free(expr);
	return 0;
}
