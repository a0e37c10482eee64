/* SPDX-License-Identifier: MIT */
/*
 * paths.c - which folders and files belong to a set.
 * Never follows a link that somebody else may have put under /tmp, and never opens a folder up.
 */
#include "machine/paths.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char *env(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static char *join(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *join(const char *format, ...)
{
	char *text;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		abort();
	return text;
}

char *paths_runtime_root(void)
{
	const char *runtime = env("XDG_RUNTIME_DIR");

	if (runtime && *runtime == '/')
		return join("%s/avisor", runtime);
	return join("/tmp/avisor-%u", (unsigned)getuid());
}

char *paths_runtime(const char *set)
{
	char *root = paths_runtime_root();
	char *path = join("%s/%s", root, set);

	free(root);
	return path;
}

char *paths_logs(const char *set)
{
	const char *state = env("XDG_STATE_HOME");
	const char *home = env("HOME");

	if (state && *state == '/')
		return join("%s/avisor/%s", state, set);
	if (home && *home == '/')
		return join("%s/.local/state/avisor/%s", home, set);
	return join("/tmp/avisor-%u/logs/%s", (unsigned)getuid(), set);
}

int paths_make(const char *folder)
{
	char path[PATH_MAX];
	struct stat info;

	if (snprintf(path, sizeof(path), "%s", folder) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	for (char *at = path + 1;; at++) {
		char end = *at;

		if (end != '/' && end != '\0')
			continue;
		*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -1;
		/* What is called avisor* and all below it must be ours. */
		if (strstr(path, "/avisor")) {
			if (lstat(path, &info) < 0)
				return -1;
			if (!S_ISDIR(info.st_mode) || info.st_uid != getuid()) {
				errno = EPERM;
				return -1;
			}
			if ((info.st_mode & 0077) && chmod(path, 0700) < 0)
				return -1;
		}
		*at = end;
		if (!end)
			return 0;
	}
}

static bool has_room(const char *folder, uint64_t size, uint64_t *room)
{
	struct statvfs info;

	*room = 0;
	if (access(folder, W_OK | X_OK) < 0 || statvfs(folder, &info) < 0)
		return false;
	*room = (uint64_t)info.f_bavail * info.f_frsize;
	return *room >= size;
}

char *paths_ram_dir(uint64_t size, char *tried, unsigned tried_size)
{
	const char *folders[] = {env("AVCTL_RAM_DIR"), "/dev/shm", env("XDG_RUNTIME_DIR"),
				 "/var/tmp"};
	unsigned used = 0;

	if (tried_size)
		*tried = '\0';
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		uint64_t room;

		if (!folders[i])
			continue;
		if (has_room(folders[i], size, &room))
			return strdup(folders[i]);
		used += (unsigned)snprintf(tried + used, tried_size - used,
					   "%s%s (%" PRIu64 " MiB)", used ? ", " : "", folders[i],
					   room >> 20);
		if (used >= tried_size)
			used = tried_size ? tried_size - 1 : 0;
	}
	return NULL;
}

/*
 * Two runtime roots may have a set of the same name: the file's name carries a hash of the runtime
 * folder.
 */
char *paths_ram_file(const char *folder, const char *set)
{
	char *runtime = paths_runtime(set);
	uint32_t hash = 2166136261u;
	char *path;

	for (const char *at = runtime; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	path = join("%s/avisor-%u-%s-%08" PRIx32 ".ram", folder, (unsigned)getuid(), set, hash);
	free(runtime);
	return path;
}

/* The real path of folder/between/name when it can be read, else NULL. */
static char *image_in(const char *folder, const char *between, const char *name)
{
	char *path = join("%s%s/%s", folder, between, name);
	char *found = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;

	free(path);
	return found;
}

char *paths_image(const char *name)
{
	static const char *const places[] = {"", "/../lib/avisor", "/../build"};
	char self[PATH_MAX];
	ssize_t length;

	if (env("AVCTL_LIBDIR"))
		return image_in(env("AVCTL_LIBDIR"), "", name);
	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length <= 0)
		return NULL;
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = image_in(self, places[i], name);

		if (path)
			return path;
	}
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **paths_sets(void)
{
	char *root = paths_runtime_root();
	char **sets = calloc(1, sizeof(*sets));
	DIR *folder = opendir(root);
	struct dirent *entry;
	size_t count = 0;

	while (folder && sets && (entry = readdir(folder))) {
		char *path;
		char **grown;

		if (entry->d_name[0] == '.')
			continue;
		path = join("%s/%s/machine.json", root, entry->d_name);
		if (access(path, R_OK) == 0) {
			grown = reallocarray(sets, count + 2, sizeof(*sets));
			if (!grown)
				abort();
			sets = grown;
			sets[count++] = strdup(entry->d_name);
			sets[count] = NULL;
		}
		free(path);
	}
	if (folder)
		closedir(folder);
	free(root);
	if (sets && count)
		qsort(sets, count, sizeof(*sets), by_name);
	return sets;
}

void paths_sets_free(char **sets)
{
	for (size_t i = 0; sets && sets[i]; i++)
		free(sets[i]);
	free(sets);
}
