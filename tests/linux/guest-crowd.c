/* SPDX-License-Identifier: MIT */
/*
 * guest-crowd.c - one of several Linux VMs that are restored at random. Two children write a file and look whether it reads back,
 * again and again, until they are told to spin. Commands come as lines; each is answered by one line. Starts no program and
 * forks only to begin with: on an emulator what that costs depends on all CPUs of the host.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-test.h"

#define CHILDREN 2
#define SIZE_MOST (256u << 10)

static struct {
	bool spin;
	uint64_t rounds[CHILDREN];
	uint64_t torn;
} * shared;

/* As Python's zlib.crc32(). */
static uint32_t crc32(const unsigned char *data, size_t size)
{
	uint32_t sum = 0xffffffff;

	for (size_t i = 0; i < size; i++) {
		sum ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
	}
	return ~sum;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void write_whole(const char *path, const unsigned char *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) < 0)
		fail(path);
}

static size_t read_whole(const char *path, unsigned char *data)
{
	int fd = open(path, O_RDONLY);
	ssize_t size = fd < 0 ? -1 : read(fd, data, SIZE_MOST);

	if (size < 0)
		fail(path);
	close(fd);
	return (size_t)size;
}

/* The word again and again. */
static void fill(unsigned char *data, size_t size, const char *word)
{
	for (size_t i = 0, length = strlen(word); i < size; i++)
		data[i] = (unsigned char)word[i % length];
}

static void child(unsigned int number)
{
	static unsigned char data[SIZE_MOST], back[SIZE_MOST];
	char path[32], word[32];

	snprintf(path, sizeof(path), "/tmp/child%u", number);
	while (!__atomic_load_n(&shared->spin, __ATOMIC_RELAXED)) {
		uint64_t round = ++shared->rounds[number];
		size_t size = 1 + (size_t)(round * 7919 % (64u << 10));

		snprintf(word, sizeof(word), "%u-%llu ", number, (unsigned long long)round);
		fill(data, size, word);
		write_whole(path, data, size);
		if (read_whole(path, back) != size || memcmp(data, back, size))
			__atomic_fetch_add(&shared->torn, 1, __ATOMIC_RELAXED);
		usleep(2000);
	}
	for (;;)
		__asm__ volatile("" ::: "memory");
}

/* NAME:SIZE:CRC of each file in /tmp/kept. */
static void look(void)
{
	static unsigned char data[SIZE_MOST];
	DIR *folder = opendir(".");
	struct dirent *entry;

	if (!folder)
		fail("/tmp/kept");
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.') {
			size_t size = read_whole(entry->d_name, data);

			printf("%s:%zu:%08x ", entry->d_name, size, crc32(data, size));
		}
	closedir(folder);
	printf("torn:%llu\n", (unsigned long long)shared->torn);
}

/* Lines of the kernel's log that nobody wants to see. */
static void complaints(void)
{
	static const char *const words[] = {"BUG",      "Oops",      "WARNING", "stall",
					    "starve",   "ockup",     "LOCKUP",  "Unable to handle",
					    "Bad mode", "Call trace"};
	static char log[1 << 20];
	int size = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1);

	log[size < 0 ? 0 : size] = 0;
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strstr(line, words[i]))
				printf("%s; ", line);
	printf("%s\n", size < 0 ? "no log" : "end");
}

/* The line of path that has the word, of at most 4 KiB of it. */
static void line_of(const char *path, const char *word)
{
	char line[1024];
	FILE *file = fopen(path, "r");

	if (!file)
		fail(path);
	while (fgets(line, sizeof(line), file))
		if (strstr(line, word)) {
			line[strcspn(line, "\n")] = 0;
			printf("%s ", line);
			break;
		}
	fclose(file);
}

static void write_named(const char *word, size_t size)
{
	static unsigned char data[SIZE_MOST];

	fill(data, size, word);
	write_whole(word, data, size);
	printf("written\n");
}

int crowd(void)
{
	char line[128], word[64];
	size_t size;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || (mkdir("/tmp/kept", 0700) < 0) || chdir("/tmp/kept") < 0)
		fail("crowd");
	for (unsigned int i = 0; i < CHILDREN; i++)
		if (fork() == 0)
			child(i);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	printf("crowd: begun\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		printf("%s= ", line);
		if (sscanf(line, "write %63s %zu", word, &size) == 2 && size <= SIZE_MOST) {
			write_named(word, size);
		} else if (!strncmp(line, "look", 4)) {
			look();
		} else if (!strncmp(line, "complaints", 10)) {
			complaints();
		} else if (!strncmp(line, "ticks", 5)) {
			line_of("/proc/interrupts", "arch_timer");
			line_of("/proc/stat", "cpu ");
			printf("\n");
		} else if (!strncmp(line, "rounds", 6)) {
			printf("%llu %llu\n", (unsigned long long)shared->rounds[0],
			       (unsigned long long)shared->rounds[1]);
		} else if (!strncmp(line, "spin", 4)) {
			__atomic_store_n(&shared->spin, true, __ATOMIC_RELAXED);
			printf("spinning\n");
		} else {
			printf("what?\n");
		}
		fflush(stdout);
	}
	return 0;
}
