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
	static const uint64_t values[] = {
		1u << 16 | 1,          UINT64_C(1) << 32 | 1,       UINT64_C(1) << 48 | 1,
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

static void deep_nesting_ends_in_order_through_eois_that_find_no_list_register(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, 1);
	for (unsigned i = 0; i < 7; i++) {
		rig_enable(&r, 0, 40 + i, true);
		rig_set_priority(&r, 0, 40 + i, 0xf0 - 16 * i);
		rig_line(&r, 0, 40 + i, true);
		assert_int_equal(rig_ack(&r, 0), 40 + i);
	}
	assert_true(r.hcr[0] & VGIC_HCR_LRENPIE);
	for (unsigned i = 0; i < 7; i++) {
		vgic_set_line(&r.v, 0, 46 - i, false); /* no fold before the EOI */
		rig_eoi(&r, 0, 46 - i);
		assert_int_equal(r.eoi_count[0], 0);
		assert_int_equal(dist_read(&r, 0x304) >> 8, (1u << (6 - i)) - 1);
	}
	assert_int_equal(rig_ack(&r, 0), RIG_NONE);
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
		cmocka_unit_test(
			deep_nesting_ends_in_order_through_eois_that_find_no_list_register),
		cmocka_unit_test(an_active_interrupt_follows_its_vcpu_when_rerouted),
		cmocka_unit_test(a_route_to_nobody_holds_the_interrupt_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
