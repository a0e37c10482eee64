/* SPDX-License-Identifier: MIT */
/* forward_calls.c - open, read, write and the like, one after the other. Must never keep anything of a call after it. */
#include "baremetal/forward.h"

static int64_t call(struct forward *forward, struct forward_request *request)
{
	int64_t result = forward_start(forward, request);

	return result < 0 ? result : forward_finish(forward, request);
}

static int64_t path_call(struct forward *forward, struct forward_request *request, const char *path)
{
	uint64_t length = 0;

	while (path[length] && length <= AV_FORWARD_PATH_MAX)
		length++;
	if (length > AV_FORWARD_PATH_MAX || length > forward->buffer_size)
		return AV_FORWARD_E_TOO_LONG;
	request->out = path;
	request->length = length;
	return call(forward, request);
}

int64_t forward_open(struct forward *forward, const char *path, uint32_t flags, uint32_t mode)
{
	struct forward_request request = {.call = AV_FORWARD_OPEN, .flags = flags, .mode = mode};

	return path_call(forward, &request, path);
}

int64_t forward_close(struct forward *forward, int64_t handle)
{
	struct forward_request request = {.call = AV_FORWARD_CLOSE, .handle = (uint32_t)handle};

	return call(forward, &request);
}

static int64_t read_at(struct forward *forward, int64_t handle, void *data, size_t size,
		       int64_t offset)
{
	struct forward_request request = {
		.call = AV_FORWARD_READ,
		.handle = (uint32_t)handle,
		.offset = offset,
		.length = size < forward->buffer_size ? size : forward->buffer_size,
		.in = data,
		.in_size = size,
	};

	return call(forward, &request);
}

static int64_t write_at(struct forward *forward, int64_t handle, const void *data, size_t size,
			int64_t offset)
{
	struct forward_request request = {
		.call = AV_FORWARD_WRITE,
		.handle = (uint32_t)handle,
		.offset = offset,
		.length = size < forward->buffer_size ? size : forward->buffer_size,
		.out = data,
	};

	return call(forward, &request);
}

int64_t forward_read(struct forward *forward, int64_t handle, void *data, size_t size)
{
	return read_at(forward, handle, data, size, AV_FORWARD_HERE);
}

int64_t forward_write(struct forward *forward, int64_t handle, const void *data, size_t size)
{
	return write_at(forward, handle, data, size, AV_FORWARD_HERE);
}

int64_t forward_pread(struct forward *forward, int64_t handle, void *data, size_t size,
		      uint64_t offset)
{
	return offset > INT64_MAX ? AV_FORWARD_E_INVALID
				  : read_at(forward, handle, data, size, (int64_t)offset);
}

int64_t forward_pwrite(struct forward *forward, int64_t handle, const void *data, size_t size,
		       uint64_t offset)
{
	return offset > INT64_MAX ? AV_FORWARD_E_INVALID
				  : write_at(forward, handle, data, size, (int64_t)offset);
}

int64_t forward_read_all(struct forward *forward, int64_t handle, void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		int64_t result =
			forward_read(forward, handle, (unsigned char *)data + done, size - done);

		if (result < 0)
			return result;
		if (result == 0)
			break;
		done += (size_t)result;
	}
	return (int64_t)done;
}

int64_t forward_write_all(struct forward *forward, int64_t handle, const void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		int64_t result = forward_write(forward, handle, (const unsigned char *)data + done,
					       size - done);

		if (result < 0)
			return result;
		if (result == 0)
			return AV_FORWARD_E_NO_SPACE;
		done += (size_t)result;
	}
	return (int64_t)done;
}

int64_t forward_seek(struct forward *forward, int64_t handle, int64_t offset, uint32_t from)
{
	struct forward_request request = {.call = AV_FORWARD_SEEK,
					  .handle = (uint32_t)handle,
					  .offset = offset,
					  .flags = from};

	return call(forward, &request);
}

int64_t forward_stat(struct forward *forward, const char *path, struct av_forward_stat *stat)
{
	struct forward_request request = {
		.call = AV_FORWARD_STAT, .in = stat, .in_size = sizeof(*stat)};

	return path_call(forward, &request, path);
}

int64_t forward_fstat(struct forward *forward, int64_t handle, struct av_forward_stat *stat)
{
	struct forward_request request = {.call = AV_FORWARD_FSTAT,
					  .handle = (uint32_t)handle,
					  .in = stat,
					  .in_size = sizeof(*stat)};

	return call(forward, &request);
}

int64_t forward_unlink(struct forward *forward, const char *path)
{
	struct forward_request request = {.call = AV_FORWARD_UNLINK};

	return path_call(forward, &request, path);
}

int64_t forward_rmdir(struct forward *forward, const char *path)
{
	struct forward_request request = {.call = AV_FORWARD_UNLINK,
					  .flags = AV_FORWARD_O_DIRECTORY};

	return path_call(forward, &request, path);
}

int64_t forward_mkdir(struct forward *forward, const char *path, uint32_t mode)
{
	struct forward_request request = {.call = AV_FORWARD_MKDIR, .mode = mode};

	return path_call(forward, &request, path);
}

int64_t forward_readdir(struct forward *forward, int64_t handle, void *records, size_t size)
{
	struct forward_request request = {
		.call = AV_FORWARD_READDIR,
		.handle = (uint32_t)handle,
		.length = size < forward->buffer_size ? size : forward->buffer_size,
		.in = records,
		.in_size = size,
	};

	return call(forward, &request);
}

const char *forward_error_name(int64_t result)
{
	switch (result) {
#define FORWARD_ERROR_NAME(name, number, text) \
	case -(number):                        \
		return #name;
		AV_FORWARD_ERRORS(FORWARD_ERROR_NAME)
#undef FORWARD_ERROR_NAME
	default:
		return result < 0 ? "?" : "OK";
	}
}
