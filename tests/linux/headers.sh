#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# headers.sh DIR - puts what modules for the kernel in DIR (fetch.sh) are built with into DIR/headers, and modules of its package and
# programs that tests use into DIR/extra. headers/build is where `make -C` goes.
# The build system's own programs are those for this machine (linux-kbuild), all else is for arm64.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/packages.sh"
packages_begin "${1:?usage: headers.sh DIR}"

image=$(cat "$dir/kernel.deb")        # linux-image-6.1.0-56-arm64_6.1.192-2_arm64.deb
release=${image#linux-image-}
release=${release%%_*}                # 6.1.0-56-arm64
version=${image#*_}
version=${version%_*}                 # 6.1.192-2
common=linux-headers-${release%-arm64}-common
series=$(cut -d. -f1,2 <<<"$release") # 6.1
host=$(dpkg --print-architecture)

find_all() {
	headers_deb=$(cached "linux-headers-$release")
	common_deb=$(cached "$common" all)
	kbuild_deb=$(cached "linux-kbuild-$series" "$host")
	fsck_deb=$(cached e2fsck-static)
	[ -n "$headers_deb" ] && [ -n "$common_deb" ] && [ -n "$kbuild_deb" ] && [ -n "$fsck_deb" ]
}

if ! find_all; then
	packages_update "the headers of $release"
	packages_get "linux-headers-$release=$version" "$common=$version" "linux-kbuild-$series:$host" e2fsck-static
	find_all || fail "the headers of $release are not among what apt downloaded"
fi

rm -rf "$dir/headers" "$dir/extra"
mkdir "$work/headers" "$work/extra" "$work/fsck" "$work/kernel"
for deb in "$headers_deb" "$common_deb" "$kbuild_deb"; do
	dpkg-deb -x "$deb" "$work/headers" || fail "cannot unpack $deb (remove it and try again)"
done
# The only absolute path in there.
sed -i "s,^include /usr/src/,include $dir/headers/usr/src/," "$work/headers/usr/src/linux-headers-$release/Makefile"
rm -rf "$work/headers/lib"
ln -s "usr/src/linux-headers-$release" "$work/headers/build"

dpkg-deb --fsys-tarfile "$cache/debs/$image" | tar -x -C "$work/kernel" --wildcards '*/fs/ext4/*' '*/fs/jbd2/*' \
	'*/fs/mbcache.ko*' '*/drivers/block/loop.ko*' '*/lib/crc16.ko*' '*/crypto/crc32c_generic.ko*' \
	'*/lib/libcrc32c.ko*' || fail "$image has not all modules that the tests need (remove it and try again)"
find "$work/kernel" -name '*.ko.xz' -exec xz -d {} +
find "$work/kernel" -name '*.ko' -exec cp {} "$work/extra/" \;
dpkg-deb -x "$fsck_deb" "$work/fsck"
cp "$(find "$work/fsck" -name e2fsck.static -type f | head -n 1)" "$work/extra/e2fsck"
mv "$work/headers" "$work/extra" "$dir/"
touch "$dir/headers/ready"
