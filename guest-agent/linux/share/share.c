/* SPDX-License-Identifier: MIT */
/* share.c - what guest-agent/shared waits and rings with on Linux. Must never wait longer than it is told. */
#include "linux/share/share.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t counter(void)
{
	uint64_t value;

	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(value) : : "memory");
	return value;
}

static uint64_t counter_hz(void)
{
	uint64_t value;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(value));
	return value;
}

static uint64_t now(void *context)
{
	(void)context;
	return counter();
}

static void yield(void *context)
{
	(void)context;
	sched_yield();
}

static void ring(void *context, uint32_t member, uint64_t flags)
{
	const struct share *share = context;
	struct avisor_bell bell = {.flags = flags, .member = member};

	ioctl(share->fd, AVISOR_BELL_RING, &bell);
}

static void wait(void *context, uint64_t flags, uint64_t deadline)
{
	const struct share *share = context;
	struct avisor_bell bell = {.flags = flags};
	struct pollfd look = {.fd = share->fd, .events = POLLIN};
	uint64_t at = counter();
	uint64_t ms = deadline > at ? (deadline - at) * 1000 / counter_hz() + 1 : 0;

	if (ioctl(share->fd, AVISOR_BELL_WANT, &bell) == 0)
		poll(&look, 1, ms < 1000 ? (int)ms : 1000); /* may return early */
}

static void acknowledge(void *context, uint64_t flags)
{
	const struct share *share = context;
	struct avisor_bell bell = {.flags = flags};

	ioctl(share->fd, AVISOR_BELL_TAKE, &bell);
}

int share_open(struct share *share, const char *name)
{
	static const struct shared_calls calls = {now, yield, ring, wait, acknowledge};
	void *contents = MAP_FAILED, *state = MAP_FAILED;
	int writable;

	memset(share, 0, sizeof(*share));
	if (strlen(name) > sizeof(share->region.name)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(share->region.name, name, strlen(name));
	share->fd = open("/dev/avisor", O_RDWR | O_CLOEXEC);
	if (share->fd < 0)
		return -1;
	if (ioctl(share->fd, AVISOR_REGION, &share->region) == 0) {
		writable = share->region.writable && !share->region.output_size;
		contents = mmap(NULL, share->region.size, PROT_READ | (writable ? PROT_WRITE : 0),
				MAP_SHARED, share->fd, 0);
		state = mmap(NULL, AV_REGION_STATE_SIZE, PROT_READ, MAP_SHARED, share->fd,
			     (off_t)share->region.size);
	}
	if (contents == MAP_FAILED || state == MAP_FAILED) {
		int error = errno;

		if (contents != MAP_FAILED)
			munmap(contents, share->region.size);
		close(share->fd);
		errno = error;
		return -1;
	}
	share->base = contents;
	share->view = (struct shared_view){.table = state,
					   .calls = &calls,
					   .context = share,
					   .poll_ticks = counter_hz() / 200,
					   .self = share->region.member};
	return 0;
}
