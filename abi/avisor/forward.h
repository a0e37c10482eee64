/* SPDX-License-Identifier: MIT */
/*
 * forward.h - file calls of bare-metal guests, carried to a server on the host through a shared region.
 *
 * The whole region belongs to it. All members of the region trust each other: what separates VMs is a region each.
 * Little-endian, naturally aligned. How it works, step by step: docs/serve.md.
 *
 *	0		struct av_forward_header	written by the server alone
 *	128		AV_FORWARD_SLOTS x struct av_forward_slot
 *	4096		buffers: slot 0's AV_FORWARD_ENTRIES, slot 1's, ...; av_forward_buffer_size() bytes each
 *
 * A slot is one client. A client takes a FREE slot by a compare-and-swap of its owner word; nobody else ever writes
 * in it until it is free again. Its serial grows each time the server gives the slot up: whatever carries an older
 * serial is of a session that is over.
 *
 * An entry's life, each step one write of its state word (serial << 8 | state):
 *
 *	FREE -> CLAIMED		client, compare-and-swap; then it fills in the entry and its buffer
 *	CLAIMED -> SUBMITTED	client, release; then it puts the entry's number + 1 in the next place of ring
 *	SUBMITTED -> TAKEN	server, which clears the place in ring; from here on the entry is the server's
 *	TAKEN -> DONE		server, release: result and buffer are there. In any order: a read that waits holds up nobody
 *	DONE -> FREE		client, when it has taken them
 *
 * No entry FREE: the client waits, or does without. The ring has a place for each entry, so it never overflows.
 */
#pragma once

#define AV_FORWARD_MAGIC 0x44574656 /* "VFWD" */
#define AV_FORWARD_VERSION 1
#define AV_FORWARD_SLOTS 4
#define AV_FORWARD_ENTRIES 8 /* in flight at once, of one client */
#define AV_FORWARD_SLOTS_AT 128
#define AV_FORWARD_BUFFERS_AT 4096
#define AV_FORWARD_BUFFER_MIN 512
#define AV_FORWARD_BUFFER_MAX 65536
#define AV_FORWARD_SIZE_MIN \
	(AV_FORWARD_BUFFERS_AT + AV_FORWARD_SLOTS * AV_FORWARD_ENTRIES * AV_FORWARD_BUFFER_MIN)

/* Limits of one client. */
#define AV_FORWARD_PATH_MAX 1023 /* bytes */
#define AV_FORWARD_OPEN_MAX 32   /* open files */

/* The server is gone when its heartbeat stands still for so long (it beats ten times a second). */
#define AV_FORWARD_GONE_MS 2000

/* Slot states: the low byte of an owner word. The rest: VM index << 8 | generation << 16 (48 bits of it). */
#define AV_FORWARD_SLOT_FREE 0  /* the whole word is 0 */
#define AV_FORWARD_SLOT_OWNED 1 /* set by the client */
#define AV_FORWARD_SLOT_LEAVING \
	2 /* set by the client: the server closes its files and frees the slot */
#define AV_FORWARD_SLOT_LOST 3 /* set by a new server: kept for that VM, which may take it again */

/* Entry states. */
#define AV_FORWARD_FREE 0
#define AV_FORWARD_CLAIMED 1
#define AV_FORWARD_SUBMITTED 2
#define AV_FORWARD_TAKEN 3
#define AV_FORWARD_DONE 4

/*
 * Calls. "path" is length bytes in the buffer, relative to the server's root, without a NUL; "-> x" is a result that is not
 * negative. What is not named is 0. length never exceeds the buffer's size.
 */
#define AV_FORWARD_NOP 0 /* -> 0 */
#define AV_FORWARD_OPEN \
	1 /* path, flags AV_FORWARD_O_*, mode (of a file that is made: 9 bits) -> handle, > 0 */
#define AV_FORWARD_CLOSE 2 /* handle -> 0. Calls on it that still wait end with CANCELLED */
#define AV_FORWARD_READ \
	3 /* handle, length, offset or AV_FORWARD_HERE -> bytes in the buffer, 0 at the end */
