/* SPDX-License-Identifier: MIT */
/*
 * test_serve_hostile.c - the server against guests that keep to no protocol, and against one that changes its calls while they
 * are looked at; three good clients beside it, each in a thread, notice every wrong byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "forward_steps.h"
#include "baremetal/forward.h"

#define GOOD 3
#define FILE_SIZE 8192

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static uint64_t a_seed(void)
{
	const char *given = getenv("SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return given ? strtoull(given, NULL, 0)
		     : (uint64_t)now.tv_nsec * 2654435761u + (uint64_t)now.tv_sec;
}

static void anything_in_the_region_harms_only_its_writer(void **state)
{
	static uint8_t bytes[4096];
	uint64_t seed = a_seed();
	unsigned int rounds = getenv("SOAK") ? 40000 : 400;

	(void)state;
	print_message("SEED=0x%llx\n", (unsigned long long)seed);
	steps.calls = 0;
	for (unsigned int i = 0; i < rounds; i++) {
		for (size_t at = 0; at < sizeof(bytes); at++)
			bytes[at] = (uint8_t)(next(&seed) >> 24);
		steps_run(bytes, sizeof(bytes));
	}
	/* Most of it was not just noise: calls were done. */
	assert_true(steps.calls > rounds * 10);
}

/* ---- threads ---- */

static struct {
	bool stop, stop_server;
	unsigned int done[GOOD];
	uint64_t seed;
} threads;

