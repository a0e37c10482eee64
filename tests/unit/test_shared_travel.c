/* SPDX-License-Identifier: MIT */
/*
 * test_shared_travel.c - the lock's own code, one shared access at a time, with members that are really put back in
 * time: each is a fiber, a snapshot is a copy of its stack and registers, a restore copies them back. Random
 * interleavings; the seed of the failing one is printed.
 */
#include <ucontext.h>

#include "shared_rig.h"

#include "shared/lock.h"

#define FIBERS 3
#define ADDS 3
#define STACK 32768
#define STEPS_MOST 200000

struct fiber {
	ucontext_t context;
	_Alignas(16) unsigned char stack[STACK];
};

static struct rig *rig;
static struct shared_lock *lock;
static struct fiber fibers[FIBERS], snapshots[FIBERS];
static bool have_snapshot[FIBERS], ended[FIBERS], stopped[FIBERS];
static ucontext_t scheduler;
static uint32_t current;
static bool in_fiber;
static uint64_t seed, run_seed;

static _Atomic uint64_t sum, ledger[FIBERS];
static uint64_t true_sum;       /* what sum must be: nothing of it is in a snapshot */
static uint32_t inside[FIBERS]; /* epoch + 1 of who is in the lock */
static unsigned long travels, mends, losses;

/* Called before each shared access of the code under test. */
void shared_step(void)
{
	if (in_fiber)
		swapcontext(&fibers[current].context, &scheduler);
}

static void wrong(const char *what)
{
	in_fiber = false;
	fprintf(stderr, "# seed %lu: %s\n", (unsigned long)run_seed, what);
	abort();
}

static uint64_t step_now(void *context)
{
	(void)context;
	return 0;
}

static void step_yield(void *context)
{
	(void)context;
	shared_step();
}

static void step_ring(void *context, uint32_t member, uint64_t flags)
{
	(void)context;
	(void)member;
	(void)flags;
	shared_step();
}

static void step_wait(void *context, uint64_t flags, uint64_t deadline)
{
	(void)context;
	(void)flags;
	(void)deadline;
	shared_step();
}

static void step_acknowledge(void *context, uint64_t flags)
{
	(void)context;
	(void)flags;
}

static const struct shared_calls step_calls = {step_now, step_yield, step_ring, step_wait,
					       step_acknowledge};

static bool lives(uint32_t i)
{
	return !stopped[i] && inside[i] &&
	       ((rig_generation(rig, i) & SHARED_EPOCH_MASK) + 1) == inside[i];
}

static void enter(uint32_t me, uint32_t epoch)
{
	for (uint32_t i = 0; i < FIBERS; i++)
		if (i != me && lives(i))
			wrong("two in the lock");
	inside[me] = epoch + 1;
}

/* Stores and what they mean for the truth are one step. */
static bool set_sum(const struct shared_view *view, const struct shared_hold *hold, uint64_t from,
		    uint64_t to)
{
	if (shared_lock_store(view, hold, &sum, to)) {
		losses++;
		return false;
	}
	if (from != true_sum)
		wrong("an add that does not go on from the last one");
	true_sum = to;
	return true;
}

static void add(const struct shared_view *view)
{
	uint32_t me = view->self;
	struct shared_hold hold;
	int status = shared_lock_acquire(view, lock, &hold, SHARED_FOREVER);
	uint64_t value;

	if (status < 0)
		wrong("acquire failed");
	if ((rig_generation(rig, me) & SHARED_EPOCH_MASK) == hold.epoch)
		enter(me, hold.epoch);
	if (status == SHARED_DIED) {
		value = 0;
		for (uint32_t i = 0; i < FIBERS; i++)
			value += shared_load(&ledger[i]);
		if (!set_sum(view, &hold, true_sum, value))
			return;
		mends++;
		shared_lock_consistent(&hold);
	}
	/* Only here: a look from before the lock may be another life's. */
	if (shared_load(&ledger[me]) < ADDS) {
		value = shared_load(&sum);
		if (!set_sum(view, &hold, value, value + 1))
			return;
		value = shared_load(&ledger[me]);
		if (shared_lock_store(view, &hold, &ledger[me], value + 1)) {
			losses++;
			return;
		}
	}
	if (inside[me] == hold.epoch + 1)
		inside[me] = 0;
	if (shared_lock_release(view, lock, &hold))
		losses++;
}

