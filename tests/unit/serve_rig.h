/* SPDX-License-Identifier: MIT */
/*
 * serve_rig.h - a region in plain memory, a server on it, and clients that are the guests' library. No threads: while a
 * client waits, the server has its turn, and a fake clock goes on.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <avisor/region.h>
#include "baremetal/forward.h"
#include "serve/confine.h"
#include "serve/server.h"

#define RIG_SIZE 65536u
#define RIG_HZ 1000000u
#define RIG_VMS 8

static struct {
	char top[32];
	int root;
	_Alignas(64) unsigned char region[RIG_SIZE];
	struct server server;
	bool serving, frozen;
	uint64_t now, beat_at; /* microseconds */
	uint64_t words[RIG_VMS];
	unsigned int vm; /* whose library is running */
	unsigned int came, left, called;
	char why[64]; /* the last one left */
} rig;

static uint64_t rig_member(void *to, unsigned int vm)
{
	(void)to;
	return vm < RIG_VMS ? rig.words[vm] : 0;
}

static void rig_note(void *to, const struct server_note *note)
{
	(void)to;
	rig.came += note->event == SERVER_CAME;
	rig.called += note->event == SERVER_CALLED;
	if (note->event == SERVER_LEFT) {
		rig.left++;
		snprintf(rig.why, sizeof(rig.why), "%s", note->text);
	}
}

/* A turn of the server. */
static void rig_turn(void)
{
	rig.now += 1000;
	if (!rig.serving || rig.frozen)
		return;
	if (rig.now >= rig.beat_at) {
		server_beat(&rig.server);
		rig.beat_at = rig.now + 100000;
	}
	server_round(&rig.server);
}

static void rig_pause(unsigned int looks)
{
	(void)looks;
	rig_turn();
}

static uint64_t rig_counter(void)
{
	return rig.now++;
}

static uint64_t rig_hz(void)
{
	return RIG_HZ;
}

#define RIG_GENERATION(n)                                  \
	static uint64_t rig_generation_##n(void)           \
	{                                                  \
		return av_member_generation(rig.words[n]); \
	}                                                  \
	_Static_assert(n < RIG_VMS, "a VM of the rig")
RIG_GENERATION(1);
RIG_GENERATION(2);
RIG_GENERATION(3);
RIG_GENERATION(4);
RIG_GENERATION(5);

/* A client in VM 1 to 5. */
static inline void rig_client(struct forward *forward, unsigned int vm)
{
	static uint64_t (*const generations[])(void) = {NULL,
							rig_generation_1,
							rig_generation_2,
							rig_generation_3,
							rig_generation_4,
							rig_generation_5};

	memset(forward, 0, sizeof(*forward));
	forward->place = (struct forward_place){
		.generation = generations[vm],
		.counter = rig_counter,
		.hz = rig_hz,
		.pause = rig_pause,
		.vm = vm,
	};
}

static inline int rig_connect(struct forward *forward)
{
	return forward_connect(forward, rig.region, RIG_SIZE);
}

static inline void rig_serve(uint64_t served, bool read_only)
{
	struct server_host host = {.member = rig_member, .note = rig_note};

	if (!server_begin(&rig.server, rig.region, RIG_SIZE, rig.root, read_only, served, &host))
		abort();
	rig.serving = true;
	rig.frozen = false;
	rig.beat_at = 0;
}

static inline void rig_stop(void)
{
	if (rig.serving)
		server_end(&rig.server);
	rig.serving = false;
}

/* As kill -9 does it: nothing is said to anybody. */
static inline void rig_kill(void)
{
	for (unsigned int i = 0; i < AV_FORWARD_SLOTS; i++)
		files_close(&rig.server.sessions[i].files);
	rig.serving = false;
}

/* All VMs run in generation 7; a folder with a file, a FIFO and a link out, a secret beside it. */
static inline int rig_begin(void)
{
	char name[64];
	int fd;

	snprintf(rig.top, sizeof(rig.top), "/tmp/avisor-serve.XXXXXX");
	if (!mkdtemp(rig.top))
		return -1;
	snprintf(name, sizeof(name), "%s/secret", rig.top);
	fd = open(name, O_WRONLY | O_CREAT, 0600);
	if (write(fd, "SECRET", 6) != 6)
		return -1;
	close(fd);
	snprintf(name, sizeof(name), "%s/root", rig.top);
	mkdir(name, 0700);
	rig.root = confine_root(name);
	if (mkfifoat(rig.root, "fifo", 0600) || symlinkat("../secret", rig.root, "out"))
		return -1;
	fd = openat(rig.root, "host", O_WRONLY | O_CREAT, 0600);
	if (write(fd, "from the host", 13) != 13)
		return -1;
	close(fd);
	for (unsigned int i = 0; i < RIG_VMS; i++)
		rig.words[i] = 7 << 8 | AV_MEMBER_RUNNING;
	return 0;
}

static inline void rig_end(void)
{
	char command[64];

	rig_stop();
	close(rig.root);
	snprintf(command, sizeof(command), "rm -rf %s", rig.top);
	if (system(command) != 0)
		abort();
}

/* Descriptors this process has. */
static inline unsigned int rig_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (directory && readdir(directory))
		count++;
	closedir(directory);
	return count;
}

#define READ AV_FORWARD_O_READ
#define WRITE AV_FORWARD_O_WRITE
#define CREATE AV_FORWARD_O_CREATE
#define ALL 0x3e /* VMs 1 to 5 */

static inline int set_up(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	if (rig_begin())
		return -1;
	rig_serve(ALL, false);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	rig_end();
	return 0;
}

static inline void connect_as(struct forward *forward, unsigned int vm)
{
	rig_client(forward, vm);
	assert_int_equal(rig_connect(forward), 0);
}
