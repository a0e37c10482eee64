#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# linux.bats - a guest that nobody here wrote: Debian's own arm64 kernel (Show 10 of issue 2). Needs `make linux-guest`.
# The typing is done by linux.py.

load lib

setup_file() {
	machine_begin
	[ -s "$AVISOR_BUILD/linux/initrd" ] || {
		say "no kernel in $AVISOR_BUILD/linux: make linux-guest"
		return 1
	}
}

teardown_file() {
	machine_end
}

setup() {
	machine_here
}

# A test that failed leaves its machine: the next one starts its own.
teardown() {
	avctl -s linux down >/dev/null 2>&1 || true
}

# set CPU-MODEL: configs/linux.yaml on that CPU, from this build
set_on() {
	sed -e "s,\.\./build,$AVISOR_BUILD," -e "s/^machine: {/&cpu: \"$1\", /" "$AVISOR_TOP/configs/linux.yaml" >linux.yaml
	grep -q "$1" linux.yaml
}

# Boot, shell, file, snapshot, restores, hvc0, the clock: linux.py says what is looked at.
back_in_time() {
	set_on "$1"
	machine_up linux.yaml
	AVCTL_SET=linux timeout --kill-after=5 120 python3 "$BATS_TEST_DIRNAME/linux.py" "$AVISOR_BUILD/avctl" linux 10 \
		{AVISOR_LOCK_FD}<&-
	expect_equal "$(avctl -s linux ps -o json | json 'd["vms"][0]["state"]')" running "state of the VM"
	expect_equal "$(avctl -s linux ps -o json | json 'd["vms"][0]["generation"]')" 10 "number of restores"
	avctl -s linux down
}

@test "Debian's kernel on cortex-a57 boots to a shell and goes back in time ten times" {
	back_in_time cortex-a57
}

@test "Debian's kernel on max,pauth-impdef=on boots to a shell and goes back in time ten times" {
	back_in_time max,pauth-impdef=on
}
