/* SPDX-License-Identifier: MIT */
/*
 * consensus.c - VMs that know nothing of each other but a key and how many they are: they get one region, elect one of
 * them at a time by exchange in it, as many rounds as there are VMs; one leaves, writes at its old address, and comes back
 * elsewhere; then all leave. The x0 of the entry is not used: the number of VMs is MEMBERS.
 */
#include "baremetal/region.h"

#define KEY 42
#define MEMBERS 9
#define FLAG 1
#define SIZE 0x5000

struct table {
	uint64_t arrived;         /* at all barriers so far */
	uint64_t winner[MEMBERS]; /* member number + 1 */
	uint64_t filling[600];
	uint64_t canary;
};

static struct region region;
static uint64_t barriers;
static bool bad;

static struct table *table(void)
{
	return (struct table *)region.base;
}

static void expect(const char *what, uint64_t found, uint64_t wanted)
{
	if (found == wanted)
		return;
	print("consensus: WRONG %s: 0x%lx, not 0x%lx\n", what, found, wanted);
	bad = true;
}

static void barrier(void)
{
	uint64_t wanted = ++barriers * MEMBERS;

	if (__atomic_add_fetch(&table()->arrived, 1, __ATOMIC_ACQ_REL) == wanted)
		doorbell_ring(&region, AV_MEMBER_ALL, FLAG);
	while (__atomic_load_n(&table()->arrived, __ATOMIC_ACQUIRE) < wanted) {
		doorbell_wait(&region, FLAG, counter_read() + counter_hz() / 10);
		doorbell_take(&region, FLAG);
	}
}

static bool elect(unsigned int round)
{
	uint64_t nobody = 0;

	return __atomic_compare_exchange_n(&table()->winner[round], &nobody, region.member + 1,
					   false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Out, a write where the region was, and in again: somewhere else, with what the others have there. */
static void leave_and_return(void)
{
	volatile uint64_t *old = &table()->canary;
	uint64_t winner = table()->winner[3];
	struct guest_fault fault;

	expect("canary", *old, 0x5eed);
	expect("detach", (uint64_t)region_detach(&region), AV_OK);
	guest_fault_begin();
	*old = 0xbad;
	expect("a write at the old address aborts", guest_fault_end(&fault), true);
	expect("detach twice", (uint64_t)region_detach(&region), (uint64_t)AV_E_NOT_ATTACHED);
	expect("get", (uint64_t)region_get(&region, KEY, SIZE, 0), AV_OK);
	expect("elsewhere", &table()->canary != old, true);
	expect("the same", table()->winner[3], winner);
	expect("canary", table()->canary, 0x5eed);
	print("consensus: back elsewhere\n");
}

void guest_main(uint64_t dtb)
{
	unsigned int own = MEMBERS;
	uint64_t seed;

	(void)dtb;
	interrupts_init();
	seed = guest_nonce();
	sleep_us(guest_random(&seed) % 20000);
	expect("get", (uint64_t)region_get(&region, KEY, SIZE, 0), AV_OK);
	print("consensus: member %u of region %u at 0x%lx\n", region.member, region.number,
	      (uint64_t)region.base);
	barrier();
	__atomic_store_n(&table()->canary, 0x5eed, __ATOMIC_RELEASE);
	for (unsigned int round = 0; round < MEMBERS; round++) {
		sleep_us(guest_random(&seed) % 2000);
		if (own == MEMBERS && elect(round)) {
			own = round;
			print("consensus: selected at round %u\n", round);
		}
		barrier();
	}
	expect("it won a round", own < MEMBERS, true);
	if (own == 0)
		leave_and_return();
	barrier();
	expect("canary", table()->canary, 0x5eed);
	expect("detach", (uint64_t)region_detach(&region), AV_OK);
	print("consensus: exited %s\n", bad ? "FAILED" : "ok");
	guest_stop();
}
