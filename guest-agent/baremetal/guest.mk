# SPDX-License-Identifier: MIT
# guest.mk - how guest images are built; included by the Makefile at the top, which sets B.
#   $(B)/guests/NAME.elf from tests/guests/NAME.c and tests/guests/NAME/*.c, $(B)/control.elf from guest-agent/baremetal/control.c

GUEST_CC ?= $(or $(CROSS),aarch64-linux-gnu-)gcc
GUEST_WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wundef -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Werror
GUEST_CFLAGS := -std=gnu17 -O2 -g -ffreestanding -mgeneral-regs-only -mno-outline-atomics -fno-pic \
	-fno-stack-protector -fno-tree-loop-distribute-patterns -fno-asynchronous-unwind-tables \
	-march=armv8-a -MMD -MP $(GUEST_WARNINGS) -Iabi -Iguest-agent $(if $(VERSION),-DAV_VERSION='"$(VERSION)"')
GUEST_LDS := guest-agent/baremetal/guest.lds
GUEST_LDFLAGS := -nostdlib -static -no-pie -Wl,-T,$(GUEST_LDS) -Wl,--build-id=none \
	-Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments -Wl,--gc-sections
GUEST_LIB_SRC := $(filter-out guest-agent/baremetal/control.c,$(wildcard guest-agent/baremetal/*.c)) \
	guest-agent/baremetal/start.S $(wildcard guest-agent/core/*.c guest-agent/shared/*.c)
GUEST_LIB_OBJ := $(patsubst %,$(B)/guest-obj/%.o,$(GUEST_LIB_SRC))
GUEST_NAMES := $(patsubst tests/guests/%.c,%,$(wildcard tests/guests/*.c))
GUEST_PART_OBJ := $(patsubst %,$(B)/guest-obj/%.o,$(wildcard tests/guests/*/*.c))
GUEST_ELFS := $(patsubst %,$(B)/guests/%.elf,$(GUEST_NAMES))

$(B)/guest-obj/%.c.o: %.c
	@mkdir -p $(@D)
	@echo '  CC $<'
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) -ffunction-sections -fdata-sections -c $< -o $@

$(B)/guest-obj/%.S.o: %.S
	@mkdir -p $(@D)
	@echo '  AS $<'
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) -c $< -o $@

$(B)/guests/%.elf: $(B)/guest-obj/tests/guests/%.c.o $(GUEST_LIB_OBJ) $(GUEST_LDS)
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)$(GUEST_CC) $(GUEST_LDFLAGS) $(filter %.o,$^) -o $@

$(foreach name,$(GUEST_NAMES),$(eval $(B)/guests/$(name).elf: \
	$(filter $(B)/guest-obj/tests/guests/$(name)/%,$(GUEST_PART_OBJ))))

# What clang makes of a driver's loops: post-index stores to devices.
$(B)/guest-obj/tests/guests/clang.c.o: GUEST_CC := clang --target=aarch64-linux-gnu
$(B)/guest-obj/tests/guests/clang.c.o: GUEST_CFLAGS := $(filter-out -fno-tree-loop-distribute-patterns,$(GUEST_CFLAGS))

$(B)/control.elf: $(B)/guest-obj/guest-agent/baremetal/control.c.o $(GUEST_LIB_OBJ) $(GUEST_LDS)
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)$(GUEST_CC) $(GUEST_LDFLAGS) $(filter %.o,$^) -o $@

guests: $(GUEST_ELFS) $(B)/control.elf
.PHONY: guests
.SECONDARY: $(GUEST_LIB_OBJ) $(GUEST_PART_OBJ) $(patsubst %,$(B)/guest-obj/tests/guests/%.c.o,$(GUEST_NAMES))
-include $(GUEST_LIB_OBJ:.o=.d) $(GUEST_PART_OBJ:.o=.d) $(patsubst %,$(B)/guest-obj/tests/guests/%.c.d,$(GUEST_NAMES)) \
	$(B)/guest-obj/guest-agent/baremetal/control.c.d
