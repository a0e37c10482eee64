/* SPDX-License-Identifier: MIT */
/*
 * fault.c - stage-2 faults: first touch, copy on write, region links.
 * Obtains all it may need before it changes anything. Never leaves a valid entry that differs from
 * what may be cached: break-before-make at the topmost entry that changes (Arm ARM D8.14.1).
 *
 * Pages EL2 has filled are XN until they are cleaned to the point of unification: a copy of an image page at
 * once, others at the first fetch from one of their group. Pages of a guest that writes code itself are its
 * own business.
 */
#include <arch/mem.h>
#include <arch/tlb.h>
#include "mm/live.h"
#include "mm/node.h"

#define unlikely(x) __builtin_expect(!!(x), 0)
#define RARE __attribute__((noinline, cold)) /* small, and out of the way of first writes */

static void count_tlbi(struct vmem *m, bool wide)
{
	if (wide)
		m->stats.tlbi_broadcast++;
	else
		m->stats.tlbi_local++;
}

#define GROUP 64      /* pages: what is done for one of them is done for its neighbours */
#define REWRITTEN 256 /* pages of the image in groups: a guest that patches itself all over */

/*
 * The page of this leaf may be read and executed from now on, in this table and in those of this VM it was
 * borrowed from. Giving rights needs no break-before-make; who still has the old ones cached faults once more.
 */
static void expose(struct vmem *m, uint64_t *l3, uint64_t index)
{
	uint64_t *table = l3;
	uint64_t entry;

	arch_exec_sync(pa_ptr(s2_pa(l3[index])));
	m->stats.cache_syncs++;
	for (;;) {
		const struct frame *node = frame_at(frame_index(ptr_pa(table)));

		entry = arch_entry_read(&table[index]);
		arch_entry_write(&table[index], (entry & ~S2_XN) | S2_VALID);
		if (entry & S2_OWN || !node->base || node_is_foreign(node))
			return;
		table = frame_ptr(node->base);
	}
}

/* Where one page is read or executed, its neighbours are likely to be. */
static RARE void expose_group(struct vmem *m, uint64_t *l3, uint64_t index)
{
	uint64_t first = index / GROUP * GROUP;

	for (uint64_t i = first; i < first + GROUP; i++)
		if (arch_entry_read(&l3[i]) & S2_XN)
			expose(m, l3, i);
}

/* What is cached of the leaf may allow less than it does. */
static enum vmem_fault spurious(struct vmem *m, ipa_t address)
{
	count_tlbi(m, false);
	arch_tlb_relaxed(address);
	return VMEM_SPURIOUS;
}

/* The leaf allows what was asked for, but perhaps to be executed: the caller does not say reads and
 * fetches apart. */
static RARE enum vmem_fault allowed(struct vmem *m, ipa_t address, bool write, uint64_t *l3)
{
	uint64_t index = s2_l3_index(address.value), old = arch_entry_read(&l3[index]);

	if (!write && old & S2_XN)
		expose_group(m, l3, index);
	if (old & S2_VALID)
		return spurious(m, address);
	arch_table_barrier(); /* nothing is cached of a leaf that was not valid */
	return VMEM_SPURIOUS;
}

/* The leaf at `index` of this chunk is writable from now on. */
static inline void mark_dirty(struct vmem *m, struct dirty_chunk *chunk, uint64_t index)
{
	if (!chunk->count++) {
		chunk->next = m->dirty_first;
		m->dirty_first = (uint32_t)(chunk - m->chunks) + 1;
	}
	chunk->bits[index / 64] |= 1UL << index % 64;
	m->dirty_count++;
}

/* The live tree has a private L3 here from now on; nothing in it is writable yet. */
static void adopt_table(struct vmem *m, struct dirty_chunk *chunk, uint64_t *l3)
{
	chunk->l3 = l3;
	chunk->epoch = m->epoch;
	chunk->count = 0;
	for (uint32_t i = 0; i < ARRAY_SIZE(chunk->bits); i++)
		chunk->bits[i] = 0;
}

