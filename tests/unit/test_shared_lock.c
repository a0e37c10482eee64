/* SPDX-License-Identifier: MIT */
/* test_shared_lock.c - the lock of guest-agent/shared between threads that die, start anew and go back in time. */
#include "shared_rig.h"

#include "shared/lock.h"

#define MEMBERS 4

static struct rig *rig;
static struct shared_lock *lock;

static int begin(void **state)
{
	(void)state;
	rig = rig_new();
	lock = calloc(1, sizeof(*lock));
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_free(rig);
	free(lock);
	return 0;
}

static const struct shared_view *view(uint32_t member)
{
	return &rig->members[member].view;
}

static int take(uint32_t member, struct shared_hold *hold)
{
	return shared_lock_acquire(view(member), lock, hold, rig_now(NULL) + 10 * RIG_HZ);
}

static int give(uint32_t member, const struct shared_hold *hold)
{
	return shared_lock_release(view(member), lock, hold);
}

/* A ticket that is drawn and never given back, by a member that then is something else. */
static void leave_ticket(uint32_t member, uint64_t generation, unsigned int state)
{
	uint64_t ticket = atomic_load(&lock->serving) >> 8;
	uint64_t next = atomic_load(&lock->next);

	if (next > ticket)
		ticket = next;
	atomic_store(&lock->queue[ticket % SHARED_LOCK_QUEUE],
		     (ticket + 1) << 32 | (member + 1) << 24 | rig_generation(rig, member));
	atomic_store(&lock->next, ticket + 1);
	rig_set(rig, member, generation, state);
}

static uint64_t plain_sum;
static _Atomic unsigned int inside;

static void *count_plainly(void *context)
{
	struct rig_member *self = context;
	unsigned long adds = rig_count(10000, 1000000);

	for (unsigned long i = 0; i < adds; i++) {
		struct shared_hold hold;

		if (shared_lock_acquire(&self->view, lock, &hold, SHARED_FOREVER) != SHARED_OK ||
		    atomic_fetch_add(&inside, 1) != 0)
			return "not alone";
		plain_sum++;
		atomic_fetch_sub(&inside, 1);
		if (shared_lock_release(&self->view, lock, &hold) != SHARED_OK)
			return "lost";
	}
	return NULL;
}

static void run_threads(void *(*body)(void *), uint32_t count)
{
	pthread_t threads[RIG_MEMBERS];
	void *wrong[RIG_MEMBERS];

	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, body, &rig->members[i]), 0);
	for (uint32_t i = 0; i < count; i++)
		pthread_join(threads[i], &wrong[i]);
	for (uint32_t i = 0; i < count; i++)
		if (wrong[i])
			fail_msg("thread %u: %s", i, (char *)wrong[i]);
}

static void threads_add_without_losing_one(void **state)
{
	(void)state;
	plain_sum = 0;
	run_threads(count_plainly, MEMBERS);
	assert_int_equal(plain_sum, MEMBERS * rig_count(10000, 1000000));
	assert_int_equal(atomic_load(&lock->takeovers), 0);
}

static void threads_without_doorbells_yield(void **state)
{
	(void)state;
	plain_sum = 0;
	for (uint32_t i = 0; i < MEMBERS; i++)
		rig->members[i].view.calls = &rig_calls_without_bells;
	run_threads(count_plainly, MEMBERS);
	assert_int_equal(plain_sum, MEMBERS * rig_count(10000, 1000000));
}

static void dead_holder_is_followed_once(void **state)
{
	static const unsigned int deaths[] = {AV_MEMBER_NONE, AV_MEMBER_CRASHED, AV_MEMBER_STOPPED};

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct shared_hold first, second, third;

		assert_int_equal(take(0, &first), SHARED_OK);
		rig_set(rig, 0, 7, deaths[i]);
		assert_false(shared_lock_is_held(view(1), lock));
		assert_int_equal(take(1, &second), SHARED_DIED);
		assert_int_equal(shared_lock_acquire(view(2), lock, &third, SHARED_NOW),
				 SHARED_TIMEOUT);
		shared_lock_consistent(&second);
		assert_int_equal(give(1, &second), SHARED_OK);
		assert_int_equal(take(2, &third), SHARED_OK);
		assert_int_equal(give(2, &third), SHARED_OK);
		assert_int_equal(atomic_load(&lock->takeovers), i + 1);
		rig_set(rig, 0, 7, AV_MEMBER_RUNNING);
	}
}

static void paused_and_starved_holders_keep_it(void **state)
{
	struct shared_hold first, second;

	(void)state;
	assert_int_equal(take(0, &first), SHARED_OK);
	for (unsigned int s = AV_MEMBER_RUNNING; s <= AV_MEMBER_STARVED; s++) {
		rig_set(rig, 0, 7, s);
		assert_int_equal(
			shared_lock_acquire(view(1), lock, &second, rig_now(NULL) + RIG_HZ / 50),
			SHARED_TIMEOUT);
	}
	assert_int_equal(give(0, &first), SHARED_OK);
	assert_int_equal(take(1, &second), SHARED_OK);
	assert_int_equal(give(1, &second), SHARED_OK);
}

