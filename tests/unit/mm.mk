# SPDX-License-Identifier: MIT
MM_UNIT_SRC := $(wildcard hypervisor/mm/*.c hypervisor/core/snapshot*.c hypervisor/arch/fake/*.c) tests/unit/vm_rig.c tests/unit/vm_rig_clone.c

UNITS += snapshot_oracle
UNIT_snapshot_oracle_SRC := tests/unit/test_snapshot_oracle.c $(MM_UNIT_SRC)

UNITS += stage2
UNIT_stage2_SRC := tests/unit/test_stage2.c $(MM_UNIT_SRC)

UNITS += image
UNIT_image_SRC := tests/unit/test_image.c $(MM_UNIT_SRC)

UNITS += frame
UNIT_frame_SRC := tests/unit/test_frame.c hypervisor/mm/frame.c hypervisor/arch/fake/fake.c

UNITS += snapshot
UNIT_snapshot_SRC := tests/unit/test_snapshot.c $(MM_UNIT_SRC)

UNITS += audit
UNIT_audit_SRC := tests/unit/test_audit.c $(MM_UNIT_SRC)

UNITS += attach
UNIT_attach_SRC := tests/unit/test_attach.c $(MM_UNIT_SRC)

UNITS += differ
UNIT_differ_SRC := tests/unit/test_differ.c $(MM_UNIT_SRC)

UNITS += clone
UNIT_clone_SRC := tests/unit/test_clone.c $(MM_UNIT_SRC)

UNITS += keep
UNIT_keep_SRC := tests/unit/test_keep.c $(MM_UNIT_SRC)

UNITS += budget
UNIT_budget_SRC := tests/unit/test_budget.c $(MM_UNIT_SRC)

UNITS += import
UNIT_import_SRC := tests/unit/test_import.c $(MM_UNIT_SRC)
