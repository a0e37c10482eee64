/* SPDX-License-Identifier: MIT */
/* test_bundle.c - what stands in the RAM file after bundle_write(), and how images are read and placed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bundle/budget.h"
#include "bundle/bundle.h"
#include "bundle/place.h"
#include "config_files.h"
#include "core/manifest.h"

struct ram {
	uint8_t *bytes;
	size_t size;
	struct manifest_view view;
	struct set *set;
	uint64_t region_pa[AV_REGION_MAX];
};

/* Load text as a set, write its bundle into a RAM file and check the manifest as EL2 would. */
static void build(struct ram *ram, const char *text)
{
	struct set_errors errors = {0};
	struct bundle_error error;
	char control[256];
	int fd = memfd_create("ram", 0);
	const char *wrong;

	ram->set = set_load(config_files_write("set.yaml", text, strlen(text)), &errors);
	set_errors_print(&errors, stderr);
	assert_non_null(ram->set);
	set_errors_free(&errors);
	ram->size = ram->set->memory;
	assert_int_equal(ftruncate(fd, (off_t)ram->size), 0);
	snprintf(control, sizeof(control), "%s", config_files_path("guest.elf"));
	if (bundle_write(ram->set, control, fd, ram->region_pa, &error))
		fail_msg("%s", error.message);
	ram->bytes = mmap(NULL, ram->size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(ram->bytes != MAP_FAILED);
	close(fd);
	wrong = manifest_check((const struct av_manifest *)(ram->bytes + 0x1000000),
			       ram->size - 0x1000000, &ram->view);
	if (!wrong)
		wrong = manifest_check_frames(
			&ram->view, budget_available(ram->size, ram->view.head->bundle_size,
						     budget_regions(ram->set)));
	if (wrong)
		fail_msg("refused: %s", wrong);
}

static void drop(struct ram *ram)
{
	munmap(ram->bytes, ram->size);
	set_free(ram->set);
}

/* The byte a VM finds at ipa when it starts. */
static uint8_t guest_byte(const struct ram *ram, uint32_t vm, uint64_t ipa)
{
	const struct av_manifest_vm *v = &ram->view.vms[vm];

	for (uint32_t i = 0; i < v->segment_count; i++) {
		const struct av_manifest_segment *segment =
			&ram->view.segments[v->segment_first + i];

		if (ipa >= segment->ipa &&
		    ipa - segment->ipa < (segment->size + 4095) / 4096 * 4096)
			return ram->bytes[0x1000000 + segment->offset + (ipa - segment->ipa)];
	}
	return 0;
}

static void *guest_copy(const struct ram *ram, uint32_t vm, uint64_t ipa, size_t size)
{
	uint8_t *copy = malloc(size);

	assert_non_null(copy);
	for (size_t i = 0; i < size; i++)
		copy[i] = guest_byte(ram, vm, ipa + i);
	return copy;
}

static const char all_kinds[] =
	"version: 1\nname: kinds\nmachine: {cpus: 2, memory: 512MiB}\nvms:\n"
	"  - {name: elf, image: guest.elf, memory: 32MiB, cpu: 1, slice: 2ms, snapshots: {keep: 4, "
	"memory: 8MiB}}\n"
	"  - {name: linux, image: kernel.img, initrd: initrd.img, bootargs: 'a b', memory: 32MiB, "
	"clock: follow}\n"
	"  - {name: flat, image: flat.bin, format: flat, memory: 32MiB, start: paused}\n"
	"  - {name: base, image: base.elf, memory: 32MiB, snapshots: {when-full: refuse}}\n"
	"  - {name: nodtb, image: guest.elf, memory: 32MiB, dtb: false}\n"
	"shm:\n"
	"  - {name: board, size: 8KiB, init: 'Ciallo!', members: {elf: ro, flat: rw}}\n";

static void a_bundle_passes_the_check_of_el2_and_says_what_the_set_says(void **state)
{
	struct ram ram;
	const struct av_manifest_vm *vms;

	(void)state;
	build(&ram, all_kinds);
	vms = ram.view.vms;
	assert_int_equal(ram.view.head->vm_count, 6);
	assert_int_equal(ram.view.head->cpu_count, 2);
	assert_int_equal(ram.view.head->ram_size, 512 << 20);
	assert_string_equal(vms[0].name, "control");
	assert_int_equal(vms[0].flags, AV_VM_FLAG_CONTROL);
	assert_int_equal(vms[0].ram_size, 16 << 20);
	assert_int_equal(vms[0].vcpu_cpu[0], 0xff);
	assert_string_equal(vms[1].name, "elf");
	assert_int_equal(vms[1].vcpu_cpu[0], 1);
	assert_int_equal(vms[1].vcpu_cpu[1], 0xff);
	assert_int_equal(vms[1].slice_ns, 2000000);
	assert_int_equal(vms[1].snapshot_keep, 4);
	assert_true(vms[1].frame_budget > 8192 + 2048 && vms[1].frame_budget < 8192 + 2048 + 300);
	assert_int_equal(vms[2].flags, AV_VM_FLAG_CLOCK_FOLLOW);
	assert_int_equal(vms[3].flags, AV_VM_FLAG_PAUSED);
	assert_int_equal(vms[4].flags, AV_VM_FLAG_REFUSE);
	assert_int_equal(ram.view.regions[0].ipa, 0x70000000);
	assert_int_equal(ram.view.members[0].vm, 1);
	assert_int_equal(ram.view.members[0].rights, AV_RIGHT_READ);
	assert_int_equal(ram.view.members[1].vm, 3);
	assert_int_equal(ram.view.members[1].rights, AV_RIGHT_READ | AV_RIGHT_WRITE);
	assert_int_equal(ram.region_pa[0], AV_BUNDLE_PA + ram.view.regions[0].offset);
	assert_memory_equal(ram.bytes + ram.region_pa[0] - AV_RAM_PA, "Ciallo!\0\0", 9);
	drop(&ram);
}

static void an_elf_finds_its_dtb_at_ram_base_and_x0_zero(void **state)
{
	struct ram ram;
	void *dtb;

	(void)state;
	build(&ram, all_kinds);
	assert_int_equal(ram.view.vms[1].entry, 0x40200000);
	assert_int_equal(ram.view.vms[1].x0, 0);
	assert_int_equal(guest_byte(&ram, 1, 0x40200000), 0x5f);
	assert_int_equal(guest_byte(&ram, 1, 0x40200007), 0x17);
	assert_int_equal(guest_byte(&ram, 1, 0x40200008), 0);
	dtb = guest_copy(&ram, 1, 0x40000000, 65536);
	assert_int_equal(fdt_check_full(dtb, 65536), 0);
	free(dtb);
	/* No room below it, or none wanted. */
	assert_int_equal(guest_byte(&ram, 4, 0x40000000), 0x5f);
	assert_int_equal(ram.view.vms[4].x0, 0);
	assert_int_equal(ram.view.vms[5].segment_count, 1);
	drop(&ram);
}

static void an_image_is_placed_as_qemu_places_it(void **state)
{
	struct ram ram;
	void *dtb;

	(void)state;
	build(&ram, all_kinds);
	/* text_offset 0: QEMU adds 2 MiB. initrd at half of RAM, DTB at the next 2 MiB behind it. */
	assert_int_equal(ram.view.vms[2].entry, 0x40200000);
	assert_int_equal(guest_byte(&ram, 2, 0x40200000 + 56), 'A');
	assert_int_equal(guest_byte(&ram, 2, 0x41000000), 0x77);
	assert_int_equal(guest_byte(&ram, 2, 0x41000000 + CONFIG_FILES_INITRD_SIZE - 1), 0x77);
	assert_int_equal(guest_byte(&ram, 2, 0x41000000 + CONFIG_FILES_INITRD_SIZE), 0);
	assert_int_equal(ram.view.vms[2].x0, 0x41200000);
	dtb = guest_copy(&ram, 2, 0x41200000, 65536);
	assert_int_equal(fdt_check_full(dtb, 65536), 0);
	assert_string_equal(fdt_getprop(dtb, fdt_path_offset(dtb, "/chosen"), "bootargs", NULL),
			    "a b");
	free(dtb);
	/* flat: RAM + 0x80000, DTB at half of RAM. */
	assert_int_equal(ram.view.vms[3].entry, 0x40080000);
	assert_int_equal(guest_byte(&ram, 3, 0x40080000 + CONFIG_FILES_FLAT_SIZE - 1), 0x5a);
	assert_int_equal(guest_byte(&ram, 3, 0x40080000 + CONFIG_FILES_FLAT_SIZE), 0);
	assert_int_equal(ram.view.vms[3].x0, 0x41000000);
	drop(&ram);
}

static void equal_images_are_stored_once(void **state)
{
	static const char text[] = "version: 1\nmachine: {memory: 512MiB}\nvms:\n"
				   "  - {name: a, image: guest.elf, memory: 32MiB, dtb: false}\n"
				   "  - {name: b, image: guest.elf, memory: 64MiB, dtb: false}\n";
	struct ram ram;

	(void)state;
	build(&ram, text);
	assert_int_equal(ram.view.head->segment_count, 3);
	assert_int_equal(ram.view.segments[0].offset, ram.view.segments[1].offset);
	assert_int_equal(ram.view.segments[0].offset, ram.view.segments[2].offset);
	assert_int_equal(ram.view.head->bundle_size, AV_MANIFEST_SIZE_MAX + 4096);
	drop(&ram);
}

static void two_bundles_of_one_set_differ_in_entropy(void **state)
{
	static const char text[] = "version: 1\nmachine: {memory: 128MiB}\nvms:\n"
				   "  - {name: a, image: guest.elf, memory: 32MiB}\n";
	struct ram first, second;

	(void)state;
	build(&first, text);
	build(&second, text);
	assert_memory_not_equal(first.view.head->entropy, second.view.head->entropy, 32);
	drop(&first);
	drop(&second);
}

static uint32_t cell(const void *dtb, const char *path, const char *name, int index)
{
	int length = 0;
	const fdt32_t *cells = fdt_getprop(dtb, fdt_path_offset(dtb, path), name, &length);

	if (!cells || length < (index + 1) * 4)
		fail_msg("%s/%s[%d] is missing", path, name, index);
	return fdt32_to_cpu(cells[index]);
}

static void the_device_tree_describes_what_the_hypervisor_emulates_and_no_more(void **state)
{
	static const char *const absent[] = {"/pcie@10000000",
					     "/fw-cfg@9020000",
					     "/flash@0",
					     "/pl061@9030000",
					     "/gpio-keys",
					     "/platform-bus@c000000",
					     "/intc@8000000/its@8080000",
					     "/intc@8000000/v2m@8020000"};
	struct bundle_error error;
	struct ram ram;
	size_t size;
	char without[] = "cortex-a57,pmu=off", *model;
	void *dtb;
	int count = 0, node = -1;

	(void)state;
	build(&ram, all_kinds);
	dtb = bundle_make_dtb(ram.set, 2, 0x41000000, 0x41001234, &size, &error);
	assert_non_null(dtb);
	assert_int_equal(fdt_check_full(dtb, size), 0);
	assert_int_equal(cell(dtb, "/memory@40000000", "reg", 1), 0x40000000);
	assert_int_equal(cell(dtb, "/memory@40000000", "reg", 3), 32 << 20);
	assert_int_equal(cell(dtb, "/chosen", "linux,initrd-start", 1), 0x41000000);
	assert_int_equal(cell(dtb, "/chosen", "linux,initrd-end", 1), 0x41001234);
	assert_int_equal(cell(dtb, "/intc@8000000", "reg", 5), 0x080a0000);
	assert_int_equal(cell(dtb, "/intc@8000000", "reg", 7), 8 * 0x20000);
	assert_int_equal(cell(dtb, "/timer", "interrupts", 1), 13);
	assert_int_equal(cell(dtb, "/timer", "interrupts", 7), 11);
	assert_int_equal(cell(dtb, "/pmu", "interrupts", 0), 1);
	assert_int_equal(cell(dtb, "/pmu", "interrupts", 1), 7);
	assert_int_equal(cell(dtb, "/pl011@9000000", "interrupts", 1), 1);
	assert_int_equal(cell(dtb, "/pl031@9010000", "interrupts", 1), 2);
	assert_int_equal(cell(dtb, "/virtio_mmio@a003e00", "interrupts", 1), 47);
	assert_string_equal(fdt_getprop(dtb, fdt_path_offset(dtb, "/psci"), "method", NULL), "hvc");
	assert_string_equal(fdt_getprop(dtb, fdt_path_offset(dtb, "/avisor-shm@70000000"),
					"avisor,rights", NULL),
			    "rw");
	assert_int_equal(cell(dtb, "/avisor-shm@70000000", "reg", 1), 0x70000000);
	assert_int_equal(cell(dtb, "/avisor-shm@70000000", "reg", 5),
			 0x70000000 + ram.set->regions[0].size);
	assert_int_equal(cell(dtb, "/avisor-shm@70000000", "reg", 7), 4096);
	assert_int_equal(cell(dtb, "/avisor-shm@70000000", "interrupts", 1), 128 - 32);
	assert_int_equal(cell(dtb, "/avisor-shm@70000000", "interrupts", 2), 4);
	assert_int_equal(cell(dtb, "/avisor-shm@70000000", "avisor,member", 0), 1);
	while ((node = fdt_node_offset_by_compatible(dtb, node, "virtio,mmio")) >= 0)
		count++;
	assert_int_equal(count, 32);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		assert_int_equal(fdt_path_offset(dtb, absent[i]), -FDT_ERR_NOTFOUND);
	free(dtb);
	/* A VM that is not a member does not see the region. */
	dtb = bundle_make_dtb(ram.set, 1, 0, 0, &size, &error);
	assert_non_null(dtb);
	assert_int_equal(fdt_path_offset(dtb, "/avisor-shm@70000000"), -FDT_ERR_NOTFOUND);
	assert_null(fdt_getprop(dtb, fdt_path_offset(dtb, "/chosen"), "linux,initrd-start", NULL));
	free(dtb);
	/* A machine without a PMU has none for its VMs. */
	model = ram.set->cpu_model;
	ram.set->cpu_model = without;
	dtb = bundle_make_dtb(ram.set, 1, 0, 0, &size, &error);
	ram.set->cpu_model = model;
	assert_non_null(dtb);
	assert_int_equal(fdt_path_offset(dtb, "/pmu"), -FDT_ERR_NOTFOUND);
	free(dtb);
	drop(&ram);
}

static void a_file_that_changed_after_the_check_is_refused(void **state)
{
	static const char text[] = "version: 1\nmachine: {memory: 128MiB}\nvms:\n"
				   "  - {name: a, image: later.elf, memory: 32MiB}\n";
	struct set_errors errors = {0};
	struct bundle_error error;
	struct set *set;
	char control[256];
	uint8_t elf[256];
	int fd = memfd_create("ram", 0);

	(void)state;
	config_files_write("later.elf", elf, config_files_elf(elf, EM_AARCH64, 0x40200000, 8, 8));
	set = set_load(config_files_write("set.yaml", text, strlen(text)), &errors);
	assert_non_null(set);
	assert_int_equal(ftruncate(fd, (off_t)set->memory), 0);
	snprintf(control, sizeof(control), "%s", config_files_path("guest.elf"));
	config_files_write("later.elf", elf, 100);
	assert_int_equal(bundle_write(set, control, fd, NULL, &error), -1);
	assert_non_null(strstr(error.message, "later.elf"));
	unlink(config_files_path("later.elf"));
	assert_int_equal(bundle_write(set, control, fd, NULL, &error), -1);
	assert_int_equal(bundle_write(set, "/nowhere/control.elf", fd, NULL, &error), -1);
	assert_non_null(strstr(error.message, "control"));
	close(fd);
	set_free(set);
	set_errors_free(&errors);
}

static bool parse(const void *bytes, size_t size, struct image *image, struct image_error *error)
{
	const struct image_options options = {.ram_base = 0x40000000};

	return image_parse(bytes, size, size, &options, image, error);
}

static void elf_heads_that_lie_are_refused(void **state)
{
	struct image image;
	struct image_error error;
	uint8_t elf[256];
	Elf64_Ehdr *head = (Elf64_Ehdr *)elf;
	Elf64_Phdr *part = (Elf64_Phdr *)(elf + sizeof(*head));
	size_t size = config_files_elf(elf, EM_AARCH64, 0x40200000, 8, 8);

	(void)state;
	assert_true(parse(elf, size, &image, &error));
#define LIE(what)                                                           \
	do {                                                                \
		size = config_files_elf(elf, EM_AARCH64, 0x40200000, 8, 8); \
		what;                                                       \
		assert_false(parse(elf, size, &image, &error));             \
		assert_true(error.message[0]);                              \
	} while (0)
	LIE(size = 5);
	LIE(size = 70);
	LIE(head->e_ident[EI_CLASS] = ELFCLASS32);
	LIE(head->e_ident[EI_DATA] = ELFDATA2MSB);
	LIE(head->e_type = ET_REL);
	LIE(head->e_phentsize = 32);
	LIE(head->e_phnum = 0);
	LIE(head->e_phnum = 0xffff);
	LIE(head->e_phoff = UINT64_MAX);
	LIE(part->p_offset = UINT64_MAX);
	LIE(part->p_filesz = UINT64_MAX);
	LIE(part->p_filesz = 9);
	LIE(part->p_filesz = 0x1000; part->p_memsz = 0x1000);
	LIE(part->p_paddr = UINT64_MAX - 3);
	LIE(part->p_type = PT_INTERP);
	LIE(part->p_type = PT_NOTE);
	LIE(part->p_memsz = 0);
#undef LIE
}

static void an_entry_given_as_virtual_address_is_translated(void **state)
{
	struct image image;
	struct image_error error;
	uint8_t elf[256];
	size_t size = config_files_elf(elf, EM_AARCH64, 0x40200000, 8, 8);

	(void)state;
	((Elf64_Phdr *)(elf + 64))->p_vaddr = UINT64_C(0xffff000000200000);
	((Elf64_Ehdr *)elf)->e_entry = UINT64_C(0xffff000000200004);
	assert_true(parse(elf, size, &image, &error));
	assert_int_equal(image.entry, 0x40200004);
}

static void parts_that_share_a_page_become_one_segment(void **state)
{
	static const char text[] = "version: 1\nmachine: {memory: 128MiB}\nvms:\n"
				   "  - {name: a, image: two.elf, memory: 32MiB, dtb: false}\n";
	struct ram ram;
	uint8_t elf[256];
	Elf64_Phdr *part = (Elf64_Phdr *)(elf + 64);

	(void)state;
	config_files_elf(elf, EM_AARCH64, 0x40200ffc, 8, 0x10);
	((Elf64_Ehdr *)elf)->e_phnum = 2;
	part[0].p_offset = 0xb0;
	part[1] = part[0];
	part[1].p_paddr = part[1].p_vaddr = 0x40201010;
	part[1].p_memsz = 0x2000;
	memset(elf + 0xb0, 0x33, 8);
	config_files_write("two.elf", elf, sizeof(elf));
	build(&ram, text);
	assert_int_equal(ram.view.vms[1].segment_count, 1);
	assert_int_equal(guest_byte(&ram, 1, 0x40200ffb), 0);
	assert_int_equal(guest_byte(&ram, 1, 0x40200ffc), 0x33);
	assert_int_equal(guest_byte(&ram, 1, 0x40201004), 0);
	assert_int_equal(guest_byte(&ram, 1, 0x40201017), 0x33);
	assert_int_equal(guest_byte(&ram, 1, 0x40201018), 0);
	drop(&ram);
}

static void members_get_a_section_each_behind_what_all_share(void **state)
{
	static const char text[] =
		"version: 1\nmachine: {memory: 512MiB, shm: 5000}\nvms:\n"
		"  - {name: a, image: guest.elf, memory: 32MiB, shm: false}\n"
		"  - {name: b, image: guest.elf, memory: 32MiB}\n"
		"shm:\n"
		"  - {name: cut, size: 5000, output: 100, members: {a: rw, b: ro},\n"
		"     fields: [{name: last, at: 16383, type: u8}]}\n"
		"  - {name: whole, size: 4KiB, members: {a: rw}}\n";
	struct ram ram;

	(void)state;
	build(&ram, text);
	assert_int_equal(ram.view.head->shm_size, 8192);
	assert_int_equal(ram.view.vms[1].flags, AV_VM_FLAG_NO_SHM);
	assert_int_equal(ram.view.vms[2].flags, 0);
	assert_int_equal(ram.view.regions[0].output_size, 4096);
	assert_int_equal(ram.view.regions[0].size, 8192 + 2 * 4096);
	assert_int_equal(ram.view.regions[1].output_size, 0);
	/* The page of the state table is behind it. */
	assert_int_equal(ram.view.regions[1].offset, ram.view.regions[0].offset + 5 * 4096);
	drop(&ram);
}

static void the_whole_machine_is_shared_out_and_never_more(void **state)
{
	static const char text[] = "version: 1\nmachine: {memory: 512MiB}\nvms:\n"
				   "  - {name: a, image: guest.elf, memory: 64MiB}\n"
				   "  - {name: b, image: guest.elf, memory: 32MiB}\n";
	uint64_t available, given;
	struct ram ram;

	(void)state;
	build(&ram, text);
	available = budget_available(ram.size, ram.view.head->bundle_size, 0);
	assert_int_equal(ram.view.head->shm_size, 8 << 20);
	given = ram.view.head->shm_size / 4096;
	for (uint32_t i = 0; i < ram.view.head->vm_count; i++)
		given += ram.view.vms[i].frame_budget;
	assert_true(given <= available);
	assert_true(available - given < 1024);
	assert_int_equal(budget_available(0x1000000, 0, 0), 0);
	assert_int_equal(budget_available(0, UINT32_MAX, 0), 0);
	drop(&ram);
}

static int set_up(void **state)
{
	(void)state;
	config_files_make();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	config_files_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bundle_passes_the_check_of_el2_and_says_what_the_set_says),
		cmocka_unit_test(an_elf_finds_its_dtb_at_ram_base_and_x0_zero),
		cmocka_unit_test(an_image_is_placed_as_qemu_places_it),
		cmocka_unit_test(equal_images_are_stored_once),
		cmocka_unit_test(two_bundles_of_one_set_differ_in_entropy),
		cmocka_unit_test(
			the_device_tree_describes_what_the_hypervisor_emulates_and_no_more),
		cmocka_unit_test(a_file_that_changed_after_the_check_is_refused),
		cmocka_unit_test(elf_heads_that_lie_are_refused),
		cmocka_unit_test(an_entry_given_as_virtual_address_is_translated),
		cmocka_unit_test(parts_that_share_a_page_become_one_segment),
		cmocka_unit_test(members_get_a_section_each_behind_what_all_share),
		cmocka_unit_test(the_whole_machine_is_shared_out_and_never_more),
	};

	return cmocka_run_group_tests_name("bundle", tests, set_up, tear_down);
}
