#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench.sh BUILD_DIR [OPTION...] - what Avisor costs: exact instruction counts, and wall clock beside QEMU's own snapshots.
# Prints a table and whether the targets are met, writes BUILD_DIR/bench.json. 1 when a target is missed, 2 when a
# measurement failed. Options are bench.py's.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "$1") || exit 2
shift
unset MAKEFLAGS MAKELEVEL MFLAGS AVCTL_SET AVCTL_LIBDIR AVCTL_QEMU AVCTL_QEMU_ARGS NO_COLOR

make -s -C "$here/../.." B="$build" mkbundle || exit 2
make -s -C "$here/../.." DEBUG=0 B="$build/release" hypervisor || exit 2

# One machine at a time on this host; the lock is not handed to what bench.py starts.
lock=${AVISOR_QEMU_LOCK:-/tmp/avisor-qemu.lock}
[ -e "$lock" ] || : 2>/dev/null >>"$lock"
exec flock -o -w 1800 "$lock" python3 -B "$here/bench.py" "$build" "$@"
