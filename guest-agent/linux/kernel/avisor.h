/* SPDX-License-Identifier: GPL-2.0 */
/* avisor.h - inside avisor.ko: the parts of it. Returns are 0 or -errno. */
#pragma once

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <avisor/linux.h>
#include <avisor/region.h>

struct avisor_result {
	s64 status;
	u64 value[3];
};

/* A region of the device tree, there as long as the module is. */
struct avisor_window {
	struct list_head link;
	const char *name; /* of the device tree */
	phys_addr_t base, state;
	u64 size, common_size, output_size;
	u32 number, member;
	bool writable;
	int irq; /* 0: none */

	spinlock_t lock; /* of `enabled`, and of the order of STATUS and MASK */
	u64 enabled;     /* flags that raise the SPI now */
	wait_queue_head_t waiting;
};

struct avisor_file {
	struct mutex lock;
	struct avisor_window *window; /* NULL until AVISOR_REGION; set once */
	u64 want;
};

/* call.c */
int avisor_present(void);
struct avisor_result avisor_hvc(u32 number, const u64 argument[6]);
int avisor_call(struct avisor_call *call);

/* region.c */
int avisor_windows_find(void);
void avisor_windows_free(void);
int avisor_bind(struct avisor_file *file, struct avisor_region *region);
int avisor_bell(struct avisor_file *file, unsigned int command, struct avisor_bell *bell);
int avisor_map(struct avisor_file *file, struct vm_area_struct *vma);
__poll_t avisor_poll(struct avisor_file *file, struct file *filp, poll_table *table);
