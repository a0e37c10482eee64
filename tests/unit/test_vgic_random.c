/* SPDX-License-Identifier: MIT */
/* test_vgic_random.c - random operations on the vGIC beside a naive model that knows no list registers.
 * Arguments: seed, operations. */

#include <time.h>

#include "vgic_rig.h"

#define CPUS 3u
#define STACK 40u

/* The two that ISACTIVER is tried on are never enabled: the CPU interface must not mix them up with running ones. */
static const unsigned tried[] = {0,  1,  7,  16, 20, 27,  32,  33,  34,
				 35, 36, 37, 63, 64, 100, 101, 255, 287};
static const unsigned forced_active[] = {20, 287};
#define TRIED (sizeof(tried) / sizeof(tried[0]))

struct irq {
	bool group, enabled, latch, line, edge, active;
	unsigned priority;
	unsigned route;
	unsigned owner;
};

struct running {
	unsigned intid;
	unsigned priority;
};

static struct irq private_irqs[CPUS][32];
static struct irq shared_irqs[VGIC_INTID_COUNT];
static unsigned ctlr;
static struct running stack[CPUS][STACK];
static unsigned depth[CPUS];
static struct rig r;
static uint64_t random_state;
static uint64_t seed;
static unsigned long operation_count = 300000;

static unsigned rnd(unsigned below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)((random_state >> 20) % below);
}

static struct irq *irq(unsigned cpu, unsigned intid)
{
	return intid < 32 ? &private_irqs[cpu][intid] : &shared_irqs[intid];
}

static bool is_pending(const struct irq *q)
{
	return q->latch || (q->line && !q->edge);
}

static bool takeable(unsigned cpu, unsigned intid)
{
	const struct irq *q = irq(cpu, intid);

	return is_pending(q) && q->enabled && !q->active && (ctlr & (q->group ? 2 : 1)) &&
	       (intid < 32 || q->route == cpu);
}

static unsigned running_priority(unsigned cpu)
{
	return depth[cpu] ? stack[cpu][depth[cpu] - 1].priority : 0x100;
}

static unsigned best_takeable(unsigned cpu)
{
	unsigned best = 0x100;

	for (unsigned i = 0; i < TRIED; i++) {
		if (takeable(cpu, tried[i]) && irq(cpu, tried[i])->priority < best)
			best = irq(cpu, tried[i])->priority;
	}
	return best < running_priority(cpu) ? best : 0x100;
}

static bool is_forced(unsigned intid)
{
	return intid == forced_active[0] || intid == forced_active[1];
}

static void do_line(unsigned cpu, unsigned intid)
{
	struct irq *q = irq(cpu, intid);
	bool level = rnd(2);
	unsigned slot;
	uint64_t value;

	if (intid < 16)
		return;
	if (intid == 27) {
		if (q->line || q->active)
			return; /* the physical one is active: it cannot come again */
		level = true;
	}
	if (level && !q->line && q->edge)
		q->latch = true;
	q->line = level;
	if (!level || rnd(2)) {
		rig_line(&r, cpu, intid, level);
		return;
	}
	if (vgic_inject_fast(&r.v, cpu, intid, rig_empty(&r, cpu), RIG_LRS, &slot, &value))
		r.lr[cpu][slot] = value;
	rig_enter_all(&r);
}

static void do_ack(unsigned cpu)
{
	unsigned best = best_takeable(cpu);
	int lr = rig_best(&r, cpu);
	unsigned offered =
		lr < 0 ? 0x100 : (unsigned)(r.lr[cpu][lr] >> VGIC_LR_PRIORITY_SHIFT & 0xff);
	unsigned intid;
	struct irq *q;

	if (offered >= running_priority(cpu))
		offered = 0x100;
	assert_int_equal(offered, best);
	if (offered == 0x100 || depth[cpu] == STACK)
		return;
	intid = (unsigned)(r.lr[cpu][lr] & 0xffff);
	assert_true(takeable(cpu, intid));
	q = irq(cpu, intid);
	assert_int_equal(q->priority, offered);
	assert_int_equal(!!(r.lr[cpu][lr] & VGIC_LR_GROUP1), q->group);
	q->latch = false;
	if (intid == 27)
		q->line = false;
	q->active = true;
	q->owner = cpu;
	stack[cpu][depth[cpu]++] = (struct running){intid, offered};
	assert_int_equal(rig_ack(&r, cpu), intid);
}

