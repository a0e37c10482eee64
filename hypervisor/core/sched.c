/* SPDX-License-Identifier: MIT */
/*
 * sched.c - run queues, time slices, idling. A queue entry means "look at this vCPU", not "it can run": what it can is
 * decided when it is looked at, on its own CPU. Never runs a vCPU whose VM is held.
 */
#include "core/sched.h"
#include "arch/features.h"
#include "arch/sysreg.h"
#include "core/bug.h"
#include "core/devices.h"
#include "core/doorbell.h"
#include "core/irq.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "core/watchdog.h"
#include "drivers/gicv3.h"

static unsigned priority_of(const struct vcpu *vcpu)
{
	return vcpu->vm->flags & AV_VM_FLAG_CONTROL ? 0 : 1;
}

/*
 * Who wakes up goes before those that have had the CPU all the time, or its timers would come late by their slices. When it
 * has used up a slice of its own in this way it waits for its turn like them: no VMs can keep others off by waking each
 * other. cpu->lock held.
 */
static void enqueue(struct cpu *cpu, struct vcpu *vcpu)
{
	unsigned priority = priority_of(vcpu);

	if (vcpu->queued)
		return;
	vcpu->queued = true;
	if (vcpu->waiting && vcpu->burst < vcpu->vm->slice && cpu->queue_first[priority]) {
		vcpu->next = cpu->queue_first[priority];
		cpu->queue_first[priority] = vcpu;
		return;
	}
	vcpu->burst = 0;
	vcpu->next = NULL;
	if (cpu->queue_first[priority])
		cpu->queue_last[priority]->next = vcpu;
	else
		cpu->queue_first[priority] = vcpu;
	cpu->queue_last[priority] = vcpu;
}

/* cpu->lock held. */
static struct vcpu *dequeue(struct cpu *cpu, unsigned priority)
{
	struct vcpu *vcpu = cpu->queue_first[priority];

	if (vcpu) {
		cpu->queue_first[priority] = vcpu->next;
		vcpu->queued = false;
	}
	return vcpu;
}

void sched_kick(struct vcpu *vcpu, uint32_t requests)
{
	struct cpu *cpu = vcpu->cpu;

	if (requests)
		__atomic_or_fetch(&vcpu->vm->requests, requests, __ATOMIC_SEQ_CST);
	spin_lock(&cpu->lock);
	if (cpu->current != vcpu)
		enqueue(cpu, vcpu);
	else
		vcpu->kicked = true; /* it may be about to wait */
	spin_unlock(&cpu->lock);
	__atomic_store_n(&cpu->resched, true, __ATOMIC_RELEASE);
	if (cpu != cpu_this())
		gicv3_send_sgi(cpu->id, SGI_KICK);
}

void sched_serve(struct vm *vm, uint32_t requests)
{
	unsigned i;

	/* cpu_off() turns a vCPU off and then looks at the requests: one of the two sees the other. */
	__atomic_or_fetch(&vm->requests, requests, __ATOMIC_SEQ_CST);
	for (i = 0; i < vm->vcpu_count; i++)
		if (__atomic_load_n(&vm->vcpus[i].power, __ATOMIC_SEQ_CST) == VCPU_ON)
			break;
	if (i < vm->vcpu_count)
		sched_kick(&vm->vcpus[i], 0);
}

void sched_yield(void)
{
	cpu_this()->resched = true;
}

static bool can_run(const struct vcpu *vcpu)
{
	/* What counts is held as vcpu_load() reads it. */
	return vcpu->power == VCPU_ON && vcpu->vm->state == AV_STATE_RUNNING &&
	       !__atomic_load_n(&vcpu->vm->held, __ATOMIC_RELAXED);
}

/* Sleepers whose timer is due go to the queue; returns when the next one is. cpu->lock held. */
static uint64_t wake_sleepers(struct cpu *cpu, uint64_t now)
{
	struct vcpu **link = &cpu->sleepers;
	uint64_t next = ~0UL;

	while (*link) {
		struct vcpu *vcpu = *link;
		bool stays = vcpu->waiting && can_run(vcpu) && vcpu != cpu->loaded;

		if (stays && vcpu->wake_at > now) {
			if (vcpu->wake_at < next)
				next = vcpu->wake_at;
			link = &vcpu->sleep_next;
			continue;
		}
		*link = vcpu->sleep_next;
		vcpu->sleeping_listed = false;
		if (stays)
			enqueue(cpu, vcpu);
	}
	return next;
}

static void sleepers_add(struct cpu *cpu, struct vcpu *vcpu)
{
	if (vcpu->sleeping_listed)
		return;
	vcpu->sleeping_listed = true;
	vcpu->sleep_next = cpu->sleepers;
	cpu->sleepers = vcpu;
}

static void deadline_set(struct cpu *cpu, uint64_t at)
{
	if (at == cpu->deadline)
		return;
	cpu->deadline = at;
	sysreg_write(cnthp_cval_el2, at);
	sysreg_write(cnthp_ctl_el2, at != ~0UL);
	isb();
}

