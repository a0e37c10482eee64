/* SPDX-License-Identifier: MIT */
/*
 * lock.c - adds to a counter that several VMs share, under the lock of guest-agent/shared, until its own part in the
 * ledger has reached the target; then waits for a greater one. The sum and the ledger are two stores: who dies
 * between them leaves them torn, and who takes the lock over mends them.
 *
 * On demand (`hold` = own number + 1) it stays in the lock, in that very place, and tells the time all the while, until
 * it is stopped, restarted or restored: so the next one knows how long after that it got the lock. The VMs need the
 * same clock for that (`clock: follow`).
 */
#include "baremetal/share.h"
#include "shared/lock.h"

struct board {
	struct shared_lock lock;
	uint64_t unused[60];
	/* at 1024 */
	_Atomic uint64_t target, hold, sum, mended, beat, worst_us, unused2[2];
	_Atomic uint64_t ledger[AV_REGION_MEMBERS]; /* at 1088 */
};
_Static_assert(offsetof(struct board, target) == 1024 && offsetof(struct board, ledger) == 1088,
	       "tests/system/lock.bats");

static struct region region;
static struct shared_view view;
static struct board *board;

static uint64_t ticks_to_us(uint64_t ticks)
{
	return ticks * 1000 / (counter_hz() / 1000);
}

static void mend(struct shared_hold *hold)
{
	uint64_t sum = 0, late = ticks_to_us(counter_read() - atomic_load(&board->beat));

	for (uint32_t i = 0; i < AV_REGION_MEMBERS; i++)
		sum += atomic_load(&board->ledger[i]);
	print("lock: mended sum %lu to %lu\n", (uint64_t)atomic_load(&board->sum), sum);
	if (atomic_load(&board->beat)) {
		print("lock: taken over after %lu us\n", late);
		if (late > atomic_load(&board->worst_us))
			shared_lock_store(&view, hold, &board->worst_us, late);
		shared_lock_store(&view, hold, &board->beat, 0);
	}
	if (shared_lock_store(&view, hold, &board->sum, sum) ||
	    shared_lock_store(&view, hold, &board->mended, atomic_load(&board->mended) + 1))
		return;
	shared_lock_consistent(hold);
}

static void stay(struct shared_hold *hold)
{
	shared_lock_store(&view, hold, &board->hold, 0);
	print("lock: holding at %lu\n", (uint64_t)atomic_load(&board->ledger[region.member]));
	while (shared_lock_store(&view, hold, &board->beat, counter_read()) == SHARED_OK)
		;
	print("lock: lost it while holding\n");
}

/* One add; false: not yet, the target is reached. */
static bool add(void)
{
	_Atomic uint64_t *own = &board->ledger[region.member];
	struct shared_hold hold;
	int status = shared_lock_acquire(&view, &board->lock, &hold, SHARED_FOREVER);
	uint64_t now;

	if (status < 0) {
		print("lock: acquire: %d\n", status);
		guest_panic("lock: WRONG");
	}
	if (status == SHARED_DIED)
		mend(&hold);
	now = atomic_load(own);
	if (now >= atomic_load(&board->target)) {
		shared_lock_release(&view, &board->lock, &hold);
		return false;
	}
	status = shared_lock_store(&view, &hold, &board->sum, atomic_load(&board->sum) + 1);
	if (!status && atomic_load(&board->hold) == region.member + 1) {
		stay(&hold);
		return true;
	}
	if (!status)
		status = shared_lock_store(&view, &hold, own, now + 1);
	if (!status)
		status = shared_lock_release(&view, &board->lock, &hold);
	if (status)
		print("lock: lost it at %lu\n", now);
	else if ((now + 1) % 500 == 0)
		print("lock: added %lu\n", now + 1);
	return true;
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	if (region_open(&region, "board") != AV_OK || !share_view(&view, &region))
		guest_panic("lock: no region with a state table");
	board = (struct board *)region.base;
	print("lock: member %u, epoch %u, %s\n", region.member, shared_epoch(&view),
	      view.calls->wait ? "doorbells" : "yields");
	for (;;) {
		uint64_t reached = 0;

		while (add())
			;
		reached = atomic_load(&board->target);
		if (reached)
			print("lock: reached %lu, sum %lu, takeovers %lu\n", reached,
			      (uint64_t)atomic_load(&board->sum),
			      (uint64_t)atomic_load(&board->lock.takeovers));
		while (atomic_load(&board->target) == reached)
			hvc_VM_YIELD();
	}
}
