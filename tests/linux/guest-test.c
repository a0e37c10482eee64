/* SPDX-License-Identifier: MIT */
/*
 * guest-test.c - what tests do in a Linux guest.
 *
 *	user			tries to open /dev/avisor as an ordinary user
 *	fuzz ROUNDS SEED	commands that must be refused, and random ones
 *	exchange COUNT		COUNT messages to a bare-metal VM and back, in order and whole (guest-exchange.c)
 *	debug COUNT		single steps, a watchpoint and a breakpoint, COUNT rounds and one that waits (guest-debug.c)
 *	crowd			writes files and looks at them, as it is told line by line (guest-crowd.c)
 *
 * Says what it found in one line and ends with 0 when that is as it should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <avisor/linux.h>

#include "guest-test.h"

static int device_open(void)
{
	int fd = open("/dev/avisor", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		printf("/dev/avisor: %s\n", strerror(errno));
		exit(1);
	}
	return fd;
}

static int as_user(void)
{
	int fd;

	if (setgroups(0, NULL) < 0 || setgid(1000) < 0 || setuid(1000) < 0)
		return 1;
	fd = open("/dev/avisor", O_RDWR);
	printf("user: %s\n", fd < 0 ? strerror(errno) : "opened it");
	return fd >= 0;
}

static unsigned int wrong;

static void expect(const char *what, int result, int error)
{
	if (result < 0 && errno == error)
		return;
	wrong++;
	printf("%s: %s, not %s\n", what, result < 0 ? strerror(errno) : "done", strerror(error));
}

static struct avisor_call call_of(uint32_t number, uint64_t x1, uint64_t x2, uint64_t x3)
{
	return (struct avisor_call){.number = number, .argument = {x1, x2, x3}};
}

/* Each rule of linux.h once. */
static void refused(int fd)
{
	static char buffer[4096];
	struct avisor_call call = call_of(AV_HVC_VERSION, 0, 0, 0);
	struct avisor_bell bell = {0};
	struct avisor_region region = {.name = "no-such-region"};

	expect("an unknown command", ioctl(fd, _IO(0xA7, 0)), ENOTTY);
	expect("a command of another size", ioctl(fd, _IOWR(0xA7, 0, char[8]), &call), ENOTTY);
	expect("a null argument", ioctl(fd, AVISOR_CALL, NULL), EFAULT);
	expect("the kernel's address", ioctl(fd, AVISOR_CALL, (void *)0xffff800008000000), EFAULT);
	call.reserved = 1;
	expect("a reserved field", ioctl(fd, AVISOR_CALL, &call), EINVAL);
	call = call_of(AV_HVC_VERSION, 1, 0, 0);
	expect("an argument too many", ioctl(fd, AVISOR_CALL, &call), EINVAL);
	call = call_of(AV_HVC_VM_STOP, AV_VM_SELF, 0, 0);
	expect("a call that is not listed", ioctl(fd, AVISOR_CALL, &call), EPERM);
	call = call_of(AV_HVC_VERSION | 0xC6000000, 0, 0, 0);
	expect("a function id", ioctl(fd, AVISOR_CALL, &call), EPERM);
	call = call_of(AV_HVC_VM_INFO, 0, (uint64_t)(uintptr_t)buffer, sizeof(buffer));
	expect("another VM", ioctl(fd, AVISOR_CALL, &call), EPERM);
	call = call_of(AV_HVC_VM_INFO, AV_VM_SELF, (uint64_t)(uintptr_t)buffer, 4097);
	expect("a buffer over a page", ioctl(fd, AVISOR_CALL, &call), EINVAL);
	call = call_of(AV_HVC_VM_INFO, AV_VM_SELF, (uint64_t)(uintptr_t)buffer, 0);
	expect("a buffer of nothing", ioctl(fd, AVISOR_CALL, &call), EINVAL);
	call = call_of(AV_HVC_VM_INFO, AV_VM_SELF, 0x40000000, 64);
	expect("somebody's IPA", ioctl(fd, AVISOR_CALL, &call), EFAULT);
	expect("a region that is not there", ioctl(fd, AVISOR_REGION, &region), ENOENT);
	memset(region.name, 'a', sizeof(region.name));
	expect("a name without end", ioctl(fd, AVISOR_REGION, &region), ENOENT);
	memset(region.name, 0, sizeof(region.name));
	expect("no name", ioctl(fd, AVISOR_REGION, &region), EINVAL);
	expect("a bell without region", ioctl(fd, AVISOR_BELL_RING, &bell), ENXIO);
	bell.reserved = 1;
	expect("a bell's reserved field", ioctl(fd, AVISOR_BELL_TAKE, &bell), EINVAL);
	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED)
		errno = 0;
	expect("a mapping without region", -1, ENXIO);
}

static uint64_t next(uint64_t *seed)
{
	uint64_t value = *seed += 0x9e3779b97f4a7c15u;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

/* Anything but the calls that take this VM back in time, or fill its snapshots. */
static bool spare(uint32_t number)
{
	return number == AV_HVC_SNAPSHOT_TAKE || number == AV_HVC_SNAPSHOT_RESTORE ||
	       number == AV_HVC_SNAPSHOT_DELETE;
}

static int fuzz(uint64_t rounds, uint64_t seed)
{
	static char buffer[4096];
	const uint64_t values[] = {0,    1,          AV_VM_SELF, (uint64_t)(uintptr_t)buffer, 16,
				   4096, 0x40000000, UINT64_MAX, 0xffff000000000000};
	int fd = device_open();
	uint64_t done = 0;

	refused(fd);
	for (uint64_t i = 0; i < rounds; i++) {
		struct avisor_call call = {.number = (uint32_t)(next(&seed) & 0x7f)};
		unsigned int command = (unsigned int)next(&seed);

		if (spare(call.number))
			call.number = AV_HVC_PRINT;
		for (size_t j = 0, count = next(&seed) % 7; j < count; j++)
			call.argument[j] =
				values[next(&seed) % (sizeof(values) / sizeof(values[0]))];
		if (next(&seed) % 16 == 0)
			call.reserved = (uint32_t)next(&seed);
		if (next(&seed) % 4 == 0)
			command = (command & 0xc0ff0007) | 0xa700;
		else
			command = AVISOR_CALL;
		if (ioctl(fd, command, &call) == 0)
			done++;
	}
	printf("fuzz: %u wrong, %llu of %llu done\n", wrong, (unsigned long long)done,
	       (unsigned long long)rounds);
	return wrong != 0 || done == 0 || done == rounds;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "user"))
		return as_user();
	if (argc == 4 && !strcmp(argv[1], "fuzz"))
		return fuzz(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	if (argc == 3 && !strcmp(argv[1], "exchange"))
		return exchange(strtoull(argv[2], NULL, 0));
	if (argc == 3 && !strcmp(argv[1], "debug"))
		return debug(strtoull(argv[2], NULL, 0));
	if (argc == 2 && !strcmp(argv[1], "crowd"))
		return crowd();
	fprintf(stderr,
		"usage: guest-test user|fuzz ROUNDS SEED|exchange COUNT|debug COUNT|crowd\n");
	return 2;
}
