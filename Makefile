# SPDX-License-Identifier: MIT
# Avisor: EL2 image, guests, avctl and their tests. `make demo` and `make check` are the whole set-up.

B ?= build
CROSS ?= aarch64-linux-gnu-
DEBUG ?= 1
VERSION := 0.1.0
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@echo '  $(1)' $(2))

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wundef -Wstrict-prototypes -Wmissing-prototypes \
	    -Wvla -Werror

.PHONY: all release hypervisor guests avctl unit units demo demo-linux check bench soak deps install fmt clean
.DEFAULT_GOAL := all
all: hypervisor guests avctl

# ---- packages -------------------------------------------------------------------------------

include tests/deps.mk

# ---- the EL2 image --------------------------------------------------------------------------

HYP_SRC := $(sort $(shell find hypervisor/core hypervisor/mm hypervisor/dev hypervisor/drivers \
	     hypervisor/platform hypervisor/arch/aarch64 -name '*.[cS]'))
HYP_OBJ := $(patsubst %,$(B)/obj/%.o,$(HYP_SRC))
HYP_CFLAGS := -std=gnu17 -O2 -g $(WARNINGS) -ffreestanding -mgeneral-regs-only \
	      -mno-outline-atomics -fno-pic -fno-pie -fno-stack-protector \
	      -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-common -fno-align-functions \
	      -fno-align-loops -fno-align-jumps -fno-align-labels \
	      -march=armv8-a -flto=2 -Ihypervisor -Iabi -Ihypervisor/arch/aarch64/include \
	      -DAV_VERSION='"$(VERSION)"' -DAV_DEBUG=$(DEBUG)
HYP_LDS := hypervisor/platform/qemu-virt/hypervisor.lds

hypervisor: $(B)/hypervisor.elf

$(B)/obj/hypervisor/%.o: hypervisor/% Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CROSS)gcc $(HYP_CFLAGS) -MMD -MP -c -o $@ $<

# What runs before the MMU is on may not rely on unaligned accesses.
$(addprefix $(B)/obj/hypervisor/,core/main.c.o core/manifest.c.o core/format.c.o core/log.c.o \
	drivers/pl011.c.o arch/aarch64/features.c.o arch/aarch64/mmu.c.o core/string.c.o): \
	HYP_CFLAGS += -mstrict-align
# What runs at boot, once in a while or for the control VM only is to be small.
$(addprefix $(B)/obj/hypervisor/,$(addsuffix .c.o,core/manifest core/main core/log core/format core/bug core/random \
	core/calls_differ core/debug core/sysreg_trap core/calls_vm core/calls_clone core/clone core/snapshot_clone core/snapshot_info \
	core/set core/set_operation core/calls_set core/calls_import core/pmu mm/import \
	core/region_get core/region core/flash core/ports core/psci core/watchdog core/clock mm/audit mm/differ mm/attach mm/keep \
	core/calls_snapshot core/calls_region core/region_state \
	dev/vflash dev/vpl031 dev/vconsole dev/virtio_mmio dev/virtqueue dev/vgic_state \
	drivers/virtio_serial drivers/virtio_serial_control drivers/virtio_queue drivers/gicv3 \
	arch/aarch64/features arch/aarch64/mmu)): HYP_CFLAGS += -Os
# Here small functions are worth inlining only when they are very small: hundreds of bytes each, for a few instructions a take.
$(addprefix $(B)/obj/hypervisor/,$(addsuffix .c.o,core/devices \
	dev/vpl011)): HYP_CFLAGS += --param=max-inline-insns-auto=8
# memset() must not become a call of itself; the compiler calls it and memcpy() when nobody else does.
$(B)/obj/hypervisor/core/string.c.o: HYP_CFLAGS += -fno-tree-loop-distribute-patterns -fno-lto

$(B)/hypervisor.elf: $(HYP_OBJ) $(HYP_LDS)
	$(call say,LD,$@)
	$(Q)$(CROSS)gcc $(HYP_CFLAGS) -Wno-lto-type-mismatch -flto-partition=one -nostdlib -static -no-pie \
		-Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -T $(HYP_LDS) -o $@ $(HYP_OBJ)

-include $(HYP_OBJ:.o=.d)

# The two images without debug checks and test hooks: what `make demo` and `make bench` run.
release: guests
	$(Q)$(MAKE) --no-print-directory DEBUG=0 B=$(B)/release hypervisor
	$(Q)cp -u $(B)/control.elf $(B)/release/

# ---- guests and the control VM --------------------------------------------------------------

-include guest-agent/baremetal/guest.mk

-include tests/linux/linux.mk

# ---- avctl ----------------------------------------------------------------------------------

