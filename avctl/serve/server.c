/* SPDX-License-Identifier: MIT */
/*
 * server.c - who may come, who is gone, and a fair turn for each.
 * Trusts nothing in the region, not even what it wrote there itself: what counts is kept in struct server.
 */
#include "serve/server.h"

#include <string.h>
#include <avisor/region.h>

/* Calls of one client before the next one has its turn. */
#define TURN 4

static void note(const struct server *server, const struct session *session,
		 enum server_event event, const char *text, const struct request *request,
		 int64_t result)
{
	struct server_note it = {
		.event = event,
		.vm = AV_FORWARD_OWNER_VM(session->owner),
		.slot = (unsigned int)(session - server->sessions),
		.text = text,
		.request = request,
		.result = result,
	};

	if (server->host.note)
		server->host.note(server->host.to, &it);
}

/* The VM of an owner word lives, in that generation, and may be served. */
static bool owner_lives(const struct server *server, uint64_t owner)
{
	unsigned int vm = AV_FORWARD_OWNER_VM(owner);
	uint64_t word;

	if (vm >= 64 || !(server->served >> vm & 1))
		return false;
	word = server->host.member(server->host.to, vm);
	return av_member_lives(word) && (av_member_generation(word) & AV_FORWARD_GENERATION_MASK) ==
						AV_FORWARD_OWNER_GENERATION(owner);
}

static void fill_header(struct server *server)
{
	struct av_forward_header *header = server->header;

	header->magic = AV_FORWARD_MAGIC;
	header->version = AV_FORWARD_VERSION;
	header->slot_count = AV_FORWARD_SLOTS;
	header->entry_count = AV_FORWARD_ENTRIES;
	header->buffer_size = server->buffer_size;
	header->flags = server->read_only ? AV_FORWARD_READ_ONLY : 0;
	header->served = server->served;
	__atomic_store_n(&header->epoch, server->epoch, __ATOMIC_RELEASE);
	__atomic_store_n(&header->heartbeat, ++server->heartbeat, __ATOMIC_RELEASE);
}

bool server_begin(struct server *server, void *region, size_t size, int root, bool read_only,
		  uint64_t served, const struct server_host *host)
{
	memset(server, 0, sizeof(*server));
	server->region = region;
	server->header = region;
	server->buffer_size = av_forward_buffer_size(size);
	server->root = root;
	server->read_only = read_only;
	server->served = served;
	server->host = *host;
	if (server->buffer_size == 0)
		return false;
	/* 0 says that nobody serves. Any other number than the last will do. */
	server->epoch = server->header->epoch + 1;
	server->epoch += server->epoch == 0;
	server->heartbeat = server->header->heartbeat;
	__atomic_store_n(&server->header->epoch, 0, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < AV_FORWARD_SLOTS; i++) {
		struct session *session = &server->sessions[i];
		uint64_t owner;

		session->slot.shared = av_forward_slot(region, i);
		session->slot.serial = session->slot.shared->serial & (UINT64_MAX >> 8);
		owner = slot_owner(&session->slot);
		/* Its guest may be about to write there: nobody else gets the slot while it lives. */
		if (AV_FORWARD_OWNER_STATE(owner) != AV_FORWARD_SLOT_FREE &&
		    owner_lives(server, owner))
			owner = (owner & ~0xffull) | AV_FORWARD_SLOT_LOST;
		else
			owner = 0;
		session->last_vm = owner ? AV_FORWARD_OWNER_VM(owner) + 1 : 0;
		slot_reset(&session->slot, session->last_vm, owner);
		session->owner = owner;
		files_init(&session->files, root, read_only);
	}
	fill_header(server);
	return true;
}

static void give_up(struct server *server, struct session *session, const char *why)
{
	uint64_t owner = session->owner;
	bool was_open = AV_FORWARD_OWNER_STATE(owner) == AV_FORWARD_SLOT_OWNED;

	files_close(&session->files);
	memset(session->waiting, 0, sizeof(session->waiting));
	if (was_open)
		note(server, session, SERVER_LEFT, why, NULL, 0);
	if (owner)
		session->last_vm = AV_FORWARD_OWNER_VM(owner) + 1;
	session->owner = 0;
	session->calls = 0;
	slot_reset(&session->slot, session->last_vm, 0);
}

void server_end(struct server *server)
{
	for (unsigned int i = 0; i < AV_FORWARD_SLOTS; i++)
		files_close(&server->sessions[i].files);
	__atomic_store_n(&server->header->epoch, 0, __ATOMIC_RELEASE);
}