static void damage_is_told_until_somebody_mends_it(void **state)
{
	struct shared_hold hold;

	(void)state;
	assert_int_equal(take(0, &hold), SHARED_OK);
	rig_next_life(rig, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(take(1, &hold), SHARED_DIED);
		assert_int_equal(give(1, &hold), SHARED_OK);
	}
	assert_int_equal(take(2, &hold), SHARED_DIED);
	shared_lock_consistent(&hold);
	assert_int_equal(give(2, &hold), SHARED_OK);
	assert_int_equal(take(1, &hold), SHARED_OK);
}

static void holder_that_went_back_in_time_has_lost_it(void **state)
{
	struct shared_hold old, hold;
	_Atomic uint64_t data = 1;

	(void)state;
	assert_int_equal(take(0, &old), SHARED_OK);
	assert_int_equal(shared_lock_store(view(0), &old, &data, 2), SHARED_OK);
	rig_next_life(rig, 0); /* restored to here */
	assert_int_equal(shared_lock_store(view(0), &old, &data, 3), SHARED_LOST);
	assert_int_equal(give(0, &old), SHARED_LOST);
	assert_int_equal(atomic_load(&data), 2);
	/* It can take it again itself, and is told what it left. */
	assert_int_equal(take(0, &hold), SHARED_DIED);
	assert_int_equal(give(0, &old), SHARED_LOST);
	shared_lock_consistent(&hold);
	assert_int_equal(give(0, &hold), SHARED_OK);
	assert_int_equal(give(0, &hold), SHARED_LOST);
}

static void waiters_of_past_lives_are_passed(void **state)
{
	struct shared_hold first, second;

	(void)state;
	assert_int_equal(take(0, &first), SHARED_OK);
	leave_ticket(2, 8, AV_MEMBER_RUNNING); /* restarted while it waited */
	leave_ticket(3, 7, AV_MEMBER_STOPPED);
	leave_ticket(1, 8, AV_MEMBER_RUNNING);
	leave_ticket(1, 9, AV_MEMBER_RUNNING);
	assert_int_equal(give(0, &first), SHARED_OK);
	assert_int_equal(take(1, &second),
			 SHARED_DIED); /* nobody can know that they had not entered */
	assert_int_equal(atomic_load(&lock->takeovers), 4);
	assert_int_equal(give(1, &second), SHARED_OK);
}

static void number_of_a_member_may_be_used_again(void **state)
{
	struct shared_hold first, second;

	(void)state;
	/* A VM that left inside the lock; another one got its number, at the same generation. */
	assert_int_equal(take(0, &first), SHARED_OK);
	assert_int_equal(take(0, &second), SHARED_DIED);
	assert_int_equal(give(0, &second), SHARED_OK);
}

static void ticket_given_up_at_the_deadline_is_no_death(void **state)
{
	struct shared_hold first, second;

	(void)state;
	assert_int_equal(take(0, &first), SHARED_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			shared_lock_acquire(view(1), lock, &second, rig_now(NULL) + RIG_HZ / 1000),
			SHARED_TIMEOUT);
	assert_int_equal(give(0, &first), SHARED_OK);
	assert_int_equal(take(2, &second), SHARED_OK);
	assert_int_equal(give(2, &second), SHARED_OK);
	assert_int_equal(atomic_load(&lock->takeovers), 0);
}

static void queue_full_of_the_dead_is_emptied(void **state)
{
	struct shared_hold first, second;

	(void)state;
	assert_int_equal(take(0, &first), SHARED_OK);
	for (uint64_t i = 1; i < SHARED_LOCK_QUEUE; i++)
		leave_ticket(1, 7 + i, AV_MEMBER_RUNNING);
	assert_int_equal(shared_lock_acquire(view(2), lock, &second, rig_now(NULL) + RIG_HZ / 100),
			 SHARED_TIMEOUT);
	assert_int_equal(give(0, &first), SHARED_OK);
	assert_int_equal(take(2, &second), SHARED_DIED);
	assert_int_equal(give(2, &second), SHARED_OK);
}

/* Member 0 of the table below sleeps in the lock until it is given away. */
static void *wait_once(void *context)
{
	struct rig_member *self = context;
	struct shared_hold hold;
	int status = shared_lock_acquire(&self->view, lock, &hold, rig_now(NULL) + 60 * RIG_HZ);

	if (status == SHARED_OK)
		status = shared_lock_release(&self->view, lock, &hold);
	return status == SHARED_OK ? NULL : "not taken";
}

static void sleeper_is_rung_when_it_is_next(void **state)
{
	struct shared_hold hold;
	pthread_t thread;
	void *wrong;
	uint64_t deadline = rig_now(NULL) + 20 * RIG_HZ;

	(void)state;
	rig->members[0].view.poll_ticks = 1000 * RIG_HZ; /* only the bell wakes it */
	assert_int_equal(take(1, &hold), SHARED_OK);
	assert_int_equal(pthread_create(&thread, NULL, wait_once, &rig->members[0]), 0);
	while (!(atomic_load(&lock->sleepers) & 1) && rig_now(NULL) < deadline)
		sched_yield();
	assert_int_equal(give(1, &hold), SHARED_OK);
	pthread_join(thread, &wrong);
	assert_null(wrong);
	assert_int_equal(rig->members[0].rings, 1);
	assert_int_equal(atomic_load(&lock->sleepers), 0);
}