AVCTL_SRC := $(sort $(shell find avctl guest-agent/core -name '*.c')) hypervisor/core/manifest.c
AVCTL_OBJ := $(patsubst %.c,$(B)/host/%.o,$(AVCTL_SRC))
AVCTL_CFLAGS := -std=gnu17 -O2 -g $(WARNINGS) -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 -fPIE \
		-fstack-protector-strong -Iabi -Iavctl -Iguest-agent -Ihypervisor \
		-DAV_VERSION='"$(VERSION)"'
# Linked in, as far as there are archives: loading them takes longer than a take of a snapshot.
AVCTL_LIBS := -Wl,-Bstatic -lcyaml -lyaml -lpanelw -lncursesw -ltinfo -lfdt -ljansson -lz -lzstd -lxxhash \
	      -Wl,-Bdynamic -lsmartcols

avctl: $(B)/avctl

$(B)/host/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)gcc $(AVCTL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/avctl: $(AVCTL_OBJ)
	$(call say,LD,$@)
	$(Q)gcc -pie -Wl,-z,relro,-z,now -o $@ $(AVCTL_OBJ) $(AVCTL_LIBS)

-include $(AVCTL_OBJ:.o=.d)

# ---- host tests -----------------------------------------------------------------------------

UNITS :=
-include $(wildcard tests/unit/*.mk)
UNIT_CFLAGS := -std=gnu17 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	       $(WARNINGS) -D_GNU_SOURCE -Iabi -Ihypervisor -Ihypervisor/arch/fake/include \
	       -Iavctl -Iguest-agent -Itests/unit -DAV_VERSION='"$(VERSION)"' -DAV_DEBUG=1

define UNIT_RULE
$(B)/unit/$(1): $$(UNIT_$(1)_SRC) $$(wildcard hypervisor/*/*.h abi/avisor/* avctl/*/*.h \
		guest-agent/*/*.h hypervisor/arch/fake/include/arch/*.h tests/unit/*.h)
	@mkdir -p $$(@D)
	$$(call say,UNIT,$(1))
	$(Q)gcc $$(UNIT_CFLAGS) $$(UNIT_$(1)_CFLAGS) -o $$@ $$(filter %.c,$$(UNIT_$(1)_SRC)) \
		$$(UNIT_$(1)_LIBS) -lcmocka
.PHONY: unit-$(1)
unit-$(1): $(B)/unit/$(1)
	$(Q)$(B)/unit/$(1) $$(UNIT_$(1)_ARGS)
endef
$(foreach u,$(UNITS),$(eval $(call UNIT_RULE,$(u))))

unit: $(addprefix unit-,$(UNITS))

units: $(addprefix $(B)/unit/,$(UNITS))

# ---- the whole run --------------------------------------------------------------------------
# `make check` on a bare machine installs what is missing first; then make starts anew, so that
# everything is built with the packages there.

SYSTEM := $(sort $(wildcard tests/system/*.bats))

check: deps
	$(Q)$(MAKE) --no-print-directory -j2 all release units mkbundle linux-guest linux-flavours
	$(Q)UNIT_ARGS= bash tests/check.sh $(B) tests/style.sh tests/models.sh $(UNITS) $(SYSTEM)

soak: deps
	$(Q)$(MAKE) --no-print-directory -j2 all release units mkbundle linux-guest linux-flavours
	$(Q)SOAK=1 SUITE_TIMEOUT=7200 UNIT_ARGS= bash tests/check.sh $(B) tests/models.sh $(UNITS) $(SYSTEM)

demo: deps
	$(Q)$(MAKE) --no-print-directory -j2 all release
	$(Q)AVCTL_LIBDIR=$(B)/release bash configs/demo.sh $(B)

demo-linux: deps
	$(Q)$(MAKE) --no-print-directory -j2 all release linux-guest
	$(Q)AVCTL_LIBDIR=$(B)/release bash configs/demo-linux.sh $(B)

bench: deps
	$(Q)$(MAKE) --no-print-directory -j2 all linux-guest release
	$(Q)bash tests/bench/bench.sh $(B)

fmt:
	clang-format -i $$(git ls-files '*.c' '*.h')

PREFIX ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/avisor \
		$(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 755 $(B)/avctl $(DESTDIR)$(PREFIX)/bin/avctl
	install -m 644 $(B)/hypervisor.elf $(B)/control.elf $(DESTDIR)$(PREFIX)/lib/avisor/
	$(B)/avctl man >$(DESTDIR)$(PREFIX)/share/man/man1/avctl.1
	$(B)/avctl completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/avctl

clean:
	rm -rf $(B)
