/* SPDX-License-Identifier: MIT */
/*
 * peer.c - a member of the region `pair` that says whenever another's word of the state table changes, waiting for
 * AV_DOORBELL_PEER. First it goes back to a snapshot of its own, to see what becomes of its flags and mask.
 */
#include "baremetal/region.h"

static struct region pair;

/* Flags pending in the snapshot and those rung since are pending afterwards; the mask is the snapshot's. */
static void rewind_doorbell(void)
{
	struct hvc_result taken;
	uint64_t pending, mask;

	doorbell_mask(&pair, 0x100, 0);
	doorbell_ring(&pair, pair.member, 0x1);
	taken = hvc_SNAPSHOT_TAKE(AV_VM_SELF, 0, 0, 0);
	if (!taken.value[1]) {
		doorbell_take(&pair, 0x1);
		doorbell_ring(&pair, pair.member, 0x2);
		doorbell_mask(&pair, 0x200, 0);
		hvc_SNAPSHOT_RESTORE(AV_VM_SELF, taken.value[0], 0);
	}
	mask = doorbell_mask(&pair, 0, 0);
	pending = doorbell_take(&pair, 0x3);
	hvc_SNAPSHOT_DELETE(AV_VM_SELF, taken.value[0]);
	print("peer: rewound with pending 0x%lx mask 0x%lx\n", pending & 0xff, mask);
}

void guest_main(uint64_t dtb)
{
	static const char *const names[] = {"none",    "running", "paused",
					    "starved", "crashed", "stopped"};
	uint64_t last[AV_REGION_MEMBERS] = {0};

	(void)dtb;
	interrupts_init();
	if (region_open(&pair, "pair") != AV_OK)
		guest_panic("no pair");
	rewind_doorbell();
	for (;;) {
		for (unsigned int i = 0; i < pair.state->member_count; i++) {
			uint64_t word = region_member_word(&pair, i);

			if (i == pair.member || word == last[i])
				continue;
			last[i] = word;
			print("peer: member %u generation %lu %s\n", i, av_member_generation(word),
			      names[av_member_state(word) % 6]);
		}
		doorbell_wait(&pair, AV_DOORBELL_PEER, AV_WAIT_FOREVER);
		doorbell_take(&pair, AV_DOORBELL_PEER);
	}
}
