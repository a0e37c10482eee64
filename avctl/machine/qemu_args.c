/* SPDX-License-Identifier: MIT */
/*
 * qemu_args.c - the QEMU command line of a set (DESIGN 4 and 12). Pure: looks at the set and the
 * environment, touches nothing. Never -semihosting: it opens host files to guests.
 */
#include "machine/qemu.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list {
	char **items;
	size_t count;
};

static void add(struct list *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct list *list, const char *format, ...)
{
	char **items = reallocarray(list->items, list->count + 2, sizeof(*items));
	va_list args;

	if (!items)
		abort();
	list->items = items;
	va_start(args, format);
	if (vasprintf(&items[list->count], format, args) < 0)
		abort();
	va_end(args);
	items[++list->count] = NULL;
}

/* A comma in a value of QEMU's key=value lists is written twice. malloc()ed. */
static char *escape(const char *text)
{
	char *copy = malloc(strlen(text) * 2 + 1);
	char *to = copy;

	if (!copy)
		abort();
	for (; *text; text++) {
		if (*text == ',')
			*to++ = ',';
		*to++ = *text;
	}
	*to = '\0';
	return copy;
}

static void add_port(struct list *list, const char *device, const char *vm, const char *port,
		     const char *log_dir)
{
	char name[128];

	if (vm)
		snprintf(name, sizeof(name), "%s.%s", vm, port);
	else
		snprintf(name, sizeof(name), "%s", port);
	add(list, "-chardev");
	if (log_dir)
		add(list,
		    "socket,id=port-%s,path=%s,server=on,wait=off,logfile=%s/%s.log,logappend=off",
		    name, name, log_dir, name);
	else
		add(list, "socket,id=port-%s,path=%s,server=on,wait=off", name, name);
	add(list, "-device");
	add(list, "%s,chardev=port-%s,name=%s", device, name, name);
}

static void add_extra(struct list *list)
{
	const char *extra = getenv("AVCTL_QEMU_ARGS");
	char *copy, *save, *word;

	if (!extra || !*extra)
		return;
	copy = strdup(extra);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		add(list, "%s", word);
	free(copy);
}

static void add_machine(struct list *list, const struct set *set, const struct qemu_files *files)
{
	const char *icount = getenv("AVCTL_QEMU_ARGS");
	bool single = set->cpu_count == 1 || (icount && strstr(icount, "-icount"));
	char *ram = escape(files->ram_file);
	char *logs = escape(files->log_dir);

	add(list, "-M");
	add(list, "virt,virtualization=on,gic-version=3,memory-backend=ram");
	add(list, "-cpu");
	add(list, "%s", set->cpu_model);
	add(list, "-smp");
	add(list, "%u", set->cpu_count);
	add(list, "-accel");
	add(list, "tcg,thread=%s", single ? "single" : "multi");
	add(list, "-m");
	add(list, "%" PRIu64 "M", set->memory >> 20);
	add(list, "-object");
	add(list, "memory-backend-file,id=ram,size=%" PRIu64 ",mem-path=%s,share=on", set->memory,
	    ram);
	add(list, "-kernel");
	add(list, "%s", files->hypervisor);
	add(list, "-nodefaults");
	add(list, "-no-user-config");
	add(list, "-display");
	add(list, "none");
	add(list, "-sandbox");
	add(list, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	add(list, "-qmp");
	add(list, "unix:qmp.sock,server=on,wait=off");
	add(list, "-chardev");
	add(list, "file,id=hypervisor-log,path=%s/hypervisor.log", logs);
	add(list, "-serial");
	add(list, "chardev:hypervisor-log");
	add(list, "-global");
	add(list, "virtio-mmio.force-legacy=false");
	add(list, "-device");
	add(list, "virtio-serial-device,max_ports=64");
	free(ram);
	free(logs);
}

static void add_ports(struct list *list, const char *vm, const char *logs)
{
	add_port(list, "virtconsole", vm, "console", logs);
	add_port(list, "virtconsole", vm, "hvc0", logs);
	add_port(list, "virtserialport", vm, "agent", NULL);
}

char **qemu_args(const struct set *set, const struct qemu_files *files)
{
	const char *qemu = getenv("AVCTL_QEMU");
	struct list list = {0};
	char *logs = escape(files->log_dir), slot[AV_SLOT_NAME];

	add(&list, "%s", qemu && *qemu ? qemu : "qemu-system-aarch64");
	add(&list, "-name");
	add(&list, "avisor-%s", set->name);
	add_machine(&list, set, files);
	add_port(&list, "virtserialport", NULL, "control", NULL);
	for (size_t i = 0; i < set->vm_count; i++)
		add_ports(&list, set->vms[i].name, logs);
	for (unsigned i = 0; i < set->spare.count; i++)
		add_ports(&list, set_slot_name(i, slot), logs);
	add_extra(&list);
	free(logs);
	return list.items;
}

void qemu_args_free(char **args)
{
	for (size_t i = 0; args && args[i]; i++)
		free(args[i]);
	free(args);
}

void qemu_args_print(char *const *args, void *stream)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";

	for (size_t i = 0; args[i]; i++) {
		const char *arg = args[i];

		fputs(i ? (*arg == '-' ? " \\\n  " : " ") : "", stream);
		if (*arg && strspn(arg, plain) == strlen(arg)) {
			fputs(arg, stream);
			continue;
		}
		fputc('\'', stream);
		for (; *arg; arg++) {
			if (*arg == '\'')
				fputs("'\\''", stream);
			else
				fputc(*arg, stream);
		}
		fputc('\'', stream);
	}
	fputc('\n', stream);
}
