# SPDX-License-Identifier: MIT
# guest-agent/shared: what lives in memory that VMs share. The _races ones are the same tests under TSan.
SHARED_SRC := guest-agent/shared/shared.c guest-agent/shared/lock.c
TSAN_CFLAGS := -fno-sanitize=all -fsanitize=thread

UNITS += shared_lock
UNIT_shared_lock_SRC := tests/unit/test_shared_lock.c $(SHARED_SRC)

UNITS += shared_lock_races
UNIT_shared_lock_races_SRC := $(UNIT_shared_lock_SRC)
UNIT_shared_lock_races_CFLAGS := $(TSAN_CFLAGS)
