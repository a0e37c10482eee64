/* SPDX-License-Identifier: MIT */
/* test_vgic_lr.c - what EL2 relies on: HW interrupts, fast injection, untouched list registers, WFI, save and load. */

#include "vgic_rig.h"

static void hw_timer_is_busy_from_its_rise_to_its_end(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 27, true);
	for (unsigned i = 0; i < 5; i++) {
		rig_line(&r, 0, 27, true);
		assert_true(r.lr[0][0] & VGIC_LR_HW);
		assert_int_equal(r.lr[0][0] >> VGIC_LR_PINTID_SHIFT & 0x3ff, 27);
		assert_int_equal(rig_ack(&r, 0), 27);
		rig_fold(&r, 0);
		assert_true(vgic_hw_busy(&r.v, 0, 27));
		rig_enter(&r, 0);
		assert_true(rig_eoi(&r, 0, 27));
		rig_fold(&r, 0);
		assert_false(vgic_hw_busy(&r.v, 0, 27));
		rig_enter(&r, 0);
	}
	assert_false(vgic_hw_busy(&r.v, 0, 27));
}

static void hw_timer_gone_before_it_was_taken_leaves_nothing(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 27, true);
	rig_line(&r, 0, 27, true);
	rig_fold(&r, 0);
	vgic_set_line(&r.v, 0, 27, false);
	assert_false(vgic_hw_busy(&r.v, 0, 27));
	rig_enter_all(&r);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
}

/* EL2 finds the timer still due when it loads a vCPU that was unloaded in its timer handler. */
static void hw_timer_due_at_a_reload_in_its_handler_comes_only_once(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 27, true);
	rig_line(&r, 0, 27, true);
	assert_int_equal(rig_ack(&r, 0), 27);
	rig_fold(&r, 0);
	rig_line(&r, 0, 27, true);
	assert_true(vgic_hw_busy(&r.v, 0, 27));
	assert_true(rig_eoi(&r, 0, 27));
	rig_fold(&r, 0);
	rig_enter_all(&r);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	rig_fold(&r, 0);
	assert_false(vgic_hw_busy(&r.v, 0, 27));
}

static void clearing_active_by_mmio_asks_to_release_the_physical_interrupt(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 27, true);
	rig_line(&r, 0, 27, true);
	assert_int_equal(rig_ack(&r, 0), 27);
	assert_int_equal(vgic_take_hw_release(&r.v, 0), 0);
	sgi_write(&r, 0, 0x380, 1u << 27);
	assert_int_equal(vgic_take_hw_release(&r.v, 0), 1u << 27);
	assert_int_equal(vgic_take_hw_release(&r.v, 0), 0);
	assert_false(vgic_hw_busy(&r.v, 0, 27));
}

static void active_set_by_software_can_be_ended_by_the_guest(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 40, true);
	dist_write(&r, 0x304, 1u << 9); /* in no list register, not pending */
	dist_write(&r, 0x304, 1u << 8);
	rig_pulse(&r, 0, 40);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	rig_eoi(&r, 0, 41);
	assert_int_equal(r.eoi_count[0], 0); /* its list register was found */
	rig_eoi(&r, 0, 40);
	assert_int_equal(rig_ack(&r, 0), 40);
	rig_eoi(&r, 0, 40);
	rig_pulse(&r, 0, 40);
	dist_write(&r, 0x304, 1u << 8); /* pending in a list register */
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	assert_int_equal(dist_read(&r, 0x304), 1u << 8);
	dist_write(&r, 0x384, 1u << 8);
	assert_int_equal(rig_ack(&r, 0), 40);
}

static void fast_injection_is_used_for_a_ticking_timer(void **state)
{
	struct rig r;
	unsigned slot;
	uint64_t value;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 27, true);
	for (unsigned i = 0; i < 5; i++) {
		unsigned fills = r.fill_count;

		assert_true(
			vgic_inject_fast(&r.v, 0, 27, rig_empty(&r, 0), RIG_LRS, &slot, &value));
		assert_int_equal(slot, 0);
		assert_int_equal(vgic_take_kick(&r.v), 0);
		r.lr[0][slot] = value;
		assert_int_equal(rig_ack(&r, 0), 27);
		assert_true(rig_eoi(&r, 0, 27));
		assert_int_equal(r.fill_count, fills);
	}
}