/* Whether the session is open after a look at its owner word. */
static bool look_at_owner(struct server *server, struct session *session)
{
	uint64_t owner = slot_owner(&session->slot);
	unsigned int state = AV_FORWARD_OWNER_STATE(owner);

	if (owner == session->owner)
		return state == AV_FORWARD_SLOT_OWNED;
	if (AV_FORWARD_OWNER_STATE(session->owner) == AV_FORWARD_SLOT_OWNED) {
		give_up(server, session,
			owner >> 8 == session->owner >> 8 && state == AV_FORWARD_SLOT_LEAVING
				? "left"
				: "overwritten");
		return false;
	}
	/* Nobody's, or lost: a client may have taken it. */
	if (state != AV_FORWARD_SLOT_OWNED || !owner_lives(server, owner)) {
		give_up(server, session, "refused");
		return false;
	}
	session->owner = owner;
	note(server, session, SERVER_CAME, "", NULL, 0);
	return true;
}

void server_beat(struct server *server)
{
	fill_header(server);
	for (unsigned int i = 0; i < AV_FORWARD_SLOTS; i++) {
		struct session *session = &server->sessions[i];

		look_at_owner(server, session);
		if (session->owner && !owner_lives(server, session->owner))
			give_up(server, session, "restarted, restored or ended");
	}
}

static void finish(struct server *server, struct session *session, const struct request *request,
		   const char *path, int64_t result)
{
	session->calls++;
	server->calls++;
	slot_done(&session->slot, request->entry, result);
	note(server, session, SERVER_CALLED, path, request, result);
}

/* The file is closed: its descriptor's number may soon mean another one. */
static void cancel(struct server *server, struct session *session, uint32_t handle)
{
	for (unsigned int i = 0; i < AV_FORWARD_ENTRIES; i++) {
		struct waiting *waiting = &session->waiting[i];

		if (!waiting->used || waiting->request.handle != handle)
			continue;
		waiting->used = false;
		finish(server, session, &waiting->request, "", AV_FORWARD_E_CANCELLED);
	}
}

static void do_call(struct server *server, struct session *session, const struct request *request)
{
	unsigned int number = (unsigned int)(session - server->sessions);
	struct waiting *waiting = &session->waiting[request->entry];
	char path[AV_FORWARD_PATH_MAX + 1];
	int64_t result;

	result = files_call(
		&session->files, request,
		av_forward_buffer(server->region, server->buffer_size, number, request->entry),
		server->buffer_size, path, &waiting->wait);
	if (result == FILES_WAIT) {
		waiting->used = true;
		if (request != &waiting->request)
			waiting->request = *request;
		return;
	}
	waiting->used = false;
	finish(server, session, request, path, result);
	if (request->call == AV_FORWARD_CLOSE && result == 0)
		cancel(server, session, request->handle);
}

/* Try what waits again. True when something went on. */
static bool try_waiting(struct server *server, struct session *session)
{
	bool any = false;

	for (unsigned int i = 0; i < AV_FORWARD_ENTRIES; i++) {
		struct waiting *waiting = &session->waiting[i];
		struct pollfd poll_fd = {.fd = waiting->wait.fd, .events = waiting->wait.events};

		if (!waiting->used || poll(&poll_fd, 1, 0) == 0)
			continue;
		do_call(server, session, &waiting->request);
		any = any || !waiting->used;
	}
	return any;
}

static bool serve_session(struct server *server, struct session *session)
{
	struct request request;
	bool any = false;

	if (!look_at_owner(server, session))
		return false;
	any = try_waiting(server, session);
	for (int i = 0; i < TURN && slot_pending(&session->slot); i++) {
		/* What it wrote before it went back in time is another session's. */
		if (!owner_lives(server, session->owner)) {
			give_up(server, session, "restarted, restored or ended");
			return true;
		}
		switch (slot_take(&session->slot, &request)) {
		case SLOT_NOTHING:
			return any;
		case SLOT_BROKEN:
			give_up(server, session, "broke the protocol");
			return true;
		case SLOT_IGNORED:
			server->refused++;
			break;
		case SLOT_REQUEST:
			do_call(server, session, &request);
			break;
		}
		any = true;
	}
	return any;
}

bool server_round(struct server *server)
{
	bool any = false;

	for (unsigned int i = 0; i < AV_FORWARD_SLOTS; i++)
		any = serve_session(server,
				    &server->sessions[(server->first + i) % AV_FORWARD_SLOTS]) ||
		      any;
	server->first = (server->first + 1) % AV_FORWARD_SLOTS;
	return any;
}

size_t server_waits(const struct server *server, struct pollfd *list)
{
	size_t count = 0;

	for (unsigned int i = 0; i < AV_FORWARD_SLOTS; i++) {
		const struct session *session = &server->sessions[i];

		for (unsigned int entry = 0; entry < AV_FORWARD_ENTRIES; entry++)
			if (session->waiting[entry].used)
				list[count++] = (struct pollfd){
					.fd = session->waiting[entry].wait.fd,
					.events = session->waiting[entry].wait.events,
				};
	}
	return count;
}

unsigned int server_client_count(const struct server *server)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < AV_FORWARD_SLOTS; i++)
		count += AV_FORWARD_OWNER_STATE(server->sessions[i].owner) == AV_FORWARD_SLOT_OWNED;
	return count;
}
