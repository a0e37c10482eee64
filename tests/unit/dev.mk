# SPDX-License-Identifier: MIT
# The devices a guest sees.
DEV_VGIC := hypervisor/dev/vgic_model.c hypervisor/dev/vgic_lr.c hypervisor/dev/vgic_mmio.c hypervisor/dev/vgic_state.c
DEV_VCONSOLE := hypervisor/dev/vconsole.c hypervisor/dev/virtio_mmio.c hypervisor/dev/virtqueue.c

UNITS += vpl031 vflash vgic vgic_lr vgic_mmio vgic_random vpl011 vconsole virtqueue_fuzz
UNIT_vgic_SRC := tests/unit/test_vgic.c $(DEV_VGIC)
UNIT_vgic_lr_SRC := tests/unit/test_vgic_lr.c $(DEV_VGIC)
UNIT_vgic_mmio_SRC := tests/unit/test_vgic_mmio.c $(DEV_VGIC)
UNIT_vgic_random_SRC := tests/unit/test_vgic_random.c $(DEV_VGIC)
UNIT_vflash_SRC := tests/unit/test_vflash.c hypervisor/dev/vflash.c
UNIT_vpl031_SRC := tests/unit/test_vpl031.c hypervisor/dev/vpl031.c
UNIT_vpl011_SRC := tests/unit/test_vpl011.c hypervisor/dev/vpl011.c
UNIT_vconsole_SRC := tests/unit/test_vconsole.c $(DEV_VCONSOLE)
UNIT_virtqueue_fuzz_SRC := tests/unit/test_virtqueue_fuzz.c $(DEV_VCONSOLE)