void sched_flush_soon(void)
{
	struct cpu *cpu = cpu_this();

	if (cpu->flush_at != ~0UL)
		return;
	cpu->flush_at = counter_now() + ns_to_ticks(SCHED_FLUSH_NS);
	if (cpu->flush_at < cpu->deadline)
		deadline_set(cpu, cpu->flush_at);
}

static void flush(struct cpu *cpu)
{
	cpu->flush_at = ~0UL;
	if (cpu->loaded)
		devices_flush_output(cpu->loaded->vm);
}

static void unload(struct cpu *cpu)
{
	struct vcpu *vcpu = cpu->loaded;

	if (!vcpu)
		return;
	if (cpu->flush_at != ~0UL)
		flush(cpu);
	vcpu_unload(vcpu);
	vcpu->wake_at = ~0UL;
	if (!vcpu->waiting)
		return;
	/* Who changes its timers while it is not loaded kicks it, and it comes by here again. */
	vcpu->wake_at = vcpu_wake_time(vcpu);
	if (vcpu->wake_at == ~0UL)
		return; /* only a kick wakes it */
	spin_lock(&cpu->lock);
	sleepers_add(cpu, vcpu);
	spin_unlock(&cpu->lock);
}

/* vcpu is not the current one any more; who kicked it while it was wants it looked at again. */
static void leave(struct cpu *cpu, struct vcpu *vcpu, bool wants_more)
{
	spin_lock(&cpu->lock);
	cpu->current = NULL;
	if (wants_more || vcpu->kicked)
		enqueue(cpu, vcpu);
	vcpu->kicked = false;
	spin_unlock(&cpu->lock);
}

/* The current vCPU gives up the CPU for the moment: back to its queue if it can run. */
static void retire(struct cpu *cpu, uint64_t now)
{
	struct vcpu *vcpu = cpu->current;

	if (!vcpu)
		return;
	vcpu->cpu_ticks += now - vcpu->run_since;
	vcpu->burst += now - vcpu->run_since;
	if (priority_of(vcpu) == 0)
		cpu->control_burst += now - vcpu->run_since;
	leave(cpu, vcpu, !vcpu->waiting && can_run(vcpu));
}

/* The control VM has had the CPU for so long that others are to have it. */
static bool control_spent(const struct cpu *cpu)
{
	return cpu->control_burst && cpu->control_burst > ns_to_ticks(SCHED_CONTROL_BURST_NS);
}

/* Who is next is the current one from here on; NULL: nobody. *wake: when a sleeper is to be looked at. */
static struct vcpu *pick(struct cpu *cpu, uint64_t now, uint64_t *wake)
{
	struct vcpu *vcpu;

	spin_lock(&cpu->lock);
	*wake = wake_sleepers(cpu, now);
	vcpu = dequeue(cpu, cpu->queue_first[1] && control_spent(cpu) ? 1 : 0);
	if (!vcpu)
		vcpu = dequeue(cpu, 1);
	cpu->current = vcpu;
	spin_unlock(&cpu->lock);
	if (vcpu && priority_of(vcpu) != 0)
		cpu->control_burst = 0;
	return vcpu;
}

/* True when it goes on: what it waits for is there. */
static bool wait_over(struct cpu *cpu, struct vcpu *vcpu)
{
	if (!(vcpu->waiting == VCPU_WAITS_BELL ? doorbell_wait_over(vcpu) : vcpu_wakes(vcpu))) {
		vcpu->burst = vcpu->vm->slice; /* next time behind all others */
		vcpu->vain_at = vcpu->run_since;
		return false;
	}
	vcpu->vain_at = 0;
	if (vcpu->waiting == VCPU_WAITS &&
	    vcpu->run_since - vcpu->wait_since < ns_to_ticks(SCHED_SHORT_WAIT_NS))
		cpu->native_until = vcpu->run_since + ns_to_ticks(SCHED_NATIVE_WAIT_NS);
	vcpu->waiting = 0;
	watchdog_pet(vcpu);
	return true;
}

/*
 * The context of the current vCPU here; false when it cannot run now or has nothing to wake up for. *ptimer: when its physical
 * timer is to be looked at again.
 */
static bool take_on(struct cpu *cpu, struct vcpu *vcpu, uint64_t *ptimer)
{
	if (!can_run(vcpu))
		return false;
	if (cpu->loaded != vcpu) {
		unload(cpu);
		if (!vcpu_load(vcpu))
			return false;
	}
	*ptimer = vcpu_ptimer_evaluate_locked(vcpu); /* it may be what it waits for */
	vcpu->run_since = counter_now();
	if (vcpu->vm->requests)
		devices_serve(vcpu);
	return !vcpu->waiting || wait_over(cpu, vcpu);
}

