/* SPDX-License-Identifier: MIT */
/* test_vgic.c - the rules of the vGIC, one by one, as a guest and as EL2 see them. */

#include "vgic_rig.h"

static void level_interrupt_comes_again_while_its_line_is_up(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 33, true);
	rig_line(&r, 0, 33, true);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rig_ack(&r, 0), 33);
		assert_int_equal(rig_ack(&r, 0), RIG_NONE);
		rig_eoi(&r, 0, 33);
	}
	assert_int_equal(rig_ack(&r, 0), 33);
	rig_line(&r, 0, 33, false);
	r.maintenance_count = 0;
	rig_eoi(&r, 0, 33);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	assert_int_equal(r.maintenance_count, 0); /* the line was down: no exit at the EOI */
}

static void level_interrupt_goes_when_its_line_falls_before_it_is_taken(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 33, true);
	rig_line(&r, 0, 33, true);
	rig_line(&r, 0, 33, false);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	assert_int_equal(dist_read(&r, 0x204), 0);
}

static void software_pending_on_a_level_interrupt_comes_once(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 33, true);
	dist_write(&r, 0x204, 2);
	assert_int_equal(dist_read(&r, 0x204), 2);
	assert_int_equal(rig_ack(&r, 0), 33);
	assert_int_equal(dist_read(&r, 0x204), 0);
	assert_int_equal(dist_read(&r, 0x304), 2);
	rig_eoi(&r, 0, 33);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	dist_write(&r, 0x204, 2);
	dist_write(&r, 0x284, 2);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	rig_line(&r, 0, 33, true); /* ICPENDR does not lower a line */
	dist_write(&r, 0x284, 2);
	assert_int_equal(dist_read(&r, 0x284), 2);
	assert_int_equal(rig_ack(&r, 0), 33);
}

static void edge_while_active_comes_once_after_the_eoi(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 79, true);
	rig_edge(&r, 79);
	rig_line(&r, 0, 79, true);
	assert_int_equal(rig_ack(&r, 0), 79);
	rig_line(&r, 0, 79, false);
	rig_line(&r, 0, 79, true);
	rig_line(&r, 0, 79, false);
	rig_line(&r, 0, 79, true);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	rig_eoi(&r, 0, 79);
	assert_int_equal(rig_ack(&r, 0), 79);
	rig_eoi(&r, 0, 79);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE); /* the line is still up: no new edge */
}

static void pulse_is_an_edge_whatever_the_configuration(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 40, true);
	rig_pulse(&r, 0, 40);
	rig_pulse(&r, 0, 40);
	assert_int_equal(rig_ack(&r, 0), 40);
	rig_eoi(&r, 0, 40);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
}

static void disabling_withholds_a_pending_interrupt_and_keeps_it(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 40, true);
	rig_pulse(&r, 0, 40);
	rig_enable(&r, 0, 40, false);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	assert_int_equal(dist_read(&r, 0x204), 1u << 8);
	rig_enable(&r, 0, 40, true);
	assert_int_equal(rig_ack(&r, 0), 40);
}

static void disabling_an_active_interrupt_lets_it_end(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 40, true);
	rig_pulse(&r, 0, 40);
	assert_int_equal(rig_ack(&r, 0), 40);
	rig_enable(&r, 0, 40, false);
	rig_pulse(&r, 0, 40);
	assert_int_equal(dist_read(&r, 0x304), 1u << 8);
	rig_eoi(&r, 0, 40);
	assert_int_equal(dist_read(&r, 0x304), 0);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	rig_enable(&r, 0, 40, true); /* the pulse while active and disabled was not lost */
	assert_int_equal(rig_ack(&r, 0), 40);
}

static void group_enables_gate_delivery(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	rig_enable(&r, 0, 40, true);
	dist_write(&r, 0, 1);
	rig_pulse(&r, 0, 40);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	dist_write(&r, 0x84, 0); /* Group 0 */
	assert_true(r.lr[0][0] & VGIC_LR_PENDING);
	assert_false(r.lr[0][0] & VGIC_LR_GROUP1);
	dist_write(&r, 0, 2);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	dist_write(&r, 0x84, UINT32_MAX);
	assert_int_equal(rig_ack(&r, 0), 40);
}

