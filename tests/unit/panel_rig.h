/* SPDX-License-Identifier: MIT */
/* panel_rig.h - a watch panel over a temporary file, and what it draws as text. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tui/screen.h"
#include "tui/shm_chooser.h"
#include "tui/shm_panel.h"

#define SECOND 1000000000ull
#define BYTES 5   /* the first row of bytes at 80x24 */
#define STATUS 22 /* the line of values, prompts and messages */

static struct set_field fields[] = {
	{.name = (char *)"message", .at = 0, .length = 64, .type = SET_FIELD_STRING},
	{.name = (char *)"head", .at = 0x100, .length = 4, .type = SET_FIELD_U32},
};
static struct set_vm vms[] = {{.name = (char *)"vm1"}, {.name = (char *)"vm2"}};
static struct set_member members[] = {{.vm = 0}, {.vm = 1, .write = true}};
static struct set_region region = {
	.name = (char *)"board",
	.address = 0x70000000,
	.size = 65536,
	.members = members,
	.member_count = 2,
	.fields = fields,
	.field_count = 2,
};
static struct set set = {
	.name = (char *)"duo", .vms = vms, .vm_count = 2, .regions = &region, .region_count = 1};

struct bench {
	char path[32]; /* kept: a file without a name means that the set has ended */
	struct shm_view view;
	struct shm_panel panel;
	struct grid grid;
	char line[256];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	strcpy(b->path, "/tmp/test_tui.XXXXXX");
	b->view = (struct shm_view){
		.set = &set, .region = &region, .ram_fd = mkstemp(b->path), .offset = 0};
	if (ftruncate(b->view.ram_fd, 65536) != 0 || pwrite(b->view.ram_fd, "Ciallo!", 7, 0) != 7)
		return -1;
	if (shm_panel_init(&b->panel, &b->view, SECOND / 10) != 0)
		return -1;
	shm_panel_resize(&b->panel, 80, 24);
	shm_panel_sample(&b->panel, SECOND);
	*state = b;
	return grid_resize(&b->grid, 80, 24);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	shm_panel_free(&b->panel);
	grid_free(&b->grid);
	close(b->view.ram_fd);
	unlink(b->path);
	free(b);
	return 0;
}

static void put(struct bench *b, const char *text, size_t length, uint64_t at)
{
	assert_int_equal(pwrite(b->view.ram_fd, text, length, (off_t)at), length);
}

/* The drawn row y at time now. */
static const char *row(struct bench *b, int y, uint64_t now)
{
	shm_panel_draw(&b->panel, &b->grid, now);
	grid_row(&b->grid, y, b->line);
	return b->line;
}

static unsigned style(struct bench *b, int x, int y)
{
	return b->grid.cells[y * b->grid.width + x].style;
}

#define PANEL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
