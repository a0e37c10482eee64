# SPDX-License-Identifier: MIT
# Debian's own arm64 kernel, a guest that nobody here wrote, with a busybox initramfs, avisor.ko and avisor-agentd:
# $(B)/linux/vmlinuz and initrd.

LINUX := $(abspath $(B))/linux

.PHONY: linux-guest linux-flavours
linux-guest: $(B)/linux/initrd $(B)/linux/test.initrd $(B)/linux/boot-init

# Debian's other kernels for arm64, to a shell: $(B)/linux/cloud, $(B)/linux/rt.
linux-flavours: $(B)/linux/cloud/base.initrd $(B)/linux/rt/base.initrd

$(B)/linux/%/base.initrd: tests/linux/fetch.sh tests/linux/packages.sh tests/linux/init
	$(Q)bash tests/linux/fetch.sh $(@D) $*

# What `make bench` boots Linux to.
$(B)/linux/boot-init: tests/linux/boot-init.S
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CROSS)gcc -nostdlib -static -Wl,--build-id=none -o $@ $<

$(B)/linux/base.initrd: tests/linux/fetch.sh tests/linux/packages.sh tests/linux/init
	$(Q)bash tests/linux/fetch.sh $(@D)

$(B)/linux/headers/ready: tests/linux/headers.sh $(B)/linux/base.initrd
	$(Q)bash tests/linux/headers.sh $(B)/linux

# The module for that very kernel, unsigned. The kernel's build system writes beside the sources: they are copied.
KO_SRC := $(wildcard guest-agent/linux/kernel/* guest-agent/linux/kernel/include/* abi/avisor/*)
$(B)/linux/avisor.ko: $(KO_SRC) $(B)/linux/headers/ready
	$(call say,KO,$@)
	$(Q)rm -rf $(LINUX)/module && mkdir -p $(LINUX)/module/abi
	$(Q)cp -r guest-agent/linux/kernel/. $(LINUX)/module/ && cp -r abi/avisor $(LINUX)/module/abi/
	$(Q)$(MAKE) --no-print-directory -C $(LINUX)/headers/build M=$(LINUX)/module ARCH=arm64 \
		CROSS_COMPILE=$(CROSS) W=1 KCFLAGS=-Werror modules >$(LINUX)/module.log 2>&1 || { cat $(LINUX)/module.log >&2; exit 1; }
	$(Q)$(CROSS)strip --strip-debug -o $@ $(LINUX)/module/avisor.ko

LINUX_CFLAGS := -std=gnu17 -O2 -g $(WARNINGS) -D_GNU_SOURCE -static -Iabi -Iguest-agent -DAV_VERSION='"$(VERSION)"'
AGENTD_SRC := $(wildcard guest-agent/linux/*.c guest-agent/core/*.c)
$(B)/linux/avisor-agentd: $(AGENTD_SRC) $(wildcard guest-agent/*/*.h abi/avisor/*)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CROSS)gcc $(LINUX_CFLAGS) -s -o $@ $(AGENTD_SRC)

# An initramfs is one archive after the other.
$(B)/linux/initrd: $(B)/linux/base.initrd $(B)/linux/avisor.ko $(B)/linux/avisor-agentd
	$(call say,CPIO,$@)
	$(Q)rm -rf $(LINUX)/agent && mkdir -p $(LINUX)/agent/modules $(LINUX)/agent/bin $(LINUX)/agent/etc/avisor/hooks.d
	$(Q)cp $(LINUX)/avisor.ko $(LINUX)/agent/modules/ && cp $(LINUX)/avisor-agentd $(LINUX)/agent/bin/
	$(Q)bash tests/linux/pack.sh $(LINUX)/agent $(LINUX)/agent.initrd
	$(Q)cat $(LINUX)/base.initrd $(LINUX)/agent.initrd >$@.new && mv $@.new $@

# The same with what tests need: a program, ext4 and loop devices, e2fsck, an empty file system.
GUEST_TEST_SRC := $(wildcard tests/linux/guest-*.c guest-agent/linux/share/*.c guest-agent/shared/*.c)
$(B)/linux/guest-test: $(GUEST_TEST_SRC) $(wildcard abi/avisor/* guest-agent/*/*.h guest-agent/linux/share/*.h) tests/guests/exchange.h \
		tests/linux/guest-test.h
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CROSS)gcc $(LINUX_CFLAGS) -s -o $@ $(GUEST_TEST_SRC)

$(B)/linux/test.initrd: $(B)/linux/initrd $(B)/linux/guest-test
	$(call say,CPIO,$@)
	$(Q)rm -rf $(LINUX)/test && mkdir -p $(LINUX)/test/modules $(LINUX)/test/bin $(LINUX)/test/disk
	$(Q)cp $(LINUX)/extra/*.ko $(LINUX)/test/modules/ && cp $(LINUX)/extra/e2fsck $(LINUX)/guest-test $(LINUX)/test/bin/
	$(Q)/sbin/mke2fs -q -t ext4 -U clear -E hash_seed=00000000-0000-0000-0000-000000000001 $(LINUX)/test/disk/empty.img 16M >/dev/null
	$(Q)bash tests/linux/pack.sh $(LINUX)/test $(LINUX)/test.part
	$(Q)cat $(LINUX)/initrd $(LINUX)/test.part >$@.new && mv $@.new $@
