/* SPDX-License-Identifier: MIT */
/*
 * forward.h - files of the host, by way of `avctl serve` and a shared region (abi/avisor/forward.h, docs/serve.md).
 *
 * A session belongs to one VM and ends with it: after a restore, a restart or the end of the server all calls answer
 * AV_FORWARD_E_GONE until forward_connect() is called again; handles and requests of before are void.
 * Results below 0 are AV_FORWARD_E_*.
 *
 * The calls that wait look again and again, `pause` in between, as long as the server's heart beats.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <avisor/forward.h>

/* What a session needs of the place it runs in: forward_here() of a guest. */
struct forward_place {
	uint64_t (*generation)(void); /* grows at each restore and restart */
	uint64_t (*counter)(void);
	uint64_t (*hz)(void);
	/* A little while, so that others can run; looks: how often this wait has looked in vain so far. */
	void (*pause)(unsigned int looks);
	uint32_t vm; /* own index */
};

struct forward {
	void *region;
	struct av_forward_header *header;
	struct av_forward_slot *slot;
	unsigned int slot_number;
	uint32_t buffer_size;
	uint64_t epoch, serial, owner;
	uint64_t heartbeat, heartbeat_at; /* the last one seen, and when by the counter */
	bool lost;
	struct forward_place place;
};

/*
 * One call while it is on its way. The caller keeps it; what it points to too, until it is finished.
 */
struct forward_request {
	uint32_t call, handle, flags, mode;
	int64_t offset;
	uint64_t length;
	const void *out; /* length bytes that go into the buffer, or NULL */
	void *in;        /* takes in_size bytes of the answer, or NULL */
	size_t in_size;
	/* the library's */
	unsigned int entry;
	uint64_t serial;
};

/* forward_guest.c: the place that a bare-metal guest is. False without the hypervisor. */
bool forward_here(struct forward_place *place);

/* The same file: where the region of that name is. False: this VM is no member of one. */
bool forward_find(const char *name, void **region, uint64_t *size);

/*
 * A slot of the region at `region`, of size bytes. *forward was all zero before its first use, but for its place. A session it
 * had is over. Waits up to AV_FORWARD_GONE_MS for a server. 0, or GONE (there is none), DENIED (it does not serve this VM), BUSY
 * (all slots are taken), INVALID (the region has another size, or is too small).
 */
int forward_connect(struct forward *forward, void *region, uint64_t size);

/* Gives the slot back; the server closes what is open. */
void forward_disconnect(struct forward *forward);

/* Whether the session still is one; else it has to connect again. */
bool forward_alive(struct forward *forward);

/* ---- several calls at once ---- */

/* Send it off, if there is a free entry. 0, AGAIN (all are in use), GONE, INVALID. */
int forward_try(struct forward *forward, struct forward_request *request);

/* Send it off; waits for a free entry. 0, GONE, INVALID. */
int forward_start(struct forward *forward, struct forward_request *request);

/* Whether forward_finish() would not wait. */
bool forward_ready(struct forward *forward, const struct forward_request *request);

/* Wait for it and take the answer: its result, or GONE. */
int64_t forward_finish(struct forward *forward, struct forward_request *request);

/* ---- one after the other: forward_start() and forward_finish() ---- */

int64_t forward_open(struct forward *forward, const char *path, uint32_t flags, uint32_t mode);
int64_t forward_close(struct forward *forward, int64_t handle);
/* From the file's position on; as much as fits into one buffer at most. */
int64_t forward_read(struct forward *forward, int64_t handle, void *data, size_t size);
int64_t forward_write(struct forward *forward, int64_t handle, const void *data, size_t size);
int64_t forward_pread(struct forward *forward, int64_t handle, void *data, size_t size,
		      uint64_t offset);
int64_t forward_pwrite(struct forward *forward, int64_t handle, const void *data, size_t size,
		       uint64_t offset);
/* In as many calls as it takes: size, or less at the end of the file, or the error. */
int64_t forward_read_all(struct forward *forward, int64_t handle, void *data, size_t size);
int64_t forward_write_all(struct forward *forward, int64_t handle, const void *data, size_t size);
int64_t forward_seek(struct forward *forward, int64_t handle, int64_t offset, uint32_t from);
int64_t forward_stat(struct forward *forward, const char *path, struct av_forward_stat *stat);
int64_t forward_fstat(struct forward *forward, int64_t handle, struct av_forward_stat *stat);
int64_t forward_unlink(struct forward *forward, const char *path);
int64_t forward_rmdir(struct forward *forward, const char *path);
int64_t forward_mkdir(struct forward *forward, const char *path, uint32_t mode);
/* Records as AV_FORWARD_READDIR has them; size >= 512. */
int64_t forward_readdir(struct forward *forward, int64_t handle, void *records, size_t size);

/* "NOT_FOUND"; "OK" for what is not negative. */
const char *forward_error_name(int64_t result);
