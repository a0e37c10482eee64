/* SPDX-License-Identifier: MIT */
/*
 * bundle.c - the manifest and the segments behind it, written into the RAM file.
 * Never writes outside [AV_BUNDLE_PA, end of machine RAM), and never leaves a manifest behind that EL2 would refuse:
 * the same check runs here.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <avisor/hypercall.h>
#include <core/manifest.h>
#include "budget.h"
#include "bundle.h"
#include "place.h"
#include "segments.h"
#include "own_dtb.h"
#include "unpack.h"

#define PAGE BUDGET_PAGE

struct builder {
	const struct set *set;
	int fd;
	struct bundle_error *error;
	uint64_t end; /* of the bundle so far */
	struct av_manifest head;
	struct av_manifest_vm vms[AV_VM_MAX];
	struct av_manifest_segment segments[AV_SEGMENT_MAX];
	uint64_t hashes[AV_SEGMENT_MAX]; /* of the segments' bytes */
	struct av_manifest_region regions[AV_REGION_MAX];
	struct av_manifest_member members[AV_MEMBER_MAX];
};

static bool fail(struct builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct builder *b, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(b->error->message, sizeof(b->error->message), format, arguments);
	va_end(arguments);
	return false;
}

static bool fail_file(struct builder *b, const char *vm, const char *path,
		      const struct image_error *error)
{
	snprintf(b->error->hint, sizeof(b->error->hint), "%s", error->hint);
	return fail(b, "%s: %s: %s", vm, path, error->message);
}

static uint64_t page_up(uint64_t value)
{
	return (value + PAGE - 1) & ~(PAGE - 1);
}

