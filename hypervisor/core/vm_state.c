/* SPDX-License-Identifier: MIT */
/* vm_state.c - {save, load} of each part. No vCPU runs. Reset is a load of `boot`. */
#include "core/vm_state.h"
#include "arch/mem.h"
#include "arch/features.h"
#include "arch/sysreg.h"
#include "core/bug.h"
#include "core/clock.h"
#include "core/cpu_offsets.h"
#include "core/debug.h"
#include "core/flash.h"
#include "core/pmu.h"
#include "core/region.h"
#include "core/string.h"
#include "core/vcpu.h"

/* All that is the VM's in one part: most snapshots share it. All that is a vCPU's in another; the time is vCPU 0's. */
struct vm_saved {
	uint64_t device_version;
	struct vgic_dist_state gic;
	struct vpl011_state uart;
	struct vpl031_state rtc;
	struct vconsole_state console;
	uint64_t debug[AV_VCPU_MAX * DEBUG_REGISTERS];
};

struct vcpu_saved {
	struct vgic_cpu_state gic;
	uint32_t reserved;
	uint64_t counter;
	uint64_t pad;
	uint8_t vcpu[offsetof(struct vcpu, vm)];
};

#define TIMER_CTL_BITS 3u      /* ENABLE, IMASK */
#define CLOCK_MOST (1UL << 51) /* of a VM's counter since its start: a year at 62.5 MHz */
#define RTC_MOST (1UL << 40)   /* seconds */
_Static_assert(sizeof(struct vm_saved) <= VMEM_PART_SIZE_MAX, "a part fits a frame");
_Static_assert(sizeof(struct vcpu_saved) <= VMEM_PART_SIZE_MAX, "a part fits a frame");
_Static_assert(offsetof(struct vcpu, vm) % 8 == 0, "copied by words");
_Static_assert(offsetof(struct vcpu, el1) == VCPU_MEMORY, "cpu_offsets.h");
_Static_assert(offsetof(struct vcpu_saved, vcpu) % 16 == 0, "registers are stored in pairs");

static void vm_save(void *ctx, void *to)
{
	struct vm *vm = ctx;
	struct vm_saved *saved = to;

	saved->device_version = vm->device_version;
	vgic_save(&vm->gic, &saved->gic);
	vpl011_save(&vm->uart, &saved->uart);
	saved->rtc = vm->rtc.state;
	vconsole_save(&vm->console, &saved->console);
	memcpy(saved->debug, vm->debug, sizeof(vm->debug));
}

static void vm_load(void *ctx, const void *from)
{
	struct vm *vm = ctx;
	const struct vm_saved *saved = from;

	vm->device_version = saved->device_version;
	/* The distributor before the devices: their lines are loaded into it. */
	vgic_load(&vm->gic, &saved->gic);
	vpl011_load(&vm->uart, &saved->uart);
	vpl031_load(&vm->rtc, &saved->rtc);
	vconsole_load(&vm->console, &saved->console);
	memcpy(vm->debug, saved->debug, sizeof(vm->debug));
}

static bool vm_same(void *ctx, const void *to)
{
	const struct vm *vm = ctx;
	const struct vm_saved *saved = to;

	return saved->device_version == vm->device_version &&
	       saved->gic.version == vm->gic.dist.version;
}

/*
 * Values out of range are made safe where they are loaded (vgic_load() and the like). The numbers that tell equal states
 * apart are this VM's own; and the doorbells' lines are low, as regions are not in a file.
 */
__attribute__((cold)) static bool vm_adopt(void *ctx, void *to)
{
	struct vm *vm = ctx;
	struct vm_saved *saved = to;

	for (unsigned n = 0; n < AV_REGION_NUMBERS; n++) {
		unsigned spi = AV_REGION_INTID(n) - 32;

		saved->gic.bank[spi / 32].line &= ~(1u << spi % 32);
	}
	for (unsigned i = 0; i < VGIC_SPI_COUNT; i++)
		saved->gic.priority[i] &= VGIC_PRIORITY_MASK;
	debug_adopt(saved->debug);
	saved->gic.version = ++vm->gic.versions;
	saved->device_version = ++vm->device_versions;
	/* What a guest can ask for is 32 bits from now. */
	return saved->rtc.due == ~0UL || saved->rtc.due < RTC_MOST;
}

static void vcpu_save(void *ctx, void *to)
{
	struct vcpu *vcpu = ctx;
	struct vcpu_saved *saved = to;
	struct vcpu *copy = (struct vcpu *)saved->vcpu;

	vgic_cpu_save(&vcpu->vm->gic, vcpu->index, &saved->gic);
	saved->reserved = 0;
	saved->counter = vm_counter(vcpu->vm);
	saved->pad = 0;
	if (!vcpu->in_pe) {
		arch_copy_words(copy, vcpu, sizeof(saved->vcpu));
		return;
	}
	el1_no_extensions(&copy->el1); /* not what was in that frame before */
	el1_save(&copy->el1);
	fp_save_and_copy(&copy->fp, copy, vcpu);
}

