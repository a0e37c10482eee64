# SPDX-License-Identifier: MIT
# What a Debian 12 machine needs; installed by `make deps` when something is missing.

DEBIAN_PACKAGES := gcc libc6-dev make gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-system-arm libcyaml-dev libyaml-dev \
	libncurses-dev libfdt-dev libjansson-dev libsmartcols-dev zlib1g-dev libzstd-dev libxxhash-dev libcmocka-dev clang \
	bats spin tmux socat cpio xz-utils e2fsprogs qemu-utils u-boot-qemu python3 git procps util-linux ca-certificates

# Installed one by one as dpkg knows them; nothing is asked when all are there.
deps:
	@missing=""; for p in $(DEBIAN_PACKAGES); do \
		dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update -q >/dev/null && \
		$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing >/dev/null || \
		{ echo "make deps: apt-get could not install:$$missing" >&2; exit 1; }; \
	fi
