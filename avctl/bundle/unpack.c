/* SPDX-License-Identifier: MIT */
/*
 * unpack.c - gzip (RFC 1952) into a file in memory.
 * Never lets a small file grow beyond UNPACK_SIZE_MAX, nor takes one that is cut off or damaged.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include "unpack.h"

#define STEP 65536

struct unpacking {
	z_stream stream;
	int from, to;
	uint64_t left, at; /* bytes of the file not read yet; where to read */
	uint64_t size;     /* bytes written */
	struct image_error *error;
	uint8_t in[STEP], out[STEP];
};

/* More of the file into the stream. */
static bool fill(struct unpacking *u)
{
	size_t part = u->left < STEP ? (size_t)u->left : STEP;

	if (!image_read(u->from, u->in, part, u->at, u->error))
		return false;
	u->at += part;
	u->left -= part;
	u->stream.next_in = u->in;
	u->stream.avail_in = (unsigned)part;
	return true;
}

static bool drain(struct unpacking *u)
{
	size_t part = STEP - u->stream.avail_out;
	const uint8_t *from = u->out;

	u->size += part;
	if (u->size > UNPACK_SIZE_MAX)
		return image_fail(u->error, "it is compressed with gzip, and more than %dMiB large",
				  (int)(UNPACK_SIZE_MAX >> 20));
	while (part) {
		ssize_t done = write(u->to, from, part);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return image_fail(u->error, "it cannot be unpacked: %s", strerror(errno));
		from += done;
		part -= (size_t)done;
	}
	u->stream.next_out = u->out;
	u->stream.avail_out = STEP;
	return true;
}

/* gzip files may stand one behind the other; zeros behind the last are padding. */
static bool is_over(struct unpacking *u)
{
	while (u->stream.avail_in && !*u->stream.next_in) {
		u->stream.next_in++;
		u->stream.avail_in--;
	}
	return !u->stream.avail_in && !u->left;
}

static bool run(struct unpacking *u)
{
	int status = Z_OK;

	u->stream.next_out = u->out;
	u->stream.avail_out = STEP;
	for (;;) {
		if (!u->stream.avail_in && u->left && !fill(u))
			return false;
		if (status == Z_STREAM_END) {
			if (is_over(u))
				return true;
			inflateReset(&u->stream);
			if (!u->stream.avail_in)
				continue;
		}
		status = inflate(&u->stream, Z_NO_FLUSH);
		if (!drain(u))
			return false;
		if (status == Z_BUF_ERROR && !u->left)
			return image_fail(u->error, "it is compressed with gzip, and cut off");
		if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
			return image_fail(u->error, "it is compressed with gzip, and damaged: %s",
					  u->stream.msg ? u->stream.msg : "wrong data");
	}
}

static int unpack(int from, uint64_t file_size, uint64_t *size, struct image_error *error)
{
	static struct unpacking u;
	bool good;

	memset(&u, 0, sizeof(u));
	u.from = from;
	u.left = file_size;
	u.error = error;
	u.to = memfd_create("avctl-image", MFD_CLOEXEC);
	if (u.to < 0 || inflateInit2(&u.stream, 16 + MAX_WBITS) != Z_OK) {
		image_fail(error, "it cannot be unpacked: %s", strerror(errno));
		if (u.to >= 0)
			close(u.to);
		return -1;
	}
	good = run(&u);
	inflateEnd(&u.stream);
	*size = u.size;
	if (good)
		return u.to;
	close(u.to);
	return -1;
}

int unpack_open(const char *path, uint64_t *size, struct image_error *error)
{
	int fd = image_open(path, size, error), unpacked;
	uint8_t magic[2];

	if (fd < 0 || *size < sizeof(magic))
		return fd;
	if (!image_read(fd, magic, sizeof(magic), 0, error)) {
		close(fd);
		return -1;
	}
	if (magic[0] != 0x1f || magic[1] != 0x8b)
		return fd;
	unpacked = unpack(fd, *size, size, error);
	close(fd);
	return unpacked;
}
