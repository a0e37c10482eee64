/* SPDX-License-Identifier: MIT */
/*
 * checkpoint.c - a checkpoint and restores of it, by hvc #1 and #2.
 * First with a canary in x0..x30, q0..q31 and the EL1 system registers, then with a static and a register variable
 * as in the original's first scene. Counts its restores by the generation, which no restore rewinds.
 */
#include "baremetal/guest.h"

#define ROUNDS 4

struct canary {
	uint64_t x[31];
	uint64_t flags; /* NZCV, DAIF << 32 */
	uint64_t q[64];
};
_Static_assert(sizeof(struct canary) == 768, "canary_checkpoint");

/* Fills all registers with patterns, executes hvc #1, and stores what it finds in them then. */
void canary_checkpoint(struct canary *found);

__asm__(".pushsection .text.canary, \"ax\"\n"
	"canary_checkpoint:\n"
	"	stp	x29, x30, [sp, #-112]!\n"
	"	stp	x19, x20, [sp, #16]\n"
	"	stp	x21, x22, [sp, #32]\n"
	"	stp	x23, x24, [sp, #48]\n"
	"	stp	x25, x26, [sp, #64]\n"
	"	stp	x27, x28, [sp, #80]\n"
	"	str	x0, [sp, #96]\n"
	"	sub	sp, sp, #768\n"
	"	.irp	n, "
	"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	movz	x0, #(0x4000 + \\n)\n"
	"	movk	x0, #0x5151, lsl #48\n"
	"	dup	v\\n\\().2d, x0\n"
	"	movk	x0, #0x6262, lsl #48\n"
	"	ins	v\\n\\().d[1], x0\n"
	"	.endr\n"
	"	movz	x0, #0xa000, lsl #16\n"
	"	msr	nzcv, x0\n"
	"	msr	daifclr, #9\n"
	"	msr	daifset, #6\n"
	"	.irp	n, "
	"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30\n"
	"	movz	x\\n, #(0x2000 + \\n)\n"
	"	movk	x\\n, #0x7373, lsl #48\n"
	"	.endr\n"
	"	hvc	#1\n"
	"	.irp	n, 0,2,4,6,8,10,12,14,16,18,20,22,24,26,28\n"
	"	str	x\\n, [sp, #(8 * \\n)]\n"
	"	.endr\n"
	"	.irp	n, 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,30\n"
	"	str	x\\n, [sp, #(8 * \\n)]\n"
	"	.endr\n"
	"	.irp	n, "
	"0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	str	q\\n, [sp, #(256 + 16 * \\n)]\n"
	"	.endr\n"
	"	mrs	x1, nzcv\n"
	"	mrs	x2, daif\n"
	"	orr	x1, x1, x2, lsl #32\n"
	"	str	x1, [sp, #248]\n"
	"	ldr	x0, [sp, #(768 + 96)]\n"
	"	mov	x1, sp\n"
	"	mov	x2, #768\n"
	"	bl	memcpy\n"
	"	add	sp, sp, #768\n"
	"	ldp	x27, x28, [sp, #80]\n"
	"	ldp	x25, x26, [sp, #64]\n"
	"	ldp	x23, x24, [sp, #48]\n"
	"	ldp	x21, x22, [sp, #32]\n"
	"	ldp	x19, x20, [sp, #16]\n"
	"	ldp	x29, x30, [sp], #112\n"
	"	ret\n"
	".popsection\n");

