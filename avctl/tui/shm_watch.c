/* SPDX-License-Identifier: MIT */
/* shm_watch.c - runs the watch panel: time, keys and signals on one side, panel and screen on the
 * other.
 * Leaves the terminal as it was on every way out. */
#include "tui/shm_watch.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include "out/out.h"
#include "tui/screen.h"
#include "tui/shm_chooser.h"
#include "tui/shm_panel.h"

struct watch {
	const struct shm_watch_options *options;
	struct shm_chooser chooser;
	bool choosing; /* the list is shown */
	bool has_list; /* Esc leads back to it */
	struct shm_panel panel;
	struct grid base, overlay;
	uint64_t frame;
	uint64_t changes;
	uint64_t next; /* when the next sample is due */
	uint64_t end;  /* 0: never */
	bool over;
	int code;
};

static void finish(struct watch *watch, int code)
{
	watch->over = true;
	watch->code = code;
}

static void fit(struct watch *watch)
{
	int width, height;

	screen_size(&width, &height);
	if (!watch->choosing)
		shm_panel_resize(&watch->panel, width, height);
	if (grid_resize(&watch->base, width, height) != 0)
		finish(watch, RC_FAILED);
}

static void open_panel(struct watch *watch, size_t index)
{
	if (shm_panel_init(&watch->panel, &watch->chooser.views[index],
			   watch->options->interval_ns) != 0) {
		finish(watch, RC_FAILED);
		return;
	}
	watch->panel.brackets = watch->options->ascii;
	watch->choosing = false;
	fit(watch);
}

static void close_panel(struct watch *watch)
{
	shm_panel_free(&watch->panel);
	watch->choosing = true;
	fit(watch);
}

static void show(struct watch *watch, uint64_t now)
{
	bool help = !watch->choosing && watch->panel.help;

	if (watch->choosing)
		shm_chooser_draw(&watch->chooser, &watch->base);
	else
		shm_panel_draw(&watch->panel, &watch->base, now);
	if (help && shm_panel_help(&watch->panel, &watch->overlay) != 0)
		help = false;
	screen_show(&watch->base, help ? &watch->overlay : NULL);
}

static void take_sample(struct watch *watch, uint64_t now)
{
	const struct shm_watch_options *options = watch->options;
	const struct shm_view *view = watch->panel.view;
	uint64_t before;

	if (watch->choosing)
		return;
	before = watch->panel.model.last_change;
	shm_panel_sample(&watch->panel, now);
	watch->changes += watch->panel.model.last_change != before;
	if (options->until &&
	    shm_expr_holds(options->until, shm_watch_read, (void *)(uintptr_t)view))
		finish(watch, RC_OK);
	if (options->count && watch->changes >= options->count)
		finish(watch, RC_OK);
}

static void press(struct watch *watch, int key, uint64_t now)
{
	if (key == SCREEN_RESIZED) {
		fit(watch);
	} else if (watch->choosing) {
		switch (shm_chooser_key(&watch->chooser, key)) {
		case SHM_CHOOSER_OPEN:
			open_panel(watch, watch->chooser.chosen);
			if (!watch->over)
				take_sample(watch, now);
			break;
		case SHM_CHOOSER_QUIT:
			finish(watch, RC_OK);
			break;
		case SHM_CHOOSER_STAY:
			break;
		}
	} else {
		switch (shm_panel_key(&watch->panel, key, now)) {
		case SHM_PANEL_QUIT:
			finish(watch, RC_OK);
			break;
		case SHM_PANEL_BACK:
			if (watch->has_list)
				close_panel(watch);
			else
				finish(watch, RC_OK);
			break;
		case SHM_PANEL_STAY:
			break;
		}
	}
}

/* Wait for the next sample's time or for something to happen. */
static void wait_once(struct watch *watch)
{
	int key;

	switch (terminal_wait((int64_t)(watch->next - shm_watch_monotonic()))) {
	case TERMINAL_END:
		finish(watch, RC_INTERRUPTED);
		break;
	case TERMINAL_GONE:
		finish(watch, RC_FAILED);
		break;
	case TERMINAL_STOP:
		screen_suspend();
		fit(watch);
		break;
	case TERMINAL_INPUT:
		while (!watch->over && (key = screen_key()) != SCREEN_NO_KEY)
			press(watch, key, shm_watch_now(watch->options, watch->frame));
		break;
	case TERMINAL_TIME:
		break;
	}
}

static void run(struct watch *watch)
{
	const struct shm_watch_options *options = watch->options;

	while (!watch->over) {
		uint64_t real = shm_watch_monotonic();

		if (real >= watch->next) {
			watch->frame++;
			take_sample(watch, shm_watch_now(options, watch->frame));
			watch->next = real + (watch->choosing ? options->interval_ns
							      : shm_panel_interval(&watch->panel));
		}
		show(watch, shm_watch_now(options, watch->frame));
		if (options->frames && watch->frame >= options->frames)
			finish(watch, RC_OK);
		if (watch->end && real >= watch->end)
			finish(watch, RC_TIMEOUT);
		if (!watch->over)
			wait_once(watch);
	}
}

int shm_watch_run(const struct shm_view *views, size_t view_count, int chosen,
		  const struct shm_watch_options *options)
{
	struct watch watch;
	struct screen_options screen;

	setlocale(LC_CTYPE, "");
	screen.ascii = options->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	screen.color = options->color;
	if (screen_open(&screen) != 0)
		return -1;
	memset(&watch, 0, sizeof(watch));
	watch.options = options;
	watch.chooser.views = views;
	watch.chooser.count = view_count;
	watch.has_list = chosen < 0;
	watch.choosing = true;
	watch.next = shm_watch_monotonic();
	watch.end = options->timeout_ns ? watch.next + options->timeout_ns : 0;
	if (chosen >= 0)
		open_panel(&watch, (size_t)chosen);
	else
		fit(&watch);
	run(&watch);
	screen_close();
	if (!watch.choosing)
		shm_panel_free(&watch.panel);
	grid_free(&watch.base);
	grid_free(&watch.overlay);
	if (watch.code == RC_TIMEOUT)
		out_error(RC_TIMEOUT, NULL, "shm watch: the time is over%s",
			  options->until ? " and the condition never held" : "");
	return watch.code;
}