static void do_eoi(unsigned cpu)
{
	unsigned intid;
	struct irq *q;

	if (!depth[cpu])
		return;
	intid = stack[cpu][--depth[cpu]].intid;
	q = irq(cpu, intid);
	if (!q->active || (intid >= 32 && q->owner != cpu))
		return; /* software deactivated it meanwhile */
	q->active = false;
	rig_eoi(&r, cpu, intid);
}

static void bit_write(unsigned cpu, unsigned intid, uint64_t offset)
{
	uint32_t bit = UINT32_C(1) << (intid & 31);

	/* Another vCPU may write the redistributor: always the one of cpu, by any. */
	if (intid < 32)
		rig_write_sized(&r, rnd(CPUS), VGIC_REDIST, SGI(cpu) + offset, 4, bit);
	else
		rig_write_sized(&r, rnd(CPUS), VGIC_DIST, offset + 4 * (intid / 32), 4, bit);
}

static void do_enable(unsigned cpu, unsigned intid)
{
	bool on = rnd(3);

	if (is_forced(intid))
		return;
	irq(cpu, intid)->enabled = on;
	bit_write(cpu, intid, on ? 0x100 : 0x180);
}

static void do_pending(unsigned cpu, unsigned intid)
{
	bool set = rnd(2) && intid != 27;

	irq(cpu, intid)->latch = set;
	if (set && rnd(2))
		rig_pulse(&r, cpu, intid);
	else
		bit_write(cpu, intid, set ? 0x200 : 0x280);
}

static void do_active(unsigned cpu, unsigned intid)
{
	struct irq *q;
	bool set = rnd(2);

	if (set)
		intid = forced_active[rnd(2)];
	q = irq(cpu, intid);
	if (!set && intid == 27 && q->active) {
		bit_write(cpu, intid, 0x380);
		rig_fold(&r, cpu);
		rig_enter_all(&r);
		assert_true(vgic_take_hw_release(&r.v, cpu) >> 27 & 1);
	} else {
		bit_write(cpu, intid, set ? 0x300 : 0x380);
	}
	q->active = set;
}

static void do_priority(unsigned cpu, unsigned intid)
{
	struct irq *q = irq(cpu, intid);
	unsigned value = rnd(30) * 8;

	if (q->active || is_forced(intid))
		return;
	q->priority = value;
	rig_set_priority(&r, cpu, intid, value | rnd(8));
}

static void do_route(unsigned intid)
{
	struct irq *q = &shared_irqs[intid];

	if (intid < 32)
		return;
	q->route = rnd(CPUS + 1);
	rig_write_sized(&r, rnd(CPUS), VGIC_DIST, 0x6000 + 8 * intid, 8,
			q->route == CPUS && rnd(2) ? 0x100 : q->route);
}

static void do_group(unsigned cpu, unsigned intid)
{
	uint64_t offset = intid < 32 ? SGI(cpu) + 0x80 : 0x80 + 4 * (intid / 32);
	enum vgic_frame frame = intid < 32 ? VGIC_REDIST : VGIC_DIST;
	uint64_t groups;

	if (!rnd(4)) {
		ctlr = rnd(6) ? 3 : rnd(4);
		dist_write(&r, 0, ctlr);
		return;
	}
	groups = rig_read_sized(&r, cpu, frame, offset, 4);
	irq(cpu, intid)->group = !irq(cpu, intid)->group;
	rig_write_sized(&r, cpu, frame, offset, 4, groups ^ UINT64_C(1) << (intid & 31));
}

static void do_config(unsigned intid)
{
	uint64_t offset = 0xc00 + 4 * (intid / 16);

	if (intid < 32)
		return;
	shared_irqs[intid].edge = !shared_irqs[intid].edge;
	dist_write(&r, offset, dist_read(&r, offset) ^ UINT32_C(2) << 2 * (intid & 15));
}

