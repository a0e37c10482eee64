/* SPDX-License-Identifier: MIT */
/*
 * files.c - uses files of the host through `avctl serve`, as told on the console:
 *	connect | leave | cat PATH | put PATH TEXT | stat PATH | ls PATH | rm PATH | mkdir PATH | rmdir PATH | keep PATH
 *	try PATH	to read it, make it, look at it, remove it, make a folder of it
 *	both FIFO FILE	two reads in flight at once; the second one is answered while the first one waits
 *	wild		what a good guest would not ask for
 *	scribble	garbage all over its own slot
 *	time N		N calls, one after the other
 *	crash		the end of the VM, with all it has open
 * Prints one line for each outcome. Never gives up: it can always be told to connect again.
 */
#include "baremetal/forward.h"
#include "baremetal/guest.h"

#define REGION_NAME "files"

static struct forward forward;
static _Alignas(8) char buffer[4096];

static void say(const char *what, int64_t result)
{
	if (result < 0)
		print("files: %s: %s\n", what, forward_error_name(result));
	else
		print("files: %s: ok %ld\n", what, result);
}

static void do_connect(void)
{
	void *region;
	uint64_t size;

	if (!forward_find(REGION_NAME, &region, &size)) {
		print("files: no region\n");
		return;
	}
	say("connect", forward_connect(&forward, region, size));
}

static void do_cat(const char *path)
{
	int64_t handle = forward_open(&forward, path, AV_FORWARD_O_READ, 0), size = handle;

	while (size >= 0) {
		size = forward_read(&forward, handle, buffer, sizeof(buffer) - 1);
		if (size <= 0)
			break;
		buffer[size] = '\0';
		for (char *c = buffer; *c; c++)
			*c = *c == '\n' ? '$' : *c;
		print("files: %s\n", buffer);
	}
	if (handle > 0)
		forward_close(&forward, handle);
	say("cat", size);
}

static void do_put(const char *path, const char *text)
{
	const uint32_t flags = AV_FORWARD_O_WRITE | AV_FORWARD_O_CREATE | AV_FORWARD_O_TRUNCATE;
	int64_t handle = forward_open(&forward, path, flags, 0644), result = handle;

	if (handle > 0) {
		result = forward_write_all(&forward, handle, text, strlen(text));
		forward_close(&forward, handle);
	}
	say("put", result);
}

static void do_stat(const char *path)
{
	struct av_forward_stat stat;
	int64_t result = forward_stat(&forward, path, &stat);

	if (result >= 0)
		print("files: type %u, %lu bytes, mode %x\n", stat.type, stat.size, stat.mode);
	say("stat", result);
}

static void do_ls(const char *path)
{
	int64_t handle =
			forward_open(&forward, path, AV_FORWARD_O_READ | AV_FORWARD_O_DIRECTORY, 0),
		size = handle;

	while (size >= 0) {
		size = forward_readdir(&forward, handle, buffer, sizeof(buffer));
		for (int64_t at = 0; at < size; at += 2 + (int64_t)strlen(buffer + at + 1))
			print("files: - %u %s\n", buffer[at], buffer + at + 1);
		if (size == 0)
			break;
	}
	if (handle > 0)
		forward_close(&forward, handle);
	say("ls", size);
}

static void do_try(const char *path)
{
	const int64_t results[] = {
		forward_open(&forward, path, AV_FORWARD_O_READ, 0),
		forward_open(&forward, path, AV_FORWARD_O_WRITE | AV_FORWARD_O_CREATE, 0600),
		forward_stat(&forward, path, (struct av_forward_stat *)(void *)buffer),
		forward_unlink(&forward, path),
		forward_mkdir(&forward, path, 0700),
	};

	print("files: try %s:", path);
	for (unsigned int i = 0; i < 5; i++)
		print(" %s", forward_error_name(results[i]));
	print("\n");
}

static struct forward_request read_of(int64_t handle, char *text)
{
	return (struct forward_request){
		.call = AV_FORWARD_READ,
		.handle = (uint32_t)handle,
		.offset = AV_FORWARD_HERE,
		.length = 63,
		.in = text,
		.in_size = 63,
	};
}

static void do_both(const char *fifo_path, const char *file_path)
{
	int64_t fifo = forward_open(&forward, fifo_path, AV_FORWARD_O_READ, 0);
	int64_t file = forward_open(&forward, file_path, AV_FORWARD_O_READ, 0);
	static char slow_text[64], quick_text[64];
	struct forward_request slow = read_of(fifo, slow_text), quick = read_of(file, quick_text);
	int64_t slow_result = forward_start(&forward, &slow);
	int64_t quick_result = forward_start(&forward, &quick);

	memset(slow_text, 0, sizeof(slow_text));
	memset(quick_text, 0, sizeof(quick_text));
	if (quick_result == 0)
		quick_result = forward_finish(&forward, &quick);
	print("files: file says %ld \"%s\", the FIFO %s\n", quick_result, quick_text,
	      slow_result == 0 && !forward_ready(&forward, &slow) ? "waits" : "is done");
	if (slow_result == 0)
		slow_result = forward_finish(&forward, &slow);
	print("files: FIFO says %ld \"%s\"\n", slow_result, slow_text);
	forward_close(&forward, fifo);
	forward_close(&forward, file);
	say("both", slow_result);
}