static void fiber_main(int index)
{
	const struct shared_view *view = &rig->members[index].view;

	while (shared_load(&ledger[index]) < ADDS)
		add(view);
	for (;;) {
		ended[index] = true;
		shared_step();
	}
}

static void start(uint32_t i)
{
	getcontext(&fibers[i].context);
	fibers[i].context.uc_stack.ss_sp = fibers[i].stack;
	fibers[i].context.uc_stack.ss_size = STACK;
	makecontext(&fibers[i].context, (void (*)(void))fiber_main, 1, (int)i);
	ended[i] = false;
	inside[i] = 0;
}

/* Copies of a fiber lie at another place, but run at the one they were made at. */
static void event(uint32_t i, unsigned int what)
{
	if (what == 0) {
		memcpy(&snapshots[i], &fibers[i], sizeof(fibers[i]));
		have_snapshot[i] = true;
	} else if (what == 1 && have_snapshot[i]) {
		memcpy(&fibers[i], &snapshots[i], sizeof(fibers[i]));
		ended[i] = false;
		inside[i] = 0;
		stopped[i] = false;
		rig_next_life(rig, i);
		travels++;
	} else if (what == 2) {
		start(i);
		stopped[i] = false;
		rig_next_life(rig, i);
	} else if (what == 3) {
		stopped[i] = true;
		rig_set(rig, i, rig_generation(rig, i), AV_MEMBER_STOPPED);
	}
}

static bool all_done(void)
{
	for (uint32_t i = 0; i < FIBERS; i++)
		if (!ended[i] && !stopped[i])
			return false;
	return true;
}

static void run_once(unsigned int chance)
{
	unsigned int events = 8, steps = 0;

	memset(lock, 0, sizeof(*lock));
	atomic_store(&sum, 0);
	true_sum = 0;
	for (uint32_t i = 0; i < FIBERS; i++) {
		atomic_store(&ledger[i], 0);
		have_snapshot[i] = stopped[i] = false;
		rig_set(rig, i, 7, AV_MEMBER_RUNNING);
		rig->members[i].view.calls = &step_calls;
		start(i);
	}
	current = 0;
	while (!all_done()) {
		uint64_t r = rig_random(&seed);

		if (++steps > STEPS_MOST)
			wrong("no end: somebody waits for ever");
		if (events && r % chance == 0) {
			event((uint32_t)(r >> 16) % FIBERS, (unsigned int)(r >> 24) % 7 % 4);
			events--;
		}
		/* Mostly the same one goes on: others come in between at few places, but at any. */
		if ((r >> 32) % 4 == 0 || ended[current] || stopped[current])
			current = (uint32_t)(r >> 40) % FIBERS;
		if (stopped[current])
			continue;
		in_fiber = true;
		swapcontext(&scheduler, &fibers[current].context);
		in_fiber = false;
	}
	/* A store of the ledger is missing only where the last holder died between the two. */
	for (uint32_t i = 0; i < FIBERS; i++)
		if (!stopped[i] && atomic_load(&ledger[i]) != ADDS)
			wrong("a member's adds are not all there");
	if (atomic_load(&sum) != true_sum)
		wrong("the sum");
}

static void no_life_disturbs_another(void **state)
{
	(void)state;
	rig = rig_new();
	lock = calloc(1, sizeof(*lock));
	seed = 0x9e3779b97f4a7c15u;
	for (unsigned long i = 0; i < rig_count(20000, 3000000); i++) {
		run_seed = seed;
		run_once(10 + (unsigned int)(i % 60));
	}
	print_message("%lu travels, %lu mends, %lu losses\n", travels, mends, losses);
	assert_true(travels > 1000 && mends > 1000 && losses > 1000);
	free(lock);
	rig_free(rig);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(no_life_disturbs_another)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
