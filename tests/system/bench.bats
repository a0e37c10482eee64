#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bench.bats - the instruction counts of `make bench` repeat exactly and keep their targets (Show 14 of issue 2, the short form).

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
