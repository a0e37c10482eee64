# SPDX-License-Identifier: MIT
# The devices a guest sees.
DEV_VGIC := hypervisor/dev/vgic_model.c hypervisor/dev/vgic_lr.c hypervisor/dev/vgic_mmio.c hypervisor/dev/vgic_state.c

UNITS += vgic
UNIT_vgic_SRC := tests/unit/test_vgic.c $(DEV_VGIC)

DEV_VCONSOLE := hypervisor/dev/vconsole.c hypervisor/dev/virtio_mmio.c hypervisor/dev/virtqueue.c

UNITS += vconsole
UNIT_vconsole_SRC := tests/unit/test_vconsole.c $(DEV_VCONSOLE)
