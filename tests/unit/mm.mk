# SPDX-License-Identifier: MIT
MM_UNIT_SRC := $(wildcard hypervisor/mm/*.c hypervisor/core/snapshot*.c hypervisor/arch/fake/*.c) tests/unit/vm_rig.c

UNITS += snapshot_oracle
UNIT_snapshot_oracle_SRC := tests/unit/test_snapshot_oracle.c $(MM_UNIT_SRC)
