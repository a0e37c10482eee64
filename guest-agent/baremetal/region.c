/* SPDX-License-Identifier: MIT */
/* region.c - finding and getting shared regions, and their doorbells. Never touches a region's contents. */
#include "baremetal/region.h"

static void fill(struct region *region, const struct av_region_info *info)
{
	*region = (struct region){
		.base = (uint8_t *)info->ipa,
		.size = info->size,
		.number = info->index,
		.member = info->own_number,
		.intid = info->intid,
		.common_size = info->common_size,
		.output_size = info->output_size,
		.state = (const volatile struct av_region_state *)info->state_ipa,
	};
}

int64_t region_get(struct region *region, uint64_t key, uint64_t size, uint64_t flags)
{
	struct hvc_result got = hvc_REGION_GET(key, size, flags);
	struct av_region_info info;
	int64_t status = got.status;

	if (status == AV_OK)
		status = hvc_REGION_INFO(got.value[1], (uint64_t)&info, sizeof(info)).status;
	if (status == AV_OK)
		fill(region, &info);
	return status;
}

int64_t region_open(struct region *region, const char *name)
{
	struct av_region_info info;

	for (uint64_t number = 0; number < AV_REGION_NUMBERS; number++) {
		if (hvc_REGION_INFO(number, (uint64_t)&info, sizeof(info)).status != AV_OK ||
		    info.key || strcmp(info.name, name) != 0)
			continue;
		fill(region, &info);
		return AV_OK;
	}
	return AV_E_NOT_FOUND;
}

int64_t region_detach(struct region *region)
{
	return hvc_REGION_DETACH(region->number).status;
}

int64_t doorbell_ring(const struct region *region, uint32_t member, uint64_t flags)
{
	__asm__ volatile("dmb ish" ::: "memory");
	return hvc_DOORBELL_RING(region->number, member, flags).status;
}

uint64_t doorbell_take(const struct region *region, uint64_t ack)
{
	struct hvc_result result = hvc_DOORBELL_STATUS(region->number, ack);

	__asm__ volatile("dmb ish" ::: "memory");
	return result.status == AV_OK ? result.value[0] : 0;
}

uint64_t doorbell_mask(const struct region *region, uint64_t enable, uint32_t vcpu)
{
	struct hvc_result result = hvc_DOORBELL_MASK(region->number, enable, vcpu);

	return result.status == AV_OK ? result.value[0] : 0;
}

uint64_t doorbell_call(const struct region *region, uint32_t member, uint64_t ring, uint64_t flags)
{
	uint64_t pending = 0;

	__asm__ volatile("dmb ish" ::: "memory");
	while (!(pending & flags)) {
		struct hvc_result result =
			hvc_DOORBELL_CALL(region->number, flags, AV_WAIT_FOREVER, member, ring);

		if (result.status != AV_OK)
			return 0;
		pending = result.value[0];
		ring = 0;
	}
	__asm__ volatile("dmb ish" ::: "memory");
	return pending & flags;
}

uint64_t doorbell_wait(const struct region *region, uint64_t flags, uint64_t deadline)
{
	struct hvc_result result = hvc_DOORBELL_WAIT(region->number, flags, deadline);

	__asm__ volatile("dmb ish" ::: "memory");
	return result.status == AV_OK ? result.value[0] : 0;
}