static bool stopping(void)
{
	return __atomic_load_n(&threads.stop, __ATOMIC_RELAXED);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t a_ghz(void)
{
	return 1000000000;
}

static uint64_t seven(void)
{
	return 7;
}

static void yield(unsigned int looks)
{
	(void)looks;
	sched_yield();
}

static void *serve(void *unused)
{
	uint64_t beat = 0;

	while (!__atomic_load_n(&threads.stop_server, __ATOMIC_RELAXED)) {
		if (now_ns() >= beat) {
			server_beat(&steps.server);
			beat = now_ns() + 10000000;
		}
		if (!server_round(&steps.server))
			sched_yield();
	}
	return unused;
}

/* A file of its own, and the same in its memory. */
static void good_client(unsigned int vm, uint64_t seed)
{
	static unsigned char want[GOOD][FILE_SIZE], got[GOOD][FILE_SIZE];
	struct forward forward = {.place = {seven, now_ns, a_ghz, yield, vm}};
	char name[8] = "good0";
	int64_t handle;

	name[4] = (char)('0' + vm);
	handle = forward_connect(&forward, steps.region, STEPS_SIZE);
	if (handle != 0) {
		print_error("VM %u: connect: %lld\n", vm, (long long)handle);
		abort();
	}
	handle = forward_open(&forward, name,
			      AV_FORWARD_O_READ | AV_FORWARD_O_WRITE | AV_FORWARD_O_CREATE, 0600);
	if (handle < 0 || forward_write_all(&forward, handle, want[vm], FILE_SIZE) != FILE_SIZE)
		abort();
	while (!stopping()) {
		uint64_t random = next(&seed);
		size_t at = random % FILE_SIZE, size = random >> 20 & 511;
		int64_t result;

		size = size > FILE_SIZE - at ? FILE_SIZE - at : size;
		if (random >> 63) {
			memset(want[vm] + at, (int)(random >> 40), size);
			result = forward_pwrite(&forward, handle, want[vm] + at, size, at);
		} else {
			result = forward_pread(&forward, handle, got[vm], size, at);
			if (result >= 0 && memcmp(got[vm], want[vm] + at, size) != 0) {
				print_error("VM %u: other bytes\n", vm);
				abort();
			}
		}
		if (result != (int64_t)size) {
			print_error("VM %u: %lld, not %zu\n", vm, (long long)result, size);
			abort();
		}
		__atomic_add_fetch(&threads.done[vm], 1, __ATOMIC_RELAXED);
	}
	forward_disconnect(&forward);
}

static void *good(void *vm)
{
	good_client((unsigned int)(uintptr_t)vm, threads.seed + (uintptr_t)vm + 1);
	return NULL;
}

/* Calls that are good, while flip() changes every word of them. */
static void *bad(void *unused)
{
	struct forward forward = {.place = {seven, now_ns, a_ghz, yield, GOOD}};
	uint64_t seed = threads.seed + 99;

	while (!stopping()) {
		struct forward_request request = {.offset = AV_FORWARD_HERE};
		int64_t handle;

		if (forward_connect(&forward, steps.region, STEPS_SIZE) != 0)
			continue;
		handle = forward_open(&forward, "bad",
				      AV_FORWARD_O_READ | AV_FORWARD_O_WRITE | AV_FORWARD_O_CREATE,
				      0600);
		for (int i = 0; i < 200 && !stopping(); i++) {
			request.call = (uint32_t)(next(&seed) % AV_FORWARD_CALL_COUNT);
			request.handle = (uint32_t)handle;
			request.length = next(&seed) % 512;
			/* In flight for ever when its state was spoilt: nobody waits for it. */
			if (forward_try(&forward, &request) != 0)
				break;
			sched_yield();
		}
		forward_disconnect(&forward);
	}
	return unused;
}

static void *flip(void *unused)
{
	uint64_t seed = threads.seed + 77;

	while (!stopping()) {
		unsigned int slot = 0;

		while (slot < AV_FORWARD_SLOTS &&
		       AV_FORWARD_OWNER_VM(av_forward_slot(steps.region, slot)->owner) != GOOD)
			slot++;
		for (int i = 0; slot < AV_FORWARD_SLOTS && i < 100; i++) {
			struct av_forward_entry *entry =
				&av_forward_slot(steps.region, slot)->entries[next(&seed) & 7];

			__atomic_store_n(&entry->length, next(&seed) & 1 ? 0x100000000 : 512,
					 __ATOMIC_RELAXED);
			__atomic_store_n(&entry->call, (uint32_t)next(&seed) & 15,
					 __ATOMIC_RELAXED);
			__atomic_store_n(&entry->offset, (int64_t)next(&seed), __ATOMIC_RELAXED);
		}
		sched_yield();
	}
	return unused;
}

static void good_clients_notice_nothing_of_a_bad_one(void **state)
{
	struct server_host host = {.member = steps_member, .note = steps_note};
	void *(*const run[])(void *) = {serve, good, good, good, bad, flip};
	const uintptr_t argument[] = {0, 0, 1, 2, 0, 0};
	pthread_t list[6];
	unsigned int done[GOOD];

	(void)state;
	memset(steps.region, 0, STEPS_SIZE);
	threads.stop = false;
	threads.seed = a_seed();
	print_message("SEED=0x%llx\n", (unsigned long long)threads.seed);
	for (unsigned int i = 0; i < STEPS_VMS; i++)
		steps.words[i] = 7 << 8 | AV_MEMBER_RUNNING;
	assert_true(server_begin(&steps.server, steps.region, STEPS_SIZE, steps.root, false, 0xf,
				 &host));
	for (int i = 0; i < 6; i++) {
		assert_int_equal(pthread_create(&list[i], NULL, run[i], (void *)argument[i]), 0);
		/* The good ones have their slots before the bad one comes. */
		while (i >= 1 && i <= GOOD &&
		       !__atomic_load_n(&threads.done[i - 1], __ATOMIC_RELAXED))
			sched_yield();
	}
	sleep(getenv("SOAK") ? 60 : 2);
	__atomic_store_n(&threads.stop, true, __ATOMIC_RELAXED);
	for (int i = 1; i < 6; i++)
		pthread_join(list[i], NULL);
	__atomic_store_n(&threads.stop_server, true, __ATOMIC_RELAXED);
	pthread_join(list[0], NULL);
	memcpy(done, threads.done, sizeof(done));
	print_message("calls: %u %u %u\n", done[0], done[1], done[2]);
	for (int i = 0; i < GOOD; i++)
		assert_true(done[i] > 100);
	server_end(&steps.server);
}

static int set_up(void **state)
{
	(void)state;
	steps_begin();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	steps_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything_in_the_region_harms_only_its_writer),
		cmocka_unit_test(good_clients_notice_nothing_of_a_bad_one),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
