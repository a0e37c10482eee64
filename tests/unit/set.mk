# SPDX-License-Identifier: MIT
# Snapshots of a whole set; set_rig/ stands in for what of the hypervisor runs on the target only.
UNITS += set
UNIT_set_SRC = tests/unit/test_set.c tests/unit/set_rig.c hypervisor/core/set.c hypervisor/core/set_operation.c $(MM_UNIT_SRC)
UNIT_set_CFLAGS := -iquote tests/unit/set_rig