static void vcpu_load_part(void *ctx, const void *from)
{
	struct vcpu *vcpu = ctx;
	const struct vcpu_saved *saved = from;
	const struct vcpu *copy = (const struct vcpu *)saved->vcpu;

	vgic_cpu_load(&vcpu->vm->gic, vcpu->index, &saved->gic);
	if (!vcpu->index)
		vm_clock_set(vcpu->vm, saved->counter);
	if (!vcpu->in_pe) {
		arch_copy_words(vcpu, copy, sizeof(saved->vcpu));
		return;
	}
	vcpu_replace(vcpu, copy);
}

/* A state that EL1 or EL0 can be in: an exception return with it stays below EL2. */
__attribute__((cold)) static bool pstate_is_guests(uint64_t pstate)
{
	uint64_t mode = pstate & 0x1f;

	if (pstate >> 32)
		return false;
	if (mode == 0x10) /* EL0, AArch32 */
		return (features.id[4][0] & 0xf) == 2;
	return mode == PSTATE_EL1H || mode == 4 || !mode;
}

/* All other registers are those that a guest may write itself, with any value. */
__attribute__((cold)) static bool vcpu_adopt(void *ctx, void *to)
{
	const struct vcpu *vcpu = ctx;
	struct vcpu_saved *saved = to;
	struct vcpu *copy = (struct vcpu *)saved->vcpu;

	if (copy->power > VCPU_ON || copy->waiting > VCPU_WAITS_BELL || copy->two_timelines > 1 ||
	    copy->reserved || saved->reserved || saved->pad)
		return false;
	/* Doorbells are of regions, and those are not in a file: the call is made again. */
	copy->waiting &= VCPU_WAITS;
	copy->timer.cntv_ctl &= TIMER_CTL_BITS;
	copy->timer.cntp_ctl &= TIMER_CTL_BITS;
	pmu_adopt(&copy->pmu);
	debug_adopt_vcpu(copy);
	if (!vcpu->index && saved->counter - clock_origin > CLOCK_MOST)
		return false;
	return pstate_is_guests(copy->pstate) && saved->gic.asleep <= 1;
}

__attribute__((cold)) static void add(struct vm *vm, struct state_part part)
{
	BUG_ON(vm->part_count == ARRAY_SIZE(vm->parts));
	vm->parts[vm->part_count++] = part;
}

__attribute__((cold)) void vm_state_parts(struct vm *vm)
{
	add(vm, (struct state_part){"devices", sizeof(struct vm_saved), vm_save, vm_load, vm,
				    vm_same, vm_adopt});
	flash_parts(vm, add);
	add(vm, (struct state_part){"regions", (uint32_t)region_state_size(vm), region_state_save,
				    region_state_load, vm, NULL, region_state_adopt});
	/* A number after the name is raised when the order changes within a part: sizes alone would not keep older files out. */
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		add(vm, (struct state_part){"vcpu.2", sizeof(struct vcpu_saved), vcpu_save,
					    vcpu_load_part, &vm->vcpus[i], NULL, vcpu_adopt});
}

uint32_t vm_state_count(unsigned vcpus)
{
	return 2 + vcpus;
}

__attribute__((cold)) void vm_state_adopt(struct vm *vm, const struct vm *from,
					  const struct snapshot *snapshot)
{
	const struct vm_saved *saved = snapshot_part(&from->mem, snapshot, 0);

	vgic_adopt(&vm->gic, &saved->gic, vm->vcpu_count);
	vgic_lower_lines(&vm->gic, AV_REGION_INTID(0), AV_REGION_NUMBERS);
	vpl011_load(&vm->uart, &saved->uart);
	vpl031_load(&vm->rtc, &saved->rtc);
	vconsole_load(&vm->console, &saved->console);
	memcpy(vm->debug, saved->debug, sizeof(vm->debug));
	vm->device_version = ++vm->device_versions;
	region_adopt(vm, from, snapshot_part(&from->mem, snapshot, 1));
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		vcpu_load_part(&vm->vcpus[i], snapshot_part(&from->mem, snapshot, 2 + i));
}

/* FNV-1a, by words: tells equal items from others, no more. */
__attribute__((cold)) static uint64_t checksum(const void *bytes, size_t size)
{
	const uint8_t *from = bytes;
	uint64_t sum = 0xcbf29ce484222325u, word;
	size_t i;

	for (i = 0; i + sizeof(word) <= size; i += sizeof(word)) {
		memcpy(&word, from + i, sizeof(word)); /* items need not be aligned */
		sum = (sum ^ word) * 0x100000001b3u;
	}
	for (; i < size; i++)
		sum = (sum ^ from[i]) * 0x100000001b3u;
	return sum;
}

