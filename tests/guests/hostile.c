/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - asks for everything it must not get: random hypercalls, device accesses, system registers, virtqueues.
 * Leaves out only what would end or rewind this VM itself (a test does that on purpose elsewhere). The seed is printed;
 * each phase says how far it is, and the guest must be alive at the end. The console is set up anew after
 * each phase, as its registers are among the targets.
 */
#include "baremetal/guest.h"

#define CALLS 100000u
#define ACCESSES 50000u
#define REGISTERS 30000u
#define QUEUES 2000u
#define WILD 5000u
#define STEP 10000u

#define SCRATCH (GUEST_RAM_BASE + 0x2000000) /* 4 MiB that calls may write into */
#define SCRATCH_SIZE 0x400000ul
#define CONSOLE_SLOT (GUEST_VIRTIO + 0x200 * GUEST_VIRTIO_SLOT)

static uint64_t seed;
static uint32_t own_index;

static uint64_t any(void)
{
	return guest_random(&seed);
}

static uint64_t below(uint64_t limit)
{
	return any() % limit;
}

/* The device's registers are targets: make it a console again. */
static void reset_console(void)
{
	mmio_write32(GUEST_UART + 0x38, 0);
	mmio_write32(GUEST_UART + 0x30, 0x301);
}

static uint64_t edge_value(void)
{
	static const uint64_t edges[] = {
		0,
		1,
		2,
		3,
		4,
		7,
		8,
		0xfff,
		0x1000,
		0x1001,
		AV_VM_SELF,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		0x100000000,
		0x7fffffffffffffff,
		0x8000000000000000,
		AV_SNAPSHOT_LATEST,
		AV_SNAPSHOT_BOOT,
		AV_SNAPSHOT_UNDO,
		AV_SNAPSHOT_NONE,
		GUEST_UART,
		0x08000000,
		0x3ffffff8,
		GUEST_RAM_BASE,
		GUEST_REGION,
		SCRATCH,
		SCRATCH + 0xff8,
		SCRATCH + 0xfff,
		SCRATCH + 1,
		0x47fffff8,
		0x47ffffff,
		0x48000000,
		0xffffffff000,
		0xffffffffffff,
		0xfffffffffffff000,
	};

	switch (below(8)) {
	case 0:
		return any();
	case 1:
		return below(256);
	case 2:
		return SCRATCH + below(SCRATCH_SIZE);
	case 3:
		return 1ul << below(64);
	case 4:
		return own_index + below(3);
	default:
		return edges[below(sizeof(edges) / sizeof(edges[0]))];
	}
}

/* A function id: mostly ones that exist, or nearly. */
static uint64_t function_id(void)
{
	switch (below(8)) {
	case 0:
		return any();
	case 1:
		return (uint32_t)any();
	case 2:
		return 0x84000000 + below(0x20);
	case 3:
		return 0xc4000000 + below(0x20);
	case 4:
		return 0x80000000 + below(0x10) + (below(2) ? 0x3ff0 : 0);
	case 5:
		return AV_SMCCC_CALL_UID - 1 + below(5);
	default:
		return AV_HVC_ID(below(0x110));
	}
}

static bool aims_at_itself(uint64_t target)
{
	uint32_t low = (uint32_t)target;

	return low == AV_VM_SELF || low == own_index;
}

/* Would this end or rewind the VM, or crash a debug build's hypervisor on purpose? */
static bool is_suicide(unsigned int immediate, bool smc, const uint64_t x[8])
{
	uint32_t function = (uint32_t)x[0];

	if (!smc && (immediate == AV_IMM_RESTORE || immediate == AV_IMM_RESTART))
		return true;
	switch (function) {
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND & ~0x40000000u:
	case PSCI_CPU_OFF:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case 0x84000012: /* SYSTEM_RESET2 */
	case 0xc4000012:
	case 0x8400000c: /* CPU_DEFAULT_SUSPEND, SYSTEM_SUSPEND */
	case 0xc400000c:
	case 0x8400000e:
	case 0xc400000e:
		return true;
	case AV_HVC_ID(AV_HVC_TEST_HOOK):
		return true;
	case AV_HVC_ID(AV_HVC_DOORBELL_WAIT): /* perhaps for ever */
	case AV_HVC_ID(AV_HVC_DOORBELL_CALL):
		return x[3] > counter_read();
	case AV_HVC_ID(AV_HVC_VM_RESTART):
	case AV_HVC_ID(AV_HVC_VM_STOP):
	case AV_HVC_ID(AV_HVC_VM_CRASH):
	case AV_HVC_ID(AV_HVC_SNAPSHOT_RESTORE):
		return aims_at_itself(x[1]);
	default:
		return false;
	}
}

/* A write of the hypervisor over this program is this program's own fault: only known targets. */
static bool hits_image(const uint64_t x[8])
{
	for (unsigned int i = 0; i < 8; i++)
		if (x[i] >= (uint64_t)(uintptr_t)__image_start - 0x2000 &&
		    x[i] < (uint64_t)(uintptr_t)__image_end)
			return true;
	return false;
}