/* The system registers that can hold a pattern without changing what this guest does; and bits that can be others in them. */
#define SYSTEM_REGISTERS(_)                       \
	_(tpidr_el0, 0x1111222233334444, 0x10)    \
	_(tpidrro_el0, 0x2222333344445555, 0x10)  \
	_(tpidr_el1, 0x3333444455556666, 0x10)    \
	_(sp_el0, 0x4444555566667770, 0x10)       \
	_(elr_el1, 0x0000007855556664, 0x10)      \
	_(spsr_el1, 0x60000305, 0x10)             \
	_(esr_el1, 0x56000321, 0x10)              \
	_(far_el1, 0x0000001234567890, 0x10)      \
	_(contextidr_el1, 0x1234, 0x10)           \
	_(ttbr1_el1, 0x0000000045678000, 0x10000) \
	_(cntkctl_el1, 0x301, 0x10)               \
	_(csselr_el1, 0x2, 0x1)                   \
	_(fpcr, 0x01c00000, 0x400000)             \
	_(fpsr, 0x08000010, 0x1)

/* The ones this guest lives by: a bit in each that does not matter before the restore. The last four are of ICC_*_EL1. */
#define LIVE_REGISTERS(_)                     \
	_(vbar_el1, 0x80000)                  \
	_(mair_el1, 0xff00000000000000)       \
	_(tcr_el1, 0x4000000000)              \
	_(ttbr0_el1, 0x1000000000000)         \
	_(sctlr_el1, 0x4000000)               \
	_(cpacr_el1, 0x200000)                \
	_(par_el1, 0x12345000)                \
	_(amair_el1, 0x1111)                  \
	_(afsr0_el1, 0x2222)                  \
	_(afsr1_el1, 0x3333)                  \
	_(cntv_cval_el0, 0x123456789)         \
	_(cntp_cval_el0, 0x234567891)         \
	_(cntv_ctl_el0, 0x2)                  \
	_(cntp_ctl_el0, 0x2)                  \
	_(s3_0_c4_c6_0, 0x40)   /* PMR */     \
	_(s3_0_c12_c12_6, 0x1)  /* IGRPEN0 */ \
	_(s3_0_c12_c8_4, 0x100) /* AP0R0 */   \
	_(s3_0_c12_c9_0, 0x100) /* AP1R0 */
#define ALL (~0u)

static struct {
#define FIELD(name, flip) uint64_t name;
	LIVE_REGISTERS(FIELD)
#undef FIELD
} live;

#define GET(name, to) __asm__ volatile("mrs %0, " #name : "=r"(to))
#define SET(name, value) __asm__ volatile("msr " #name ", %0" : : "r"(value))

static void write_system(void)
{
#define WRITE(name, value, flip) SET(name, value##ul);
	SYSTEM_REGISTERS(WRITE)
#undef WRITE
	__asm__ volatile("isb");
}

static void keep_live(void)
{
#define KEEP(name, flip) GET(name, live.name);
	LIVE_REGISTERS(KEEP)
#undef KEEP
}

static bool is_bad(const char *name, uint64_t found, uint64_t was)
{
	if (found == was)
		return false;
	print("canary BAD %s=0x%lx, was 0x%lx\n", name, found, was);
	return true;
}

