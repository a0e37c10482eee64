/* SPDX-License-Identifier: MIT */
/*
 * linux.h - /dev/avisor of a Linux guest: what avisor.ko and the programs that use it agree on.
 *
 * The device is root's alone (0600). Unknown commands, a reserved field that is not 0, and a call that is not on the
 * module's list are refused: ENOTTY, EINVAL, EPERM. docs/linux.md has the list.
 */
#pragma once

#include <avisor/hypercall.h>

#ifdef __KERNEL__
#include <linux/ioctl.h>
#else
#include <sys/ioctl.h>
#endif

/*
 * One hypercall. Where the call wants the IPA of a buffer, argument[] has a pointer of the caller, and its size where
 * the call wants that; the module copies. x1 of a call with a target must be AV_VM_SELF. The ioctl succeeds when the
 * call was made: status is then what the hypervisor said.
 */
struct avisor_call {
	uint32_t number; /* AV_HVC_* */
	uint32_t reserved;
	uint64_t argument[6]; /* x1..x6 */
	int64_t status;       /* out: AV_OK or AV_E_*; 0 going in */
	uint64_t value[3];    /* out: x1..x3; 0 going in */
};

/*
 * Bind this file to a region of the YAML file, once: mmap() then gives its contents at offset 0 and its state table right
 * behind (at `size`), and poll() is readable while one of the flags of AVISOR_BELL_WANT is pending.
 * ENOENT no such region, EBUSY bound already.
 */
struct avisor_region {
	char name[AV_NAME_SIZE]; /* in, NUL-padded; the rest 0 going in */
	uint64_t size;
	uint64_t common_size;
	uint64_t output_size;
	uint32_t number;
	uint32_t member; /* own member number */
	uint32_t writable;
	uint32_t reserved;
};

/* Doorbells of the region this file is bound to (ENXIO: to none). */
struct avisor_bell {
	uint64_t flags;
	uint64_t before; /* out: what was pending; 0 going in */
	uint32_t member; /* RING: whom, or AV_MEMBER_ALL; else 0 */
	uint32_t reserved;
	int64_t status; /* out: AV_OK or AV_E_*; 0 going in */
};

#define AVISOR_CALL _IOWR(0xA7, 0, struct avisor_call)
#define AVISOR_REGION _IOWR(0xA7, 1, struct avisor_region)
#define AVISOR_BELL_RING _IOWR(0xA7, 2, struct avisor_bell)
#define AVISOR_BELL_TAKE _IOWR(0xA7, 3, struct avisor_bell) /* clears `flags`, says what was pending */
#define AVISOR_BELL_WANT _IOWR(0xA7, 4, struct avisor_bell) /* what poll() of this file waits for; 0 at first */
