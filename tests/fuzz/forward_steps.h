/* SPDX-License-Identifier: MIT */
/*
 * forward_steps.h - a hostile guest from a string of bytes: what it writes into the region, and when the server looks. For the
 * fuzzer and for the unit test with random bytes. After each step the server's own state must hold.
 */
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <avisor/region.h>
#include "serve/confine.h"
#include "serve/server.h"

#define STEPS_SIZE AV_FORWARD_SIZE_MIN
#define STEPS_VMS 4

static struct {
	char top[64];
	int root;
	void *region; /* as large as it has to be: a step beyond is seen */
	struct server server;
	uint64_t words[STEPS_VMS];
	uint64_t calls;
} steps;

struct steps_input {
	const uint8_t *bytes;
	size_t left;
};

static uint64_t steps_take(struct steps_input *input, size_t size)
{
	uint64_t value = 0;

	size = size < input->left ? size : input->left;
	memcpy(&value, input->bytes, size);
	input->bytes += size;
	input->left -= size;
	return value;
}

static uint64_t steps_member(void *to, unsigned int vm)
{
	(void)to;
	return vm < STEPS_VMS ? steps.words[vm] : 0;
}

static void steps_note(void *to, const struct server_note *note)
{
	(void)to;
	if (note->event == SERVER_CALLED) {
		steps.calls++;
		/* What is not negative is what a guest can make sense of. */
		if (note->result > (int64_t)INT32_MAX && note->request->call != AV_FORWARD_SEEK)
			abort();
		if (note->result > (int64_t)steps.server.buffer_size &&
		    (note->request->call == AV_FORWARD_READ ||
		     note->request->call == AV_FORWARD_WRITE))
			abort();
	}
}

/* A folder with a file, a FIFO that this process keeps open, and a link out to a secret. Once. */
static void steps_begin(void)
{
	struct rlimit limit = {1 << 20, 1 << 20};
	char name[128];
	int fd;

	snprintf(steps.top, sizeof(steps.top), "/tmp/avisor-steps.XXXXXX");
	if (!mkdtemp(steps.top))
		abort();
	snprintf(name, sizeof(name), "%s/secret", steps.top);
	fd = open(name, O_WRONLY | O_CREAT, 0600);
	if (write(fd, "SECRET", 6) != 6)
		abort();
	close(fd);
	snprintf(name, sizeof(name), "%s/root", steps.top);
	mkdir(name, 0700);
	steps.root = confine_root(name);
	if (mkfifoat(steps.root, "fifo", 0600) || symlinkat("../secret", steps.root, "out"))
		abort();
	if (openat(steps.root, "fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC) < 0)
		abort();
	setrlimit(RLIMIT_FSIZE, &limit);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	steps.region = aligned_alloc(64, STEPS_SIZE);
	memset(steps.region, 0, STEPS_SIZE);
}

/* Nothing outside changed, and nothing is open. */
static void steps_end(void)
{
	char text[16] = "", name[128];
	int fd;

	snprintf(name, sizeof(name), "%s/secret", steps.top);
	fd = open(name, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) != 6 || strcmp(text, "SECRET") != 0)
		abort();
	close(fd);
	snprintf(name, sizeof(name), "rm -rf %s", steps.top);
	if (system(name) != 0)
		abort();
	free(steps.region);
}

static void steps_submit(struct steps_input *input)
{
	static const char *const paths[] = {"file",      "sub",   "fifo", "out",
					    "../secret", "sub/x", ".",    ""};
	unsigned int number = (unsigned int)steps_take(input, 1), at = number >> 2 & 7;
	struct av_forward_slot *slot = av_forward_slot(steps.region, number & 3);
	struct av_forward_entry *entry = &slot->entries[at];
	const char *path = paths[steps_take(input, 1) & 7];
	const struct files *files = &steps.server.sessions[number & 3].files;
	uint32_t odd = (uint32_t)steps_take(input, 1);

	entry->call = (uint32_t)steps_take(input, 1) % (AV_FORWARD_CALL_COUNT + 1);
	entry->handle = odd & 1 ? (uint32_t)steps_take(input, 4) : files->list[odd >> 4].handle;
	entry->flags = (uint32_t)steps_take(input, odd & 2 ? 4 : 1);
	entry->mode = odd & 4 ? (uint32_t)steps_take(input, 4) : 0;
	entry->offset = odd & 8 ? (int64_t)steps_take(input, 8) : AV_FORWARD_HERE;
	entry->length = odd & 2 ? steps_take(input, 8) : strlen(path);
	memcpy(av_forward_buffer(steps.region, steps.server.buffer_size, number & 3, at), path,
	       strlen(path));
	entry->state = AV_FORWARD_STATE(slot->serial, AV_FORWARD_SUBMITTED);
	slot->ring[slot->tail % AV_FORWARD_ENTRIES] = at + 1;
	slot->tail++;
}

static void steps_check(void)
{
	for (unsigned int i = 0; i < AV_FORWARD_SLOTS; i++) {
		const struct session *session = &steps.server.sessions[i];

		if (files_count(&session->files) && !session->owner)
			abort();
		for (unsigned int entry = 0; entry < AV_FORWARD_ENTRIES; entry++)
			if (session->waiting[entry].used != session->slot.busy[entry])
				abort();
	}
}

static void steps_one(struct steps_input *input)
{
	uint64_t *words = steps.region;
	unsigned int what = (unsigned int)steps_take(input, 1), slot;
	size_t at;

	switch (what % 16) {
	case 0: /* any word of what is not a buffer */
		at = steps_take(input, 2) % (AV_FORWARD_BUFFERS_AT / 8);
		words[at] = steps_take(input, 8);
		break;
	case 1:
	case 2:
		slot = what >> 4 & 3;
		av_forward_slot(steps.region, slot)->owner =
			AV_FORWARD_OWNER(what >> 6, 7, what & 1 ? 1 : steps_take(input, 1) & 3);
		break;
	case 3:
		server_beat(&steps.server);
		break;
	case 4:
		steps.words[what >> 4 & 3] ^= what & 0x80 ? 1 << 8 : 4;
		break;
	case 5:
		av_forward_slot(steps.region, what >> 4 & 3)->tail +=
			what & 0xc0 ? 1 : (uint32_t)steps_take(input, 4);
		break;
	case 6:
	case 7:
		server_round(&steps.server);
		break;
	default:
		steps_submit(input);
		if (what & 0x10)
			server_round(&steps.server);
	}
	steps_check();
}

static void steps_run(const uint8_t *bytes, size_t size)
{
	struct server_host host = {.member = steps_member, .note = steps_note};
	struct steps_input input = {bytes, size};

	for (unsigned int i = 0; i < STEPS_VMS; i++)
		steps.words[i] = 7 << 8 | AV_MEMBER_RUNNING;
	if (!server_begin(&steps.server, steps.region, STEPS_SIZE, steps.root, false, 0xf, &host))
		abort();
	while (input.left)
		steps_one(&input);
	server_round(&steps.server);
	steps_check();
	server_end(&steps.server);
}