static void fast_injection_declines_when_the_model_has_more_to_say(void **state)
{
	struct rig r;
	unsigned slot;
	uint64_t value;

	(void)state;
	rig_init(&r, 1);
	assert_false(vgic_inject_fast(&r.v, 0, 27, 0xf, RIG_LRS, &slot, &value)); /* disabled */
	assert_false(vgic_is_dirty(&r.v, 0));
	rig_enable(&r, 0, 27, true);
	assert_int_equal(rig_ack(&r, 0), 27);
	rig_eoi(&r, 0, 27);
	for (unsigned i = 0; i < 4; i++) {
		rig_enable(&r, 0, 40 + i, true);
		rig_pulse(&r, 0, 40 + i);
	}
	assert_false(vgic_inject_fast(&r.v, 0, 27, rig_empty(&r, 0), RIG_LRS, &slot, &value));
	assert_true(vgic_is_dirty(&r.v, 0));
}

static void an_access_that_changes_nothing_leaves_the_list_registers_alone(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 40, true);
	rig_pulse(&r, 0, 40);
	r.fill_count = 0;
	rig_enable(&r, 0, 40, true);
	rig_enable(&r, 0, 41, true);
	rig_pulse(&r, 0, 42);
	dist_write(&r, 0, 3);
	assert_int_equal(dist_read(&r, 4) & 31, VGIC_BANK_COUNT);
	assert_int_equal(r.fill_count, 0);
}

static void wfi_wakes_for_what_would_be_signalled_and_nothing_else(void **state)
{
	struct vgic_interface open = {.vmcr = 0xffu << 24 | 3};
	struct vgic_interface i;
	struct rig r;

	(void)state;
	rig_init(&r, 2);
	assert_false(vgic_pending(&r.v, 0, &open));
	vgic_pulse(&r.v, 0, 40);
	assert_false(vgic_pending(&r.v, 0, &open)); /* disabled */
	rig_enable(&r, 0, 40, true);
	rig_fold(&r, 0);
	assert_true(vgic_pending(&r.v, 0, &open));
	assert_false(vgic_pending(&r.v, 1, &open));
	i = open;
	i.vmcr = 0xa0u << 24 | 3; /* PMR equal to the priority masks it */
	assert_false(vgic_pending(&r.v, 0, &i));
	i.vmcr = 0xa8u << 24 | 3;
	assert_true(vgic_pending(&r.v, 0, &i));
	i.vmcr = 0xffu << 24 | 1; /* Group 1 off at the CPU interface */
	assert_false(vgic_pending(&r.v, 0, &i));
	i = open;
	i.ap1r = 1u << (0xa0 / 8); /* running at the same priority */
	assert_false(vgic_pending(&r.v, 0, &i));
	i.ap1r = 1u << (0xb0 / 8);
	assert_true(vgic_pending(&r.v, 0, &i));
	i.vmcr |= 6u << 18; /* binary point: 0xa0 and 0xb0 are one preemption group */
	assert_false(vgic_pending(&r.v, 0, &i));
}