static void phase_calls(void)
{
	for (unsigned int done = 0; done < CALLS;) {
		bool smc = below(8) == 0;
		unsigned int immediate = below(4) ? 0 : (unsigned int)below(below(2) ? 8 : 0x10000);
		uint64_t x[8];

		x[0] = immediate == AV_IMM_PRINT ? edge_value() : function_id();
		for (unsigned int i = 1; i < 8; i++)
			x[i] = i > 1 && below(4) ? 0 : edge_value();
		if (below(4) == 0)
			x[2] = edge_value();
		if (is_suicide(immediate, smc, x) || hits_image(x))
			continue;
		guest_fault_begin();
		guest_execute(smc ? GUEST_WORD_SMC(immediate) : GUEST_WORD_HVC(immediate), x);
		guest_fault_end(NULL);
		if (++done % STEP == 0)
			print("hostile: calls %u\n", done);
	}
}

static uint64_t device_address(void)
{
	static const struct {
		uint64_t base, size;
	} devices[] = {
		{0x08000000, 0x10000},  /* distributor */
		{0x080a0000, 0x100000}, /* redistributors */
		{GUEST_UART, 0x1000},   {GUEST_VIRTIO, 0x4000},
		{CONSOLE_SLOT, 0x200},  {0, GUEST_RAM_BASE},
	};
	unsigned int which = (unsigned int)below(sizeof(devices) / sizeof(devices[0]));

	return devices[which].base + below(devices[which].size);
}

static void phase_accesses(void)
{
	uint64_t faults = 0;

	for (unsigned int done = 1; done <= ACCESSES; done++) {
		uint64_t address = device_address(), value = edge_value();
		unsigned int kind = (unsigned int)below(8);
		struct guest_fault fault;

		if (below(8))
			address &= ~((1ul << kind / 2) - 1);
		guest_fault_begin();
		switch (kind) {
		case 0:
			mmio_read8(address);
			break;
		case 1:
			mmio_write8(address, (uint8_t)value);
			break;
		case 2:
			mmio_read16(address);
			break;
		case 3:
			mmio_write16(address, (uint16_t)value);
			break;
		case 4:
			mmio_read32(address);
			break;
		case 5:
			mmio_write32(address, (uint32_t)value);
			break;
		case 6:
			mmio_read64(address);
			break;
		default:
			mmio_write64(address, value);
		}
		guest_fault_end(&fault);
		faults += fault.count;
		if (done % STEP == 0) {
			reset_console();
			print("hostile: accesses %u, %lu aborts\n", done, faults);
		}
	}
}

/* Registers whose write would stop this guest at once: translation, vectors, exception state, stepping. */
static bool keeps_guest_alive(uint32_t op0, uint32_t op1, uint32_t crn, uint32_t crm, uint32_t op2)
{
	if (op0 == 0)
		return false;
	if (op0 == 1)
		return !(crn == 7 && op1 == 3); /* DC ZVA and its like write memory */
	if (op0 == 2)
		return !(op1 == 0 && crn == 0 && op2 == 2); /* MDSCR, OSDTRTX */
	if (op1 == 0 && (crn == 1 || crn == 2 || crn == 4 || crn == 10))
		return crn == 4 && crm == 6; /* the priority mask */
	if (op1 == 0 && crn == 12 && crm == 0)
		return false;
	return !(op1 == 3 && crn == 4);
}

/* Registers that exist lie close together: ID, PMU, GIC, timer, debug. */
static void draw_register(uint32_t *op0, uint32_t *op1, uint32_t *crn)
{
	static const uint8_t likely[] = {0,  0,  1,  2,  3,  4,  5,  6,  9,
					 10, 11, 12, 12, 12, 13, 14, 14, 15};

	*op0 = below(8) ? 2 + (uint32_t)below(2) : 1;
	*op1 = (uint32_t)below(8);
	*crn = (uint32_t)below(16);
	if (below(4) == 0)
		return;
	*op1 = below(4) ? (below(4) ? 0 : 3) : *op1;
	if (*op0 == 2)
		*crn = (uint32_t)below(2);
	else
		*crn = likely[below(sizeof(likely))];
}

static void phase_registers(void)
{
	uint64_t faults = 0;

	for (unsigned int done = 0; done < REGISTERS;) {
		uint32_t op0, op1, crn, crm = (uint32_t)below(16), op2 = (uint32_t)below(8);
		bool read = below(2);
		uint64_t x[8] = {edge_value()};
		struct guest_fault fault;

		draw_register(&op0, &op1, &crn);
		if (!read && !keeps_guest_alive(op0, op1, crn, crm, op2))
			continue;
		guest_fault_begin();
		guest_execute(0xd5000000u | (read ? 1u << 21 : 0) | op0 << 19 | op1 << 16 |
				      crn << 12 | crm << 8 | op2 << 5,
			      x);
		guest_fault_end(&fault);
		faults += fault.count;
		if (++done % STEP == 0)
			print("hostile: registers %u, %lu undefined\n", done, faults);
	}
	__asm__ volatile("msr cntv_ctl_el0, xzr\n\tmsr cntp_ctl_el0, xzr\n\tisb");
}

