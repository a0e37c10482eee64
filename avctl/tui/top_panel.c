/* SPDX-License-Identifier: MIT */
/* top_panel.c - draws `avctl top` and answers its keys.
 * Shows "-" for what two samples do not tell. */
#include "tui/top_panel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "out/out.h"
#include "tui/screen.h"

#define MIN_WIDTH 60
#define MIN_HEIGHT 6
#define FIRST_ROW 4
#define FRAME 4096u

static const uint64_t intervals_ms[] = {10000, 5000, 2000, 1000, 500, 200};
#define PACE_COUNT (sizeof(intervals_ms) / sizeof(intervals_ms[0]))

/* What a column says; from 0 on: exits for that reason. */
enum cell { CELL_CPU = -6, CELL_EXITS, CELL_UNIQUE, CELL_SHARED, CELL_SNAPSHOTS, CELL_GENERATION };

/* And from which width of the screen on. */
static const struct column_spec {
	const char *title;
	int width, from, cell;
} columns[] = {
	{"CPU%", 6, 0, CELL_CPU},
	{"EXITS/S", 9, 0, CELL_EXITS},
	{"HVC", 7, 130, 0},
	{"WFI", 7, 130, 2},
	{"SYSREG", 7, 130, 3},
	{"MMIO", 7, 130, 4},
	{"TOUCH", 7, 130, 5},
	{"WRITE", 7, 130, 6},
	{"IRQ", 7, 130, 8},
	{"UNIQUE", 8, 0, CELL_UNIQUE},
	{"SHARED", 8, 0, CELL_SHARED},
	{"SNAPS", 5, 66, CELL_SNAPSHOTS},
	{"GEN", 5, 72, CELL_GENERATION},
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

void top_panel_init(struct top_panel *panel, const char *set, uint64_t interval_ns)
{
	memset(panel, 0, sizeof(*panel));
	panel->set = set;
	while (panel->pace + 1 < PACE_COUNT && intervals_ms[panel->pace] * 1000000 > interval_ns)
		panel->pace++;
}

uint64_t top_panel_interval(const struct top_panel *panel)
{
	return intervals_ms[panel->pace] * 1000000;
}

static size_t rows_of(const struct top_panel *panel, struct top_row *rows)
{
	return top_rows(&panel->before, &panel->now, panel->sort, panel->reverse, panel->control,
			rows);
}

void top_panel_sample(struct top_panel *panel, const struct top_sample *sample)
{
	struct top_row rows[AV_VM_MAX];
	size_t count;

	panel->before = panel->now;
	panel->now = *sample;
	if (panel->looks++ == 0)
		return;
	memmove(panel->exits, panel->exits + 1, sizeof(panel->exits) - sizeof(panel->exits[0]));
	panel->exits[TOP_SECONDS - 1] = 0;
	count = rows_of(panel, rows);
	for (size_t i = 0; i < count; i++)
		panel->exits[TOP_SECONDS - 1] += rows[i].exits;
}

/* The row that is chosen. */
static size_t chosen_row(const struct top_panel *panel, const struct top_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].vm->name, panel->chosen) == 0)
			return i;
	return 0;
}

static void choose(struct top_panel *panel, int step)
{
	struct top_row rows[AV_VM_MAX];
	size_t count = rows_of(panel, rows);
	size_t at = chosen_row(panel, rows, count);

	if (!count)
		return;
	if (step < 0 && at > 0)
		at--;
	if (step > 0 && at + 1 < count)
		at++;
	snprintf(panel->chosen, sizeof(panel->chosen), "%s", rows[at].vm->name);
}

static void sort_by(struct top_panel *panel, enum top_sort sort)
{
	panel->sort = sort;
	snprintf(panel->message, sizeof(panel->message), "sorted by %s%s", top_sorts[sort],
		 panel->reverse ? ", the other way round" : "");
}

enum top_action top_panel_key(struct top_panel *panel, int key)
{
	panel->message[0] = '\0';
	if (panel->help) {
		panel->help = false;
		return key == 'q' ? TOP_QUIT : TOP_STAY;
	}
	switch (key) {
	case 'q':
	case 0x1b:
		return TOP_QUIT;
	case '?':
		panel->help = true;
		break;
	case SCREEN_UP:
	case SCREEN_WHEEL_UP:
	case 'k':
		choose(panel, -1);
		break;
	case SCREEN_DOWN:
	case SCREEN_WHEEL_DOWN:
	case 'j':
		choose(panel, 1);
		break;
	case 's':
		sort_by(panel, (enum top_sort)((panel->sort + 1) % TOP_SORT_COUNT));
		break;
	case 'r':
		panel->reverse = !panel->reverse;
		sort_by(panel, panel->sort);
		break;
	case 'a':
		panel->control = !panel->control;
		break;
	case ' ':
		panel->paused = !panel->paused;
		return panel->paused ? TOP_STAY : TOP_LOOK;
	case '.':
		panel->paused = true;
		return TOP_LOOK;
	case '+':
	case '=':
		panel->pace += panel->pace + 1 < PACE_COUNT;
		break;
	case '-':
		panel->pace -= panel->pace > 0;
		break;
	default:
		break;
	}
	return TOP_STAY;
}