static unsigned int check_system(void)
{
	unsigned int bad = 0;
	uint64_t found;

#define CHECK(name, value, flip) \
	GET(name, found);        \
	bad += is_bad(#name, found, value##ul);
	SYSTEM_REGISTERS(CHECK)
#undef CHECK
	return bad;
}

static unsigned int check_live(void)
{
	unsigned int bad = 0;
	uint64_t found;

#define CHECK(name, flip) \
	GET(name, found); \
	bad += is_bad(#name, found, live.name);
	LIVE_REGISTERS(CHECK)
#undef CHECK
	return bad;
}

/* The keys of pointer authentication, where the PE has them: op0 3, op1 0, CRn 2. */
#define KEY_REGISTERS(_)                                                            \
	_(s3_0_c2_c1_0, 1)                                                          \
	_(s3_0_c2_c1_1, 2)                                                          \
	_(s3_0_c2_c1_2, 3)                                                          \
	_(s3_0_c2_c1_3, 4)                                                          \
	_(s3_0_c2_c2_0, 5) _(s3_0_c2_c2_1, 6) _(s3_0_c2_c2_2, 7) _(s3_0_c2_c2_3, 8) \
		_(s3_0_c2_c3_0, 9) _(s3_0_c2_c3_1, 10)
#define KEY_PATTERN 0x1122334455667700ul

static bool has_keys(void)
{
	uint64_t isar1;

	__asm__("mrs %0, id_aa64isar1_el1" : "=r"(isar1));
	return isar1 & 0xff000ff0;
}

static void write_keys(uint64_t flip)
{
	if (!has_keys())
		return;
#define WRITE(name, value) \
	__asm__ volatile("msr " #name ", %0" : : "r"((KEY_PATTERN + value) ^ flip));
	KEY_REGISTERS(WRITE)
#undef WRITE
	__asm__ volatile("isb");
}

static unsigned int check_keys(void)
{
	unsigned int bad = 0;

	if (!has_keys())
		return 0;
#define CHECK(name, value)                                            \
	{                                                             \
		uint64_t found;                                       \
		__asm__ volatile("mrs %0, " #name : "=r"(found));     \
		if (found != KEY_PATTERN + value) {                   \
			bad++;                                        \
			print("canary BAD " #name "=0x%lx\n", found); \
		}                                                     \
	}
	KEY_REGISTERS(CHECK)
#undef CHECK
	return bad;
}

/* Registers that QEMU's max lets EL1 reach though no ID register offers them here: DISR_EL1, TPIDR2_EL0. */
#define HIDDEN_REGISTERS(_) _(s3_0_c12_c1_1, 11) _(s3_3_c13_c0_5, 12)
static unsigned int hidden_count;

/* Where there is none the write is UNDEFINED: an exception that is counted, and skipped. */
static void write_hidden(uint64_t flip)
{
	hidden_count = 0;
#define WRITE(name, value)                                                                  \
	guest_fault_begin();                                                                \
	__asm__ volatile("msr " #name ", %0\n\tisb" : : "r"((KEY_PATTERN + value) ^ flip)); \
	hidden_count += !guest_fault_end(NULL);
	HIDDEN_REGISTERS(WRITE)
#undef WRITE
}

static unsigned int check_hidden(void)
{
	unsigned int bad = 0;

#define CHECK(name, value)                                            \
	{                                                             \
		uint64_t found = KEY_PATTERN + value;                 \
		guest_fault_begin();                                  \
		__asm__ volatile("mrs %0, " #name : "+r"(found));     \
		guest_fault_end(NULL);                                \
		if (found != KEY_PATTERN + value) {                   \
			bad++;                                        \
			print("canary BAD " #name "=0x%lx\n", found); \
		}                                                     \
	}
	HIDDEN_REGISTERS(CHECK)
#undef CHECK
	return bad;
}

struct flipped {
	const char *name;
	uint64_t was, is;
};

/* Register number `which`, the keys or the hidden ones for one, or all; what the last of them was and is. No name: there are not that many. */
static struct flipped flip(unsigned int which)
{
	struct flipped last = {0};
	unsigned int n = 0;

#define FLIP_TO(register, value, bits)                \
	if (which == ALL || which == n++) {           \
		last.name = #register;                \
		last.was = value;                     \
		SET(register, last.was ^ (bits##ul)); \
		__asm__ volatile("isb");              \
		GET(register, last.is);               \
	}
#define FLIP_LIVE(register, bits) FLIP_TO(register, live.register, bits)
#define FLIP(register, value, bits) FLIP_TO(register, value##ul, bits)
	/* While exceptions still work. */
	if (which == ALL || which == n++) {
		write_hidden(~0ul);
		last = (struct flipped){"hidden", 0, hidden_count};
	}
	if (which == ALL || which == n++) {
		write_keys(~0ul);
		last = (struct flipped){"keys", 0, has_keys()};
	}
	LIVE_REGISTERS(FLIP_LIVE)
	SYSTEM_REGISTERS(FLIP)
#undef FLIP
#undef FLIP_LIVE
#undef FLIP_TO
	return last;
}

static unsigned int check_registers(const struct canary *found)
{
	unsigned int bad = 0;

	if (found->flags != (0x18000000000u | 0xa0000000u)) {
		bad++;
		print("canary BAD flags=0x%lx\n", found->flags);
	}
	for (unsigned int i = 0; i < 31; i++) {
		if (found->x[i] == (0x7373000000000000u | (0x2000 + i)))
			continue;
		bad++;
		print("canary BAD x%u=0x%lx\n", i, found->x[i]);
	}
	for (unsigned int i = 0; i < 64; i++) {
		uint64_t high = i % 2 ? 0x6262000000000000u : 0x5151000000000000u;

		if (found->q[i] == (high | (0x4000 + i / 2)))
			continue;
		bad++;
		print("canary BAD q%u[%u]=0x%lx\n", i / 2, i % 2, found->q[i]);
	}
	return bad;
}

static void spoil_vectors(void)
{
	__asm__ volatile(
		".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,"
		"27,28,29,30,31\n\tmovi v\\n\\().16b, #0xa5\n\t.endr" ::
			: "memory");
}

/* Takes the checkpoint, comes back from it 1 + ROUNDS times. */
static void canary_scene(void)
{
	static struct canary found;
	uint64_t first = guest_generation();
	uint64_t round;
	unsigned int bad;

	write_hidden(0); /* first: an exception it takes changes ESR_EL1 and others */
	write_system();
	write_keys(0);
	keep_live();
	canary_checkpoint(&found);
	bad = check_system(); /* before check_hidden() */
	bad += check_keys() + check_hidden() + check_live() + check_registers(&found);
	round = guest_generation() - first;
	print("canary round=%lu %s\n", round, bad ? "BAD" : "ok");
	if (round >= ROUNDS)
		return;
	memset(&found, 0xee, sizeof(found));
	spoil_vectors();
	flip(ALL);
	hvc_restore(-1);
	print("checkpoint: RESTORE CAME BACK\n");
}

static volatile int i_static;

static void original_scene(void)
{
	uint64_t first = guest_generation();
	register int j __asm__("x27") = 0x114514;

	i_static = 0;
	print("Before checkpoint, i(static)=%d, j(register)=%d\n", i_static, 0x114514);
	__asm__ volatile("hvc #1" : "+r"(j) : : "memory", "cc");
	print("After checkpoint, i=%d, j=%d\n", i_static, j);
	i_static = 10;
	j = 20;
	print("Changed, i=%d, j=%d\n", i_static, j);
	if (guest_generation() - first >= ROUNDS)
		return;
	hvc_restore(-1);
	print("checkpoint: RESTORE CAME BACK\n");
}

/* One register after the other is the only one that differs: each must be looked at. */
static void alone_scene(void)
{
	uint64_t first = guest_generation();
	struct flipped last;
	unsigned int bad;

	write_hidden(0); /* first, as above */
	write_system();
	write_keys(0);
	keep_live();
	__asm__ volatile("hvc #1" ::: "memory", "cc");
	bad = check_system();
	bad += check_keys() + check_hidden() + check_live();
	if (bad)
		print("alone round=%lu BAD\n", guest_generation() - first);
	last = flip((unsigned int)(guest_generation() - first));
	if (!last.name)
		return;
	print("alone %s %s\n", last.name, last.was == last.is ? "fixed" : "changed");
	hvc_restore(-1);
	print("checkpoint: RESTORE CAME BACK\n");
}

void guest_main(uint64_t dtb)
{
	(void)dtb;
	interrupts_init();
	print("checkpoint: start, pointer authentication keys: %s\n", has_keys() ? "yes" : "no");
	if (!guest_has_hypervisor())
		guest_panic("needs the hypervisor");
	canary_scene();
	print("checkpoint: hidden registers: %u\n", hidden_count);
	original_scene();
	alone_scene();
	print("checkpoint: done\n");
	for (uint64_t count = 0;; count++) {
		print("checkpoint: alive %lu\n", count);
		sleep_us(500000);
	}
}
