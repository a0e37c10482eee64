/* SPDX-License-Identifier: MIT */
/*
 * mkbundle.c - mkbundle SET.yaml CONTROL.elf RAMFILE: make the RAM file that `avctl up` would make.
 * For tests that start QEMU by hand. Never starts anything itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bundle/bundle.h"

static int write_ram(const struct set *set, const char *control, const char *path)
{
	uint64_t *pa = calloc(set->region_count + 1, sizeof(*pa));
	struct bundle_error error;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int status = 1;

	if (!pa || fd < 0 || ftruncate(fd, (off_t)set->memory)) {
		fprintf(stderr, "mkbundle: %s: %s\n", path, strerror(errno));
	} else if (bundle_write(set, control, fd, pa, &error)) {
		fprintf(stderr, "mkbundle: %s\n", error.message);
		if (error.hint[0])
			fprintf(stderr, "hint: %s\n", error.hint);
	} else {
		printf("memory=%" PRIu64 " cpus=%u cpu=%s\n", set->memory, set->cpu_count,
		       set->cpu_model);
		for (size_t i = 0; i < set->region_count; i++)
			printf("region %s ipa=0x%" PRIx64 " pa=0x%" PRIx64 "\n",
			       set->regions[i].name, set->regions[i].address, pa[i]);
		status = 0;
	}
	if (fd >= 0)
		close(fd);
	free(pa);
	return status;
}

int main(int argc, char **argv)
{
	struct set_errors errors = {0};
	struct set *set;
	int status = 5;

	if (argc != 4) {
		fputs("usage: mkbundle SET.yaml CONTROL.elf RAMFILE\n", stderr);
		return 2;
	}
	set = set_load(argv[1], &errors);
	if (set)
		status = write_ram(set, argv[2], argv[3]);
	else
		set_errors_print(&errors, stderr);
	set_free(set);
	set_errors_free(&errors);
	return status;
}
