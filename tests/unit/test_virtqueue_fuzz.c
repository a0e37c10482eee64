/* SPDX-License-Identifier: MIT */
/* test_virtqueue_fuzz.c - rings and registers as a hostile driver writes them. Arguments: seed, rounds.
 * What must hold: no fault, a bounded amount of work a call, and a reset brings the device back. */

#include <time.h>

#include "console_rig.h"

static struct rig r;
static uint64_t random_state;
static uint64_t seed;
static unsigned long round_count = 30000;
static unsigned long broken_count;
static unsigned long byte_count;

/* Per call: two queues of at most WORK_DESCRIPTORS + a chain, 64 pieces of a chain each, and the rest. */
#define ACCESS_BOUND 8000u

static uint64_t rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state >> 11;
}

static uint64_t any_address(void)
{
	switch (rnd() % 16) {
	case 0:
		return rnd() << rnd() % 50;
	case 1:
		return UINT64_MAX - rnd() % 64;
	case 2:
		return RAM_BASE + RAM_SIZE - rnd() % 64;
	default:
		return RAM_BASE + 0x10000 + rnd() % (RAM_SIZE - 0x20000);
	}
}

static uint32_t any_length(void)
{
	switch (rnd() % 12) {
	case 0:
		return (uint32_t)rnd();
	case 1:
		return 0;
	case 2:
		return UINT32_MAX - (uint32_t)(rnd() % 64);
	default:
		return (uint32_t)(rnd() % 300);
	}
}

static void check_bound(void)
{
	if (r.ram_accesses > ACCESS_BOUND)
		fail_msg("%llu accesses to RAM in one call", (unsigned long long)r.ram_accesses);
	r.ram_accesses = 0;
}

static void scribble(void)
{
	unsigned q = (unsigned)(rnd() % 6);

	for (unsigned i = 0; i < QUEUE_SIZE; i++) {
		struct descriptor d = {any_address(), any_length(), 0,
				       (uint16_t)(rnd() % (QUEUE_SIZE + !(rnd() % 8)))};

		d.flags = (uint16_t)((rnd() % 3 ? 0 : DESC_NEXT) | (q & 1 ? 0 : DESC_WRITE));
		if (!(rnd() % 30))
			d.flags = (uint16_t)rnd();
		put_descriptor(&r, q, i, d);
	}
	for (unsigned i = 0; i < 1 + rnd() % QUEUE_SIZE; i++)
		put_available(&r, q, (unsigned)(rnd() % (QUEUE_SIZE + !(rnd() % 50))));
	if (!(rnd() % 40))
		put16(&r, QUEUE_AREA(q) + 0x802, (uint16_t)rnd());
	notify(&r, q);
	check_bound();
}

static void poke_registers(void)
{
	for (unsigned i = 0; i < 8; i++) {
		uint64_t value = rnd() % 3 ? rnd() % 10 : rnd();
		unsigned size = 1u << rnd() % 4;

		vconsole_mmio(&r.c, rnd() % 0x210, rnd() % 20 ? size : (unsigned)(rnd() % 32),
			      rnd() % 2, &value);
		check_bound();
	}
}

static void host_side(void)
{
	static uint8_t bytes[40000];
	unsigned port = (unsigned)(rnd() % 2);
	size_t size = rnd() % 4 ? rnd() % 200 : rnd() % sizeof(bytes);
	size_t taken;

	switch (rnd() % 5) {
	case 0:
		vconsole_host_open(&r.c, port, rnd() % 2);
		break;
	case 1:
		vconsole_kick_tx(&r.c, port);
		break;
	case 2:
		r.out_limit[port] = r.out_size[port] + rnd() % 4096;
		break;
	default:
		taken = vconsole_input(&r.c, port, bytes, size);
		assert_true(taken <= size);
		byte_count += taken;
		break;
	}
	check_bound();
	if (vconsole_has_work(&r.c))
		vconsole_work(&r.c);
	check_bound();
	r.out_size[port] = 0;
}

static void save_and_load(void)
{
	struct vconsole_state saved;

	vconsole_save(&r.c, &saved);
	if (!(rnd() % 8)) /* as a damaged file would have it */
		((uint8_t *)&saved)[rnd() % sizeof(saved)] ^= (uint8_t)(1u << rnd() % 8);
	vconsole_load(&r.c, &saved);
	vconsole_after_restore(&r.c);
	check_bound();
}

static void restart(void)
{
	uint64_t value;

	memset(r.ram, 0, sizeof(r.ram));
	memset(r.used_seen, 0, sizeof(r.used_seen));
	r.out_limit[0] = r.out_limit[1] = SIZE_MAX;
	start_driver(&r, rnd() % 4);
	value = reg_read(&r, 0x070);
	assert_int_equal(value, 15);
	if (rnd() % 2) {
		send_control(&r, 0, 0, 1);
		send_control(&r, 0, 3, 1);
		send_control(&r, 1, 3, 1);
		send_control(&r, 0, 6, 1);
		send_control(&r, 1, 6, 1);
	}
	r.out_size[0] = 0;
	send_bytes(&r, 1, QUEUE_SIZE - 1, "alive", 5);
	assert_int_equal(r.out_size[0], 5);
	assert_memory_equal(r.out[0], "alive", 5);
	r.out_size[0] = r.out_size[1] = 0;
	r.ram_accesses = 0;
}

static void hostile_rings_and_registers_are_survived_with_bounded_work(void **state)
{
	(void)state;
	random_state = seed;
	rig_init(&r);
	for (unsigned long i = 0; i < round_count; i++) {
		unsigned steps = (unsigned)(rnd() % 30);

		restart();
		while (steps--) {
			unsigned which = (unsigned)(rnd() % 16);

			if (which < 9)
				scribble();
			else if (which < 14)
				host_side();
			else if (which < 15)
				poke_registers();
			else
				save_and_load();
			assert_int_equal(r.line, r.c.virtio.state.isr != 0);
		}
		broken_count += !!(r.c.virtio.state.status & VIRTIO_STATUS_NEEDS_RESET);
	}
	printf("%lu of %lu rounds ended broken, %lu bytes went in\n", broken_count, round_count,
	       byte_count);
	assert_true(broken_count > 0 && broken_count < round_count && byte_count > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_rings_and_registers_are_survived_with_bounded_work),
	};

	seed = (argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL) * 2654435761u) | 1;
	round_count = argc > 2 ? strtoul(argv[2], NULL, 0) : round_count;
	printf("seed %#llx\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