static void cell_text(const struct top_row *row, const struct column_spec *column, char *text,
		      size_t size)
{
	const struct top_vm *vm = row->vm;
	uint64_t frames = vm->dirty_frames;
	char bytes[32];

	snprintf(text, size, "-");
	switch (column->cell) {
	case CELL_CPU:
		if (row->known)
			snprintf(text, size, "%.1f", row->cpu * 100);
		break;
	case CELL_EXITS:
		if (row->known)
			snprintf(text, size, "%" PRIu64, row->exits);
		break;
	case CELL_SHARED:
		frames = vm->ram_frames > vm->dirty_frames ? vm->ram_frames - vm->dirty_frames : 0;
		/* fallthrough */
	case CELL_UNIQUE:
		snprintf(text, size, "%s", out_size(bytes, frames * FRAME));
		break;
	case CELL_SNAPSHOTS:
		snprintf(text, size, "%" PRIu64, vm->snapshots);
		break;
	case CELL_GENERATION:
		snprintf(text, size, "%" PRIu64, vm->generation);
		break;
	default:
		if (row->known)
			snprintf(text, size, "%" PRIu64, row->reason[column->cell]);
		break;
	}
}

static void draw_title(const struct top_panel *panel, struct grid *grid)
{
	const char *state = panel->gone ? " ENDED " : panel->paused ? " PAUSED " : " LIVE ";
	uint64_t ms = intervals_ms[panel->pace];
	char line[128], up[32], rate[40];
	int x;

	snprintf(line, sizeof(line), " avctl top  %.31s  up %s", panel->set,
		 out_duration(up, panel->now.uptime_ns));
	snprintf(rate, sizeof(rate), "every %g s  ? help ", (double)ms / 1000);
	x = grid->width - (int)strlen(rate) - (int)strlen(state) - 1;
	grid_text(grid, 0, 0, x, GRID_TITLE, line);
	grid_text(grid, x, 0, grid->width, panel->gone || panel->paused ? GRID_ALERT : GRID_TITLE,
		  state);
	grid_text(grid, x + (int)strlen(state) + 1, 0, grid->width, GRID_PLAIN, rate);
}

/* CPUs and memory of the machine; exits of all VMs over time. */
static void draw_machine(const struct top_panel *panel, struct grid *grid,
			 const struct top_row *rows, size_t count)
{
	uint64_t peak = 0;
	double cpu = 0;
	char line[160], free[32], total[32];
	int columns_shown, x = 9;

	for (size_t i = 0; i < count; i++)
		cpu += rows[i].cpu;
	snprintf(line, sizeof(line), " %.0f%% of %" PRIu64 "%% CPU   %s of %s free", cpu * 100,
		 panel->now.cpus * 100, out_size(free, panel->now.frames_free * FRAME),
		 out_size(total, panel->now.frames_total * FRAME));
	grid_text(grid, 0, 1, grid->width, GRID_PLAIN, line);
	for (int i = 0; i < TOP_SECONDS; i++)
		peak = panel->exits[i] > peak ? panel->exits[i] : peak;
	snprintf(line, sizeof(line), "| most %" PRIu64 "/s", peak);
	columns_shown = grid->width - x - (int)strlen(line) - 1;
	columns_shown = columns_shown > TOP_SECONDS ? TOP_SECONDS : columns_shown;
	grid_text(grid, 1, 2, grid->width, GRID_DIM, "exits |");
	x = 8;
	for (int i = 0; i < columns_shown; i++) {
		uint64_t here = panel->exits[TOP_SECONDS - columns_shown + i];
		uint64_t eighths = peak ? (uint64_t)((double)here * 8 / (double)peak + 0.999) : 0;

		eighths = eighths > 8 ? 8 : eighths;
		if (eighths)
			grid_fill(grid, x + i, 2, 1, GRID_PLAIN,
				  (char)(GRID_BAR + (char)eighths - 1));
	}
	grid_text(grid, x + columns_shown, 2, grid->width, GRID_DIM, line);
}

