/* SPDX-License-Identifier: MIT */
/*
 * differ.c - comparing two trees of one VM from the top: what both share costs nothing below it.
 * Changes nothing, never looks at a page's content, and never leaves RAM: regions are not compared.
 */
#include "mm/differ.h"
#include <arch/mem.h>
#include "mm/node.h"

#define GIB (1UL << S2_ROOT_SHIFT)
#define CHUNK (1UL << S2_L2_SHIFT)

/* The table an entry leads to; one that has nothing in it where there is none. */
static const uint64_t *below(uint64_t entry)
{
	return entry & S2_VALID ? entry_table(entry) : arch_zero_page;
}

static uint64_t page_of(uint64_t leaf)
{
	return s2_has_page(leaf) ? leaf & S2_ADDRESS : 0;
}

/* The page goes on where the run stops, in memory too; one that is not there goes on not there. */
static bool continues(uint64_t run_page, uint64_t bytes, uint64_t page)
{
	return run_page ? page == run_page + bytes : !page;
}

/* False: no room for another run. */
static bool add(struct av_page_run *runs, uint32_t *count, uint64_t at, uint64_t a, uint64_t b)
{
	struct av_page_run *last = *count ? &runs[*count - 1] : NULL;
	uint64_t bytes = last ? last->count * PAGE_SIZE : 0;

	if (last && at == last->ipa + bytes && continues(last->pa_a, bytes, a) &&
	    continues(last->pa_b, bytes, b)) {
		last->count++;
		return true;
	}
	if (*count == AV_PAGE_RUNS)
		return false;
	runs[(*count)++] = (struct av_page_run){
		.ipa = at,
		.pa_a = a,
		.pa_b = b,
		.count = 1,
		.kind = !a   ? AV_PAGE_ONLY_B
			: !b ? AV_PAGE_ONLY_A
			     : AV_PAGE_BOTH,
	};
	return true;
}

/* One pair of L3 tables from *at on to the end of their 2 MiB. False: no more room, *at is next. */
static bool differ_leaves(const uint64_t *a, const uint64_t *b, uint64_t *at,
			  struct av_page_run *runs, uint32_t *count)
{
	do {
		uint64_t index = s2_l3_index(*at);
		uint64_t page_a = page_of(a[index]), page_b = page_of(b[index]);

		if (page_a != page_b && !add(runs, count, *at, page_a, page_b))
			return false;
		*at += PAGE_SIZE;
	} while (s2_l3_index(*at));
	return true;
}

uint32_t vmem_differ(const struct vmem *m, const uint64_t *a, const uint64_t *b, uint64_t *cursor,
		     struct av_page_run *runs)
{
	uint64_t at = *cursor < m->ram_base ? m->ram_base : *cursor & ~(PAGE_SIZE - 1);
	uint64_t end = m->ram_base + m->ram_size;
	uint32_t count = 0, tables = 0;

	while (at < end) {
		uint64_t root_a = a[s2_root_index(at)], root_b = b[s2_root_index(at)];
		const uint64_t *l2_a = below(root_a), *l2_b = below(root_b);

		if (l2_a == l2_b) {
			at = (at & ~(GIB - 1)) + GIB;
			continue;
		}
		const uint64_t *l3_a = below(l2_a[s2_l2_index(at)]);
		const uint64_t *l3_b = below(l2_b[s2_l2_index(at)]);

		if (l3_a == l3_b) {
			at = (at & ~(CHUNK - 1)) + CHUNK;
			continue;
		}
		if (tables++ == DIFFER_TABLES || !differ_leaves(l3_a, l3_b, &at, runs, &count))
			break;
	}
	*cursor = at < end ? at : AV_DIFF_END;
	return count;
}