/* Write bytes at offset of the bundle. */
static bool write_at(struct builder *b, const void *bytes, uint64_t size, uint64_t offset)
{
	const uint8_t *from = bytes;

	offset += AV_BUNDLE_PA - AV_RAM_PA;
	while (size) {
		ssize_t done = pwrite(b->fd, from, size, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return fail(b, "the RAM file cannot be written: %s",
				    strerror(done ? errno : ENOSPC));
		from += done;
		offset += (uint64_t)done;
		size -= (uint64_t)done;
	}
	return true;
}

/* Reserve size bytes of the bundle. */
static bool reserve(struct builder *b, uint64_t size, uint64_t *offset)
{
	uint64_t room = b->set->memory - (AV_BUNDLE_PA - AV_RAM_PA);

	*offset = b->end;
	if (page_up(size) > room || b->end > room - page_up(size))
		return fail(b, "the images of this set do not fit machine.memory");
	b->end += page_up(size);
	return true;
}

/* True when the bundle already has these bytes at offset. */
static bool is_same(const struct builder *b, const struct segments_run *run, uint64_t offset)
{
	uint8_t page[4096];

	for (uint64_t at = 0; at < run->size; at += sizeof(page)) {
		size_t part =
			run->size - at < sizeof(page) ? (size_t)(run->size - at) : sizeof(page);

		if (pread(b->fd, page, part, (off_t)(offset + at + AV_BUNDLE_PA - AV_RAM_PA)) !=
			    (ssize_t)part ||
		    memcmp(page, run->bytes + at, part))
			return false;
	}
	return true;
}

/* Add one segment; bytes that an earlier one has are not stored again. */
static bool add_segment(struct builder *b, const struct segments_run *run)
{
	uint64_t hash = av_checksum(run->bytes, run->size, AV_CHECKSUM_INIT);
	struct av_manifest_segment *segment = &b->segments[b->head.segment_count];

	if (b->head.segment_count == AV_SEGMENT_MAX)
		return fail(b, "the images of this set have more than %d parts", AV_SEGMENT_MAX);
	segment->ipa = run->ipa;
	segment->size = run->size;
	b->hashes[b->head.segment_count] = hash;
	for (uint32_t i = 0; i < b->head.segment_count; i++) {
		if (b->hashes[i] == hash && b->segments[i].size == run->size &&
		    is_same(b, run, b->segments[i].offset)) {
			segment->offset = b->segments[i].offset;
			b->head.segment_count++;
			return true;
		}
	}
	if (!reserve(b, run->size, &segment->offset) ||
	    !write_at(b, run->bytes, run->size, segment->offset))
		return false;
	b->head.segment_count++;
	return true;
}

static bool add_segments(struct builder *b, struct av_manifest_vm *vm,
			 const struct segments *segments)
{
	vm->segment_first = b->head.segment_count;
	for (size_t i = 0; i < segments->count; i++)
		if (!add_segment(b, &segments->runs[i]))
			return false;
	vm->segment_count = b->head.segment_count - vm->segment_first;
	return true;
}

/* What goes into one VM's RAM. */
struct contents {
	struct image image;
	struct placement place;
	int image_fd, initrd_fd, flash_fd;
	uint64_t initrd_size, flash_size;
	void *dtb;
	size_t dtb_size;
	struct segments segments;
};

static bool read_contents(struct contents *c, struct image_error *error)
{
	for (size_t i = 0; i < c->image.piece_count; i++) {
		const struct image_piece *piece = &c->image.pieces[i];

		if (piece->file_size &&
		    !image_read(c->image_fd, segments_at(&c->segments, piece->ipa),
				(size_t)piece->file_size, piece->offset, error))
			return false;
	}
	if (c->flash_size &&
	    !image_read(c->flash_fd, segments_at(&c->segments, 0), (size_t)c->flash_size, 0, error))
		return false;
	return !c->initrd_size ||
	       image_read(c->initrd_fd, segments_at(&c->segments, c->place.initrd_address),
			  (size_t)c->initrd_size, 0, error);
}

static bool gather(struct contents *c, struct image_error *error)
{
	bool good = true;

	for (size_t i = 0; i < c->image.piece_count; i++)
		good = good && segments_add(&c->segments, c->image.pieces[i].ipa,
					    c->image.pieces[i].file_size);
	good = good && segments_add(&c->segments, 0, c->flash_size);
	good = good && segments_add(&c->segments, c->place.initrd_address, c->initrd_size) &&
	       segments_add(&c->segments, c->place.dtb_address, c->dtb_size);
	if (!good || !segments_join(&c->segments))
		return image_fail(error, "out of memory");
	if (!read_contents(c, error))
		return false;
	if (c->dtb)
		memcpy(segments_at(&c->segments, c->place.dtb_address), c->dtb, c->dtb_size);
	return true;
}

/* Open the image again and place it: the file may have changed since the set was loaded. */
static bool open_contents(const struct set_vm *vm, struct contents *c, struct image_error *error)
{
	struct image_options options = {.ram_base = vm->ram_base,
					.kind = vm->image_kind,
					.has_kind = true,
					.load = vm->load,
					.has_load = vm->has_load};
	uint64_t size;

	c->image.low = c->image.high = vm->ram_base;
	if (vm->image) {
		if (!image_inspect(vm->image, &options, &c->image, &size, error))
			return false;
		c->image_fd = unpack_open(vm->image, &size, error);
		if (c->image_fd < 0)
			return false;
	}
	if (vm->flash) {
		c->flash_fd = image_open(vm->flash, &c->flash_size, error);
		if (c->flash_fd < 0)
			return false;
		if (!c->flash_size || c->flash_size > AV_FLASH_SIZE / 2)
			return image_fail(error,
					  "its size has changed to what no bank of flash holds");
	}
	if (vm->initrd) {
		c->initrd_fd = image_open(vm->initrd, &c->initrd_size, error);
		if (c->initrd_fd < 0)
			return false;
	}
	return place_vm(vm, &c->image, c->initrd_size, &c->place, error);
}

static void close_contents(struct contents *c)
{
	if (c->image_fd >= 0)
		close(c->image_fd);
	if (c->initrd_fd >= 0)
		close(c->initrd_fd);
	if (c->flash_fd >= 0)
		close(c->flash_fd);
	free(c->dtb);
	segments_free(&c->segments);
}

/* Put the contents of vm into the bundle; index is its number in the set, or SIZE_MAX for the control VM. */
static bool add_contents(struct builder *b, struct av_manifest_vm *out, const struct set_vm *vm,
			 size_t index)
{
	struct contents c = {.image_fd = -1, .initrd_fd = -1, .flash_fd = -1};
	const char *path = vm->image ? vm->image : vm->flash;
	struct image_error error;
	bool good;

	good = open_contents(vm, &c, &error) || fail_file(b, vm->name, path, &error);
	if (good && c.place.has_dtb && vm->dtb) {
		c.dtb = own_dtb_complete(vm, c.place.initrd_address,
					 c.place.initrd_address + c.initrd_size, &c.dtb_size,
					 &error);
		good = c.dtb || fail_file(b, vm->name, vm->dtb, &error);
	} else if (good && index != SIZE_MAX && c.place.has_dtb) {
		c.dtb = bundle_make_dtb(b->set, index, c.place.initrd_address,
					c.place.initrd_address + c.initrd_size, &c.dtb_size,
					b->error);
		good = c.dtb;
	}
	good = good && (gather(&c, &error) || fail_file(b, vm->name, path, &error));
	good = good && add_segments(b, out, &c.segments);
	if (good) {
		out->entry = c.place.entry;
		out->x0 = c.place.x0;
	}
	close_contents(&c);
	return good;
}

static struct av_manifest_vm *next_vm(struct builder *b, const char *name)
{
	struct av_manifest_vm *vm = &b->vms[b->head.vm_count++];

	memcpy(vm->name, name, strnlen(name, sizeof(vm->name) - 1));
	memset(vm->vcpu_cpu, 0xff, sizeof(vm->vcpu_cpu));
	vm->vcpu_count = 1;
	return vm;
}

static bool add_control(struct builder *b, const char *image)
{
	struct set_vm control = {.name = (char *)"control",
				 .image = (char *)image,
				 .image_kind = SET_IMAGE_ELF,
				 .ram_base = AV_RAM_PA,
				 .ram_size = BUDGET_CONTROL_RAM,
				 .no_dtb = true};
	struct av_manifest_vm *vm = next_vm(b, control.name);

	vm->flags = AV_VM_FLAG_CONTROL;
	vm->ram_base = control.ram_base;
	vm->ram_size = control.ram_size;
	vm->frame_budget = BUDGET_CONTROL_FRAMES;
	return add_contents(b, vm, &control, SIZE_MAX);
}

static bool add_vm(struct builder *b, size_t index)
{
	const struct set_vm *from = &b->set->vms[index];
	struct av_manifest_vm *vm = next_vm(b, from->name);

	vm->flags = (from->clock_follow ? AV_VM_FLAG_CLOCK_FOLLOW : 0U) |
		    (from->start_paused ? AV_VM_FLAG_PAUSED : 0U) |
		    (from->snapshot_refuse ? AV_VM_FLAG_REFUSE : 0U) |
		    (from->snapshot_copy_back ? AV_VM_FLAG_COPY_BACK : 0U) |
		    (from->no_shm ? AV_VM_FLAG_NO_SHM : 0U) | (from->flash ? AV_VM_FLAG_FLASH : 0U);
	vm->vcpu_count = from->vcpu_count;
	for (unsigned i = 0; i < from->vcpu_count; i++)
		if (from->vcpu_cpu[i] >= 0)
			vm->vcpu_cpu[i] = (uint8_t)from->vcpu_cpu[i];
	vm->ram_base = from->ram_base;
	vm->ram_size = from->ram_size;
	vm->frame_budget = budget_vm(b->set, index);
	vm->slice_ns = from->slice_ns;
	vm->snapshot_keep = from->snapshot_keep;
	return add_contents(b, vm, from, index);
}

static void add_spare(struct builder *b, unsigned index)
{
	char name[AV_SLOT_NAME];
	struct av_manifest_vm *vm = next_vm(b, set_slot_name(index, name));

	vm->flags = AV_VM_FLAG_SPARE;
	vm->vcpu_count = b->set->spare.cpus;
	vm->ram_base = AV_RAM_PA;
	vm->ram_size = b->set->spare.memory;
	vm->frame_budget = budget_spare(b->set);
	vm->segment_first = b->head.segment_count;
}

static bool add_region(struct builder *b, const struct set_region *from)
{
	struct av_manifest_region *region = &b->regions[b->head.region_count++];

	memcpy(region->name, from->name, strnlen(from->name, sizeof(region->name) - 1));
	region->ipa = from->address;
	region->size = from->size;
	region->member_first = b->head.member_count;
	region->member_count = (uint32_t)from->member_count;
	if (from->member_count > AV_MEMBER_MAX - b->head.member_count)
		return fail(b, "the regions of this set have more than %d members", AV_MEMBER_MAX);
	for (size_t i = 0; i < from->member_count; i++) {
		struct av_manifest_member *member = &b->members[b->head.member_count++];

		member->vm = from->members[i].vm + 1;
		member->rights = AV_RIGHT_READ | (from->members[i].write ? AV_RIGHT_WRITE : 0U);
	}
	region->output_size = from->output_size;
	return reserve(b, region->size + PAGE,
		       &region->offset) && /* the state table's page behind it */
	       write_at(b, from->init, from->init_size, region->offset);
}

static void append(uint8_t *bytes, size_t *size, const void *table, size_t table_size)
{
	memcpy(bytes + *size, table, table_size);
	*size += table_size;
}

/* Write the manifest, after checking it the way EL2 will. */
static bool finish(struct builder *b)
{
	uint8_t *bytes = aligned_alloc(64, AV_MANIFEST_SIZE_MAX);
	struct manifest_view view;
	const char *wrong;
	size_t size = 0;
	bool good;

	if (!bytes)
		return fail(b, "out of memory");
	b->head.bundle_size = b->end;
	append(bytes, &size, &b->head, sizeof(b->head));
	append(bytes, &size, b->vms, b->head.vm_count * sizeof(b->vms[0]));
	append(bytes, &size, b->segments, b->head.segment_count * sizeof(b->segments[0]));
	append(bytes, &size, b->regions, b->head.region_count * sizeof(b->regions[0]));
	append(bytes, &size, b->members, b->head.member_count * sizeof(b->members[0]));
	((struct av_manifest *)bytes)->manifest_size = (uint32_t)size;
	((struct av_manifest *)bytes)->checksum = av_checksum(bytes, size, AV_CHECKSUM_INIT);
	wrong = manifest_check((const struct av_manifest *)bytes, AV_MANIFEST_SIZE_MAX, &view);
	if (!wrong)
		wrong = manifest_check_frames(
			&view, budget_available(b->set->memory, b->end, budget_regions(b->set)));
	if (wrong)
		good = fail(b, "the bundle of this set would be refused: %s", wrong);
	else
		good = write_at(b, bytes, size, 0);
	free(bytes);
	return good;
}

static bool build(struct builder *b, const char *control_image, uint64_t *region_pa)
{
	if (b->set->vm_count + b->set->spare.count > AV_VM_MAX - 1 ||
	    b->set->region_count > AV_REGION_MAX)
		return fail(b, "too many VMs or regions");
	if (b->set->memory < AV_BUNDLE_PA - AV_RAM_PA + AV_MANIFEST_SIZE_MAX)
		return fail(b, "machine.memory is too little");
	if (getrandom(b->head.entropy, sizeof(b->head.entropy), 0) !=
	    (ssize_t)sizeof(b->head.entropy))
		return fail(b, "no random bytes: %s", strerror(errno));
	b->head.magic = AV_MANIFEST_MAGIC;
	b->head.abi_major = AV_ABI_MAJOR;
	b->head.abi_minor = AV_ABI_MINOR;
	b->head.ram_size = b->set->memory;
	b->head.shm_size = b->set->shm_size;
	b->head.set_size = b->set->sets_size;
	b->head.cpu_count = b->set->cpu_count;
	b->end = AV_MANIFEST_SIZE_MAX;
	if (!add_control(b, control_image))
		return false;
	for (size_t i = 0; i < b->set->vm_count; i++)
		if (!add_vm(b, i))
			return false;
	for (unsigned i = 0; i < b->set->spare.count; i++)
		add_spare(b, i);
	for (size_t i = 0; i < b->set->region_count; i++) {
		if (!add_region(b, &b->set->regions[i]))
			return false;
		if (region_pa)
			region_pa[i] = AV_BUNDLE_PA + b->regions[i].offset;
	}
	return finish(b);
}

int bundle_write(const struct set *set, const char *control_image, int ram_fd,
		 uint64_t *bundle_region_pa, struct bundle_error *error)
{
	struct builder *b = calloc(1, sizeof(*b));
	bool good;

	memset(error, 0, sizeof(*error));
	if (!b) {
		snprintf(error->message, sizeof(error->message), "out of memory");
		return -1;
	}
	b->set = set;
	b->fd = ram_fd;
	b->error = error;
	good = build(b, control_image, bundle_region_pa);
	free(b);
	return good ? 0 : -1;
}
