# SPDX-License-Identifier: MIT
# Decoding of calls and of accesses.
UNITS += call_decode
UNIT_call_decode_SRC := tests/unit/test_call_decode.c hypervisor/core/call_decode.c
UNITS += access
UNIT_access_SRC := tests/unit/test_access.c hypervisor/core/access.c

# The state of a VM as a file brings it; registers' layouts are the target's.
UNITS += adopt
UNIT_adopt_SRC = tests/unit/test_adopt.c hypervisor/core/vm_state.c hypervisor/core/debug.c $(DEV_VGIC) $(DEV_VCONSOLE) hypervisor/dev/vpl011.c hypervisor/dev/vpl031.c
UNIT_adopt_CFLAGS := -idirafter hypervisor/arch/aarch64/include
