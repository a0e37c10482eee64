/* SPDX-License-Identifier: MIT */
/*
 * snapshot_notes.h - tags and notes of snapshots. They live as long as the snapshots do: in the
 * set's runtime folder, notes.json, which names the QEMU that it is about; ids are never given
 * twice, so what is written about a snapshot that is gone is about nothing. Written with the set's
 * lock held.
 */
#pragma once
#include "cmd/snapshot_rows.h"

#define NOTES_TAG_MAX 63   /* bytes of KEY=VALUE */
#define NOTES_TAGS_MAX 16  /* of one snapshot */
#define NOTES_TEXT_MAX 400 /* bytes of a note */

/* KEY or KEY=VALUE. Says so when it is not: RC_USAGE. */
int notes_check_tag(const char *tag);
/* Whether TEXT can be a note. Says so when it cannot: RC_USAGE. */
int notes_check_note(const char *note);
/* Whether a snapshot's tags ("a=1 b", or NULL) have that KEY, or KEY=VALUE. */
bool notes_match(const char *tags, const char *wanted);

/* Fill in SNAP_TAGS and SNAP_NOTE of that VM's rows, from row `first` on. */
void notes_fill(const struct record *record, const char *vm, struct table *table, size_t first);

/*
 * Change what is kept about the snapshots of vm and forget those not in rows. tags (separated by
 * spaces) and note: NULL leaves them, "" takes them away. An exit code.
 */
int notes_change(const struct record *record, const char *vm, const struct table *rows,
		 const char *id, const char *tags, const char *note);

/* Forget all about the snapshots of vm: a clone of that name is another VM. An exit code. */
int notes_forget(const struct record *record, const char *vm);
