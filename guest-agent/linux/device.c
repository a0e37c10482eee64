/* SPDX-License-Identifier: MIT */
/* device.c - the agent's hypercalls, through avisor.ko. Must work, refusing, where the module is not loaded. */
#include "linux/agent.h"

#include <fcntl.h>
#include <string.h>

#include <avisor/linux.h>

struct service_result device_hypercall(void *context, uint32_t number, const uint64_t args[6])
{
	static int fd = -1;
	struct avisor_call call = {.number = number};

	(void)context;
	if (fd < 0)
		fd = open("/dev/avisor", O_RDWR | O_CLOEXEC);
	memcpy(call.argument, args, sizeof(call.argument));
	if (fd < 0 || ioctl(fd, AVISOR_CALL, &call) < 0)
		return (struct service_result){AV_E_NOT_SUPPORTED, {0}};
	return (struct service_result){call.status, {call.value[0], call.value[1], call.value[2]}};
}