/* A fresh page with what the guest sees at this leaf now; its descriptor. A page of the image may be executed at once. */
static inline uint64_t fill_page(struct vmem *m, uint32_t frame, uint64_t old)
{
	void *page = frame_ptr(frame);

	if (s2_has_page(old)) {
		arch_page_copy(page, pa_ptr(s2_pa(old)));
		m->stats.pages_copied++;
		if (unlikely(old & S2_BUNDLE)) {
			m->ram_count++;
			m->stats.cache_syncs++;
			arch_exec_sync(page);
			return frame_pa(frame).value | S2_PAGE | S2_WRITE | S2_OWN;
		}
	} else {
		arch_page_zero(page);
		m->stats.pages_zeroed++;
		m->ram_count++;
	}
	return frame_pa(frame).value | S2_PAGE | S2_WRITE | S2_XN | S2_OWN;
}

/* A private table in place of `old`, or an empty one. */
static RARE uint64_t *copy_table(struct vmem *m, const uint64_t *old, enum frame_kind kind)
{
	uint32_t index = frame_alloc(&m->budget, kind);
	uint64_t *table = frame_ptr(index);

	node_init(index);
	if (old) {
		arch_table_copy(table, old, S2_OWN);
		node_borrow(index, frame_index(ptr_pa(old)));
		m->stats.nodes_copied++;
	} else {
		arch_page_zero(table);
	}
	return table;
}

/* Put a table, complete and ours alone, under this entry of a private node. What the entry owned
 * goes to the reaper. */
static void publish(struct vmem *m, uint64_t *entry, const uint64_t *table, ipa_t address,
		    bool wide)
{
	uint64_t old = arch_entry_read(entry);

	if (old & S2_VALID) {
		arch_entry_write(entry, 0);
		count_tlbi(m, wide);
		arch_tlb_table(address, wide);
	}
	arch_table_barrier();
	arch_entry_write(entry, ptr_pa(table).value | S2_TABLE | S2_OWN);
	arch_table_barrier();
	if (old & S2_OWN)
		node_release(m, entry_frame(old));
}

/* Make l3 what the live tree has at this address; the L2 above it is copied when it is not private.
 */
static RARE void publish_l3(struct vmem *m, const struct vmem_walk *walk, uint64_t *l3,
			    ipa_t address, bool wide)
{
	if (walk->l2_private) {
		publish(m, &walk->l2[s2_l2_index(address.value)], l3, address, wide);
		return;
	}
	uint64_t *l2 = copy_table(m, walk->l2, FRAME_L2);

	arch_entry_write(&l2[s2_l2_index(address.value)], ptr_pa(l3).value | S2_TABLE | S2_OWN);
	publish(m, walk->root_entry, l2, address, wide);
}

/* The guest patches itself all over: a page of its image that it reads it will write. */
static bool rewrites(const struct vmem *m, uint64_t leaf)
{
	return leaf & S2_BUNDLE && m->rewritten >= REWRITTEN && !m->snapshot_count && !m->source;
}

/* A page that is not executable yet, in a table of the VM this one is a clone of: that table is not ours to write. */
static bool needs_own_table(const struct vmem *m, const uint64_t *l3, uint64_t leaf)
{
	return leaf & S2_XN && frame_at(frame_index(ptr_pa(l3)))->owner != m->budget.owner;
}

/* RAM in a chunk whose private L3 is not known: find it, or copy the tables down to it. */
static RARE enum vmem_fault table_fault(struct vmem *m, ipa_t address, bool write, bool wide)
{
	struct dirty_chunk *chunk = &m->chunks[(address.value - m->ram_base) >> REGION_2M_SHIFT];
	uint64_t index = s2_l3_index(address.value);
	struct vmem_walk walk;
	uint64_t old;

	for (;;) {
		vmem_walk(m, address.value, &walk);
		if (walk.l3_private) {
			adopt_table(m, chunk, walk.l3);
			return vmem_fault(m, address, write, wide);
		}
		old = walk.l3 ? arch_entry_read(&walk.l3[index]) : 0;
		write |= rewrites(m, old);
		if (s2_has_page(old) && !write && !needs_own_table(m, walk.l3, old))
			return allowed(m, address, write, walk.l3);
		if (frame_available(&m->budget) >= (walk.l2_private ? 2 : 3))
			break;
		if (!vmem_reclaim(m)) /* which may change the tables: look again */
			return VMEM_STARVED;
	}

	bool only_table = s2_has_page(old) && !write;
	uint64_t leaf = only_table ? 0 : fill_page(m, frame_alloc(&m->budget, FRAME_DATA), old);
	uint64_t *l3 = copy_table(m, walk.l3, FRAME_L3);

	if (only_table)
		expose(m, l3, index);
	else
		arch_entry_write(&l3[index], leaf);
	publish_l3(m, &walk, l3, address, wide);
	adopt_table(m, chunk, l3);
	if (only_table)
		return VMEM_SPURIOUS;
	mark_dirty(m, chunk, index);
	return s2_has_page(old) ? VMEM_COPIED : VMEM_TOUCHED;
}

