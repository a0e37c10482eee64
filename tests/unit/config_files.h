/* SPDX-License-Identifier: MIT */
/* config_files.h - a folder with small guest images for the tests of configuration and bundle. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Make a new folder with the files below; its path, valid until config_files_remove(). */
const char *config_files_make(void);
void config_files_remove(void);

/* Write size bytes into NAME in the folder; the path of it, valid until the next call. */
const char *config_files_write(const char *name, const void *bytes, size_t size);
const char *config_files_path(const char *name);

/*
 * guest.elf   ELF64 AArch64, one part: 8 bytes at 0x40200000, 0x3000 in memory
 * base.elf    the same at 0x40000000: no room for a device tree
 * big.elf     the same, 64 MiB in memory
 * x86.elf     ELF64 for x86-64
 * kernel.img  Linux Image of 0x5000 bytes, image_size 0x8000, text_offset 0
 * kernel.gz   the first bytes of a gzip file
 * flat.bin    0x2100 bytes of 0x5a
 * initrd.img  0x1234 bytes of 0x77
 * empty.bin   nothing
 */
#define CONFIG_FILES_INITRD_SIZE 0x1234
#define CONFIG_FILES_FLAT_SIZE 0x2100
#define CONFIG_FILES_KERNEL_SIZE 0x5000

/* An ELF64 file with one part; returns its size. */
size_t config_files_elf(uint8_t bytes[256], uint16_t machine, uint64_t address, uint64_t file_size,
			uint64_t memory_size);
