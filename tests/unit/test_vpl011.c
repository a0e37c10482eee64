/* SPDX-License-Identifier: MIT */
/* test_vpl011.c - the UART as a driver sees it, and random accesses beside a plain queue. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dev/vpl011.h"

#define DR 0x00
#define FR 0x18
#define LCR_H 0x2c
#define IMSC 0x38
#define RIS 0x3c
#define MIS 0x40
#define ICR 0x44
#define RX 0x10u
#define TX 0x20u
#define RT 0x40u
#define RXFE 0x10u
#define RXFF 0x40u
#define TXFE 0x80u

static struct vpl011 u;
static char out[64];
static size_t out_size;
static bool line;
static uint64_t seed;

static void on_out(void *ctx, uint8_t byte)
{
	(void)ctx;
	out[out_size++ % sizeof(out)] = (char)byte;
}

static void on_line(void *ctx, bool level)
{
	(void)ctx;
	assert_int_not_equal(line, level); /* called on changes only */
	line = level;
}

static void start(void)
{
	out_size = 0;
	line = false;
	vpl011_init(&u, NULL, on_out, on_line);
}

static uint32_t rd(uint64_t offset)
{
	uint64_t value = UINT64_MAX;

	vpl011_mmio(&u, offset, 4, false, &value);
	return (uint32_t)value;
}

static void wr(uint64_t offset, uint64_t value)
{
	vpl011_mmio(&u, offset, 4, true, &value);
}

static size_t input(const char *text)
{
	return vpl011_input(&u, (const uint8_t *)text, strlen(text));
}

static void identification_and_reset_values_are_qemus(void **state)
{
	static const uint8_t ids[] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	(void)state;
	start();
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(rd(0xfe0 + 4 * i), ids[i]);
	assert_int_equal(rd(FR), RXFE | TXFE);
	assert_int_equal(rd(0x30), 0x300);
	assert_int_equal(rd(0x34), 0x12);
}

static void written_bytes_go_out_at_once_in_any_width(void **state)
{
	uint64_t value = 0xffffffffffffff41;

	(void)state;
	start();
	vpl011_mmio(&u, DR, 1, true, &value);
	vpl011_mmio(&u, DR, 2, true, &value);
	vpl011_mmio(&u, DR, 4, true, &value);
	assert_int_equal(out_size, 3);
	assert_memory_equal(out, "AAA", 3);
	assert_int_equal(rd(FR), RXFE | TXFE);
}

static void transmit_interrupt_follows_a_byte_the_mask_and_the_clear(void **state)
{
	(void)state;
	start();
	wr(IMSC, TX);
	assert_false(line);
	wr(DR, 'x');
	assert_true(line);
	assert_int_equal(rd(MIS), TX);
	wr(ICR, TX);
	assert_false(line);
	wr(DR, 'x');
	wr(IMSC, 0);
	assert_false(line);
	assert_int_equal(rd(RIS), TX);
	wr(IMSC, TX);
	assert_true(line);
}

static void receive_interrupt_holds_until_the_last_byte_is_read(void **state)
{
	(void)state;
	start();
	wr(LCR_H, 0x70);
	wr(IMSC, RX | RT);
	assert_int_equal(input("ab"), 2);
	assert_true(line);
	assert_int_equal(rd(MIS), RX | RT);
	assert_int_equal(rd(FR), TXFE);
	assert_int_equal(rd(DR), 'a');
	assert_true(line);
	assert_int_equal(rd(DR), 'b');
	assert_false(line);
	assert_int_equal(rd(FR), TXFE | RXFE);
	assert_int_equal(rd(DR), 0);
}

static void a_cleared_receive_interrupt_comes_again_with_the_next_byte(void **state)
{
	(void)state;
	start();
	wr(LCR_H, 0x10);
	wr(IMSC, RX);
	input("a");
	wr(ICR, 0x7ff);
	assert_false(line);
	input("b");
	assert_true(line);
}

