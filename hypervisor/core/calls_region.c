/* SPDX-License-Identifier: MIT */
/* calls_region.c - the region and doorbell calls of hypercalls.def. */
#include "core/hypercall.h"

int call_REGION_GET(struct call *call)
{
	(void)call;
	return AV_E_NOT_SUPPORTED;
}

int call_REGION_DETACH(struct call *call)
{
	(void)call;
	return AV_E_NOT_SUPPORTED;
}

int call_DOORBELL_RING(struct call *call)
{
	(void)call;
	return AV_E_NOT_SUPPORTED;
}

int call_DOORBELL_STATUS(struct call *call)
{
	(void)call;
	return AV_E_NOT_SUPPORTED;
}

int call_DOORBELL_MASK(struct call *call)
{
	(void)call;
	return AV_E_NOT_SUPPORTED;
}

int call_DOORBELL_WAIT(struct call *call)
{
	(void)call;
	return AV_E_NOT_SUPPORTED;
}
