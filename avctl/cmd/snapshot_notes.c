/* SPDX-License-Identifier: MIT */
/*
 * snapshot_notes.c - tags and notes in RUNTIME/notes.json: {"machine": "PID.START", "vms": {"vm1":
 * {"3": {"tags": "a=1 b", "note": "..."}}}}.
 * Never trusts the file: what is not as it should be is not there. Replaced as a whole, by rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/snapshot_notes.h"
#include "config/value.h"

static bool value_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._-+:/@%", c));
}

static bool is_tag(const char *tag)
{
	size_t length = strcspn(tag, "=");
	char key[NOTES_TAG_MAX + 1];

	if (strlen(tag) > NOTES_TAG_MAX)
		return false;
	memcpy(key, tag, length);
	key[length] = '\0';
	if (!value_is_name(key))
		return false;
	for (const char *c = tag + length + (tag[length] == '='); *c; c++) {
		if (!value_character(*c))
			return false;
	}
	return true;
}

int notes_check_tag(const char *tag)
{
	if (is_tag(tag))
		return RC_OK;
	return out_error(RC_USAGE, "KEY or KEY=VALUE: a name, and letters, digits, ._-+:/@%",
			 "\"%s\" cannot be a tag", tag);
}

int notes_check_note(const char *note)
{
	json_t *utf8 = json_string(note);

	if (!utf8)
		return out_error(RC_USAGE, NULL, "the note is not UTF-8");
	json_decref(utf8);
	if (strlen(note) > NOTES_TEXT_MAX)
		return out_error(RC_USAGE, NULL, "a note has at most %d bytes", NOTES_TEXT_MAX);
	return RC_OK;
}

bool notes_match(const char *tags, const char *wanted)
{
	size_t wanted_length = strlen(wanted);

	while (tags && *tags) {
		size_t length = strcspn(tags, " "), key = strcspn(tags, "= ");

		if ((length == wanted_length || key == wanted_length) &&
		    !strncmp(tags, wanted, wanted_length))
			return true;
		tags += length + strspn(tags + length, " ");
	}
	return false;
}

static void machine_text(const struct record *record, char text[48])
{
	snprintf(text, 48, "%d.%" PRIu64, (int)record->pid, record->pid_start);
}

/* What is kept about this machine; an empty document when nothing is. */
static json_t *load(const struct record *record)
{
	char path[PATH_MAX], machine[48];
	const char *about;
	json_t *document;

	snprintf(path, sizeof(path), "%s/notes.json", record->runtime_dir);
	machine_text(record, machine);
	document = json_load_file(path, 0, NULL);
	about = json_string_value(json_object_get(document, "machine"));
	if (about && !strcmp(about, machine) && json_is_object(json_object_get(document, "vms")))
		return document;
	json_decref(document);
	return json_pack("{s:s, s:s, s:{}}", "schema", "avctl/1", "machine", machine, "vms");
}

static int save(const struct record *record, const json_t *document)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	int fd, result = -1;

	snprintf(path, sizeof(path), "%s/notes.json", record->runtime_dir);
	snprintf(temporary, sizeof(temporary), "%s/notes.json.new", record->runtime_dir);
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && json_dumpfd(document, fd, JSON_INDENT(1)) == 0)
		result = rename(temporary, path);
	if (fd >= 0)
		close(fd);
	if (result != 0)
		return out_error(RC_FAILED, NULL, "%s: %s", path, strerror(errno));
	return RC_OK;
}

/* A text of an entry, NULL when it has none. */
static const char *entry_text(json_t *entry, const char *key)
{
	const char *text = json_string_value(json_object_get(entry, key));

	return text && *text ? text : NULL;
}

void notes_fill(const struct record *record, const char *vm, struct table *table, size_t first)
{
	json_t *document = load(record);
	json_t *entries = json_object_get(json_object_get(document, "vms"), vm);

	for (size_t row = first; row < table_row_count(table); row++) {
		json_t *entry = json_object_get(entries, table_get(table, row, SNAP_ID));

		table_set_text_at(table, row, SNAP_TAGS, entry_text(entry, "tags"));
		table_set_text_at(table, row, SNAP_NOTE, entry_text(entry, "note"));
	}
	json_decref(document);
}

static void forget_gone(json_t *entries, const struct table *rows)
{
	const char *id;
	json_t *entry;
	void *next;

	json_object_foreach_safe(entries, next, id, entry)
	{
		if (snapshot_row_find(rows, id) < 0)
			json_object_del(entries, id);
	}
}

int notes_change(const struct record *record, const char *vm, const struct table *rows,
		 const char *id, const char *tags, const char *note)
{
	json_t *document = load(record), *vms = json_object_get(document, "vms");
	json_t *entries = json_object_get(vms, vm), *entry;
	int result;

	if (!json_is_object(entries)) {
		entries = json_object();
		json_object_set_new(vms, vm, entries);
	}
	forget_gone(entries, rows);
	entry = json_object_get(entries, id);
	if (!json_is_object(entry)) {
		entry = json_object();
		json_object_set_new(entries, id, entry);
	}
	if (tags)
		json_object_set_new(entry, "tags", json_string(tags));
	if (note)
		json_object_set_new(entry, "note", json_string(note));
	result = save(record, document);
	json_decref(document);
	return result;
}

int notes_forget(const struct record *record, const char *vm)
{
	json_t *document = load(record), *vms = json_object_get(document, "vms");
	int result = RC_OK;

	if (json_object_del(vms, vm) == 0)
		result = save(record, document);
	json_decref(document);
	return result;
}
