/* SPDX-License-Identifier: MIT */
/* config_files.c - small guest images, made by hand, in a folder of their own. */
#include <elf.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "config_files.h"

static char folder[64];
static char path[384];

const char *config_files_path(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

const char *config_files_write(const char *name, const void *bytes, size_t size)
{
	FILE *file = fopen(config_files_path(name), "wb");

	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file)) {
		perror(path);
		exit(1);
	}
	return path;
}

size_t config_files_elf(uint8_t bytes[256], uint16_t machine, uint64_t address, uint64_t file_size,
			uint64_t memory_size)
{
	Elf64_Ehdr head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				       EV_CURRENT},
			   .e_type = ET_EXEC,
			   .e_machine = machine,
			   .e_version = 1,
			   .e_entry = address,
			   .e_phoff = sizeof(head),
			   .e_ehsize = sizeof(head),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 1};
	Elf64_Phdr part = {.p_type = PT_LOAD,
			   .p_flags = PF_R | PF_X,
			   .p_offset = 0x80,
			   .p_vaddr = address,
			   .p_paddr = address,
			   .p_filesz = file_size,
			   .p_memsz = memory_size,
			   .p_align = 16};

	memset(bytes, 0, 256);
	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), &part, sizeof(part));
	memcpy(bytes + 0x80, "\x5f\x20\x03\xd5\xff\xff\xff\x17", 8);
	return 0x88;
}

static void make_kernel(void)
{
	static uint8_t kernel[CONFIG_FILES_KERNEL_SIZE];
	const uint64_t image_size = 0x8000;

	memcpy(kernel + 16, &image_size, 8);
	memcpy(kernel + 56, "ARM\x64", 4);
	config_files_write("kernel.img", kernel, sizeof(kernel));
	config_files_write("kernel.gz", "\x1f\x8b\x08\x00\x00\x00\x00\x00", 8);
}

const char *config_files_make(void)
{
	static uint8_t filler[CONFIG_FILES_FLAT_SIZE];
	uint8_t elf[256];

	strcpy(folder, "/tmp/avctl-test-XXXXXX");
	if (!mkdtemp(folder)) {
		perror(folder);
		exit(1);
	}
	config_files_write("guest.elf", elf,
			   config_files_elf(elf, EM_AARCH64, 0x40200000, 8, 0x3000));
	config_files_write("base.elf", elf,
			   config_files_elf(elf, EM_AARCH64, 0x40000000, 8, 0x3000));
	config_files_write("big.elf", elf,
			   config_files_elf(elf, EM_AARCH64, 0x40200000, 8, 0x4000000));
	config_files_write("x86.elf", elf, config_files_elf(elf, EM_X86_64, 0x40200000, 8, 8));
	make_kernel();
	memset(filler, 0x5a, sizeof(filler));
	config_files_write("flat.bin", filler, sizeof(filler));
	memset(filler, 0x77, sizeof(filler));
	config_files_write("initrd.img", filler, CONFIG_FILES_INITRD_SIZE);
	config_files_write("empty.bin", filler, 0);
	return folder;
}

void config_files_remove(void)
{
	DIR *directory = opendir(folder);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	rmdir(folder);
}