#define AV_FORWARD_WRITE 4  /* handle, length, offset or AV_FORWARD_HERE -> bytes written */
#define AV_FORWARD_SEEK 5   /* handle, offset, flags AV_FORWARD_FROM_* -> new position */
#define AV_FORWARD_STAT 6   /* path -> 64, struct av_forward_stat in the buffer */
#define AV_FORWARD_FSTAT 7  /* handle -> the same */
#define AV_FORWARD_UNLINK 8 /* path, flags 0 or AV_FORWARD_O_DIRECTORY (an empty folder) -> 0 */
#define AV_FORWARD_MKDIR 9  /* path, mode -> 0 */
#define AV_FORWARD_READDIR \
	10 /* handle, length >= 512 -> bytes in the buffer, 0 at the end: records of one byte
			       * AV_FORWARD_TYPE_*, the name, a NUL; only whole ones; never "." and ".." */
#define AV_FORWARD_CALL_COUNT 11

#define AV_FORWARD_HERE (-1ll) /* offset: the file's own position, which moves on */

#define AV_FORWARD_O_READ 0x1
#define AV_FORWARD_O_WRITE 0x2
#define AV_FORWARD_O_CREATE 0x4
#define AV_FORWARD_O_EXCLUSIVE 0x8 /* with CREATE: it must not be there */
#define AV_FORWARD_O_TRUNCATE 0x10
#define AV_FORWARD_O_APPEND 0x20
#define AV_FORWARD_O_DIRECTORY 0x40 /* a folder, for READDIR; with READ only */
#define AV_FORWARD_O_NONBLOCK 0x80  /* a FIFO with nothing in it: AGAIN instead of waiting */
#define AV_FORWARD_O_ALL 0xff

#define AV_FORWARD_FROM_START 0
#define AV_FORWARD_FROM_HERE 1
#define AV_FORWARD_FROM_END 2

#define AV_FORWARD_TYPE_FILE 1
#define AV_FORWARD_TYPE_DIRECTORY 2
#define AV_FORWARD_TYPE_FIFO 3
#define AV_FORWARD_TYPE_OTHER 4 /* a link, a device, a socket: the last two cannot be opened */

/* Results below 0. ERROR(name, number, text): AV_FORWARD_E_name = -number. */
#define AV_FORWARD_ERRORS(ERROR)                                                               \
	ERROR(INVALID, 1, "an argument the call does not know, or a length beyond the buffer") \
	ERROR(NOT_FOUND, 2, "no such file or folder")                                          \
	ERROR(DENIED, 3, "the host does not allow it, or this VM is not served")               \
	ERROR(OUTSIDE, 4, "the path leads out of the served folder")                           \
	ERROR(EXISTS, 5, "it is there already")                                                \
	ERROR(IS_DIRECTORY, 6, "it is a folder")                                               \
	ERROR(NOT_DIRECTORY, 7, "a part of the path, or the file, is not a folder")            \
	ERROR(NOT_EMPTY, 8, "the folder is not empty")                                         \
	ERROR(BAD_HANDLE, 9, "no such open file, or not opened for that")                      \
	ERROR(TOO_MANY, 10, "too many open files")                                             \
	ERROR(TOO_LONG, 11, "the path or a name in it is too long")                            \
	ERROR(NO_SPACE, 12, "no room on the host")                                             \
	ERROR(TOO_BIG, 13, "the file would grow beyond what the server allows")                \
	ERROR(READ_ONLY, 14, "the server changes nothing")                                     \
	ERROR(NOT_SEEKABLE, 15, "a FIFO has no positions")                                     \
	ERROR(AGAIN, 16, "it would have to wait, and was not to; or a FIFO that nobody reads") \
	ERROR(PIPE, 17, "nobody reads that FIFO any more")                                     \
	ERROR(CANCELLED, 18, "the file was closed while the call waited")                      \
	ERROR(LOOP, 19, "too many symbolic links, or one that is none")                        \
	ERROR(IO, 20, "the host could not do it")                                              \
	ERROR(NOT_SUPPORTED, 21, "no such call")                                               \
	ERROR(BUSY, 32, "all slots are taken (said by the guest's library)")                   \
	ERROR(GONE, 33, "the server is gone, or the session is over (said by the guest's library)")

#ifndef __ASSEMBLER__
#include <stdint.h>