static _Atomic uint64_t ledger_sum, ledger[RIG_MEMBERS];

/* The data as a program would have it that can die anywhere: each add in two places, mended by who finds it torn. */
static bool add_once(struct rig_member *self, uint64_t chance)
{
	struct shared_hold hold;
	uint32_t me = self->view.self;
	int status = shared_lock_acquire(&self->view, lock, &hold, SHARED_FOREVER);

	if (status == SHARED_DIED) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < MEMBERS; i++)
			sum += atomic_load(&ledger[i]);
		shared_lock_store(&self->view, &hold, &ledger_sum, sum);
		shared_lock_consistent(&hold);
	} else if (status != SHARED_OK) {
		return false;
	}
	if (atomic_fetch_add(&inside, 1) != 0)
		return false;
	if (chance % 41 == 0)
		goto die;
	shared_lock_store(&self->view, &hold, &ledger_sum, atomic_load(&ledger_sum) + 1);
	if (chance % 43 == 0)
		goto die;
	shared_lock_store(&self->view, &hold, &ledger[me], atomic_load(&ledger[me]) + 1);
	if (chance % 47 == 0)
		goto die;
	atomic_fetch_sub(&inside, 1);
	return shared_lock_release(&self->view, lock, &hold) == SHARED_OK;
die:
	atomic_fetch_sub(&inside, 1);
	rig_next_life(self->rig, me);
	return shared_lock_store(&self->view, &hold, &ledger_sum, 0) == SHARED_LOST &&
	       shared_lock_release(&self->view, lock, &hold) == SHARED_LOST;
}

static void *add_and_die(void *context)
{
	struct rig_member *self = context;
	uint64_t seed = 88172645463325252ull + self->view.self;
	unsigned long adds = rig_count(10000, 1000000);

	for (unsigned long i = 0; i < adds; i++) {
		uint64_t chance = rig_random(&seed);

		if (chance % 101 == 0) { /* a ticket drawn by a life that ends before its turn */
			struct shared_hold hold;

			if (shared_lock_acquire(&self->view, lock, &hold,
						rig_now(NULL) + RIG_HZ / 100000) >= 0)
				rig_next_life(rig, self->view.self);
		}
		if (!add_once(self, chance))
			return "not alone, or an end that was no end";
	}
	return NULL;
}

static void sum_is_exact_over_many_deaths(void **state)
{
	uint64_t sum = 0;
	struct shared_hold hold;

	(void)state;
	atomic_store(&ledger_sum, 0);
	for (uint32_t i = 0; i < RIG_MEMBERS; i++)
		atomic_store(&ledger[i], 0);
	run_threads(add_and_die, MEMBERS);
	assert_in_range(take(5, &hold), SHARED_OK, SHARED_DIED);
	for (uint32_t i = 0; i < MEMBERS; i++)
		sum += atomic_load(&ledger[i]);
	/* The last one may have died between the two. */
	assert_in_range(atomic_load(&ledger_sum) - sum, 0, 1);
	assert_true(sum > MEMBERS * rig_count(10000, 1000000) * 9 / 10);
	assert_true(atomic_load(&lock->takeovers) > 100);
}

static void any_bytes_for_a_lock_are_survived(void **state)
{
	uint64_t seed = 0x9e3779b97f4a7c15u;

	(void)state;
	for (unsigned long i = 0; i < rig_count(300, 20000); i++) {
		struct shared_hold hold;
		unsigned char *bytes = (unsigned char *)lock;
		int status;

		for (size_t b = 0; b < sizeof(*lock); b++)
			bytes[b] = (unsigned char)(rig_random(&seed) >> 11 & (i % 3 ? 0xff : 1));
		if (i % 2)
			atomic_store(&lock->next, atomic_load(&lock->serving) >> 8);
		status = shared_lock_acquire(view(i % MEMBERS), lock, &hold,
					     rig_now(NULL) + RIG_HZ / 10000);
		if (status >= 0)
			give((uint32_t)(i % MEMBERS), &hold);
		else
			assert_true(status == SHARED_TIMEOUT || status == SHARED_CORRUPT);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	static const struct CMUnitTest tests[] = {
		TEST(threads_add_without_losing_one),
		TEST(threads_without_doorbells_yield),
		TEST(dead_holder_is_followed_once),
		TEST(paused_and_starved_holders_keep_it),
		TEST(damage_is_told_until_somebody_mends_it),
		TEST(holder_that_went_back_in_time_has_lost_it),
		TEST(waiters_of_past_lives_are_passed),
		TEST(number_of_a_member_may_be_used_again),
		TEST(ticket_given_up_at_the_deadline_is_no_death),
		TEST(queue_full_of_the_dead_is_emptied),
		TEST(sleeper_is_rung_when_it_is_next),
		TEST(sum_is_exact_over_many_deaths),
		TEST(any_bytes_for_a_lock_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
