/* SPDX-License-Identifier: MIT */
/*
 * set.c - loading a set file: read, tree, table, libcyaml, meaning.
 * Never returns a set that has an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "check.h"

#define FILE_SIZE_MAX (1024 * 1024)

static const struct set_mark nowhere = {0, 0};

/* Read the whole file into errors->source, with a NUL behind it. */
static bool read_source(const char *path, struct set_errors *errors)
{
	struct stat info = {0};
	size_t size = 0;
	ssize_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 || fstat(fd, &info) || S_ISDIR(info.st_mode)) {
		bool folder = fd >= 0 && S_ISDIR(info.st_mode);

		errors_add(errors, nowhere, "cannot be read: %s",
			   strerror(folder ? EISDIR : errno));
		errors_hint(errors, "name a set file with -f FILE");
		if (fd >= 0)
			close(fd);
		return false;
	}
	errors->source = malloc(FILE_SIZE_MAX + 2);
	if (!errors->source)
		errors_out_of_memory(errors);
	while (errors->source && size <= FILE_SIZE_MAX) {
		got = read(fd, errors->source + size, FILE_SIZE_MAX + 1 - size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		size += (size_t)got;
	}
	if (got < 0)
		errors_add(errors, nowhere, "cannot be read: %s", strerror(errno));
	close(fd);
	if (!errors->source || got < 0)
		return false;
	errors->source[size] = 0;
	errors->source_size = size;
	if (size > FILE_SIZE_MAX) {
		errors->source_size = 0;
		errors_add(errors, nowhere, "the file is larger than 1MiB");
		errors_hint(errors, "a set is a few kilobytes of YAML; is this the right file?");
		return false;
	}
	return true;
}

/* Load the tree through libcyaml: from the file's own bytes, or, when parts had to be cut off, from what is left. */
static bool load_raw(struct raw *raw, struct arena *arena, const struct node *root,
		     struct set_errors *errors)
{
	char *rest;
	size_t size;
	bool good;

	if (!errors->count)
		return raw_load(raw, arena, root, errors->source, errors->source_size, errors);
	rest = tree_write(root, &size);
	if (!rest) {
		errors_out_of_memory(errors);
		return false;
	}
	good = raw_load(raw, arena, root, rest, size, errors);
	free(rest);
	return good;
}

static struct set *make_set(const struct raw *raw, const struct node *root,
			    struct set_errors *errors)
{
	struct check check = {.raw = raw, .root = root, .errors = errors};
	char real[PATH_MAX];
	char *slash;

	check.set = check_array(&check, 1, sizeof(*check.set));
	if (!check.set)
		return NULL;
	if (!realpath(errors->path, real)) {
		errors_add(errors, nowhere, "its path cannot be resolved: %s", strerror(errno));
		return check.set;
	}
	check.set->path = check_copy(&check, real);
	if (!check.set->path)
		return check.set;
	slash = strrchr(real, '/');
	slash[slash == real] = 0;
	check.directory = real;
	check_set(&check);
	return check.set;
}

static struct set *load(struct arena *arena, struct set_errors *errors)
{
	struct raw raw = {0};
	struct set *set = NULL;
	struct node *root;

	root = tree_read(arena, errors->source, errors->source_size, errors);
	if (!root)
		return NULL;
	schema_check(root, errors);
	if (!errors_is_out_of_memory(errors) && load_raw(&raw, arena, root, errors))
		set = make_set(&raw, root, errors);
	raw_free(&raw);
	return set;
}

struct set *set_load(const char *path, struct set_errors *errors)
{
	struct arena arena = {0};
	struct set *set = NULL;

	errors->path = malloc(strlen(path) + 1);
	if (!errors->path) {
		errors_out_of_memory(errors);
		return NULL;
	}
	strcpy(errors->path, path);
	if (read_source(path, errors))
		set = load(&arena, errors);
	arena_free(&arena);
	errors_sort(errors);
	if (!errors->count)
		return set;
	set_free(set);
	return NULL;
}

static void region_free(struct set_region *region)
{
	set_fields_free(region);
	free(region->members);
	free(region->init);
	free(region->name);
}

void set_free(struct set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->vm_count; i++) {
		free(set->vms[i].name);
		free(set->vms[i].slot);
		free(set->vms[i].image);
		free(set->vms[i].initrd);
		free(set->vms[i].flash);
		free(set->vms[i].dtb);
		free(set->vms[i].bootargs);
	}
	for (size_t i = 0; i < set->region_count; i++)
		region_free(&set->regions[i]);
	free(set->vms);
	free(set->regions);
	free(set->name);
	free(set->path);
	free(set->cpu_model);
	free(set);
}