static void draw_row(const struct top_row *row, struct grid *grid, int y, enum grid_style style)
{
	char text[64];
	int x = 23;

	if (style == GRID_CHOSEN)
		grid_fill(grid, 0, y, grid->width, style, ' ');
	snprintf(text, sizeof(text), " %-12.12s %-8.8s", row ? row->vm->name : "NAME",
		 row ? row->vm->state : "STATE");
	grid_text(grid, 0, y, grid->width, style, text);
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (grid->width < columns[i].from)
			continue;
		if (row)
			cell_text(row, &columns[i], text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%s", columns[i].title);
		x += columns[i].width + 1;
		grid_text(grid, x - (int)strlen(text) - 1, y, (int)strlen(text), style, text);
	}
}

/* The chosen VM's exits by reason, and what it is charged for. */
static void draw_detail(const struct top_panel *panel, struct grid *grid, const struct top_row *row)
{
	char line[256], used[32], budget[32];
	size_t length;

	if (panel->message[0] || panel->gone) {
		grid_text(grid, 1, grid->height - 2, grid->width, GRID_PLAIN,
			  panel->gone ? "the set has ended: these are its last numbers (q ends)"
				      : panel->message);
		return;
	}
	snprintf(line, sizeof(line), " %.12s: %s of %s charged, exits/s:", row->vm->name,
		 out_size(used, row->vm->frames_used * FRAME),
		 out_size(budget, row->vm->frames_budget * FRAME));
	for (size_t i = 0; row->known && i < TOP_REASON_COUNT; i++) {
		length = strlen(line);
		if (row->reason[i])
			snprintf(line + length, sizeof(line) - length, " %s %" PRIu64,
				 top_reasons[i], row->reason[i]);
	}
	grid_text(grid, 0, grid->height - 2, grid->width, GRID_PLAIN, line);
}

void top_panel_draw(const struct top_panel *panel, struct grid *grid)
{
	struct top_row rows[AV_VM_MAX];
	size_t count = rows_of(panel, rows), chosen = chosen_row(panel, rows, count);
	size_t room, top;
	char line[96];

	grid_clear(grid);
	if (grid->width < MIN_WIDTH || grid->height < MIN_HEIGHT + 2) {
		snprintf(line, sizeof(line), "%dx%d is too small: %dx%d needed (q quits)",
			 grid->width, grid->height, MIN_WIDTH, MIN_HEIGHT + 2);
		grid_text(grid, 0, 0, grid->width, GRID_PLAIN, line);
		return;
	}
	room = (size_t)(grid->height - FIRST_ROW - 2);
	top = chosen >= room ? chosen - room + 1 : 0;
	draw_title(panel, grid);
	draw_machine(panel, grid, rows, count);
	draw_row(NULL, grid, FIRST_ROW - 1, GRID_DIM);
	for (size_t i = 0; i < room && top + i < count; i++)
		draw_row(&rows[top + i], grid, FIRST_ROW + (int)i,
			 top + i == chosen ? GRID_CHOSEN : GRID_PLAIN);
	if (count)
		draw_detail(panel, grid, &rows[chosen]);
	snprintf(line, sizeof(line), " q end  ? keys  s sort (%s)  r turn  a control  Space freeze",
		 top_sorts[panel->sort]);
	grid_text(grid, 0, grid->height - 1, grid->width, GRID_DIM, line);
}

int top_panel_help(struct grid *grid, int width, int height)
{
	static const char *const lines[] = {
		"Up Down k j   choose a VM: its exits stand below",
		"s  sort by the next column     r  turn the order round",
		"a  the control VM, too         Space  freeze, go on",
		".  freeze, take one look       + = -  more, less often",
		"?  this help                   q Esc  end",
		"UNIQUE: pages of the VM's alone; SHARED: with snapshots",
	};
	int count = (int)(sizeof(lines) / sizeof(lines[0]));

	if (width < MIN_WIDTH || height < count + 2 || grid_resize(grid, MIN_WIDTH, count + 2) != 0)
		return -1;
	for (int y = 0; y < grid->height; y++) {
		bool edge = y == 0 || y == grid->height - 1;

		grid_fill(grid, 0, y, edge ? MIN_WIDTH : 1, GRID_DIM,
			  edge ? GRID_RULE_H : GRID_RULE_V);
		grid_fill(grid, MIN_WIDTH - 1, y, 1, GRID_DIM, edge ? GRID_RULE_H : GRID_RULE_V);
	}
	grid_text(grid, 2, 0, MIN_WIDTH, GRID_TITLE, " keys: any key closes this help ");
	for (int i = 0; i < count; i++)
		grid_text(grid, 2, i + 1, MIN_WIDTH - 3, GRID_PLAIN, lines[i]);
	return 0;
}
