// SPDX-License-Identifier: GPL-2.0
/*
 * region.c - the regions of the device tree: mapping them, and their doorbells.
 * Maps for writing only what the hypervisor lets this VM write: a store elsewhere would be an abort in user space.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/mm.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/of_irq.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "avisor.h"

static LIST_HEAD(windows);  /* changes only while the module loads and goes */
static u8 vcpu_of[NR_CPUS]; /* the hypervisor's number of each of Linux's */

/* The device tree has each CPU's affinity, of which the lowest byte is the vCPU. */
static void find_vcpus(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
	{
		struct device_node *node = of_get_cpu_node(cpu, NULL);
		int cells = node ? of_property_count_u32_elems(node, "reg") : 0;
		u32 affinity;

		if (cells > 0 && !of_property_read_u32_index(node, "reg", cells - 1, &affinity))
			vcpu_of[cpu] = affinity & 0xff;
		of_node_put(node);
	}
}

static struct avisor_result bell_call(const struct avisor_window *window, u32 number, u64 x2,
				      u64 x3)
{
	u64 argument[6] = {window->number, x2, x3};

	return avisor_hvc(number, argument);
}

/* Which flags raise the SPI from now on, at the vCPU where Linux wants it: the call writes the route, too. Needs the lock. */
static void enable(struct avisor_window *window, u64 flags)
{
	struct irq_data *data = irq_get_irq_data(window->irq);
	unsigned int cpu = cpumask_first(irq_data_get_effective_affinity_mask(data));

	if (cpu >= nr_cpu_ids)
		cpu = 0;
	window->enabled = flags;
	bell_call(window, AV_HVC_DOORBELL_MASK, flags, vcpu_of[cpu]);
}

/* The SPI is a level: what is pending is masked until somebody waits for it again. */
static irqreturn_t on_bell(int irq, void *context)
{
	struct avisor_window *window = context;
	struct avisor_result pending;
	unsigned long flags;

	spin_lock_irqsave(&window->lock, flags);
	pending = bell_call(window, AV_HVC_DOORBELL_STATUS, 0, 0);
	enable(window, pending.status == AV_OK ? window->enabled & ~pending.value[0] : 0);
	spin_unlock_irqrestore(&window->lock, flags);
	wake_up_interruptible_all(&window->waiting);
	return IRQ_HANDLED;
}

__poll_t avisor_poll(struct avisor_file *file, struct file *filp, poll_table *table)
{
	struct avisor_window *window = file->window;
	struct avisor_result pending;
	u64 want = READ_ONCE(file->want);
	unsigned long flags;
	bool ready;

	if (!window || !window->irq)
		return EPOLLERR;
	poll_wait(filp, &window->waiting, table);
	spin_lock_irqsave(&window->lock, flags);
	pending = bell_call(window, AV_HVC_DOORBELL_STATUS, 0, 0);
	ready = pending.status == AV_OK && (pending.value[0] & want);
	if (!ready && (want & ~window->enabled))
		enable(window, window->enabled | want);
	spin_unlock_irqrestore(&window->lock, flags);
	return ready ? EPOLLIN | EPOLLRDNORM : 0;
}

int avisor_bell(struct avisor_file *file, unsigned int command, struct avisor_bell *bell)
{
	struct avisor_window *window = file->window;
	struct avisor_result result = {AV_OK};

	if (bell->reserved || bell->before || bell->status ||
	    (command != AVISOR_BELL_RING && bell->member))
		return -EINVAL;
	if (!window)
		return -ENXIO;
	switch (command) {
	case AVISOR_BELL_RING:
		dma_mb(); /* what was written to the region before is seen by who sees the flags */
		result = bell_call(window, AV_HVC_DOORBELL_RING, bell->member, bell->flags);
		break;
	case AVISOR_BELL_TAKE:
		result = bell_call(window, AV_HVC_DOORBELL_STATUS, bell->flags, 0);
		dma_mb();
		break;
	default:
		bell->before = file->want;
		WRITE_ONCE(file->want, bell->flags);
		wake_up_interruptible_all(&window->waiting); /* who polls looks again */
		return 0;
	}
	bell->status = result.status;
	bell->before = result.status == AV_OK ? result.value[0] : 0;
	return 0;
}

/* Is [from, from + length) memory that this VM may write: of the common part, or of its own section? */
static bool may_write(const struct avisor_window *window, u64 from, u64 length)
{
	u64 own = window->common_size + window->member * window->output_size;

	if (!window->writable)
		return false;
	if (from + length <= window->common_size)
		return true;
	return window->output_size && from >= own && from + length <= own + window->output_size;
}

