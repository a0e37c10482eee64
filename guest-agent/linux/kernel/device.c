// SPDX-License-Identifier: GPL-2.0
/*
 * device.c - avisor.ko: /dev/avisor, for root.
 * Checks what comes from user space and hands it on; knows no call and no region itself.
 */
#include <linux/capability.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "avisor.h"

static int device_open(struct inode *inode, struct file *filp)
{
	struct avisor_file *file;

	if (!capable(CAP_SYS_ADMIN)) /* whatever the node's mode has been changed to */
		return -EPERM;
	file = kzalloc(sizeof(*file), GFP_KERNEL);
	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	filp->private_data = file;
	return 0;
}

static int device_release(struct inode *inode, struct file *filp)
{
	kfree(filp->private_data);
	return 0;
}

/* The three kinds of argument, in one buffer: in, done, out. */
static long device_ioctl(struct file *filp, unsigned int command, unsigned long address)
{
	struct avisor_file *file = filp->private_data;
	void __user *user = (void __user *)address;
	union {
		struct avisor_call call;
		struct avisor_region region;
		struct avisor_bell bell;
	} argument;
	int error;

	switch (command) {
	case AVISOR_CALL:
	case AVISOR_REGION:
	case AVISOR_BELL_RING:
	case AVISOR_BELL_TAKE:
	case AVISOR_BELL_WANT:
		break;
	default:
		return -ENOTTY;
	}
	if (copy_from_user(&argument, user, _IOC_SIZE(command)))
		return -EFAULT;
	if (command == AVISOR_CALL)
		error = avisor_call(&argument.call);
	else if (command == AVISOR_REGION)
		error = avisor_bind(file, &argument.region);
	else
		error = avisor_bell(file, command, &argument.bell);
	if (!error && copy_to_user(user, &argument, _IOC_SIZE(command)))
		error = -EFAULT;
	return error;
}

static int device_mmap(struct file *filp, struct vm_area_struct *vma)
{
	return avisor_map(filp->private_data, vma);
}

static __poll_t device_poll(struct file *filp, poll_table *table)
{
	return avisor_poll(filp->private_data, filp, table);
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.mmap = device_mmap,
	.poll = device_poll,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "avisor",
	.fops = &operations,
	.mode = 0600,
};

static int __init avisor_init(void)
{
	int error = avisor_present();

	if (error)
		return error;
	error = avisor_windows_find();
	if (!error)
		error = misc_register(&device);
	if (error)
		avisor_windows_free();
	return error;
}

static void __exit avisor_exit(void)
{
	misc_deregister(&device);
	avisor_windows_free();
}

module_init(avisor_init);
module_exit(avisor_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Avisor's hypercalls, shared regions and doorbells");
