/* SPDX-License-Identifier: MIT */
/* shm_panel_head.c - the lines above the bytes: title, members, changes over time, map of pages.
 * Says only what was seen: "-" and "?" stand for what is not known. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "out/out.h"
#include "tui/shm_panel.h"
#include "tui/shm_text.h"

#define LINE_MAX_TEXT 512

static void text_at(struct grid *grid, struct shm_rect where, int x, enum grid_style style,
		    const char *text)
{
	if (where.height && x >= 0)
		grid_text(grid, where.x + x, where.y, where.width - x, style, text);
}

/* "64K", "1M", "100". */
static void short_size(char *out, size_t size, uint64_t bytes)
{
	if (bytes && bytes % (1u << 20) == 0)
		snprintf(out, size, "%" PRIu64 "M", bytes >> 20);
	else if (bytes && bytes % 1024 == 0)
		snprintf(out, size, "%" PRIu64 "K", bytes >> 10);
	else
		snprintf(out, size, "%" PRIu64, bytes);
}

static bool in_the_past(const struct shm_panel *panel)
{
	return panel->model.history.applied < panel->model.history.count;
}

static void draw_title(const struct shm_panel *panel, struct grid *grid)
{
	const struct set_region *region = panel->view->region;
	struct shm_rect at = panel->layout.title;
	uint64_t ms = shm_panel_interval(panel) / 1000000ull;
	char line[LINE_MAX_TEXT], size[32], rate[32], state[32];
	bool alert = panel->gone || panel->paused;
	int x;

	if (in_the_past(panel))
		snprintf(state, sizeof(state), " PAST -%zu ",
			 panel->model.history.count - panel->model.history.applied);
	else
		snprintf(state, sizeof(state), "%s",
			 panel->gone     ? " ENDED "
			 : panel->paused ? " PAUSED "
					 : " LIVE ");
	short_size(size, sizeof(size), region->size);
	snprintf(line, sizeof(line), " avctl shm watch  %s  0x%08" PRIx64 " +%s", region->name,
		 region->address, size);
	if (ms >= 1000)
		snprintf(rate, sizeof(rate), "every %" PRIu64 " s  ? help ", ms / 1000);
	else
		snprintf(rate, sizeof(rate), "%" PRIu64 " Hz  ? help ", 1000 / ms);
	x = at.width - (int)strlen(rate) - (int)strlen(state) - 1;
	if ((int)strlen(line) > x)
		snprintf(line, sizeof(line), " %s  0x%08" PRIx64 " +%s", region->name,
			 region->address, size);
	grid_text(grid, 0, at.y, x, GRID_TITLE, line);
	text_at(grid, at, x, alert ? GRID_ALERT : GRID_TITLE, state);
	text_at(grid, at, x + (int)strlen(state) + 1, GRID_PLAIN, rate);
}

static void draw_members(const struct shm_panel *panel, struct grid *grid, uint64_t now)
{
	const struct shm_model *model = &panel->model;
	const char *writer =
		shm_text_writer(panel->view->set, panel->view->region, model->last_change_at, 1);
	char members[LINE_MAX_TEXT], line[160], by[64] = "";
	int width = panel->layout.members.width;
	int room;

	if (writer)
		snprintf(by, sizeof(by), " by %.31s", writer);
	if (in_the_past(panel))
		snprintf(line, sizeof(line), "change %zu of %zu, %.1f s before the newest ",
			 model->history.applied, model->history.count,
			 (double)(model->last_change - shm_model_shown_time(model, now)) / 1e9);
	else if (model->last_change && now >= model->last_change)
		snprintf(line, sizeof(line),
			 ">= %" PRIu64 " B/s  last change %.1f s ago at 0x%" PRIx64 "%s ",
			 shm_model_rate(model, now), (double)(now - model->last_change) / 1e9,
			 model->last_change_at, width >= 80 ? by : "");
	else
		snprintf(line, sizeof(line), "no change seen yet ");
	room = width - (int)strlen(line) - 2;
	shm_text_members_now(panel->view, members, sizeof(members));
	grid_text(grid, 1, panel->layout.members.y, room, GRID_PLAIN, members);
	if ((int)strlen(members) > room && room > 3)
		grid_text(grid, room - 2, panel->layout.members.y, 3, GRID_PLAIN, "...");
	text_at(grid, panel->layout.members, width - (int)strlen(line), GRID_PLAIN, line);
}

/* Columns of a graph in a line of that width, beside what is said at its right. */
static int graph_width(int width, const char *said)
{
	int room = width - 9 - (int)strlen(said);

	return room < (int)SHM_MODEL_SECONDS ? room : (int)SHM_MODEL_SECONDS;
}

