#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check.sh BUILD_DIR SUITE... - runs host tests (cmocka programs in BUILD_DIR/unit) and system tests (tests/system/*.bats), one
# after the other, and closes with one line for the whole run: "N passed, N failed". A suite's output is kept in
# BUILD_DIR/check; of a failed one the end is shown. Exit code 1 when anything failed.
set -u
build=$(realpath "$1")
shift
cd "$(dirname "$0")/.." || exit 1
mkdir -p "$build/check"
export AVISOR_BUILD="$build" PATH="$build:$PATH"
passed=0 failed=0 skipped=0

# count LOG: adds the TAP lines of LOG; a suite that printed none, or ended badly without a failed test, is one failure
count() {
	local log=$1 code=$2 ok bad skip
	skip=$(grep -cE '^ok .*# skip' "$log")
	ok=$(($(grep -cE '^ok ' "$log") - skip))
	bad=$(grep -cE '^not ok ' "$log")
	if [ "$bad" -eq 0 ] && { [ "$code" -ne 0 ] || [ "$ok" -eq 0 ]; }; then
		bad=1
	fi
	passed=$((passed + ok))
	failed=$((failed + bad))
	skipped=$((skipped + skip))
	printf '%-32s %4d passed %3d failed  %4d s\n' "$3" "$ok" "$bad" "$((SECONDS - started))"
	if [ "$bad" -ne 0 ]; then
		grep -E '^not ok |ERROR: |runtime error|^#' "$log" | tail -n 40 | sed 's/^/    /'
		echo "    (all of it: $log)"
	fi
}

# run SUITE LOG: one suite, whatever it is
run() {
	case $1 in
	*.bats) timeout --kill-after=10 "${SUITE_TIMEOUT:-600}" bats --tap "$1" >"$2" 2>&1 </dev/null ;;
	*.sh) timeout --kill-after=10 "${SUITE_TIMEOUT:-600}" bash "$1" >"$2" 2>&1 </dev/null ;;
	*)
		# shellcheck disable=SC2086
		CMOCKA_MESSAGE_OUTPUT=TAP timeout --kill-after=10 "${SUITE_TIMEOUT:-600}" \
			"$build/unit/$1" $UNIT_ARGS >"$2" 2>&1 </dev/null
		;;
	esac
}

# On a machine that others use, too, time runs out where nothing is wrong, and QEMU 7.2 aborts by itself now and then: a system test
# that failed is run once more. What it said the first time is told and kept, and so is that it took two runs.
twice=""
for suite in "$@"; do
	started=$SECONDS
	log="$build/check/$(basename "$suite").log"
	aborted="$build/check/$(basename "$suite").qemu-abort"
	rm -f "$aborted" "$log.first"
	run "$suite" "$log"
	code=$?
	if [ "$code" -ne 0 ] && [[ $suite = *.bats ]]; then
		cp "$log" "$log.first"
		echo "$(basename "$suite") failed, once more; it said ($log.first):"
		grep -E '^not ok |^#' "$log" | tail -n 20 | sed 's/^/    /'
		[ ! -e "$aborted" ] || { echo "    QEMU itself aborted (SIGABRT):" && tail -n 3 "$aborted" | sed 's/^/    /'; }
		run "$suite" "$log"
		code=$?
		[ "$code" -ne 0 ] || twice="$twice $(basename "$suite")"
	fi
	case $suite in
	*.bats | *.sh) count "$log" "$code" "$(basename "$suite")" ;;
	*) count "$log" "$code" "unit $suite" ;;
	esac
done
[ "$skipped" -eq 0 ] || echo "($skipped skipped: see the logs)"
[ -z "$twice" ] || echo "(passed only the second time:$twice)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
