/* SPDX-License-Identifier: MIT */
/*
 * snapshot_files.c - the shape of a VM against that of a file, places of state, and how far it is.
 * A file that does not fit is refused by the name of the first field, before anything is touched.
 */
#include "cmd/snapshot_files.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <avisor/hypercall.h>
#include <avisor/manifest.h>

#define SHOW_EVERY_NS 100000000u
#define BAR 20

int files_error(const struct file_error *error, const char *path)
{
	if (*error->field)
		return out_error(RC_INTEGRITY, "", "%s: %s: %s", path, error->field, error->text);
	return out_error(RC_FAILED, "", "%s: %s", path, error->text);
}

int files_open(struct file_reader *reader, const char *path)
{
	struct files_progress progress = {.what = "verify"};
	const struct file_sink sink = {
		.progress = (void (*)(void *, uint64_t, uint64_t))files_progress, .ctx = &progress};
	struct file_error error = {"", ""};
	int result;

	if (!file_open(reader, path, &error))
		return files_error(&error, path);
	if (file_scan(reader, &sink, &error)) {
		out_progress(NULL);
		return RC_OK;
	}
	result = files_error(&error, path);
	file_close(reader);
	return result;
}

void files_progress(struct files_progress *p, uint64_t done, uint64_t total)
{
	uint64_t now = agent_now(), spent;
	char bar[BAR + 1], sizes[3][32], left[32];

	if (!p->started)
		p->started = p->shown = now;
	if (!isatty(STDERR_FILENO) || now - p->shown < SHOW_EVERY_NS || !total || !done)
		return;
	p->shown = now;
	spent = now - p->started;
	memset(bar, '.', BAR);
	memset(bar, '#', done >= total ? BAR : done * BAR / total);
	bar[BAR] = '\0';
	out_progress("%s [%s] %s of %s, %s/s, %s left", p->what, bar, out_size(sizes[0], done),
		     out_size(sizes[1], total),
		     out_size(sizes[2], (uint64_t)((double)done * 1e9 / (double)spent)),
		     out_duration(left, (uint64_t)((double)(total - done) / (double)done *
						   (double)spent)));
}

