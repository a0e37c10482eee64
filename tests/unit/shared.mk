# SPDX-License-Identifier: MIT
# guest-agent/shared: what lives in memory that VMs share. The _races ones are the same tests under TSan.
SHARED_SRC := $(wildcard guest-agent/shared/*.c)
TSAN_CFLAGS := -fno-sanitize=all -fsanitize=thread
SHARED_UNITS := lock ring mailbox heap

define SHARED_UNIT
UNITS += shared_$(1) shared_$(1)_races
UNIT_shared_$(1)_SRC := tests/unit/test_shared_$(1).c $(SHARED_SRC)
UNIT_shared_$(1)_races_SRC := tests/unit/test_shared_$(1).c $(SHARED_SRC)
UNIT_shared_$(1)_races_CFLAGS := $(TSAN_CFLAGS)
endef
$(foreach u,$(SHARED_UNITS),$(eval $(call SHARED_UNIT,$(u))))

# Copies of stacks are what a sanitizer is there to object to.
UNITS += shared_travel
UNIT_shared_travel_SRC := tests/unit/test_shared_travel.c $(SHARED_SRC)
UNIT_shared_travel_CFLAGS := -fno-sanitize=all -DSHARED_STEP -U_FORTIFY_SOURCE