static void draw_rate(const struct shm_panel *panel, struct grid *grid)
{
	const struct shm_model *model = &panel->model;
	struct shm_rect at = panel->layout.rate;
	uint64_t peak = 0;
	char said[96], most[32];
	int columns;

	for (unsigned i = 0; i < SHM_MODEL_SECONDS; i++)
		if (shm_model_in_second(model, i) > peak)
			peak = shm_model_in_second(model, i);
	snprintf(said, sizeof(said), "| most %s/s, %zu%s changes kept", out_size(most, peak),
		 model->history.count, model->history.forgotten ? " newest" : "");
	columns = graph_width(at.width, said);
	if (columns < 8)
		return;
	text_at(grid, at, 1, GRID_DIM, "chg/s |");
	for (int i = 0; i < columns; i++) {
		uint64_t bytes = shm_model_in_second(model, (unsigned)(columns - 1 - i));
		uint64_t eighths = peak ? (bytes * 8 + peak - 1) / peak : 0;

		if (eighths)
			grid_fill(grid, 8 + i, at.y, 1, GRID_PLAIN,
				  (char)(GRID_BAR + (char)eighths - 1));
	}
	text_at(grid, at, 8 + columns, GRID_DIM, said);
}

/* One letter for the pages in [from, to): the youngest change, or what differs from the mark. */
static char map_cell(const struct shm_panel *panel, uint64_t from, uint64_t to, uint64_t now)
{
	static const char ages[] = {'-', '+', '*', '#'};
	const struct shm_model *model = &panel->model;
	char cell = '?';

	for (uint64_t at = from; at < to; at += SHM_MODEL_PAGE) {
		int age = shm_model_page_age(model, at, now);
		const struct shm_model_page *page;
		char here;

		if (age < 0)
			continue;
		page = &model->pages[(at - model->base) / SHM_MODEL_PAGE];
		here = !page->last ? '.' : ages[age];
		if (panel->stress == SHM_STRESS_MARK)
			here = page->differs ? '#' : '.';
		if (cell == '?' || strchr("?.-+*#", here) > strchr("?.-+*#", cell))
			cell = here;
	}
	return cell;
}

static void map_text(const struct shm_panel *panel, char *said, size_t size, uint64_t cell)
{
	uint64_t end = panel->top + shm_panel_page_bytes(panel);
	time_t marked = (time_t)panel->marked_at;
	char width[32], clock[16] = "";
	struct tm tm;

	if (end > panel->view->region->size)
		end = panel->view->region->size;
	short_size(width, sizeof(width), cell);
	if (panel->model.mark && gmtime_r(&marked, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%SZ", &tm);
	if (panel->model.mark)
		snprintf(said, size, "| %s each, %" PRIu64 " B not as at %s", width,
			 panel->model.differ_count, clock);
	else
		snprintf(said, size, "| %s each, view 0x%" PRIx64 "-0x%" PRIx64, width, panel->top,
			 end ? end - 1 : 0);
}

static void draw_map(const struct shm_panel *panel, struct grid *grid, uint64_t now)
{
	struct shm_rect at = panel->layout.map;
	uint64_t size = panel->view->region->size, cell = SHM_MODEL_PAGE;
	uint64_t end = panel->top + shm_panel_page_bytes(panel);
	char said[96], text[2] = "";
	int columns;

	map_text(panel, said, sizeof(said), 1023 << 10); /* the longest there can be */
	columns = graph_width(at.width, said);
	if (columns < 8)
		return;
	while ((size + cell - 1) / cell > (uint64_t)columns)
		cell *= 2;
	columns = (int)((size + cell - 1) / cell);
	map_text(panel, said, sizeof(said), cell);
	text_at(grid, at, 1, GRID_DIM, "map   |");
	for (int i = 0; i < columns; i++) {
		uint64_t from = (uint64_t)i * cell;
		bool viewed = from < end && from + cell > panel->top;

		text[0] = map_cell(panel, from, from + cell < size ? from + cell : size, now);
		grid_text(grid, 8 + i, at.y, 1, viewed ? GRID_CHOSEN : GRID_PLAIN, text);
	}
	text_at(grid, at, 8 + columns, GRID_DIM, said);
}

void shm_panel_draw_head(const struct shm_panel *panel, struct grid *grid, uint64_t now)
{
	draw_title(panel, grid);
	draw_members(panel, grid, now);
	if (panel->layout.rate.height)
		draw_rate(panel, grid);
	if (panel->layout.map.height)
		draw_map(panel, grid, now);
}
