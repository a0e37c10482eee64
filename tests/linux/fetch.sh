#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# fetch.sh DIR - puts Debian's own arm64 kernel and a busybox initramfs into DIR: vmlinuz, initrd.
# Packages come from the machine's own apt sources, by apt itself (which checks their signatures), with its state in a
# private folder: the machine's architectures, lists and packages are never changed. Nothing needs root.
# Packages are kept in $AVISOR_CACHE, else ~/.cache/avisor where that folder is there, else in DIR, and used again.
set -euo pipefail
umask 022
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: fetch.sh DIR}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
cache=${AVISOR_CACHE:-}
[ -n "$cache" ] || { [ -d "${HOME:-/nonexistent}/.cache/avisor" ] && cache=$HOME/.cache/avisor; } || cache=$dir
mkdir -p "$cache/debs"

fail() {
	echo "linux-guest: $*" >&2
	exit 1
}

for tool in apt-get apt-cache dpkg dpkg-deb cpio gzip; do
	command -v "$tool" >/dev/null || fail "$tool is missing (a Debian machine with cpio is needed; try: make deps)"
done

work=$(mktemp -d "$dir/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# the newest package in the cache whose name begins with $1, if any
cached() {
	find "$cache/debs" -maxdepth 1 -name "$1_*_arm64.deb" | sort -V | tail -n 1
}

# apt with a state of its own, for arm64
private_apt() {
	local command=$1
	shift
	mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
	"$command" -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$work/apt" \
		-o Dir::State::Lists="$work/apt/lists" -o Dir::State::status=/dev/null \
		-o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

download() {
	local kernel
	echo "linux-guest: asking apt for Debian's arm64 kernel (only this project's folders are written)"
	private_apt apt-get update >"$work/apt.log" 2>&1 ||
		{ tail -n 5 "$work/apt.log" >&2; fail "apt-get update failed; no network, and nothing in $cache/debs?"; }
	kernel=$(private_apt apt-cache depends --important linux-image-arm64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*-arm64\)$/\1/p' | head -n 1)
	[ -n "$kernel" ] || fail "these apt sources offer no linux-image-arm64 (is this machine a Debian?)"
	mkdir "$work/get"
	(cd "$work/get" && private_apt apt-get download "$kernel" busybox-static) >>"$work/apt.log" 2>&1 ||
		{ tail -n 5 "$work/apt.log" >&2; fail "apt-get could not download $kernel and busybox-static"; }
	mv "$work"/get/*.deb "$cache/debs/"
}

kernel_deb=$(cached 'linux-image-[0-9]*-arm64')
busybox_deb=$(cached busybox-static)
if [ -z "$kernel_deb" ] || [ -z "$busybox_deb" ]; then
	download
	kernel_deb=$(cached 'linux-image-[0-9]*-arm64')
	busybox_deb=$(cached busybox-static)
fi

mkdir "$work/kernel" "$work/busybox"
dpkg-deb --fsys-tarfile "$kernel_deb" | tar -x -C "$work/kernel" --wildcards './boot/vmlinuz-*' \
	'*/drivers/virtio/*' '*/drivers/char/virtio_console.ko*' || fail "cannot unpack $kernel_deb (remove it and try again)"
dpkg-deb --fsys-tarfile "$busybox_deb" | tar -x -C "$work/busybox" --wildcards '*/bin/busybox' ||
	fail "cannot unpack $busybox_deb (remove it and try again)"

# The initramfs holds no device nodes: the kernel mounts nothing there but /init mounts devtmpfs, and opens its console itself.
root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,tmp,modules}
cp "$(find "$work/busybox" -name busybox -type f | head -n 1)" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
for module in virtio virtio_ring virtio_mmio virtio_console; do
	file=$(find "$work/kernel" -name "$module.ko*" | head -n 1)
	case $file in
	*.ko) cp "$file" "$root/modules/" ;;
	*.ko.xz) xz -dc "$file" >"$root/modules/$module.ko" ;;
	'') [ "$module" = virtio_mmio ] && fail "$kernel_deb has no $module" || true ;; # else built in
	*) fail "$(basename "$file"): unknown compression" ;;
	esac
done
install -m 755 "$here/init" "$root/init"
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) | gzip -n -6 >"$work/initrd"

cp "$(find "$work/kernel" -name 'vmlinuz-*' -type f | head -n 1)" "$work/vmlinuz"
[ "$(dd if="$work/vmlinuz" bs=1 skip=56 count=4 2>/dev/null)" = ARMd ] || fail "$kernel_deb: vmlinuz is no arm64 Image"
mv "$work/vmlinuz" "$dir/vmlinuz"
mv "$work/initrd" "$dir/initrd"
echo "linux-guest: $(basename "$kernel_deb" | cut -d_ -f1) and its initramfs are in $dir"
