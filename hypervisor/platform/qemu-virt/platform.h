/* SPDX-License-Identifier: MIT */
/*
 * platform.h - QEMU's -M virt,virtualization=on,gic-version=3: what EL2 drives. The same board, minus what
 * DESIGN 5 leaves out, is what a guest sees, so the guest-side addresses are here too.
 * Source: QEMU hw/arm/virt.c base_memmap, a15irqmap (facts).
 */
#pragma once

#define PLAT_FLASH_SIZE 0x08000000 /* two banks from 0 */
/* No device of a guest is here: what its flash holds besides the image (core/flash.c). */
#define PLAT_FLASH_STORE 0x38000000
#define PLAT_GICD 0x08000000
#define PLAT_GICD_SIZE 0x10000
#define PLAT_GICR 0x080a0000
#define PLAT_GICR_STRIDE 0x20000
#define PLAT_UART 0x09000000
#define PLAT_UART_SIZE 0x1000
#define PLAT_UART_INTID (32 + 1)
#define PLAT_RTC 0x09010000
#define PLAT_RTC_INTID (32 + 2)
#define PLAT_VIRTIO 0x0a000000
#define PLAT_VIRTIO_STRIDE 0x200
#define PLAT_VIRTIO_COUNT 32
#define PLAT_VIRTIO_INTID(slot) (32 + 16 + (slot))
#define PLAT_RAM 0x40000000

#define PLAT_PPI_PMU 23
#define PLAT_PPI_HYP_TIMER 26  /* CNTHP */
#define PLAT_PPI_VIRT_TIMER 27 /* CNTV */
#define PLAT_PPI_MAINTENANCE 25
#define PLAT_PPI_PHYS_TIMER 30 /* CNTP, of a guest only */

#define PLAT_CONSOLE_SLOT 31