/* saved: a struct vcpu as far as a snapshot has it. */
__attribute__((cold)) static void describe_vcpu(const struct vcpu *saved, struct av_state_part *to)
{
	const struct el1_context *el1 = &saved->el1;

	memcpy(to->x, saved->x, sizeof(to->x));
	to->pc = saved->pc;
	to->pstate = saved->pstate;
	to->sp_el0 = el1->sp_el0;
	to->sp_el1 = el1->sp_el1;
	to->elr_el1 = el1->elr;
	to->spsr_el1 = el1->spsr;
	to->esr_el1 = el1->esr;
	to->far_el1 = el1->far;
	to->vbar_el1 = el1->vbar;
	to->sctlr_el1 = el1->sctlr;
	to->tcr_el1 = el1->tcr;
	to->ttbr0_el1 = el1->ttbr0;
	to->ttbr1_el1 = el1->ttbr1;
	to->mair_el1 = el1->mair;
	to->contextidr_el1 = el1->contextidr;
	to->tpidr_el0 = el1->tpidr_el0;
	to->tpidrro_el0 = el1->tpidrro_el0;
	to->tpidr_el1 = el1->tpidr_el1;
	to->cntv_ctl_el0 = saved->timer.cntv_ctl;
	to->cntv_cval_el0 = saved->timer.cntv_cval;
	to->cntp_ctl_el0 = saved->timer.cntp_ctl;
	to->cntp_cval_el0 = saved->timer.cntp_cval;
	to->fp_checksum = checksum(&saved->fp, sizeof(saved->fp));
	to->power = saved->power;
}

/* Some of a part's bytes under a name of their own. */
struct item {
	const char *name;
	uint32_t part;
	size_t offset, size;
};

/* What a part is made of, one item after the other; how many there are. */
__attribute__((cold)) static unsigned items_of(const struct vm *vm, uint32_t part,
					       struct item items[4])
{
	const struct state_part *about = &vm->parts[part];

	if (about->save == vm_save) {
		items[0] = (struct item){"gic", part, offsetof(struct vm_saved, gic.bank),
					 sizeof(struct vgic_dist_state) -
						 offsetof(struct vgic_dist_state, bank)};
		items[1] = (struct item){"uart", part, offsetof(struct vm_saved, uart),
					 sizeof(struct vpl011_state)};
		items[2] = (struct item){"console", part, offsetof(struct vm_saved, console),
					 sizeof(struct vconsole_state)};
		items[3] = (struct item){"debug", part, offsetof(struct vm_saved, debug),
					 sizeof(((struct vm_saved *)0)->debug)};
		return 4;
	}
	if (about->save == vcpu_save) {
		items[0] = (struct item){"vcpu", part, offsetof(struct vcpu_saved, vcpu),
					 offsetof(struct vcpu, vm)};
		items[1] = (struct item){"gic-cpu", part, offsetof(struct vcpu_saved, gic),
					 sizeof(struct vgic_cpu_state)};
		items[2] = (struct item){"clock", part, offsetof(struct vcpu_saved, counter),
					 sizeof(uint64_t)};
		return about->ctx == &vm->vcpus[0] ? 3 : 2;
	}
	items[0] = (struct item){about->name, part, 0, about->size};
	return 1;
}

/* The item of that number; part is part_count when there is none. */
__attribute__((cold)) static struct item find_item(const struct vm *vm, uint64_t number)
{
	struct item items[4];

	for (uint32_t part = 0; part < vm->part_count; part++) {
		unsigned count = items_of(vm, part, items);

		if (number < count)
			return items[number];
		number -= count;
	}
	return (struct item){.part = vm->part_count};
}

__attribute__((cold)) uint32_t vm_state_items(const struct vm *vm)
{
	struct item items[4];
	uint32_t count = 0;

	for (uint32_t part = 0; part < vm->part_count; part++)
		count += items_of(vm, part, items);
	return count;
}

__attribute__((cold)) uint32_t vm_state_part_of(const struct vm *vm, uint64_t number)
{
	return find_item(vm, number).part;
}

__attribute__((cold)) void vm_state_describe(const struct vm *vm, uint64_t number,
					     const void *saved, struct av_state_part *to)
{
	struct item item = find_item(vm, number);
	const struct state_part *about = &vm->parts[item.part];
	const uint8_t *bytes = (const uint8_t *)saved + item.offset;

	memset(to, 0, sizeof(*to));
	for (unsigned i = 0; i + 1 < sizeof(to->name) && item.name[i]; i++)
		to->name[i] = item.name[i];
	to->vcpu = ~0u;
	to->size = (uint32_t)item.size;
	to->checksum = checksum(bytes, about->save == region_state_save ? region_state_used(saved)
									: item.size);
	if (about->save == vm_save && item.offset == offsetof(struct vm_saved, gic.bank))
		to->checksum += ((const struct vm_saved *)saved)->gic.ctlr;
	if (about->save != vcpu_save)
		return;
	if (item.offset == offsetof(struct vcpu_saved, counter)) {
		to->value = ((const struct vcpu_saved *)saved)->counter;
		return;
	}
	to->vcpu = ((const struct vcpu *)about->ctx)->index;
	if (item.offset == offsetof(struct vcpu_saved, vcpu))
		describe_vcpu((const struct vcpu *)(const void *)bytes, to);
}
