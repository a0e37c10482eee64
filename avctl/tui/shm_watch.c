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

#define CHOOSER_INTERVAL_NS 500000000ull

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
	watch->panel.by_hand = watch->options->fixed_clock;
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
	if (help && shm_panel_help(&watch->panel, &watch->overlay) != 0) /* no room */
		help = false;
	screen_show(&watch->base, help ? &watch->overlay : NULL);
}

static void take_sample(struct watch *watch, uint64_t now)
{
	const struct shm_watch_options *options = watch->options;
	const struct shm_view *view = watch->panel.view;
	uint64_t before;

	if (watch->choosing) {
		shm_chooser_sample(&watch->chooser, now);
		return;
	}
	before = watch->panel.model.last_change;
	watch->panel.wall_ns = shm_watch_wall(options, watch->frame);
	if (watch->panel.look)
		shm_panel_look(&watch->panel, now);
	else
		shm_panel_sample(&watch->panel, now);
	watch->panel.look = false;
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
			open_panel(watch, shm_chooser_view(&watch->chooser));
			if (!watch->over)
				take_sample(watch, now);
			break;
		case SHM_CHOOSER_QUIT:
			finish(watch, RC_OK);
			break;
		case SHM_CHOOSER_STAY:
			break;
		}
	} else if (key == SCREEN_CLICK) {
		int x, y;

		screen_click(&x, &y);
		shm_panel_click(&watch->panel, x, y);
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

	uint64_t now = shm_watch_monotonic();
	bool due = watch->next > now;

	/* By hand nothing is due: look again soon whether the time is over. */
	switch (terminal_wait(due                           ? (int64_t)(watch->next - now)
			      : watch->options->fixed_clock ? (int64_t)CHOOSER_INTERVAL_NS
							    : 0)) {
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

/* How long until the next sample. */
static uint64_t interval(const struct watch *watch)
{
	if (watch->choosing)
		return watch->options->interval_ns > CHOOSER_INTERVAL_NS
			       ? watch->options->interval_ns
			       : CHOOSER_INTERVAL_NS;
	return shm_panel_interval(&watch->panel);
}

/* A test's clock stands still but for the key that looks. */
static bool sample_is_due(const struct watch *watch, uint64_t real)
{
	if (!watch->options->fixed_clock || watch->choosing || !watch->frame)
		return real >= watch->next;
	return watch->panel.look;
}

static void run(struct watch *watch)
{
	const struct shm_watch_options *options = watch->options;

	while (!watch->over) {
		uint64_t real = shm_watch_monotonic();

		if (sample_is_due(watch, real)) {
			watch->frame++;
			take_sample(watch, shm_watch_now(options, watch->frame));
			watch->next = real + interval(watch);
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
	screen.mouse = options->mouse;
	if (screen_open(&screen) != 0)
		return -1;
	memset(&watch, 0, sizeof(watch));
	watch.options = options;
	watch.has_list = chosen < 0;
	watch.choosing = true;
	watch.next = shm_watch_monotonic();
	watch.end = options->timeout_ns ? watch.next + options->timeout_ns : 0;
	if (shm_chooser_init(&watch.chooser, views, view_count) != 0)
		finish(&watch, RC_FAILED);
	else if (chosen >= 0)
		open_panel(&watch, (size_t)chosen);
	else
		fit(&watch);
	run(&watch);
	screen_close();
	if (!watch.choosing)
		shm_panel_free(&watch.panel);
	shm_chooser_free(&watch.chooser);
	grid_free(&watch.base);
	grid_free(&watch.overlay);
	if (watch.code == RC_TIMEOUT)
		out_error(RC_TIMEOUT, NULL, "shm watch: the time is over%s",
			  options->until ? " and the condition never held" : "");
	return watch.code;
}