static void do_sgi(unsigned cpu)
{
	unsigned intid = tried[rnd(3)];
	unsigned targets = rnd(8);
	bool others = !rnd(4);
	bool group_0_only = !rnd(4);

	for (unsigned i = 0; i < CPUS; i++) {
		struct irq *q = &private_irqs[i][intid];

		if ((others ? i != cpu : targets >> i & 1) && !(group_0_only && q->group))
			q->latch = true;
	}
	vgic_sgi(&r.v, cpu, group_0_only ? VGIC_SGI0R : VGIC_SGI1R,
		 (uint64_t)others << 40 | (uint64_t)intid << 24 | targets);
	rig_enter_all(&r);
}

static void check_state(void)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		rig_fold(&r, cpu);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		struct vgic_interface interface = {.vmcr = 0xffu << 24 | 3};

		for (unsigned i = 0; i < TRIED; i++) {
			unsigned intid = tried[i];
			const struct irq *q = irq(cpu, intid);
			const struct vgic_bank *b = intid < 32 ? &r.v.cpu[cpu].state.bank
							       : &r.v.dist.bank[intid / 32 - 1];
			uint32_t bit = UINT32_C(1) << (intid & 31);

			assert_int_equal(!!((b->latch | (b->line & ~b->edge)) & bit),
					 is_pending(q));
			assert_int_equal(!!(b->active & bit), q->active);
			assert_int_equal(!!(b->enabled & bit), q->enabled);
		}
		assert_int_equal(vgic_hw_busy(&r.v, cpu, 27),
				 private_irqs[cpu][27].line || private_irqs[cpu][27].active);
		for (unsigned i = 0; i < depth[cpu]; i++)
			interface.ap1r |= UINT32_C(1) << stack[cpu][i].priority / 8;
		assert_int_equal(vgic_pending(&r.v, cpu, &interface), best_takeable(cpu) < 0x100);
	}
}

static void save_and_load(void)
{
	struct vgic_dist_state dist;
	struct vgic_cpu_state cpus[CPUS];
	uint32_t release[CPUS];
	uint64_t versions;

	check_state();
	vgic_save(&r.v, &dist);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		vgic_cpu_save(&r.v, cpu, &cpus[cpu]);
		release[cpu] = r.v.cpu[cpu].hw_release;
	}
	versions = r.v.versions;
	vgic_init(&r.v, CPUS);
	r.v.versions += versions; /* it is the same VM */
	r.v.dist.version = r.v.versions;
	vgic_set_hw(&r.v, 27);
	vgic_load(&r.v, &dist);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		vgic_cpu_load(&r.v, cpu, &cpus[cpu]);
		r.v.cpu[cpu].hw_release = release[cpu];
	}
	check_state();
}

static void one_operation(void)
{
	/* In turns: as it comes, pile up, take all that can be taken, end it. */
	static const unsigned first[] = {0, 32, 0, 20};
	static const unsigned count[] = {64, 16, 22, 14};
	static unsigned phase;
	static struct vgic_dist_state seen;
	unsigned cpu = rnd(CPUS);
	unsigned intid = tried[rnd(TRIED)];
	unsigned which;

	if (!rnd(60))
		phase = rnd(4);
	which = first[phase] + rnd(count[phase]);

	if (which < 20)
		do_ack(cpu);
	else if (which < 32)
		do_eoi(cpu);
	else if (which < 40)
		do_line(cpu, intid);
	else if (which < 45)
		do_pending(cpu, intid);
	else if (which < 48)
		do_sgi(cpu);
	else if (which < 51)
		do_enable(cpu, intid);
	else if (which < 53)
		do_active(cpu, intid);
	else if (which < 55)
		do_priority(cpu, intid);
	else if (which < 57)
		do_route(intid);
	else if (which < 59)
		do_group(cpu, intid);
	else if (which < 60)
		do_config(intid);
	else if (which < 63)
		check_state();
	else
		save_and_load();
	rig_enter_all(&r);
	/* What a restore relies on when it leaves a distributor alone. */
	if (seen.version == r.v.dist.version)
		assert_memory_equal(&seen, &r.v.dist, sizeof(seen));
	seen = r.v.dist;
}