/* One call that must be refused. */
static void refuse(const char *what, struct forward_request request)
{
	int64_t result = forward_start(&forward, &request);

	if (result == 0)
		result = forward_finish(&forward, &request);
	print("files: wild %s: %s\n", what, forward_error_name(result));
}

static void do_wild(void)
{
	int64_t handle =
		forward_open(&forward, "wild",
			     AV_FORWARD_O_READ | AV_FORWARD_O_WRITE | AV_FORWARD_O_CREATE, 0600);
	struct forward_request read = read_of(handle, buffer), write = read, open;

	write.call = AV_FORWARD_WRITE;
	open = (struct forward_request){
		.call = AV_FORWARD_OPEN, .flags = AV_FORWARD_O_READ, .length = 4};
	read.length = 0x100000000;
	refuse("read of 4 GiB", read);
	write.length = 0x100000000;
	refuse("write of 4 GiB", write);
	open.length = 0xffffffffffffffff;
	refuse("path of 2^64 - 1", open);
	read.length = 1;
	read.offset = -2;
	refuse("offset of -2", read);
	read.offset = AV_FORWARD_HERE;
	read.handle = 0x80000001;
	refuse("handle of 0x80000001", read);
	read.handle = (uint32_t)handle + 256;
	refuse("handle of another time", read);
	read.call = 0xffffffff;
	refuse("call of 2^32 - 1", read);
	open.length = 4;
	open.flags = 0xffffffff;
	refuse("flags of 2^32 - 1", open);
	write.length = 1;
	write.offset = 0x7ffffffffffffff0;
	refuse("write far out", write);
	forward_close(&forward, handle);
	forward_unlink(&forward, "wild");
	print("files: wild: done\n");
}

static void do_scribble(void)
{
	uint64_t seed = guest_nonce(), *words = (uint64_t *)(void *)forward.slot;

	if (!forward.slot)
		return;
	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t number = guest_random(&seed);
		/* The owner word too, now and then: all of the slot is the guest's to spoil. */
		uint64_t at =
			number % (i % 1000 ? sizeof(*forward.slot) / 8 - 1 : 1) + (i % 1000 != 0);
		uint64_t value = guest_random(&seed);

		if (number >> 60 < 8) /* near what it means */
			value = AV_FORWARD_STATE(forward.serial, value & 7);
		__atomic_store_n(&words[at], value, __ATOMIC_RELAXED);
	}
	print("files: scribbled\n");
}

static void do_time(const char *count_text)
{
	uint64_t start = counter_read(), count = 0;
	struct forward_request request = {.call = AV_FORWARD_NOP};

	for (; *count_text >= '0' && *count_text <= '9'; count_text++)
		count = count * 10 + (uint64_t)(*count_text - '0');
	for (uint64_t i = 0; i < count; i++) {
		int64_t result = forward_start(&forward, &request);

		if (result == 0)
			result = forward_finish(&forward, &request);
		if (result) {
			say("time", result);
			return;
		}
	}
	print("files: time: %lu calls, %lu ns each\n", count,
	      (counter_read() - start) * (1000000000 / counter_hz()) / (count ? count : 1));
}

static char *next_word(char **line)
{
	char *word = *line;

	while (**line && **line != ' ')
		(*line)++;
	if (**line)
		*(*line)++ = '\0';
	return word;
}

static void obey(char *line)
{
	const char *verb = next_word(&line);
	char *path;

	if (!strcmp(verb, "connect"))
		do_connect();
	else if (!strcmp(verb, "wild"))
		do_wild();
	else if (!strcmp(verb, "scribble"))
		do_scribble();
	else if (!strcmp(verb, "time"))
		do_time(line);
	else if (!strcmp(verb, "crash"))
		guest_panic("as asked");
	else if (!strcmp(verb, "leave")) {
		forward_disconnect(&forward);
		print("files: left\n");
	} else {
		path = next_word(&line);
		if (!strcmp(verb, "cat"))
			do_cat(path);
		else if (!strcmp(verb, "put"))
			do_put(path, line);
		else if (!strcmp(verb, "stat"))
			do_stat(path);
		else if (!strcmp(verb, "ls"))
			do_ls(path);
		else if (!strcmp(verb, "try"))
			do_try(path);
		else if (!strcmp(verb, "both"))
			do_both(path, line);
		else if (!strcmp(verb, "keep"))
			say("keep", forward_open(&forward, path, AV_FORWARD_O_READ, 0));
		else if (!strcmp(verb, "rm"))
			say("rm", forward_unlink(&forward, path));
		else if (!strcmp(verb, "mkdir"))
			say("mkdir", forward_mkdir(&forward, path, 0755));
		else if (!strcmp(verb, "rmdir"))
			say("rmdir", forward_rmdir(&forward, path));
		else if (*verb)
			print("files: what is %s?\n", verb);
	}
}

void guest_main(uint64_t dtb)
{
	static char line[512];

	(void)dtb;
	interrupts_init();
	console_input_start();
	if (!forward_here(&forward.place))
		guest_panic("needs the hypervisor");
	print("files: start, vm %u\n", forward.place.vm);
	for (;;) {
		print("files> ");
		console_line(line, sizeof(line));
		obey(line);
	}
}