static void without_fifos_one_byte_fits(void **state)
{
	(void)state;
	start();
	assert_int_equal(vpl011_room(&u), 1);
	assert_int_equal(input("ab"), 1);
	assert_int_equal(rd(FR), TXFE | RXFF);
	wr(LCR_H, 0x10); /* switching empties */
	assert_int_equal(rd(FR), TXFE | RXFE);
	assert_int_equal(vpl011_room(&u), VPL011_FIFO_SIZE);
	assert_int_equal(input("0123456789012345678901234567890123456789"), VPL011_FIFO_SIZE);
	assert_int_equal(rd(FR), TXFE | RXFF);
}

static void every_offset_and_size_is_harmless(void **state)
{
	(void)state;
	start();
	for (uint64_t offset = 0; offset < VPL011_SIZE + 16; offset++) {
		for (unsigned size = 0; size < 20; size++) {
			uint64_t value = UINT64_MAX;

			vpl011_mmio(&u, offset, size, true, &value);
			vpl011_mmio(&u, offset, size, false, &value);
			if ((offset & 3) || size > 4 || offset >= VPL011_SIZE)
				assert_int_equal(value, 0);
			assert_true(value <= UINT16_MAX);
			if (size == 1)
				assert_true(value <= UINT8_MAX);
		}
	}
}

static void saved_state_comes_back_with_its_line(void **state)
{
	struct vpl011_state initial;
	struct vpl011_state saved;
	struct vpl011_state again;

	(void)state;
	start();
	vpl011_save(&u, &initial);
	wr(LCR_H, 0x10);
	wr(IMSC, RX);
	input("abc");
	vpl011_save(&u, &saved);
	vpl011_load(&u, &initial);
	assert_false(line);
	assert_int_equal(rd(FR), TXFE | RXFE);
	vpl011_load(&u, &saved);
	assert_true(line);
	vpl011_save(&u, &again);
	assert_memory_equal(&saved, &again, sizeof(saved));
	assert_int_equal(rd(DR), 'a');
	memset(&saved, 0xff, sizeof(saved));
	vpl011_load(&u, &saved);
	for (unsigned i = 0; i < 300; i++)
		rd(DR);
	input("abc");
}

static void random_traffic_arrives_complete_and_in_order(void **state)
{
	uint8_t next_in = 0;
	uint8_t next_out = 0;
	unsigned held = 0;

	(void)state;
	start();
	wr(LCR_H, 0x10);
	wr(IMSC, RX);
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t bytes[40];
		size_t size = (size_t)rand() % sizeof(bytes);

		if (rand() % 4) {
			uint32_t got;

			assert_int_equal(!(rd(FR) & RXFE), held > 0);
			got = rd(DR);
			assert_int_equal(got, held ? next_out : 0);
			if (held) {
				held--;
				next_out++;
			}
		} else {
			size_t taken;

			for (size_t k = 0; k < size; k++)
				bytes[k] = (uint8_t)(next_in + k);
			taken = vpl011_input(&u, bytes, size);
			assert_int_equal(taken, size < VPL011_FIFO_SIZE - held
							? size
							: VPL011_FIFO_SIZE - held);
			next_in = (uint8_t)(next_in + taken);
			held += (unsigned)taken;
		}
		assert_int_equal(line, held > 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identification_and_reset_values_are_qemus),
		cmocka_unit_test(written_bytes_go_out_at_once_in_any_width),
		cmocka_unit_test(transmit_interrupt_follows_a_byte_the_mask_and_the_clear),
		cmocka_unit_test(receive_interrupt_holds_until_the_last_byte_is_read),
		cmocka_unit_test(a_cleared_receive_interrupt_comes_again_with_the_next_byte),
		cmocka_unit_test(without_fifos_one_byte_fits),
		cmocka_unit_test(every_offset_and_size_is_harmless),
		cmocka_unit_test(saved_state_comes_back_with_its_line),
		cmocka_unit_test(random_traffic_arrives_complete_and_in_order),
	};

	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
	srand((unsigned)seed);
	printf("seed %llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