static void start(void)
{
	random_state = seed;
	memset(private_irqs, 0, sizeof(private_irqs));
	memset(shared_irqs, 0, sizeof(shared_irqs));
	memset(depth, 0, sizeof(depth));
	rig_init(&r, CPUS);
	ctlr = 3;
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		for (unsigned i = 0; i < TRIED; i++) {
			struct irq *q = irq(cpu, tried[i]);

			q->group = true;
			q->enabled = !is_forced(tried[i]);
			q->edge = tried[i] < 16;
			q->priority = is_forced(tried[i]) ? 0xf8 : 0xa0;
			rig_set_priority(&r, cpu, tried[i], q->priority);
			if (q->enabled)
				rig_enable(&r, cpu, tried[i], true);
		}
	}
}

static void random_operations_match_a_model_without_list_registers(void **state)
{
	(void)state;
	start();
	for (unsigned long i = 0; i < operation_count; i++)
		one_operation();
	assert_true(r.maintenance_count > 0);
}

/* Kicks that arrive late: what each vCPU sees may be old, but nothing given is lost and nothing breaks. */
static void late_kicks_lose_no_edge(void **state)
{
	static const unsigned edges[] = {0, 1, 7, 40, 41, 42, 43, 44, 45, 46};
	bool owed[CPUS][VGIC_INTID_COUNT] = {0}, some;

	(void)state;
	start();
	for (unsigned i = 3; i < 10; i++)
		rig_enable(&r, 0, edges[i], true);
	for (unsigned long i = 0; i < operation_count; i++) {
		unsigned cpu = rnd(CPUS);
		unsigned intid = edges[rnd(10)];
		int lr = rig_best(&r, cpu);
		uint64_t route = rnd(CPUS);

		switch (rnd(6)) {
		case 0:
			vgic_pulse(&r.v, cpu, intid);
			owed[intid < 32 ? cpu : 0][intid] = true;
			break;
		case 1:
			if (intid >= 32)
				assert_true(vgic_mmio(&r.v, cpu, VGIC_DIST, 0x6000 + 8 * intid, 8,
						      true, &route));
			break;
		case 2:
			rig_enter(&r, cpu);
			break;
		case 3:
			if (lr >= 0 && depth[cpu] < 1) {
				intid = (unsigned)(r.lr[cpu][lr] & 0xffff);
				r.lr[cpu][lr] ^= VGIC_LR_PENDING | VGIC_LR_ACTIVE;
				owed[intid < 32 ? cpu : 0][intid] = false;
				stack[cpu][depth[cpu]++].intid = intid;
			}
			break;
		case 4:
			for (unsigned slot = 0; depth[cpu] && slot < RIG_LRS; slot++)
				if ((r.lr[cpu][slot] & VGIC_LR_ACTIVE) &&
				    (r.lr[cpu][slot] & 0xffff) == stack[cpu][0].intid) {
					r.lr[cpu][slot] &= ~VGIC_LR_ACTIVE;
					depth[cpu] = 0;
				}
			break;
		default:
			if (rig_maintenance(&r, cpu)) {
				rig_fold(&r, cpu);
				rig_enter(&r, cpu);
			}
			break;
		}
	}
	rig_enter_all(&r);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		if (depth[cpu])
			rig_eoi(&r, cpu, stack[cpu][0].intid);
		rig_settle(&r, cpu);
	}
	/* What one vCPU has ended may be for another that has been looked at: once more. */
	do {
		some = false;
		for (unsigned cpu = 0; cpu < CPUS; cpu++) {
			unsigned intid;

			while ((intid = rig_ack(&r, cpu)) != RIG_NONE) {
				owed[intid < 32 ? cpu : 0][intid] = false;
				rig_eoi(&r, cpu, intid);
				some = true;
			}
		}
	} while (some);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		for (unsigned intid = 0; intid < VGIC_INTID_COUNT; intid++)
			assert_false(owed[cpu][intid]);
}

static uint64_t value_of(const char *text, uint64_t otherwise)
{
	return text ? strtoull(text, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_match_a_model_without_list_registers),
		cmocka_unit_test(late_kicks_lose_no_edge),
	};

	seed = value_of(argc > 1 ? argv[1] : NULL, (uint64_t)time(NULL) * 2654435761u + 1) | 1;
	operation_count = value_of(argc > 2 ? argv[2] : NULL, operation_count);
	printf("seed %#llx\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
