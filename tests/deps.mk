# SPDX-License-Identifier: MIT
# What a Debian 12 machine needs; installed by `make deps` when something is missing.

DEBIAN_PACKAGES := gcc libc6-dev make gcc-aarch64-linux-gnu qemu-system-arm libcyaml-dev libyaml-dev \
	libncurses-dev libfdt-dev libjansson-dev libsmartcols-dev libcmocka-dev clang \
	bats tmux socat cpio qemu-utils python3 ca-certificates
