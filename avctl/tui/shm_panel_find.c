/* SPDX-License-Identifier: MIT */
/* shm_panel_find.c - what is typed into the watch panel: where to go, what to look for, where to save.
 * Never writes to a file that is there already. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tui/screen.h"
#include "tui/shm_field.h"
#include "tui/shm_panel.h"

#define CHUNK 65536u

static bool number_after(const char *text, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && !*end;
}

bool shm_panel_goto(const struct shm_panel *panel, const char *text, uint64_t *at)
{
	const struct set_region *region = panel->view->region;
	struct set_field field;
	char message[160];
	uint64_t value;

	if (shm_field_find(region, text, strlen(text), &field, message, sizeof(message)) == 0) {
		*at = field.at;
		return field.at < region->size;
	}
	if (text[0] == '+' && number_after(text + 1, &value) &&
	    value < region->size - panel->cursor)
		value += panel->cursor;
	else if (text[0] == '-' && number_after(text + 1, &value) && value <= panel->cursor)
		value = panel->cursor - value;
	else if (!number_after(text, &value))
		return false;
	if (value >= region->size && value >= region->address)
		value -= region->address;
	if (value >= region->size)
		return false;
	*at = value;
	return true;
}

/* "u32:1043": the bytes of a number. 0: it is not of that form. */
static size_t number_pattern(const char *text, uint8_t pattern[SHM_SEARCH_MAX])
{
	const char *colon = strchr(text, ':');
	struct set_field field = {0};
	char message[160];

	if (!colon || !shm_field_type_parse(text, (size_t)(colon - text), &field) ||
	    shm_field_parse(&field, colon + 1, pattern, message, sizeof(message)) != 0)
		return 0;
	return (size_t)field.length;
}

size_t shm_panel_pattern(const char *text, uint8_t pattern[SHM_SEARCH_MAX])
{
	size_t length = number_pattern(text, pattern);

	if (length)
		return length;
	if (text[0] != '=') {
		length = strnlen(text, SHM_SEARCH_MAX);
		memcpy(pattern, text, length);
		return length;
	}
	for (text++; *text && length < SHM_SEARCH_MAX;) {
		char pair[3] = {text[0], text[0] ? text[1] : '\0', '\0'};

		if (*text == ' ') {
			text++;
			continue;
		}
		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return 0;
		pattern[length++] = (uint8_t)strtoul(pair, NULL, 16);
		text += 2;
	}
	return length;
}

/* Bytes as they are shown; where only a part of the region is followed, as they are now. */
static size_t shown_bytes(const struct shm_panel *panel, uint64_t at, uint8_t *out, size_t length)
{
	const struct shm_model *model = &panel->model;

	if (model->length != model->region_size)
		return shm_view_read(panel->view, at, out, length);
	if (at >= model->valid)
		return 0;
	if (length > model->valid - at)
		length = (size_t)(model->valid - at);
	memcpy(out, model->bytes + at, length);
	return length;
}

static const uint8_t *last_match(const uint8_t *bytes, size_t length, const uint8_t *pattern,
				 size_t pattern_length)
{
	const uint8_t *found = NULL, *next = bytes;

	while ((next = memmem(next, length - (size_t)(next - bytes), pattern, pattern_length)))
		found = next++;
	return found;
}

/* The first (or last) place in [from, to) where the pattern starts; false when there is none. */
static bool find(const struct shm_panel *panel, uint64_t from, uint64_t to, bool backwards,
		 uint64_t *at)
{
	uint8_t *chunk = malloc(CHUNK + SHM_SEARCH_MAX);
	size_t pattern = panel->search_length;
	bool found = false;

	while (chunk && from < to && !found) {
		uint64_t length = to - from < CHUNK ? to - from : CHUNK;
		uint64_t start = backwards ? to - length : from;
		/* A match may begin in the piece and end behind it. */
		size_t got = shown_bytes(panel, start, chunk, (size_t)length + pattern - 1);
		const uint8_t *hit = backwards ? last_match(chunk, got, panel->search, pattern)
					       : memmem(chunk, got, panel->search, pattern);

		found = hit;
		if (hit)
			*at = start + (uint64_t)(hit - chunk);
		if (backwards)
			to = start;
		else
			from = start + length;
	}
	free(chunk);
	return found;
}

void shm_panel_search(struct shm_panel *panel, bool backwards)
{
	uint64_t size = panel->view->region->size, at = 0;
	bool wrapped = false, found;

	if (!panel->search_length) {
		snprintf(panel->message, sizeof(panel->message), "nothing to look for yet: /");
		return;
	}
	found = backwards ? find(panel, 0, panel->cursor, true, &at)
			  : find(panel, panel->cursor + 1, size, false, &at);
	if (!found) {
		wrapped = true;
		found = backwards ? find(panel, panel->cursor, size, true, &at)
				  : find(panel, 0, panel->cursor + 1, false, &at);
	}
	if (!found) {
		snprintf(panel->message, sizeof(panel->message), "not found");
		return;
	}
	panel->cursor = at;
	if (wrapped)
		snprintf(panel->message, sizeof(panel->message),
			 "found at 0x%" PRIx64 ", from the %s", at, backwards ? "end" : "start");
	else
		snprintf(panel->message, sizeof(panel->message), "found at 0x%" PRIx64, at);
}

void shm_panel_save(struct shm_panel *panel, const char *path)
{
	const struct shm_model *model = &panel->model;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	size_t done = 0;
	ssize_t n = 0;

	while (fd >= 0 && done < model->valid) {
		n = write(fd, model->bytes + done, model->valid - done);
		if (n < 0 && errno != EINTR)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0)
		snprintf(panel->message, sizeof(panel->message), "cannot write %.40s: %.30s", path,
			 strerror(errno));
	else
		snprintf(panel->message, sizeof(panel->message),
			 "%zu bytes from 0x%" PRIx64 " on are in %.40s", done, model->base, path);
	if (fd >= 0)
		close(fd);
}

static void finish_input(struct shm_panel *panel)
{
	enum shm_panel_input input = panel->input;
	uint64_t at;

	panel->input = SHM_INPUT_NONE;
	if (input == SHM_INPUT_GOTO) {
		if (shm_panel_goto(panel, panel->text, &at))
			panel->cursor = at;
		else
			snprintf(panel->message, sizeof(panel->message),
				 "not in this region: %.40s (see ? for what g takes)", panel->text);
	} else if (input == SHM_INPUT_SEARCH) {
		if (panel->text[0])
			panel->search_length = shm_panel_pattern(panel->text, panel->search);
		shm_panel_search(panel, false);
	} else if (panel->text[0]) {
		shm_panel_save(panel, panel->text);
	}
}

bool shm_panel_type(struct shm_panel *panel, int key)
{
	size_t length = strlen(panel->text);

	if (panel->input == SHM_INPUT_NONE)
		return false;
	if (key == '\n') {
		finish_input(panel);
	} else if (key == 0x1b) {
		panel->input = SHM_INPUT_NONE;
	} else if (key == SCREEN_BACKSPACE) {
		if (length)
			panel->text[length - 1] = '\0';
		else
			panel->input = SHM_INPUT_NONE;
	} else if (key >= 0x20 && key < 0x7f && length + 1 < sizeof(panel->text)) {
		panel->text[length] = (char)key;
		panel->text[length + 1] = '\0';
	}
	return true;
}
