# SPDX-License-Identifier: MIT
# Debian's own arm64 kernel with a busybox initramfs, a guest that nobody here wrote: $(B)/linux/vmlinuz and initrd.

.PHONY: linux-guest
linux-guest: $(B)/linux/initrd $(B)/linux/boot-init

# What `make bench` boots Linux to.
$(B)/linux/boot-init: tests/linux/boot-init.S
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CROSS)gcc -nostdlib -static -Wl,--build-id=none -o $@ $<

$(B)/linux/initrd: tests/linux/fetch.sh tests/linux/init
	$(Q)bash tests/linux/fetch.sh $(@D)
