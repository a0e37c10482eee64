/* SPDX-License-Identifier: MIT */
/*
 * sections.c - members of the region `cut` (output: sections): each writes the common section and its own, tries to write every
 * page of the others' and of the state table, and reads all. The x0 of the entry is not used.
 */
#include "baremetal/region.h"

static bool bad;

static void expect(const char *what, uint64_t found, uint64_t wanted)
{
	if (found == wanted)
		return;
	print("sections: WRONG %s: 0x%lx, not 0x%lx\n", what, found, wanted);
	bad = true;
}

/* Write one word; true when it went through. */
static bool write(uint64_t address, uint64_t value)
{
	struct guest_fault fault;

	guest_fault_begin();
	*(volatile uint64_t *)address = value;
	return !guest_fault_end(&fault);
}

static uint64_t tag(unsigned int member, uint64_t offset)
{
	return (uint64_t)(member + 1) << 32 | offset;
}

/* Who may write this page. */
static bool is_writable(const struct region *cut, uint64_t offset, bool ro)
{
	uint64_t own = cut->common_size + cut->member * cut->output_size;

	return !ro && (offset < cut->common_size || offset - own < cut->output_size);
}

void guest_main(uint64_t dtb)
{
	struct region cut;
	struct av_region_info info;
	uint64_t round = 0;
	bool ro;

	(void)dtb;
	interrupts_init();
	expect("region", (uint64_t)region_open(&cut, "cut"), AV_OK);
	expect("info", (uint64_t)hvc_REGION_INFO(cut.number, (uint64_t)&info, sizeof(info)).status,
	       0);
	ro = !(info.members[cut.member].rights & 2);
	expect("sections", cut.common_size + info.member_count * cut.output_size, cut.size);
	for (uint64_t at = 0; at < cut.size + AV_REGION_STATE_SIZE; at += 4096)
		expect("writable",
		       write((uint64_t)cut.base + at + 8 * cut.member, tag(cut.member, at)),
		       is_writable(&cut, at, ro));
	expect("state table", cut.state->magic, AV_REGION_STATE_MAGIC);
	expect("own word", av_member_state(region_member_word(&cut, cut.member)),
	       AV_MEMBER_RUNNING);
	print("sections: member %u tried\n", cut.member);
	for (;; round++) {
		unsigned int foreign = 0;

		/* In another's section only that one has written. */
		for (unsigned int member = 0; member < info.member_count; member++)
			for (uint64_t at = 0; at < cut.output_size; at += 8) {
				uint64_t offset = cut.common_size + member * cut.output_size + at;
				uint64_t value = *(volatile uint64_t *)(cut.base + offset);

				foreign += value && value >> 32 != member + 1;
			}
		expect("foreign words", foreign, 0);
		print("sections: round %lu %s\n", round, bad ? "FAILED" : "ok");
		sleep_us(200000);
	}
}
