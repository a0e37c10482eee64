#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# pack.sh FOLDER FILE - the folder as an initramfs archive, the same bytes for the same contents.
set -euo pipefail
umask 022
file=$(realpath "$2")
cd "$1"
find . -exec touch -h -d @0 {} +
find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 | gzip -n -6 >"$file.new"
mv "$file.new" "$file"
