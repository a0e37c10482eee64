/* SPDX-License-Identifier: MIT */
/*
 * fuzz_yaml.c - any bytes as a set file: loaded or refused with errors, and what is loaded becomes a bundle that EL2
 * accepts.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bundle/bundle.h"
#include "config/config.h"
#include "config_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct set *set)
{
	struct bundle_error error;
	char control[256];
	int fd = memfd_create("ram", 0);

	snprintf(control, sizeof(control), "%s", config_files_path("guest.elf"));
	/* The set promises that its bundle fits; only what took the control VM's place may be wrong. */
	if (fd < 0 || ftruncate(fd, (off_t)set->memory) ||
	    bundle_write(set, control, fd, NULL, &error)) {
		fprintf(stderr, "%s\n", error.message);
		abort();
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	struct set_errors errors = {0};
	struct set *set;

	if (!nowhere) {
		config_files_make();
		atexit(config_files_remove);
		nowhere = fopen("/dev/null", "w");
	}
	set = set_load(config_files_write("fuzz.yaml", data, size), &errors);
	if (!set == !errors.count)
		abort();
	for (size_t i = 0; i < errors.count; i++)
		if (!strncmp(errors.list[i].message, "libcyaml refuses", 16) ||
		    !strcmp(errors.list[i].message, "out of memory"))
			abort();
	set_errors_print(&errors, nowhere);
	json_decref(config_errors_json(&errors));
	if (set) {
		config_show_yaml(set, nowhere);
		json_decref(config_show_json(set));
		use(set);
	}
	set_free(set);
	set_errors_free(&errors);
	return 0;
}
