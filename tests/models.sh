#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# models.sh - checks the protocols of guest-agent/shared with spin, over all interleavings: the models as they are have no error, and
# each variant that is broken on purpose has one. TAP. Larger under SOAK=1.
models=$(cd "$(dirname "$0")/models" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/avisor-models.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
n=0

# model NAME WANTED OPTION...: WANTED is "none" or what the error spin finds says
model() {
	local name=$1 wanted=$2 found
	shift 2
	n=$((n + 1))
	rm -f pan* ./*.trail
	if spin -a "$@" "$models/$name.pml" >spin.log 2>&1 &&
		gcc -O1 -w -DSAFETY -DCOLLAPSE -DMEMLIM="${MODEL_MIB:-1500}" -o pan pan.c 2>>spin.log; then
		timeout ${SOAK:+30}120 ./pan -m1000000 -w22 >pan.log 2>&1
	fi
	found=$(sed -n 's/^pan:1: \([a-z ]*\).*/\1/p' pan.log)
	[ -n "$found" ] || found=$(grep -q 'errors: 0$' pan.log && ! grep -q 'reached -DMEMLIM\|max search depth' pan.log && echo none)
	if [[ "$found" == "$wanted"* && -n "$found" ]]; then
		echo "ok $n $name $*: $wanted ($(sed -n 's/ *\([0-9]*\) states, stored$/\1/p' pan.log) states)"
	else
		echo "not ok $n $name $*: wanted $wanted, found ${found:-no end}"
		tail -n 20 spin.log pan.log | sed 's/^/# /'
	fi
	rm -f pan.log
}

model lock none -DMEMBERS=2 -DEVENTS=2 -DTIMEOUTS=1
model lock none -DMEMBERS=3 -DEVENTS=1 -DTIMEOUTS=1 -DNO_TRAVEL
model lock "assertion violated" -DMEMBERS=2 -DEVENTS=2 -DPLAIN_STORE
model lock "invalid end state" -DMEMBERS=2 -DEVENTS=2 -DBLIND_PASS
model lock "invalid end state" -DMEMBERS=2 -DEVENTS=2 -DNO_TAKEOVER
model lock "invalid end state" -DMEMBERS=2 -DEVENTS=2 -DTIMEOUTS=1 -DDEAF_TIMEOUT
model ring none -DMESSAGES=3 -DEVENTS=1 -DONLY_PRODUCER
model ring none -DMESSAGES=3 -DEVENTS=1 -DONLY_CONSUMER
model ring "assertion violated" -DMESSAGES=3 -DEVENTS=1 -DNO_RELEASE
model ring "assertion violated" -DMESSAGES=3 -DEVENTS=1 -DNO_LIFE_CHECK
model ring "assertion violated" -DMESSAGES=3 -DEVENTS=1 -DNO_FENCE
model ring "invalid end state" -DMESSAGES=3 -DEVENTS=1 -DLATE_NAP
if [ -n "${SOAK:-}" ]; then
	model lock none -DMEMBERS=3 -DEVENTS=1
	model ring none -DMESSAGES=3 -DEVENTS=1
	model ring none -DMESSAGES=4 -DEVENTS=2 -DONLY_PRODUCER
fi
echo "1..$n"