static void saved_state_comes_back_equal_with_distinct_vcpus(void **state)
{
	struct vgic_dist_state dist[2];
	struct vgic_cpu_state cpus[2][4];
	struct rig r;
	struct rig fresh;

	(void)state;
	rig_init(&r, 4);
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		sgi_write(&r, cpu, 0x100, 0xffff | 1u << (16 + cpu));
		rig_line(&r, cpu, 16 + cpu, true);
		vgic_sgi(&r.v, cpu, VGIC_SGI1R, (uint64_t)cpu << 24 | 0xf);
	}
	rig_enter_all(&r);
	rig_enable(&r, 0, 40, true);
	rig_pulse(&r, 0, 40);
	assert_int_equal(rig_ack(&r, 2), 0);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		rig_fold(&r, cpu);
	vgic_save(&r.v, &dist[0]);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		vgic_cpu_save(&r.v, cpu, &cpus[0][cpu]);
	rig_init(&fresh, 4);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		rig_fold(&fresh, cpu);
	vgic_load(&fresh.v, &dist[0]);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		vgic_cpu_load(&fresh.v, cpu, &cpus[0][cpu]);
	vgic_save(&fresh.v, &dist[1]);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		vgic_cpu_save(&fresh.v, cpu, &cpus[1][cpu]);
	dist[1].version = dist[0].version; /* each VM counts for itself */
	assert_memory_equal(&dist[0], &dist[1], sizeof(dist[0]));
	assert_memory_equal(cpus[0], cpus[1], sizeof(cpus[0]));
	rig_enter_all(&fresh);
	rig_eoi(&fresh, 2, 0);
	assert_int_equal(rig_ack(&fresh, 2), 1);
	assert_int_equal(rig_ack(&fresh, 0), 0);
}

static void an_older_state_is_loaded_over_a_changed_one(void **state)
{
	struct vgic_dist_state old, now;
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 40, true);
	rig_fold(&r, 0);
	vgic_save(&r.v, &old);
	rig_set_priority(&r, 0, 50, 0x20);
	rig_pulse(&r, 0, 40);
	rig_fold(&r, 0);
	vgic_load(&r.v, &old);
	vgic_save(&r.v, &now);
	assert_memory_equal(&old, &now, sizeof(old));
	/* and a change after it is a change again, though it makes the same state number as before */
	rig_pulse(&r, 0, 41);
	vgic_load(&r.v, &old);
	vgic_save(&r.v, &now);
	assert_memory_equal(&old, &now, sizeof(old));
	/* one from elsewhere is always loaded */
	now.version = 0;
	now.priority[60] = 0x40;
	vgic_load(&r.v, &now);
	assert_int_equal(r.v.dist.priority[60], 0x40);
	vgic_load(&r.v, &old);
	assert_int_equal(r.v.dist.priority[60], old.priority[60]);
}

static void a_loaded_state_of_all_ones_is_harmless(void **state)
{
	struct vgic_dist_state dist;
	struct vgic_cpu_state cpu;
	struct rig r;

	(void)state;
	memset(&dist, 0xff, sizeof(dist));
	memset(&cpu, 0xff, sizeof(cpu));
	rig_init(&r, 1);
	rig_fold(&r, 0);
	vgic_load(&r.v, &dist);
	vgic_cpu_load(&r.v, 0, &cpu);
	rig_enter_all(&r);
	while (rig_ack(&r, 0) != RIG_NONE)
		;
	vgic_deactivate(&r.v, 0, 1023);
	dist_write(&r, 0x384, UINT32_MAX);
	rig_enter_all(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hw_timer_is_busy_from_its_rise_to_its_end),
		cmocka_unit_test(hw_timer_gone_before_it_was_taken_leaves_nothing),
		cmocka_unit_test(hw_timer_due_at_a_reload_in_its_handler_comes_only_once),
		cmocka_unit_test(clearing_active_by_mmio_asks_to_release_the_physical_interrupt),
		cmocka_unit_test(active_set_by_software_can_be_ended_by_the_guest),
		cmocka_unit_test(fast_injection_is_used_for_a_ticking_timer),
		cmocka_unit_test(fast_injection_declines_when_the_model_has_more_to_say),
		cmocka_unit_test(an_access_that_changes_nothing_leaves_the_list_registers_alone),
		cmocka_unit_test(wfi_wakes_for_what_would_be_signalled_and_nothing_else),
		cmocka_unit_test(saved_state_comes_back_equal_with_distinct_vcpus),
		cmocka_unit_test(an_older_state_is_loaded_over_a_changed_one),
		cmocka_unit_test(a_loaded_state_of_all_ones_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