/* Loads and stores, exclusives and cache operations at addresses that may not exist. */
static void phase_wild(void)
{
	uint64_t faults = 0;

	for (unsigned int done = 1; done <= WILD; done++) {
		static const uint32_t words[] = {
			0xf9400001, /* ldr x1, [x0] */
			0xc85f7c01, /* ldxr x1, [x0] */
			0x885ffc01, /* ldaxr w1, [x0] */
			0xd50b7a20, /* dc cvac, x0 */
			0xd50b7e20, /* dc civac, x0 */
			0xd50b7520, /* ic ivau, x0 */
			0xd5087800, /* at s1e1r, x0 */
			0xf9800000, /* prfm pldl1keep, [x0] */
		};
		uint64_t x[8] = {0x48000000 + below(0x3b8000000)};
		struct guest_fault fault;

		x[0] &= below(2) ? ~7ul : ~0xffful;
		if (x[0] >= GUEST_REGION && x[0] < GUEST_REGION + 0x200000)
			continue;
		guest_fault_begin();
		guest_execute(words[below(sizeof(words) / sizeof(words[0]))], x);
		guest_fault_end(&fault);
		faults += fault.count;
		if (done % STEP == 0 || done == WILD)
			print("hostile: wild %u, %lu aborts\n", done, faults);
	}
}

static uint64_t queue_address(void)
{
	switch (below(6)) {
	case 0:
		return edge_value();
	case 1:
		return 0x47fff000 + below(0x2000);
	default:
		return SCRATCH + below(16) * 0x1000;
	}
}

static void write_queue_address(uint64_t offset)
{
	uint64_t address = queue_address();

	mmio_write32(CONSOLE_SLOT + offset, (uint32_t)address);
	mmio_write32(CONSOLE_SLOT + offset + 4, (uint32_t)(address >> 32));
}

/* Descriptors that loop, point anywhere and have any length; rings with any index. */
static void scramble_memory(void)
{
	for (unsigned int page = 0; page < 16; page++) {
		uint64_t base = SCRATCH + page * 0x1000;

		for (unsigned int i = 0; i < 16; i++) {
			volatile uint64_t *desc = (volatile uint64_t *)(base + 16 * i);
			uint64_t length = below(2) ? below(64) : edge_value();

			desc[0] = queue_address();
			desc[1] = (uint32_t)length | below(8) << 32 |
				  (below(4) ? below(20) : any()) << 48;
		}
		*(volatile uint16_t *)base = (uint16_t)any();
		if (below(2))
			*(volatile uint16_t *)(base + 2) = (uint16_t)(below(2) ? below(32) : any());
	}
}

static void phase_queues(void)
{
	for (unsigned int done = 1; done <= QUEUES; done++) {
		scramble_memory();
		mmio_write32(CONSOLE_SLOT + 0x70, 0);
		mmio_write32(CONSOLE_SLOT + 0x70, 3);
		mmio_write32(CONSOLE_SLOT + 0x24, 0);
		mmio_write32(CONSOLE_SLOT + 0x20, below(4) ? 2 : (uint32_t)any());
		mmio_write32(CONSOLE_SLOT + 0x24, 1);
		mmio_write32(CONSOLE_SLOT + 0x20, below(8) ? 1 : (uint32_t)any());
		mmio_write32(CONSOLE_SLOT + 0x70, 11);
		for (unsigned int queue = 0; queue < 7; queue++) {
			mmio_write32(CONSOLE_SLOT + 0x30,
				     below(8) ? queue : (uint32_t)edge_value());
			mmio_write32(CONSOLE_SLOT + 0x38, below(4) ? 16 : (uint32_t)edge_value());
			write_queue_address(0x80);
			write_queue_address(0x90);
			write_queue_address(0xa0);
			mmio_write32(CONSOLE_SLOT + 0x44, 1);
		}
		mmio_write32(CONSOLE_SLOT + 0x70, 15);
		for (unsigned int i = 0; i < 12; i++) {
			mmio_write32(CONSOLE_SLOT + 0x50,
				     below(8) ? (uint32_t)below(8) : (uint32_t)edge_value());
			if (below(3) == 0)
				scramble_memory();
		}
		if (done % 500 == 0)
			print("hostile: queues %u\n", done);
	}
	mmio_write32(CONSOLE_SLOT + 0x70, 0);
}

void guest_main(uint64_t dtb)
{
	static struct av_vm_info info;
	uint64_t first;

	(void)dtb;
	first = seed = guest_nonce();
	print("hostile: start seed=0x%lx\n", seed);
	own_index = 0xfffffffe;
	if (guest_has_hypervisor() &&
	    hvc_VM_INFO(AV_VM_SELF, (uint64_t)(uintptr_t)&info, sizeof(info)).status == 0)
		own_index = info.index;
	phase_accesses();
	phase_registers();
	phase_wild();
	phase_queues();
	phase_calls();
	reset_console();
	print("hostile: done seed=0x%lx\n", first);
	interrupts_init();
	for (uint64_t count = 0;; count++) {
		print("hostile: alive %lu\n", count);
		delay_us(200000);
	}
}