enum av_forward_error {
#define AV_FORWARD_ERROR_VALUE(name, number, text) AV_FORWARD_E_##name = -(number),
	AV_FORWARD_ERRORS(AV_FORWARD_ERROR_VALUE)
#undef AV_FORWARD_ERROR_VALUE
};

struct av_forward_header {
	uint32_t magic;
	uint32_t version;
	uint32_t slot_count;
	uint32_t entry_count;
	uint32_t buffer_size;
	uint32_t flags;     /* AV_FORWARD_READ_ONLY */
	uint64_t epoch;     /* 0: no server. Else another number for each start of one */
	uint64_t heartbeat; /* counts on while it serves */
	uint64_t served;    /* bit i: VM i may be a client */
	uint64_t reserved[10];
};
#define AV_FORWARD_READ_ONLY 0x1

struct av_forward_entry {
	uint64_t state; /* serial << 8 | AV_FORWARD_FREE ... DONE */
	uint32_t call;
	uint32_t handle;
	uint32_t flags;
	uint32_t mode;
	int64_t offset;
	uint64_t length;
	int64_t result; /* >= 0, or AV_FORWARD_E_* */
	uint64_t reserved[2];
};

struct av_forward_slot {
	uint64_t owner;
	uint64_t serial;  /* written by the server */
	uint32_t tail;    /* how often the client put something in ring */
	uint32_t last_vm; /* whose it was before, + 1: that VM takes it again before others do */
	uint32_t ring
		[AV_FORWARD_ENTRIES]; /* entry + 1 at place tail % AV_FORWARD_ENTRIES; 0: taken */
	uint64_t reserved[9];
	struct av_forward_entry entries[AV_FORWARD_ENTRIES];
};

struct av_forward_stat {
	uint64_t size;
	uint64_t modified_ns; /* since 1970 */
	uint32_t type;        /* AV_FORWARD_TYPE_* */
	uint32_t mode;        /* 9 bits */
	uint64_t file;        /* two paths with the same number here are the same file */
	uint64_t reserved[4];
};

_Static_assert(sizeof(struct av_forward_header) == 128, "layout");
_Static_assert(sizeof(struct av_forward_entry) == 64, "layout");
_Static_assert(sizeof(struct av_forward_slot) == 640, "layout");
_Static_assert(sizeof(struct av_forward_stat) == 64, "layout");
_Static_assert(AV_FORWARD_SLOTS_AT + AV_FORWARD_SLOTS * sizeof(struct av_forward_slot) <=
		       AV_FORWARD_BUFFERS_AT,
	       "layout");

#define AV_FORWARD_OWNER(vm, generation, state) \
	((uint64_t)(generation) << 16 | (uint64_t)(uint8_t)(vm) << 8 | (state))
#define AV_FORWARD_OWNER_STATE(owner) ((unsigned int)((owner)&0xff))
#define AV_FORWARD_OWNER_VM(owner) ((unsigned int)((owner) >> 8 & 0xff))
#define AV_FORWARD_OWNER_GENERATION(owner) ((owner) >> 16)
#define AV_FORWARD_GENERATION_MASK 0xFFFFFFFFFFFF
#define AV_FORWARD_STATE(serial, state) ((uint64_t)(serial) << 8 | (state))

/* Bytes of one buffer in a region of that size; 0: too small. */
static inline uint32_t av_forward_buffer_size(uint64_t region_size)
{
	uint64_t each;

	if (region_size < AV_FORWARD_SIZE_MIN)
		return 0;
	each = (region_size - AV_FORWARD_BUFFERS_AT) / (AV_FORWARD_SLOTS * AV_FORWARD_ENTRIES);
	return each > AV_FORWARD_BUFFER_MAX ? AV_FORWARD_BUFFER_MAX : (uint32_t)each & ~63u;
}

static inline struct av_forward_slot *av_forward_slot(void *region, unsigned int slot)
{
	return (struct av_forward_slot *)(void *)((char *)region + AV_FORWARD_SLOTS_AT) + slot;
}

static inline void *av_forward_buffer(void *region, uint32_t buffer_size, unsigned int slot,
				      unsigned int entry)
{
	return (char *)region + AV_FORWARD_BUFFERS_AT +
	       (uint64_t)buffer_size * (slot * AV_FORWARD_ENTRIES + entry);
}
#endif /* __ASSEMBLER__ */
