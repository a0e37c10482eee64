#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# fetch.sh DIR [FLAVOUR] - puts Debian's own arm64 kernel (generic, or its flavour cloud or rt) and a busybox initramfs
# into DIR: vmlinuz, base.initrd, and in kernel.deb which package the kernel is of.
# From packages alone: packages.sh says how and where they are kept.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/packages.sh"
packages_begin "${1:?usage: fetch.sh DIR [FLAVOUR]}"
flavour=${2:+$2-}arm64
wanted="linux-image-[0-9]*[0-9]-$flavour" # 6.1.0-56-arm64 is no 6.1.0-56-cloud-arm64

download() {
	local kernel
	packages_update "Debian's $flavour kernel"
	kernel=$(private_apt apt-cache depends --important "linux-image-$flavour" 2>/dev/null |
		sed -n "s/^ *Depends: \\(linux-image-[0-9].*-$flavour\\)\$/\\1/p" | head -n 1)
	[ -n "$kernel" ] || fail "these apt sources offer no linux-image-$flavour (is this machine a Debian?)"
	packages_get "$kernel" busybox-static
}

kernel_deb=$(cached "$wanted")
busybox_deb=$(cached busybox-static)
if [ -z "$kernel_deb" ] || [ -z "$busybox_deb" ]; then
	download
	kernel_deb=$(cached "$wanted")
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
basename "$kernel_deb" >"$dir/kernel.deb"
mv "$work/initrd" "$dir/base.initrd"
echo "linux-guest: $(basename "$kernel_deb" | cut -d_ -f1) and its initramfs are in $dir"