bool files_ram_read(int fd, uint64_t pa, void *to, size_t size)
{
	size_t done = 0;

	while (pa >= AV_RAM_PA && done < size) {
		ssize_t n =
			pread(fd, (char *)to + done, size - done, (off_t)(pa - AV_RAM_PA + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return done == size;
}

bool files_ram_write(int fd, uint64_t pa, const void *from, size_t size)
{
	size_t done = 0;
	off_t end = lseek(fd, 0, SEEK_END);

	/* Never beyond its end: the machine's memory does not grow. */
	if (pa < AV_RAM_PA || end < 0 || pa - AV_RAM_PA + size > (uint64_t)end)
		return false;
	while (done < size) {
		ssize_t n = pwrite(fd, (const char *)from + done, size - done,
				   (off_t)(pa - AV_RAM_PA + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void take_crm(void *to, const struct line *row)
{
	struct avs_header *shape = to;
	uint64_t crm;
	char key[4] = "id";

	if (!line_number(row, "crm", &crm) || crm > 7)
		return;
	for (unsigned i = 0; i < 8; i++) {
		key[2] = (char)('0' + i);
		line_hex(row, key, &shape->id_registers[crm * 8 + i]);
	}
}

/* Of the Avisor that runs: avctl may be another since `up`. */
static int running_version(struct ctx *ctx, const char *vm, char *to, size_t size)
{
	struct agent_request request;
	struct agent_reply reply;
	const char *version;

	agent_begin(&request, "hello");
	if (agent_call(ctx->agent, &request, NULL, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm, NULL);
	version = line_text(&reply.end, "version");
	if (!version)
		return out_error(RC_FAILED, "avctl version", "the agent's answer is incomplete");
	snprintf(to, size, "%s", version);
	return RC_OK;
}

int files_shape(struct ctx *ctx, const char *vm, struct avs_header *shape)
{
	struct agent_sink sink = {.row = take_crm, .to = shape};
	struct agent_request request;
	struct agent_reply reply;
	struct files_place places[FILES_PARTS_MAX];
	struct avs_part parts[FILES_PARTS_MAX];
	uint64_t vcpus = 0, flags = 0;
	const struct line *end = &reply.end;
	int result;

	memset(shape, 0, sizeof(*shape));
	shape->abi_major = AV_ABI_MAJOR;
	shape->abi_minor = AV_ABI_MINOR;
	snprintf(shape->platform, sizeof(shape->platform), "%s", AVS_PLATFORM);
	result = running_version(ctx, vm, shape->version, sizeof(shape->version));
	if (result != RC_OK)
		return result;
	agent_begin(&request, "shape");
	line_add_text(&request.line, "vm", vm);
	if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm, NULL);
	if (!line_hex(end, "ram_base", &shape->ram_base) ||
	    !line_number(end, "ram_size", &shape->ram_size) || !line_number(end, "vcpus", &vcpus) ||
	    !line_hex(end, "flags", &flags) ||
	    !line_number(end, "counter_hz", &shape->counter_hz) ||
	    !line_hex(end, "clock_origin", &shape->clock_origin) ||
	    !line_hex(end, "midr", &shape->midr) || !line_hex(end, "ctr", &shape->ctr))
		return out_error(RC_FAILED, "avctl version", "the agent's answer is incomplete");
	if (flags & AV_VM_FLAG_FLASH)
		return out_error(
			RC_WRONG_STATE, "",
			"%s has flash: its snapshots cannot be in files, as what was never "
			"written to it is not in them",
			vm);
	shape->vcpu_count = (uint32_t)vcpus;
	result = files_places(ctx, vm, "boot", places, &shape->part_count);
	for (uint32_t i = 0; result == RC_OK && i < shape->part_count; i++)
		parts[i] = places[i].part;
	if (result == RC_OK)
		shape->state_layout = file_state_layout(parts, shape->part_count);
	return result;
}

static int refuse(const char *path, const char *vm, const char *field, const char *in_file,
		  const char *wanted)
{
	return out_error(RC_INTEGRITY, "", "%s does not fit %s: %s is %s in the file and %s here",
			 path, vm, field, in_file, wanted);
}

static int compare_number(const char *path, const char *vm, const char *field, uint64_t in_file,
			  uint64_t wanted)
{
	char text[2][32];

	if (in_file == wanted)
		return RC_OK;
	return refuse(path, vm, field, out_text(text[0], 32, "0x%" PRIx64, in_file),
		      out_text(text[1], 32, "0x%" PRIx64, wanted));
}

static int compare_size(const char *path, const char *vm, uint64_t in_file, uint64_t wanted)
{
	char text[2][32];

	if (in_file == wanted)
		return RC_OK;
	return refuse(path, vm, "ram_size", out_size(text[0], in_file), out_size(text[1], wanted));
}

int files_compare_config(const struct avs_header *file, const struct set_vm *vm, const char *path)
{
	int result = compare_number(path, vm->name, "ram_base", file->ram_base, vm->ram_base);

	if (vm->flash)
		return out_error(RC_WRONG_STATE, "", "%s has flash: it cannot start from a file",
				 vm->name);
	if (result == RC_OK)
		result = compare_size(path, vm->name, file->ram_size, vm->ram_size);
	if (result == RC_OK)
		result = compare_number(path, vm->name, "vcpu_count", file->vcpu_count,
					vm->vcpu_count);
	return result;
}

int files_compare(const struct avs_header *file, const struct avs_header *shape, const char *path,
		  const char *vm)
{
	const struct {
		const char *name;
		uint64_t in_file, wanted;
	} numbers[] = {
#define NUMBER(field) {#field, file->field, shape->field}
		NUMBER(abi_major),  NUMBER(abi_minor),    NUMBER(ram_base),   NUMBER(vcpu_count),
		NUMBER(midr),       NUMBER(ctr),          NUMBER(counter_hz), NUMBER(clock_origin),
		NUMBER(part_count), NUMBER(state_layout),
#undef NUMBER
	};
	int result = compare_size(path, vm, file->ram_size, shape->ram_size);

	if (strcmp(file->platform, shape->platform) != 0)
		return refuse(path, vm, "platform", file->platform, shape->platform);
	if (strcmp(file->version, shape->version) != 0)
		return refuse(path, vm, "version", file->version, shape->version);
	for (size_t i = 0; result == RC_OK && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		result = compare_number(path, vm, numbers[i].name, numbers[i].in_file,
					numbers[i].wanted);
	for (unsigned i = 0; result == RC_OK && i < 64; i++) {
		char field[32];

		snprintf(field, sizeof(field), "id_registers[%u]", i);
		result = compare_number(path, vm, field, file->id_registers[i],
					shape->id_registers[i]);
	}
	return result;
}

struct places {
	struct files_place *items;
	uint32_t count;
};

static void take_place(void *to, const struct line *row)
{
	struct places *places = to;
	struct files_place *place = &places->items[places->count];
	const char *name = line_text(row, "part");
	uint64_t size;

	if (places->count == FILES_PARTS_MAX || !name || !line_number(row, "size", &size) ||
	    size > FILE_PAGE || !line_hex(row, "pa", &place->pa))
		return;
	memset(&place->part, 0, sizeof(place->part));
	snprintf(place->part.name, sizeof(place->part.name), "%s", name);
	place->part.size = (uint32_t)size;
	places->count++;
}

static void drop_places(void *to)
{
	((struct places *)to)->count = 0;
}

int files_places(struct ctx *ctx, const char *vm, const char *id, struct files_place *places,
		 uint32_t *count)
{
	struct places found = {places, 0};
	struct agent_sink sink = {.row = take_place, .restart = drop_places, .to = &found};
	struct agent_request request;
	struct agent_reply reply;

	agent_begin(&request, "places");
	line_add_text(&request.line, "vm", vm);
	line_add_text(&request.line, "id", id);
	if (agent_call(ctx->agent, &request, &sink, false, &reply) != AGENT_OK)
		return ctx_agent_error(ctx, &reply, vm, "such snapshot");
	*count = found.count;
	return found.count
		       ? RC_OK
		       : out_error(RC_FAILED, "avctl version", "the agent's answer is incomplete");
}