static void sgi_reaches_exactly_its_targets(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 4);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		sgi_write(&r, cpu, 0x100, 0xffff);
	vgic_sgi(&r.v, 1, VGIC_SGI1R, 5u << 24 | 0xb); /* self, 0 and 3 */
	rig_enter_all(&r);
	assert_int_equal(rig_ack(&r, 0), 5);
	assert_int_equal(rig_ack(&r, 1), 5);
	assert_int_equal(rig_ack(&r, 2), RIG_NONE);
	assert_int_equal(rig_ack(&r, 3), 5);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		if (cpu != 2)
			rig_eoi(&r, cpu, 5);
	vgic_sgi(&r.v, 1, VGIC_SGI1R, UINT64_C(1) << 40 | 7u << 24); /* all but self */
	rig_enter_all(&r);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		assert_int_equal(rig_ack(&r, cpu), cpu == 1 ? RIG_NONE : 7);
}

static void sgi_to_affinities_nobody_has_reaches_nobody(void **state)
{
	static const uint64_t values[] = {1u << 16 | 1, UINT64_C(1) << 32 | 1, UINT64_C(1) << 48 | 1,
					  UINT64_C(1) << 44 | 1, UINT64_C(15) << 44 | 0xffff, 0xfffe};
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	sgi_write(&r, 0, 0x100, 0xffff);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		vgic_sgi(&r.v, 0, VGIC_SGI1R, values[i]);
	rig_enter_all(&r);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
}

static void group_0_sgi_registers_do_not_reach_group_1(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	sgi_write(&r, 0, 0x100, 0xffff);
	vgic_sgi(&r.v, 0, VGIC_SGI0R, 3u << 24 | 1);
	vgic_sgi(&r.v, 0, VGIC_ASGI1R, 3u << 24 | 1);
	rig_enter_all(&r);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	sgi_write(&r, 0, 0x80, ~(1u << 3));
	vgic_sgi(&r.v, 0, VGIC_SGI0R, 3u << 24 | 1);
	rig_enter_all(&r);
	assert_int_equal(rig_ack(&r, 0), 3);
}

static void interrupts_come_in_the_order_of_their_priorities(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	for (unsigned i = 0; i < 12; i++) {
		rig_enable(&r, 0, 40 + i, true);
		rig_set_priority(&r, 0, 40 + i, 0xf0 - 8 * i);
	}
	for (unsigned i = 0; i < 12; i++)
		rig_pulse(&r, 0, 40 + i);
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(rig_ack(&r, 0), 51 - i);
		rig_eoi(&r, 0, 51 - i);
	}
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
}

static void many_equal_interrupts_all_come_even_all_active_at_once(void **state)
{
	struct rig r;
	unsigned seen = 0;

	(void)state;
	rig_init(&r, 1);
	for (unsigned i = 0; i < 10; i++)
		rig_enable(&r, 0, 40 + i, true);
	for (unsigned i = 0; i < 10; i++)
		rig_pulse(&r, 0, 40 + i);
	for (unsigned i = 0; i < 10; i++) /* none ended: split EOI mode with late deactivation */
		seen |= 1u << (rig_ack(&r, 0) - 40);
	assert_int_equal(seen, 0x3ff);
	assert_true(r.hcr[0] & VGIC_HCR_TDIR);
	for (unsigned i = 0; i < 10; i++) {
		vgic_deactivate(&r.v, 0, 40 + i);
		rig_enter_all(&r);
	}
	assert_int_equal(dist_read(&r, 0x304), 0);
	assert_false(r.hcr[0] & (VGIC_HCR_TDIR | VGIC_HCR_LRENPIE | VGIC_HCR_NPIE));
}

