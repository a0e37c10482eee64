#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bench.bats - the instruction counts of `make bench` repeat exactly and keep their targets (Show 14 of issue 2, the short form);
# loops of restores lose no frame (Show 3 of issue 4).

ROUNDS=${SOAK:+100000}
ROUNDS=${ROUNDS:-300}

@test "counts at 512 MiB are the same in two runs and keep the targets" {
	local top build

	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	build=$(realpath "${AVISOR_BUILD:-$top/${B:-build}}")
	run bash "$top/tests/bench/bench.sh" "$build" --runs 2 --ram 512 --wall-ram "" --out "$BATS_TEST_TMPDIR/bench.json"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"2 runs are identical"* ]]
	[[ "${lines[-1]}" == *" targets met, 0 missed" ]]
	grep -q '"name": "restore.base.d16"' "$BATS_TEST_TMPDIR/bench.json"
}

@test "$ROUNDS restores each of 44, 64 and 256 pages, copy-back off and on: the rate, and no frame lost" {
	local top build lock=${AVISOR_QEMU_LOCK:-/tmp/avisor-qemu.lock}

	top=$(realpath "$BATS_TEST_DIRNAME/../..")
	build=$(realpath "${AVISOR_BUILD:-$top/${B:-build}}")
	[ -e "$lock" ] || : 2>/dev/null >>"$lock"
	run flock -o -w 1800 "$lock" python3 -B "$top/tests/bench/loop.py" "$build" "$ROUNDS"
	echo "$output"
	[ "$status" -eq 0 ]
	grep -qE "^rate.d256 [0-9,.]+ 1/s \\($ROUNDS restores, no frame lost\\)" <<<"$output"
	grep -qE "^rate.d256.copyback [0-9,.]+ 1/s" <<<"$output"
}
