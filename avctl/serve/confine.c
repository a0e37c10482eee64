/* SPDX-License-Identifier: MIT */
/*
 * confine.c - opens, looks at, makes and removes files below one folder.
 * Must never resolve a guest's path in any other way than by openat2(RESOLVE_BENEATH), and never look at a path twice.
 */
#include "serve/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/openat2.h>

/* The kernel answers EAGAIN when something was renamed while it looked for "..". */
#define RACE_TRIES 16

int confine_error(int error)
{
	static const struct {
		int error;
		int code;
	} table[] = {
		{ENOENT, AV_FORWARD_E_NOT_FOUND},
		{EACCES, AV_FORWARD_E_DENIED},
		{EPERM, AV_FORWARD_E_DENIED},
		{EXDEV, AV_FORWARD_E_OUTSIDE},
		{EEXIST, AV_FORWARD_E_EXISTS},
		{EISDIR, AV_FORWARD_E_IS_DIRECTORY},
		{ENOTDIR, AV_FORWARD_E_NOT_DIRECTORY},
		{ENOTEMPTY, AV_FORWARD_E_NOT_EMPTY},
		{EBADF, AV_FORWARD_E_BAD_HANDLE},
		{EMFILE, AV_FORWARD_E_TOO_MANY},
		{ENFILE, AV_FORWARD_E_TOO_MANY},
		{ENAMETOOLONG, AV_FORWARD_E_TOO_LONG},
		{ENOSPC, AV_FORWARD_E_NO_SPACE},
		{EDQUOT, AV_FORWARD_E_NO_SPACE},
		{EFBIG, AV_FORWARD_E_TOO_BIG},
		{EROFS, AV_FORWARD_E_READ_ONLY},
		{ESPIPE, AV_FORWARD_E_NOT_SEEKABLE},
		{EAGAIN, AV_FORWARD_E_AGAIN},
		{ENXIO, AV_FORWARD_E_AGAIN},
		{EPIPE, AV_FORWARD_E_PIPE},
		{ELOOP, AV_FORWARD_E_LOOP},
		{EINVAL, AV_FORWARD_E_INVALID},
		{EOVERFLOW, AV_FORWARD_E_INVALID},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].error == error)
			return table[i].code;
	return AV_FORWARD_E_IO;
}