int avisor_map(struct avisor_file *file, struct vm_area_struct *vma)
{
	const struct avisor_window *window = file->window;
	u64 length = vma->vm_end - vma->vm_start, from;

	if (!window)
		return -ENXIO;
	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC) ||
	    check_shl_overflow((u64)vma->vm_pgoff, PAGE_SHIFT, &from))
		return -EINVAL;
	/* The state table is right behind the contents. */
	if (from > window->size + AV_REGION_STATE_SIZE ||
	    length > window->size + AV_REGION_STATE_SIZE - from)
		return -EINVAL;
	if (!may_write(window, from, length)) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		vma->vm_flags &= ~VM_MAYWRITE;
	}
	vma->vm_flags &= ~VM_MAYEXEC;
	return remap_pfn_range(vma, vma->vm_start, PHYS_PFN(window->base + from), length,
			       vma->vm_page_prot);
}

int avisor_bind(struct avisor_file *file, struct avisor_region *region)
{
	static const struct avisor_region none;
	struct avisor_window *window;
	int error = -ENOENT;

	if (memcmp(&region->size, &none.size, sizeof(none) - sizeof(none.name)) ||
	    strnlen(region->name, AV_NAME_SIZE) == 0 ||
	    memchr_inv(region->name + strnlen(region->name, AV_NAME_SIZE), 0,
		       AV_NAME_SIZE - strnlen(region->name, AV_NAME_SIZE)))
		return -EINVAL;
	mutex_lock(&file->lock);
	list_for_each_entry(window, &windows, link)
	{
		if (strlen(window->name) > AV_NAME_SIZE ||
		    strncmp(window->name, region->name, AV_NAME_SIZE))
			continue;
		error = file->window ? -EBUSY : 0;
		if (error)
			break;
		region->size = window->size;
		region->common_size = window->common_size;
		region->output_size = window->output_size;
		region->number = window->number;
		region->member = window->member;
		region->writable = window->writable;
		smp_store_release(&file->window, window);
		break;
	}
	mutex_unlock(&file->lock);
	return error;
}

/* What the device tree says of one region; -errno when it says too little. */
static int window_read(struct avisor_window *window, struct device_node *node)
{
	struct resource contents, state;
	const char *rights;

	if (of_property_read_string(node, "label", &window->name) ||
	    of_property_read_string(node, "avisor,rights", &rights) ||
	    of_property_read_u32(node, "avisor,region", &window->number) ||
	    of_property_read_u32(node, "avisor,member", &window->member) ||
	    of_address_to_resource(node, 0, &contents) || of_address_to_resource(node, 1, &state))
		return -EINVAL;
	window->base = contents.start;
	window->size = resource_size(&contents);
	window->common_size = window->size;
	of_property_read_u64(node, "avisor,common-size", &window->common_size);
	of_property_read_u64(node, "avisor,output-size", &window->output_size);
	window->writable = !strcmp(rights, "rw");
	if (state.start != window->base + window->size || !PAGE_ALIGNED(window->base) ||
	    !PAGE_ALIGNED(window->size))
		return -EINVAL;
	return 0;
}

static int window_add(struct device_node *node)
{
	struct avisor_window *window = kzalloc(sizeof(*window), GFP_KERNEL);
	int error;

	if (!window)
		return -ENOMEM;
	spin_lock_init(&window->lock);
	init_waitqueue_head(&window->waiting);
	error = window_read(window, node);
	if (!error) {
		window->irq = irq_of_parse_and_map(node, 0);
		if (window->irq) /* the VM may have an older life's flags on */
			bell_call(window, AV_HVC_DOORBELL_MASK, 0, 0);
		if (window->irq)
			error = request_irq(window->irq, on_bell, 0, "avisor", window);
	}
	if (error) {
		pr_warn("avisor: region %pOF is left out: error %d\n", node, error);
		kfree(window);
		return error;
	}
	list_add_tail(&window->link, &windows);
	return 0;
}

int avisor_windows_find(void)
{
	struct device_node *node;

	find_vcpus();
	for_each_compatible_node(node, NULL, "avisor,shared-memory")
	{
		if (window_add(node) == -ENOMEM) {
			of_node_put(node);
			return -ENOMEM;
		}
	}
	return 0;
}

void avisor_windows_free(void)
{
	struct avisor_window *window, *next;

	list_for_each_entry_safe(window, next, &windows, link)
	{
		if (window->irq) {
			bell_call(window, AV_HVC_DOORBELL_MASK, 0, 0);
			free_irq(window->irq, window);
			irq_dispose_mapping(window->irq);
		}
		list_del(&window->link);
		kfree(window);
	}
}