static struct vmem_attach *find_attach(struct vmem *m, uint64_t address)
{
	for (uint32_t i = 0; i < m->attach_count; i++)
		if (address - m->attach[i].start < m->attach[i].size)
			return &m->attach[i];
	return NULL;
}

static bool may_write(const struct vmem_attach *attach, ipa_t address)
{
	return region_tables_leaf(attach->tables, address.value - attach->start) & S2_WRITE;
}

static RARE enum vmem_fault region_fault(struct vmem *m, ipa_t address, bool write, bool wide)
{
	struct vmem_attach *attach = find_attach(m, address.value);
	struct vmem_walk walk;
	uint64_t *l2;

	if (!attach)
		return VMEM_NOT_RAM;
	if (write && !may_write(attach, address))
		return VMEM_RO_REGION;
	for (;;) {
		vmem_walk(m, address.value, &walk);
		if (walk.l3)
			return spurious(m, address);
		if (walk.l2_private || frame_available(&m->budget))
			break;
		if (!vmem_reclaim(m))
			return VMEM_STARVED;
	}
	l2 = walk.l2_private ? walk.l2 : copy_table(m, walk.l2, FRAME_L2);

	uint64_t slot = (address.value - attach->start) >> REGION_2M_SHIFT;

	arch_entry_write(&l2[s2_l2_index(address.value)],
			 (attach->tables->tables.value + slot * PAGE_SIZE) | S2_TABLE);
	attach->linked = true;
	if (walk.l2_private)
		arch_table_barrier();
	else
		publish(m, walk.root_entry, l2, address, wide);
	return VMEM_LINKED;
}

/* The page before this one was copied: the guest goes on. Not once it has snapshots: what is copied then may be copied after
 * each restore. */
static bool goes_on(const struct vmem *m, const uint64_t *l3, uint64_t index)
{
	return index && !m->snapshot_count && !m->source &&
	       (arch_entry_read(&l3[index - 1]) & (S2_OWN | S2_WRITE)) == (S2_OWN | S2_WRITE);
}

/*
 * A page of the image. A guest that boots and writes to one right after the one before it will go on (a kernel that
 * relocates itself, or memory of its initramfs that is used again), and one that has done so a lot patches its text, page
 * by page, after it has read it. So pages are copied with those that follow, up to the next multiple of GROUP, behind one
 * invalidation if any: each costs all that the TLBs hold of this VM.
 */
static RARE enum vmem_fault image_fault(struct vmem *m, struct dirty_chunk *chunk, ipa_t address,
					bool write, bool wide)
{
	uint64_t leaf[GROUP], index = s2_l3_index(address.value),
			      room = frame_available(&m->budget);
	uint64_t *entry = &chunk->l3[index], count = 0, old = arch_entry_read(entry), most = 1;
	bool cached = false;

	if (rewrites(m, old) || (write && goes_on(m, chunk->l3, index)))
		most = GROUP - index % GROUP;
	else if (!write)
		return allowed(m, address, write, chunk->l3);
	if (!room)
		return vmem_reclaim(m) ? vmem_fault(m, address, write, wide) : VMEM_STARVED;
	do {
		old = arch_entry_read(&entry[count]);
		leaf[count] = fill_page(m, frame_alloc(&m->budget, FRAME_DATA), old);
		mark_dirty(m, chunk, index + count);
		if (old & S2_VALID)
			arch_entry_write(&entry[count], 0);
		cached |= old & S2_VALID;
		count++;
	} while (count < most && count < room && arch_entry_read(&entry[count]) & S2_BUNDLE);
	if (cached) {
		count_tlbi(m, wide);
		arch_tlb_leaves(address, count, wide);
	} else {
		arch_table_barrier();
	}
	for (uint64_t i = 0; i < count; i++)
		arch_entry_write(&entry[i], leaf[i]);
	arch_table_barrier();
	m->rewritten += most > 1 ? count : 0;
	return VMEM_COPIED;
}