static void an_active_interrupt_follows_its_vcpu_when_rerouted(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 2);
	rig_enable(&r, 0, 40, true);
	rig_line(&r, 0, 40, true);
	assert_int_equal(rig_ack(&r, 0), 40);
	rig_write_sized(&r, 0, VGIC_DIST, 0x6000 + 8 * 40, 8, 1);
	assert_int_equal(rig_read_sized(&r, 0, VGIC_DIST, 0x6000 + 8 * 40, 8), 1);
	assert_int_equal(rig_ack(&r, 1), RIG_NONE);
	rig_eoi(&r, 0, 40);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	assert_int_equal(rig_ack(&r, 1), 40); /* still up: now it is vCPU 1's */
}

static void a_route_to_nobody_holds_the_interrupt_back(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 2);
	rig_enable(&r, 0, 40, true);
	rig_pulse(&r, 0, 40);
	rig_write_sized(&r, 0, VGIC_DIST, 0x6000 + 8 * 40, 8, 0x100);
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
	rig_write_sized(&r, 0, VGIC_DIST, 0x6000 + 8 * 40, 8, 7);
	assert_int_equal(rig_ack(&r, 1), RIG_NONE);
	rig_write_sized(&r, 0, VGIC_DIST, 0x6000 + 8 * 40, 4, 1);
	assert_int_equal(rig_ack(&r, 1), 40);
}

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

		assert_true(vgic_inject_fast(&r.v, 0, 27, rig_empty(&r, 0), RIG_LRS, &slot, &value));
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
	assert_memory_equal(&dist[0], &dist[1], sizeof(dist[0]));
	assert_memory_equal(cpus[0], cpus[1], sizeof(cpus[0]));
	rig_enter_all(&fresh);
	rig_eoi(&fresh, 2, 0);
	assert_int_equal(rig_ack(&fresh, 2), 1);
	assert_int_equal(rig_ack(&fresh, 0), 0);
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
		cmocka_unit_test(level_interrupt_comes_again_while_its_line_is_up),
		cmocka_unit_test(level_interrupt_goes_when_its_line_falls_before_it_is_taken),
		cmocka_unit_test(software_pending_on_a_level_interrupt_comes_once),
		cmocka_unit_test(edge_while_active_comes_once_after_the_eoi),
		cmocka_unit_test(pulse_is_an_edge_whatever_the_configuration),
		cmocka_unit_test(disabling_withholds_a_pending_interrupt_and_keeps_it),
		cmocka_unit_test(disabling_an_active_interrupt_lets_it_end),
		cmocka_unit_test(group_enables_gate_delivery),
		cmocka_unit_test(sgi_reaches_exactly_its_targets),
		cmocka_unit_test(sgi_to_affinities_nobody_has_reaches_nobody),
		cmocka_unit_test(group_0_sgi_registers_do_not_reach_group_1),
		cmocka_unit_test(interrupts_come_in_the_order_of_their_priorities),
		cmocka_unit_test(many_equal_interrupts_all_come_even_all_active_at_once),
		cmocka_unit_test(an_active_interrupt_follows_its_vcpu_when_rerouted),
		cmocka_unit_test(a_route_to_nobody_holds_the_interrupt_back),
		cmocka_unit_test(hw_timer_is_busy_from_its_rise_to_its_end),
		cmocka_unit_test(hw_timer_gone_before_it_was_taken_leaves_nothing),
		cmocka_unit_test(clearing_active_by_mmio_asks_to_release_the_physical_interrupt),
		cmocka_unit_test(fast_injection_is_used_for_a_ticking_timer),
		cmocka_unit_test(fast_injection_declines_when_the_model_has_more_to_say),
		cmocka_unit_test(an_access_that_changes_nothing_leaves_the_list_registers_alone),
		cmocka_unit_test(wfi_wakes_for_what_would_be_signalled_and_nothing_else),
		cmocka_unit_test(saved_state_comes_back_equal_with_distinct_vcpus),
		cmocka_unit_test(a_loaded_state_of_all_ones_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