int confine_root(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* openat2() below root; a descriptor or -1 with errno. */
static int beneath(int root, const char *path, uint64_t flags, uint64_t mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < RACE_TRIES; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

bool confine_works(int root)
{
	int fd = beneath(root, ".", O_PATH | O_DIRECTORY, 0);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static uint32_t type_of(mode_t mode)
{
	if (S_ISREG(mode))
		return AV_FORWARD_TYPE_FILE;
	if (S_ISDIR(mode))
		return AV_FORWARD_TYPE_DIRECTORY;
	return S_ISFIFO(mode) ? AV_FORWARD_TYPE_FIFO : AV_FORWARD_TYPE_OTHER;
}

void confine_fill_stat(const struct stat *from, struct av_forward_stat *to)
{
	memset(to, 0, sizeof(*to));
	to->size = (uint64_t)from->st_size;
	to->modified_ns =
		(uint64_t)from->st_mtim.tv_sec * 1000000000u + (uint64_t)from->st_mtim.tv_nsec;
	to->type = type_of(from->st_mode);
	to->mode = from->st_mode & 0777;
	to->file = (uint64_t)from->st_dev << 48 ^ (uint64_t)from->st_ino;
}

static bool flags_make_sense(uint32_t flags)
{
	const uint32_t changing = AV_FORWARD_O_CREATE | AV_FORWARD_O_TRUNCATE | AV_FORWARD_O_APPEND;

	if ((flags & ~(uint32_t)AV_FORWARD_O_ALL) ||
	    !(flags & (AV_FORWARD_O_READ | AV_FORWARD_O_WRITE)))
		return false;
	if ((flags & changing) && !(flags & AV_FORWARD_O_WRITE))
		return false;
	if ((flags & AV_FORWARD_O_EXCLUSIVE) && !(flags & AV_FORWARD_O_CREATE))
		return false;
	return !(flags & AV_FORWARD_O_DIRECTORY) || !(flags & AV_FORWARD_O_WRITE);
}

static uint64_t host_flags(uint32_t flags)
{
	/* A FIFO must not hold up the server, a terminal must not become its own. */
	uint64_t host = O_NONBLOCK | O_NOCTTY;

	if ((flags & AV_FORWARD_O_READ) && (flags & AV_FORWARD_O_WRITE))
		host |= O_RDWR;
	else
		host |= flags & AV_FORWARD_O_WRITE ? O_WRONLY : O_RDONLY;
	host |= flags & AV_FORWARD_O_CREATE ? O_CREAT : 0;
	host |= flags & AV_FORWARD_O_EXCLUSIVE ? O_EXCL : 0;
	host |= flags & AV_FORWARD_O_TRUNCATE ? O_TRUNC : 0;
	host |= flags & AV_FORWARD_O_APPEND ? O_APPEND : 0;
	host |= flags & AV_FORWARD_O_DIRECTORY ? O_DIRECTORY : 0;
	return host;
}

/*
 * A device may do something when it is opened: look what it is first. Who swaps a device in between the two has
 * rights on the host that no guest has.
 */
static int refuse_device(int root, const char *path)
{
	struct stat stat;
	int fd = beneath(root, path, O_PATH, 0), error = 0;

	if (fd < 0)
		return 0; /* the open itself says why */
	if (fstat(fd, &stat) == 0 && type_of(stat.st_mode) == AV_FORWARD_TYPE_OTHER)
		error = AV_FORWARD_E_DENIED;
	close(fd);
	return error;
}

int confine_open(int root, const char *path, uint32_t flags, uint32_t mode, uint32_t *type)
{
	struct stat stat;
	uint64_t bits = flags & AV_FORWARD_O_CREATE ? mode : 0;
	int fd, error;

	if (!flags_make_sense(flags) || (mode & ~0777u))
		return AV_FORWARD_E_INVALID;
	error = refuse_device(root, path);
	if (error)
		return error;
	fd = beneath(root, path, host_flags(flags), bits);
	if (fd < 0)
		return confine_error(errno);
	if (fstat(fd, &stat) < 0) {
		error = confine_error(errno);
	} else {
		*type = type_of(stat.st_mode);
		if (*type == AV_FORWARD_TYPE_OTHER)
			error = AV_FORWARD_E_DENIED;
		else if (*type == AV_FORWARD_TYPE_DIRECTORY && !(flags & AV_FORWARD_O_DIRECTORY))
			error = AV_FORWARD_E_IS_DIRECTORY;
	}
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

int confine_stat(int root, const char *path, struct av_forward_stat *out)
{
	struct stat stat;
	int fd = beneath(root, path, O_PATH, 0), error = 0;

	if (fd < 0)
		return confine_error(errno);
	if (fstat(fd, &stat) < 0)
		error = confine_error(errno);
	else
		confine_fill_stat(&stat, out);
	close(fd);
	return error;
}

/* The folder that path's last part is in: a descriptor, *name that part. */
static int parent_of(int root, const char *path, const char **name)
{
	char folder[AV_FORWARD_PATH_MAX + 1];
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	int fd;

	*name = slash ? slash + 1 : path;
	if (path[0] == '/')
		return AV_FORWARD_E_OUTSIDE;
	if (length >= sizeof(folder))
		return AV_FORWARD_E_TOO_LONG;
	if (!**name || !strcmp(*name, "."))
		return AV_FORWARD_E_INVALID;
	if (!strcmp(*name, ".."))
		return AV_FORWARD_E_OUTSIDE;
	memcpy(folder, path, length);
	folder[length] = '\0';
	fd = beneath(root, length ? folder : ".", O_PATH | O_DIRECTORY, 0);
	return fd < 0 ? confine_error(errno) : fd;
}

int confine_unlink(int root, const char *path, bool directory)
{
	const char *name;
	int folder = parent_of(root, path, &name), result = 0;

	if (folder < 0)
		return folder;
	/* Takes the entry itself away, never follows a link. */
	if (unlinkat(folder, name, directory ? AT_REMOVEDIR : 0) < 0)
		result = confine_error(errno);
	close(folder);
	return result;
}

int confine_mkdir(int root, const char *path, uint32_t mode)
{
	const char *name;
	int folder, result = 0;

	if (mode & ~0777u)
		return AV_FORWARD_E_INVALID;
	folder = parent_of(root, path, &name);
	if (folder < 0)
		return folder;
	if (mkdirat(folder, name, (mode_t)mode) < 0)
		result = confine_error(errno);
	close(folder);
	return result;
}