/*
 * QEMU sizes its TLB when it is invalidated, and only then: twice as large when more than 70% of it was in use. A guest that
 * touches page after page gets as many invalidations as it takes for the TLB to hold what it has touched.
 */
#define RUN_LEAST 192 /* pages: three quarters of QEMU's first TLB */
#define RUN_MOST (RUN_LEAST << 8)

static inline void count_run(struct vmem *m, uint64_t page)
{
	m->run = page - m->run_next < 2 ? m->run + 1
					: 0; /* the first one of a new table is not counted */
	m->run_next = page + 1;
	if (unlikely(m->run >= m->run_wanted + RUN_LEAST)) {
		m->run = 0;
		if (m->run_wanted < RUN_MOST)
			m->run_wanted = m->run_wanted * 2 + RUN_LEAST;
		count_tlbi(m, false);
		arch_tlb_vm();
	}
}

enum vmem_fault vmem_fault(struct vmem *m, ipa_t address, bool write, bool wide)
{
	uint64_t offset = address.value - m->ram_base;

	if (unlikely(offset >= m->ram_size))
		return region_fault(m, address, write, wide);

	struct dirty_chunk *chunk = &m->chunks[offset >> REGION_2M_SHIFT];

	if (unlikely(chunk->epoch != m->epoch))
		return table_fault(m, address, write, wide);

	uint64_t index = s2_l3_index(address.value);
	uint64_t *entry = &chunk->l3[index];
	uint64_t old = arch_entry_read(entry);

	if (unlikely(old & S2_VALID && (old & S2_WRITE || !write)))
		return allowed(m, address, write, chunk->l3);
	if (unlikely((old & (S2_VALID | S2_OWN)) == (S2_VALID | S2_OWN))) {
		arch_entry_write(entry, old | S2_WRITE);
		mark_dirty(m, chunk, index);
		m->stats.made_writable++;
		count_tlbi(m, false);
		arch_tlb_relaxed(address);
		return VMEM_MADE_WRITABLE;
	}

	if (unlikely(old & S2_BUNDLE))
		return image_fault(m, chunk, address, write, wide);

	uint32_t frame = frame_alloc(&m->budget, FRAME_DATA);

	if (unlikely(!frame)) {
		if (!vmem_reclaim(m))
			return VMEM_STARVED;
		return vmem_fault(m, address, write, wide); /* the entry may have changed */
	}

	uint64_t leaf = fill_page(m, frame, old);

	mark_dirty(m, chunk, index);
	if (!(old & S2_VALID)) {
		arch_table_barrier();
		arch_entry_write(entry, leaf);
		arch_table_barrier();
		count_run(m, address.value >> PAGE_SHIFT);
		return VMEM_TOUCHED;
	}
	arch_entry_write(entry, 0);
	count_tlbi(m, wide);
	arch_tlb_leaves(address, 1, wide);
	arch_entry_write(entry, leaf);
	arch_table_barrier();
	return VMEM_COPIED;
}

void *vmem_host_access(struct vmem *m, ipa_t address, bool write)
{
	uint64_t offset = address.value - m->ram_base;
	struct vmem_walk walk;
	uint64_t leaf;

	if (offset >= m->ram_size) {
		const struct vmem_attach *attach = find_attach(m, address.value);

		if (!attach || !attach->tables->memory.value ||
		    (write && !may_write(attach, address)))
			return NULL;
		offset = (address.value - attach->start) & ~PAGE_MASK;
		return pa_ptr(pa(attach->tables->memory.value + offset));
	}
	struct dirty_chunk *chunk = &m->chunks[offset >> REGION_2M_SHIFT];
	uint64_t index = s2_l3_index(address.value);

	if (chunk->epoch == m->epoch && arch_entry_read(&chunk->l3[index]) & S2_WRITE)
		return pa_ptr(s2_pa(chunk->l3[index]));
	if (write) {
		uint64_t loaded = arch_tlb_select(vmem_vttbr(m));
		enum vmem_fault result = vmem_fault(m, address, true, true);

		arch_tlb_select(loaded);
		m->host_starved |= result == VMEM_STARVED;
		return result == VMEM_STARVED ? NULL : pa_ptr(s2_pa(chunk->l3[index]));
	}
	vmem_walk(m, address.value, &walk);
	leaf = walk.l3 ? arch_entry_read(&walk.l3[index]) : 0;
	return s2_has_page(leaf) ? pa_ptr(s2_pa(leaf)) : (void *)arch_zero_page;
}