/* Nobody wants this CPU: housekeeping, then sleep until an interrupt. */
static void idle(struct cpu *cpu, uint64_t wake)
{
	uint64_t start;

	flush(cpu);
	if (devices_housekeeping()) {
		irq_take_all(cpu);
		return; /* there is more to do, but look at the queues first */
	}
	if (cpu->loaded && cpu->loaded->waiting) {
		uint64_t at, bell = vcpu_bell_time(cpu->loaded);

		at = vcpu_ptimer_evaluate_locked(cpu->loaded);
		/* Both are EL2's own to watch: no interrupt of the guest's comes for them. */
		if (!bell || vcpu_wakes(cpu->loaded)) {
			sched_kick(cpu->loaded, 0);
			return;
		}
		if (bell < at)
			at = bell;
		if (at < wake)
			wake = at;
	}
	deadline_set(cpu, watchdog_limit(cpu, wake));
	start = counter_now();
	if (!__atomic_load_n(&cpu->resched, __ATOMIC_ACQUIRE))
		wfi();
	irq_take_all(cpu);
	cpu->idle_ticks += counter_now() - start;
}

/*
 * WFI traps, so that others get the CPU and idle time is seen, unless vcpu is alone here and waits often and shortly: then a
 * trap, and the way back, would cost more than the wait. Its CPU's deadline and kicks end a native WFI like any other.
 * Returns when to look again.
 */
static uint64_t choose_wait(struct cpu *cpu, const struct vcpu *vcpu, bool alone, uint64_t now)
{
	bool native = alone && now < cpu->native_until && priority_of(vcpu) != 0;
	uint64_t hcr = native ? features.hcr & ~HCR_TWI : features.hcr;

	if (hcr != cpu->hcr) {
		cpu->hcr = hcr;
		sysreg_write(hcr_el2, hcr);
	}
	return native ? cpu->native_until : ~0UL;
}

static struct vcpu *choose(struct cpu *cpu)
{
	for (;;) {
		uint64_t now = counter_now(), wake, until, at, ptimer;
		struct vcpu *vcpu, *former;
		bool alone, rests;

		__atomic_store_n(&cpu->resched, false, __ATOMIC_RELEASE);
		retire(cpu, now);
		if (cpu->flush_at <= now)
			flush(cpu);
		/* A held VM's context is wanted in memory, that of a vCPU turned off is void: give it up before anything else. */
		if (cpu->loaded && !can_run(cpu->loaded))
			unload(cpu);
		rests = watchdog_rests();
		if (!rests)
			watchdog_check(cpu, now);
		vcpu = pick(cpu, now, &wake);
		if (!vcpu) {
			idle(cpu, wake);
			continue;
		}
		former = cpu->loaded;
		if (!take_on(cpu, vcpu, &ptimer)) {
			leave(cpu, vcpu, false);
			continue;
		}
		until = wake;
		/* Whoever was on the CPU may be among the sleepers now. */
		if (former && former != vcpu && former->wake_at < until)
			until = former->wake_at;
		if (cpu->flush_at < until)
			until = cpu->flush_at;
		alone = !cpu->queue_first[0] && !cpu->queue_first[1];
		at = choose_wait(cpu, vcpu, alone, now);
		if (at < until)
			until = at;
		if (!alone) {
			cpu->slice_end = now + vcpu->vm->slice;
			if (cpu->slice_end < until)
				until = cpu->slice_end;
		}
		if (ptimer < until)
			until = ptimer;
		/* The control VM rests no more if it is the one. */
		deadline_set(cpu, rests && priority_of(vcpu) ? until : watchdog_limit(cpu, until));
		return vcpu;
	}
}

static __attribute__((noinline)) struct vcpu *exit_with_work(struct vcpu *vcpu, struct cpu *cpu)
{
	for (;;) {
		if (__builtin_expect(__atomic_load_n(&cpu->resched, __ATOMIC_ACQUIRE), 0))
			vcpu = choose(cpu);
		if (__builtin_expect(vcpu->vm->requests != 0, 0)) {
			devices_serve(vcpu);
			irq_take_all(
				cpu); /* a guest can make this last: others have timers and slices */
			continue;
		}
		if (vgic_is_dirty(&vcpu->vm->gic, vcpu->index))
			vcpu_flush_interrupts(vcpu);
		if (__builtin_expect(!cpu->resched, 1))
			return vcpu;
	}
}

/* Part of every exit (vectors.S): most have nothing to do, and pay for nothing else. */
struct vcpu *sched_exit(struct vcpu *vcpu)
{
	struct cpu *cpu = cpu_this();

	/* Whoever sets resched from elsewhere sends an interrupt after it: seen late, it is seen then. */
	if (__builtin_expect(!cpu->resched && !vcpu->vm->requests &&
				     !vgic_is_dirty(&vcpu->vm->gic, vcpu->index),
			     1))
		return vcpu;
	return exit_with_work(vcpu, cpu);
}

_Noreturn void sched_start(void)
{
	struct cpu *cpu = cpu_this();

	cpu->deadline = ~0UL;
	cpu->flush_at = ~0UL;
	guest_enter(sched_exit(choose(cpu)));
}
