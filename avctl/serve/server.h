/* SPDX-License-Identifier: MIT */
/*
 * server.h - serves the clients of one region: who they are, what they have open, whose turn it is.
 *
 * One thread, which never waits for a file: a call that cannot go on is kept and tried again.
 */
#pragma once
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "serve/files.h"
#include "serve/slot.h"

#define SERVER_BEAT_NS 100000000u
#define SERVER_WAIT_MAX (AV_FORWARD_SLOTS * AV_FORWARD_ENTRIES)

enum server_event {
	SERVER_CAME,   /* a client; path is empty */
	SERVER_LEFT,   /* text says why */
	SERVER_CALLED, /* request, path, result */
};

struct server_note {
	enum server_event event;
	unsigned int vm;   /* index */
	unsigned int slot; /* < AV_FORWARD_SLOTS */
	const char *text;  /* why it left, or the path of the call */
	const struct request *request;
	int64_t result;
};

struct server_host {
	/* A VM's word of the state table (region.h): generation << 8 | AV_MEMBER_*; 0: no member. */
	uint64_t (*member)(void *to, unsigned int vm);
	/* May be NULL. */
	void (*note)(void *to, const struct server_note *note);
	void *to;
};

struct session {
	struct slot slot;
	uint64_t owner;       /* of the session that is open, or LOST; 0: none */
	unsigned int last_vm; /* whose it was before, + 1 */
	struct files files;
	struct waiting {
		bool used;
		struct request request;
		struct wait_for wait;
	} waiting[AV_FORWARD_ENTRIES]; /* by entry */
	uint64_t calls;
};

struct server {
	void *region;
	struct av_forward_header *header;
	uint32_t buffer_size;
	uint64_t served, epoch, heartbeat;
	int root;
	bool read_only;
	struct server_host host;
	struct session sessions[AV_FORWARD_SLOTS];
	unsigned int first; /* whose turn it is */
	uint64_t calls, refused;
};

/*
 * Begin to serve: region is size bytes of shared memory, root the folder, served a bit for each VM index. What an earlier
 * server left there is cleared. False: the region is too small.
 */
bool server_begin(struct server *server, void *region, size_t size, int root, bool read_only,
		  uint64_t served, const struct server_host *host);

/* Tell the guests that nobody serves any more, and close everything. */
void server_end(struct server *server);

/* Once in SERVER_BEAT_NS: the heartbeat, and a look at who is still there. */
void server_beat(struct server *server);

/* Take what is there, a few calls of each client. True when there was something: call it again soon. */
bool server_round(struct server *server);

/* The descriptors that waiting calls need; how many of list, at most SERVER_WAIT_MAX, are filled in. */
size_t server_waits(const struct server *server, struct pollfd *list);

unsigned int server_client_count(const struct server *server);
