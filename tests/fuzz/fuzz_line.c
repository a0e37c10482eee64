/* SPDX-License-Identifier: MIT */
/*
 * fuzz_line.c - libFuzzer: the line feeder, parser and builder on arbitrary bytes.
 * Build: clang -g -O1 -fsanitize=fuzzer,address,undefined -Iabi -Iguest-agent tests/fuzz/fuzz_line.c guest-agent/core/line.c
 */
#include <stdlib.h>
#include <string.h>

#include "core/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What was read, built again, must read back the same (if it fits). */
static void build_again(const struct line *line)
{
	char buffer[AV_LINE_MAX];
	struct line_out out;
	struct line again;
	size_t length;

	line_begin(&out, buffer, sizeof(buffer), line->id, line->verb);
	for (size_t i = 0; i < line->field_count; i++)
		line_add_bytes(&out, line->fields[i].key, line->fields[i].value,
			       line->fields[i].length);
	length = line_end(&out);
	if (length == 0)
		return;
	if (memchr(buffer, '\n', length - 1) ||
	    line_parse(&again, buffer, length - 1) != LINE_PARSED || again.id != line->id ||
	    again.field_count != line->field_count || strcmp(again.verb, line->verb) != 0)
		abort();
	for (size_t i = 0; i < line->field_count; i++)
		if (again.fields[i].length != line->fields[i].length ||
		    memcmp(again.fields[i].value, line->fields[i].value, line->fields[i].length) !=
			    0 ||
		    strcmp(again.fields[i].key, line->fields[i].key) != 0)
			abort();
}

static void read_line(const struct line_feed *feed)
{
	/* Exactly as large as promised, so that a step too far is seen. */
	char *text = malloc(feed->length + 1);
	struct line line;

	if (!text)
		abort();
	memcpy(text, feed->text, feed->length + 1);
	if (line_parse(&line, text, feed->length) == LINE_PARSED)
		build_again(&line);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct line_feed *feed = calloc(1, sizeof(*feed));
	const char *data = (const char *)bytes;
	enum line_event event;

	if (!feed)
		abort();
	while ((event = line_feed_next(feed, &data, &size)) != LINE_MORE)
		if (event == LINE_READY)
			read_line(feed);
	free(feed);
	return 0;
}
