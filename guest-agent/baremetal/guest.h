/* SPDX-License-Identifier: MIT */
/*
 * guest.h - the small library for bare-metal guests at EL1 on the board of DESIGN 5.
 *
 * guest_main() is entered with the MMU and caches on (VA = IPA), FP on, interrupts masked. On one vCPU (cpus.c
 * starts the others; the rest of the library is one caller's at a time), no allocation; compiled without FP registers, so a test may keep its own values in q0..q31.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "baremetal/hvc.h"

#define GUEST_RAM_BASE 0x40000000ul
#define GUEST_ALIAS 0x4000000000ul    /* VA of the first GiB of RAM seen once more */
#define GUEST_PAGES_VA 0x4040000000ul /* VA of the 2 MiB window of guest_map_page() */
#define GUEST_PAGE_SIZE 4096ul
#define GUEST_REGION 0x70000000ul

#define GUEST_UART 0x09000000ul
#define GUEST_UART_INTID 33
#define GUEST_TIMER_INTID 27
#define GUEST_VIRTIO 0x0a000000ul
#define GUEST_VIRTIO_SLOT 31

extern char __image_start[], __bss_start[], __bss_end[], __image_end[];

/* The program. x0 of the entry is passed on: the device tree's address, or 0. */
void guest_main(uint64_t dtb);

/* Sleeps for ever, interrupts masked. */
_Noreturn void guest_stop(void);

/* Prints the reason, asks the hypervisor to note a crash, stops. */
_Noreturn void guest_panic(const char *reason);

/* Called by guest_panic() instead of stopping, when set. */
extern void (*guest_panic_hook)(void);

/* string.c */
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
uint64_t guest_hash(const void *data, size_t size, uint64_t hash);

/* console.c: the PL011 */
void console_put(char c);
void console_write(const char *data, size_t size);
int console_poll(void);                       /* a byte, or -1 */
char console_get(void);                       /* sleeps until there is one */
size_t console_line(char *line, size_t size); /* until CR or LF, echoed; NUL-terminated */
void console_input_start(void);               /* interrupt for input: needs interrupts_init() */

/* print.c: %d %i %u %x %X %s %c %p %%, l, width, 0 and - */
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);
void print_list(const char *format, va_list list);

/* mmio.c: one plain instruction each, so that every access has a syndrome */
uint32_t mmio_read32(uint64_t address);
void mmio_write32(uint64_t address, uint32_t value);
uint8_t mmio_read8(uint64_t address);
void mmio_write8(uint64_t address, uint8_t value);
uint16_t mmio_read16(uint64_t address);
void mmio_write16(uint64_t address, uint16_t value);
uint64_t mmio_read64(uint64_t address);
void mmio_write64(uint64_t address, uint64_t value);

/* exception.c */
struct guest_frame {
	uint64_t x[31];
	uint64_t elr;
	uint64_t spsr;
	uint64_t esr;
	uint64_t far;
	uint64_t unused;
};
_Static_assert(sizeof(struct guest_frame) == 288, "start.S");

struct guest_fault {
	uint64_t count;
	uint64_t esr, far, elr; /* of the last one */
};

/* Between begin and end an exception is counted and its instruction skipped. */
void guest_fault_begin(void);
bool guest_fault_end(struct guest_fault *fault); /* true when there was one */

/* Called for an unexpected exception first; true: go on at frame->elr. */
extern bool (*guest_exception_hook)(struct guest_frame *frame);

/* A page of the window at GUEST_PAGES_VA, index 0..511; pa 0: not there. */
void guest_map_page(unsigned int index, uint64_t pa);

/* execute.c: the one instruction, with x0..x7 from and to x; between guest_fault_begin() and end if it may fault */
void guest_execute(uint32_t word, uint64_t x[8]);
#define GUEST_WORD_HVC(immediate) (0xd4000002u | (uint32_t)(immediate) << 5)
#define GUEST_WORD_SMC(immediate) (0xd4000003u | (uint32_t)(immediate) << 5)

/* gic.c */
#define GUEST_INTID_COUNT 288
typedef void (*guest_handler)(unsigned int intid, void *context);
void interrupts_init(void);
void interrupt_enable(unsigned int intid, bool edge, guest_handler handler, void *context);
void interrupt_disable(unsigned int intid);
bool interrupts_take(void); /* with interrupts masked: handle one pending; false: there was none */
static inline void interrupts_unmask(void)
{
	__asm__ volatile("msr daifclr, #2" ::: "memory");
}
static inline void interrupts_mask(void)
{
	__asm__ volatile("msr daifset, #2" ::: "memory");
}
static inline void wait_for_interrupt(void)
{
	__asm__ volatile("dsb sy\n\twfi" ::: "memory");
}

/*
 * cpus.c: the other vCPUs, 1 to GUEST_CPU_MAX - 1. function runs there as guest_main() does here, with a stack of
 * 16 KiB; interrupts_init() is for each vCPU. When it returns the vCPU is turned off. handlers are common to all.
 */
#define GUEST_CPU_MAX 8
unsigned int guest_cpu_number(void); /* the caller's own */
int64_t guest_cpu_on(unsigned int number, void (*function)(uint64_t),
		     uint64_t argument); /* PSCI's answer */
bool guest_cpu_is_off(unsigned int number);
bool guest_cpu_join(unsigned int number, uint64_t milliseconds); /* busy; false: it is still on */
bool guest_cpu_was_reset(
	unsigned int number); /* at its last start MMU and interrupt group were off */
void guest_sgi(unsigned int intid, unsigned int number);
void guest_sgi_others(unsigned int intid);

/* time.c: the virtual timer */
static inline uint64_t counter_read(void)
{
	uint64_t value;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(value) : : "memory");
	return value;
}
static inline uint64_t counter_hz(void)
{
	uint64_t value;

	__asm__("mrs %0, cntfrq_el0" : "=r"(value));
	return value;
}
void delay_us(uint64_t microseconds); /* busy */
void sleep_us(uint64_t microseconds); /* WFI between; needs interrupts_init(); uses the timer */
void timer_set(uint64_t deadline);    /* CVAL, and enable */
void timer_stop(void);
uint64_t timer_deadline(void);

/* IDENTITY's generation: how often this VM was restored or restarted; 0 without a hypervisor. */
uint64_t guest_generation(void);

/* A pseudo-random sequence (splitmix64) from a seed that the caller keeps. */
uint64_t guest_random(uint64_t *seed);

/* A random number nobody else has: from IDENTITY when there is a hypervisor, stirred with the counter. */
uint64_t guest_nonce(void);
bool guest_has_hypervisor(void);
