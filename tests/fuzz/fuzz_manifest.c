/* SPDX-License-Identifier: MIT */
/*
 * fuzz_manifest.c - any bytes as a manifest, or a good one with changes, the checksum made right: accepted as valid
 * or refused by name.
 */
#include "../unit/manifest_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct av_manifest *manifest, uint64_t size)
{
	struct manifest_view view;
	const char *wrong = manifest_check(manifest, size, &view);

	if (wrong && !*wrong)
		abort();
	if (!wrong) {
		rig_walk(&view);
		manifest_check_frames(&view, 9999);
	}
}

/* A good manifest with changes {offset, value} written over it. */
static void check_changed(const uint8_t *data, size_t size)
{
	struct rig rig;

	rig_make(&rig);
	for (; size >= 10; data += 10, size -= 10) {
		uint16_t offset;

		memcpy(&offset, data, 2);
		offset = (uint16_t)(offset % (sizeof(rig) / 4) * 4);
		memcpy((uint8_t *)&rig + offset, data + 2, offset + 8U <= sizeof(rig) ? 8 : 4);
	}
	rig.head.magic = AV_MANIFEST_MAGIC;
	rig_sign(&rig);
	check(&rig.head, sizeof(rig));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct av_manifest *manifest;

	if (size && data[size - 1] & 1) {
		check_changed(data, size - 1);
		return 0;
	}
	manifest = malloc(size ? size : 1);
	if (!manifest)
		return 0;
	memcpy(manifest, data, size);
	if (size >= sizeof(*manifest) && manifest->manifest_size <= size &&
	    manifest->manifest_size >= sizeof(*manifest)) {
		/* Get past what a fuzzer cannot guess. */
		manifest->magic = AV_MANIFEST_MAGIC;
		manifest->checksum = 0;
		manifest->checksum =
			av_checksum(manifest, manifest->manifest_size, AV_CHECKSUM_INIT);
	}
	check(manifest, size);
	free(manifest);
	return 0;
}
