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

for suite in "$@"; do
	started=$SECONDS
	log="$build/check/$(basename "$suite").log"
	case $suite in
	*.bats)
		aborted="$build/check/$(basename "$suite").qemu-abort"
		rm -f "$aborted"
		timeout --kill-after=10 "${SUITE_TIMEOUT:-600}" bats --tap "$suite" >"$log" 2>&1 </dev/null
		code=$?
		if [ "$code" -ne 0 ] && [ -e "$aborted" ]; then
			echo "$(basename "$suite"): QEMU itself aborted (SIGABRT), once more; it said:"
			tail -n 3 "$aborted" | sed 's/^/    /'
			timeout --kill-after=10 "${SUITE_TIMEOUT:-600}" bats --tap "$suite" >"$log" 2>&1 </dev/null
			code=$?
		fi
		count "$log" "$code" "$(basename "$suite")"
		;;
	*.sh)
		timeout --kill-after=10 "${SUITE_TIMEOUT:-600}" bash "$suite" >"$log" 2>&1 </dev/null
		count "$log" $? "$(basename "$suite")"
		;;
	*)
		# shellcheck disable=SC2086
		CMOCKA_MESSAGE_OUTPUT=TAP timeout --kill-after=10 "${SUITE_TIMEOUT:-600}" \
			"$build/unit/$suite" $UNIT_ARGS >"$log" 2>&1 </dev/null
		count "$log" $? "unit $suite"
		;;
	esac
done
[ "$skipped" -eq 0 ] || echo "($skipped skipped: see the logs)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
