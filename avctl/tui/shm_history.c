/* SPDX-License-Identifier: MIT */
/* shm_history.c - a ring of changes, each with the bytes before and after it.
 * Never holds more than its limit: the oldest go first, and a change that alone is too large takes
 * all before it along. */
#include "tui/shm_history.h"

#include <stdlib.h>
#include <string.h>

struct run {
	uint64_t at, length;
};

int shm_history_init(struct shm_history *history, size_t limit)
{
	memset(history, 0, sizeof(*history));
	history->records = calloc(SHM_HISTORY_MAX, sizeof(*history->records));
	history->limit = limit;
	return history->records ? 0 : -1;
}

static struct shm_record *record_at(const struct shm_history *history, size_t index)
{
	return &history->records[(history->first + index) % SHM_HISTORY_MAX];
}

static void drop_oldest(struct shm_history *history)
{
	struct shm_record *record = record_at(history, 0);

	history->bytes -= record->size;
	free(record->runs);
	memset(record, 0, sizeof(*record));
	history->first = (history->first + 1) % SHM_HISTORY_MAX;
	history->count--;
	history->forgotten++;
	if (history->applied)
		history->applied--;
}

void shm_history_clear(struct shm_history *history)
{
	while (history->count)
		drop_oldest(history);
}

void shm_history_free(struct shm_history *history)
{
	if (history->records)
		shm_history_clear(history);
	free(history->open.runs);
	free(history->records);
	memset(history, 0, sizeof(*history));
}

void shm_history_run(struct shm_history *history, size_t at, const uint8_t *old, const uint8_t *new,
		     size_t length)
{
	struct run run = {at, length};
	size_t needed = history->open.size + sizeof(run) + 2 * length;
	uint8_t *to;

	if (history->open_lost)
		return;
	if (needed > history->limit) {
		history->open_lost = true;
		return;
	}
	if (needed > history->open_room) {
		size_t room = history->open_room ? history->open_room * 2 : 4096;

		while (room < needed)
			room *= 2;
		to = realloc(history->open.runs, room);
		if (!to) {
			history->open_lost = true;
			return;
		}
		history->open.runs = to;
		history->open_room = room;
	}
	to = history->open.runs + history->open.size;
	memcpy(to, &run, sizeof(run));
	memcpy(to + sizeof(run), old, length);
	memcpy(to + sizeof(run) + length, new, length);
	history->open.size = needed;
}

void shm_history_end(struct shm_history *history, uint64_t time)
{
	struct shm_record record = {.time = time, .size = history->open.size};

	if (!history->open.size && !history->open_lost)
		return;
	if (!history->open_lost)
		record.runs = malloc(record.size);
	if (!record.runs) {
		/* Nothing leads back over this one. */
		shm_history_clear(history);
		history->forgotten++;
	} else {
		memcpy(record.runs, history->open.runs, record.size);
		while (history->count == SHM_HISTORY_MAX ||
		       (history->count && history->bytes + record.size > history->limit))
			drop_oldest(history);
		*record_at(history, history->count++) = record;
		history->applied = history->count;
		history->bytes += record.size;
	}
	history->open.size = 0;
	history->open_lost = false;
}

const struct shm_record *shm_history_shown(const struct shm_history *history)
{
	return history->applied ? record_at(history, history->applied - 1) : NULL;
}

/* Put the old or the new bytes of all its runs in place. */
static void apply(const struct shm_record *record, uint8_t *bytes, bool new)
{
	struct run run;

	for (size_t i = 0; i < record->size; i += sizeof(run) + 2 * (size_t)run.length) {
		const uint8_t *from = record->runs + i + sizeof(run);

		memcpy(&run, record->runs + i, sizeof(run));
		memcpy(bytes + run.at, new ? from + run.length : from, (size_t)run.length);
	}
}

bool shm_history_back(struct shm_history *history, uint8_t *bytes)
{
	if (!history->applied)
		return false;
	apply(record_at(history, history->applied - 1), bytes, false);
	history->applied--;
	return true;
}

bool shm_history_forward(struct shm_history *history, uint8_t *bytes)
{
	if (history->applied == history->count)
		return false;
	apply(record_at(history, history->applied), bytes, true);
	history->applied++;
	return true;
}

void shm_record_each(const struct shm_record *record,
		     void (*visit)(void *context, size_t at, size_t length), void *context)
{
	struct run run;

	for (size_t i = 0; i < record->size; i += sizeof(run) + 2 * (size_t)run.length) {
		memcpy(&run, record->runs + i, sizeof(run));
		visit(context, (size_t)run.at, (size_t)run.length);
	}
}
